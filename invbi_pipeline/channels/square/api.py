"""Square's endpoints as coroutines: paging, its error words, its version header. No vocabulary of ours."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import httpx

from invbi_pipeline.channels.http import HttpClient, StaticHeaders, answer, pages
from invbi_pipeline.channels.protocol import Clock
from invbi_pipeline.channels.shared import Shared
from invbi_pipeline.channels.square.facts import BASE_URL, FACTS, LOCATIONS_A_SEARCH, PAGE, SQUARE_VERSION, learn_rate
from invbi_pipeline.errors import InvbiError, Refused, Throttled, Unreachable

__all__ = ["Rows", "SquareApi"]

Json = dict[str, Any]

_ORDERS_A_CALL: Final = 100  # https://developer.squareup.com/reference/square/orders-api/batch-retrieve-orders
_IDS_A_CALL: Final = 250  # catalog ids in one request for counts: the bodies stay small


@dataclass(slots=True)
class Rows:
    """What a paged read returned, and Square's clock when its first page was answered."""

    rows: list[Json]
    at: datetime


class SquareApi:
    """One seller's account over HTTP."""

    def __init__(
        self,
        system: str,
        base_url: str,
        token: str,
        clock: Clock,
        rng: random.Random,
        transport: httpx.AsyncBaseTransport | None,
        shared: Shared | None = None,
    ) -> None:
        self.http: Final = HttpClient(
            system,
            FACTS,
            base_url or BASE_URL,
            clock=clock,
            rng=rng,
            secrets=[token],
            transport=transport,
            authorise=StaticHeaders({"Authorization": f"Bearer {token}", "Square-Version": SQUARE_VERSION}),
            learn=learn_rate,
            shared=shared,
        )

    async def locations(self) -> Rows:
        """All locations, inactive ones too."""
        response = await self.http.request("locations", "GET", "/v2/locations", classify=_error)
        return Rows((answer(response) or {}).get("locations") or [], self.http.platform_time(response))

    async def catalog(self, since: datetime | None) -> Rows:
        """All items with their variations inside; or the items and variations that changed since, deleted ones too."""
        body: Json = {"object_types": ["ITEM"], "limit": PAGE}
        if since is not None:
            body |= {"object_types": ["ITEM", "ITEM_VARIATION"], "begin_time": _time(since), "include_deleted_objects": True}
        return await self._paged("catalog", "/v2/catalog/search", body, "objects")

    async def counts(
        self, locations: Sequence[str], since: datetime | None = None, variations: Sequence[str] | None = None
    ) -> Rows:
        """Counts in stock at these locations: all, those calculated after a moment, or those of some variations."""
        body: Json = {"location_ids": list(locations), "states": ["IN_STOCK"], "limit": PAGE}
        if since is not None:
            body["updated_after"] = _time(since)
        path = "/v2/inventory/counts/batch-retrieve"
        if variations is None:
            return await self._paged("counts", path, body, "counts")
        found = [
            await self._paged("counts", path, {**body, "catalog_object_ids": list(part)}, "counts")
            for part in _parts(variations, _IDS_A_CALL)
        ]
        return self._joined(found)

    async def changes(self, locations: Sequence[str], since: datetime | None, variations: Sequence[str] | None = None) -> Rows:
        """The inventory ledger at these locations, all or what Square received after a moment; of all or some variations."""
        body: Json = {"location_ids": list(locations), "types": ["PHYSICAL_COUNT", "ADJUSTMENT"], "limit": PAGE}
        if since is not None:
            body["updated_after"] = _time(since)
        if variations is not None:
            body["catalog_object_ids"] = list(variations)
        return await self._paged("changes", "/v2/inventory/changes/batch-retrieve", body, "changes")

    async def orders(self, locations: Sequence[str], since: datetime | None) -> Rows:
        """Orders of any state at these locations, all or those updated at or after a moment; ten locations a call."""
        query: Json = {"sort": {"sort_field": "UPDATED_AT", "sort_order": "ASC"}}
        if since is not None:
            query["filter"] = {"date_time_filter": {"updated_at": {"start_at": _time(since)}}}
        found = [
            await self._paged("orders", "/v2/orders/search", {"location_ids": part, "query": query, "limit": PAGE}, "orders")
            for part in _parts(locations, LOCATIONS_A_SEARCH)
        ]
        return self._joined(found)

    async def named_orders(self, order_ids: Sequence[str]) -> Rows:
        """These orders, a hundred a call; ids that Square does not know are left out."""
        read = Rows([], self.http.clock.now())
        for part in _parts(order_ids, _ORDERS_A_CALL):
            response = await self.http.request(
                "orders", "POST", "/v2/orders/batch-retrieve", json={"order_ids": part}, classify=_error
            )
            if not read.rows:
                read.at = self.http.platform_time(response)
            read.rows += (answer(response) or {}).get("orders") or []
        return read

    def _joined(self, found: Sequence[Rows]) -> Rows:
        """One read of several calls; it reaches as far as the earliest of them."""
        return Rows([row for part in found for row in part.rows], min((part.at for part in found), default=self.http.clock.now()))

    async def change(self, key: str, changes: Sequence[Json]) -> tuple[Json, datetime]:
        """Send a batch of inventory changes under an idempotency key; it passes or fails as a whole.

        Counts say the same however often they are asked for. An adjustment that may have been carried out is not asked for again:
        its movement is looked for in the ledger first.

        Raises `Refused` whose `field` names the culprits ("changes[3].physical_count.quantity, ...") where Square does.
        """
        body = {"idempotency_key": key, "changes": list(changes), "ignore_unchanged_counts": False}
        counts = all(change["type"] == "PHYSICAL_COUNT" for change in changes)
        path = "/v2/inventory/changes/batch-create"
        response = await self.http.request("change", "POST", path, json=body, changes=True, idempotent=counts, classify=_error)
        return answer(response) or {}, self.http.platform_time(response)

    async def call(
        self, operation: str, method: str, path: str, body: Json | None = None, params: Mapping[str, str] | None = None
    ) -> Json:
        """Send one request that is neither paged nor a change of stock; return the answer's body."""
        response = await self.http.request(operation, method, path, json=body, params=params, classify=_error)
        return answer(response) or {}

    async def _paged(self, operation: str, path: str, body: Json, name: str) -> Rows:
        """Read all pages; from the start again, once, when the cursor died on the way (it lives five minutes)."""
        try:
            return await self._all_pages(operation, path, body, name)
        except Refused as refusal:
            if refusal.code != "INVALID_CURSOR":
                raise
        return await self._all_pages(operation, path, body, name)

    async def _all_pages(self, operation: str, path: str, body: Json, name: str) -> Rows:
        read = Rows([], self.http.clock.now())

        async def fetch(cursor: str) -> tuple[list[Json], str]:
            asked = {**body, "cursor": cursor} if cursor else body
            response = await self.http.request(operation, "POST", path, json=asked, classify=_error)
            if not cursor:
                read.at = self.http.platform_time(response)
            said: Json = answer(response) or {}
            return said.get(name) or [], said.get("cursor") or ""

        async for page in pages(fetch):
            read.rows += page
        return read


def _error(response: httpx.Response) -> InvbiError | None:
    """Square's errors[] in our tree; it may stand in an answer of status 200 too."""
    said = answer(response)
    errors: list[Mapping[str, str]] = said.get("errors") or [] if isinstance(said, dict) else []
    if not errors or response.status_code in (401, 403, 429):
        return None
    first = errors[0]
    category, code = first.get("category", ""), first.get("code", "")
    if category == "RATE_LIMIT_ERROR":
        return Throttled(f"Square asks for a pause ({code}); nothing was changed.")
    if category == "API_ERROR" or response.status_code >= 500:
        return Unreachable(f"Square failed ({code}, HTTP {response.status_code}).")
    if category == "AUTHENTICATION_ERROR":
        return Refused(f"Square refused the access token ({code}). Nothing was changed.", code="unauthorised")
    fields = ", ".join(error["field"] for error in errors if error.get("field"))
    return Refused(
        f"Square refused the request: {first.get('detail') or code} ({code}). Nothing was changed.", code=code, field=fields
    )


def _parts(values: Sequence[str], size: int) -> Iterable[list[str]]:
    return ([*values[start : start + size]] for start in range(0, len(values), size))


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
