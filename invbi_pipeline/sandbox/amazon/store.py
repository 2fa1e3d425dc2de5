"""Everything one Amazon seller account holds, and the numbers it shows through the wire's planted faults."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from zlib import crc32

from invbi_pipeline.domain.words import ListingStatus
from invbi_pipeline.sandbox.amazon.listings import MERCHANT, Listing, PendingQuantity
from invbi_pipeline.sandbox.amazon.notifications import Notifications
from invbi_pipeline.sandbox.amazon.orders import Order, Version
from invbi_pipeline.sandbox.amazon.times import Times
from invbi_pipeline.sandbox.contract import Wire, WorldClock

__all__ = ["MARKETPLACES", "Marketplace", "Shown", "Store"]


@dataclass(frozen=True, slots=True)
class Marketplace:
    """What `getMarketplaceParticipations` says of a marketplace, and the code of its platform-fulfilled stock."""

    id: str
    name: str
    country: str
    currency: str
    language: str
    domain: str
    fulfilment_code: str


MARKETPLACES = {
    row.id: row
    for row in (
        Marketplace("A1F83G8C2ARO7P", "Amazon.co.uk", "GB", "GBP", "en_GB", "www.amazon.co.uk", "AMAZON_EU"),
        Marketplace("A1PA6795UKMFR9", "Amazon.de", "DE", "EUR", "de_DE", "www.amazon.de", "AMAZON_EU"),
        Marketplace("ATVPDKIKX0DER", "Amazon.com", "US", "USD", "en_US", "www.amazon.com", "AMAZON_NA"),
    )
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A listing's numbers as a read answers them; None: it states none."""

    quantity: int | None
    fulfillable: int | None
    reserved: int


class Store:
    """The account's state. What it says goes through `shown`; what is so stands in the listings."""

    def __init__(
        self, clock: WorldClock, rng: Random, wire: Wire, seller_id: str, marketplace: Marketplace, base_url: str
    ) -> None:
        self.clock = clock
        self.rng = rng
        self.wire = wire
        self.times = Times(clock, wire)
        self.seller_id = seller_id
        self.marketplace = marketplace
        self.base_url = base_url.rstrip("/")
        self.listings: dict[str, Listing] = {}
        self.orders: dict[str, Order] = {}
        self.conversions: list[tuple[str, datetime]] = []  # platform-fulfilled listings that a write made the merchant's
        self.lead_time_resets: list[tuple[str, datetime]] = []  # a replace that lost the handling time
        self.notifications = Notifications(self.times, rng, wire, seller_id)
        self._unsettled: set[str] = set()

    def new_id(self, digits: int) -> str:
        """Return a random number of so many digits."""
        return f"{self.rng.randrange(10 ** (digits - 1), 10**digits)}"

    def listing(self, sku: str) -> Listing | None:
        """Return a listing that exists and is not deleted."""
        found = self.listings.get(sku)
        return None if found is None or found.status is ListingStatus.DELETED else found

    def alive(self) -> list[Listing]:
        """Return the listings that lists and reports show: all but the deleted, less a planted share."""
        share = self.wire.truncate_share * 10_000
        every = (each for each in self.listings.values() if each.status is not ListingStatus.DELETED)
        return [each for each in every if not share or crc32(each.sku.encode()) % 10_000 >= share]

    # writes ---------------------------------------------------------------------------------------------------------

    def move(self, sku: str, units: int) -> None:
        """Let an order or a person change the number by units; a frozen listing stands still."""
        listing, now = self.listings[sku], self.times.now()
        self.settle()
        if sku not in self.wire.frozen:
            listing.move(units, now)
            self.notifications.quantity_changed(listing, self.marketplace.id)

    def order_changed(self, order: Order) -> None:
        """Let those who subscribed know of an order's newest version."""
        self.notifications.order_changed(order, self.marketplace.id)

    def reserve(self, sku: str, units: int) -> None:
        """Set units of platform-fulfilled stock aside for an order, or (negative) let them go."""
        listing = self.listings[sku]
        if not listing.by_merchant and sku not in self.wire.frozen:
            listing.reserved += units
            listing.record(self.times.now())

    def accept(self, listing: Listing, pending: PendingQuantity) -> None:
        """Take an accepted quantity: it is applied when it is due, unless the wire loses it."""
        self.wire.taken[listing.sku] = self.times.now()
        if self.wire.loses(listing.sku) or listing.sku in self.wire.frozen:
            return
        listing.pending.append(pending)
        self._unsettled.add(listing.sku)
        self.settle()

    def settle(self) -> None:
        """Apply every accepted quantity that has come due."""
        now = self.times.now()
        for sku in sorted(self._unsettled):
            listing = self.listings[sku]
            was_merchant, lead_time = listing.by_merchant, listing.lead_time_days
            applied = listing.settle(now)
            if applied and not was_merchant and listing.channel == MERCHANT:
                self.conversions.append((sku, applied[0].due))
            if applied and lead_time is not None and listing.lead_time_days is None:
                self.lead_time_resets.append((sku, applied[-1].due))
            if applied:
                self.notifications.quantity_changed(listing, self.marketplace.id)
            if not listing.pending:
                self._unsettled.discard(sku)

    # reads, through the wire's faults -------------------------------------------------------------------------------

    def shown(self, listing: Listing, as_of: datetime | None = None) -> Shown:
        """Return a listing's numbers as a read answers them now, or a report of a moment."""
        moment = self.wire.stale_since if as_of is None else min(as_of, self.wire.stale_since or as_of)
        if moment is None:
            quantity, fulfillable, reserved = listing.quantity, listing.fulfillable, listing.reserved
        else:
            quantity, fulfillable, reserved = listing.as_of(moment)
        if not listing.tracked or self.wire.untracked_all:
            return Shown(None, None, 0)
        if self.wire.mass_zero:
            return Shown(None if quantity is None else 0, None if fulfillable is None else 0, reserved)
        return Shown(
            None if quantity is None else max(0, quantity), None if fulfillable is None else max(0, fulfillable), reserved
        )

    def updated(self, listing: Listing) -> datetime:
        """Return when a listing changed last, as far as reads know."""
        stale = self.wire.stale_since
        changed_at = max(listing.updated_at, self.wire.renumbered_at or listing.updated_at)
        return changed_at if stale is None else min(changed_at, stale)

    def readable(self, order: Order) -> Version | None:
        """Return an order as it stood when the feed last caught up; None: the feed has not heard of it."""
        return order.seen(self.times.now() - timedelta(seconds=self.wire.order_lag_s))

    def readable_orders(self) -> list[tuple[Order, Version]]:
        """Return the orders that can be read now, each as it stood when the feed last caught up."""
        seen = ((order, self.readable(order)) for order in self.orders.values())
        return [(order, version) for order, version in seen if version is not None]
