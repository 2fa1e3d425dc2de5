"""An explanation as one sentence that a shop manager understands, from the evidence alone."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.inputs import subject
from invbi_pipeline.domain.words import Cause, MovementKind

__all__ = ["action", "sentence", "spoken"]

_C = Cause
_MEND: Final[Mapping[Cause, str]] = {
    _C.KIT: "Switch off the channel's own handling of this kit's components.",
    _C.PACK: "Say how many single units the listing sells.",
    _C.MISSING_ORDER: "Look the order up on the channel, and cancel it where it was booked if it is not real.",
    _C.DUPLICATE: "Let the number be corrected, and check whatever imports the channel's orders.",
    _C.UNAPPLIED: "Let the number be corrected.",
    _C.ONE_LEG: "Book the other leg, or let the number be corrected.",
    _C.MOVED: "Let both numbers be corrected, or book the transfer where the stock is counted.",
    _C.SWAPPED: "Let both numbers be corrected, and check the codes of the two items.",
    _C.PUSH: "Let the correction be sent again.",
    _C.STALE: "Let the number be corrected; if it comes back, ask the channel's support.",
    _C.WITHHELD: "Let the number be corrected.",
    _C.GHOST: "Take the excluded location out of this channel's shipping settings.",
    _C.SECOND_WRITER: "Switch off the other program that writes this number.",
    _C.FOREIGN: "Find out who changed it, and let the number be corrected.",
}
_KINDS: Final[Mapping[str, str]] = {
    MovementKind.SALE: "order {}",
    MovementKind.CANCEL: "the cancellation of order {}",
    MovementKind.RETURN: "return {}",
    MovementKind.ADJUSTMENT: "the adjustment of order {}",
}
_ONE_OF: Final[Mapping[str, str]] = {  # nothing tells which
    MovementKind.SALE: "one of the orders {}",
    MovementKind.CANCEL: "the cancellation of one of the orders {}",
    MovementKind.RETURN: "one of the returns {}",
    MovementKind.ADJUSTMENT: "the adjustment of one of the orders {}",
}


def spoken(now: datetime) -> pl.Expr:
    """Return `said`, how one piece (`search.FOUND`, with `start`, `end` of its step) is spoken of. Times are UTC."""
    event = _named(_KINDS, "event {}", pl.col("events").list.join(" and "))
    perhaps = pl.when("doubted").then(pl.lit("probably ")).otherwise(pl.lit(""))
    one_of = _named(_ONE_OF, "one of the events {}", pl.col("alternatives").list.join(", "))
    when = pl.when(pl.col("at").is_null()).then(pl.lit("")).otherwise(pl.format(" of {}", _clock("at", now)))
    it = pl.when(pl.col("events").list.len() > 0).then(pl.concat_str(perhaps, event, when)).otherwise(one_of)
    refunded = (
        pl.when((pl.col("events").list.len() > 0) & pl.col("at").is_not_null())
        .then(pl.format("{}{}, refunded at {}, ", perhaps, event, _clock("at", now)))
        .otherwise(pl.format("{} was refunded and ", pl.when(pl.col("events").list.len() > 0).then(event).otherwise(one_of)))
    )
    between = pl.format("between {} and {}", _clock("start", now, zone=""), _clock("end", now))
    at = pl.when(pl.col("at").is_null()).then(between).otherwise(pl.format("at {}", _clock("at", now)))
    did = pl.when(pl.col("units") < 0).then(pl.lit("lowered")).otherwise(pl.lit("raised"))
    way = pl.when(pl.col("units") < 0).then(pl.lit("went to")).otherwise(pl.lit("came from"))
    they = pl.when(pl.col("units").abs() == 1).then(pl.lit("it")).otherwise(pl.lit("they"))
    words = {
        _C.KIT: pl.when(pl.col("units") < 0)
        .then(pl.format("{} sold the kit {}, and the channel lowered its parts by itself", it, "other"))
        .otherwise(pl.format("{} gave the kit {} back, and the channel raised its parts by itself", it, "other")),
        _C.PACK: pl.format("{} was counted in other units than the listing sells", it),
        _C.MISSING_ORDER: pl.format("{} is booked in {}, and the channel does not tell of it", it, "other"),
        _C.DUPLICATE: pl.format("{} was applied twice", it),
        _C.UNAPPLIED: pl.format("{} was not applied", it),
        _C.ONE_LEG: pl.when(pl.col("kind") == MovementKind.RETURN)
        .then(pl.format("{}was not restocked", refunded))
        .otherwise(pl.format("{} was booked in one place only", it)),
        _C.MOVED: pl.format("{} {} {} without an order", they, way, "other"),
        _C.SWAPPED: pl.format("{} was booked on the wrong item: compare with {}", it, "other"),
        _C.PUSH: pl.format("our correction of {} never took effect", _clock("at", now)),
        _C.STALE: pl.format("the channel went back to the number it showed at {}", _clock("at", now)),
        _C.WITHHELD: pl.format("sales that we expected since {} never arrived", _clock("at", now)),
        _C.SECOND_WRITER: pl.format("another program {} the number again {}", did, at),
        _C.FOREIGN: pl.format("somebody or another program {} the number {}; no order explains it", did, at),
    }  # fmt: skip
    said = pl.lit("")
    for cause, text in words.items():
        said = pl.when(pl.col("cause") == cause.value).then(text).otherwise(said)
    units = pl.col("units").abs()
    return pl.format("{} {}: {}", units, pl.when(units == 1).then(pl.lit("unit")).otherwise(pl.lit("units")), said).alias("said")


def sentence() -> pl.Expr:
    """Return `cause`, the sentence of a point: what is wrong, each piece, and what is left."""
    than = pl.when(pl.col("found") < 0).then(pl.lit("lower")).otherwise(pl.lit("higher"))
    left = pl.when(pl.col("remainder") == 0).then(pl.lit("")).otherwise(
        pl.format("; {} more that nothing explains", pl.col("remainder").abs())
    )  # fmt: skip
    said = pl.col("said").list.join("; ")
    return pl.format("{} is {} {} than it should be. {}{}.", subject(), "units", than, said, left)


def action() -> pl.Expr:
    """Return `action`, what a person can do about the first cause of a point."""
    first = pl.col("causes").list.first().struct.field("cause")
    return first.replace_strict({cause.value: text for cause, text in _MEND.items()}, default=_MEND[_C.FOREIGN])


def _named(kinds: Mapping[str, str], otherwise: str, ids: pl.Expr) -> pl.Expr:
    said = pl.format(otherwise, ids)
    for kind, words in kinds.items():
        said = pl.when(pl.col("kind") == str(kind)).then(pl.format(words, ids)).otherwise(said)
    return said


def _clock(name: str, now: datetime, zone: str = " UTC") -> pl.Expr:
    """A time as people say it: the hour, and the day where it is not today's, in UTC."""
    at = pl.col(name)
    today = at.dt.date() == now.date()
    return pl.when(today).then(at.dt.strftime(f"%H:%M{zone}")).otherwise(at.dt.strftime(f"%-d %b %H:%M{zone}")).fill_null("?")
