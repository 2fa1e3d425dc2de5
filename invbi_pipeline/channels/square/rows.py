"""Rows of the wall from Square's objects: one function a frame."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from invbi_pipeline.channels.square.facts import KINDS, RETURN_STEPS
from invbi_pipeline.channels.wall import Row, iso, payload_of
from invbi_pipeline.domain.words import Fulfilment, ListingStatus, MovementKind, OrderState, Quantity, ReturnState

__all__ = [
    "Variation",
    "count_row",
    "effect_rows",
    "listing_row",
    "location_row",
    "movement_rows",
    "order_rows",
    "return_rows",
    "uncounted_row",
]

Json = Mapping[str, Any]

_MINOR_DIGITS: Final = {
    "JPY": 0,
    "KRW": 0,
    "VND": 0,
    "CLP": 0,
    "ISK": 0,
    "BHD": 3,
    "KWD": 3,
    "JOD": 3,
    "OMR": 3,
    "TND": 3,
}  # ISO 4217
_STATES: Final = {"COMPLETED": OrderState.FULFILLED, "CANCELED": OrderState.CANCELLED}


class Variation:
    """A catalog variation with its item: what it is called, where it is present, where it is counted."""

    __slots__ = ("id", "item", "said")

    def __init__(self, said: Json, item: Json) -> None:
        self.id: Final[str] = said["id"]
        self.said: Final = said
        self.item: Final = item

    @property
    def deleted(self) -> bool:
        return bool(self.said.get("is_deleted"))

    def changed_after(self, moment: datetime) -> bool:
        """Say whether the variation itself changed, not only its item."""
        stated = iso(self.said.get("updated_at"))
        return stated is None or datetime.fromisoformat(stated) > moment

    def present(self, location: str) -> bool:
        """Say whether the location sells it at all."""
        if self.said.get("present_at_all_locations", True):
            return location not in (self.said.get("absent_at_location_ids") or ())
        return location in (self.said.get("present_at_location_ids") or ())

    def tracked(self, location: str) -> bool:
        """Say whether Square counts it there: the location's own setting, else the variation's."""
        data = self.said.get("item_variation_data") or {}
        for override in data.get("location_overrides") or ():
            if override.get("location_id") == location and override.get("track_inventory") is not None:
                return bool(override["track_inventory"])
        return bool(data.get("track_inventory"))


def location_row(location: Json) -> Row:
    """LOCATIONS."""
    return {
        "location_key": location["id"],
        "name": location.get("name"),
        "active": location.get("status") == "ACTIVE",
        "payload": payload_of({key: location.get(key) for key in ("id", "name", "status", "type", "timezone", "currency")}),
    }


def listing_row(variation: Variation) -> Row:
    """LISTINGS, with the name and the archive flag of the variation's item."""
    data: Json = variation.said.get("item_variation_data") or {}
    item: Json = variation.item.get("item_data") or {}
    name, option = item.get("name") or "", data.get("name") or ""
    money: Json = data.get("price_money") or {}
    return {
        "listing_key": variation.id,
        "raw_sku": data.get("sku") or "",
        "barcode": data.get("upc") or "",
        "title": f"{name} - {option}" if name and option and option != "Regular" else name or option,
        "style": name or data.get("item_id"),
        "status": _status(variation),
        "fulfilment": Fulfilment.MERCHANT,
        "product_id": data.get("item_id"),
        "variant_id": variation.id,
        "price": _amount(money),
        "currency": money.get("currency"),
        "updated_at": iso(variation.said.get("updated_at")),
        "payload": payload_of(variation.said),
    }


def _status(variation: Variation) -> ListingStatus:
    said, item = variation.said, variation.item.get("item_data") or {}
    if variation.deleted:
        return ListingStatus.DELETED
    nowhere = said.get("present_at_all_locations") is False and not said.get("present_at_location_ids")
    if nowhere or item.get("is_archived") or (said.get("item_variation_data") or {}).get("sellable") is False:
        return ListingStatus.INACTIVE
    return ListingStatus.ACTIVE


