"""Publish: the dashboard where people read it, and the Data Docs of what was believed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import dagster as dg

from invbi_pipeline.config import Config
from invbi_pipeline.defs.names import spec
from invbi_pipeline.defs.resources import Invbi
from invbi_pipeline.defs.steps import publishing
from invbi_pipeline.flows.feeds.ingest import data_docs

__all__ = ["DELIVERED", "publish_assets"]

DELIVERED: Final = "delivered"
_READS: Final = (
    "mart.mart_parity_history",
    "mart.mart_freshness",
    "mart.mart_point_matrix",
    "mart.mart_exceptions",
    "mart.mart_corrections",
    "mart.mart_channel_days",
    "mart.mart_stock_cover",
    "mart.mart_cancellations",
    "mart.mart_daily_history",
)


def publish_assets(config: Config) -> list[dg.AssetsDefinition]:
    """Return the places that the configuration publishes to, and the Data Docs."""
    return [_dashboard(config), _data_docs()]


def _dashboard(config: Config) -> dg.AssetsDefinition:
    wanted = config.publish
    kinds = {
        "html": ("html", "The dashboard as one self-contained page.", bool(wanted.html)),
        "xlsx": ("excel", "The dashboard as a workbook.", bool(wanted.xlsx)),
        "sheet": ("googlesheets", "The dashboard in Google Sheets, where the merchant reads it.", wanted.sheets is not None),
    }
    specs = {
        name: spec(f"publish.{name}", "publish", what, _READS, [kind], skippable=True)
        for name, (kind, what, there) in kinds.items()
        if there
    }

    @dg.multi_asset(
        name="dashboard",
        specs=list(specs.values()),
        check_specs=[
            dg.AssetCheckSpec(DELIVERED, asset=one.key, description="It was written in this run.") for one in specs.values()
        ],
    )
    def dashboard(invbi: Invbi) -> Iterator[Any]:
        published = invbi.run(publishing)
        places = dict(zip([name for name in specs if name not in published.troubles], published.places, strict=True))
        for name, one in specs.items():
            if name in places:
                yield dg.MaterializeResult(asset_key=one.key, metadata={"place": _place(places[name])})
            yield dg.AssetCheckResult(
                asset_key=one.key,
                check_name=DELIVERED,
                passed=name in places,
                severity=dg.AssetCheckSeverity.WARN,
                description=published.troubles.get(name),
            )

    return dashboard


def _data_docs() -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="data_docs",
        specs=[
            spec(
                "publish.data_docs",
                "publish",
                "Great Expectations' Data Docs of this run's reads: the rules, and the figures they were judged on.",
                ["staging.stg_batches"],
                ["greatexpectations"],
            )
        ],
    )
    def docs(context: dg.AssetExecutionContext, invbi: Invbi) -> dg.MaterializeResult[Any]:
        run_id = invbi.run_id(context.run, context.instance)
        return dg.MaterializeResult(metadata={"place": _place(invbi.call(lambda ctx: data_docs(ctx, run_id)))})

    return docs


def _place(text: str) -> dg.UrlMetadataValue | dg.PathMetadataValue:
    return dg.MetadataValue.url(text) if "://" in text else dg.MetadataValue.path(Path(text))
