"""An emulated shop's orders as it keeps them: lines, fulfilment orders, shipments, refunds and sales agreements."""

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime

from invbi_pipeline.sandbox.shopify.catalogue import Item, Location

__all__ = [
    "Agreement",
    "Disposition",
    "Fulfilment",
    "FulfilmentLine",
    "FulfilmentOrder",
    "FulfilmentOrderLine",
    "Order",
    "OrderLine",
    "Refund",
    "RefundLine",
    "Return",
    "ReturnLine",
    "ReverseOrder",
    "Sale",
    "buyer",
]

_FIRST = ("Casey", "Robin", "Sasha", "Morgan", "Alex", "Jamie", "Quinn", "Avery", "Noor", "Yuki", "Imre")
_LAST = ("Turner", "Okafor", "Lindqvist", "Moreau", "Kowalski", "Haddad", "Baxter", "Tanaka", "Silva")
_STREETS = ("Willow Street", "Harbour Lane", "Mill Road", "Castle Hill", "Orchard Close")

_VERSIONS = 12  # more changes of one order than fall into any lag


@dataclass(slots=True, eq=False)
class OrderLine:
    id: int
    item: Item
    sku: str
    title: str
    variant_title: str
    price: float
    quantity: int  # as ordered; removals do not lower it
    fulfilled: int = 0
    cancelled: int = 0  # removed before they were shipped
    returned: int = 0  # refunded after they were shipped

    @property
    def current(self) -> int:
        return self.quantity - self.cancelled - self.returned

    @property
    def unfulfilled(self) -> int:
        return self.quantity - self.cancelled - self.fulfilled


@dataclass(slots=True, eq=False)
class FulfilmentOrderLine:
    id: int
    line: OrderLine
    total: int
    remaining: int


@dataclass(slots=True, eq=False)
class FulfilmentOrder:
    order: "Order"
    id: int
    location: Location
    created_at: datetime
    updated_at: datetime
    lines: list[FulfilmentOrderLine] = field(default_factory=list)
    shipped: bool = False  # something left under it

    @property
    def status(self) -> str:
        if any(line.remaining for line in self.lines):
            return "IN_PROGRESS" if self.shipped else "OPEN"
        return "CLOSED" if self.shipped else "CANCELLED"


@dataclass(slots=True, eq=False)
class FulfilmentLine:
    id: int
    line: OrderLine
    quantity: int


@dataclass(slots=True, eq=False)
class Fulfilment:
    order: "Order"
    id: int
    name: str
    location: Location
    created_at: datetime
    lines: list[FulfilmentLine]
    under: list[FulfilmentOrder]


@dataclass(slots=True, eq=False)
class RefundLine:
    id: int
    line: OrderLine
    quantity: int
    restock_type: str  # RETURN, CANCEL or NO_RESTOCK
    location: Location | None


@dataclass(slots=True, eq=False)
class Refund:
    order: "Order"
    id: int
    created_at: datetime
    note: str
    lines: list[RefundLine]


@dataclass(slots=True, eq=False)
class Disposition:
    """What the shop's people did with returned units, and where."""

    id: int
    kind: str  # RESTOCKED, PROCESSING_REQUIRED, NOT_RESTOCKED or MISSING
    quantity: int
    location: Location
    created_at: datetime


@dataclass(slots=True, eq=False)
class ReturnLine:
    id: int
    shipped: FulfilmentLine  # what of it comes back
    quantity: int
    reason: str  # of ReturnReason
    dispositions: list[Disposition] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class ReverseOrder:
    """The work of taking a return in: a reverse fulfilment order."""

    id: int
    order: "Order"
    lines: list[ReturnLine]


@dataclass(slots=True, eq=False)
class Return:
    order: "Order"
    id: int
    created_at: datetime
    lines: list[ReturnLine]
    reverse: list[ReverseOrder] = field(default_factory=list)

    @property
    def waiting(self) -> bool:
        """Some of it lies there, and nobody has decided yet."""
        return any(done.kind == "PROCESSING_REQUIRED" for line in self.lines for done in line.dispositions)


@dataclass(slots=True, eq=False)
class Sale:
    id: int
    action: str  # ORDER, UPDATE or RETURN
    line: OrderLine
    quantity: int  # signed


@dataclass(slots=True, eq=False)
class Agreement:
    order: "Order"
    id: int
    kind: str  # OrderAgreement, OrderEditAgreement or RefundAgreement
    happened_at: datetime
    sales: list[Sale]
    refund: Refund | None = None


@dataclass(slots=True, eq=False)
class Order:
    id: int
    number: int
    source_name: str  # web or pos
    retail_location: Location | None
    currency: str
    paid: bool
    created_at: datetime
    updated_at: datetime
    lines: list[OrderLine] = field(default_factory=list)
    fulfilment_orders: list[FulfilmentOrder] = field(default_factory=list)
    fulfilments: list[Fulfilment] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    agreements: list[Agreement] = field(default_factory=list)
    cancelled_at: datetime | None = None
    closed_at: datetime | None = None
    edited: bool = False
    earlier: "list[Order]" = field(default_factory=list)  # versions that a lagging index still shows

    @property
    def name(self) -> str:
        return f"#{self.number}"

    @property
    def financial_status(self) -> str:
        refunded = sum(line.returned + line.cancelled for line in self.lines)
        if not self.paid:
            return "VOIDED" if self.cancelled_at else "PENDING"
        if not refunded:
            return "PAID"
        return "PARTIALLY_REFUNDED" if any(line.current for line in self.lines) else "REFUNDED"

    @property
    def fulfilment_status(self) -> str:
        if any(line.unfulfilled for line in self.lines):
            return "PARTIALLY_FULFILLED" if self.fulfilments else "UNFULFILLED"
        return "FULFILLED" if self.fulfilments else "RESTOCKED"

    @property
    def return_status(self) -> str:
        if not self.returns:
            return "NO_RETURN"
        return "IN_PROGRESS" if any(each.waiting for each in self.returns) else "RETURNED"

    def keep_version(self, lag_s: float) -> None:
        """Before a change: keep how the order stands, for a lagging index to show."""
        if lag_s <= 0:
            return
        versions, self.earlier = self.earlier, []
        version = deepcopy(self)
        self.earlier = [*versions[-_VERSIONS:], version]

    def as_of(self, moment: datetime) -> "Order | None":
        """Return the order as an index that has read up to this moment (the platform's time) knows it."""
        if self.updated_at <= moment:
            return self
        return next((version for version in reversed(self.earlier) if version.updated_at <= moment), None)


def buyer(order: Order) -> dict[str, str]:
    """Return an invented person, the same for the same order: the personal fields a client must never keep.

    The telephone numbers are of the range that Ofcom keeps free for drama.
    """
    seed = order.id
    first, last = _FIRST[seed % len(_FIRST)], _LAST[seed // 7 % len(_LAST)]
    return {
        "first_name": first,
        "last_name": last,
        "name": f"{first} {last}",
        "email": f"{first}.{last}.{order.number}@buyers.example".lower(),
        "phone": f"+44 7700 900{seed % 1000:03d}",
        "address1": f"{1 + seed % 180} {_STREETS[seed % len(_STREETS)]}",
        "city": "Sheffield",
        "zip": f"S{1 + seed % 9} {seed % 9}AB",
        "ip": f"192.0.2.{seed % 254 + 1}",
    }
