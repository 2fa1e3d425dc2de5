"""The point's own events: one that was applied twice, one that was not applied at all, one leg of two."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.causes.pieces import SAME_MOMENT, in_step, piece
from invbi_pipeline.domain.findings.inputs import of_point
from invbi_pipeline.domain.words import Cause, MovementKind

__all__ = ["known_events", "own_events"]

# A return is money and goods, a move is out of one place and into another.
_LEGS: Final = [str(kind) for kind in (MovementKind.RETURN, MovementKind.ADJUSTMENT)]
_MOVED_BY: Final = 1.5  # bits against an event that moved the number, where it is to explain that it was not applied


def known_events(steps: pl.DataFrame, effects: pl.DataFrame) -> pl.DataFrame:
    """Return the events in each step: its columns, `origin` (order, or effect), `kind`, `event_units`, `at`, `effects` (ids).

    What one order did to one point in one way is one event, however many lines it has.
    """
    origin = pl.when(pl.col("order_id").fill_null("") == "").then("effect_id").otherwise("order_id")
    return (
        effects.unique([*of_point(), "effect_id"], keep="any")
        .select(*of_point(), "effect_id", "kind", "units", "stamped_at", origin=origin)
        .join(steps.rename({"units": "wanted"}), on=of_point())
        .filter(in_step())
        .group_by(*steps.rename({"units": "wanted"}).columns, "origin", "kind")
        .agg(
            event_units=pl.col("units").sum(),
            at=pl.col("stamped_at").max(),
            effects=pl.col("effect_id").sort(),
        )
        .filter(pl.col("event_units") != 0)
    )


def own_events(events: pl.DataFrame) -> pl.DataFrame:
    """Return PIECES of `known_events`: each applied twice, and each not applied.

    A return or a move of which the platform tells and that its number does not show is the leg that was not booked. That the
    number stands still, or was last changed before the event, speaks for it; that something changed it after the event does not.
    """
    stands = (pl.col("before") == pl.col("after")).fill_null(value=False)
    later = (pl.col("touched") > pl.col("at") + SAME_MOMENT).fill_null(value=False)
    untouched = (pl.col("touched") < pl.col("at")).fill_null(value=False)
    named = {"events": pl.concat_list("origin")}
    missing = pl.when(pl.col("kind").is_in(_LEGS)).then(pl.lit(Cause.ONE_LEG.value)).otherwise(pl.lit(Cause.UNAPPLIED.value))
    against = pl.when((stands | untouched) & ~later).then(2.0).otherwise(2.0 + _MOVED_BY)
    twice = piece(events.filter(~stands), Cause.DUPLICATE, units=pl.col("event_units"), kind=pl.col("kind"), **named)
    undone = piece(events, missing, units=-pl.col("event_units"), kind=pl.col("kind"), against=against, **named)
    return pl.concat([twice, undone])
