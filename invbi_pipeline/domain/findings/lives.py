"""The lives of findings: the same trouble on the next run is the same finding, whatever happened in between."""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import FINDINGS
from invbi_pipeline.domain.words import FindingState

__all__ = ["lives"]

# What belongs to the life and not to the look: kept from before. Everything else is as it was seen last.
_KEPT: Final = ("first_seen", "owner", "due_at", "acknowledged_by", "acknowledged_at", "note")


def lives(previous: pl.DataFrame, seen_now: pl.DataFrame, now: datetime, run_id: str, over: pl.DataFrame) -> pl.DataFrame:
    """Return FINDINGS to store, every life known so far, sorted by id.

    `previous`: all lives (FINDINGS); `seen_now`: from `seen`; `over`: from `coverage.over`, the findings that may be called over.
    Seen and known: `first_seen`, owner, due time, acknowledgement and note stay, `last_seen` moves; open stays open, acknowledged
    stays acknowledged, resolved becomes reopened. Not seen: resolved where that may be said, else left as it was. Done twice
    it changes nothing.
    """
    before = previous.select("finding_id", *_KEPT, was="state")
    again = pl.when(pl.col("was") == FindingState.RESOLVED).then(pl.lit(FindingState.REOPENED.value)).otherwise("was")
    present = seen_now.join(before, on="finding_id", how="left", suffix="_before").with_columns(
        **{name: pl.coalesce(f"{name}_before", name) for name in _KEPT},
        state=pl.coalesce(again, "state"),
        last_seen=pl.lit(now),
        run_id=pl.lit(run_id),
    )
    absent = previous.join(seen_now, on="finding_id", how="anti").join(
        over.select("finding_id", why="resolution"), on="finding_id", how="left"
    )
    ends = pl.col("why").is_not_null() & (pl.col("state") != FindingState.RESOLVED)
    ended = absent.with_columns(
        state=pl.when(ends).then(pl.lit(FindingState.RESOLVED.value)).otherwise("state"),
        resolution=pl.when(ends).then("why").otherwise("resolution"),
        run_id=pl.when(ends).then(pl.lit(run_id)).otherwise("run_id"),
    )
    columns = [pl.col(name).cast(kind) for name, kind in FINDINGS.items()]
    return pl.concat([present.select(columns), ended.select(columns)]).sort("finding_id")