def count_row(count: Json, variation: Variation | None) -> Row:
    """STOCK of a counted pair; a variation that is not tracked there has no number, whatever is left of its counts."""
    tracked = variation is None or variation.tracked(count["location_id"])
    return {
        "listing_key": count["catalog_object_id"],
        "location_key": count["location_id"],
        "state": Quantity.KNOWN if tracked else Quantity.UNTRACKED,
        "quantity": _units(count["quantity"]) if tracked else None,
        "version": iso(count.get("calculated_at")) or "",
        "changed_at": iso(count.get("calculated_at")),
        "payload": payload_of(count),
    }


def uncounted_row(variation: Variation, location: str) -> Row:
    """STOCK of a pair without a count: it was never counted, which is unknown and not 0, or is not tracked."""
    state = Quantity.UNKNOWN if variation.tracked(location) else Quantity.UNTRACKED
    return {"listing_key": variation.id, "location_key": location, "state": state, "version": "", "payload": "{}"}


def order_rows(orders: Iterable[Json]) -> Iterator[Row]:
    """ORDER_LINES. Drafts, and lines that are not in the catalog (an amount typed at the till), hold no stock: left out."""
    for order in orders:
        if order.get("state") == "DRAFT":
            continue
        state = _STATES.get(order.get("state", ""), OrderState.OPEN)
        shipped, cancelled = _fulfilled(order, "COMPLETED"), _fulfilled(order, "CANCELED")
        for line in order.get("line_items") or ():
            if not line.get("catalog_object_id"):
                continue
            whole = Decimal(line["quantity"])
            ordered = Decimal(0) if state is OrderState.CANCELLED else whole - cancelled.get(line.get("uid", ""), Decimal(0))
            left = ordered - shipped.get(line.get("uid", ""), Decimal(0)) if state is OrderState.OPEN else Decimal(0)
            money: Json = line.get("base_price_money") or {}
            yield {
                "order_id": order["id"],
                "line_id": line.get("uid"),
                "external_id": order.get("reference_id") or "",
                "listing_key": line["catalog_object_id"],
                "location_key": order["location_id"],
                "state": state,
                "quantity": _units(ordered),
                "open_quantity": _units(max(left, Decimal(0))),
                "price": _amount(money),
                "currency": money.get("currency"),
                "ordered_at": iso(order.get("created_at")),
                "updated_at": iso(order.get("updated_at")),
                "payload": payload_of(
                    {"order": order["id"], "state": order.get("state"), "version": order.get("version"), **line}
                ),
            }


def _fulfilled(order: Json, state: str) -> Mapping[str, Decimal]:
    """Units of each line in the fulfilments of a state; one that lists no entries holds all that was ordered."""
    units: dict[str, Decimal] = {}
    for fulfilment in order.get("fulfillments") or ():
        if fulfilment.get("state") != state:
            continue
        whole = ({"line_item_uid": line.get("uid", ""), "quantity": line["quantity"]} for line in order.get("line_items") or ())
        for entry in fulfilment.get("entries") or () if fulfilment.get("line_item_application") == "ENTRY_LIST" else whole:
            line = entry["line_item_uid"]
            units[line] = units.get(line, Decimal(0)) + Decimal(entry["quantity"])
    return units


