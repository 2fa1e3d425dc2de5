"""People: shoppers who buy, staff who book and count, hands that type a number over. All by seeded dice, in the world's time."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Final

from invbi_pipeline.cli.bench.chaos.estate import Retailer
from invbi_pipeline.domain.words import Absorbs, LocationKind, MovementKind
from invbi_pipeline.sandbox.world.places import System

__all__ = ["DOINGS", "MEDDLING", "People"]

MEDDLING: Final = ("a sale between read and write", "a hand edit between read and write")
_MOST_ROOM: Final = 6  # units by which a hand types a number too high
_A_CYCLE: Final = (4, 14)
_A_RUSH: Final = (4, 8)  # orders of one unit


class People:
    """What is done in one world; `toll` counts it."""

    def __init__(self, retailer: Retailer, toll: Counter[str]) -> None:
        self._retailer = retailer
        self._world = retailer.world
        self._dice = retailer.dice("people")
        self._toll = toll
        self.shut = ""  # a channel that is down for ever: what is bought there nobody would ever hear of

    def plan(self, seconds: float) -> None:
        """Write down what is done in the next so many seconds."""
        business = self._world.business
        for _ in range(self._dice.randint(*_A_CYCLE)):
            doing = self._dice.choices(list(DOINGS), list(DOINGS.values()))[0]
            at = business.after(seconds=self._dice.uniform(0, seconds))
            business.agenda.people(at, partial(self._do, doing, seconds))

    def meddle(self, system: System, keys: list[str], dice: random.Random) -> tuple[str, str] | None:
        """Sell one of these listings of a system, or type its number over: now, while somebody is about to write it.

        Return which number it was: (listing key, location key); None where there was nothing to sell.
        """
        listing = system.listings[dice.choice(keys)]
        places = [place for place in system.sells_from if system.number(listing, place) > 0]
        if not places or system.name == self.shut:
            return None
        place = dice.choice(places)
        if dice.random() < 0.5 or place in system.counts:
            self._world.shoppers.place_order(system, place, [(listing, 1)])
            self._toll[MEDDLING[0]] += 1
        else:
            number = system.number(listing, place)
            system.account.type_over(listing.key, system.key_of.get(place, ""), max(0, number + dice.choice((-2, -1, 2, 4))))
            self._toll[MEDDLING[1]] += 1
        self._world.business.note("meddled", system.name, listing.key)
        return listing.key, system.key_of[place] if system.per_location else ""

    def _do(self, doing: str, seconds: float) -> None:
        if _HOW[doing](self, seconds):
            self._toll[doing] += 1
            self._world.business.note("did", doing)

    def buy(self, seconds: float) -> bool:
        """A shopper comes to one of the streams."""
        stream = self._dice.choice(self._world.business.streams)
        if stream.system == self.shut:
            return False
        return self._world.shoppers.buy(stream, stream.basket(self._dice)) is not None

    def buy_all(self, seconds: float) -> bool:
        """Two channels sell all that each of them shows of one sku."""
        systems = [one for one in self._world.business.channels() if not one.counts and one.name != self.shut]
        skus = sorted({sku for one in systems for sku in one.by_sku})
        sku, done = self._dice.choice(skus), 0
        for system in systems:
            listing = system.single(sku)
            place = next((p for p in system.sells_from if listing and system.number(listing, p) > 0), "")
            if listing and place:
                units = min(5, system.number(listing, place))
                self._world.shoppers.place_order(system, place, [(listing, units)])
                done += 1
        return done > 1

    def rush(self, seconds: float) -> bool:
        """A channel sells several things from a shop that another system counts, which then learns of them all at once."""
        shops = [
            (system, place)
            for system in self._world.business.channels()
            for place in system.sells_from
            if system.name != self.shut and self._learns_from_us(place, system)
        ]
        if not shops:
            return False
        system, place = self._dice.choice(shops)
        there = [
            one for one in system.listings.values() if one.mapped and not one.platform_fulfilled and system.number(one, place) > 0
        ]
        bought = self._dice.sample(there, min(len(there), self._dice.randint(*_A_RUSH)))
        for listing in bought:
            self._world.shoppers.place_order(system, place, [(listing, 1)])
        return len(bought) > 1

    def _learns_from_us(self, place: str, seller: System) -> bool:
        counting = self._world.business.places[place].owner
        owner = self._world.business.systems.get(counting)
        return owner is not None and owner is not seller and owner.absorbs is Absorbs.WRITEBACK

    def edit(self, seconds: float) -> bool:
        """Somebody types over a number that invbi offers."""
        spots = [
            (system, listing, place)
            for system in self._world.business.channels()
            if self._world.business.offered_at(system)
            for listing in system.listings.values()
            if listing.mapped and not listing.platform_fulfilled
            for place in system.sells_from
            if system.account.number(listing.key, system.key_of.get(place, "")) is not None
        ]
        if not spots:
            return False
        system, listing, place = self._dice.choice(spots)
        number = system.number(listing, place)
        change = self._dice.randint(1, _MOST_ROOM) if self._dice.random() < 0.5 else -min(number, self._dice.randint(1, 4))
        system.account.type_over(listing.key, system.key_of.get(place, ""), number + change)
        return change != 0

    def book(self, seconds: float) -> bool:
        """Staff book goods in, or damaged goods out."""
        place, sku = self._shelf()
        units = self._dice.choice((-2, -1, 1, 3, 6))
        if self._world.business.shelves.book[place, sku] + units < 0:
            return False
        self._world.goods.book(place, sku, units, MovementKind.RECEIPT if units > 0 else MovementKind.DAMAGE)
        return True

    def count(self, seconds: float) -> bool:
        """Staff count a shelf."""
        return self._world.goods.count(*self._shelf())

    def up_and_down(self, seconds: float) -> bool:
        """One unit is booked in, and out again a cycle later: 5 -> 6 -> 5."""
        place, sku = self._shelf()
        goods, business = self._world.goods, self._world.business
        goods.book(place, sku, 1, MovementKind.RECEIPT)
        back = partial(goods.book, place, sku, -1, MovementKind.DAMAGE)
        business.agenda.machine(business.now + timedelta(seconds=seconds), back)
        return True

    def _shelf(self) -> tuple[str, str]:
        business = self._world.business
        ours = [spot for spot in business.shelves.book if business.places[spot[0]].kind is not LocationKind.PLATFORM]
        return self._dice.choice(ours)


_HOW: Final[Mapping[str, Callable[[People, float], bool]]] = {
    "a sale": People.buy,
    "all sold out on two channels": People.buy_all,
    "a rush on what another system counts": People.rush,
    "a hand edit": People.edit,
    "a booking by staff": People.book,
    "a count": People.count,
    "5 -> 6 -> 5": People.up_and_down,
}
DOINGS: Final[Mapping[str, float]] = dict(zip(_HOW, (4.0, 0.5, 1.5, 2.0, 2.0, 0.5, 1.0), strict=True))
