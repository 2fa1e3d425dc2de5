"""An emulated Shopify shop as the simulated world sees it: `sandbox.contract.Account`."""

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from invbi_pipeline.domain.words import ListingStatus, MovementKind, ReturnState
from invbi_pipeline.sandbox.contract import ItemSpec, Line, Moved, Wire, WorldClock
from invbi_pipeline.sandbox.shopify.catalogue import Location
from invbi_pipeline.sandbox.shopify.face import Face
from invbi_pipeline.sandbox.shopify.office import Office
from invbi_pipeline.sandbox.shopify.orders import Order
from invbi_pipeline.sandbox.shopify.shop import Shop
from invbi_pipeline.sandbox.wire import Bucket

__all__ = ["ShopifyAccount"]

_REASONS: Mapping[str, str] = MappingProxyType(
    {
        MovementKind.RECEIPT: "received",
        MovementKind.TRANSFER_IN: "movement_received",
        MovementKind.TRANSFER_OUT: "movement_created",
        MovementKind.DAMAGE: "damaged",
        MovementKind.RETURN: "restock",
        MovementKind.COUNT: "cycle_count_available",
        MovementKind.ADJUSTMENT: "correction",
    }
)
_DISPOSITIONS: Mapping[ReturnState, str] = MappingProxyType(
    {
        ReturnState.RECEIVED: "PROCESSING_REQUIRED",
        ReturnState.RESTOCKED: "RESTOCKED",
        ReturnState.WRITTEN_OFF: "NOT_RESTOCKED",
        ReturnState.MISSING: "MISSING",
    }
)
_STATUSES: Mapping[str, str] = MappingProxyType({ListingStatus.ACTIVE: "ACTIVE", ListingStatus.INACTIVE: "DRAFT"})


