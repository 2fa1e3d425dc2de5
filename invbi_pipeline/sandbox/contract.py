"""The seam between the simulated world and the emulated platforms.

The world decides what people do (buy, return, count, steal, type over a number); an `Account` is one emulated seller account
that applies it the way its platform would and shows it over HTTP. The world never edits an account's numbers by another way,
and an account knows nothing of the world.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, runtime_checkable

from starlette.applications import Starlette

from invbi_pipeline.domain.words import ReturnState

__all__ = ["UNLIMITED", "Account", "ItemSpec", "Line", "Moved", "TakesBack", "Wire", "WorldClock"]

UNLIMITED: Final = 100_000  # requests, or points, a second: what is stated where no limit is enforced, and nobody reaches


class WorldClock(Protocol):
    """The world's time, UTC. Everything an account stamps, and every rate limit it enforces, is on this clock."""

    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class ItemSpec:
    """A thing to list, as its seller types it into this platform."""

    sku: str  # raw: may be odd, empty, or a repeat
    barcode: str
    title: str
    style: str  # the parent product
    options: Mapping[str, str]  # {"Size": "M", "Colour": "Red"}
    price: float
    currency: str
    platform_fulfilled: bool = False
    tracked: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    listing_key: str
    quantity: int
    price: float = 0.0


@dataclass(frozen=True, slots=True)
class Moved:
    """One shipment or restocked return under the id by which the platform's public face lets it be named."""

    movement_id: str  # shipment "<order_id>/<line_id>/<fulfilment id>"; restocked return "<refund id>/<line_id>"
    listing_key: str
    location_key: str
    units: int  # signed, listing units: a shipment is negative


@dataclass(slots=True)
class Wire:
    """The account's wire faults, turned by the world (and by tests). Defaults: no fault, no lag."""

    down: bool = False  # connection-level: answers 503 to everything
    refuse: bool = False  # credentials are refused
    # one a request: "500", "500_after" (after the effect), "429", "cut", "timeout_after", "200_errors", "token_expired"
    fail_next: list[str] = field(default_factory=list)
    order_lag_s: float = 0.0  # orders become readable this long after they happened
    visibility_lag_s: float = 0.0  # an accepted write becomes readable this long after
    clock_skew_s: float = 0.0  # added to every time it states
    truncate_share: float = 0.0  # this share of the stock is missing from answers that look complete
    mass_zero: bool = False  # every quantity reads 0
    renumbered_at: datetime | None = None  # every number changed at once then: whoever asks for changes is given all
    untracked_all: bool = False
    stale_since: datetime | None = None  # reads answer with the numbers of then
    frozen: set[str] = field(default_factory=set)  # listing keys that accept writes and apply nothing
    drop_webhooks: bool = False
    # listing keys, or "key@location", whose next write is accepted and lost
    swallow_writes: set[str] = field(default_factory=set)
    taken: dict[str, datetime] = field(default_factory=dict)  # marketplaces: when a listing's last write was accepted
    reject_writes: set[str] = field(default_factory=set)  # listing keys whose writes are refused by the platform's own error
    hidden_rate: float = 0.0  # Square-like unpublished limit, requests per second; 0: the emulator's default
    enforce_limits: bool = True  # else nothing is refused, and answers state a rate of `UNLIMITED`

    def loses(self, listing_key: str, location_key: str = "") -> bool:
        """Say whether this accepted write is the one that is to be lost."""
        named = {listing_key, f"{listing_key}@{location_key}"} & self.swallow_writes
        self.swallow_writes -= named
        return bool(named)


@runtime_checkable
class TakesBack(Protocol):
    """An account whose platform says what became of goods that were brought back."""

    def take_back(
        self, order_id: str, listing_key: str, quantity: int, location_key: str, state: ReturnState, *, damaged: bool = False
    ) -> str:
        """Money back for shipped units that lie at a location; return the refund's id. ValueError: it has no word for that."""
        ...


@runtime_checkable
class TellsOfOrders(Protocol):
    """An account whose platform sends webhooks of its orders."""

    def tells_somebody(self) -> bool:
        """Say whether anybody has asked for webhooks."""
        ...


class Account(Protocol):
    """One emulated seller account. Keys are the platform's own ids; the world keeps the map to its skus."""

    name: str  # the system's name in invbi.toml
    platform: str
    wire: Wire
    app: Starlette  # its HTTP face, mounted by the server under /<name>; `base_url` of the system is <server>/<name>

    # set-up
    def add_location(self, key_hint: str, name: str, active: bool = True) -> str:
        """Return the platform's location key."""
        ...

    def add_item(self, spec: ItemSpec) -> str:
        """List it; return its listing key. A platform without locations ignores them below."""
        ...

    def stock(self, listing_key: str, location_key: str, quantity: int | None) -> None:
        """Set the opening number without leaving a trace in any history; None: not stocked here."""
        ...

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
        """A shopper buys; return the order id. `pos`: handed over at once (sale and shipment in one)."""
        ...

    def pay(self, order_id: str) -> None: ...

    def fulfil(self, order_id: str, quantities: Mapping[str, int] | None = None, location_key: str = "") -> None:
        """Ship all, or these {listing_key: units}."""
        ...

    def cancel(self, order_id: str, restock: bool = True) -> None:
        """Cancel what is not shipped."""
        ...

    def edit(self, order_id: str, listing_key: str, quantity: int) -> None:
        """Change the ordered units of a line that is not shipped (an order edit)."""
        ...

    def refund(self, order_id: str, listing_key: str, quantity: int, restock_to: str | None) -> str:
        """Money back for shipped units; goods back on the shelf at `restock_to`, or not restocked. Return its id."""
        ...

    def adjust(self, listing_key: str, location_key: str, delta: int, reason: str, reference: str = "") -> str:
        """Staff book a movement (words.MovementKind); return its id."""
        ...

    def count(self, listing_key: str, location_key: str, quantity: int) -> str:
        """Staff count the shelf and enter the number; return its id."""
        ...

    def type_over(self, listing_key: str, location_key: str, quantity: int) -> None:
        """Somebody (or another program) overwrites the number by hand."""
        ...

    def set_status(self, listing_key: str, status: str) -> None:
        """words.ListingStatus."""
        ...

    def rename(self, listing_key: str, sku: str | None = None, barcode: str | None = None) -> None: ...

    # what the world reads, by the back door, to judge
    def moved(self, order_id: str) -> Sequence[Moved]:
        """Every shipment and restocked return of this order so far, oldest first: what another program would book elsewhere."""
        ...

    def number(self, listing_key: str, location_key: str) -> int | None:
        """What a shopper could buy there now, as it stands in the platform's store (lags and wire faults ignored)."""
        ...

    def on_webhook(self, deliver: Callable[[str, Mapping[str, str], bytes], None]) -> None:
        """Hand over the function that delivers a webhook: (address, headers, body)."""
        ...

    def tick(self) -> None:
        """Called after the clock moved: due work (feeds, bulk operations, retries of webhooks) is done."""
        ...
