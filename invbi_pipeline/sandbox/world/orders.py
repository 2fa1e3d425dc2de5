"""Orders as the world remembers them: what was bought, where it ships from, what became of it."""

from dataclasses import dataclass, field
from datetime import datetime

from invbi_pipeline.sandbox.world.places import Listing

__all__ = ["Order", "OrderBook", "OrderLine"]


@dataclass(slots=True)
class OrderLine:
    """Units of one listing in one order; `open` are neither shipped nor cancelled."""

    listing: Listing
    open: int
    shipped: int = 0
    returned: int = 0


@dataclass(slots=True)
class Order:
    """One shopper's order; `place` is where it ships from."""

    system: str
    order_id: str
    place: str
    placed_at: datetime
    paid: bool
    lines: dict[str, OrderLine]
    platform_fulfilled: bool = False
    applied: int = 0  # how many of the account's shipments and returns have left or entered our shelves

    @property
    def open_lines(self) -> list[OrderLine]:
        return [line for line in self.lines.values() if line.open]


@dataclass(slots=True)
class OrderBook:
    """Every order, and apart those with units still to ship."""

    all: dict[tuple[str, str], Order] = field(default_factory=dict)
    unfinished: dict[tuple[str, str], Order] = field(default_factory=dict)

    def add(self, order: Order) -> None:
        self.all[order.system, order.order_id] = order
        self.settle(order)

    def settle(self, order: Order) -> None:
        """Move the order to where it belongs now."""
        key = (order.system, order.order_id)
        if order.open_lines:
            self.unfinished[key] = order
        else:
            self.unfinished.pop(key, None)
