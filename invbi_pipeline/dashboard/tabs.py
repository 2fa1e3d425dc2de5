"""The dashboard's tables: every point, every open finding, every correction, in the order in which people want them."""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.dashboard.model import SIGNS, Column, Tab, marked
from invbi_pipeline.domain.frames import UTC
from invbi_pipeline.domain.words import PointState

__all__ = ["corrections_tab", "exceptions_tab", "parity_tab"]

_MARKED: Final = {str(state): marked(state) for state in SIGNS}
_VERDICT: Final = r'"[^"]+":"(?:[^"\\]|\\.)*"'  # one guard and what it says, in a correction's JSON


def parity_tab(matrix: pl.DataFrame) -> Tab:
    """Return SKU by place on a channel: shown, should be, state; what is furthest apart comes first.

    A place that only counts (nothing is ever offered there) is one column, after the channels. A SKU with several listings in one
    place (singles and packs) has a row for each, the largest number first; a listing without a SKU has a row of its own.
    """
    known = _placed(matrix)
    rows = known.group_by("row_sku", "nth").agg(
        title=pl.col("title").sort_by(pl.col("title").str.len_chars(), "title", descending=True).first(),
        apart=pl.col("gap").abs().sum(),
        unmapped=(pl.col("state") == PointState.UNMAPPED).any(),
    )
    columns = [Column("sku", "SKU", width=24), Column("title", "Title", width=36), Column("apart", "Units apart", "int", 8)]
    for place, counts in _places(known):
        here = known.filter(pl.col("where") == place)
        named = place.replace(" @ ", " ")
        names = {"shown": f"{place} shown", "should": f"{place} should", "state": f"{place} state"}
        shown = pl.col("reported").alias(names["shown"])
        if counts:
            rows = rows.join(here.select("row_sku", "nth", shown), on=["row_sku", "nth"], how="left")
            columns.append(Column(names["shown"], f"{named}: counted", "int", _fits(place, 10)))
            continue
        should, state = pl.col("offer").alias(names["should"]), pl.col("state").replace_strict(_MARKED, default=pl.col("state"))
        rows = rows.join(
            here.select("row_sku", "nth", shown, should, state.alias(names["state"])), on=["row_sku", "nth"], how="left"
        )
        columns += [
            Column(names["shown"], f"{named}: shown", "int", _fits(place, 9)),
            Column(names["should"], f"{named}: should be", "int", _fits(place, 9)),
            Column(names["state"], f"{named}: state", "state", _fits(place, 14)),
        ]
    rows = rows.sort("apart", "unmapped", "row_sku", "nth", descending=[True, True, False, False]).rename({"row_sku": "sku"})
    return Tab(
        "Parity", columns, rows.select([c.key for c in columns]), "Furthest apart first; places that only count come last."
    )


def _placed(matrix: pl.DataFrame) -> pl.DataFrame:
    """Return the points with `where` they stand, `row_sku` they belong to and `nth` of that SKU's listings in that place."""
    unmapped = pl.col("sku").fill_null("") == ""
    return (
        matrix.with_columns(
            where=pl.when(pl.col("location") == "").then("system").otherwise(pl.format("{} @ {}", "system", "location")),
            row_sku=pl.when(unmapped).then(pl.format("no SKU: {}", "listing_key")).otherwise("sku"),
        )
        .sort("row_sku", "where", "reported", "listing_key", descending=[False, False, True, False], nulls_last=True)
        .with_columns(nth=pl.int_range(pl.len()).over("row_sku", "where"))
    )


def _places(known: pl.DataFrame) -> list[tuple[str, bool]]:
    """Return each place and whether it only counts: channels first, by name."""
    found = known.group_by("where").agg(counts=(pl.col("state") == PointState.COUNTED).all()).sort("counts", "where")
    return list(found.iter_rows())


def _fits(place: str, least: int) -> int:
    """Return a width in characters at which no word of the heading is cut, the filter's mark beside it."""
    return max(least, 5 + max(len(word) for word in f"{place}:".split()))


def exceptions_tab(findings: pl.DataFrame, now: datetime) -> Tab:
    """Return the open findings in the order they came in, each with its age in hours."""
    rows = findings.with_columns(age_h=(pl.lit(now).cast(UTC) - pl.col("first_seen")).dt.total_minutes() / 60)
    columns = [
        Column("severity", "Severity", width=11),
        Column("code", "What", "code", 22),
        Column("system", "System", width=13),
        Column("location", "Place", width=11),
        Column("sku", "SKU", width=18),
        Column("units", "Units", "int", 7),
        Column("money", "Money at risk", "money", 13),
        Column("cause", "Why", width=48),
        Column("suggested_action", "To mend it", width=34),
        Column("age_h", "Age (h)", "hours", 7),
        Column("state", "State", "code", 15),
        Column("owner", "Owner", width=12),
        Column("due_at", "Due", "time", 17),
        Column("note", "Note", width=24),
        Column("listing_key", "Listing", width=18),
        Column("finding_id", "Id", width=26),
    ]
    return Tab("Exceptions", columns, rows.select([c.key for c in columns]), "Most severe first.")


def corrections_tab(corrections: pl.DataFrame) -> Tab:
    """Return the corrections, newest first, each with the guards that hold it."""
    columns = [
        Column("planned_at", "Planned", "time", 17),
        Column("system", "System", width=13),
        Column("location", "Place", width=11),
        Column("sku", "SKU", width=18),
        Column("kind", "Kind", "code", 7),
        Column("from_qty", "From", "int", 7),
        Column("to_qty", "To", "int", 7),
        Column("state", "State", "code", 13),
        Column("reason", "Reason", width=48),
        Column("guard", "Held by", width=34),
        Column("verified_at", "Proved", "time", 17),
        Column("listing_key", "Listing", width=18),
    ]
    rows = corrections.sort("planned_at", descending=True).with_columns(guard=_held_by()).select([c.key for c in columns])
    return Tab("Corrections", columns, rows, "Newest first. 'Proved' is when the number was read back.")


def _held_by() -> pl.Expr:
    """Return the guards that do not let a correction pass, as `name: why`; a text that is no JSON stays as it is."""
    guard = pl.col("guard").fill_null("")
    holds = pl.element().filter(~pl.element().str.ends_with(':"pass"'))
    name = holds.str.extract(r'^"([^"]+)"').str.replace_all("_", " ", literal=True)
    said = pl.concat_str(name, pl.lit(": "), holds.str.extract(r'^"[^"]+":"(.*)"$'))
    told = guard.str.extract_all(_VERDICT).list.eval(said).list.join("; ").str.replace_all('\\"', '"', literal=True)
    return pl.when(guard.str.starts_with("{")).then(told).otherwise(guard)
