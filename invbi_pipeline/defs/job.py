"""The one job over the whole graph, and the schedule that runs it."""

from typing import Final

import dagster as dg

from invbi_pipeline.defs.names import EQUALITY, JOB

__all__ = ["EVERY", "LOOP", "SAMPLE", "loop_schedule", "under_way"]

EVERY: Final = "*/5 * * * *"
SAMPLE: Final = "This is the sample configuration. Run `invbi init`, then start with INVBI_CONFIG set to your invbi.toml."
_UNDER_WAY: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

# Every asset, and every check but the one that would compare the loop with itself, one after the other in one process: starting
# ten of them would take 20 s.
LOOP: Final = dg.define_asset_job(
    JOB,
    selection=dg.AssetSelection.all() - dg.AssetSelection.checks(EQUALITY),
    description="Read every system, derive the truth, compare, find, plan, push, prove, publish.",
    executor_def=dg.in_process_executor,
    config={"loggers": {"console": {"config": {"log_level": "WARNING"}}}},  # the terminal is not the event log
    tags={"invbi/writes": "warehouse"},
)


def loop_schedule(*, sample: bool) -> dg.ScheduleDefinition:
    """Return the schedule: every five minutes unless a run is under way. On the `sample` configuration it only says so."""

    @dg.schedule(name="every_five_minutes", job_name=JOB, cron_schedule=EVERY, default_status=dg.DefaultScheduleStatus.RUNNING)
    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if sample:
            return dg.SkipReason(SAMPLE)
        if busy := under_way(context.instance):
            return dg.SkipReason(f"Run {busy} is under way; the warehouse has one writer.")
        return dg.RunRequest(tags={"invbi/why": "schedule"})

    return tick


def under_way(instance: dg.DagsterInstance) -> str:
    """Return the beginning of the id of a run of the job that is queued or in progress; empty when there is none."""
    runs = instance.get_runs(filters=dg.RunsFilter(job_name=JOB, statuses=_UNDER_WAY), limit=1)
    return runs[0].run_id[:8] if runs else ""
