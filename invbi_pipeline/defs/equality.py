"""The event process beside the batch: every hour a check asks whether both come to the same.

Within a run it would compare the run with itself, so it has a job of its own and is no part of the loop.
"""

from typing import Final

import dagster as dg
import polars as pl

from invbi_pipeline.defs.evidence import MOST_ROWS, rows_table
from invbi_pipeline.defs.job import SAMPLE, under_way
from invbi_pipeline.defs.names import EQUALITY, table_key
from invbi_pipeline.defs.resources import Invbi
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.decision.equality import unequal
from invbi_pipeline.flows.decision.turn import whole_turn

__all__ = ["EQUALITY_JOB", "equality_check", "equality_schedule"]

_HOURLY: Final = "30 * * * *"

EQUALITY_JOB: Final = dg.define_asset_job(
    "equality",
    selection=dg.AssetSelection.checks(EQUALITY),
    description="Compare what the event process left with a whole decision from the same warehouse.",
    executor_def=dg.in_process_executor,
    tags={"invbi/writes": "warehouse"},
)


def equality_check() -> dg.AssetChecksDefinition:
    """Return the check; a point that differs is shown as it stands and as a whole decision sees it (`_whole`)."""

    @dg.asset_check(
        asset=table_key("recon.points"),
        name=EQUALITY.name,
        description="What the event process left of every point is what a whole decision from the same warehouse comes to.",
    )
    def equal(invbi: Invbi) -> dg.AssetCheckResult:
        differing = invbi.call(_differing)
        metadata: dict[str, dg.MetadataValue] = {"differing": dg.MetadataValue.int(differing.height)}
        if differing.height:
            metadata["rows"] = rows_table(differing.head(MOST_ROWS))
        return dg.AssetCheckResult(passed=differing.is_empty(), severity=dg.AssetCheckSeverity.WARN, metadata=metadata)

    return equal


def equality_schedule(*, sample: bool) -> dg.ScheduleDefinition:
    """Return the schedule: every hour, unless a run is under way."""

    @dg.schedule(
        name="equality_every_hour", job=EQUALITY_JOB, cron_schedule=_HOURLY, default_status=dg.DefaultScheduleStatus.RUNNING
    )
    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if sample:
            return dg.SkipReason(SAMPLE)
        if busy := under_way(context.instance):
            return dg.SkipReason(f"Run {busy} is under way; the warehouse has one writer.")
        return dg.RunRequest(tags={"invbi/why": "equality"})

    return tick


def _differing(ctx: Context) -> pl.DataFrame:
    with whole_turn(ctx, changes=False):
        return unequal(ctx)
