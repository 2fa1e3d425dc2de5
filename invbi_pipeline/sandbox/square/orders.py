"""Orders and returns, kept as versions so that a late feed can show the order as it stood then.

A return is an order of its own with `returns[]` and `source_order_id`, as Square makes it. Buyers' fields are invented, and every
one of them holds the word "Private", so that a test can prove that none gets further than it should.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

__all__ = ["Fulfilment", "Order", "OrderLine", "Return", "Version"]

States = Callable[[datetime], str]


@dataclass(frozen=True, slots=True)
class OrderLine:
    uid: str
    variation: str
    item_name: str
    variation_name: str
    quantity: int
    price_cents: int


@dataclass(frozen=True, slots=True)
class Fulfilment:
    uid: str
    state: str  # PROPOSED, COMPLETED, CANCELED
    units: Mapping[str, int]  # line uid -> units
    at: datetime


@dataclass(frozen=True, slots=True)
class Return:
    """What came back: units of lines of another order."""

    refund_id: str
    source_order_id: str
    lines: tuple[tuple[OrderLine, str], ...]  # the return's own line, and the uid it gives back


@dataclass(frozen=True, slots=True)
class Version:
    """An order as it stood from a moment on."""

    at: datetime
    number: int
    state: str  # OPEN, COMPLETED, CANCELED
    lines: tuple[OrderLine, ...]
    fulfilments: tuple[Fulfilment, ...] = ()
    paid: bool = True
    closed_at: datetime | None = None


@dataclass(slots=True)
class Order:
    """One order with all its versions, oldest first."""

    id: str
    location: str
    currency: str
    created_at: datetime
    versions: list[Version]
    pos: bool
    buyer: int  # which invented buyer
    returned: Return | None = None
    refunded: dict[str, int] = field(default_factory=dict)  # line uid -> units given back

    @property
    def now(self) -> Version:
        return self.versions[-1]

    def seen(self, until: datetime) -> Version | None:
        """Return the version that was the newest at a moment; None: there was none yet."""
        return next((version for version in reversed(self.versions) if version.at <= until), None)

    def change(self, at: datetime, **values: Any) -> None:
        """Add a version that differs in these fields."""
        self.versions.append(replace(self.now, at=at, number=self.now.number + 1, **values))

    def shipped(self) -> dict[str, int]:
        """Return the units of each line that were handed over."""
        return self._units("COMPLETED")

    def open_units(self) -> dict[str, int]:
        """Return the units of each line that are still to be handed over."""
        shipped = self.shipped()
        if self.now.state != "OPEN":
            return {}
        return {line.uid: line.quantity - shipped.get(line.uid, 0) for line in self.now.lines}

    def _units(self, state: str) -> dict[str, int]:
        if self.pos:
            return {line.uid: line.quantity for line in self.now.lines} if self.now.state == state else {}
        units: dict[str, int] = {}
        for fulfilment in self.now.fulfilments:
            if fulfilment.state == state:
                for uid, count in fulfilment.units.items():
                    units[uid] = units.get(uid, 0) + count
        return units

    def render(self, version: Version, state: States) -> dict[str, Any]:
        """Return Square's Order object."""
        made: dict[str, Any] = {
            "id": self.id,
            "location_id": self.location,
            "source": {"name": "Square Point of Sale" if self.pos else "Square Online"},
            "created_at": state(self.created_at),
            "updated_at": state(version.at),
            "state": version.state,
            "version": version.number,
        }
        if version.closed_at is not None:
            made["closed_at"] = state(version.closed_at)
        if self.returned is not None:
            return {**made, **self._render_return(self.returned, state)}
        total = sum(line.quantity * line.price_cents for line in version.lines)
        made["line_items"] = [self._render_line(line) for line in version.lines]
        made["total_money"] = self._money(total)
        made["customer_id"] = f"PRIVATECUSTOMER{self.buyer:08d}"
        if self.pos:
            made["ticket_name"] = f"Private Guest {self.buyer}"
        else:
            made["fulfillments"] = [self._render_fulfilment(each, version, state) for each in version.fulfilments]
        if version.paid:
            made["tenders"] = [self._render_tender(total, state)]
        return made

    def _render_line(self, line: OrderLine) -> dict[str, Any]:
        gross = line.quantity * line.price_cents
        return {
            "uid": line.uid,
            "catalog_object_id": line.variation,
            "name": line.item_name,
            "variation_name": line.variation_name,
            "item_type": "ITEM",
            "quantity": str(line.quantity),
            "base_price_money": self._money(line.price_cents),
            "gross_sales_money": self._money(gross),
            "total_money": self._money(gross),
        }

    def _render_fulfilment(self, fulfilment: Fulfilment, version: Version, state: States) -> dict[str, Any]:
        whole = dict(fulfilment.units) == {line.uid: line.quantity for line in version.lines}
        made: dict[str, Any] = {
            "uid": fulfilment.uid,
            "type": "SHIPMENT",
            "state": fulfilment.state,
            "line_item_application": "ALL" if whole else "ENTRY_LIST",
            "shipment_details": {
                "placed_at": state(self.created_at),
                "recipient": {
                    "display_name": f"Private Person {self.buyer}",
                    "email_address": f"Private.{self.buyer}@example.com",
                    "phone_number": f"Private 0{self.buyer}",
                    "address": {"address_line_1": f"{self.buyer} Private Street", "postal_code": "PRIVATE", "country": "GB"},
                },
                **({"shipped_at": state(fulfilment.at)} if fulfilment.state == "COMPLETED" else {}),
                **({"canceled_at": state(fulfilment.at)} if fulfilment.state == "CANCELED" else {}),
            },
        }
        if not whole:
            entries = enumerate(fulfilment.units.items(), start=1)
            made["entries"] = [
                {"uid": f"{fulfilment.uid}-{n}", "line_item_uid": uid, "quantity": str(units)} for n, (uid, units) in entries
            ]
        return made

    def _render_tender(self, total: int, state: States) -> dict[str, Any]:
        card = {"card_brand": "VISA", "last_4": f"{self.buyer % 10000:04d}", "cardholder_name": f"Private Person {self.buyer}"}
        return {
            "id": f"TENDER{self.id}",
            "location_id": self.location,
            "transaction_id": self.id,
            "created_at": state(self.created_at),
            "type": "CARD",
            "amount_money": self._money(total),
            "card_details": {"status": "CAPTURED", "card": card},
        }

    def _render_return(self, returned: Return, state: States) -> dict[str, Any]:
        lines = [
            {
                "uid": line.uid,
                "source_line_item_uid": source,
                "catalog_object_id": line.variation,
                "name": line.item_name,
                "variation_name": line.variation_name,
                "item_type": "ITEM",
                "quantity": str(line.quantity),
                "base_price_money": self._money(line.price_cents),
                "gross_return_money": self._money(line.quantity * line.price_cents),
                "total_money": self._money(line.quantity * line.price_cents),
            }
            for line, source in returned.lines
        ]
        total = sum(line.quantity * line.price_cents for line, _ in returned.lines)
        refund = {
            "id": returned.refund_id,
            "location_id": self.location,
            "transaction_id": returned.source_order_id,
            "tender_id": f"TENDER{returned.source_order_id}",
            "created_at": state(self.created_at),
            "reason": "Returned goods",
            "amount_money": self._money(total),
            "status": "APPROVED",
        }
        given = {"uid": f"R{self.id}", "source_order_id": returned.source_order_id, "return_line_items": lines}
        return {"returns": [given], "refunds": [refund], "return_amounts": {"total_money": self._money(total)}}

    def _money(self, cents: int) -> dict[str, Any]:
        return {"amount": cents, "currency": self.currency}
