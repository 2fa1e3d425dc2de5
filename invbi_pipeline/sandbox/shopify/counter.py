"""What the shop's people and shoppers do with an order, and what each act does to the named states of its levels.

Placed: available falls, committed rises at the assigned location. Shipped: committed and on_hand fall. Cancelled or edited
down: available rises again, committed falls. Returned to a shelf: available and on_hand rise there. Money back without the
goods changes no number. (https://shopify.dev/docs/apps/build/orders-fulfillment/inventory-management-apps)
"""

from collections.abc import Mapping, Sequence

from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline.sandbox.shopify.catalogue import Item, Location
from invbi_pipeline.sandbox.shopify.orders import (
    Agreement,
    Disposition,
    Fulfilment,
    FulfilmentLine,
    FulfilmentOrder,
    FulfilmentOrderLine,
    Order,
    OrderLine,
    Refund,
    RefundLine,
    Return,
    ReturnLine,
    ReverseOrder,
    Sale,
)
from invbi_pipeline.sandbox.shopify.shop import Shop

__all__ = ["Counter"]


class Counter:
    """Takes orders and changes them."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def place(self, lines: Sequence[Line], location: Location | None, pos: bool, paid: bool) -> Order:
        """Take an order; over the counter (`pos`) it is shipped in the same moment."""
        shop, now = self._shop, self._shop.now()
        if pos and location is None:
            location = next(iter(shop.locations.values()))
        order_id, number = shop.next_order()
        source, retail = ("pos", location) if pos else ("web", None)
        order = Order(order_id, number, source, retail, shop.currency, paid, now, now)
        sales = [self._add_line(order, wanted, location) for wanted in lines]
        order.agreements.append(Agreement(order, shop.next_id(), "OrderAgreement", now, sales))
        shop.orders[order.id] = order
        if pos:
            self._ship(order, None, None)
        shop.order_revision += 1
        shop.happened("orders/create", order)
        if pos:
            shop.happened("fulfillments/create", order.fulfilments[-1])
            shop.happened("orders/fulfilled", order)
        return order

    def pay(self, order: Order) -> None:
        self._begin(order)
        order.paid = True
        self._shop.happened("orders/paid", order)
        self._done(order)

    def fulfil(self, order: Order, quantities: Mapping[str, int] | None, location: Location | None) -> None:
        """Ship all that is open, or these {listing key: units}; from another location the units are moved there first."""
        self._begin(order)
        before = len(order.fulfilments)
        self._ship(order, dict(quantities) if quantities is not None else None, location)
        for fulfilment in order.fulfilments[before:]:
            self._shop.happened("fulfillments/create", fulfilment)
        open_units = any(line.unfulfilled for line in order.lines)
        self._shop.happened("orders/partially_fulfilled" if open_units else "orders/fulfilled", order)
        self._done(order)

    def cancel(self, order: Order, restock: bool) -> None:
        """Take back what is not shipped; the order itself is cancelled only where nothing of it has left."""
        open_lines = [(at, line, line.remaining) for at in order.fulfilment_orders for line in at.lines if line.remaining]
        if not open_lines:
            return
        self._begin(order)
        refund = self._remove(order, open_lines, restock, "")
        sales = [Sale(self._shop.next_id(), "RETURN", line.line, -line.quantity) for line in refund.lines]
        order.agreements.append(Agreement(order, self._shop.next_id(), "RefundAgreement", refund.created_at, sales, refund))
        if not order.fulfilments:
            order.cancelled_at = order.closed_at = self._shop.now()
            self._shop.happened("orders/cancelled", order)
        self._shop.happened("refunds/create", refund)
        self._done(order)

    def edit(self, order: Order, item: Item, quantity: int) -> None:
        """Change the ordered units of an item: fewer are taken off its open lines, more become a line of their own."""
        ordered = sum(line.current for line in order.lines if line.item is item)
        if quantity == ordered:
            return
        self._begin(order)
        order.edited = True
        if quantity > ordered:
            location = next((at.location for at in order.fulfilment_orders), None)
            price = next((line.price for line in order.lines if line.item is item), 0.0)
            sale = self._add_line(order, Line(item.key, quantity - ordered, price), location)
            order.agreements.append(Agreement(order, self._shop.next_id(), "OrderEditAgreement", self._shop.now(), [sale]))
        else:
            surplus = ordered - quantity
            taken: list[tuple[FulfilmentOrder, FulfilmentOrderLine, int]] = []
            for at in reversed(order.fulfilment_orders):
                for line in at.lines:
                    units = min(surplus, line.remaining) if line.line.item is item else 0
                    if units:
                        taken.append((at, line, units))
                        surplus -= units
            if surplus:
                raise ValueError(f"order {order.name}: {surplus} unit(s) to take off are already shipped")
            refund = self._remove(order, taken, True, "order edit")
            sales = [Sale(self._shop.next_id(), "RETURN", line.line, -units) for _, line, units in taken]
            order.agreements.append(Agreement(order, self._shop.next_id(), "OrderEditAgreement", self._shop.now(), sales))
            self._shop.happened("refunds/create", refund)
        self._shop.happened("orders/edited", order.agreements[-1])
        self._done(order)

    def refund(self, order: Order, item: Item, quantity: int, restock_to: Location | None) -> Refund:
        """Give money back for shipped units; the goods go onto the shelf at `restock_to`, or nowhere."""
        self._begin(order)
        refund = Refund(order, self._shop.next_id(), self._shop.now(), "", [])
        left = quantity
        for line in order.lines:
            units = min(left, line.fulfilled - line.returned) if line.item is item else 0
            if units <= 0:
                continue
            line.returned += units
            left -= units
            kind = "NO_RESTOCK" if restock_to is None else "RETURN"
            refund.lines.append(RefundLine(self._shop.next_id(), line, units, kind, restock_to))
        if left:
            raise ValueError(f"order {order.name}: {left} unit(s) to refund were never shipped")
        if restock_to is not None:
            self._move(item, restock_to, quantity, 0)
        sales = [Sale(self._shop.next_id(), "RETURN", line.line, -line.quantity) for line in refund.lines]
        order.refunds.append(refund)
        order.agreements.append(Agreement(order, self._shop.next_id(), "RefundAgreement", refund.created_at, sales, refund))
        self._shop.happened("refunds/create", refund)
        self._done(order)
        return refund

    def take_back(self, order: Order, item: Item, quantity: int, location: Location, disposition: str, reason: str) -> Refund:
        """As `refund`, by way of a return: the goods lie at a location, and a disposition says what became of them."""
        refund = self.refund(order, item, quantity, location if disposition == "RESTOCKED" else None)
        shop, now = self._shop, self._shop.now()
        left, lines = quantity, list[ReturnLine]()
        for shipped in (part for fulfilment in order.fulfilments for part in fulfilment.lines if part.line.item is item):
            units = min(left, shipped.quantity)
            if units > 0:
                left -= units
                done = Disposition(shop.next_id(), disposition, units, location, now)
                lines.append(ReturnLine(shop.next_id(), shipped, units, reason, [done]))
        back = Return(order, shop.next_id(), now, lines)
        back.reverse.append(ReverseOrder(shop.next_id(), order, lines))
        order.returns.append(back)
        self._shop.happened("returns/approve", back)
        self._done(order)
        return refund

    # the steps

    def _begin(self, order: Order) -> None:
        order.keep_version(self._shop.wire.order_lag_s)

    def _done(self, order: Order) -> None:
        order.updated_at = self._shop.now()
        if order.closed_at is None and not any(line.unfulfilled for line in order.lines):
            order.closed_at = order.updated_at
        self._shop.order_revision += 1
        self._shop.happened("orders/updated", order)

    def _add_line(self, order: Order, wanted: Line, location: Location | None) -> Sale:
        shop, now = self._shop, self._shop.now()
        item = shop.item(wanted.listing_key)
        variant = item.variant
        title = variant.product.title
        price = wanted.price or float(variant.price)
        line = OrderLine(shop.next_id(), item, item.sku, title, variant.title, price, wanted.quantity)
        order.lines.append(line)
        at = location or self._assign(item, wanted.quantity)
        self._fulfilment_order(order, at).lines.append(
            FulfilmentOrderLine(shop.next_id(), line, wanted.quantity, wanted.quantity)
        )
        if order.source_name == "pos":
            self._move(item, at, -wanted.quantity, 0)
        else:
            self._move(item, at, -wanted.quantity, wanted.quantity)
        action = "ORDER" if order.created_at == now and not order.edited else "UPDATE"
        return Sale(shop.next_id(), action, line, wanted.quantity)

    def _assign(self, item: Item, quantity: int) -> Location:
        """Return the first active location that has the units, else the first that stocks the item, else the first."""
        stocked = [level for level in item.levels.values() if level.active and level.location.active]
        enough = next((level.location for level in stocked if level.available >= quantity), None)
        if enough is not None:
            return enough
        return stocked[0].location if stocked else next(iter(self._shop.locations.values()))

    def _fulfilment_order(self, order: Order, location: Location) -> FulfilmentOrder:
        now = self._shop.now()
        for existing in order.fulfilment_orders:
            if existing.location is location and existing.status in {"OPEN", "IN_PROGRESS"}:
                existing.updated_at = now
                return existing
        fresh = FulfilmentOrder(order, self._shop.next_id(), location, now, now)
        order.fulfilment_orders.append(fresh)
        return fresh

    def _ship(self, order: Order, quantities: dict[str, int] | None, location: Location | None) -> None:
        shipped: dict[Location, list[tuple[FulfilmentOrder, OrderLine, int]]] = {}
        for at in list(order.fulfilment_orders):
            for open_line in at.lines:
                key = open_line.line.item.key
                units = open_line.remaining if quantities is None else min(open_line.remaining, quantities.get(key, 0))
                if units <= 0:
                    continue
                if quantities is not None:
                    quantities[key] -= units
                source = location or at.location
                self._take(order, at, open_line, units, source)
                shipped.setdefault(source, []).append((at, open_line.line, units))
        for source, parts in shipped.items():
            name = f"{order.name}-F{len(order.fulfilments) + 1}"
            lines = [FulfilmentLine(self._shop.next_id(), line, units) for _, line, units in parts]
            under = list(dict.fromkeys(at for at, _, _ in parts))
            order.fulfilments.append(Fulfilment(order, self._shop.next_id(), name, source, self._shop.now(), lines, under))

    def _take(self, order: Order, at: FulfilmentOrder, open_line: FulfilmentOrderLine, units: int, source: Location) -> None:
        """Take units off a shelf for a shipment, moving them to another location's fulfilment order where they leave there."""
        item = open_line.line.item
        open_line.remaining -= units
        open_line.line.fulfilled += units
        at.updated_at = self._shop.now()
        if order.source_name == "pos":
            at.shipped = True
            return
        if source is at.location:
            at.shipped = True
            self._move(item, source, 0, -units)
            return
        open_line.total -= units
        moved = self._fulfilment_order(order, source)
        moved.shipped = True
        moved.lines.append(FulfilmentOrderLine(self._shop.next_id(), open_line.line, units, 0))
        self._move(item, at.location, units, -units)
        self._move(item, source, -units, 0)

    def _remove(
        self,
        order: Order,
        taken: Sequence[tuple[FulfilmentOrder, FulfilmentOrderLine, int]],
        restock: bool,
        note: str,
    ) -> Refund:
        """Take open units off an order; a refund dates it. Without restock they leave on_hand, and are not for sale again."""
        refund = Refund(order, self._shop.next_id(), self._shop.now(), note, [])
        for at, open_line, units in taken:
            open_line.remaining -= units
            open_line.line.cancelled += units
            at.updated_at = self._shop.now()
            self._move(open_line.line.item, at.location, units if restock else 0, -units)
            kind = "CANCEL" if restock else "NO_RESTOCK"
            shelf = at.location if restock else None
            refund.lines.append(RefundLine(self._shop.next_id(), open_line.line, units, kind, shelf))
        order.refunds.append(refund)
        return refund

    def _move(self, item: Item, location: Location, available: int, committed: int) -> None:
        if not item.tracked:
            return
        level = self._shop.shelves.connect(item, location)
        self._shop.shelves.change(level, "available", available)
        self._shop.shelves.change(level, "committed", committed)
