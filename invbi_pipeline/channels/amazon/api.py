"""The operations of the Selling Partner API that we use, as coroutines: names as in its models, no vocabulary of ours."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import httpx

from invbi_pipeline.channels.amazon.facts import FACTS, IDENTIFIERS, LISTINGS_PAGE, ORDERS_PAGE, learn_rate, place_of
from invbi_pipeline.channels.amazon.login import LWA_URL, Login
from invbi_pipeline.channels.http import HttpClient, answer, pages
from invbi_pipeline.channels.protocol import Clock
from invbi_pipeline.channels.shared import Shared
from invbi_pipeline.errors import InvbiError, Refused, Unreachable

__all__ = ["AmazonApi", "Found", "parts"]

Json = dict[str, Any]

_INCLUDED: Final = "summaries,offers,fulfillmentAvailability"
# Never BUYER or RECIPIENT. FULFILLMENT carries the buyer's gift message; the wall drops it.
_ORDER_DATA: Final = "FULFILLMENT,PACKAGES"
_NO_SUCH: Final = ("NotFound", "NOT_FOUND", "404")
_SKUS_A_SUMMARY: Final = 50
_NOTIFY: Final = "/notifications/v1"
_NOTIFICATIONS: Final = "sellingpartnerapi::notifications"  # developer-docs.amazon.com/sp-api/docs/grantless-operations
_NOT_YET: Final = timedelta(minutes=2)  # a search of orders reaches no closer to now


@dataclass(slots=True)
class Found:
    """What a read returned, how many results it announced, and how far it reaches by Amazon's clock (None: nothing was asked)."""

    rows: list[Json] = field(default_factory=list)
    announced: int = 0
    at: datetime | None = None

    def reached(self, at: datetime) -> None:
        """Note the clock of an answer; a read reaches as far as the earliest of its answers."""
        self.at = at if self.at is None else min(self.at, at)


