"""The lives of findings: the same trouble on the next run is the same finding, whatever happened in between.

Nothing flaps. A finding is over when two covered runs in a row did not see it, or at once where its end is proven
(`coverage.over`); what has come back before must be missed twice, proven or not. So a trouble that is seen every other run
stays one open finding: it is over at most once, and then only by proof.
"""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.due import DueRule, due_at
from invbi_pipeline.domain.frames import LIVES, SAID, UTC, empty, fit
from invbi_pipeline.domain.words import FindingState, Said

__all__ = ["lives", "with_said"]

# What belongs to the life and not to the look: kept from before. Everything else is as it was seen last.
_KEPT: Final = ("first_seen", "owner", "due_at", "acknowledged_by", "acknowledged_at", "note")
_NOBODY: Final = empty(SAID)


def lives(
    previous: pl.DataFrame,
    seen_now: pl.DataFrame,
    now: datetime,
    run_id: str,
    over: pl.DataFrame,
    said: pl.DataFrame = _NOBODY,
    rule: DueRule | None = None,
) -> pl.DataFrame:
    """Return LIVES to store, every life known so far, sorted by id.

    `previous`: all lives (LIVES); `seen_now`: from `seen`; `over`: from `coverage.over`, the findings that may be called over;
    `said`: what people said (SAID); `rule`: when which severity is due.
    Seen and known: `first_seen` stays, `last_seen` moves; open stays open, acknowledged stays acknowledged, resolved becomes
    reopened. Not seen: resolved where that may be said, and it no longer advises anything; else left as it was. The due time is
    set when a finding opens or changes its severity. What people said outlives all of it. Done twice in a run it changes nothing.
    """
    present = _present(previous, seen_now, now, run_id, rule or DueRule())
    absent = previous.join(seen_now, on="finding_id", how="anti")
    ended = _absent(absent, now, run_id, over)
    return with_said(pl.concat([present, ended]), said).sort("finding_id")


def with_said(known: pl.DataFrame, said: pl.DataFrame) -> pl.DataFrame:
    """Return LIVES with what people said last: owner, due time, note, and whether what is open now was acknowledged."""
    last = (
        said.sort("at", maintain_order=True)
        .group_by("finding_id", "kind", maintain_order=True)
        .agg(pl.col("value", "who", "at").last())
    )
    one = {str(kind): last.filter(pl.col("kind") == kind).drop("kind") for kind in Said}
    found = known
    for kind, column in ((Said.OWNER, "owner"), (Said.NOTE, "note")):
        word = one[kind].select("finding_id", told="value")
        found = found.join(word, on="finding_id", how="left").with_columns(pl.coalesce("told", column).alias(column)).drop("told")
    due = one[Said.DUE].select("finding_id", told=pl.col("value").str.to_datetime(time_unit="us", time_zone="UTC"))
    found = found.join(due, on="finding_id", how="left").with_columns(due_at=pl.coalesce("told", "due_at")).drop("told")
    taken = one[Said.ACKNOWLEDGED].select("finding_id", by="who", when="at")
    awaits = pl.col("state").is_in([FindingState.OPEN.value, FindingState.REOPENED.value])
    known_of = (awaits & (pl.col("when") >= pl.col("opened_at"))).fill_null(value=False)
    return fit(
        found.join(taken, on="finding_id", how="left").with_columns(
            state=pl.when(known_of).then(pl.lit(FindingState.ACKNOWLEDGED.value)).otherwise("state"),
            acknowledged_by=pl.coalesce("by", "acknowledged_by"),
            acknowledged_at=pl.coalesce("when", "acknowledged_at"),
        ),
        LIVES,
    )


def _present(previous: pl.DataFrame, seen_now: pl.DataFrame, now: datetime, run_id: str, rule: DueRule) -> pl.DataFrame:
    before = previous.select("finding_id", *_KEPT, "opened_at", "returns", was="state", weighed="severity")
    returned = (pl.col("was") == FindingState.RESOLVED).fill_null(value=False)
    opens = returned | pl.col("was").is_null()
    at = pl.lit(now).cast(UTC)
    found = (
        seen_now.drop("opened_at")
        .join(before, on="finding_id", how="left", suffix="_before")
        .with_columns(
            **{name: pl.coalesce(f"{name}_before", name) for name in _KEPT},
            state=pl.when(returned).then(pl.lit(FindingState.REOPENED.value)).otherwise(pl.coalesce("was", "state")),
            opened_at=pl.when(opens).then(at).otherwise(pl.coalesce("opened_at", "first_seen_before")),
            returns=pl.col("returns").fill_null(0) + returned.cast(pl.Int64),
            last_seen=at,
            run_id=pl.lit(run_id),
            missed_run=pl.lit(None, pl.String()),
        )
    )
    weighed_anew = opens | (pl.col("weighed") != pl.col("severity")) | pl.col("due_at").is_null()
    return fit(found.with_columns(due_at=pl.when(weighed_anew).then(due_at(at, rule)).otherwise("due_at")), LIVES)


def _absent(absent: pl.DataFrame, now: datetime, run_id: str, over: pl.DataFrame) -> pl.DataFrame:
    looked = absent.join(over.select("finding_id", "proven", why="resolution"), on="finding_id", how="left")
    covered = pl.col("why").is_not_null() & (pl.col("state") != FindingState.RESOLVED)
    proven = pl.col("proven") & (pl.col("returns").fill_null(0) == 0)
    missed_before = (pl.col("missed_run") != run_id).fill_null(value=False)
    ends = covered & (proven | missed_before)
    return fit(
        looked.with_columns(
            state=pl.when(ends).then(pl.lit(FindingState.RESOLVED.value)).otherwise("state"),
            resolution=pl.when(ends).then("why").otherwise("resolution"),
            suggested_action=pl.when(ends).then(pl.lit("")).otherwise("suggested_action"),
            run_id=pl.when(ends).then(pl.lit(run_id)).otherwise("run_id"),
            resolved_at=pl.when(ends).then(pl.lit(now)).otherwise("resolved_at"),
            missed_run=pl.when(ends)
            .then(pl.lit(None, pl.String()))
            .when(covered)
            .then(pl.coalesce("missed_run", pl.lit(run_id)))
            .otherwise("missed_run"),
        ),
        LIVES,
    )
