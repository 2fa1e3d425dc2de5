"""Ingest: one multi-asset a system, made by a factory, with an asset and a check for each of its datasets.

How one system's trouble stays its own: a dataset that was not read, or whose batch is not believed, is *not* materialized
(nothing new is held of it, and its freshness goes red in time). It is observed instead, with the reason, and its check
`feed_believed` fails, which blocks nothing. The step itself succeeds. Dagster would skip everything below an asset that
yields nothing; therefore the first step below (`defs.models`) takes all feeds through one fan-in that always has a
source, and the loop goes on with the last good data. Only a mistake of ours, or a missing secret, fails the step.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import dagster as dg

from invbi_pipeline.config import Config, SystemConfig
from invbi_pipeline.defs.evidence import MOST_ROWS, column_schema, figures, query, rows_table
from invbi_pipeline.defs.names import datasets_of, freshness_of, spec
from invbi_pipeline.defs.resources import Invbi
from invbi_pipeline.defs.steps import Read, read_system
from invbi_pipeline.domain.frames import WALL
from invbi_pipeline.domain.words import Dataset, FeedVerdict

__all__ = ["BELIEVED", "ingest_assets"]

BELIEVED: Final = "feed_believed"

_WHAT: Final[Mapping[Dataset, str]] = {
    Dataset.LISTINGS: "What {system} calls the things it lists: its keys, raw SKUs, barcodes, status.",
    Dataset.STOCK: "The quantities that {system} states, each known, untracked or unknown.",
    Dataset.ORDERS: "The order lines of {system}, and what they did to its own numbers.",
    Dataset.MOVEMENTS: "What {system} itself says moved its stock.",
}
_ASIDE: Final = "SELECT * FROM quarantine.rows WHERE batch_id = '{}' ORDER BY row_number"  # shown to a person, not run here
_CHIEF: Final[Mapping[Dataset, str]] = {Dataset.ORDERS: "order_lines"}
# How bad it is not to believe a feed: old data may only be late; a cut or zeroed feed would do harm.
_SEVERITY: Final = {str(FeedVerdict.STALE): dg.AssetCheckSeverity.WARN}


def ingest_assets(config: Config) -> list[dg.AssetsDefinition]:
    """Return the assets that read every configured system."""
    return [_system_assets(name, system) for name, system in config.systems.items()]


def _system_assets(name: str, system: SystemConfig) -> dg.AssetsDefinition:
    datasets = datasets_of(system)
    specs = [_spec(name, system, dataset) for dataset in datasets]

    @dg.multi_asset(
        name=f"ingest_{re.sub(r'[^A-Za-z0-9_]', '_', name)}",
        specs=specs,
        check_specs=[
            dg.AssetCheckSpec(BELIEVED, asset=one.key, description="Complete, not zeroed, not older than what was read before.")
            for one in specs
        ],
    )
    def read(context: dg.AssetExecutionContext, invbi: Invbi) -> Iterator[Any]:
        run_id = invbi.run_id(context.run, context.instance)
        reads = invbi.run(lambda ctx: read_system(ctx, run_id, name, MOST_ROWS))
        for dataset, one in zip(datasets, specs, strict=True):
            yield from _told(context, one.key, reads[str(dataset)])

    return read


def _spec(name: str, system: SystemConfig, dataset: Dataset) -> dg.AssetSpec:
    return spec(
        f"{name}.{dataset}",
        "ingest",
        _WHAT[dataset].format(system=name),
        [],
        [system.platform if system.platform != "files" else "file"],
        metadata={"dagster/column_schema": column_schema(WALL[_CHIEF.get(dataset, str(dataset))])},
        freshness=freshness_of(system),
        skippable=True,
    )


def _told(
    context: dg.AssetExecutionContext, key: dg.AssetKey, read: Read
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    metadata = _metadata(read)
    if read.believed:
        yield dg.MaterializeResult(asset_key=key, metadata=metadata)
    else:
        context.log_event(dg.AssetObservation(key, description=read.reason, metadata=metadata))
    yield dg.AssetCheckResult(
        asset_key=key,
        check_name=BELIEVED,
        passed=read.believed,
        severity=_SEVERITY.get(str(read.record.get("verdict")), dg.AssetCheckSeverity.ERROR),
        description=read.reason or None,
        metadata=_check_metadata(read),
    )


def _metadata(read: Read) -> dict[str, Any]:
    record: Mapping[str, Any] = read.record
    seconds = (record["ended_at"] - record["began_at"]).total_seconds() if record else None
    numbers = {
        "rows": record.get("rows"),
        "quarantined": record.get("quarantined"),
        "requests": record.get("requests"),
        "seconds": seconds,
        "order_lag_s": read.order_lag_s,
        "age_s": read.age_s,
        "dagster/row_count": record.get("landed") if read.believed else None,
    }
    said = {"verdict": str(record.get("verdict", FeedVerdict.UNREACHABLE)), "reason": read.reason}
    return {**figures(numbers), **{name: text for name, text in said.items() if text}}


def _check_metadata(read: Read) -> dict[str, Any]:
    batch = str(read.record.get("batch_id", ""))
    shown: dict[str, Any] = {"verdict": str(read.record.get("verdict", FeedVerdict.UNREACHABLE))}
    if batch:
        shown |= {name: value for name, value in _judged_on(read).items() if isinstance(value, int | float)}
        shown["query"] = query(_ASIDE.format(batch))
    if read.aside.height:
        shown["quarantined_rows"] = rows_table(read.aside)
    return shown


def _judged_on(read: Read) -> dict[str, object]:
    """Return the figures that the feed's health was judged on, and their limits, under the names of `flows.feed_metrics`."""
    text = read.record.get("metrics")
    return dict(json.loads(str(text))) if text else {}