class AmazonApi:
    """One seller in one marketplace."""

    def __init__(
        self,
        system: str,
        base_url: str,
        seller: str,
        marketplace: str,
        secrets: Mapping[str, str],
        clock: Clock,
        rng: random.Random,
        transport: httpx.AsyncBaseTransport | None,
        shared: Shared | None = None,
    ) -> None:
        self.seller: Final = seller
        self.marketplace: Final = marketplace
        wanted = {purpose: secrets[purpose] for purpose in FACTS.secrets}
        url = f"{base_url.rstrip('/')}/auth/o2/token" if base_url else LWA_URL
        login = Login(url, {"grant_type": "refresh_token", **wanted})
        application = {purpose: wanted[purpose] for purpose in ("client_id", "client_secret")}
        self._grantless = Login(url, {"grant_type": "client_credentials", "scope": _NOTIFICATIONS, **application})
        self.http: Final = HttpClient(
            system,
            FACTS,
            base_url or place_of(marketplace).host,
            clock=clock,
            rng=rng,
            secrets=list(wanted.values()),
            transport=transport,
            authorise=login,
            learn=learn_rate,
            shared=shared,
        )
        login.use(self.http)
        self._grantless.use(self.http)

    # listings -----------------------------------------------------------------------------------------------------------

    async def search(self, since: datetime | None = None, *, most: int | None = None, size: int = LISTINGS_PAGE) -> Found:
        """Listings, all or those updated at or after a moment, 20 a page; no further page when more than `most` are announced."""
        # By SKU: in the default order, the last updated first, a listing that changes meanwhile would move pages.
        params = {**self._listing_params(), "pageSize": str(size), "sortBy": "sku", "sortOrder": "ASC"}
        if since is not None:
            params["lastUpdatedAfter"] = _time(since)
        found = Found()

        async def fetch(token: str) -> tuple[list[Json], str]:
            asked = {**params, "pageToken": token} if token else params
            response = await self.request(
                "searchListingsItems", "GET", f"/listings/2021-08-01/items/{self._seller()}", params=asked
            )
            said: Json = answer(response) or {}
            found.reached(self.http.platform_time(response))
            if not token:
                found.announced = int(said.get("numberOfResults") or 0)
            more = str((said.get("pagination") or {}).get("nextToken") or "")
            return said.get("items") or [], "" if most is not None and found.announced > most else more

        async for page in pages(fetch):
            found.rows += page
        return found

    async def items(self, skus: Sequence[str]) -> Found:
        """These listings by a search, 20 a call. A SKU with a comma cannot be searched for and is fetched alone."""
        found = Found()
        plain = [sku for sku in skus if "," not in sku]
        for part in parts(plain, IDENTIFIERS):
            params = {
                **self._listing_params(),
                "identifiers": ",".join(part),
                "identifiersType": "SKU",
                "pageSize": str(LISTINGS_PAGE),
            }
            response = await self.request(
                "searchListingsItems", "GET", f"/listings/2021-08-01/items/{self._seller()}", params=params
            )
            found.reached(self.http.platform_time(response))
            found.rows += (answer(response) or {}).get("items") or []
        for sku in skus:
            if "," in sku and (item := await self.item(sku)) is not None:
                found.rows.append(item[0])
                found.reached(item[1])
        return found

    async def item(self, sku: str) -> tuple[Json, datetime] | None:
        """One listing; None when Amazon says there is none."""
        try:
            response = await self.request("getListingsItem", "GET", self._item_path(sku), params=self._listing_params())
        except Refused as refusal:
            if refusal.code in _NO_SUCH:
                return None
            raise
        return answer(response) or {}, self.http.platform_time(response)

    async def patch(self, sku: str, body: Mapping[str, Any]) -> tuple[Json, datetime]:
        """Submit a change of a listing; the answer says accepted or invalid, not applied."""
        params = {"marketplaceIds": self.marketplace}
        response = await self.request("patchListingsItem", "PATCH", self._item_path(sku), params=params, json=body, changes=True)
        return answer(response) or {}, self.http.platform_time(response)

    # stock in Amazon's own warehouses -------------------------------------------------------------------------------------

    async def summaries(self, since: datetime | None = None, skus: Sequence[str] | None = None) -> Found:
        """Inventory summaries: all, those that changed after a moment, or those of some SKUs (50 a call)."""
        params = {
            "details": "true",
            "granularityType": "Marketplace",
            "granularityId": self.marketplace,
            "marketplaceIds": self.marketplace,
        }
        found = Found()
        if since is not None:
            params["startDateTime"] = _time(since)
        asked = [params] if skus is None else [{**params, **_skus(part)} for part in _sku_parts(skus)]
        for each in asked:
            await self._summary_pages(each, found)
        return found

    async def _summary_pages(self, params: Mapping[str, str], found: Found) -> None:
        async def fetch(token: str) -> tuple[list[Json], str]:
            asked = {**params, "nextToken": token} if token else params  # the token lives 30 s and wants the same parameters
            response = await self.request("getInventorySummaries", "GET", "/fba/inventory/v1/summaries", params=asked)
            said: Json = answer(response) or {}
            found.reached(self.http.platform_time(response))
            rows = (said.get("payload") or {}).get("inventorySummaries") or []
            return rows, str((said.get("pagination") or {}).get("nextToken") or "")

        async for page in pages(fetch):
            found.rows += page

    # orders ---------------------------------------------------------------------------------------------------------------

    async def orders(self, since: datetime, *, size: int = ORDERS_PAGE, one_page: bool = False) -> Found:
        """Orders of every status updated at or after a moment; `at` is how far the search reached (its lastUpdatedBefore)."""
        params = {
            "lastUpdatedAfter": _time(since),
            "marketplaceIds": self.marketplace,
            "includedData": _ORDER_DATA,
            "maxResultsPerPage": str(size),
        }
        found = Found()

        async def fetch(token: str) -> tuple[list[Json], str]:
            asked = {**params, "paginationToken": token} if token else params
            response = await self.request("searchOrders", "GET", "/orders/2026-01-01/orders", params=asked)
            said: Json = answer(response) or {}
            echo = said.get("lastUpdatedBefore")
            found.reached(datetime.fromisoformat(echo) if echo else self.http.platform_time(response) - _NOT_YET)
            more = str((said.get("pagination") or {}).get("nextToken") or "")
            return said.get("orders") or [], "" if one_page else more

        async for page in pages(fetch):
            found.rows += page
        return found

    async def order(self, order_id: str) -> tuple[Json, datetime] | None:
        """One order; None when Amazon says there is none."""
        path = f"/orders/2026-01-01/orders/{quote(order_id, safe='')}"
        try:
            response = await self.request("getOrder", "GET", path, params={"includedData": _ORDER_DATA})
        except Refused as refusal:
            if refusal.code in _NO_SUCH:
                return None
            raise
        return (answer(response) or {}).get("order") or {}, self.http.platform_time(response)

    # notifications ------------------------------------------------------------------------------------------------------

    async def destinations(self) -> list[Json]:
        """Where the application's notifications may go."""
        return self._payload(await self._as_application("getDestinations", "GET", f"{_NOTIFY}/destinations")) or []

    async def create_destination(self, name: str, arn: str) -> Json:
        """Name a queue as a destination."""
        body = {"name": name, "resourceSpecification": {"sqs": {"arn": arn}}}
        made = self._payload(await self._as_application("createDestination", "POST", f"{_NOTIFY}/destinations", body))
        return made if isinstance(made, dict) else {}

    async def subscription(self, topic: str, version: str) -> Json | None:
        """The seller's subscription of a notification type; None where there is none."""
        try:
            said = await self.request(
                "getSubscription", "GET", f"{_NOTIFY}/subscriptions/{topic}", params={"payloadVersion": version}
            )
        except Refused as refusal:
            if refusal.code in ("NotFound", "NOT_FOUND", "404"):
                return None
            raise
        found = self._payload(said)
        return found if isinstance(found, dict) and found.get("subscriptionId") else None

    async def subscribe(self, topic: str, version: str, destination: str) -> None:
        """Have the seller's notifications of a type sent to a destination."""
        body = {"payloadVersion": version, "destinationId": destination}
        await self.request("createSubscription", "POST", f"{_NOTIFY}/subscriptions/{topic}", json=body)

    async def unsubscribe(self, topic: str, subscription_id: str) -> None:
        """End a subscription."""
        path = f"{_NOTIFY}/subscriptions/{topic}/{quote(subscription_id, safe='')}"
        await self._as_application("deleteSubscriptionById", "DELETE", path)

    async def _as_application(self, operation: str, method: str, path: str, json: object | None = None) -> httpx.Response:
        """Send a request that is the application's own, not a seller's ("grantless")."""
        headers = await self._grantless()
        return await self.http.request(operation, method, path, json=json, headers=headers, authorised=False, classify=_error)

    @staticmethod
    def _payload(response: httpx.Response) -> Any:
        said = answer(response)
        return said.get("payload") if isinstance(said, dict) else None

    async def request(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object | None = None,
        idempotent: bool = True,
        changes: bool = False,
    ) -> httpx.Response:
        """Send one request of an operation, with Amazon's error words understood."""
        return await self.http.request(
            operation, method, path, params=params, json=json, idempotent=idempotent, changes=changes, classify=_error
        )

    def _listing_params(self) -> dict[str, str]:
        return {"marketplaceIds": self.marketplace, "includedData": _INCLUDED}

    def _seller(self) -> str:
        return quote(self.seller, safe="")

    def _item_path(self, sku: str) -> str:
        return f"/listings/2021-08-01/items/{self._seller()}/{quote(sku, safe='')}"


