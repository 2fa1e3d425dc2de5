"""Faults of the shelf: orders nobody will ship, goods that came back or were sent and not booked, damaged goods on sale.

Most become facts only with age (`AGES`), so they are planted into the history that ends with go-live; planted later they ripen
when their time has come.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

from invbi_pipeline.domain.words import ListingStatus, LocationKind, MovementKind, ReturnState
from invbi_pipeline.sandbox.contract import TakesBack
from invbi_pipeline.sandbox.world.faults.doings import wiped_at_once
from invbi_pipeline.sandbox.world.faults.kit import FaultKit, NoVictimError, Options
from invbi_pipeline.sandbox.world.faults.planted import Planted
from invbi_pipeline.sandbox.world.orders import Order, OrderLine
from invbi_pipeline.sandbox.world.places import Listing, System

__all__ = ["AGES", "HISTORY_PLAN", "ShelfFaults"]

# How long before go-live each is planted into the history: more than the age at which a careful merchant asks.
AGES: Final[Mapping[str, timedelta]] = {
    "stale_reservation": timedelta(days=15),
    "transfer_not_received": timedelta(days=4),
    "return_not_restocked": timedelta(hours=30),
    "unsellable_counted": timedelta(hours=20),
    "restock_without_return": timedelta(hours=20),
}
# What a world that is to show all of them may be asked for (`build_world(history=...)`).
HISTORY_PLAN: Final[Mapping[str, int]] = dict.fromkeys(AGES, 1)

_SHOWS_ITS_LEDGER: Final = frozenset({"square", "files"})  # platforms whose every movement can be read
_KEEPS_ORDERS_OPEN: Final = frozenset({"shopify", "amazon"})
_SAYS_DAMAGED: Final = frozenset({"shopify"})
_GHOSTS: Final = 8  # one number alone could be anybody's hand
_TRY_AGAIN_S: Final = 60.0

_T = TypeVar("_T")


class ShelfFaults:
    """Makers of faults of the shelf, by label."""

    def __init__(self, kit: FaultKit) -> None:
        self._kit = kit
        self._business = kit.business
        self._goods = kit.goods
        self.makers: dict[str, Callable[[Options], Planted]] = {
            "negative_on_hand": self.negative_on_hand,
            "stale_reservation": self.stale_reservation,
            "return_not_restocked": self.return_not_restocked,
            "restock_without_return": self.restock_without_return,
            "transfer_not_received": self.transfer_not_received,
            "unsellable_counted": self.unsellable_counted,
            "ghost_location": self.ghost_location,
        }

    def negative_on_hand(self, options: Options) -> Planted:
        """A delivery is put on a shop's shelf unbooked, and more is sold over the counter than the record ever held."""
        spots = [
            (place, sku, system, listing)
            for place, sku in self._shelves(options)
            for system, listing in self._counter(place, sku)
            if self._business.shelves.book[place, sku] in range(4) and not self._business.shelves.reserved[place, sku]
        ]
        place, sku, system, listing = self._one_of(spots)
        missing = int(options.get("units", 0)) or self._kit.rng.randint(1, 2)
        sold = self._business.shelves.book[place, sku] + missing
        self._goods.vanish(place, sku, max(0, sold - self._business.shelves.units[place, sku]))
        order = self._kit.shoppers.place_order(system, place, [(listing, sold)], pos=True)
        self._goods.left_alone.add((place, sku))
        owner = self._business.owner(place)
        return self._write("negative_on_hand", owner, sku, place, -missing, order.order_id)

    def stale_reservation(self, options: Options) -> Planted:
        """An order is placed, and nobody will ever pay, pack or cancel it."""
        units = int(options.get("units", 0)) or self._kit.rng.randint(1, 2)
        spots = [
            (system, listing, place)
            for system in self._systems(options, _KEEPS_ORDERS_OPEN)
            for listing in self._listings(system, options)
            for place in system.sells_from
            if system.number(listing, place) >= units + 1
        ]
        system, listing, place = self._one_of(spots)
        paid = self._kit.rng.random() < 0.7
        order = self._kit.shoppers.place_order(system, place, [(listing, units)], paid=paid)
        return self._write("stale_reservation", system, listing.sku, place, units, order.order_id, listing_key=listing.key)

    def return_not_restocked(self, options: Options) -> Planted:
        """A shopper brings something back; it is taken in, put on the shelf, and nobody tells the record."""
        order, line, system = self._sold(options, frozenset({"shopify", "square"}))
        refund = self._take_back(order, line, system, ReturnState.RECEIVED, damaged=False)
        self._goods.vanish(order.place, line.listing.sku, 1)
        self._goods.left_alone.add((order.place, line.listing.sku))
        return self._write("return_not_restocked", system, line.listing.sku, order.place, 1, refund, listing_key=line.listing.key)

    def unsellable_counted(self, options: Options) -> Planted:
        """A defective thing comes back and is put among what is for sale."""
        order, line, system = self._sold(options, _SAYS_DAMAGED)
        refund = self._take_back(order, line, system, ReturnState.RESTOCKED, damaged=True)
        self._goods.apply(order)
        self._goods.left_alone.add((order.place, line.listing.sku))
        return self._write("unsellable_counted", system, line.listing.sku, order.place, 1, refund, listing_key=line.listing.key)

    def restock_without_return(self, options: Options) -> Planted:
        """Between two counts of a shelf somebody books a return that nobody brought."""
        spots = [
            (place, sku)
            for place, sku in self._shelves(options)
            if self._business.owner(place).platform in _SHOWS_ITS_LEDGER and self._goods.settled(place, sku)
        ]
        place, sku = self._one_of(spots)
        units = int(options.get("units", 0)) or self._kit.rng.randint(1, 2)
        self._goods.count(place, sku)
        planted = self._write("restock_without_return", self._business.owner(place), sku, place, units, ripens=True)
        agenda, business = self._business.agenda, self._business

        def book() -> None:
            self._goods.book(place, sku, units, MovementKind.RETURN, physical=0)
            agenda.people(business.after(seconds=_TRY_AGAIN_S), count)

        def count() -> None:
            if self._goods.count(place, sku):
                self._kit.ripen(planted)
            else:  # something waits to be booked there: whoever counts comes back
                agenda.people(business.after(seconds=_TRY_AGAIN_S), count)

        agenda.people(business.after(seconds=_TRY_AGAIN_S), book)
        return planted

    def transfer_not_received(self, options: Options) -> Planted:
        """Units leave the warehouse for a shop and are never booked in there; now and then a part of them is."""
        warehouse = next(name for name, place in self._business.places.items() if place.kind is LocationKind.WAREHOUSE)
        owners = {place.owner for place in self._business.places.values() if place.kind is not LocationKind.PLATFORM}
        if any(self._business.systems[owner].platform not in _SHOWS_ITS_LEDGER for owner in owners):
            raise NoVictimError("a ledger that cannot be read hides the other leg")
        shelves, shops = self._business.shelves, self._shops()
        spots = [
            (shop, sku)
            for place, sku in self._shelves(options, (LocationKind.WAREHOUSE,))
            for shop in shops
            if place == warehouse
            and min(shelves.units[place, sku], shelves.book[place, sku]) - shelves.reserved[place, sku] >= 4
            and self._business.counted(shop, sku) is not None
        ]
        shop, sku = self._one_of(spots)
        sent = int(options.get("units", 0)) or self._kit.rng.randint(1, 3)
        came = sent - 1 if sent > 1 and self._kit.rng.random() < 0.4 else 0
        document = f"TO-{len(self._kit.planted) + 90_001}"
        self._goods.book(warehouse, sku, -sent, MovementKind.TRANSFER_OUT, reference=document)
        if came:
            arrive = partial(self._goods.book, shop, sku, came, MovementKind.TRANSFER_IN, reference=document)
            self._business.agenda.people(self._business.after(hours=15), arrive)
        return self._write("transfer_not_received", self._business.owner(warehouse), sku, warehouse, sent - came, document)

    def ghost_location(self, options: Options) -> Planted:
        """A program that should offer a channel one place's goods adds another place's, for several things at once."""
        spots = [
            (system, place, found)
            for system in self._kit.offering(options)
            for place in self._shops()
            if place not in system.sells_from and system.sells_from
            for found in [self._haunted(system, place)]
            if len(found) >= _GHOSTS
        ]
        system, place, found = self._one_of(spots)
        home = system.sells_from[0]
        location_key = system.key_of.get(home, "")
        rows = []
        for listing, there in self._kit.rng.sample(found, _GHOSTS):
            before = system.number(listing, home)
            system.account.type_over(listing.key, location_key, before + there)
            at = home if system.per_location else ""
            rows.append(
                self._write(
                    "ghost_location",
                    system,
                    listing.sku,
                    at,
                    there,
                    listing_key=listing.key,
                    implies=("drift", "oversell_risk", "push_mismatched"),  # a correction may just have been on its way
                    undetectable=wiped_at_once(system, listing, location_key, before),
                    detail={"ghost": place},
                )
            )
        return rows[0]

    # victims

    def _haunted(self, system: System, place: str) -> list[tuple[Listing, int]]:
        """Return what a channel lists whose number is right, and how much of it the place could give."""
        found = []
        for listing in self._listings(system, {}):
            should = self._kit.truth.should(system, listing)
            right = all((system.account.number(listing.key, key) or 0) == units for key, units in should.items())
            there = self._kit.truth.available("", place, listing.sku)
            if right and there >= 2:
                found.append((listing, there))
        return found

    def _sold(self, options: Options, platforms: Iterable[str]) -> tuple[Order, OrderLine, System]:
        """Return a line of a shipped order of which something can come back."""
        spots = [
            (order, line, system)
            for system in self._systems(options, platforms)
            if isinstance(system.account, TakesBack)
            for able in [{listing.key for listing in self._listings(system, options)}]
            for order in self._business.orders.all.values()
            if order.system == system.name and not order.open_lines and order.place in system.key_of
            for line in order.lines.values()
            if line.shipped > line.returned and line.listing.key in able
            if len([twin for twin in order.lines.values() if twin.listing.sku == line.listing.sku]) == 1
            and self._business.counted(order.place, line.listing.sku) is not None
        ]
        return self._one_of(spots)

    def _take_back(self, order: Order, line: OrderLine, system: System, state: ReturnState, *, damaged: bool) -> str:
        assert isinstance(system.account, TakesBack)
        line.returned += 1
        place = system.key_of[order.place]
        refund = system.account.take_back(order.order_id, line.listing.key, 1, place, state, damaged=damaged)
        self._business.note("taken back", order.order_id, line.listing.key, str(state), refund)
        return refund

    def _counter(self, place: str, sku: str) -> Iterable[tuple[System, Listing]]:
        for system in self._business.channels():
            listing = system.single(sku)
            at_counter = system.platform == "square" or (system.platform == "shopify" and place in system.counts)
            if at_counter and place in system.sells_from and listing is not None and listing.status is ListingStatus.ACTIVE:
                yield system, listing

    def _systems(self, options: Options, platforms: Iterable[str]) -> list[System]:
        name = options.get("system", "")
        return [s for s in self._business.channels() if s.platform in platforms and name in ("", s.name)]

    def _listings(self, system: System, options: Options) -> list[Listing]:
        wanted, kit = options.get("sku", ""), self._kit
        return [
            listing
            for listing in system.listings.values()
            if listing.mapped
            and not listing.planted
            and listing.in_demand  # else it was just made, and nobody has looked at it yet
            and not listing.platform_fulfilled
            and listing.units == 1
            and listing.status is ListingStatus.ACTIVE
            and listing.sku in self._business.catalogue.products
            and wanted in ("", listing.sku)
            and ("overlap" in options or kit.fresh(listing.sku))
        ]

    def _shelves(self, options: Options, kinds: Iterable[LocationKind] = (LocationKind.STORE,)) -> list[tuple[str, str]]:
        wanted = options.get("sku", "")
        places = {name for name, place in self._business.places.items() if place.kind in kinds}
        return [
            (place, sku)
            for place, sku in self._business.shelves.book
            if place in places and wanted in ("", sku) and ("overlap" in options or self._kit.fresh(sku))
        ]

    def _shops(self) -> list[str]:
        return [name for name, place in self._business.places.items() if place.kind is LocationKind.STORE]

    def _one_of(self, spots: list[_T]) -> _T:
        if not spots:
            raise NoVictimError("nothing in this world suits")
        return self._kit.rng.choice(spots)

    def _write(
        self,
        label: str,
        system: System,
        sku: str,
        place: str,
        units: int,
        *events: str,
        listing_key: str = "",
        implies: tuple[str, ...] = (),
        ripens: bool = False,
        undetectable: str = "",
        detail: dict[str, str] | None = None,
    ) -> Planted:
        """Write it down; with age still to come it ripens."""
        business = self._business
        young = label in AGES and business.went_live_at is not None and label not in _AT_ONCE
        planted = self._kit.write_down(
            Planted(
                label,
                system.name,
                business.now,
                listing_key,
                sku,
                place,
                system.key_of.get(place, ""),
                units,
                events=events,
                implies=implies,
                undetectable=undetectable,
                ripens=ripens or young,
                detail=detail or {},
            )
        )
        if young:
            at = business.now + AGES[label]
            business.agenda.machine(at, lambda: self._kit.ripen(planted))
        return planted


_AT_ONCE: Final = frozenset({"unsellable_counted", "restock_without_return"})  # facts as soon as they have happened
