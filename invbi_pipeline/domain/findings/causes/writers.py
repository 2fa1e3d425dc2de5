"""Numbers that somebody keeps setting back, as the looks and our pushes tell it."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.causes.pieces import LAG
from invbi_pipeline.domain.findings.causes.steps import changes
from invbi_pipeline.domain.findings.feed import SKEW_S
from invbi_pipeline.domain.findings.inputs import FindingInputs, of_point
from invbi_pipeline.domain.words import CorrectionKind, CorrectionState

__all__ = ["TWICE", "returns", "set_back"]

TWICE: Final = 2  # a number that left one of our pushes could be anybody's hand
_SEVERAL: Final = 5
_LAST: Final = 3  # of a point's pushes: with fewer looks between them a number that stands still says little


def returns(inputs: FindingInputs) -> pl.DataFrame:
    """Return a point's key and `returns`: after how many of our pushes the number went its own way without an event.

    Where our pushes of the last day are known, what the looks say of them counts: `POINTS.returns` also counts a change after a
    push that never took effect, which one hand can make twice. Points whose number stands since our last pushes have none.
    """
    key = of_point()
    if inputs.corrections.is_empty():  # no push of ours is known
        return _watched(inputs.points).select(*key, "returns")
    pushed = _sends(inputs).select(key).unique().with_columns(replayed=pl.lit(value=True))
    return (
        _watched(inputs.points)
        .select(*key, known="returns")
        .join(pushed, on=key, how="left")
        .join(set_back(inputs), on=key, how="left")
        .join(_stands(inputs), on=key, how="anti")
        .select(*key, returns=pl.when("replayed").then(pl.col("back").fill_null(0)).otherwise("known"))
    )


def set_back(inputs: FindingInputs) -> pl.DataFrame:
    """Return a point's key and `back`: how many pushes of ours the number left before the next one was sent.

    Either a look read the push's target and a later one what no event explains; or no look was quick enough to read the target,
    and the platform says that the number was set anew since, without an event, to the very one that was to be mended. Where a
    platform takes a quarter of an hour to apply a push, a writer who comes every few minutes leaves none there to be verified.
    """
    key = of_point()
    sends = _sends(inputs).sort(*key, "sent_at").with_columns(next_at=pl.col("sent_at").shift(-1).over(key))
    sends = sends.select(*key, "correction_id", "sent_at", "next_at", "target", "shown")
    left = [_left_target(sends, inputs), _set_anew(sends, inputs)]
    return pl.concat(left).unique("correction_id").group_by(key).agg(back=pl.len().cast(pl.Int64))


def _watched(points: pl.DataFrame) -> pl.DataFrame:
    """The points of which a writer is asked, all in EARLIER: what drifted, and what went its own way before."""
    return points.filter((pl.col("found") != 0) | (pl.col("returns") >= TWICE))


def _sends(inputs: FindingInputs) -> pl.DataFrame:
    """Our pushes that the channel took."""
    taken = pl.col("sent_at").is_not_null() & ~pl.col("state").is_in([CorrectionState.REJECTED.value, CorrectionState.DEAD.value])
    sent = (pl.col("kind") == CorrectionKind.SET) & taken & (pl.col("target") != pl.col("shown"))
    return inputs.corrections.filter(sent).join(_watched(inputs.points), on=of_point(), how="semi")


def _left_target(sends: pl.DataFrame, inputs: FindingInputs) -> pl.DataFrame:
    """Pushes that a look saw in effect and that a later look, as far as all orders are known, saw gone without an event.

    An event of a look's own moment may be on either side of it: then the look says nothing.
    """
    key = of_point()
    looks = inputs.earlier.select(*key, "observed_at", "quantity")
    landed = (
        sends.join(looks, on=key)
        .filter((pl.col("observed_at") > pl.col("sent_at")) & _before_next() & (pl.col("quantity") == pl.col("target")))
        .group_by("correction_id", *key, "next_at")
        .agg(landed_at=pl.col("observed_at").min())
    )
    strange = changes(inputs.earlier, inputs.effects, inputs.corrections).select(*key, "start", observed_at="end")
    gone = landed.join(strange, on=key).join(_told(inputs.points), on=key).filter(
        (pl.col("start") >= pl.col("landed_at")) & _before_next() & (pl.col("observed_at") <= pl.col("told_to"))
    )  # fmt: skip
    events = gone.select(*key, "correction_id", "start", "observed_at").join(inputs.effects.select(*key, "stamped_at"), on=key)
    close = [(pl.col("stamped_at") - pl.col(look)).abs() <= LAG for look in ("start", "observed_at")]
    doubted = events.filter(close[0] | close[1])
    return gone.join(doubted, on=["correction_id", "observed_at"], how="anti").select(*key, "correction_id")


def _set_anew(sends: pl.DataFrame, inputs: FindingInputs) -> pl.DataFrame:
    """Pushes after which the number is the one from before and, as the platform says, was set since, at no event's moment.

    A moment at which most of a system's numbers changed is the platform's own doing. Where a clock was set back, the same moment
    bore another time before.
    """
    key = of_point()
    back = inputs.clocks.filter(pl.col("set_back_s") > SKEW_S).select("system")
    looks = inputs.earlier.select(*key, "observed_at", "quantity", "changed_at").drop_nulls("changed_at")
    looks = looks.join(back, on="system", how="anti")
    alike = looks.group_by("system", "observed_at", "changed_at").agg(n=pl.len()).with_columns(
        most=(pl.col("n") >= _SEVERAL) & (2 * pl.col("n") > pl.col("n").sum().over("system", "observed_at"))
    )  # fmt: skip
    looks = looks.join(alike.filter("most"), on=["system", "observed_at", "changed_at"], how="anti")
    each = sends.join(looks, on=key)
    before = each.filter(pl.col("observed_at") <= pl.col("sent_at")).group_by("correction_id").agg(was=pl.col("changed_at").max())
    after = (
        each.join(before, on="correction_id")
        .filter((pl.col("observed_at") > pl.col("sent_at")) & _before_next() & (pl.col("changed_at") > pl.col("was")))
        .filter(pl.col("quantity") == pl.col("shown"))
        .join(_told(inputs.points), on=key)
        .filter(pl.col("observed_at") <= pl.col("told_to"))
    )
    events = inputs.effects.select(*key, "stamped_at")
    between = after.select("correction_id", "was", "observed_at", *key).join(events, on=key)
    moved = between.filter(pl.col("stamped_at").is_between("was", "observed_at", closed="right"))
    return after.join(moved, on="correction_id", how="anti").select(*key, "correction_id")


def _told(points: pl.DataFrame) -> pl.DataFrame:
    """Up to which look all orders are known (`told_to`): an order that is not told yet is no writer."""
    return points.select(*of_point(), told_to=pl.coalesce("complete_to", "observed_at"))


def _before_next() -> pl.Expr:
    return (pl.col("observed_at") <= pl.col("next_at")).fill_null(value=True)


def _stands(inputs: FindingInputs) -> pl.DataFrame:
    """The keys of points whose number is one and the same in all looks since our last pushes, and was not set again meanwhile."""
    key = of_point()
    pushed = _sends(inputs).sort("sent_at").group_by(key).agg(sent=pl.col("sent_at").tail(_LAST), target=pl.col("target").last())
    looks = inputs.earlier.join(pushed.filter(pl.col("sent").list.len() > 1), on=key)
    since = looks.filter(pl.col("observed_at") > pl.col("sent").list.first())
    seen = since.group_by(key).agg(
        numbers=pl.col("quantity").unique(),
        times=pl.col("changed_at").drop_nulls().n_unique(),
        looks=pl.len(),
        target=pl.col("target").first(),
    )
    one = (pl.col("numbers").list.len() == 1) & (pl.col("looks") > 1) & (pl.col("numbers").list.first() != pl.col("target"))
    return seen.filter(one & (pl.col("times") <= 1)).select(key)
