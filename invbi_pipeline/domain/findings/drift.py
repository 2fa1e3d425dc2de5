"""Numbers that changed without an effect that we know."""

from datetime import datetime

import polars as pl

from invbi_pipeline.domain.candidates import plural
from invbi_pipeline.domain.findings.catalogue import CATALOGUE
from invbi_pipeline.domain.findings.causes import explained
from invbi_pipeline.domain.findings.feed import SKEW_S
from invbi_pipeline.domain.findings.inputs import TOLD, FindingInputs, of_point, subject, told
from invbi_pipeline.domain.findings.listings import is_frozen
from invbi_pipeline.domain.findings.packs import pack_mismatches
from invbi_pipeline.domain.frames import empty
from invbi_pipeline.domain.words import Cause, MovementKind

__all__ = ["drift"]

_UNPACK = "Say how many single units this listing sells, and let the number be corrected."
_SPOKEN = {  # by what people call an event whose id is its order's
    MovementKind.SALE.value: "order",
    MovementKind.CANCEL.value: "cancellation of order",
    MovementKind.ADJUSTMENT.value: "adjustment of order",
}
_EVIDENCE = (
    "found", "found_how", "found_since", "found_at", "base", "expected", "reported", "offer", "confirmed",
    "causes", "remainder", "first_event", "bracket_from", "bracket_to", "alternatives", "also",
)  # fmt: skip


def drift(inputs: FindingInputs, now: datetime, ghosts: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return `drift`, one row a point whose judged looks say so, and `duplicate_event` where that is a cause, as TOLD.

    The number of a frozen listing did not change: that is `frozen_listing`, and no drift. Nor is a sale that a clock hides which
    was set back: what was agreed before it bears a later time than what happened after. `ghosts`: of `shelf.ghosts`; they are
    the cause of their points' drift.
    """
    drifted = inputs.points.filter((pl.col("found") != 0) & ~is_frozen())
    if drifted.is_empty():
        return empty(TOLD)
    rows = _seen_by_clock(explained(drifted, inputs, now), inputs.clocks)
    rows = _of_packs(rows, pack_mismatches(inputs))
    rows = rows if ghosts is None or ghosts.is_empty() else _of_ghosts(rows, ghosts)
    return pl.concat([told(rows, "drift", pl.col("cause"), *_EVIDENCE), _twice(rows)])


def _seen_by_clock(rows: pl.DataFrame, clocks: pl.DataFrame) -> pl.DataFrame:
    """Leave out points of a clock just set back whose units are those of events from before the last agreement, as it is told."""
    back = clocks.filter(pl.col("set_back_s") > SKEW_S)
    if back.is_empty():
        return rows
    twice = pl.col("causes").list.eval(pl.element().struct.field("cause") == Cause.DUPLICATE.value).list.all()
    last = pl.col("causes").list.eval(pl.element().struct.field("at")).list.max()
    hidden = twice & (last < pl.col("bracket_from")) & pl.col("system").is_in(back["system"].implode())
    return rows.filter(~hidden.fill_null(value=False))


def _of_packs(rows: pl.DataFrame, packs: pl.DataFrame) -> pl.DataFrame:
    """Where a stranger's hand alone would be blamed for a listing whose numbers changed by its pack, say what the hand did."""
    told_of = packs.select("system", "listing_key", k=pl.col("evidence").str.json_path_match("$.k"))
    stranger = pl.col("causes").list.eval(pl.element().struct.field("cause") == Cause.FOREIGN.value).list.all()
    packed = pl.col("k").is_not_null() & stranger
    named = pl.col("causes").list.eval(pl.element().struct.with_fields(cause=pl.lit(Cause.PACK.value)))
    said = pl.format(
        "{} was set to {} where {} was right: packs of {} were taken for single units, or the reverse.",
        subject(), pl.col("expected") + pl.col("found"), "expected", "k",
    )  # fmt: skip
    return rows.join(told_of, on=["system", "listing_key"], how="left").with_columns(
        causes=pl.when(packed).then(named).otherwise("causes"),
        cause=pl.when(packed).then(said).otherwise("cause"),
        action=pl.when(packed).then(pl.lit(_UNPACK)).otherwise("action"),
    )


def _of_ghosts(rows: pl.DataFrame, ghosts: pl.DataFrame) -> pl.DataFrame:
    """Where a number's units are those of a place that it may not ship from, as other listings' are, that place is the cause."""
    place = pl.col("evidence").str.json_path_match("$.ghost")
    there = rows.join(ghosts.select(*of_point(), found="units", ghost=place), on=[*of_point(), "found"])
    none = pl.lit([], pl.List(pl.String()))
    cause = pl.struct(cause=pl.lit(Cause.GHOST.value), units="found", events=none, at=pl.lit(None))
    said = pl.format(
        "{} is {} higher than it should be: just what lies at {}, from where it may not ship.", subject(), "units", "ghost"
    )
    theirs = there.with_columns(
        pl.col("alternatives", "also", "twice").list.head(0),
        causes=pl.concat_list(cause).cast(rows.schema["causes"]),
        remainder=pl.lit(0, rows.schema["remainder"]),
        first_event=pl.lit(""),
        cause=said,
        action=pl.lit(CATALOGUE["ghost_location"].action),
    )
    return pl.concat([rows.join(theirs, on=of_point(), how="anti"), theirs.select(rows.columns)])


def _twice(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `duplicate_event`, one row a point: all that was applied twice there, and how many units that made together."""
    named = pl.format(
        "{} {} of {} {}",
        pl.col("event_kind").replace(_SPOKEN), "event", "units", plural("units", "unit", "units"),
    )  # fmt: skip
    each = rows.filter(pl.col("twice").list.len() > 0).with_columns(events="twice").explode("twice").unnest("twice")
    twice = (
        each.with_columns(units=pl.col("event_units").abs())
        .with_columns(named=named)
        .group_by(of_point(), maintain_order=True)
        .agg(pl.exclude("units", "named").first(), pl.col("units").sum(), named=pl.col("named").str.join(" and the "))
    )
    was = plural(pl.col("events").list.len().cast(pl.Int64()), "was", "were")
    cause = pl.format("The {} {} applied twice to {}.", "named", was, subject())
    first = ("event", "event_kind", "event_at", "event_units")
    return told(twice, "duplicate_event", cause, *first, "events", "found_at", "bracket_from", "bracket_to")
