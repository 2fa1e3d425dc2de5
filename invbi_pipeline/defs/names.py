"""Asset keys, owners and groups in one place, so that the graph keeps its shape."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

import dagster as dg

from invbi_pipeline.channels.registry import facts_of
from invbi_pipeline.config import Config, SystemConfig
from invbi_pipeline.domain.words import Dataset

__all__ = ["EQUALITY", "JOB", "OWNERS", "datasets_of", "freshness_of", "ingest_keys", "lineage", "spec", "table_key"]

JOB: Final = "loop"  # the one job over the whole graph
EQUALITY: Final = dg.AssetCheckKey(dg.AssetKey(["recon", "points"]), "as_the_batch")  # not in that job
OWNERS: Final = ("team:inventory-ops",)
_ORDER: Final = (Dataset.LISTINGS, Dataset.STOCK, Dataset.ORDERS, Dataset.MOVEMENTS)
# Locations are read with the listings; no node of their own keeps the graph readable.
_LANDS_IN: Final[Mapping[str, tuple[Dataset, ...]]] = {
    "raw.locations": (Dataset.LISTINGS,),
    "raw.listings": (Dataset.LISTINGS,),
    "raw.stock": (Dataset.STOCK,),
    "raw.order_lines": (Dataset.ORDERS,),
    "raw.effects": (Dataset.ORDERS,),
    "raw.returns": (Dataset.ORDERS,),
    "raw.movements": (Dataset.ORDERS, Dataset.MOVEMENTS),
    "raw.batches": _ORDER,
    "quarantine.rows": _ORDER,
}
# Tables of the warehouse that are written by an asset of another name; those in neither table come from the configuration.
_WRITTEN_BY: Final[Mapping[str, str]] = {
    "recon.points": "recon.points",
    "recon.findings": "recon.findings",
    "recon.finding_changes": "recon.findings",
    "recon.unit_values": "recon.findings",
    "recon.point_changes": "recon.points",
    "truth.kits": "truth.mappings",
    "truth.prices": "truth.mappings",
    "truth.rates": "truth.mappings",
    "recon.feeds": "staging.stg_batches",
    "recon.corrections": "act.receipts",
    "recon.trail": "act.receipts",
    "recon.runs": "act.receipts",
}
_SHORTEST_WINDOW: Final = timedelta(minutes=15)  # three runs of the schedule


def datasets_of(system: SystemConfig) -> list[Dataset]:
    """Return the datasets of a system that are assets, in the order in which they are read."""
    if system.platform != "files":
        return [d for d in _ORDER if d in facts_of(system.platform).datasets]
    named = {Dataset(d) for d in system.files}
    if named & {Dataset.STOCK, Dataset.ORDERS}:
        named.add(Dataset.LISTINGS)  # read out of the others where the system has no list of its own
    return [d for d in _ORDER if d in named]


def ingest_keys(config: Config, datasets: Iterable[Dataset] = _ORDER) -> list[dg.AssetKey]:
    """Return the ingest assets of every system that land one of `datasets`."""
    chosen = set(datasets)
    return [
        dg.AssetKey([name, str(dataset)])
        for name, system in config.systems.items()
        for dataset in datasets_of(system)
        if dataset in chosen
    ]


def table_key(table: str) -> dg.AssetKey:
    """Return the asset key of a table: "staging.stg_listings" is [staging, stg_listings]."""
    return dg.AssetKey(table.split("."))


def lineage(config: Config, tables: Iterable[str]) -> list[dg.AssetKey]:
    """Return the assets that write these tables of the warehouse ("raw.stock", "recon.points", "staging.stg_listings")."""
    found: dict[dg.AssetKey, None] = {}
    for table in tables:
        schema = table.split(".")[0]
        if table in _LANDS_IN:
            found |= dict.fromkeys(ingest_keys(config, _LANDS_IN[table]))
        elif table in _WRITTEN_BY:
            found[table_key(_WRITTEN_BY[table])] = None
        elif schema in ("staging", "mart", "truth"):
            found[table_key(table)] = None
    return list(found)


def freshness_of(system: SystemConfig) -> dg.FreshnessPolicy:
    """Return how old a system's word may be before its assets are called stale. It informs; guards do the holding."""
    window = max(timedelta(seconds=system.max_age_s), _SHORTEST_WINDOW)
    return dg.FreshnessPolicy.time_window(fail_window=window, warn_window=window * 2 // 3)


def spec(
    table: str,
    group: str,
    description: str,
    deps: Iterable[str | dg.AssetKey],
    kinds: Iterable[str],
    *,
    metadata: Mapping[str, object] | None = None,
    freshness: dg.FreshnessPolicy | None = None,
    skippable: bool = False,
) -> dg.AssetSpec:
    """Return an asset's spec ("recon.points" is [recon, points]) with the house's owner; every asset is made by this."""
    return dg.AssetSpec(
        table_key(table),
        group_name=group,
        description=description,
        deps=[table_key(dep) if isinstance(dep, str) else dep for dep in deps],
        kinds=set(kinds),
        owners=list(OWNERS),
        metadata=dict(metadata or {}),
        freshness_policy=freshness,
        skippable=skippable,
    )
