"""An account in memory: net numbers that fall when an order is placed. Small, real, and without a face."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from starlette.applications import Starlette

from invbi_pipeline.sandbox import presets
from invbi_pipeline.sandbox.contract import Account, ItemSpec, Line, Moved, Wire, WorldClock
from invbi_pipeline.sandbox.erp import ErpAccount
from invbi_pipeline.sandbox.world import VirtualClock, World
from invbi_pipeline.sandbox.world.plans import SystemPlan

__all__ = ["MemoryAccount", "build"]


@dataclass
class _Order:
    location: str
    open: dict[str, int]
    moved: list[Moved] = field(default_factory=list)


class MemoryAccount:
    """`platform` as told; one number for all merchant stock unless `per_location`. `number` is net of open orders."""

    def __init__(self, name: str, platform: str, per_location: bool) -> None:
        self.name = name
        self.platform = platform
        self.wire = Wire()
        self.app = Starlette()
        self.references: list[str] = []
        self.accepted: dict[str, int] = {}  # by listing key: a quantity that is still to be applied
        self._per_location = per_location
        self._specs: dict[str, ItemSpec] = {}
        self._numbers: dict[tuple[str, str], int | None] = {}
        self._committed: dict[tuple[str, str], int] = {}
        self._orders: dict[str, _Order] = {}
        self._ids = 0

    def _id(self, kind: str) -> str:
        self._ids += 1
        return f"{self.name}-{kind}-{self._ids}"

    def _at(self, key: str, location: str) -> tuple[str, str]:
        by_platform = key in self._specs and self._specs[key].platform_fulfilled
        return (key, location if self._per_location or by_platform else "")

    def _move(self, key: str, location: str, units: int, committed: int = 0) -> None:
        at = self._at(key, location)
        self._committed[at] = self._committed.get(at, 0) + committed
        if key not in self.wire.frozen:
            self._numbers[at] = (self._numbers.get(at) or 0) + units

    def add_location(self, key_hint: str, name: str, active: bool = True) -> str:
        return key_hint if self.platform == "amazon" else self._id(key_hint)

    def add_item(self, spec: ItemSpec) -> str:
        key = spec.sku if self.platform == "amazon" else self._id("item")
        self._specs[key] = spec
        return key

    def stock(self, listing_key: str, location_key: str, quantity: int | None) -> None:
        self._numbers[self._at(listing_key, location_key)] = quantity

    def order(
        self,
        lines: Sequence[Line],
        location_key: str = "",
        *,
        pos: bool = False,
        paid: bool = True,
        platform_fulfilled: bool = False,
    ) -> str:
        order_id = self._id("order")
        order = self._orders[order_id] = _Order(location_key, {})
        for line in lines:
            order.open[line.listing_key] = line.quantity
            self._move(line.listing_key, location_key, -line.quantity, line.quantity)
        if pos:
            self.fulfil(order_id)
        return order_id

    def pay(self, order_id: str) -> None:
        assert order_id in self._orders

    def fulfil(self, order_id: str, quantities: Mapping[str, int] | None = None, location_key: str = "") -> None:
        order, shipment = self._orders[order_id], self._id("shipment")
        for key, units in (quantities or dict(order.open)).items():
            assert 0 < units <= order.open[key]
            order.open[key] -= units
            self._move(key, order.location, 0, -units)
            at = self._at(key, order.location)[1]
            order.moved.append(Moved(f"{order_id}/{key}/{shipment}", key, at, -units))

    def cancel(self, order_id: str, restock: bool = True) -> None:
        order = self._orders[order_id]
        for key, units in order.open.items():
            self._move(key, order.location, units if restock else 0, -units)
            order.open[key] = 0

    def edit(self, order_id: str, listing_key: str, quantity: int) -> None:
        order = self._orders[order_id]
        change = quantity - order.open[listing_key]
        order.open[listing_key] = quantity
        self._move(listing_key, order.location, -change, change)

    def refund(self, order_id: str, listing_key: str, quantity: int, restock_to: str | None) -> str:
        refund_id = self._id("refund")
        if restock_to is not None:
            self._move(listing_key, restock_to, quantity)
            self._orders[order_id].moved.append(Moved(f"{refund_id}/{listing_key}", listing_key, restock_to, quantity))
        return refund_id

    def adjust(self, listing_key: str, location_key: str, delta: int, reason: str, reference: str = "") -> str:
        self._move(listing_key, location_key, delta)
        self.references.append(reference)
        return self._id("adjustment")

    def count(self, listing_key: str, location_key: str, quantity: int) -> str:
        at = self._at(listing_key, location_key)
        self._numbers[at] = quantity - self._committed.get(at, 0)
        return self._id("count")

    def type_over(self, listing_key: str, location_key: str, quantity: int) -> None:
        self._numbers[self._at(listing_key, location_key)] = quantity

    def set_status(self, listing_key: str, status: str) -> None:
        assert listing_key in self._specs

    def rename(self, listing_key: str, sku: str | None = None, barcode: str | None = None) -> None:
        assert listing_key in self._specs

    def moved(self, order_id: str) -> Sequence[Moved]:
        return self._orders[order_id].moved

    def number(self, listing_key: str, location_key: str) -> int | None:
        return self.accepted.get(listing_key, self._numbers.get(self._at(listing_key, location_key)))

    def on_webhook(self, deliver: Callable[[str, Mapping[str, str], bytes], None]) -> None:
        return None

    def tick(self) -> None:
        return None


def build(
    folder: Path, preset: str = "till_master", seed: int = 1, skus: int = 60, history_days: int = 4, *, calm: bool = False
) -> World:
    """Return a small world on accounts in memory; `calm` has no planted faults to come."""

    def account(plan: SystemPlan, clock: WorldClock, rng: random.Random, url: str, words: Mapping[str, str]) -> Account:
        if plan.platform == "files":
            return ErpAccount(plan.name, clock, rng, folder / plan.name)
        return MemoryAccount(plan.name, plan.platform, plan.per_location)

    clock = VirtualClock()
    return presets.build(
        preset, seed, skus, "http://sandbox.test", folder, clock, make_account=account, history_days=history_days, faults=not calm
    )
