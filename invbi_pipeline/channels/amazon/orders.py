"""Rows of the wall from Amazon's orders: lines, what they did to the number shown, and what left a shelf.

Amazon states how many units of an item are shipped and how many are open, not when each of them was. Ids are therefore of single
units (".../shipped/<n>", ".../cancel/<n>", n counting from 1): a later read repeats the earlier units and adds the later ones, so
nothing is counted twice and nothing is lost however rarely we look. A unit bears the time at which its package was shipped or,
where there is none, the order's last update at the first read that showed it; whoever stores the rows keeps the earliest time of
an id.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from invbi_pipeline.channels.wall import Row, iso, payload_of
from invbi_pipeline.domain.words import MovementKind, OrderState

__all__ = ["OrderReader"]

Json = Mapping[str, Any]

_STATES: Final = {
    "PENDING_AVAILABILITY": OrderState.PENDING,
    "PENDING": OrderState.PENDING,
    "UNSHIPPED": OrderState.OPEN,
    "PARTIALLY_SHIPPED": OrderState.OPEN,
    "SHIPPED": OrderState.FULFILLED,
    "CANCELLED": OrderState.CANCELLED,
    "UNFULFILLABLE": OrderState.CANCELLED,
}


class OrderReader:
    """Turns orders into rows, and remembers the first time it saw each unit shipped or cancelled."""

    def __init__(self, fulfilment_code: str) -> None:
        self._code = fulfilment_code
        self._seen: dict[str, str] = {}

    def lines(self, order: Json) -> Iterator[Row]:
        """ORDER_LINES."""
        for item in order["orderItems"]:
            _, shipped, still_open = _units(order, item)
            quantity = shipped + still_open
            product: Json = item.get("product") or {}
            price: Json = (product.get("price") or {}).get("unitPrice") or {}
            yield {
                "order_id": order["orderId"],
                "line_id": item["orderItemId"],
                "external_id": "",
                "listing_key": product.get("sellerSku"),
                "raw_sku": product.get("sellerSku"),
                "location_key": self._place(order),
                "state": _line_state(order, quantity, still_open),
                "quantity": quantity,
                "open_quantity": still_open,
                "price": price.get("amount"),
                "currency": price.get("currencyCode"),
                "ordered_at": iso(order["createdTime"]),
                "updated_at": iso(order["lastUpdatedTime"]),
                "payload": payload_of({"orderId": order["orderId"], "status": _status(order), **item}),
            }

    def effects(self, order: Json) -> Iterator[Row]:
        """EFFECTS: the number falls by all units when the order is placed, paid or not, and rises by each unit cancelled."""
        for item in order["orderItems"]:
            ordered, shipped, still_open = _units(order, item)
            if ordered <= 0:
                continue
            key = f"{order['orderId']}/{item['orderItemId']}"
            yield self._effect(order, item, f"{key}/sale", MovementKind.SALE, -ordered, order["createdTime"])
            for n in range(1, ordered - shipped - still_open + 1):
                effect = f"{key}/cancel/{n}"
                yield self._effect(order, item, effect, MovementKind.CANCEL, 1, self._first_seen(effect, order))

    def movements(self, order: Json) -> Iterator[Row]:
        """MOVEMENTS: what was shipped, by package where the merchant ships; the rest by unit."""
        for item in order["orderItems"]:
            _, shipped, _ = _units(order, item)
            key, packed = f"{order['orderId']}/{item['orderItemId']}", 0
            for package in order.get("packages") or ():
                units = _packed(package, item["orderItemId"])
                if units:
                    packed += units
                    at = package.get("shipTime") or package.get("createdTime") or order["lastUpdatedTime"]
                    yield self._movement(order, item, f"{key}/{package['packageReferenceId']}", -units, at)
            for n in range(packed + 1, shipped + 1):
                movement = f"{key}/shipped/{n}"
                yield self._movement(order, item, movement, -1, self._first_seen(movement, order))

    def _effect(self, order: Json, item: Json, effect_id: str, kind: MovementKind, units: int, at: str) -> Row:
        said = {"effect_id": effect_id, "kind": kind, "units": units, "stamped_at": iso(at)}
        return {**said, **self._whose(order, item), "payload": "{}"}

    def _movement(self, order: Json, item: Json, movement_id: str, units: int, at: str) -> Row:
        said = {"movement_id": movement_id, "kind": MovementKind.SALE, "units": units, "occurred_at": iso(at), "reference": ""}
        return {**said, **self._whose(order, item), "payload": "{}"}

    def _whose(self, order: Json, item: Json) -> Row:
        return {
            "listing_key": (item.get("product") or {}).get("sellerSku"),
            "location_key": self._place(order),
            "order_id": order["orderId"],
            "line_id": item["orderItemId"],
        }

    def _place(self, order: Json) -> str:
        """Empty for what the merchant ships; Amazon's own stock by its code."""
        return self._code if (order.get("fulfillment") or {}).get("fulfilledBy") == "AMAZON" else ""

    def _first_seen(self, unit: str, order: Json) -> str:
        return self._seen.setdefault(unit, order["lastUpdatedTime"])


def _status(order: Json) -> str:
    return str((order.get("fulfillment") or {}).get("fulfillmentStatus") or "")


def _units(order: Json, item: Json) -> tuple[int, int, int]:
    """Units ordered, shipped and still open; what is in neither of the latter was cancelled."""
    ordered = int(item["quantityOrdered"])
    fulfilment: Json = item.get("fulfillment") or {}
    shipped = int(fulfilment.get("quantityFulfilled") or 0)
    if _STATES.get(_status(order)) is OrderState.CANCELLED:
        return ordered, shipped, 0
    return ordered, shipped, int(fulfilment.get("quantityUnfulfilled", ordered - shipped))


def _line_state(order: Json, quantity: int, still_open: int) -> OrderState:
    if quantity == 0:
        return OrderState.CANCELLED
    if still_open == 0:
        return OrderState.FULFILLED
    return _STATES.get(_status(order), OrderState.OPEN)


def _packed(package: Json, item_id: str) -> int:
    if (package.get("packageStatus") or {}).get("status") == "CANCELLED":
        return 0
    return sum(int(each["quantity"]) for each in package.get("packageItems") or () if each["orderItemId"] == item_id)
