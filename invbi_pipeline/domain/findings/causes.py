"""What explains a change that no known effect explains: searched in order, the first that explains the units exactly wins."""

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.inputs import FindingInputs, of_point, subject
from invbi_pipeline.domain.words import CorrectionKind, CorrectionState, MovementKind

__all__ = ["explained"]

_S = CorrectionState
_FAILED: Final = [_S.REJECTED, _S.DEAD, _S.MISMATCHED, _S.AMBIGUOUS, _S.SUPERSEDED]
_ORDERS: Final = [MovementKind.SALE, MovementKind.CANCEL, MovementKind.RETURN]
_STANDS: Final = (pl.col("stuck") > 0).fill_null(value=False)  # the number is still the one before the event
_KNOWN_LONG: Final = timedelta(hours=24)  # where nothing says since when, events of the last day are looked at


def explained(drifted: pl.DataFrame, inputs: FindingInputs, now: datetime) -> pl.DataFrame:
    """Add to points with `found` not 0: `how`, `cause`, `event_id`, `order_id`, `event_at`, `event_units`, `other`.

    how: duplicate (an order or return of the window was applied again), unapplied (it was not applied at all), moved (another
    location of the same system and sku differs by as much the other way), push (one of our pushes that failed or never landed),
    withheld (units held back as unseen sales that never arrived), foreign (a person or another program: what is left when
    nothing else explains it).
    """
    key = of_point()
    windowed = drifted.with_columns(
        window_from=pl.coalesce("found_since", pl.col("found_at") - _KNOWN_LONG),
        window_to=pl.coalesce("found_at", "observed_at"),
    )
    rows = (
        windowed.join(_events(windowed, inputs.effects), on=key, how="left")
        .join(_counterparts(windowed), on=key, how="left")
        .join(_pushes(windowed, inputs.corrections), on=key, how="left")
    )
    how = (
        pl.when(pl.col("found_how") == "withheld")
        .then(pl.lit("withheld"))
        .when(pl.col("event_id").is_not_null())
        .then(pl.when(_STANDS).then(pl.lit("unapplied")).otherwise(pl.lit("duplicate")))
        .when(pl.col("other").is_not_null())
        .then(pl.lit("moved"))
        .when(pl.col("push_id").is_not_null())
        .then(pl.lit("push"))
        .otherwise(pl.lit("foreign"))
    )
    told = rows.with_columns(how=how, units=pl.col("found").abs())
    return told.with_columns(cause=_sentence(now))


def _events(points: pl.DataFrame, effects: pl.DataFrame) -> pl.DataFrame:
    """The newest order or return in each point's window of exactly the units that are unexplained.

    Where the number moved it was applied twice; where it stands, that is as many units the other way, not at all.
    """
    key, sign = of_point(), pl.when(_STANDS).then(-1).otherwise(1)
    origin = pl.when(pl.col("order_id").fill_null("") == "").then("effect_id").otherwise("order_id")
    near = (
        effects.unique([*key, "effect_id"], keep="any")
        .filter(pl.col("kind").is_in([str(kind) for kind in _ORDERS]))
        .join(points.select(*key, "window_from", "window_to", wanted=sign * pl.col("found")), on=key)
        .filter(pl.col("stamped_at").is_between("window_from", "window_to"))
        .group_by(*key, "wanted", "kind", origin=origin)
        .agg(
            event_id=pl.col("effect_id").min(),
            order_id=pl.col("order_id").first(),
            event_at=pl.col("stamped_at").max(),
            event_units=pl.col("units").sum(),
        )
    )
    return (
        near.filter(pl.col("event_units") == pl.col("wanted"))
        .sort("event_at", "event_id", descending=[True, False])
        .unique(key, keep="first", maintain_order=True)
        .select(*key, "event_id", "order_id", "event_at", "event_units", event_kind="kind")
    )


def _counterparts(points: pl.DataFrame) -> pl.DataFrame:
    """Another location of the same system where the same sku changed by as much the other way: `other`."""
    key = of_point()
    sides = points.filter(pl.col("sku").is_not_null()).select(*key, "sku", "found")
    return (
        sides.join(sides.select("system", "sku", other="location", back=-pl.col("found")), on=["system", "sku"])
        .filter((pl.col("back") == pl.col("found")) & (pl.col("other") != pl.col("location")))
        .sort(*key, "other")
        .unique(key, keep="first", maintain_order=True)
        .select(*key, "other")
    )


def _pushes(points: pl.DataFrame, corrections: pl.DataFrame) -> pl.DataFrame:
    """The newest of our pushes in each point's window that failed or never landed and would have made that difference."""
    key = of_point()
    return (
        corrections.filter(
            (pl.col("kind") == CorrectionKind.SET)
            & pl.col("state").is_in([str(state) for state in _FAILED])
            & pl.col("sent_at").is_not_null()
        )
        .join(points.select(*key, "found", "window_from", "window_to"), on=key)
        .filter(
            pl.col("sent_at").is_between("window_from", "window_to", closed="left")  # one planned from that look came after it
            & (pl.coalesce("shown", "from_qty") - pl.col("target") == pl.col("found"))
        )
        .sort("sent_at", "correction_id", descending=[True, False])
        .unique(key, keep="first", maintain_order=True)
        .select(*key, push_id="correction_id", push_at="sent_at", push_state="state")
    )


def _sentence(now: datetime) -> pl.Expr:
    did = pl.when(pl.col("found") < 0).then(pl.lit("lowered")).otherwise(pl.lit("raised"))
    than = pl.when(pl.col("found") < 0).then(pl.lit("lower")).otherwise(pl.lit("higher"))
    end = _clock("window_to", now)
    between = (
        pl.when(pl.col("found_since").is_null())
        .then(pl.format("before {}", end))
        .otherwise(pl.format("between {} and {}", _clock("found_since", now), end))
    )
    order = pl.when(pl.col("order_id").fill_null("") == "").then("event_id").otherwise("order_id")
    return (
        pl.when(pl.col("how") == "withheld")
        .then(pl.format("{} is {} too low: sales that we expected since {} never arrived.", subject(), "units", end))
        .when(pl.col("how") == "duplicate")
        .then(
            pl.format(
                "{} is {} {} than it should be: the {} {} of {} seems to have been applied twice.",
                subject(), "units", than, "event_kind", order, _clock("event_at", now),
            )
        )
        .when(pl.col("how") == "unapplied")
        .then(
            pl.format(
                "{} is {} {} than it should be: the {} {} of {} was not applied.",
                subject(), "units", than, "event_kind", order, _clock("event_at", now),
            )
        )
        .when(pl.col("how") == "moved")
        .then(
            pl.format(
                "{} was {} by {} {}, and {} changed by as much the other way: the units were moved there.",
                subject(), did, "units", between, "other",
            )
        )
        .when(pl.col("how") == "push")
        .then(
            pl.format(
                "{} is {} {} than it should be: our correction of {} never took effect.",
                subject(), "units", than, _clock("push_at", now),
            )
        )
        .otherwise(
            pl.format(
                "Somebody or another program {} {} by {} {}; no order explains it.", did, subject(), "units", between
            )
        )
    )  # fmt: skip


def _clock(name: str, now: datetime) -> pl.Expr:
    """A time as people say it: the hour, and the day where it is not today's. UTC."""
    at = pl.col(name)
    today = at.dt.date() == now.date()
    return pl.when(today).then(at.dt.strftime("%H:%M")).otherwise(at.dt.strftime("%-d %b %H:%M")).fill_null("?")
