"""The channel `square`: reads, read-back, writes and events of one seller's account."""

import random
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
import polars as pl

from invbi_pipeline.channels.protocol import Clock, Event, Health, Reading, Subscription, Write, WriteResult
from invbi_pipeline.channels.shared import Shared
from invbi_pipeline.channels.square import events, rows, subscriptions, writes
from invbi_pipeline.channels.square.api import Json, Rows, SquareApi
from invbi_pipeline.channels.square.facts import FACTS
from invbi_pipeline.channels.square.rows import Variation
from invbi_pipeline.channels.wall import Row, shown, wall_frame
from invbi_pipeline.config import SystemConfig
from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.errors import ConfigError, InvbiError

__all__ = ["SquareChannel"]

_CLOCKS: Final = timedelta(minutes=5)  # what an order did to stock is stamped by another clock than the order
_CATALOG_OVERLAP: Final = timedelta(minutes=5)  # a catalog change shows at once; this covers clocks


class SquareChannel:
    """One Square account. A cursor is Square's own clock at the first answer of a read.

    Locations that are read: those the configuration maps, or all active ones when it maps none. `secrets`: "token" and, to accept
    webhooks, "webhook_key".
    """

    def __init__(
        self,
        system: str,
        config: SystemConfig,
        secrets: Mapping[str, str],
        *,
        clock: Clock,
        rng: random.Random,
        transport: httpx.AsyncBaseTransport | None = None,
        shared: Shared | None = None,
    ) -> None:
        self.system = system
        self.facts = FACTS
        self._config = config
        self._webhook_key = secrets.get("webhook_key", "")
        self._clock = clock
        self._api = SquareApi(system, config.base_url, secrets["token"], clock, rng, transport, shared)
        self._skew = timedelta(0)
        self._locations: list[str] = list(config.locations)
        self._items: dict[str, Json] = {}
        self._catalogue: dict[str, Variation] = {}
        self._catalogue_at: datetime | None = None

    async def check(self) -> Health:
        """Ask for locations and one page of counts; compare the mapped locations and the clocks."""
        found: list[tuple[str, bool, str]] = []
        try:
            read = await self._api.locations()
        except InvbiError as trouble:
            return Health(self.system, (("access", False, str(trouble)),))
        self._skew = read.at - self._clock.now()
        found.append(("access", True, ""))
        active = {location["id"] for location in read.rows if location.get("status") == "ACTIVE"}
        for key, place in self._config.locations.items():
            said = "" if key in active else f"Square knows no active location {key}; correct systems.{self.system}.locations"
            found.append((f"location {place}", key in active, said))
        try:
            _, variations = await self._variations(None)
            await self._api.counts(sorted(active), read.at)
        except InvbiError as trouble:
            return Health(self.system, (*found, ("inventory and catalog", False, str(trouble))), self._skew)
        return Health(self.system, (*found, ("inventory and catalog", True, "")), self._skew, len(variations))

    async def read(self, dataset: Dataset, since: str = "") -> Reading:
        """Read one dataset; an incremental read goes back behind its cursor by `FACTS.overlap`.

        The first LISTINGS of a process are always full, because a changed variation does not bring its item along. ORDERS lands
        order_lines, effects, returns and the movements that orders and refunds made; MOVEMENTS the whole ledger.
        """
        began, sent = self._clock.now(), self._api.http.requests
        after = _moment(since)
        start = None if after is None else after - FACTS.overlap
        frames: Mapping[str, Iterable[Row]]
        match dataset:
            case Dataset.LOCATIONS:
                read = await self._api.locations()
                at, frames = read.at, {"locations": map(rows.location_row, read.rows)}
            case Dataset.LISTINGS:
                after = after if self._catalogue_at is not None else None
                at, variations = await self._variations(start if after is not None else None)
                if after is None and start is not None:  # all that there is never names what is there no longer
                    variations += [changed for changed in (await self._variations(start))[1] if changed.deleted]
                frames = {"listings": map(rows.listing_row, variations)}
            case Dataset.STOCK:
                at, stock = await self._stock(after)
                frames = {"stock": stock}
            case Dataset.ORDERS:
                places = await self._places()
                orders = await self._api.orders(places, start)
                changes = await self._api.changes(places, start)
                booked = [c for c in changes.rows if _of_an_order(c)]
                at = min(orders.at, changes.at)
                frames = _order_frames(orders.rows, booked)
            case Dataset.MOVEMENTS:
                changes = await self._api.changes(await self._places(), start)
                at, frames = changes.at, {"movements": rows.movement_rows(changes.rows)}
        made = {name: wall_frame(name, self.system, held) for name, held in frames.items()}
        full = after is None or dataset is Dataset.LOCATIONS
        return self._reading(dataset, made, at, full, began, sent)

    async def read_back(self, points: Sequence[tuple[str, str]]) -> Reading:
        """Read the counts of these points now; one without a count is unknown or untracked."""
        began, sent = self._clock.now(), self._api.http.requests
        if self._catalogue_at is None:
            await self._variations(None)
        keys = list(dict.fromkeys(key for key, _ in points))
        counts = await self._api.counts(sorted({place for _, place in points}), variations=keys)
        counted = {(c["catalog_object_id"], c["location_id"]): c for c in counts.rows}
        stock = [self._point(counted.get(point), *point) for point in points]
        frame = wall_frame("stock", self.system, filter(None, stock))
        return self._reading(Dataset.STOCK, {"stock": frame}, counts.at, False, began, sent)

    async def read_orders(self, order_ids: Sequence[str]) -> Reading:
        """Read orders by id, and what they did to the stock of their variations (`NamesOrders.read_orders`)."""
        began, sent = self._clock.now(), self._api.http.requests
        return await self._with_bookings(await self._api.named_orders(order_ids), began, sent)

    async def recent_orders(self, since: datetime) -> Reading:
        """Read the orders that changed lately (`FindsOrders.recent_orders`)."""
        began, sent = self._clock.now(), self._api.http.requests
        return await self._with_bookings(await self._api.orders(await self._places(), since), began, sent)

    async def _with_bookings(self, orders: Rows, began: datetime, sent: int) -> Reading:
        """Read what these orders did to the stock of their variations."""
        ids = [str(order["id"]) for order in orders.rows]
        placed = [moment for order in orders.rows if (moment := _moment(order.get("created_at") or "")) is not None]
        lines = (line for order in orders.rows for line in order.get("line_items") or ())
        named = list(dict.fromkeys(str(line["catalog_object_id"]) for line in lines if line.get("catalog_object_id")))
        booked = []
        if placed and named:
            changes = await self._api.changes(await self._places(), min(placed) - _CLOCKS, named)
            booked = [c for c in changes.rows if _of_an_order(c) and _of_these(c, ids)]
        made = {name: wall_frame(name, self.system, held) for name, held in _order_frames(orders.rows, booked).items()}
        reading = self._reading(Dataset.ORDERS, made, orders.at, False, began, sent)
        return replace(reading, shown=shown((str(order["id"]), order.get("updated_at")) for order in orders.rows))

    async def write(self, corrections: Sequence[Write]) -> AsyncIterator[WriteResult]:
        """Send corrections, 100 a call; see `square.writes`."""
        async for result in writes.send(self._api, corrections, self._clock.now() + self._skew):
            yield result

    def parse_event(self, headers: Mapping[str, str], body: bytes, url: str) -> Event:
        """Verify a webhook by the subscription's key, its registered URL and the raw body."""
        if not self._webhook_key:
            where = f"systems.{self.system}.secrets.webhook_key"
            raise ConfigError(f"System {self.system} has no webhook key.", [(where, "a secret is missing", "name its variable")])
        return events.parse(self.system, self._webhook_key, headers, body, url)

    async def subscriptions(self, address: str, *, mend: bool) -> Sequence[Subscription]:
        """Look at the application's webhook subscription for an address, and put it right (`Announcing.subscriptions`)."""
        return await subscriptions.subscriptions(self._api, self._webhook_key, address, self._clock.now(), mend=mend)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.http.aclose()

    # reading stock ------------------------------------------------------------------------------------------------------

    async def _stock(self, after: datetime | None) -> tuple[datetime, list[Row]]:
        """All points, or those whose count or whose variation changed since."""
        places = await self._places()
        start = None if after is None else after - FACTS.overlap
        last = None if after is None else after - _CATALOG_OVERLAP
        if after is None or self._catalogue_at is None:
            await self._variations(None)
        else:
            await self._variations(self._catalogue_at - _CATALOG_OVERLAP)
        # that something is counted no longer shows in the variation alone: its count just stays away
        wanted = [one for one in self._catalogue.values() if last is None or one.changed_after(last)]
        counts = await self._api.counts(places, start)
        held, at = counts.rows, counts.at
        if start is not None and wanted:
            held = held + (await self._api.counts(places, variations=[v.id for v in wanted])).rows
        counted = {(c["catalog_object_id"], c["location_id"]): c for c in held}
        points = dict.fromkeys(counted) | dict.fromkeys((v.id, p) for v in wanted for p in places if v.present(p))
        found = [self._point(counted.get(point), *point) for point in points if point[1] in places]
        return at, [row for row in found if row is not None]

    def _point(self, count: Json | None, listing: str, place: str) -> Row | None:
        variation = self._catalogue.get(listing)
        if count is not None:
            return rows.count_row(count, variation)
        return None if variation is None else rows.uncounted_row(variation, place)

    async def _variations(self, start: datetime | None) -> tuple[datetime, list[Variation]]:
        """Read variations, all or those that changed, and remember them: stock rows need to know where they are counted."""
        read = await self._api.catalog(start)
        if start is None:
            self._catalogue.clear()
            self._items.clear()
        alone = []
        found: dict[str, Variation] = {}
        for said in read.rows:
            if said["type"] == "ITEM_VARIATION":
                alone.append(said)
                continue
            self._items[said["id"]] = said
            inside = (said.get("item_data") or {}).get("variations") or []
            found |= {each["id"]: Variation(each, said) for each in inside}
        items = ((said, (said.get("item_variation_data") or {}).get("item_id", "")) for said in alone)
        found |= {said["id"]: Variation(said, self._items.get(item, {})) for said, item in items}
        self._catalogue |= found
        for gone in [variation.id for variation in found.values() if variation.deleted]:
            del self._catalogue[gone]
        self._catalogue_at = read.at
        return read.at, list(found.values())

    async def _places(self) -> list[str]:
        if not self._locations:
            read = await self._api.locations()
            self._locations = [location["id"] for location in read.rows if location.get("status") == "ACTIVE"]
        return self._locations

    def _reading(
        self, dataset: Dataset, frames: Mapping[str, pl.DataFrame], at: datetime, full: bool, began: datetime, sent: int
    ) -> Reading:
        ended = self._clock.now()
        self._skew = at - began
        return Reading(
            dataset=dataset,
            frames=frames,
            cursor=at.astimezone(UTC).isoformat(),
            full=full,
            complete=True,
            began_at=began,
            ended_at=ended,
            platform_time=at,
            requests=self._api.http.requests - sent,
        )


def _order_frames(orders: Sequence[Json], booked: Sequence[Json]) -> dict[str, Iterable[Row]]:
    """What orders, and the inventory changes that name one, are to the wall."""
    return {
        "order_lines": rows.order_rows(orders),
        "effects": rows.effect_rows(booked),
        "movements": rows.movement_rows(booked),
        "returns": rows.return_rows(booked),
    }


def _moment(since: str) -> datetime | None:
    try:
        return datetime.fromisoformat(since) if since else None
    except ValueError:
        return None  # a cursor of an older version: read everything


def _of_an_order(change: Json) -> bool:
    adjustment = change.get("adjustment") or {}
    return bool(adjustment.get("transaction_id") or adjustment.get("refund_id"))


def _of_these(change: Json, order_ids: Sequence[str]) -> bool:
    """Say whether a change names one of these orders, or no order at all: a refund without a sale that is known."""
    return (change.get("adjustment") or {}).get("transaction_id", "") in ("", *order_ids)
