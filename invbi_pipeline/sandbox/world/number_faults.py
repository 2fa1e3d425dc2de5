"""Faults of numbers: somebody types over one, a program keeps setting one, a sale is applied twice, too much is promised."""

from collections.abc import Callable
from functools import partial

from invbi_pipeline.domain.words import Absorbs, ListingStatus, MovementKind
from invbi_pipeline.sandbox.world.fault_kit import FaultKit, NoVictimError, Options, Spot
from invbi_pipeline.sandbox.world.places import Listing, System
from invbi_pipeline.sandbox.world.planted import Planted

__all__ = ["NumberFaults"]

_WRITER_LOOKS_EVERY_SECONDS = 90.0
_WATCH_SECONDS = 10.0


class NumberFaults:
    """Makers of faults of numbers, by label."""

    def __init__(self, kit: FaultKit) -> None:
        self._kit = kit
        self.makers: dict[str, Callable[[Options], Planted]] = {
            "drift": self.drift,
            "oversell_risk": partial(self._hand_edit, up=True),
            "undersell": partial(self._hand_edit, up=False),
            "channel_stockout": self.channel_stockout,
            "second_writer": self.second_writer,
            "frozen_listing": self.frozen_listing,
            "duplicate_event": self.duplicate_event,
            "ledger_untied": self.ledger_untied,
            "oversold": self.oversold,
            "push_failed": self.push_failed,
            "push_unverified": self.push_unverified,
            "push_mismatched": self.push_mismatched,
            "listing_inactive": self.listing_inactive,
        }

    def drift(self, options: Options) -> Planted:
        """Somebody types over a channel's number, up or down."""
        return self._hand_edit(options, up=self._kit.rng.random() < 0.5)

    def _hand_edit(self, options: Options, *, up: bool) -> Planted:
        spot = self._kit.spot(options, 1 if up else 4)
        size = int(options.get("units", 0)) or self._kit.rng.randint(2, 6 if up else 3)
        change = size if up else -min(size, spot.number - 1)
        self._type_over(spot, spot.number + change)
        return self._kit.label("drift", spot, change, direction="up" if up else "down")

    def channel_stockout(self, options: Options) -> Planted:
        """Somebody sets the only number a channel has of a sku (no pack of it, no other place) to 0 while another sells it."""

        def sold_elsewhere(system: System, listing: Listing) -> bool:
            return len(system.points(listing)) == len(system.by_sku[listing.sku]) == 1 and any(
                other.number(twin, place) > 0
                for other in self._kit.business.channels()
                if other is not system
                for twin in other.by_sku.get(listing.sku, ())
                for place in other.sells_from
            )

        spot = self._kit.spot(options, 2, sold_elsewhere)
        self._type_over(spot, 0)
        return self._kit.label("channel_stockout", spot, -spot.number)

    def second_writer(self, options: Options) -> Planted:
        """Another program keeps setting a number whenever it finds another one, until the world is frozen."""
        spot = self._kit.spot(options, 3)
        number = spot.number + self._kit.rng.randint(4, 9)
        self._type_over(spot, number)
        self._keep(spot, number, other=False)
        return self._kit.label("second_writer", spot, number - spot.number, mendable=False, sets=str(number))

    def _keep(self, spot: Spot, number: int, *, other: bool) -> None:
        """Set the number again once it was another one at two looks: such programs synchronise now and then, not at once."""
        differs = spot.system.account.number(spot.listing.key, spot.location_key) != number
        if differs and other:
            self._type_over(spot, number)
            differs = False
        business, again = self._kit.business, partial(self._keep, spot, number, other=differs)
        business.agenda.people(business.after(seconds=_WRITER_LOOKS_EVERY_SECONDS), again)

    def frozen_listing(self, options: Options) -> Planted:
        """The platform stops applying changes to a listing; a few more are sold meanwhile."""
        spot = self._kit.spot(options, 4)
        spot.system.account.wire.frozen.add(spot.listing.key)
        business = self._kit.business
        for minutes in (2.0, 9.0, 17.0):
            business.agenda.people(business.after(minutes=minutes), partial(self._sell, spot))
        return self._kit.label("frozen_listing", spot, mendable=False)

    def duplicate_event(self, options: Options) -> Planted:
        """A platform applies one of its orders twice to its number."""
        spot = self._kit.spot(options, 3)
        order_id = self._sell(spot)
        spot.system.account.adjust(spot.listing.key, spot.location_key, -1, MovementKind.SALE, order_id)
        return self._kit.label("duplicate_event", spot, -1, order_id=order_id)

    def ledger_untied(self, options: Options) -> Planted:
        """Somebody types over the owner's number in an ERP; no movement says so."""
        kit, business = self._kit, self._kit.business
        spots = [
            (place, sku)
            for (place, sku), units in business.shelves.book.items()
            if units >= 6 and business.owner(place).absorbs is Absorbs.IMPORTED and kit.goods.settled(place, sku)
        ]
        if not spots:
            raise NoVictimError("no ERP number is high and settled")
        place, sku = kit.rng.choice(spots)
        owner, listing = business.owner(place), business.counted(place, sku)
        change = kit.rng.choice((-3, -2, 2, 3))
        kit.goods.type_over(place, sku, business.shelves.book[place, sku] + change)
        spot = Spot(owner, listing or Listing(owner.name, sku, sku, sku), place, owner.key_of[place], 0)
        return kit.label("ledger_untied", spot, change)

    def oversold(self, options: Options) -> Planted:
        """Shoppers of several channels order all that each shows, before any of them hears of the others."""
        kit, business = self._kit, self._kit.business

        def shown(listing: Listing) -> list[Spot]:
            return [
                Spot(system, twin, place, system.key_of.get(place, ""), system.number(twin, place))
                for system in kit.offering({})
                for twin in filter(None, [system.single(listing.sku)])
                for place in system.sells_from
                if system.number(twin, place) > 0
            ]

        def too_much(system: System, listing: Listing) -> bool:
            spots = shown(listing)
            there = sum(
                max(0, business.shelves.book.get((place, listing.sku), 0)) - business.shelves.reserved[place, listing.sku]
                for place in {place for spot in spots for place in (*system.sells_from, *spot.system.sells_from)}
            )
            return len({spot.system.name for spot in spots}) > 1 and there + 1 < sum(spot.number for spot in spots) < 60

        system, listing = kit.listing(options, too_much)
        spots = shown(listing)
        orders = [kit.shoppers.place_order(spot.system, spot.place, [(spot.listing, spot.number)]) for spot in spots]
        for order in orders:
            kit.shoppers.pack_later(order, 20, 30)
        first = next(spot for spot in spots if spot.system is system)
        ids = " ".join(order.order_id for order in orders)
        return kit.label("oversold", first, sum(spot.number for spot in spots), orders=ids)

    # pushes that go wrong

    def push_failed(self, options: Options) -> Planted:
        """A number is typed over, and the platform refuses to have it set right."""
        spot = self._kit.spot(options, 1)
        spot.system.account.wire.reject_writes.add(spot.listing.key)
        self._type_over(spot, spot.number + 3)
        return self._kit.label("push_failed", spot, 3, mendable=False)

    def push_unverified(self, options: Options) -> Planted:
        """A number is typed over, and the first push that would set it right is accepted and lost."""
        spot = self._kit.spot(options, 1)
        spot.system.account.wire.swallow_writes.add(spot.listing.key)
        self._type_over(spot, spot.number + 2)
        return self._kit.label("push_unverified", spot, 2)

    def push_mismatched(self, options: Options) -> Planted:
        """As `push_unverified`, and right after the lost push a third number is typed in."""
        spot = self._kit.spot(options, 1)
        spot.system.account.wire.swallow_writes.add(spot.listing.key)
        self._type_over(spot, spot.number + 2)
        self._watch(spot)
        return self._kit.label("push_mismatched", spot, 2, mendable=False)

    def _watch(self, spot: Spot) -> None:
        if spot.listing.key not in spot.system.account.wire.swallow_writes:
            self._type_over(spot, spot.number + 9)
            return
        business = self._kit.business
        business.agenda.people(business.after(seconds=_WATCH_SECONDS), partial(self._watch, spot))

    def listing_inactive(self, options: Options) -> Planted:
        """A listing is taken off sale with a wrong number on it."""
        spot = self._kit.spot(options, 1)
        self._type_over(spot, spot.number + 2)
        spot.system.account.set_status(spot.listing.key, ListingStatus.INACTIVE)
        spot.listing.status = ListingStatus.INACTIVE
        return self._kit.label("listing_inactive", spot, 2, mendable=False)

    # doings

    def _type_over(self, spot: Spot, number: int) -> None:
        spot.system.account.type_over(spot.listing.key, spot.location_key, number)
        self._kit.business.note("hand", spot.system.name, spot.listing.key, spot.location_key, number)

    def _sell(self, spot: Spot) -> str:
        at_till = spot.system.platform == "square"  # handed over at once; an order left open there lowers nothing
        order = self._kit.shoppers.place_order(spot.system, spot.place, [(spot.listing, 1)], pos=at_till)
        if not at_till:
            self._kit.shoppers.pack_later(order)
        return order.order_id
