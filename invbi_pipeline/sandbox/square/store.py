"""Everything one Square account holds, and the changes its people, its tills and its API make to it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from zlib import crc32

from invbi_pipeline.sandbox.contract import Wire, WorldClock
from invbi_pipeline.sandbox.square.catalog import Catalog, CatalogView
from invbi_pipeline.sandbox.square.ledger import Change, Ledger, Level, State
from invbi_pipeline.sandbox.square.orders import Order, Version
from invbi_pipeline.sandbox.square.rows import count_row
from invbi_pipeline.sandbox.square.times import Ids, Times
from invbi_pipeline.sandbox.square.webhooks import Webhooks

__all__ = ["Location", "Store"]


@dataclass(slots=True)
class Location:
    id: str
    name: str
    active: bool
    created_at: datetime


class Store:
    """The account's state. Reads apply the wire's planted faults; `Ledger` and `Catalog` hold what is so."""

    def __init__(self, clock: WorldClock, rng: Random, wire: Wire, webhook_key: str) -> None:
        self.wire = wire
        self.rng = rng
        self.clock = clock
        self.times = Times(clock, wire)
        self.ids = Ids(rng)
        self.merchant = "M" + self.ids.short()
        self.webhooks = Webhooks(self.times, self.ids, wire, self.merchant, webhook_key)
        self.catalog = Catalog(self.ids.long)
        self.ledger = Ledger()
        self.locations: dict[str, Location] = {}
        self.orders: dict[str, Order] = {}
        self.refunds: dict[str, str] = {}  # refund id -> return order id
        self.currency = "GBP"
        self._sequence = 0

    # writes ---------------------------------------------------------------------------------------------------------

    def book(
        self,
        variation: str,
        location: str,
        quantity: int,
        from_state: State | None,
        to_state: State,
        *,
        occurred_at: datetime | None = None,
        visible_after_s: float = 0.0,
        product: str = "SQUARE_POS",
        reference: str = "",
        order_id: str = "",
        refund_id: str = "",
        receipt: bool = False,
        price_cents: int = 0,
    ) -> Change:
        """Record a change of stock and tell the subscribers; a frozen listing records it and does not move."""
        now = self.times.now()
        self._sequence += 1
        change = Change(
            id=self.ids.long(),
            variation=variation,
            location=location,
            quantity=quantity,
            occurred_at=occurred_at or now,
            recorded_at=now,
            sequence=self._sequence,
            from_state=from_state,
            to_state=to_state,
            visible_at=now + timedelta(seconds=visible_after_s),
            product=product,
            reference=reference,
            order_id=order_id,
            refund_id=refund_id,
            receipt_id=self.ids.long() if receipt else "",
            price_cents=price_cents,
            applied=variation not in self.wire.frozen,
        )
        self.ledger.record(change)
        if change.applied:
            self._announce_count(change)
        return change

    def announce_order(self, order: Order) -> None:
        """Tell the subscribers that an order was made or changed: only its id, version, place and state."""
        version = order.now
        name = "order_created" if version.number == 1 else "order_updated"
        event_type = name.replace("_", ".")
        if not self.webhooks.wanted(event_type):
            return
        thin = {
            "order_id": order.id,
            "version": version.number,
            "location_id": order.location,
            "state": version.state,
            "created_at": self.times.state(order.created_at),
            **({} if version.number == 1 else {"updated_at": self.times.state(version.at)}),
        }
        self.webhooks.announce(event_type, name, order.id, {name: thin}, self._order_due(version.at))

    def announce_refund(self, order: Order) -> None:
        """Tell the subscribers of money given back (PaymentRefund; it says nothing of a restock)."""
        returned = order.returned
        if returned is None or not self.webhooks.wanted("refund.created"):
            return
        cents = sum(line.quantity * line.price_cents for line, _ in returned.lines)
        refund = {
            "id": returned.refund_id,
            "status": "COMPLETED",
            "location_id": order.location,
            "order_id": order.id,
            "payment_id": f"PAYMENT{returned.source_order_id}",
            "amount_money": {"amount": cents, "currency": order.currency},
            "created_at": self.times.state(order.created_at),
            "updated_at": self.times.state(order.created_at),
        }
        self.webhooks.announce(
            "refund.created", "refund", returned.refund_id, {"refund": refund}, self._order_due(order.created_at)
        )

    def announce_catalog(self) -> None:
        """Tell the subscribers that the catalog changed, not what."""
        now = self.times.now()
        if self.webhooks.wanted("catalog.version.updated"):
            content = {"catalog_version": {"updated_at": self.times.state(now)}}
            self.webhooks.announce("catalog.version.updated", "catalog", "", content, now)

    # reads, through the wire's faults -------------------------------------------------------------------------------

    def shown(self, level: Level) -> tuple[int, datetime] | None:
        """Return (quantity, calculated_at) of a level as the API shows them; None where it shows nothing."""
        if not self.tracked(level.variation) or self._cut(level):
            return None
        seen = level.seen(self.times.now(), self.wire.stale_since)
        if seen is None:
            return None
        changed_at = max(seen[1], self.wire.renumbered_at or seen[1])
        return (0 if self.wire.mass_zero else seen[0], changed_at)

    def tracked(self, variation: str) -> bool:
        """Say whether Square counts this variation at all."""
        known = self.catalog.known(variation)
        return known is not None and known.tracked and not self.wire.untracked_all

    def changes(self, after: datetime | None, before: datetime | None) -> list[Change]:
        """Return the readable changes received between these moments; those of late orders come late."""
        now = self.times.now()
        orders_until = now - timedelta(seconds=self.wire.order_lag_s)
        stale = self.wire.stale_since
        return [
            change
            for change in self.ledger.recorded(after, before)
            if change.visible_at <= now
            and (stale is None or change.recorded_at <= stale)
            and (change.recorded_at <= orders_until or not (change.order_id or change.refund_id))
        ]

    def readable_orders(self) -> list[tuple[Order, Version]]:
        """Return the orders that can be read now, each as it stood when the feed last caught up."""
        until = self.times.now() - timedelta(seconds=self.wire.order_lag_s)
        seen = ((order, order.seen(until)) for order in self.orders.values())
        return [(order, version) for order, version in seen if version is not None]

    def catalog_view(self) -> CatalogView:
        """Return what the catalog shows of the stock."""
        return CatalogView(self._stocked, self.wire.untracked_all, self.wire.renumbered_at)

    def _stocked(self, variation: str) -> list[tuple[str, int]]:
        levels = (self.ledger.levels.get((variation, location)) for location in self.locations)
        return [(level.location, level.quantity) for level in levels if level is not None]

    def _cut(self, level: Level) -> bool:
        if not self.wire.truncate_share:
            return False
        return crc32(f"{level.variation}/{level.location}".encode()) % 10_000 < self.wire.truncate_share * 10_000

    def _order_due(self, at: datetime) -> datetime:
        return at + timedelta(seconds=self.wire.order_lag_s)

    def _announce_count(self, change: Change) -> None:
        if not self.webhooks.wanted("inventory.count.updated") or not self.tracked(change.variation):
            return
        level = self.ledger.levels[change.variation, change.location]
        rows = [count_row(level.variation, level.location, level.quantity, self.times.state(level.calculated_at))]
        due = max(change.visible_at, self._order_due(change.recorded_at) if change.order_id else change.visible_at)
        self.webhooks.announce("inventory.count.updated", "inventory_counts", change.id, {"inventory_counts": rows}, due)
