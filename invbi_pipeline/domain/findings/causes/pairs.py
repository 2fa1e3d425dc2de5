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
_TOLD: Final = 0.0  # bits: the platform says of both when they changed, that is its own word for it


def moved(steps: pl.DataFrame, changed: pl.DataFrame) -> pl.DataFrame:
    """Return PIECES: the same listing's number at another location changed by as many units the other way, at the same time.

    `changed`: `steps.changes`, of points that have been put right since, too.
    """
    found = _elsewhere(steps, changed)
    one = found.sort(*step_key(), "other").unique(step_key(), keep="first", maintain_order=True)
    return piece(
        one, Cause.MOVED, events=pl.lit([], pl.List(pl.String())), at=pl.col("touched"), other=pl.col("other"),
        against=pl.when("told").then(_TOLD).otherwise(_EXACT),
    )  # fmt: skip


def swapped(steps: pl.DataFrame, events: pl.DataFrame, changed: pl.DataFrame, effects: pl.DataFrame) -> pl.DataFrame:
    """Return PIECES of both sides: an event of one sku did not move its number, and moved that of another sku there by as much.

    `events`: `own.known_events` of the steps; `changed`: `steps.changes` with `sku`. Two skus that merely differ by as much
    either way prove nothing: without such an event, and without the platform's word that both changed at its moment, no piece is
    made. Nor is one of a change that is accounted for without another sku: its units would be explained twice.
    """
    here, same = ["system", "location"], {"events": pl.concat_list("origin"), "kind": pl.col("kind"), "against": pl.lit(_EXACT)}
    accounted = _accounted(changed, effects)
    other = (
        changed.join(accounted, on=_span(), how="anti")
        .rename({"listing_key": "other_key", "sku": "other", "units": "back", "start": "s_", "end": "e_", "touched": "touched_"})
        .drop("before", "after")
    )
    fits = (pl.col("other_key") != pl.col("listing_key")) & (pl.col("other") != pl.col("sku")) & _at_once()
    near = (pl.col("touched_") - pl.col("at")).is_between(-_ROUNDED, _ONE_BOOKING)
    skipped = (
        events.filter(pl.col("event_units") == -pl.col("wanted"))
        .join(other, on=here)
        .filter(fits & near & (pl.col("back") == pl.col("event_units")))
        .unique([*step_key(), "origin"], keep="first")
    )
    taken = (
        steps.join(accounted, on=_span(), how="anti")
        .join(_own_events(steps, effects), on=step_key(), how="anti")
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
    way, at the same time, owes to it too: one event cannot have been booked on the wrong item and on none. Unless by the
    platform's word those units are at another location.
    """
    span = steps.select(*step_key(), "sku", wanted="units", start="start", end="end")
    sure = found.filter((pl.col("cause") == Cause.SWAPPED) & (pl.col("events").list.len() > 0)).join(span, on=step_key())
    whole = sure.filter(pl.col("units") == pl.col("wanted"))
    moved_away = found.filter((pl.col("cause") == Cause.MOVED) & (pl.col("against") == _TOLD))
    told = whole.select(
        "system", "location", "events", "kind", "at", "alternatives", "also", "doubted",
        s_="start", e_="end", other="sku", sku="other", units=-pl.col("units"),
    )  # fmt: skip
    partners = (
        span.rename({"wanted": "units"})
        .join(told, on=["system", "location", "sku", "units"])
        .filter(_at_once())
        .join(pl.concat([each.select(step_key()) for each in (sure, moved_away)]), on=step_key(), how="anti")
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


def _elsewhere(rows: pl.DataFrame, changed: pl.DataFrame) -> pl.DataFrame:
    """Join to each row (a point's key, `start`, `end`, `units`, `touched`) where else its units are: `other`, that location.

    `told`: the platform says of both numbers when they changed. What came to a place then came from the change nearest in time.
    """
    sides = changed.select("system", "listing_key", other="location", back="units", s_="start", e_="end", touched_="touched")
    fits = (pl.col("other") != pl.col("location")) & (pl.col("back") == -pl.col("units")) & _at_once()
    apart = (pl.col("touched") - pl.col("touched_")).abs()
    found = rows.join(sides, on=["system", "listing_key"]).filter(fits & (apart <= _ONE_SITTING).fill_null(value=True))
    nearest = apart == apart.min().over("system", "listing_key", "other", "s_", "e_")
    return found.filter(nearest.fill_null(value=True)).with_columns(told=apart.is_not_null())


def _accounted(changed: pl.DataFrame, effects: pl.DataFrame) -> pl.DataFrame:
    """Return the changes (`_span`) that need no other sku.

    By the platform's word their units are at another location, or an event of their own has just these units.
    """
    went = _elsewhere(changed, changed).filter("told")
    own = _own_events(changed.with_columns(since=pl.col("start") - LAG), effects)
    return pl.concat([each.select(_span()) for each in (went, own)]).unique()


def _own_events(rows: pl.DataFrame, effects: pl.DataFrame) -> pl.DataFrame:
    """Steps or changes with an event of their own of just these units: that is nearer than another sku's.

    Unless the platform says that the number changed at another moment than that event's.
    """
    then = ((pl.col("touched") - pl.col("stamped_at")).abs() <= SAME_MOMENT).fill_null(value=True)
    own = effects.select(*of_point(), "stamped_at", moved="units").join(rows, on=of_point())
    return own.filter(in_step() & then & (pl.col("moved") == pl.col("units")))


def _span() -> list[str]:
    return [*of_point(), "start", "end"]
