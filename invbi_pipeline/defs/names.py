"""Asset keys, owners and groups in one place, so that the graph keeps its shape."""

from collections.abc import Mapping
from typing import Final

import dagster as dg

from invbi_pipeline.channels.registry import facts_of
from invbi_pipeline.config import Config, SystemConfig
from invbi_pipeline.domain.words import Dataset

__all__ = ["OWNERS", "datasets_of", "ingest_keys", "model_key", "spec"]

OWNERS: Final = ("team:inventory-ops",)
_ORDER: Final = (Dataset.LOCATIONS, Dataset.LISTINGS, Dataset.STOCK, Dataset.MOVEMENTS, Dataset.ORDERS)
_UNSEEN: Final = frozenset({Dataset.LOCATIONS})  # read with the listings; no node of its own keeps the graph readable


def datasets_of(system: SystemConfig) -> list[Dataset]:
    """Return the datasets of a system that are assets, in the order in which they are read."""
    declared = {Dataset(d) for d in system.files} if system.platform == "files" else set(facts_of(system.platform).datasets)
    return [d for d in _ORDER if d in declared - _UNSEEN]


def ingest_keys(config: Config, *datasets: Dataset) -> list[dg.AssetKey]:
    """Return the ingest assets of every system that land one of `datasets` (all when none is named)."""
    return [
        dg.AssetKey([name, str(dataset)])
        for name, system in config.systems.items()
        for dataset in datasets_of(system)
        if not datasets or dataset in datasets
    ]


def model_key(table: str) -> dg.AssetKey:
    """Return the asset key of a table: "staging.stg_listings" is [staging, stg_listings]."""
    return dg.AssetKey(table.split("."))


def spec(
    key: dg.AssetKey,
    group: str,
    description: str,
    deps: list[dg.AssetKey],
    kinds: set[str],
    metadata: Mapping[str, object] | None = None,
    freshness: dg.FreshnessPolicy | None = None,
) -> dg.AssetSpec:
    """Return an asset's spec with the house's owner."""
    return dg.AssetSpec(
        key,
        group_name=group,
        description=description,
        deps=deps,
        kinds=kinds,
        owners=list(OWNERS),
        metadata=dict(metadata or {}),
        freshness_policy=freshness,
    )
