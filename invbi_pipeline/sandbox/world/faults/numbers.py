"""Faults of numbers: somebody types over one, a program keeps setting one, one stands still, too much is promised."""

from collections.abc import Callable
from functools import partial

from invbi_pipeline.domain.words import Absorbs, Cause, ListingStatus
from invbi_pipeline.sandbox.world.faults.doings import MAY_SHOW_AFTER, Doings, at_cap, wrong_by
from invbi_pipeline.sandbox.world.faults.kit import FaultKit, NoVictimError, Options, Spot
from invbi_pipeline.sandbox.world.faults.planted import Planted
from invbi_pipeline.sandbox.world.places import Listing, System

__all__ = ["NumberFaults"]

_WRITER_LOOKS_EVERY_SECONDS = 90.0
_WATCH_SECONDS = 10.0
_SOLD_WHILE_FROZEN = (2.0, 9.0, 17.0)  # minutes
_TWICE = 2
_LARGEST_CHANGE = 500  # units, which a merchant lets pass unasked (`guards.max_change_units`, by default)


class NumberFaults:
    """Makers of faults of numbers, by label."""

    def __init__(self, kit: FaultKit) -> None:
        self._kit = kit
        self._do = Doings(kit)
        self.makers: dict[str, Callable[[Options], Planted]] = {
            "drift": self.drift,
            "oversell_risk": partial(self._hand_edit, "oversell_risk", up=True),
            "undersell": partial(self._hand_edit, "undersell", up=False),
            "channel_stockout": self.channel_stockout,
            "second_writer": self.second_writer,
            "frozen_listing": self.frozen_listing,
            "ledger_untied": self.ledger_untied,
            "oversold": self.oversold,
            "push_held": self.push_held,
            "push_failed": self.push_failed,
            "push_unverified": self.push_unverified,
            "push_mismatched": self.push_mismatched,
            "listing_inactive": self.listing_inactive,
        }

    def drift(self, options: Options) -> Planted:
        """Somebody types over a channel's number, up or down."""
        return self._hand_edit("drift", options, up=self._kit.rng.random() < 0.5)

    def _hand_edit(self, label: str, options: Options, *, up: bool) -> Planted:
        """Somebody types a number over that is so much higher or lower, and not 0."""
        spot = self._kit.spot(options, 1 if up else 4)
        size = int(options.get("units", 0)) or self._kit.rng.randint(2, 6 if up else 3)
        change = size if up else -min(size, spot.number - 1)
        self._do.type_over(spot, spot.number + change)
        said = {"direction": "up" if up else "down"}
        return self._do.write(label, spot, change, cause=Cause.FOREIGN, implies=wrong_by(change), detail=said)

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
        self._do.type_over(spot, 0)
        return self._do.write("channel_stockout", spot, -spot.number, cause=Cause.FOREIGN, implies=wrong_by(-spot.number))

    def second_writer(self, options: Options) -> Planted:
        """Another program keeps setting a number whenever it finds another one, until the world is frozen.

        A fact, and no slip of a hand, once it has set the number again twice.
        """
        spot = self._kit.spot(options, 3)
        number = spot.number + self._kit.rng.randint(4, 9)
        self._do.type_over(spot, number)
        implies = (*wrong_by(number - spot.number), "push_mismatched", "push_unverified", "push_held")
        planted = self._do.write(
            "second_writer",
            spot,
            number - spot.number,
            implies=implies,
            mendable=False,
            ripens=True,
            detail={"sets": str(number)},
        )
        self._keep(spot, number, planted, other=False, again=0)
        return planted

    def _keep(self, spot: Spot, number: int, planted: Planted, *, other: bool, again: int) -> None:
        """Set the number again once it was another one at two looks: such programs synchronise now and then, not at once."""
        differs = spot.system.account.number(spot.listing.key, spot.location_key) != number
        if differs and other:
            self._do.type_over(spot, number)
            differs, again = False, again + 1
            if again == _TWICE:
                self._kit.ripen(planted)
        business, next_look = self._kit.business, partial(self._keep, spot, number, planted, other=differs, again=again)
        business.agenda.people(business.after(seconds=_WRITER_LOOKS_EVERY_SECONDS), next_look)

    def frozen_listing(self, options: Options) -> Planted:
        """The platform stops applying changes to a listing; a few more are sold meanwhile. A fact with the second of them."""
        spot = self._kit.spot(options, 4, self._shows_that_it_is_frozen)
        spot.system.account.wire.frozen.add(spot.listing.key)
        implies = (*wrong_by(1), "push_mismatched", "push_unverified", "push_held")
        planted = self._do.write("frozen_listing", spot, None, implies=implies, mendable=False, ripens=True)
        business = self._kit.business
        for nth, minutes in enumerate(_SOLD_WHILE_FROZEN, 1):
            business.agenda.people(business.after(minutes=minutes), partial(self._sell_frozen, spot, planted, nth))
        return planted

    def _shows_that_it_is_frozen(self, system: System, listing: Listing) -> bool:
        """On a marketplace a frozen listing does not show its own sales either; a shop's only refuses what is written to it."""
        return system.platform == "amazon" and not at_cap(self._kit, system, listing)

    def _sell_frozen(self, spot: Spot, planted: Planted, nth: int) -> None:
        self._do.sell(spot)
        if nth == _TWICE:
            self._kit.ripen(planted)

    def ledger_untied(self, options: Options) -> Planted:
        """Somebody types over the owner's number in an ERP; no movement says so."""
        kit, business = self._kit, self._kit.business
        before = {(planted.label, planted.location, planted.sku) for planted in kit.planted}
        spots = [
            (place, sku)
            for (place, sku), units in business.shelves.book.items()
            if units >= 6
            and business.owner(place).absorbs is Absorbs.IMPORTED
            and kit.goods.settled(place, sku)
            and ("ledger_untied", place, sku) not in before  # what is typed over a second time mends or hides the first
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
        short = [spot for spot in spots if self._promised_too_much(spot)] or spots
        first = next((spot for spot in short if spot.system is system), short[0])
        ids = " ".join(order.order_id for order in orders)
        return kit.label("oversold", first, sum(spot.number for spot in spots), orders=ids)

    def _promised_too_much(self, spot: Spot) -> bool:
        """Say whether the places that the spot's channel may ship from hold less of it than is promised there."""
        shelves, sku = self._kit.business.shelves, spot.listing.sku
        return sum(max(0, shelves.book.get((p, sku), 0)) - shelves.reserved[p, sku] for p in spot.system.sells_from) < 0

    # pushes that go wrong

    def push_held(self, options: Options) -> Planted:
        """A number is typed with hundreds too many: putting it right is a larger change than a guard lets through unasked."""
        spot = self._kit.spot(options, 1)
        change = _LARGEST_CHANGE + self._kit.rng.randint(1, 300)
        self._do.type_over(spot, spot.number + change)
        return self._do.write("push_held", spot, change, cause=Cause.FOREIGN, implies=wrong_by(change), mendable=False)

    def push_failed(self, options: Options) -> Planted:
        """A number is typed over, and the platform refuses to have it set right."""
        spot = self._kit.spot(options, 1)
        spot.system.account.wire.reject_writes.add(spot.listing.key)
        self._do.type_over(spot, spot.number + 3)
        return self._do.write("push_failed", spot, 3, cause=Cause.FOREIGN, implies=wrong_by(3), mendable=False)

    def push_unverified(self, options: Options) -> Planted:
        """A number is typed over, and the first push that would set it right is accepted and lost.

        A fact where it is not visible within the platform's lag: one that another push follows before that is nobody's trouble.
        """
        spot = self._kit.spot(options, 1)
        spot.system.account.wire.swallow_writes.add(_next_write(spot))
        self._do.type_over(spot, spot.number + 2)
        planted = self._do.write("push_unverified", spot, 2, cause=Cause.FOREIGN, implies=wrong_by(2), ripens=True)
        self._when_lost(spot, partial(self._wait_for_it, spot, planted))
        return planted

    def _wait_for_it(self, spot: Spot, planted: Planted) -> None:
        """Let a marketplace's lag pass: elsewhere a push shows at once, and whoever looks sees that it does not."""
        taken, business = spot.system.account.wire.taken, self._kit.business
        lost = taken.get(spot.listing.key)
        if lost is None:
            self._kit.ripen(planted)
            return

        def ripen() -> None:
            if taken[spot.listing.key] == lost:
                self._kit.ripen(planted)

        business.agenda.people(lost + MAY_SHOW_AFTER, ripen)

    def push_mismatched(self, options: Options) -> Planted:
        """As `push_unverified`, and right after the lost push a third number is typed in.

        A lower one, which nobody may raise before it was seen twice: a higher one would be lowered again at the next look.
        """
        spot = self._kit.spot(options, 4, _applies_at_once)
        spot.system.account.wire.swallow_writes.add(_next_write(spot))
        self._do.type_over(spot, spot.number + 2)
        implies = (*wrong_by(2), *wrong_by(-2), "push_unverified")
        planted = self._do.write("push_mismatched", spot, 2, cause=Cause.FOREIGN, implies=implies, mendable=False, ripens=True)

        def another_hand() -> None:
            self._do.type_over(spot, max(1, spot.system.number(spot.listing, spot.place) - 4))
            self._kit.ripen(planted)

        self._when_lost(spot, another_hand)
        return planted

    def _when_lost(self, spot: Spot, then: Callable[[], None]) -> None:
        """Do something once the platform has taken a write of the spot's listing and lost it."""
        if _next_write(spot) not in spot.system.account.wire.swallow_writes:
            then()
            return
        business = self._kit.business
        business.agenda.people(business.after(seconds=_WATCH_SECONDS), partial(self._when_lost, spot, then))

    def listing_inactive(self, options: Options) -> Planted:
        """A listing is taken off sale with a wrong number on it."""
        spot = self._kit.spot(options, 1)
        self._do.type_over(spot, spot.number + 2)
        spot.system.account.set_status(spot.listing.key, ListingStatus.INACTIVE)
        spot.listing.status = ListingStatus.INACTIVE
        return self._do.write("listing_inactive", spot, 2, implies=(*wrong_by(2), "push_held", "push_failed"), mendable=False)


def _next_write(spot: Spot) -> str:
    """How the wire calls a write of this very number: one of the same listing at another location says nothing of it."""
    return f"{spot.listing.key}@{spot.location_key}" if spot.location_key else spot.listing.key


def _applies_at_once(system: System, listing: Listing) -> bool:
    """A marketplace may take a quarter of an hour for a push: until then a number that is another one says nothing of it."""
    return system.platform != "amazon"
