"""Shoppers: they come, buy, change their minds and bring things back; and the people who pack what they ordered."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from invbi_pipeline.domain.words import ListingStatus, MovementKind
from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline.sandbox.world.business import Business
from invbi_pipeline.sandbox.world.demand import Kind, Stream
from invbi_pipeline.sandbox.world.faults.planted import Planted
from invbi_pipeline.sandbox.world.goods import Goods
from invbi_pipeline.sandbox.world.orders import Order, OrderLine
from invbi_pipeline.sandbox.world.places import Listing, System

__all__ = ["Shoppers"]

_UNPAID = 0.05
_PAYS_LATER = 0.65
_CANCELS = 0.05
_WITHOUT_RESTOCK = 0.1
_EDITS = 0.05
_SPLITS = 0.2  # of the orders with more than one unit
_BRINGS_BACK = {Kind.COUNTER: 0.05, Kind.ONLINE: 0.1, Kind.MARKETPLACE: 0.08, Kind.PLATFORM: 0.0, Kind.TRADE: 0.02}
_RESTOCKED = 0.72  # of what comes back is fit for sale
_BACK_UNBOOKED = 0.1  # of the rest is put on the shelf and never booked
_EXCHANGES = 0.2  # of those who bring something back take something else
_EDITABLE = frozenset({"shopify"})
_PACK_HOURS = {Kind.ONLINE: 3.0, Kind.MARKETPLACE: 3.0, Kind.PLATFORM: 6.0, Kind.TRADE: 8.0}
_FROM_DEFAULT_PLACE = 0.7  # of the online orders, when it has the goods
_SWITCH_OVER = timedelta(minutes=10)  # after history
_NEVER_MIND_THE_NUMBER = 0.02  # of the sales in a shop are rung up although the till's number says there is none


class Shoppers:
    """Everything that begins with somebody buying."""

    def __init__(self, business: Business, goods: Goods) -> None:
        self._business = business
        self._goods = goods
        self._rng: random.Random = business.rng("shoppers")

    def plan_day(self, day: datetime) -> None:
        """Write the day's shoppers down. `day` is its midnight."""
        for stream in self._business.streams:
            for at in stream.arrivals(day, self._rng):
                self._business.agenda.people(at, partial(self.arrive, stream))

    def arrive(self, stream: Stream) -> None:
        """A shopper tries to buy a basket."""
        if stream.kind is Kind.COUNTER and self._switching() and stream.place not in self._business.systems[stream.system].counts:
            return  # that till is being set up
        self.buy(stream, stream.basket(self._rng))

    def buy(self, stream: Stream, basket: list[tuple[Listing, int]]) -> Order | None:
        """Buy what of the basket is there; return the order, or None if nothing was."""
        system = self._business.systems[stream.system]
        place = self._choose_place(system, stream, basket)
        kept = [(listing, units) for listing, units in basket if self._there(system, stream, place, listing, units)]
        if not kept:
            return None
        over_the_counter = stream.kind is Kind.COUNTER
        paid = over_the_counter or self._rng.random() >= _UNPAID
        order = self.place_order(system, place, kept, pos=over_the_counter, paid=paid, by_platform=stream.kind is Kind.PLATFORM)
        if over_the_counter:
            self._perhaps_return(stream, order)
        else:
            self._fate(stream, order)
        return order

    def place_order(
        self,
        system: System,
        place: str,
        basket: list[tuple[Listing, int]],
        *,
        pos: bool = False,
        paid: bool = True,
        by_platform: bool = False,
    ) -> Order:
        """Put the order into the account and remember it."""
        business = self._business
        lines = [Line(listing.key, units, listing.price) for listing, units in basket]
        location_key = system.key_of.get(place, "")
        order_id = system.account.order(lines, location_key, pos=pos, paid=paid, platform_fulfilled=by_platform)
        made = {listing.key: OrderLine(listing, 0 if pos else units, units if pos else 0) for listing, units in basket}
        order = Order(system.name, order_id, place, business.now, paid, made, by_platform)
        business.orders.add(order)
        business.note("order", system.name, order_id, place, *((line.listing_key, line.quantity) for line in lines))
        if pos:
            self._goods.apply(order)
        else:
            for listing, units in basket:
                self._reserve(order, listing, units)
        return order

    # what becomes of an order

    def _fate(self, stream: Stream, order: Order) -> None:
        rng, business = self._rng, self._business
        if not order.paid:
            at = business.after(minutes=rng.uniform(10, 360))
            doing = partial(self._pay, stream, order) if rng.random() < _PAYS_LATER else partial(self.cancel, order)
            business.agenda.people(at, doing)
            return
        if rng.random() < _CANCELS and stream.kind is not Kind.PLATFORM:
            business.agenda.people(business.after(minutes=rng.uniform(3, 45)), partial(self.cancel, order))
            return
        if rng.random() < _EDITS and business.systems[order.system].platform in _EDITABLE:
            business.agenda.people(business.after(minutes=rng.uniform(2, 14)), partial(self._edit, order))
        hours = 0.25 + rng.expovariate(1 / _PACK_HOURS[stream.kind])
        business.agenda.people(business.after(hours=min(hours, 30)), partial(self._pack, stream, order))

    def _pay(self, stream: Stream, order: Order) -> None:
        if not order.open_lines:
            return
        self._business.systems[order.system].account.pay(order.order_id)
        order.paid = True
        self._business.note("paid", order.order_id)
        self._fate(stream, order)

    def cancel(self, order: Order) -> None:
        """Cancel what is not shipped. Now and then a channel's goods are not put back on sale."""
        if not order.open_lines:
            return
        system = self._business.systems[order.system]
        keeps_count = order.place in system.counts
        restock = keeps_count or system.platform != "shopify" or self._rng.random() >= _WITHOUT_RESTOCK
        system.account.cancel(order.order_id, restock)
        for line in order.open_lines:
            self._reserve(order, line.listing, -line.open)
            line.open = 0
        self._business.orders.settle(order)
        self._business.note("cancel", order.order_id, restock)

    def _edit(self, order: Order) -> None:
        """Change the units of the first line: one fewer where there are several, one more where there is one to have."""
        system = self._business.systems[order.system]
        line = next((line for line in order.open_lines if not line.shipped), None)
        if line is None or not order.paid:
            return
        if line.open > 1:
            change = -1
        elif system.number(line.listing, order.place) > 0:
            change = 1
        else:
            return
        system.account.edit(order.order_id, line.listing.key, line.open + change)
        line.open += change
        self._reserve(order, line.listing, change)
        self._business.note("edit", order.order_id, line.listing.key, line.open)

    def _pack(self, stream: Stream, order: Order) -> None:
        """Ship the order, or a part of it; what is not on the shelf cannot be, and the rest of the order is cancelled."""
        business, rng = self._business, self._rng
        if not order.open_lines or self._put_off(partial(self._pack, stream, order)):
            return
        wanted = {line.listing.key: line.open for line in order.open_lines}
        short = [
            line for line in order.open_lines if not business.shelves.has(order.place, business.contents(line.listing), line.open)
        ]
        if short and not order.platform_fulfilled:
            for line in short:
                wanted.pop(line.listing.key)
                if business.laws.counted_misses < 1 and rng.random() >= business.laws.counted_misses:
                    continue
                for sku in business.contents(line.listing):
                    self._goods.count(order.place, sku)
        elif sum(wanted.values()) > 1 and not order.platform_fulfilled and rng.random() < _SPLITS:
            key = next(iter(wanted))
            wanted = {key: max(1, wanted[key] // 2)}
            business.agenda.people(business.after(hours=rng.uniform(1, 20)), partial(self._pack, stream, order))
        if wanted:
            self._ship(order, wanted)
            self._perhaps_return(stream, order)
        if short and not order.platform_fulfilled:
            self.cancel(order)

    def _ship(self, order: Order, wanted: dict[str, int]) -> None:
        system = self._business.systems[order.system]
        system.account.fulfil(order.order_id, wanted, system.key_of.get(order.place, ""))
        for key, units in wanted.items():
            line = order.lines[key]
            line.open -= units
            line.shipped += units
            self._reserve(order, line.listing, -units)
        self._goods.apply(order)
        self._business.orders.settle(order)

    def _perhaps_return(self, stream: Stream, order: Order) -> None:
        if self._rng.random() < _BRINGS_BACK[stream.kind]:
            at = self._business.after(days=self._rng.uniform(0.05 if stream.kind is Kind.COUNTER else 2.0, 12.0))
            self._business.agenda.people(at, partial(self._bring_back, stream, order))

    def _bring_back(self, stream: Stream, order: Order) -> None:
        rng, system = self._rng, self._business.systems[order.system]
        if self._put_off(partial(self._bring_back, stream, order)):
            return
        line = next((line for line in order.lines.values() if line.shipped > line.returned), None)
        if line is None or system.listings.get(line.listing.key) is not line.listing:
            return
        units = rng.randint(1, line.shipped - line.returned)
        line.returned += units
        back_to = order.place
        fit = rng.random() < _RESTOCKED
        restock_to = system.key_of.get(back_to) if fit and system.per_location else None
        system.account.refund(order.order_id, line.listing.key, units, restock_to)
        self._business.note("refund", order.order_id, line.listing.key, units, restock_to or "")
        self._goods.apply(order)
        contents = self._business.contents(line.listing)
        if fit and restock_to is None:  # the platform does not restock: staff book the goods where they lie
            for sku, each in contents.items():
                paper = f"{order.system}/{order.order_id}"
                self._goods.book(back_to, sku, each * units, MovementKind.RETURN, reference=paper)
        elif not fit and rng.random() < _BACK_UNBOOKED:
            for sku, each in contents.items():
                self._goods.vanish(back_to, sku, each * units)
                self._business.natural.append(_unbooked(order, line.listing.key, sku, back_to, each * units, self._business.now))
        if stream.listings and rng.random() < _EXCHANGES:
            self.arrive(stream)

    def pack_later(self, order: Order, earliest_h: float = 0.5, latest_h: float = 6.0) -> None:
        """Have an order that no stream brought packed in some hours."""
        kind = Kind.ONLINE if self._business.systems[order.system].per_location else Kind.MARKETPLACE
        at = self._business.after(hours=self._rng.uniform(earliest_h, latest_h))
        stream = Stream(order.system, kind, order.place, 0.0, [])
        self._business.agenda.people(at, partial(self._pack, stream, order))

    def _put_off(self, doing: Callable[[], object]) -> bool:
        """Say whether it must wait: while one integration is switched off and the next one on, nobody packs."""
        if not self._switching():
            return False
        at = self._business.after(seconds=_SWITCH_OVER.total_seconds() + self._rng.uniform(0, 900))
        self._business.agenda.people(at, doing)
        return True

    def _switching(self) -> bool:
        live = self._business.went_live_at
        return live is not None and self._business.now < live + _SWITCH_OVER

    # what is there

    def _choose_place(self, system: System, stream: Stream, basket: list[tuple[Listing, int]]) -> str:
        """Return where the platform lets the order ship from: one place that shows all of it, mostly the default one."""
        if stream.kind is not Kind.ONLINE:
            return stream.place
        able = [place for place in system.sells_from if all(system.number(listing, place) >= units for listing, units in basket)]
        if stream.place in able and (len(able) == 1 or self._rng.random() < _FROM_DEFAULT_PLACE):
            return stream.place
        return self._rng.choice(able) if able else stream.place

    def _there(self, system: System, stream: Stream, place: str, listing: Listing, units: int) -> bool:
        if listing.status is not ListingStatus.ACTIVE:
            return False
        if stream.kind is Kind.COUNTER and not self._business.shelves.has(place, self._business.contents(listing), units):
            return False
        if place in system.counts and stream.kind is Kind.COUNTER and self._rng.random() < _NEVER_MIND_THE_NUMBER:
            return True
        return system.number(listing, place) >= units

    def _reserve(self, order: Order, listing: Listing, units: int) -> None:
        business = self._business
        contents = business.contents(listing)
        business.shelves.reserve(order.place, contents, units, order.place in business.systems[order.system].counts)
        business.touched.update(dict.fromkeys(contents))
        if units < 0:
            return
        business.orders.settle(order)


def _unbooked(order: Order, listing_key: str, sku: str, place: str, units: int, at: datetime) -> Planted:
    """What nobody can know but who put it there."""
    silent = "money was given back; nobody said that the goods came"
    return Planted("return_not_restocked", order.system, at, listing_key, sku, place, units=units, undetectable=silent)
