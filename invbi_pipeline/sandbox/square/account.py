"""One emulated Square seller account: what its shoppers, staff and tills do, applied the way Square applies it."""

from collections.abc import Callable, Mapping, Sequence
from random import Random

from starlette.applications import Starlette

from invbi_pipeline.domain.words import ListingStatus, MovementKind, ReturnState
from invbi_pipeline.sandbox.contract import ItemSpec, Line, Moved, Wire, WorldClock
from invbi_pipeline.sandbox.square.http import square_app
from invbi_pipeline.sandbox.square.ledger import Change, State
from invbi_pipeline.sandbox.square.orders import Fulfilment, Order, OrderLine, Return, Version
from invbi_pipeline.sandbox.square.store import Location, Store

__all__ = ["SquareAccount"]

# How a booked movement moves units between states: (into stock, out of stock).
_STATES: dict[MovementKind, tuple[State, State]] = {
    MovementKind.RECEIPT: (State.NONE, State.NONE),
    MovementKind.ADJUSTMENT: (State.NONE, State.NONE),
    MovementKind.DAMAGE: (State.WASTE, State.WASTE),
    MovementKind.TRANSFER_IN: (State.IN_TRANSIT, State.IN_TRANSIT),
    MovementKind.TRANSFER_OUT: (State.IN_TRANSIT, State.IN_TRANSIT),
    MovementKind.SALE: (State.SOLD, State.SOLD),
    MovementKind.CANCEL: (State.SOLD, State.SOLD),
    MovementKind.RETURN: (State.UNLINKED_RETURN, State.UNLINKED_RETURN),
}