def parts(values: Sequence[str], size: int) -> Iterable[list[str]]:
    """Cut a list into pieces of at most `size`."""
    return ([*values[start : start + size]] for start in range(0, len(values), size))


def _skus(part: Sequence[str]) -> dict[str, str]:
    return {"sellerSku": part[0]} if len(part) == 1 else {"sellerSkus": ",".join(part)}


def _sku_parts(skus: Sequence[str]) -> Iterable[list[str]]:
    yield from parts([sku for sku in skus if "," not in sku], _SKUS_A_SUMMARY)
    yield from ([sku] for sku in skus if "," in sku)


def _error(response: httpx.Response) -> InvbiError | None:
    """Amazon's errors[] in our tree. Throttling, refused tokens and a server's fault are told by the status."""
    said = answer(response)
    errors = said.get("errors") if isinstance(said, dict) else None
    if not errors or response.status_code in (401, 403, 408, 429) or response.status_code >= 500:
        return None
    code, message = str(errors[0].get("code") or ""), str(errors[0].get("message") or "")
    details = str(errors[0].get("details") or "")
    if response.is_success:
        return Unreachable(f"Amazon answered HTTP {response.status_code} with an error ({code}).")
    return Refused(f"Amazon refused the request: {message} {details} ({code}). Nothing was changed.", code=code)


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
