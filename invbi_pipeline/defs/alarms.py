"""A failed run tells people, and so does the silence of a loop that no longer runs: Dagster alone would only paint it red.

Findings have their own alerts (`flows.tell`). A daemon that is down tells nobody: that silence is heard by the watcher whose
address is `alerts.heartbeat`.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import dagster as dg

from invbi_pipeline.alerts.post import Message, Tone, deliver, send
from invbi_pipeline.config import Secret, load_config
from invbi_pipeline.defs.job import SAMPLE
from invbi_pipeline.defs.names import JOB
from invbi_pipeline.flows.context import open_stores
from invbi_pipeline.flows.tell import last_ended, silent_for

__all__ = ["failure_message", "failure_sensor", "silence_sensor"]

_MOST_TEXT: Final = 1500
_EVERY_S: Final = 300


def _now() -> datetime:
    return datetime.now(UTC)


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


def silence_sensor(config_path: Path, *, sample: bool, now: Callable[[], datetime] = _now) -> dg.SensorDefinition:
    """Return the sensor that tells when no run has ended for longer than `alerts.silent_after_s`, and when one has again.

    Its cursor is when the last run had ended as it was told, empty while all is well: one silence is told once.
    """

    @dg.sensor(
        name="tell_of_silence",
        minimum_interval_seconds=_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells the addresses under [alerts] when no run has ended for too long, and when one has again.",
    )
    def listen(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        if sample:
            return dg.SkipReason(SAMPLE)
        config = load_config(config_path)
        _, state = open_stores(config)
        try:
            ended, silent = last_ended(state), silent_for(config, state, now())
        finally:
            state.close()
        if ended is None:
            return dg.SkipReason("No run has ended yet.")
        told, stands = context.cursor or "", ended.isoformat()
        if silent is not None and told != stands:
            told = stands if _sent(config.alerts.urls, _silence(ended, silent)) else told
        elif silent is None and told:
            back = Message("invbi: The loop runs again", f"A run has ended at {ended:%Y-%m-%d %H:%M} UTC.", Tone.RECOVERY)
            told = "" if _sent(config.alerts.urls, back) else told
        context.update_cursor(told)
        return dg.SkipReason(f"The last run ended at {ended:%Y-%m-%d %H:%M} UTC{'' if silent is None else ': too long ago'}.")

    return listen


def _silence(ended: datetime, silent: timedelta) -> Message:
    """Return the message of a loop that has fallen silent: since when, and where to look."""
    minutes = int(silent.total_seconds() // 60)
    body = (
        f"No run has ended for {minutes} minutes, since {ended:%Y-%m-%d %H:%M} UTC: nothing is watched and nothing is corrected. "
        "See in the Dagster UI whether its schedule is on and a run hangs or fails; `invbi run` does one by hand."
    )
    return Message("invbi: The loop is silent", body)


def _sent(urls: tuple[Secret, ...], message: Message) -> bool:
    """Send to every address; return whether one took it, or there is none."""
    return not urls or len(deliver(message, [url.read() for url in urls])) < len(urls)


def failure_message(job: str, run_id: str, troubles: list[str]) -> Message:
    """Return the message for a failed run: what failed and where to look. The errors' own words hold no secret."""
    what = "The loop failed" if job == JOB else f"A run of {job} failed"
    body = "\n".join(troubles)[:_MOST_TEXT]
    return Message(f"invbi: {what}", f"{body}\nNothing is sent twice: the next run completes it. Dagster run {run_id[:8]}.")


def _error(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    failure = data.user_failure_data
    if failure is not None and failure.description:
        return failure.description
    return data.error.message.strip() if data.error is not None else ""
