"""What the event process did, in the asset graph: its work between two runs is observed on the feeds it read and on the points.

The event process knows nothing of Dagster, and may live on another machine: what it has done stands in the inbox.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import dagster as dg
import polars as pl

from invbi_pipeline.config import load_config
from invbi_pipeline.defs.job import SAMPLE
from invbi_pipeline.defs.names import ingest_keys
from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.flows.context import SystemClock, open_stores

__all__ = ["events_sensor"]

_EVERY_S: Final = 30
_COMMITS: Final = timedelta(seconds=5)  # what is being marked as done while we look is seen whole at the next look
_POINTS: Final = dg.AssetKey(["recon", "points"])
_NAMED_IN: Final = {Dataset.STOCK: "listing_keys", Dataset.ORDERS: "order_ids"}


def events_sensor(path: Path, *, sample: bool) -> dg.SensorDefinition:
    """Return the sensor that reports the deliveries done since its last look; the first look only notes the time."""

    @dg.sensor(
        name="event_process_works",
        minimum_interval_seconds=_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="What the event process read and decided since the last look is observed on the assets that it concerns.",
    )
    def works(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if sample:
            return dg.SkipReason(SAMPLE)
        config, until = load_config(path), SystemClock().now() - _COMMITS
        after = datetime.fromisoformat(context.cursor) if context.cursor else until
        _, state = open_stores(config)
        try:
            worked = state.inbox.worked(after, until)
        finally:
            state.close()
        named = {key: (key.path[0], column) for dataset, column in _NAMED_IN.items() for key in ingest_keys(config, [dataset])}
        seen = [_observed(key, worked.filter(pl.col("system") == name), column) for key, (name, column) in named.items()]
        seen.append(_observed(_POINTS, worked.filter(pl.col("system").is_in(list(config.systems)))))
        return dg.SensorResult(asset_events=[one for one in seen if one is not None], cursor=until.isoformat())

    return works


def _observed(key: dg.AssetKey, worked: pl.DataFrame, column: str = "") -> dg.AssetObservation | None:
    """Return what was done that concerns an asset, None where that is nothing; `column`: the one that names what was read."""
    mine = worked.filter(pl.col(column).list.len() > 0) if column else worked
    if mine.is_empty():
        return None
    took_s = (pl.col("done_at") - pl.col("received_at")).dt.total_milliseconds() / 1000
    figures = mine.select(
        deliveries=pl.len(),
        seconds_to_done_p95=took_s.quantile(0.95, "higher"),
        seconds_to_done_most=took_s.max(),
        last_done_at=pl.col("done_at").max().dt.to_string("iso:strict"),
        **({"read_again": pl.col(column).list.explode().n_unique()} if column else {}),
    ).row(0, named=True)
    return dg.AssetObservation(key, description=f"The event process worked on {mine.height:,} deliveries.", metadata=figures)