def movement_rows(changes: Iterable[Json]) -> Iterator[Row]:
    """MOVEMENTS: everything that moved or counted stock for sale; a transfer is two, one a place."""
    for change in changes:
        match change.get("type"):
            case "PHYSICAL_COUNT":
                count = change["physical_count"]
                if count.get("state") == "IN_STOCK":
                    said = {"kind": MovementKind.COUNT, "counted": _units(count["quantity"])}
                    yield _movement(change, count, count["id"], count["location_id"], said)
            case "ADJUSTMENT":
                adjustment = change["adjustment"]
                kind, units = _kind(adjustment)
                if kind is not None:
                    yield _movement(
                        change, adjustment, adjustment["id"], adjustment["location_id"], {"kind": kind, "units": units}
                    )
            case "TRANSFER":
                transfer = change["transfer"]
                document = {"reference": transfer.get("reference_id") or transfer["id"]}
                out = {"kind": MovementKind.TRANSFER_OUT, "units": _signed(transfer["quantity"], -1), **document}
                back = {"kind": MovementKind.TRANSFER_IN, "units": _signed(transfer["quantity"], 1), **document}
                yield _movement(change, transfer, f"{transfer['id']}/out", transfer["from_location_id"], out)
                yield _movement(change, transfer, f"{transfer['id']}/in", transfer["to_location_id"], back)
            case _:
                continue


def _movement(change: Json, body: Json, movement_id: str, location: str, said: Row) -> Row:
    return {
        "movement_id": movement_id,
        "listing_key": body["catalog_object_id"],
        "location_key": location,
        "occurred_at": iso(body.get("occurred_at")),
        "order_id": body.get("transaction_id") or body.get("refund_id"),
        "reference": body.get("reference_id") or "",
        "payload": payload_of(change),
        **said,
    }


def effect_rows(changes: Iterable[Json]) -> Iterator[Row]:
    """EFFECTS: the adjustments that an order or a refund made.

    They bear the time at which Square received them, not the time at which they occurred: a till that was offline books a sale
    late and under its earlier time, and a count read in between does not contain it.
    """
    for change in changes:
        adjustment: Json = change.get("adjustment") or {}
        order = adjustment.get("transaction_id") or adjustment.get("refund_id")
        kind, units = _kind(adjustment)
        if order and kind is not None:
            yield {
                "effect_id": adjustment["id"],
                "listing_key": adjustment["catalog_object_id"],
                "location_key": adjustment["location_id"],
                "kind": kind,
                "units": units,
                "stamped_at": iso(adjustment.get("created_at") or adjustment.get("occurred_at")),
                "order_id": order,
                "payload": payload_of(change),
            }


def return_rows(changes: Iterable[Json]) -> Iterator[Row]:
    """RETURNS: the adjustments that carry a refund. What was returned at a till waits until somebody puts it back or bins it."""
    for change in changes:
        adjustment: Json = change.get("adjustment") or {}
        refund = adjustment.get("refund_id")
        step = RETURN_STEPS.get((adjustment.get("from_state", ""), adjustment.get("to_state", "")))
        if refund and step is not None:
            yield {
                "event_id": adjustment["id"],
                "return_id": refund,
                "listing_key": adjustment["catalog_object_id"],
                "location_key": adjustment["location_id"],
                "state": step,
                "units": _units(adjustment["quantity"]),
                "damaged": True if step is ReturnState.WRITTEN_OFF else None,
                "occurred_at": iso(adjustment.get("occurred_at")),
                "order_id": refund,
                "payload": payload_of(change),
            }


def _kind(adjustment: Json) -> tuple[MovementKind | None, str]:
    """What an adjustment is to the shelf and its signed units; None where the stock for sale did not move."""
    states = adjustment.get("from_state", ""), adjustment.get("to_state", "")
    sign = (states[1] == "IN_STOCK") - (states[0] == "IN_STOCK")
    if sign == 0:
        return None, "0"
    return KINDS.get(states, MovementKind.ADJUSTMENT), _signed(adjustment["quantity"], sign)


def _units(quantity: str | Decimal) -> str:
    """Square's decimal string without the zeros behind the point; a true fraction stays, for the wall to refuse."""
    return f"{Decimal(quantity).normalize():f}"


def _signed(quantity: str, sign: int) -> str:
    return _units(Decimal(quantity) * sign)


def _amount(money: Json) -> str | None:
    if money.get("amount") is None:
        return None
    return str(Decimal(money["amount"]).scaleb(-_MINOR_DIGITS.get(money.get("currency", ""), 2)))
