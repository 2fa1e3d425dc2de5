"""The event process is absent: what waits in its inbox starts a run for the systems that it names, before the schedule's turn."""

from pathlib import Path
from typing import Final

import dagster as dg

from invbi_pipeline.config import load_config
from invbi_pipeline.defs.job import SAMPLE, under_way
from invbi_pipeline.defs.names import JOB, ingest_keys
from invbi_pipeline.flows.context import SystemClock, open_stores
from invbi_pipeline.flows.feeds.lease import held_until

__all__ = ["absence_sensor"]

_EVERY_S: Final = 30


def absence_sensor(path: Path, *, sample: bool) -> dg.SensorDefinition:
    """Return the sensor on the inbox of the configuration at `path`; it is silent where no event process ever ran.

    The run reads only the systems of the waiting deliveries, and does everything below. Its key is the newest of them, so that
    what a run could not read starts no run after run: the schedule tries again.
    """

    @dg.sensor(
        name="event_process_absent",
        job_name=JOB,
        minimum_interval_seconds=_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="While no event process works, deliveries that wait start a run for the systems they name.",
    )
    def absent(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if sample:
            return dg.SkipReason(SAMPLE)
        config = load_config(path)
        _, state = open_stores(config)
        try:
            until, newest = held_until(state), state.inbox.newest()
        finally:
            state.close()
        if until is not None and until >= SystemClock().now():
            return dg.SkipReason("The event process works.")
        waiting = {one.system: one for one in newest if one.system in config.systems}
        if not waiting:
            return dg.SkipReason("No delivery waits.")
        if busy := under_way(context.instance):
            return dg.SkipReason(f"Run {busy} is under way; what waits is read after it.")
        last = max(waiting.values(), key=lambda one: (one.received_at, one.delivery_id))
        left_out = [key for key in ingest_keys(config) if key.path[0] not in waiting]
        return dg.RunRequest(
            run_key=f"absent-{last.system}-{last.delivery_id}",
            tags={"invbi/why": "event process absent", "invbi/systems": ",".join(waiting)},
            asset_selection=_all_but(context, left_out),
        )

    return absent


def _all_but(context: dg.SensorEvaluationContext, left_out: list[dg.AssetKey]) -> list[dg.AssetKey] | None:
    """Return every asset of the graph but these; None: all of them."""
    definitions = context.repository_def
    if definitions is None or not left_out:
        return None
    return sorted(definitions.asset_graph.materializable_asset_keys - set(left_out), key=lambda key: key.to_user_string())
