"""What a preset is made of, as data: its places, systems, streams of shoppers and policies."""

from dataclasses import dataclass, field

from invbi_pipeline.domain.words import Absorbs
from invbi_pipeline.sandbox.world.demand import Kind
from invbi_pipeline.sandbox.world.places import Place
from invbi_pipeline.sandbox.world.policy import Policy

__all__ = ["PresetPlan", "StreamPlan", "SystemPlan"]


@dataclass(frozen=True, slots=True)
class SystemPlan:
    """One system. Shares are of the products; `kits` says whether it sells them."""

    name: str
    platform: str
    counts: tuple[str, ...] = ()
    sells: bool = True
    absorbs: Absorbs = Absorbs.OWN
    sells_from: tuple[str, ...] = ()
    default_place: str = ""
    lists: float = 1.0
    kits: bool = False
    packs: float = 0.0  # of the listed products are also sold in packs
    pack_of: int = 6
    by_platform: float = 0.0  # of the products are sold from the platform's own warehouse
    odd_skus: float = 0.03  # of the listings were typed in otherwise, and the merchant's map knows it
    per_location: bool = True
    order_lag_s: float = 0.0
    visibility_lag_s: float = 0.0


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """Shoppers of one system; `per_day` orders on an average day for 2,000 skus."""

    system: str
    kind: Kind
    place: str
    per_day: float


@dataclass(frozen=True, slots=True)
class PresetPlan:
    """A whole business. `policies` are by channel and place; a few by sku are added by the builder."""

    name: str
    places: tuple[Place, ...]
    systems: tuple[SystemPlan, ...]
    streams: tuple[StreamPlan, ...]
    policies: tuple[Policy, ...] = field(default=())
