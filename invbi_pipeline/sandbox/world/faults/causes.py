"""Faults with a cause: a channel applies one of its events twice, not at all, to the wrong item or in the wrong unit.

Each is made of what such a platform does: the order or the return is real, and its number moves by something else than that.
"""

from collections.abc import Callable, Iterator
from functools import partial

from invbi_pipeline.domain.words import Absorbs, Cause, ListingStatus, MovementKind
from invbi_pipeline.sandbox.erp import ErpAccount
from invbi_pipeline.sandbox.world.faults.doings import Doings, at_cap, pushed_lately, wrong_by
from invbi_pipeline.sandbox.world.faults.kit import FaultKit, NoVictimError, Options, Spot
from invbi_pipeline.sandbox.world.faults.planted import Planted
from invbi_pipeline.sandbox.world.orders import Order, OrderLine
from invbi_pipeline.sandbox.world.places import Listing, System

__all__ = ["CauseFaults"]

_RETURNS_TRIED = 40
_BOOKED_AHEAD_MINUTES = 22.0  # an ERP's export and the next look at it: its book is known when the number moves
_EDIT_AFTER_MINUTES = 6.0  # longer than a cycle
_WIPED = "A quantity was accepted minutes before: had it wiped what the order did, the number would be the same."


class CauseFaults:
    """Makers of faults with a cause, by name; the label written down is the code that must be found."""

    def __init__(self, kit: FaultKit) -> None:
        self._kit = kit
        self._do = Doings(kit)
        self.makers: dict[str, Callable[[Options], Planted]] = {
            "duplicate_event": self.duplicate_order,
            "duplicate_return": self.duplicate_return,
            "duplicate_booking": self.duplicate_booking,
            "two_duplicates": self.two_duplicates,
            "duplicate_and_edit": self.duplicate_and_edit,
            "unapplied_order": self.unapplied_order,
            "one_leg_return": self.one_leg_return,
            "pack_in_singles": self.pack_in_singles,
            "swapped_skus": self.swapped_skus,
            "moved_units": self.moved_units,
            "missing_order": self.missing_order,
        }

    # applied twice

    def duplicate_order(self, options: Options) -> Planted:
        """A platform applies one of its orders twice to its number."""
        units = self._units(options)
        spot = self._kit.spot(options, 2 * units + 1)
        order_id = self._do.sell(spot, units)
        self._do.slip(spot, -units, MovementKind.SALE, order_id)
        return self._twice(spot, -units, order_id)

    def duplicate_return(self, options: Options) -> Planted:
        """A platform puts a return on its number twice."""
        spot, order, refund = self._returned(options)
        self._do.slip(spot, 1, MovementKind.RETURN, refund)
        return self._twice(spot, 1, order.order_id, refund)

    def duplicate_booking(self, options: Options) -> Planted:
        """The owner's import books a shipment of another system a second time."""
        kit, business = self._kit, self._kit.business
        for order in self._recent(options):
            system = business.systems[order.system]
            for movement in system.account.moved(order.order_id):
                listing = order.lines[movement.listing_key].listing
                place = system.place_of.get(movement.location_key, order.place)
                owner, counted = business.owner(place), business.counted(place, listing.sku)
                known = listing.units == 1 and counted is not None and owner is not system and kit.fresh(listing.sku)
                if not known or counted is None or not isinstance(owner.account, ErpAccount):
                    continue
                if owner.absorbs is not Absorbs.IMPORTED or not kit.goods.settled(place, listing.sku):
                    continue
                where = counted.key, owner.key_of[place]
                owner.account.book_order(
                    *where, movement.units, MovementKind.SALE, system.name, order.order_id, movement.movement_id
                )
                business.shelves.enter(place, listing.sku, movement.units)
                business.touched[listing.sku] = None
                spot = Spot(owner, counted, place, where[1], 0)
                return self._do.write("duplicate_event", spot, movement.units, implies=("ledger_untied", "negative_on_hand"))
        raise NoVictimError("no ERP has booked another system's shipment lately")

    def two_duplicates(self, options: Options) -> Planted:
        """Two orders of one cycle are applied twice each."""
        spot = self._kit.spot(options, 7)
        orders = []
        for units in (1, 2):
            orders.append(self._do.sell(spot, units))
            self._do.slip(spot, -units, MovementKind.SALE, orders[-1])
        return self._twice(spot, -3, *orders)

    def duplicate_and_edit(self, options: Options) -> Planted:
        """A platform applies an order twice, and some minutes later somebody types over the same number."""
        spot = self._kit.spot(options, 6)
        order_id = self._do.sell(spot)
        self._do.slip(spot, -1, MovementKind.SALE, order_id)
        business = self._kit.business
        business.agenda.people(business.after(minutes=_EDIT_AFTER_MINUTES), partial(self._edit, spot))
        # the edit may come to light in the very run that tells of the duplicate, and a drift is explained as it stands last
        return self._do.write("duplicate_event", spot, -1, implies=wrong_by(-1), detail={"order_id": order_id})

    def _edit(self, spot: Spot) -> None:
        number = spot.system.number(spot.listing, spot.place)
        self._do.type_over(spot, max(0, number - 2))
        self._do.write("drift", spot, max(0, number - 2) - number, implies=wrong_by(-1))

    def _twice(self, spot: Spot, units: int, *events: str) -> Planted:
        return self._do.write(
            "duplicate_event",
            spot,
            units,
            cause=Cause.DUPLICATE,
            events=events,
            implies=wrong_by(units),
            detail={"order_id": events[0]},
        )

    # not applied, or half

    def unapplied_order(self, options: Options) -> Planted:
        """A platform takes an order and does not lower its number.

        While a quantity that we sent may still be applied there, that can be seen by nobody: an absolute number that comes after
        the order wipes what the order did, and leaves just what the order not applied leaves.
        """
        units = self._units(options)
        spot = self._kit.spot(options, units + 1, self._can_skip)
        order_id = self._do.sell(spot, units)
        self._do.slip(spot, units, MovementKind.ADJUSTMENT, "")
        return self._do.write(
            "drift",
            spot,
            units,
            cause=Cause.UNAPPLIED,
            events=(order_id,),
            implies=wrong_by(units),
            undetectable=_WIPED if pushed_lately(self._kit, spot) else "",
        )

    def one_leg_return(self, options: Options) -> Planted:
        """A refund says that its goods were restocked, and the number does not rise."""
        spot, order, refund = self._returned(options, self._can_skip)
        self._do.slip(spot, -1, MovementKind.ADJUSTMENT, "")
        return self._drift(spot, -1, Cause.ONE_LEG, order.order_id, refund)

    def _can_skip(self, system: System, listing: Listing) -> bool:
        return _keeps_no_history(system, listing) and not at_cap(self._kit, system, listing)

    # in other units

    def pack_in_singles(self, options: Options) -> Planted:
        """A pack is sold, and the platform lowers its number by the single units in it."""
        kit = self._kit
        systems = [s for s in kit.offering(options) if s.platform != "square"]
        packs = [
            (s, x, place)
            for s in systems
            for x in s.listings.values()
            for place in s.sells_from
            if x.units > 1 and _well(x) and kit.fresh(x.sku) and s.number(x, place) > x.units
        ]
        if not packs:
            raise NoVictimError("no channel shows so many packs")
        system, listing, place = kit.rng.choice(packs)
        spot = self._spot(system, listing, place)
        order_id = self._do.sell(spot)
        self._do.slip(spot, 1 - listing.units, MovementKind.SALE, order_id)
        return self._drift(spot, 1 - listing.units, Cause.PACK, order_id)

    # on something else

    def swapped_skus(self, options: Options) -> Planted:
        """An order of one item is booked on another."""
        units = self._units(options)
        first = self._kit.spot(options, units + 1, _says_when)
        system, place = first.system, first.place
        here = {"system": system.name}
        _, listing = self._kit.listing(here, lambda s, x: x is not first.listing and s.number(x, place) > units)
        second = self._spot(system, listing, place)
        order_id = self._do.sell(first, units)
        self._do.slip(first, units, MovementKind.ADJUSTMENT, "")
        self._do.slip(second, -units, MovementKind.ADJUSTMENT, "")
        self._drift(second, -units, Cause.SWAPPED, order_id, other=first.listing.sku)
        return self._drift(first, units, Cause.SWAPPED, order_id, other=listing.sku)

    def moved_units(self, options: Options) -> Planted:
        """Somebody types units from one location of a channel to another."""
        units = self._units(options)

        def in_two_places(system: System, listing: Listing) -> bool:
            return system.per_location and len(system.sells_from) > 1 and all(
                system.account.number(listing.key, key) is not None for key in system.points(listing)
            )  # fmt: skip

        first = self._kit.spot(options, units + 1, in_two_places)
        others = [place for place in first.system.sells_from if place != first.place]
        second = self._spot(first.system, first.listing, self._kit.rng.choice(others))
        self._do.type_over(first, first.number - units)
        self._do.type_over(second, second.number + units)
        self._drift(second, units, Cause.MOVED, other=first.place)
        return self._drift(first, -units, Cause.MOVED, other=second.place)

    def missing_order(self, options: Options) -> Planted:
        """An order is booked by the owner, and lowers the channel's number; the channel itself has lost it."""
        kit, business = self._kit, self._kit.business
        units = self._units(options)

        def booked(system: System, listing: Listing) -> bool:
            return bool(able(system, listing))

        def able(system: System, listing: Listing) -> list[str]:
            shown = [place for place in system.sells_from if system.number(listing, place) > 2 * units]
            shown = shown if _keeps_no_history(system, listing) else []
            return [place for place in shown if self._imports(place, listing.sku)]

        system, listing = kit.listing({k: v for k, v in options.items() if k != "overlap"}, booked)
        place = able(system, listing)[0]
        spot = self._spot(system, listing, place)
        owner, counted = business.owner(place), business.counted(place, listing.sku)
        if counted is None or not isinstance(owner.account, ErpAccount):
            raise NoVictimError("no ERP counts it")
        order_id = f"{kit.rng.randint(10**12, 10**13 - 1)}"
        owner.account.book_order(
            counted.key, owner.key_of[place], -units, MovementKind.SALE, system.name, order_id, f"{order_id}/1/1"
        )
        business.shelves.move(place, listing.sku, -units)
        business.shelves.enter(place, listing.sku, -units)
        business.touched[listing.sku] = None
        planted = self._do.write(
            "drift", spot, -units, cause=Cause.MISSING_ORDER, events=(order_id,), implies=wrong_by(-units), ripens=True
        )
        lose = partial(self._lose, spot, units, order_id, planted)
        business.agenda.people(business.after(minutes=_BOOKED_AHEAD_MINUTES), lose)
        return planted

    def _lose(self, spot: Spot, units: int, order_id: str, planted: Planted) -> None:
        self._do.slip(spot, -units, MovementKind.SALE, order_id)
        self._kit.ripen(planted)

    def _imports(self, place: str, sku: str) -> bool:
        owner = self._kit.business.owner(place)
        return owner.absorbs is Absorbs.IMPORTED and self._kit.goods.settled(place, sku)

    # who

    def _units(self, options: Options) -> int:
        return int(options.get("units", 0)) or self._kit.rng.choice((1, 1, 2, 3))

    def _spot(self, system: System, listing: Listing, place: str) -> Spot:
        return Spot(system, listing, place, system.key_of.get(place, ""), system.number(listing, place))

    def _drift(self, spot: Spot, units: int, cause: Cause, *events: str, **detail: str) -> Planted:
        return self._do.write("drift", spot, units, cause=cause, events=events, implies=wrong_by(units), detail=detail)

    def _recent(self, options: Options) -> Iterator[Order]:
        """Orders of this world, the newest first."""
        system = options.get("system", "")
        for order in sorted(self._kit.business.orders.all.values(), key=lambda each: each.placed_at, reverse=True):
            if system in ("", order.system) and not order.platform_fulfilled:
                yield order

    def _returned(
        self, options: Options, suits: Callable[[System, Listing], bool] = lambda system, listing: True
    ) -> tuple[Spot, Order, str]:
        """Bring one unit of an older order back, restocked where it came from; return where, the order and the refund's id."""
        kit = self._kit
        names = {system.name for system in kit.offering(options) if system.per_location}
        able: list[tuple[Order, OrderLine]] = [
            (order, line)
            for order in self._recent({})
            for line in order.lines.values()
            if order.system in names and line.shipped > line.returned and line.listing.units == 1
        ]
        for order, line in kit.rng.sample(able, min(len(able), _RETURNS_TRIED)):
            system = kit.business.systems[order.system]
            if not kit.fresh(line.listing.sku) or not _well(line.listing) or not suits(system, line.listing):
                continue
            here = line.listing.key in system.listings and order.place in system.key_of
            if not here or system.number(line.listing, order.place) < 2:
                continue
            line.returned += 1
            spot = self._spot(system, line.listing, order.place)
            refund = system.account.refund(order.order_id, line.listing.key, 1, spot.location_key)
            kit.business.note("refund", order.order_id, line.listing.key, 1, spot.location_key)
            kit.goods.apply(order)
            return spot, order, refund
        raise NoVictimError("no channel has an order of which something could come back")


def _well(listing: Listing) -> bool:
    return listing.mapped and not listing.planted and not listing.platform_fulfilled and listing.status is ListingStatus.ACTIVE


def _keeps_no_history(system: System, listing: Listing) -> bool:
    """A platform whose number is the sum of its own history cannot leave an event out of it."""
    return system.platform != "square"


def _says_when(system: System, listing: Listing) -> bool:
    """A platform that states the time of each number's last change: two equal and opposite ones can be told from chance."""
    return system.platform == "shopify"
