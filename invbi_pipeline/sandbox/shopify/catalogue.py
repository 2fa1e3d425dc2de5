"""What an emulated shop sells and where: locations, products, variants, inventory items and their levels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Self

__all__ = ["OTHER_STATES", "Hidden", "Item", "Level", "Location", "Product", "Variant", "gid", "iso", "key_of"]

OTHER_STATES = ("reserved", "damaged", "safety_stock", "quality_control")  # part of on_hand, not for sale


def gid(kind: str, number: int) -> str:
    """Return a global id, e.g. gid("Order", 7) = "gid://shopify/Order/7"."""
    return f"gid://shopify/{kind}/{number}"


def key_of(global_id: str, kind: str) -> int | None:
    """Return the number in a global id of this kind; None for anything else."""
    head, _, tail = global_id.partition(f"gid://shopify/{kind}/")
    return int(tail) if not head and tail.isascii() and tail.isdigit() else None


@lru_cache(maxsize=1 << 16)
def iso(moment: datetime) -> str:
    """Return a time the way the API writes it: UTC, whole seconds, "2026-09-01T09:00:00Z"."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True, eq=False)
class Location:
    id: int
    name: str
    active: bool
    created_at: datetime
    updated_at: datetime
    gid: str = ""

    def __post_init__(self) -> None:
        self.gid = gid("Location", self.id)

    def __deepcopy__(self, memo: object) -> Self:
        return self


@dataclass(slots=True, eq=False)
class Product:
    id: int
    title: str
    created_at: datetime
    updated_at: datetime
    status: str = "ACTIVE"
    variants: "list[Variant]" = field(default_factory=list)
    gid: str = ""

    def __post_init__(self) -> None:
        self.gid = gid("Product", self.id)


@dataclass(slots=True, eq=False)
class Variant:
    id: int
    product: Product
    barcode: str
    title: str
    options: Mapping[str, str]
    price: str
    currency: str
    position: int
    created_at: datetime
    updated_at: datetime
    item: "Item" = field(init=False)
    gid: str = ""

    def __post_init__(self) -> None:
        self.gid = gid("ProductVariant", self.id)


@dataclass(slots=True, eq=False)
class Item:
    """The inventory item of one variant: the thing that is counted."""

    id: int
    variant: Variant
    sku: str
    tracked: bool
    created_at: datetime
    updated_at: datetime
    deleted: bool = False
    levels: "dict[int, Level]" = field(default_factory=dict)  # by location id, in the order they were connected
    key: str = ""  # the numeric id as text
    gid: str = ""

    def __post_init__(self) -> None:
        self.key = str(self.id)
        self.gid = gid("InventoryItem", self.id)
        self.variant.item = self

    def __deepcopy__(self, memo: object) -> Self:
        return self


@dataclass(frozen=True, slots=True)
class Hidden:
    """An accepted write that reads do not show yet."""

    visible_at: datetime  # the world's time
    stamp: datetime  # the platform's
    name: str
    delta: int


@dataclass(slots=True, eq=False)
class Level:
    item: Item
    location: Location
    created_at: datetime
    updated_at: datetime
    available: int = 0
    committed: int = 0
    active: bool = True
    others: dict[str, int] | None = None
    hidden: list[Hidden] = field(default_factory=list)
    gid: str = ""

    def __post_init__(self) -> None:
        self.gid = f"gid://shopify/InventoryLevel/{self.location.id}?inventory_item_id={self.item.id}"

    def quantity(self, name: str) -> int:
        """Return the stored number of a named state."""
        if name == "available":
            return self.available
        if name == "committed":
            return self.committed
        others = self.others or {}
        if name == "on_hand":
            return self.available + self.committed + sum(others.get(state, 0) for state in OTHER_STATES)
        return others.get(name, 0)
