"""The Shopify channel: one shop, read and written through the Admin GraphQL API."""

import random
import tempfile
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import polars as pl

from invbi_pipeline.channels.http import HttpClient, StaticHeaders
from invbi_pipeline.channels.protocol import Clock, Event, Facts, Health, Reading, Subscription, Write, WriteResult
from invbi_pipeline.channels.shared import Shared
from invbi_pipeline.channels.shopify import catalogue, effects, orders, stock, subscriptions
from invbi_pipeline.channels.shopify.api import Answer, Api, learn
from invbi_pipeline.channels.shopify.documents import CHECK, COUNT_LISTINGS, COUNT_ORDERS
from invbi_pipeline.channels.shopify.events import parse_event
from invbi_pipeline.channels.shopify.facts import FACTS, ORDERS_BULK_ABOVE, SCOPES
from invbi_pipeline.channels.shopify.writing import send
from invbi_pipeline.channels.wall import shown
from invbi_pipeline.config import SystemConfig
from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.errors import BadAnswer, InvbiError

__all__ = ["ShopifyChannel"]

_SKEW: Final = timedelta(minutes=2)  # clocks further apart than this are worth a warning; nothing is decided by comparing them


class ShopifyChannel:
    """One connected shop. `secrets`: `token`, and any number of `webhook_secret...`, tried in turn.

    Cursors are the platform's clock (ISO 8601) when a read began; the next read goes back behind it by `facts.overlap`.
    """

    facts: Facts

    def __init__(
        self,
        system: str,
        system_config: SystemConfig,
        secrets: Mapping[str, str],
        *,
        clock: Clock,
        rng: random.Random,
        transport: httpx.AsyncBaseTransport | None = None,
        shared: Shared | None = None,
    ) -> None:
        self.system = system
        lag = timedelta(seconds=2 * (system_config.order_lag_s or 0.0))  # who knows of a longer lag is read further back
        self.facts = replace(FACTS, overlap=max(FACTS.overlap, lag))
        self._account = system_config.account
        self._connects = system_config.connect_unstocked
        self._webhook_secrets = [value for purpose, value in secrets.items() if purpose.startswith("webhook_secret")]
        self._http = HttpClient(
            system,
            FACTS,
            system_config.base_url or f"https://{system_config.account}",
            clock=clock,
            rng=rng,
            secrets=list(secrets.values()),
            transport=transport,
            authorise=StaticHeaders({"X-Shopify-Access-Token": secrets["token"]}),
            learn=learn,
            shared=shared,
        )
        self._api = Api(self._http)
        self._clock = clock

    @property
    def requests(self) -> int:
        """Requests sent so far, retries included."""
        return self._http.requests

    async def check(self) -> Health:
        """Ask for the shop, our permissions, its locations and how many listings it has; compare the clocks."""
        try:
            answer = await self._api.run(CHECK)
            found, active, _ = await catalogue.locations(self._api, self.system)
        except InvbiError as trouble:
            return Health(self.system, (("access", False, str(trouble)),))
        granted = {scope["handle"] for scope in answer.data["currentAppInstallation"]["accessScopes"]}
        skew = answer.at - self._clock.now()
        shop = str(answer.data["shop"]["myshopifyDomain"])
        rows = [("access", True, f"shop {shop}")]
        if "." in self._account and shop != self._account:
            rows.append(("account", False, f"the token is of {shop}, and the configuration says {self._account}"))
        rows += [
            (f"permission {scope}", _granted(scope, granted), f"needed to {purpose}; give it to the app")
            for scope, purpose in SCOPES.items()
        ]
        rows.append(("locations", bool(active), f"{len(active)} active of {found.height}"))
        rows.append(("clock", abs(skew) <= _SKEW, f"the shop's clock is {skew.total_seconds():+.0f} s from ours"))
        return Health(self.system, tuple(rows), skew, int(answer.data["productVariantsCount"]["count"]))

    async def read(self, dataset: Dataset, since: str = "") -> Reading:
        """Read one dataset (`Channel.read`).

        `ORDERS` lands `order_lines`, `effects`, `returns` and `movements`. `MOVEMENTS` lands the same movements alone:
        shipments, sales over the counter and restocked returns of this shop's own orders are all that its Admin API tells. It
        shows no ledger of adjustments: of those, only the groups that our own posts made are known, and the outbox keeps them.
        """
        began, sent = self._clock.now(), self._http.requests
        try:
            frames, at = await self._frames(dataset, since)
        except (KeyError, TypeError) as lacking:
            raise BadAnswer(
                f"{self.system}: Shopify's answer to {dataset} lacks what its schema promises ({lacking})."
            ) from lacking
        full = not since or dataset is Dataset.LOCATIONS
        return self._reading(dataset, frames, at, began, sent, full=full)

    async def read_back(self, points: Sequence[tuple[str, str]]) -> Reading:
        """Read these points by id, which no search index delays; a point that is not there comes back `unknown`."""
        began, sent = self._clock.now(), self._http.requests
        frame, first = await stock.prove(self._api, self.system, points)
        at = first.at if first is not None else began
        return self._reading(Dataset.STOCK, {"stock": frame}, at, began, sent, full=False)

    async def read_orders(self, order_ids: Sequence[str]) -> Reading:
        """Read orders by id (`NamesOrders.read_orders`)."""
        return await self._few_orders(orders.named_orders(self._api, order_ids))

    async def recent_orders(self, since: datetime) -> Reading:
        """Read the orders that changed lately (`FindsOrders.recent_orders`), as far as the search index knows."""
        return await self._few_orders(orders.swept_orders(self._api, _updated_since(since)))

    async def gone(self, listing_keys: Sequence[str]) -> frozenset[str]:
        """Say which of these listings the shop has no longer (`Forgetful.gone`): a search by change never names them."""
        return await catalogue.gone(self._api, listing_keys)

    def write(self, writes: Sequence[Write]) -> AsyncIterator[WriteResult]:
        """Send corrections (`channels.shopify.writing.send`)."""
        return send(self._api, self.system, writes, connects=self._connects)

    def parse_event(self, headers: Mapping[str, str], body: bytes, url: str) -> Event:
        """Verify a webhook and say what it is about; its address is not part of the signature."""
        return parse_event(self.system, self._account, self._webhook_secrets, headers, body)

    async def subscriptions(self, address: str, *, mend: bool) -> Sequence[Subscription]:
        """Look at the shop's webhook subscriptions for an address, and put them right (`Announcing.subscriptions`)."""
        return await subscriptions.subscriptions(self._api, address, mend=mend)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _few_orders(self, asked: Coroutine[Any, Any, tuple[list[orders.Node], datetime | None]]) -> Reading:
        began, sent = self._clock.now(), self._http.requests
        try:
            found, at = await asked
            tables = await orders.tables(self._api, found)
            frames = self._order_frames(tables)
        except (KeyError, TypeError) as lacking:
            raise BadAnswer(f"{self.system}: Shopify's answer lacks what its schema promises of orders ({lacking}).") from lacking
        reading = self._reading(Dataset.ORDERS, frames, at or began, began, sent, full=False)
        return replace(reading, shown=shown(tables.orders.select("order_id", "updated_at").iter_rows()))

    async def _frames(self, dataset: Dataset, since: str) -> tuple[dict[str, pl.DataFrame], datetime]:
        match dataset:
            case Dataset.LOCATIONS:
                frame, _, answer = await catalogue.locations(self._api, self.system)
                return {"locations": frame}, answer.at
            case Dataset.LISTINGS:
                return await self._listings(since)
            case Dataset.STOCK:
                return await self._stock(since)
            case Dataset.ORDERS | Dataset.MOVEMENTS:
                return await self._orders(since, dataset)

    async def _listings(self, since: str) -> tuple[dict[str, pl.DataFrame], datetime]:
        count = await self._api.run(COUNT_LISTINGS)
        if since:
            raw = await catalogue.changed_listings(self._api, self._changed_since(since))
        elif _count(count) > self.facts.bulk_above:
            with tempfile.TemporaryFile(prefix="invbi-bulk-") as file:
                raw = await catalogue.bulk_listings(self._api, file)
        else:
            raw = await catalogue.all_listings(self._api)
        return {"listings": catalogue.listings_frame(self.system, raw, str(count.data["shop"]["currencyCode"]))}, count.at

    async def _stock(self, since: str) -> tuple[dict[str, pl.DataFrame], datetime]:
        _, places, first = await catalogue.locations(self._api, self.system)
        at = first.at
        if since:
            raw = await stock.all_levels(self._api, places, self._changed_since(since))
        elif _count(await self._api.run(COUNT_LISTINGS)) > self.facts.bulk_above:
            with tempfile.TemporaryFile(prefix="invbi-bulk-") as file:
                raw, at = await stock.bulk_levels(self._api, file)
        else:
            raw = await stock.all_levels(self._api, places)
        return {"stock": stock.stock_frame(self.system, raw)}, at

    async def _orders(self, since: str, dataset: Dataset) -> tuple[dict[str, pl.DataFrame], datetime]:
        query = self._changed_since(since) if since else ""
        count = await self._api.run(COUNT_ORDERS, {"query": query or None})
        if not since and int(count.data["ordersCount"]["count"]) > ORDERS_BULK_ABOVE:
            with tempfile.TemporaryFile(prefix="invbi-bulk-") as file:
                found = await orders.bulk_orders(self._api, file)
        else:
            found, _ = await orders.swept_orders(self._api, query)
        tables = await orders.tables(self._api, found)
        if itemless := effects.itemless_lines(tables):
            self._api.warnings[f"{itemless} order lines name no item (deleted, or never one): they move no stock"] = None
        if dataset is Dataset.MOVEMENTS:
            return {"movements": effects.movements(self.system, tables)}, count.at
        return self._order_frames(tables), count.at

    def _order_frames(self, tables: orders.OrderTables) -> dict[str, pl.DataFrame]:
        return {
            "movements": effects.movements(self.system, tables),
            "order_lines": effects.order_lines(self.system, tables),
            "effects": effects.effects(self.system, tables),
            "returns": effects.returns(self.system, tables),
        }

    def _changed_since(self, since: str) -> str:
        try:
            moment = datetime.fromisoformat(since) - self.facts.overlap
        except ValueError as wrong:
            raise BadAnswer(f"{self.system}: {since!r} is no cursor of Shopify's.") from wrong
        return _updated_since(moment)

    def _reading(
        self, dataset: Dataset, frames: Mapping[str, pl.DataFrame], at: datetime, began: datetime, sent: int, *, full: bool
    ) -> Reading:
        warnings = tuple(self._api.warnings)
        self._api.warnings.clear()
        return Reading(
            dataset=dataset,
            frames=frames,
            cursor=at.isoformat(),
            full=full,
            complete=True,
            began_at=began,
            ended_at=self._clock.now(),
            platform_time=at,
            requests=self._http.requests - sent,
            warnings=warnings,
        )


def _count(answer: Answer) -> int:
    return int(answer.data["productVariantsCount"]["count"])


def _granted(scope: str, granted: set[str]) -> bool:
    """Say whether a permission is there; writing includes reading, as Shopify grants it."""
    return scope in granted or scope.replace("read_", "write_", 1) in granted or scope.replace("read_", "read_all_", 1) in granted


def _updated_since(moment: datetime) -> str:
    return f"updated_at:>='{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'"
