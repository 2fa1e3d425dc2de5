"""What people declared, as frames: the configuration turned into `SYSTEMS` and `PLACES`."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, Protocol

import polars as pl

from invbi_pipeline.config import Config, SystemConfig
from invbi_pipeline.domain.frames import PLACES, SYSTEMS
from invbi_pipeline.domain.shelf.limits import Limits
from invbi_pipeline.domain.words import Basis, Dataset

__all__ = ["PlatformFacts", "places_frame", "sells_from", "shelf_limits", "systems_frame"]

# Platforms whose listing key is the seller's own code, so that it speaks where no raw SKU is given.
_KEYED_BY_CODE: Final = frozenset({"amazon", "files"})


class PlatformFacts(Protocol):
    """The three facts of a platform that the truth depends on; `channels.protocol.Facts` has them."""

    @property
    def basis(self) -> Basis: ...

    @property
    def per_location(self) -> bool: ...

    @property
    def datasets(self) -> frozenset[Dataset]: ...


def systems_frame(config: Config, facts: Mapping[str, PlatformFacts]) -> pl.DataFrame:
    """Return `SYSTEMS`, one row a configured system, by name.

    `facts` holds each system's platform facts under the system's name. A `files` system reads what its configuration
    names and declares its own basis; the other platforms state theirs. A channel without `sells_from` may promise from
    every location it maps, or else from its default location.
    """
    rows = [_system_row(config, name, facts[name]) for name in sorted(config.systems)]
    return pl.DataFrame(rows, schema=dict(SYSTEMS))


def _system_row(config: Config, name: str, facts: PlatformFacts) -> dict[str, object]:
    system = config.systems[name]
    declared = system.platform == "files"
    datasets = {Dataset(d) for d in system.files} if declared else set(facts.datasets)
    return {
        "system": name,
        "platform": system.platform,
        "counts": system.counts,
        "sells": system.sells,
        "absorbs": str(system.absorbs),
        "basis": str(system.basis if declared else facts.basis),
        "booking_lag_s": round(system.booking_lag_s),
        "sells_from": list(sells_from(config, name, system)),
        "default_location": system.default_location,
        "per_location": facts.per_location,
        "keys_are_skus": system.platform in _KEYED_BY_CODE,
        "sku_fallback": system.sku_fallback,
        "has_ledger": Dataset.MOVEMENTS in datasets,
        "has_orders": Dataset.ORDERS in datasets,
    }


def sells_from(config: Config, name: str, system: SystemConfig) -> tuple[str, ...]:
    """Return the locations that a channel may promise from; of a system that does not sell, those that it counts."""
    if not system.sells:
        return tuple(sorted(place for place, declared in config.locations.items() if declared.counted_by == name))
    return system.sells_from or tuple(sorted(set(system.locations.values()))) or tuple(filter(None, [system.default_location]))


def places_frame(config: Config) -> pl.DataFrame:
    """Return `PLACES`, one row a configured location, by name."""
    rows = [
        {
            "location": name,
            "kind": str(place.kind),
            "counted_by": place.counted_by,
            "safety_stock": place.safety_stock,
            "sellable": place.sellable,
        }
        for name, place in sorted(config.locations.items())
    ]
    return pl.DataFrame(rows, schema=dict(PLACES))


def shelf_limits(config: Config) -> Limits:
    """Return the ages at which people are asked about open orders, returns and transfers, as `[business]` sets them."""
    business = config.business
    return Limits(
        pending=timedelta(days=business.unpaid_days),
        open=timedelta(days=business.unshipped_days),
        on_hold=timedelta(days=business.on_hold_days),
        returned=timedelta(hours=business.restock_hours),
        transit=timedelta(days=business.transit_days),
    )
