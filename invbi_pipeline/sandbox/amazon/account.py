"""One emulated Amazon seller account: what its shoppers and staff do, applied the way Amazon applies it."""

from collections.abc import Callable, Mapping, Sequence
from random import Random

from starlette.applications import Starlette

from invbi_pipeline.domain.words import ListingStatus, MovementKind
from invbi_pipeline.sandbox.amazon.http import amazon_face
from invbi_pipeline.sandbox.amazon.listings import MERCHANT, Listing
from invbi_pipeline.sandbox.amazon.lwa import Login
from invbi_pipeline.sandbox.amazon.orders import Order, OrderLine, Package, Version
from invbi_pipeline.sandbox.amazon.store import MARKETPLACES, Store
from invbi_pipeline.sandbox.contract import ItemSpec, Line, Moved, Wire, WorldClock

__all__ = ["AmazonAccount"]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class AmazonAccount:
    """`sandbox.contract.Account` for Amazon. A listing key is the seller SKU, and there is one number a listing.

    Locations are ignored: a merchant's stock has none (""), Amazon's own is under the fulfilment channel code. Secrets:
    "client_id", "client_secret", "refresh_token". `conversions` and `lead_time_resets` list the damage of careless writes.
    """

    platform = "amazon"

    def __init__(
        self,
        name: str,
        clock: WorldClock,
        rng: Random,
        base_url: str,
        secrets: Mapping[str, str],
        *,
        seller_id: str = "A2SELLER",
        marketplace: str = "A1F83G8C2ARO7P",
    ) -> None:
        self.name = name
        self.base_url = base_url
        self.wire = Wire()
        self._rng = rng
        self._store = Store(clock, rng, self.wire, seller_id, MARKETPLACES[marketplace], base_url)
        self._face = amazon_face(self._store, Login(clock, rng, self.wire, secrets))
        self._buyers = 0
        self.app: Starlette = self._face.app
        self.conversions = self._store.conversions
        self.lead_time_resets = self._store.lead_time_resets

    # set-up ---------------------------------------------------------------------------------------------------------

    def add_location(self, key_hint: str, name: str, active: bool = True) -> str:
        """Return the fulfilment channel code for Amazon's own warehouses (a hint that names "amazon" or "fc"), else ""."""
        hint = key_hint.lower()
        return self._store.marketplace.fulfilment_code if "amazon" in hint or hint.endswith("fc") else ""

    def add_item(self, spec: ItemSpec) -> str:
        """Return the listing's SKU: one is made up where none is given; a SKU that exists is the same listing, described anew."""
        now = self._store.times.now()
        sku = spec.sku or f"{self._code(2)}-{self._code(4)}-{self._code(4)}"
        known = self._store.listing(sku)
        if known is not None:
            known.title, known.barcode, known.price_cents = spec.title, spec.barcode, round(spec.price * 100)
            known.updated_at = now
            return sku
        self._store.listings[sku] = Listing(
            sku=sku,
            asin=f"B0{self._code(8)}",
            fnsku=f"X00{self._code(7)}",
            title=spec.title,
            barcode=spec.barcode,
            price_cents=round(spec.price * 100),
            currency=spec.currency,
            tracked=spec.tracked,
            channel=self._store.marketplace.fulfilment_code if spec.platform_fulfilled else MERCHANT,
            created_at=now,
            updated_at=now,
        )
        return sku

    def stock(self, listing_key: str, location_key: str, quantity: int | None) -> None:
        """Set the opening number: a merchant's quantity, or the fulfillable units in Amazon's warehouses."""
        self._set(self._store.listings[listing_key], quantity)

    # what people do -------------------------------------------------------------------------------------------------

    def order(
        self,
        lines: Sequence[Line],
        location_key: str = "",
        *,
        pos: bool = False,
        paid: bool = True,
        platform_fulfilled: bool = False,
    ) -> str:
        """Place an order, Pending while unpaid; its units leave the offer at once either way. Return its id.

        Who fulfils is the listings' own affair; `pos` and the place have no meaning here. Raises `ValueError` where one order
        mixes listings of both kinds, which Amazon splits.
        """
        now = self._store.times.now()
        self._buyers += 1
        self._store.settle()
        listings = [self._store.listings[line.listing_key] for line in lines]
        if len({listing.by_merchant for listing in listings}) > 1:
            raise ValueError("Amazon splits an order of listings that the merchant and Amazon fulfil")
        made = tuple(self._line(line, listing) for line, listing in zip(lines, listings, strict=True))
        place = (self._store.marketplace.id, self._store.marketplace.name)
        number = f"{self._rng.randrange(200, 210)}-{self._store.new_id(7)}-{self._store.new_id(7)}"
        first = Version(now, paid, {}, {})
        order = Order(number, now, made, not listings[0].by_merchant, listings[0].currency, place, self._buyers, [first])
        self._store.orders[order.id] = order
        for line in made:
            self._store.move(line.sku, -line.ordered)
            self._store.reserve(line.sku, line.ordered)
        self._store.order_changed(order)
        return order.id

    def pay(self, order_id: str) -> None:
        """Let the payment of a Pending order be authorised."""
        order = self._store.orders[order_id]
        if not order.now.paid:
            order.change(self._store.times.now(), paid=True)
            self._store.order_changed(order)

    def fulfil(self, order_id: str, quantities: Mapping[str, int] | None = None, location_key: str = "") -> None:
        """Ship all that is open, or these {listing_key: units}, in one package."""
        order, now = self._store.orders[order_id], self._store.times.now()
        units = _picked(order, quantities)
        if not units:
            return
        fulfilled = {item: order.now.fulfilled.get(item, 0) + units.get(item, 0) for item in {*order.now.fulfilled, *units}}
        package = Package(f"PKG{self._store.new_id(10)}", now, units)
        order.change(now, paid=True, fulfilled=fulfilled, packages=(*order.now.packages, package))
        for line in order.lines:
            self._store.reserve(line.sku, -units.get(line.item_id, 0))
        self._store.order_changed(order)

    def cancel(self, order_id: str, restock: bool = True) -> None:
        """Cancel what is not shipped; Amazon puts the units back on offer whatever is said of a restock."""
        order = self._store.orders[order_id]
        self._cancel_units(order, {item: units for item, units in order.open_units().items() if units > 0})

    def edit(self, order_id: str, listing_key: str, quantity: int) -> None:
        """Lower a line to these units, which on Amazon is a cancellation of the rest.

        Raises `ValueError` for more units: an Amazon order cannot grow.
        """
        order = self._store.orders[order_id]
        waiting, excess = order.open_units(), -quantity
        lines = [line for line in order.lines if line.sku == listing_key]
        excess += sum(line.ordered - order.now.cancelled.get(line.item_id, 0) for line in lines)
        if excess < 0:
            raise ValueError(f"the Amazon order {order_id} cannot grow")
        dropped = {}
        for line in lines:
            units = min(excess, waiting[line.item_id])
            if units > 0:
                dropped[line.item_id] = units
                excess -= units
        self._cancel_units(order, dropped)

    def refund(self, order_id: str, listing_key: str, quantity: int, restock_to: str | None) -> str:
        """Give money back. A merchant's number never rises by it; what Amazon takes back and restocks is sellable again."""
        listing = self._store.listings[listing_key]
        if restock_to is not None and not listing.by_merchant:
            self._store.move(listing_key, quantity)
        return f"amzn1:refund:{self._store.new_id(14)}"

    def adjust(self, listing_key: str, location_key: str, delta: int, reason: str, reference: str = "") -> str:
        """Change the number by units: the merchant types it, or Amazon's warehouse books it. Amazon keeps no ledger to read."""
        listing = self._store.listings[listing_key]
        if MovementKind(reason) is MovementKind.DAMAGE and not listing.by_merchant:
            listing.unfulfillable += max(0, -delta)
        self._store.move(listing_key, delta)
        return f"amzn1:adjustment:{self._store.new_id(14)}"

    def count(self, listing_key: str, location_key: str, quantity: int) -> str:
        """Set the number after a count of the shelf."""
        self._set(self._store.listings[listing_key], quantity)
        return f"amzn1:count:{self._store.new_id(14)}"

    def type_over(self, listing_key: str, location_key: str, quantity: int) -> None:
        """Type a quantity in the seller's own pages. Raises `ValueError` where Amazon fulfils: nobody can."""
        listing = self._store.listings[listing_key]
        if not listing.by_merchant:
            raise ValueError(f"the stock of {listing_key} is Amazon's to count")
        if listing_key not in self.wire.frozen:
            self._set(listing, quantity)

    def set_status(self, listing_key: str, status: str) -> None:
        """Close, reopen or delete a listing."""
        listing = self._store.listings[listing_key]
        listing.status = ListingStatus(status)
        listing.updated_at = self._store.times.now()

    def rename(self, listing_key: str, sku: str | None = None, barcode: str | None = None) -> None:
        """Type another barcode; another SKU is another listing, so the old one is deleted and made anew with its number.

        Raises `ValueError` where that SKU is taken.
        """
        listing, now = self._store.listings[listing_key], self._store.times.now()
        if barcode is not None:
            listing.barcode, listing.updated_at = barcode, now
        if sku is not None and sku != listing_key:
            if self._store.listing(sku) is not None:
                raise ValueError(f"the SKU {sku} is taken")
            self._relist(listing, sku)

    # the back door --------------------------------------------------------------------------------------------------

    def moved(self, order_id: str) -> Sequence[Moved]:
        """Return the order's shipments, oldest first. Amazon restocks nothing by itself."""
        order = self._store.orders[order_id]
        place = self._store.marketplace.fulfilment_code if order.by_amazon else ""
        skus = {line.item_id: line.sku for line in order.lines}
        return [
            Moved(f"{order.id}/{item}/{package.id}", skus[item], place, -units)
            for package in order.now.packages
            for item, units in package.units.items()
        ]

    def number(self, listing_key: str, location_key: str) -> int | None:
        """Return what can be bought, never below 0, an accepted quantity included; None: none stated, untracked or deleted."""
        self._face.settle()
        listing = self._store.listings[listing_key]
        if not listing.tracked or listing.status is ListingStatus.DELETED:
            return None
        last = max(listing.pending, key=lambda each: each.due, default=None)
        quantity = last.quantity if last else listing.quantity if listing.by_merchant else listing.fulfillable
        return None if quantity is None else max(0, quantity)

    def on_webhook(self, deliver: Callable[[str, Mapping[str, str], bytes], None]) -> None:
        """Take the delivering function. Amazon writes to queues, never over HTTP: the address is a queue's ARN."""
        self._store.notifications.deliver = deliver

    def tick(self) -> None:
        """Process the feeds, write the reports, apply the quantities and write the notifications that have come due."""
        self._face.settle()

    def _set(self, listing: Listing, quantity: int | None) -> None:
        self._store.settle()
        if listing.by_merchant:
            listing.quantity = quantity
        else:
            listing.fulfillable = quantity
        listing.record(self._store.times.now())
        self._store.notifications.quantity_changed(listing, self._store.marketplace.id)

    def _cancel_units(self, order: Order, units: Mapping[str, int]) -> None:
        if not units:
            return
        cancelled = {item: order.now.cancelled.get(item, 0) + units.get(item, 0) for item in {*order.now.cancelled, *units}}
        order.change(self._store.times.now(), cancelled=cancelled)
        for line in order.lines:
            dropped = units.get(line.item_id, 0)
            if dropped:
                self._store.move(line.sku, dropped)
                self._store.reserve(line.sku, -dropped)
        self._store.order_changed(order)

    def _relist(self, old: Listing, sku: str) -> None:
        spec = ItemSpec(
            sku, old.barcode, old.title, "", {}, old.price_cents / 100, old.currency, not old.by_merchant, old.tracked
        )
        made = self._store.listings[self.add_item(spec)]
        made.asin = old.asin
        self._set(made, old.quantity if old.by_merchant else old.fulfillable)
        self.set_status(old.sku, ListingStatus.DELETED)

    def _line(self, line: Line, listing: Listing) -> OrderLine:
        cents = round(line.price * 100) or listing.price_cents
        return OrderLine(self._store.new_id(14), listing.sku, listing.asin, listing.title, line.quantity, cents)

    def _code(self, length: int) -> str:
        return "".join(self._rng.choices(_LETTERS, k=length))


def _picked(order: Order, quantities: Mapping[str, int] | None) -> dict[str, int]:
    """Return {item id: units} to ship: all that is open, or at most these {listing_key: units}."""
    waiting = {item: units for item, units in order.open_units().items() if units > 0}
    if quantities is None:
        return waiting
    left, picked = dict(quantities), {}
    for line in order.lines:
        units = min(waiting.get(line.item_id, 0), left.get(line.sku, 0))
        if units > 0:
            picked[line.item_id] = units
            left[line.sku] -= units
    return picked
