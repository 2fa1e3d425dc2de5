"""Decoys: ordinary things that look like faults and are none. A detector that raises one of them is wrong."""

from collections.abc import Callable

from invbi_pipeline.domain.words import MovementKind
from invbi_pipeline.sandbox.contract import ItemSpec
from invbi_pipeline.sandbox.world.faults.kit import FaultKit, NoVictimError, Options, Spot
from invbi_pipeline.sandbox.world.faults.planted import Decoy
from invbi_pipeline.sandbox.world.places import Listing, System

__all__ = ["Decoys"]

_FLASH_ORDERS = 4
_EXPIRES_MINUTES = 25.0


class Decoys:
    """Makers of decoys, by kind; `made` are those of this world so far."""

    def __init__(self, kit: FaultKit) -> None:
        self._kit = kit
        self.made: list[Decoy] = []
        self._makers: dict[str, Callable[[Options], Spot]] = {
            "late_order": self.late_order,
            "push_in_flight": self.push_in_flight,
            "legal_cap": self.legal_cap,
            "flash_sale": self.flash_sale,
            "kit_sale": self.kit_sale,
            "pending_expires": self.pending_expires,
            "backorder": self.backorder,
            "new_listing": self.new_listing,
            "cancelled_and_restocked": self.cancelled_and_restocked,
        }

    @property
    def kinds(self) -> list[str]:
        return sorted(self._makers)

    def make(self, kind: str, options: Options) -> Decoy:
        """Let one happen now. Raises KeyError for an unknown kind and `NoVictimError` where nothing suits."""
        spot = self._makers[kind](options)
        made = Decoy(kind, spot.system.name, self._kit.business.now, spot.listing.key, spot.listing.sku, spot.place)
        self.made.append(made)
        self._kit.business.note("decoy", kind, made.system, made.listing_key, made.location)
        return made

    def late_order(self, options: Options) -> Spot:
        """An order whose feed comes late: the number moves before anybody tells why."""
        spot = self._kit.spot(options, 3)
        self._order(spot, 1)
        return spot

    def push_in_flight(self, options: Options) -> Spot:
        """Goods come in, so that every channel's number is raised: a look between sees the old one."""
        spot = self._kit.spot(options, 1, self._counted)
        self._kit.goods.book(self._shelf(spot), spot.listing.sku, self._kit.rng.randint(1, 6), MovementKind.RECEIPT)
        return spot

    def legal_cap(self, options: Options) -> Spot:
        """A cap holds the number below what is there; the merchant's own policy says so."""
        capped = {(r.channel, r.sku) for r in self._kit.business.policies.rows if r.name == "max_offer" and r.sku}
        return self._kit.spot(options, 1, lambda system, listing: (system.name, listing.sku) in capped)

    def flash_sale(self, options: Options) -> Spot:
        """Several orders within a minute."""
        spot = self._kit.spot(options, _FLASH_ORDERS + 1)
        for n in range(_FLASH_ORDERS):
            at = self._kit.business.after(seconds=7.0 * (n + 1))
            self._kit.business.agenda.people(at, lambda: self._order(spot, 1))
        return spot

    def kit_sale(self, options: Options) -> Spot:
        """A kit is sold: its components' listings fall although no order names them."""
        kit = self._kit
        found = [
            (system, listing)
            for system in kit.offering(options)
            for listing in system.listings.values()
            if listing.sku in kit.business.catalogue.kits and not listing.planted and system.number(listing, system.sells_from[0])
        ]
        if not found:
            raise NoVictimError("no kit is on offer")
        system, listing = kit.rng.choice(found)
        place = system.sells_from[0]
        spot = Spot(system, listing, place, system.key_of.get(place, ""), system.number(listing, place))
        self._order(spot, 1)
        return spot

    def pending_expires(self, options: Options) -> Spot:
        """An order is placed, never paid, and expires: its units come back by themselves."""
        spot = self._kit.spot(options, 2, _keeps_orders_open)
        shoppers, business = self._kit.shoppers, self._kit.business
        order = shoppers.place_order(spot.system, spot.place, [(spot.listing, 1)], paid=False)
        business.agenda.people(business.after(minutes=_EXPIRES_MINUTES), lambda: shoppers.cancel(order))
        return spot

    def backorder(self, options: Options) -> Spot:
        """A channel may promise more than is there; the merchant's own policy says so."""
        wanted = {(r.channel, r.sku) for r in self._kit.business.policies.rows if r.name == "backorder_limit"}
        return self._kit.spot(options, 0, lambda system, listing: (system.name, listing.sku) in wanted)

    def new_listing(self, options: Options) -> Spot:
        """A sku that the channel did not list yet is listed, with the right code and number."""
        kit = self._kit
        choices = [
            (system, product)
            for system in kit.offering(options)
            for product in kit.business.catalogue.products.values()
            if product.sku not in system.by_sku and kit.fresh(product.sku)
        ]
        if not choices:
            raise NoVictimError("every sku is listed everywhere")
        system, product = kit.rng.choice(choices)
        spec = ItemSpec(
            product.sku, product.barcode, product.title, product.style, product.options, product.price, system.currency
        )
        key = system.account.add_item(spec)
        listing = system.add(Listing(system.name, key, product.sku, product.sku, price=product.price, in_demand=False))
        for location_key, units in kit.truth.should(system, listing).items():
            system.account.stock(key, location_key, units)
        place = system.sells_from[0]
        return Spot(system, listing, place, system.key_of.get(place, ""), system.number(listing, place))

    def cancelled_and_restocked(self, options: Options) -> Spot:
        """An order is cancelled a quarter of an hour later, before anybody packed it."""
        spot = self._kit.spot(options, 2, _keeps_orders_open)
        order = self._kit.shoppers.place_order(spot.system, spot.place, [(spot.listing, 1)])
        business = self._kit.business
        business.agenda.people(business.after(minutes=15), lambda: self._kit.shoppers.cancel(order))
        return spot

    def _order(self, spot: Spot, units: int) -> None:
        if spot.system.number(spot.listing, spot.place) < units:
            return
        at_till = spot.system.platform == "square"  # handed over at once
        order = self._kit.shoppers.place_order(spot.system, spot.place, [(spot.listing, units)], pos=at_till)
        if not at_till:
            self._kit.shoppers.pack_later(order)

    def _counted(self, system: System, listing: Listing) -> bool:
        return (system.sells_from[0], listing.sku) in self._kit.business.shelves.book

    def _shelf(self, spot: Spot) -> str:
        return spot.system.sells_from[0]


def _keeps_orders_open(system: System, listing: Listing) -> bool:
    del listing
    return system.platform != "square"  # there what is sold is handed over at once