class SquareAccount:
    """`sandbox.contract.Account` for Square. Stock falls when an order is handed over (a till's: at once), not when it is placed.

    Secrets: "token" (bearer token), "webhook_key" (signature key of every subscription). `number` is the raw count,
    below zero where more was sold than was booked in.
    """

    platform = "square"

    def __init__(self, name: str, clock: WorldClock, rng: Random, base_url: str, secrets: Mapping[str, str]) -> None:
        self.name = name
        self.base_url = base_url
        self.wire = Wire()
        self._store = Store(clock, rng, self.wire, secrets.get("webhook_key", ""))
        self._buyers = 0
        self._moved: dict[str, list[Change]] = {}  # order id -> what it and its refunds moved
        self.app: Starlette = square_app(self._store, clock, secrets.get("token", ""))

    # set-up ---------------------------------------------------------------------------------------------------------

    def add_location(self, key_hint: str, name: str, active: bool = True) -> str:
        """Return the new location's id. Square makes its own; the hint is not used."""
        made = Location(self._store.ids.short(), name, active, self._store.times.now())
        self._store.locations[made.id] = made
        return made.id

    def add_item(self, spec: ItemSpec) -> str:
        """Return the new variation's id; variants of one style share an item."""
        self._store.currency = spec.currency
        made = self._store.catalog.add(spec, self._store.times.now())
        self._store.announce_catalog()
        return made

    def stock(self, listing_key: str, location_key: str, quantity: int | None) -> None:
        """Set the opening count without a change in the history; None: never counted here."""
        self._store.ledger.open(listing_key, location_key, quantity, self._store.times.now())

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
        """Ring up a sale at a till (`pos`, completed when paid) or place an order to be shipped; return the order's id."""
        now = self._store.times.now()
        self._buyers += 1
        location = location_key or next(iter(self._store.locations))
        made = tuple(self._line(line) for line in lines)
        units = {line.uid: line.quantity for line in made}
        plans = () if pos else (Fulfilment(self._store.ids.long(), "PROPOSED", units, now),)
        done = pos and paid
        first = Version(now, 1, "COMPLETED" if done else "OPEN", made, plans, paid, now if done else None)
        order = Order(self._store.ids.long(), location, self._store.currency, now, [first], pos, self._buyers)
        self._store.orders[order.id] = order
        if done:
            self._sell(order, units)
        self._store.announce_order(order)
        return order.id

    def pay(self, order_id: str) -> None:
        """Pay an open order; a till's is completed by it."""
        order, now = self._store.orders[order_id], self._store.times.now()
        if order.now.paid or order.now.state != "OPEN":
            return
        if order.pos:
            order.change(now, paid=True, state="COMPLETED", closed_at=now)
            self._sell(order, {line.uid: line.quantity for line in order.now.lines})
        else:
            order.change(now, paid=True)
        self._store.announce_order(order)

    def fulfil(self, order_id: str, quantities: Mapping[str, int] | None = None, location_key: str = "") -> None:
        """Ship all that is open, or these {listing_key: units}; the order is completed with its last unit."""
        order, now = self._store.orders[order_id], self._store.times.now()
        waiting = {uid: units for uid, units in order.open_units().items() if units > 0}
        if quantities is not None:
            waiting = _pick(order, waiting, quantities)
        if not waiting:
            return
        left = {uid: units - waiting.get(uid, 0) for uid, units in order.open_units().items()}
        left = {uid: units for uid, units in left.items() if units > 0}
        kept = [each for each in order.now.fulfilments if each.state != "PROPOSED"]
        kept.append(Fulfilment(self._store.ids.long(), "COMPLETED", waiting, now))
        if left:
            kept.append(Fulfilment(self._store.ids.long(), "PROPOSED", left, now))
        closed = {} if left else {"state": "COMPLETED", "closed_at": now}
        order.change(now, fulfilments=tuple(kept), **closed)
        self._sell(order, waiting, location_key)
        self._store.announce_order(order)

    def cancel(self, order_id: str, restock: bool = True) -> None:
        """Cancel what is not handed over. It never left the stock, so there is nothing to put back."""
        order, now = self._store.orders[order_id], self._store.times.now()
        if order.now.state != "OPEN":
            return
        ended = tuple(
            Fulfilment(each.uid, "CANCELED", each.units, now) if each.state == "PROPOSED" else each
            for each in order.now.fulfilments
        )
        state = "COMPLETED" if any(each.state == "COMPLETED" for each in ended) else "CANCELED"
        order.change(now, fulfilments=ended, state=state, closed_at=now)
        self._store.announce_order(order)

    def edit(self, order_id: str, listing_key: str, quantity: int) -> None:
        """Change the units of a line of an open order; 0 takes the line off."""
        order, now = self._store.orders[order_id], self._store.times.now()
        if order.now.state != "OPEN":
            return
        lines = tuple(
            OrderLine(line.uid, line.variation, line.item_name, line.variation_name, quantity, line.price_cents)
            if line.variation == listing_key
            else line
            for line in order.now.lines
        )
        lines = tuple(line for line in lines if line.quantity > 0)
        shipped = order.shipped()
        left = {line.uid: line.quantity - shipped.get(line.uid, 0) for line in lines}
        left = {uid: units for uid, units in left.items() if units > 0}
        kept = [each for each in order.now.fulfilments if each.state != "PROPOSED"]
        if left and not order.pos:
            kept.append(Fulfilment(self._store.ids.long(), "PROPOSED", left, now))
        order.change(now, lines=lines, fulfilments=tuple(kept))
        self._store.announce_order(order)

    def refund(self, order_id: str, listing_key: str, quantity: int, restock_to: str | None) -> str:
        """Give money back as a return order; restocked goods are an adjustment that carries the refund's id."""
        came_from = State.SOLD if restock_to == self._store.orders[order_id].location else State.UNLINKED_RETURN
        back = (came_from, State.IN_STOCK) if restock_to is not None else None
        return self._refund(order_id, listing_key, quantity, restock_to or "", back)

    def take_back(
        self, order_id: str, listing_key: str, quantity: int, location_key: str, state: ReturnState, *, damaged: bool = False
    ) -> str:
        """Give money back for goods that lie at a location: waiting there (`received`), on sale, or binned (`written_off`)."""
        if damaged and state is ReturnState.RESTOCKED:
            raise ValueError("Square has no word for damaged goods that are on sale")
        step = State.IN_STOCK if state is ReturnState.RESTOCKED else State.RETURNED_BY_CUSTOMER
        refund_id = self._refund(order_id, listing_key, quantity, location_key, (State.SOLD, step))
        if state is ReturnState.WRITTEN_OFF:
            waiting = (State.RETURNED_BY_CUSTOMER, State.WASTE)
            self._store.book(listing_key, location_key, quantity, *waiting, refund_id=refund_id)
        return refund_id

    def _refund(self, order_id: str, listing_key: str, quantity: int, place: str, step: tuple[State, State] | None) -> str:
        order, now = self._store.orders[order_id], self._store.times.now()
        given = self._given_back(order, listing_key, quantity)
        refund_id = f"{self._store.ids.long()}_{self._store.ids.long()}"
        version = Version(now, 1, "COMPLETED", (), (), True, now)
        made = Order(self._store.ids.long(), order.location, order.currency, now, [version], True, order.buyer)
        made.returned = Return(refund_id, order_id, given)
        self._store.orders[made.id] = made
        self._store.refunds[refund_id] = made.id
        if step is not None:
            for line, _ in given:
                back = self._store.book(listing_key, place, line.quantity, *step, refund_id=refund_id)
                if step[1] is State.IN_STOCK:
                    self._moved.setdefault(order_id, []).append(back)
        self._store.announce_order(made)
        self._store.announce_refund(made)
        return refund_id

    def adjust(self, listing_key: str, location_key: str, delta: int, reason: str, reference: str = "") -> str:
        """Book a movement by its kind; return the change's id. Raises `ValueError` for a kind that is not booked this way."""
        kind = MovementKind(reason)
        if kind not in _STATES:
            raise ValueError(f"{kind} is not booked as an adjustment")
        into, out = _STATES[kind]
        from_state, to_state = (into, State.IN_STOCK) if delta > 0 else (State.IN_STOCK, out)
        receipt = kind is MovementKind.RECEIPT
        made = self._store.book(listing_key, location_key, abs(delta), from_state, to_state, reference=reference, receipt=receipt)
        return made.id

    def count(self, listing_key: str, location_key: str, quantity: int) -> str:
        """Enter a physical count at the till; return the change's id."""
        return self._store.book(listing_key, location_key, quantity, None, State.IN_STOCK).id

    def type_over(self, listing_key: str, location_key: str, quantity: int) -> None:
        """Overwrite the count in the dashboard: to Square, a physical count like any other."""
        self._store.book(listing_key, location_key, quantity, None, State.IN_STOCK, product="DASHBOARD")

    def set_status(self, listing_key: str, status: str) -> None:
        """Take a variation off sale, put it back, or delete it."""
        self._store.catalog.change(listing_key, self._store.times.now(), status=ListingStatus(status))
        self._store.announce_catalog()

    def rename(self, listing_key: str, sku: str | None = None, barcode: str | None = None) -> None:
        """Type another SKU or GTIN."""
        values = {name: value for name, value in (("sku", sku), ("barcode", barcode)) if value is not None}
        self._store.catalog.change(listing_key, self._store.times.now(), **values)
        self._store.announce_catalog()

    # the back door --------------------------------------------------------------------------------------------------

    def moved(self, order_id: str) -> Sequence[Moved]:
        """Return what the order and its refunds took from stock and put back, in the order it was booked, by the changes' ids."""
        return [Moved(each.id, each.variation, each.location, each.delta) for each in self._moved.get(order_id, ())]

    def number(self, listing_key: str, location_key: str) -> int | None:
        """Return the count in Square's store, accepted writes included; None: never counted, not tracked or deleted."""
        level = self._store.ledger.levels.get((listing_key, location_key))
        variation = self._store.catalog.known(listing_key)
        return level.quantity if level is not None and variation is not None and variation.tracked else None

    def on_webhook(self, deliver: Callable[[str, Mapping[str, str], bytes], None]) -> None:
        """Take the delivering function; one that raises `ConnectionError` is asked again later, at `tick`."""
        self._store.webhooks.connect(deliver)

    def tells_somebody(self) -> bool:
        return bool(self._store.webhooks.subscriptions)

    def tick(self) -> None:
        """Deliver the webhooks that have come due."""
        self._store.webhooks.flush()

    def _line(self, line: Line) -> OrderLine:
        variation = self._store.catalog.variations[line.listing_key]
        cents = round(line.price * 100) or variation.price_cents
        title = self._store.catalog.title(variation)
        return OrderLine(self._store.ids.long(), variation.id, title, variation.name, line.quantity, cents)

    def _sell(self, order: Order, units: Mapping[str, int], location_key: str = "") -> None:
        for line in order.now.lines:
            count = units.get(line.uid, 0)
            if count and self._store.catalog.variations[line.variation].tracked:
                place, cents = location_key or order.location, count * line.price_cents
                sale = self._store.book(
                    line.variation, place, count, State.IN_STOCK, State.SOLD, order_id=order.id, price_cents=cents
                )
                self._moved.setdefault(order.id, []).append(sale)

    def _given_back(self, order: Order, listing_key: str, quantity: int) -> tuple[tuple[OrderLine, str], ...]:
        given, shipped, wanted = [], order.shipped(), quantity
        for line in order.now.lines:
            units = min(wanted, shipped.get(line.uid, 0) - order.refunded.get(line.uid, 0))
            if line.variation != listing_key or units <= 0:
                continue
            order.refunded[line.uid] = order.refunded.get(line.uid, 0) + units
            wanted -= units
            uid = self._store.ids.long()
            back = OrderLine(uid, line.variation, line.item_name, line.variation_name, units, line.price_cents)
            given.append((back, line.uid))
        if wanted:
            raise ValueError(f"order {order.id} has {quantity - wanted} units of {listing_key} to give back, not {quantity}")
        return tuple(given)


def _pick(order: Order, waiting: Mapping[str, int], quantities: Mapping[str, int]) -> dict[str, int]:
    """Return {line uid: units} for these {listing_key: units}, never more than waits."""
    left, picked = dict(quantities), {}
    for line in order.now.lines:
        units = min(waiting.get(line.uid, 0), left.get(line.variation, 0))
        if units > 0:
            picked[line.uid] = units
            left[line.variation] -= units
    return picked
