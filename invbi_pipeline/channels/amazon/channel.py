"""The channel `amazon`: reads, read-back and writes of one seller in one marketplace."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
import polars as pl

from invbi_pipeline.channels.amazon import rows, subscriptions, writes
from invbi_pipeline.channels.amazon.api import AmazonApi, Found
from invbi_pipeline.channels.amazon.bulk import Report, all_listings
from invbi_pipeline.channels.amazon.facts import FACTS, GET_UP_TO, HISTORY, place_of
from invbi_pipeline.channels.amazon.orders import OrderReader
from invbi_pipeline.channels.protocol import Clock, Event, Health, Reading, Subscription, Write, WriteOutcome, WriteResult
from invbi_pipeline.channels.retry import retry_code
from invbi_pipeline.channels.shared import Shared
from invbi_pipeline.channels.wall import Row, shown, wall_frame
from invbi_pipeline.config import SystemConfig
from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.errors import InvbiError, Refused

__all__ = ["AmazonChannel"]

_REUSE: Final = timedelta(minutes=2)  # LISTINGS and STOCK of one look share a report
_TRUSTED: Final = timedelta(minutes=30)  # how long what we read of who ships a listing allows a write


class AmazonChannel:
    """One seller account in one marketplace.

    Cursors are Amazon's clock: of ORDERS the `lastUpdatedBefore` that the search echoes, of the others the Date of the first
    answer (or the moment a report shows). `secrets`: "client_id", "client_secret", "refresh_token".
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
        self._clock = clock
        self._api = AmazonApi(system, config.base_url, config.account, config.marketplace, secrets, clock, rng, transport, shared)
        self._place = place_of(config.marketplace)
        self._code = self._place.fulfilment_code
        self._orders = OrderReader(self._code)
        self._report: tuple[Report, datetime] | None = None  # and when we had it
        self._shippers: dict[str, tuple[frozenset[str], datetime]] = {}  # SKU -> fulfilment codes, when we learnt them

    async def check(self) -> Health:
        """Ask for one listing, the stock in Amazon's warehouses, and one order."""
        began = self._clock.now()
        found: list[tuple[str, bool, str]] = []
        listings, skew = None, timedelta(0)
        try:
            read = await self._api.search(size=1, most=0)
            listings, skew = read.announced, (read.at or began) - began
            found.append(("listings", True, ""))
            await self._api.summaries(began)
            found.append(("stock in Amazon's warehouses", True, ""))
            await self._api.orders(began - timedelta(hours=1), size=1, one_page=True)
            found.append(("orders", True, ""))
        except InvbiError as trouble:
            missing = ("listings", "stock in Amazon's warehouses", "orders")[len(found)]
            found.append((missing, False, str(trouble)))
        return Health(self.system, tuple(found), skew, listings)

    async def read(self, dataset: Dataset, since: str = "") -> Reading:
        """Read one dataset; an incremental read goes back behind its cursor by `FACTS.overlap`.

        Above `FACTS.bulk_above` listings (or changed listings) the report of all listings is read instead of pages; the reading
        is then full.
        """
        began, sent = self._clock.now(), self._api.http.requests
        after = _moment(since)
        start = None if after is None else after - FACTS.overlap
        match dataset:
            case Dataset.LISTINGS:
                found = await self._listings(start)
                if isinstance(found, Report):
                    frame = rows.report_listings(found.rows, self.system, self._place.currency)
                else:
                    frame = wall_frame("listings", self.system, map(rows.listing_row, found.rows))
                full = start is None or isinstance(found, Report)
                return self._reading(dataset, {"listings": frame}, found.at, full, began, sent)
            case Dataset.STOCK:
                return await self._stock(start, began, sent)
            case Dataset.ORDERS:
                found = await self._api.orders(began - HISTORY if start is None else start)
                return self._reading(dataset, self._order_frames(found), found.at, start is None, began, sent)
            case _:
                raise Refused(f"Amazon has no {dataset} to read.", code="no_such_dataset")

    async def read_back(self, points: Sequence[tuple[str, str]]) -> Reading:
        """Read these points now: the merchant's one by one when they are few, else 20 a call; Amazon's by summary."""
        began, sent = self._clock.now(), self._api.http.requests
        ours = list(dict.fromkeys(sku for sku, place in points if not place))
        theirs = list(dict.fromkeys(sku for sku, place in points if place))
        found = Found()
        if len(ours) <= GET_UP_TO:
            for sku in ours:
                if (item := await self._api.item(sku)) is not None:
                    found.rows.append(item[0])
                    found.reached(item[1])
        else:
            found = await self._api.items(ours)
        self._learn(found)
        stock = list(rows.merchant_rows(found.rows))
        if theirs:
            summaries = await self._api.summaries(skus=theirs)
            stock += [rows.summary_row(summary, self._code) for summary in summaries.rows]
            found.reached(summaries.at or began)
        wanted = set(points)
        held = [row for row in stock if (row["listing_key"], row["location_key"]) in wanted]
        return self._reading(Dataset.STOCK, {"stock": self._wall("stock", held)}, found.at, False, began, sent)

    async def read_orders(self, order_ids: Sequence[str]) -> Reading:
        """Read orders one by one, which shows them minutes before a search does (`NamesOrders.read_orders`)."""
        began, sent = self._clock.now(), self._api.http.requests
        found = Found()
        for read in await asyncio.gather(*map(self._api.order, order_ids)):
            if read is not None:
                found.rows.append(read[0])
                found.reached(read[1])
        reading = self._reading(Dataset.ORDERS, self._order_frames(found), found.at, False, began, sent)
        return replace(reading, shown=shown((order["orderId"], order["lastUpdatedTime"]) for order in found.rows))

    async def write(self, corrections: Sequence[Write]) -> AsyncIterator[WriteResult]:
        """Send corrections; those of listings that Amazon ships are refused here and never sent."""
        try:
            await self._know_shippers([write.listing_key for write in corrections])
        except InvbiError as trouble:
            for write in corrections:
                yield WriteResult(write.correction_id, WriteOutcome.RETRY, None, retry_code(trouble), str(trouble))
            return
        allowed = []
        for write in corrections:
            refused = writes.refused_here(write, self._shippers.get(write.listing_key, (None,))[0])
            if refused is None:
                allowed.append(write)
            else:
                yield refused
        singles, feeds = writes.routes(allowed)
        for write in singles:
            yield await writes.send_patch(self._api, write)
        for feed in feeds:
            async for result in writes.send_feed(self._api, feed):
                yield result

    def parse_event(self, headers: Mapping[str, str], body: bytes, url: str) -> Event:
        """Refuse: Amazon tells of events through queues (SQS, EventBridge), whose access policy is their proof; never by HTTP."""
        raise Refused(f"System {self.system}: Amazon sends no webhooks; this one is not Amazon's.", code="no_webhooks")

    async def subscriptions(self, address: str, *, mend: bool) -> Sequence[Subscription]:
        """Look at the notifications that go to a queue (its ARN), and put them right (`Announcing.subscriptions`)."""
        return await subscriptions.subscriptions(self._api, address, mend=mend)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.http.aclose()

    # listings and their numbers -----------------------------------------------------------------------------------------

    async def _listings(self, start: datetime | None) -> Found | Report:
        """All listings or the changed ones, by pages or by the report, as their number says."""
        found = await self._api.search(start, most=FACTS.bulk_above)
        if found.announced > FACTS.bulk_above:
            return await self._all_listings()
        self._learn(found)
        return found

    async def _all_listings(self) -> Report:
        now = self._clock.now()
        if self._report is not None and now - self._report[1] <= _REUSE:
            return self._report[0]
        report = await all_listings(self._api)
        now = self._clock.now()
        self._report = report, now
        self._shippers |= {sku: (codes, now) for sku, codes in rows.report_channels(report.rows).items()}
        return report

    async def _stock(self, start: datetime | None, began: datetime, sent: int) -> Reading:
        found = await self._listings(start)
        summaries = await self._api.summaries(start)
        if isinstance(found, Report):
            merchant = rows.report_stock(found.rows, self.system)
        else:
            merchant = self._wall("stock", rows.merchant_rows(found.rows))
        platform = [rows.summary_row(summary, self._code) for summary in summaries.rows]
        frame = pl.concat([merchant, self._wall("stock", platform)])
        # The report is of all, the summaries only of what changed: such a reading is not everything.
        return self._reading(
            Dataset.STOCK, {"stock": frame}, min(found.at or began, summaries.at or began), start is None, began, sent
        )

    def _order_frames(self, found: Found) -> dict[str, pl.DataFrame]:
        return {
            "order_lines": self._wall("order_lines", (row for order in found.rows for row in self._orders.lines(order))),
            "effects": self._wall("effects", (row for order in found.rows for row in self._orders.effects(order))),
            "movements": self._wall("movements", (row for order in found.rows for row in self._orders.movements(order))),
        }

    def _learn(self, found: Found) -> None:
        learnt = self._clock.now()
        self._shippers |= {item["sku"]: (rows.channels_of(item), learnt) for item in found.rows}

    async def _know_shippers(self, skus: Iterable[str]) -> None:
        """Look up who ships the listings of which we do not know it from a recent read."""
        fresh = self._clock.now() - _TRUSTED
        unknown = [sku for sku in dict.fromkeys(skus) if sku not in self._shippers or self._shippers[sku][1] < fresh]
        for sku in unknown:
            self._shippers.pop(sku, None)
        if len(unknown) > FACTS.bulk_above:
            await self._all_listings()
        elif unknown:
            self._learn(await self._api.items(unknown))

    def _wall(self, name: str, held: Iterable[Row]) -> pl.DataFrame:
        return wall_frame(name, self.system, held)

    def _reading(
        self, dataset: Dataset, frames: Mapping[str, pl.DataFrame], at: datetime | None, full: bool, began: datetime, sent: int
    ) -> Reading:
        reached = at or began
        return Reading(
            dataset=dataset,
            frames=frames,
            cursor=reached.astimezone(UTC).isoformat(),
            full=full,
            complete=True,
            began_at=began,
            ended_at=self._clock.now(),
            platform_time=reached,
            requests=self._api.http.requests - sent,
        )


def _moment(since: str) -> datetime | None:
    try:
        return datetime.fromisoformat(since) if since else None
    except ValueError:
        return None  # a cursor of an older version: read everything