class ShopifyAccount:
    """One shop. Secrets: `token` (Admin API access token), `webhook_secret` (client secret that signs webhooks).

    Listing keys are numeric inventory item ids, location keys numeric location ids, order ids numeric, all as text. The
    number a shopper could buy is `available`; it may be negative. `points_max` and `points_rate` are the cost bucket.
    """

    platform = "shopify"

    def __init__(
        self,
        name: str,
        clock: WorldClock,
        rng: random.Random,
        base_url: str,
        secrets: Mapping[str, str],
        points_max: int = 2000,
        points_rate: int = 100,
    ) -> None:
        self.name = name
        self.wire = Wire()
        self._shop = Shop(name, clock, rng, self.wire)
        self._office = Office(self._shop, rng, base_url.rstrip("/"), secrets["webhook_secret"])
        self.app = Face(self._office, secrets["token"], Bucket(clock, points_rate, points_max)).app

    # set-up

    def add_location(self, key_hint: str, name: str, active: bool = True) -> str:
        return str(self._shop.add_location(name, active).id)

    def add_item(self, spec: ItemSpec) -> str:
        return self._shop.add_item(spec).key

    def stock(self, listing_key: str, location_key: str, quantity: int | None) -> None:
        item, location = self._shop.item(listing_key), self._location(location_key)
        if quantity is None:
            item.levels.pop(location.id, None)
            return
        self._shop.shelves.connect(item, location).available = quantity

    # what people do

    def order(
        self,
        lines: Sequence[Line],
        location_key: str = "",
        *,
        pos: bool = False,
        paid: bool = True,
        platform_fulfilled: bool = False,
    ) -> str:
        location = self._location(location_key) if location_key else None
        return str(self._office.counter.place(lines, location, pos, paid).id)

    def pay(self, order_id: str) -> None:
        self._office.counter.pay(self._order(order_id))

    def fulfil(self, order_id: str, quantities: Mapping[str, int] | None = None, location_key: str = "") -> None:
        location = self._location(location_key) if location_key else None
        self._office.counter.fulfil(self._order(order_id), quantities, location)

    def cancel(self, order_id: str, restock: bool = True) -> None:
        self._office.counter.cancel(self._order(order_id), restock)

    def edit(self, order_id: str, listing_key: str, quantity: int) -> None:
        self._office.counter.edit(self._order(order_id), self._shop.item(listing_key), quantity)

    def refund(self, order_id: str, listing_key: str, quantity: int, restock_to: str | None) -> str:
        shelf = self._location(restock_to) if restock_to else None
        item = self._shop.item(listing_key)
        return str(self._office.counter.refund(self._order(order_id), item, quantity, shelf).id)

    def take_back(
        self, order_id: str, listing_key: str, quantity: int, location_key: str, state: ReturnState, *, damaged: bool = False
    ) -> str:
        """Money back by way of a return, whose reason says whether the goods are defective; return the refund's id."""
        order, item = self._order(order_id), self._shop.item(listing_key)
        reason = "DEFECTIVE" if damaged else "UNWANTED"
        place = self._location(location_key)
        return str(self._office.counter.take_back(order, item, quantity, place, _DISPOSITIONS[state], reason).id)

    def adjust(self, listing_key: str, location_key: str, delta: int, reason: str, reference: str = "") -> str:
        """Move `available` (and with it on_hand) by delta; return the adjustment group's id."""
        level = self._shop.shelves.connect(self._shop.item(listing_key), self._location(location_key))
        group = self._office.inventory.book(level, "available", delta, _REASONS.get(reason, "other"), reference)
        return str(group["id"]).rpartition("/")[2]

    def count(self, listing_key: str, location_key: str, quantity: int) -> str:
        """Enter what lies on the shelf, committed units among it: on_hand becomes the number."""
        level = self._shop.shelves.connect(self._shop.item(listing_key), self._location(location_key))
        delta = quantity - level.quantity("on_hand")
        group = self._office.inventory.book(level, "available", delta, "cycle_count_available")
        return str(group["id"]).rpartition("/")[2]

    def type_over(self, listing_key: str, location_key: str, quantity: int) -> None:
        level = self._shop.shelves.connect(self._shop.item(listing_key), self._location(location_key))
        self._office.inventory.book(level, "available", quantity - level.available, "correction")

    def set_status(self, listing_key: str, status: str) -> None:
        """Set a listing's status. It is the product's on Shopify: the variant is first given a product of its own."""
        item = self._shop.item(listing_key)
        if status == ListingStatus.DELETED:
            item.deleted = True
            self._shop.touch(item)
            self._shop.happened("inventory_items/delete", item)
            return
        item.deleted = False
        self._shop.give_own_product(item)
        item.variant.product.status = _STATUSES[status]
        self._shop.touch(item)
        self._shop.happened("products/update", item.variant.product)

    def rename(self, listing_key: str, sku: str | None = None, barcode: str | None = None) -> None:
        item = self._shop.item(listing_key)
        self._shop.rename(item, sku, barcode)
        self._shop.happened("inventory_items/update", item)

    # the back door

    def moved(self, order_id: str) -> Sequence[Moved]:
        """Return the order's shipments and restocked returns, oldest first, as the Admin API lets them be named."""
        order = self._order(order_id)
        dated: list[tuple[datetime, int, Moved]] = []
        for fulfilment in order.fulfilments:
            for part in fulfilment.lines:
                name = f"{order.id}/{part.line.id}/{fulfilment.id}"
                movement = Moved(name, part.line.item.key, str(fulfilment.location.id), -part.quantity)
                dated.append((fulfilment.created_at, part.id, movement))
        for refund in order.refunds:
            back: dict[int, int] = {}
            for entry in refund.lines:
                if entry.restock_type == "RETURN" and entry.location is not None:
                    nth = back[entry.line.id] = back.get(entry.line.id, 0) + 1
                    name = f"{refund.id}/{entry.line.id}" + (f"/{nth}" if nth > 1 else "")
                    movement = Moved(name, entry.line.item.key, str(entry.location.id), entry.quantity)
                    dated.append((refund.created_at, entry.id, movement))
        return [movement for _, _, movement in sorted(dated, key=lambda each: each[:2])]

    def number(self, listing_key: str, location_key: str) -> int | None:
        item = self._shop.item(listing_key)
        level = self._shop.level(item, self._location(location_key))
        return level.available if level is not None and item.tracked and not item.deleted else None

    def on_webhook(self, deliver: Callable[[str, Mapping[str, str], bytes], None]) -> None:
        """Take the delivering function; one that raises ConnectionError is asked again later, at `tick`."""
        self._office.hooks.deliver = deliver

    def tells_somebody(self) -> bool:
        return bool(self._office.hooks.subscriptions)

    def tick(self) -> None:
        self._office.tick()

    # private

    def _location(self, location_key: str) -> Location:
        return self._shop.locations[int(location_key)]

    def _order(self, order_id: str) -> Order:
        return self._shop.orders[int(order_id)]
