"""Units that did not vanish: another location or another sku of the same system differs by as much the other way."""

from datetime import timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.causes.pieces import LAG, SAME_MOMENT, in_step, piece, step_key
from invbi_pipeline.domain.findings.inputs import of_point
from invbi_pipeline.domain.words import Cause

__all__ = ["both_sides", "moved", "swapped"]

_ONE_SITTING: Final = timedelta(minutes=10)  # somebody who moves units changes both numbers within it
_ONE_BOOKING: Final = timedelta(seconds=10)  # what one request changes is stamped within seconds after it,
_ROUNDED: Final = timedelta(seconds=1)  # ... and before it only as far as whole seconds are stated
_EXACT: Final = 1.0  # bits: two numbers that fit each other are stronger than one event that fits


def moved(steps: pl.DataFrame, changed: pl.DataFrame) -> pl.DataFrame:
    """Return PIECES: the same listing's number at another location changed by as many units the other way, at the same time.

    `changed`: `steps.changes`, of points that have been put right since, too.
    """
    sides = changed.select("system", "listing_key", other="location", back="units", s_="start", e_="end", touched_="touched")
    found = steps.join(sides, on=["system", "listing_key"]).filter(
        (pl.col("other") != pl.col("location"))
        & (pl.col("back") == -pl.col("units"))
        & _at_once()
        & ((pl.col("touched") - pl.col("touched_")).abs() <= _ONE_SITTING).fill_null(value=True)
    )
    one = found.sort(*step_key(), "other").unique(step_key(), keep="first", maintain_order=True)
    # where the platform says of both when they changed, that is its own word for it
    both = pl.col("touched").is_not_null() & pl.col("touched_").is_not_null()
    return piece(
        one, Cause.MOVED, events=pl.lit([], pl.List(pl.String())), at=pl.col("touched"), other=pl.col("other"),
        against=pl.when(both).then(0.0).otherwise(_EXACT),
    )  # fmt: skip


def swapped(steps: pl.DataFrame, events: pl.DataFrame, changed: pl.DataFrame, effects: pl.DataFrame) -> pl.DataFrame:
    """Return PIECES of both sides: an event of one sku did not move its number, and moved that of another sku there by as much.

    `events`: `own.known_events` of the steps; `changed`: `steps.changes` with `sku`. Two skus that merely differ by as much
    either way prove nothing: without such an event, and without the platform's word that both changed at its moment, no piece is
    made.
    """
    here, same = ["system", "location"], {"events": pl.concat_list("origin"), "kind": pl.col("kind"), "against": pl.lit(_EXACT)}
    other = changed.rename(
        {"listing_key": "other_key", "sku": "other", "units": "back", "start": "s_", "end": "e_", "touched": "touched_"}
    ).drop("before", "after")
    fits = (pl.col("other_key") != pl.col("listing_key")) & (pl.col("other") != pl.col("sku")) & _at_once()
    near = (pl.col("touched_") - pl.col("at")).is_between(-_ROUNDED, _ONE_BOOKING)
    skipped = (
        events.filter(pl.col("event_units") == -pl.col("wanted"))
        .join(other, on=here)
        .filter(fits & near & (pl.col("back") == pl.col("event_units")))
        .unique([*step_key(), "origin"], keep="first")
    )
    taken = (
        steps.join(_explains_itself(steps, effects), on=step_key(), how="anti")
        .join(other, on=here)
        .filter(fits & (pl.col("back") == -pl.col("units")))
        .join(_events_of(effects), left_on=["system", "other_key", "location"], right_on=of_point())
        .filter(
            (pl.col("moved") == pl.col("units"))
            & pl.col("at").is_between(pl.col("s_") - LAG, pl.col("e_") + LAG)
            & (pl.col("touched") - pl.col("at")).is_between(-_ROUNDED, _ONE_BOOKING)
        )
        .unique([*step_key(), "origin"], keep="first")
    )
    return pl.concat(
        [
            piece(skipped, Cause.SWAPPED, units=pl.col("wanted"), other=pl.col("other"), **same),
            piece(taken, Cause.SWAPPED, other=pl.col("other"), **same),
        ]
    )


def both_sides(found: pl.DataFrame, steps: pl.DataFrame) -> pl.DataFrame:
    """Return `found` (`search.FOUND`) with a swap told by both its sides, where one of them alone was sure of it.

    What one side's step owes to a swap with another sku by a named event, the step of that sku there of as many units the other
    way, at the same time, owes to it too: one event cannot have been booked on the wrong item and on none.
    """
    span = steps.select(*step_key(), "sku", wanted="units", start="start", end="end")
    sure = found.filter((pl.col("cause") == Cause.SWAPPED) & (pl.col("events").list.len() > 0)).join(span, on=step_key())
    whole = sure.filter(pl.col("units") == pl.col("wanted"))
    told = whole.select(
        "system", "location", "events", "kind", "at", "alternatives", "also", "doubted",
        s_="start", e_="end", other="sku", sku="other", units=-pl.col("units"),
    )  # fmt: skip
    partners = (
        span.rename({"wanted": "units"})
        .join(told, on=["system", "location", "sku", "units"])
        .filter(_at_once())
        .join(sure.select(step_key()), on=step_key(), how="anti")
        .sort(*step_key(), "at", "other")
        .unique(step_key(), keep="first", maintain_order=True)
        .with_columns(cause=pl.lit(Cause.SWAPPED.value), against=pl.lit(_EXACT))
    )
    return pl.concat([found.join(partners, on=step_key(), how="anti"), partners.select(found.columns)])


def _at_once() -> pl.Expr:
    """Say whether a step and the other change overlap in time."""
    return (pl.col("start") <= pl.col("e_")) & (pl.col("s_") <= pl.col("end"))


def _events_of(effects: pl.DataFrame) -> pl.DataFrame:
    origin = pl.when(pl.col("order_id").fill_null("") == "").then("effect_id").otherwise("order_id")
    return effects.group_by(*of_point(), "kind", origin=origin).agg(moved=pl.col("units").sum(), at=pl.col("stamped_at").max())


def _explains_itself(steps: pl.DataFrame, effects: pl.DataFrame) -> pl.DataFrame:
    """Steps in which an event of their own has just these units: that is nearer than another sku's.

    Unless the platform says that the number changed at another moment than that event's.
    """
    then = ((pl.col("touched") - pl.col("stamped_at")).abs() <= SAME_MOMENT).fill_null(value=True)
    own = effects.rename({"units": "moved"}).join(steps, on=of_point())
    own = own.filter(in_step() & then & (pl.col("moved") == pl.col("units")))
    return own.select(step_key()).unique()
