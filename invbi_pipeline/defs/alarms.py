"""A failed run tells people: Dagster alone would only paint it red. Findings have their own alerts (`flows.run.tell`)."""

from pathlib import Path
from typing import Final

import dagster as dg

from invbi_pipeline.alerts.critical import Message, send
from invbi_pipeline.config import load_config
from invbi_pipeline.defs.names import JOB

__all__ = ["failure_message", "failure_sensor"]

_MOST_TEXT: Final = 1500


def failure_sensor(config_path: Path) -> dg.SensorDefinition:
    """Return the sensor that sends a failed run's error to the configured addresses; with none it only says so."""

    @dg.run_failure_sensor(
        name="tell_of_failed_runs",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends the error of a failed run to the addresses under [alerts].",
    )
    def tell(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        addresses = load_config(config_path).alerts.urls
        if not addresses:
            return dg.SkipReason("No address under [alerts].")
        steps = [f"{event.step_key}: {_error(event)}" for event in context.get_step_failure_events()]
        run = context.dagster_run
        send(
            failure_message(run.job_name, run.run_id, steps or [context.failure_event.message or ""]),
            [a.read() for a in addresses],
        )
        return None

    return tell


def failure_message(job: str, run_id: str, troubles: list[str]) -> Message:
    """Return the message for a failed run: what failed and where to look. The errors' own words hold no secret."""
    what = "The loop failed" if job == JOB else f"A run of {job} failed"
    body = "\n".join(troubles)[:_MOST_TEXT]
    return Message(f"invbi: {what}", f"{body}\nNothing is sent twice: the next run completes it. Dagster run {run_id[:8]}.", ())


def _error(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    failure = data.user_failure_data
    if failure is not None and failure.description:
        return failure.description
    return data.error.message.strip() if data.error is not None else ""
