"""The account's HTTP face: paths, access tokens, usage plans, Amazon's error bodies."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from invbi_pipeline.sandbox.amazon.documents import Documents
from invbi_pipeline.sandbox.amazon.feeds_api import FeedsApi
from invbi_pipeline.sandbox.amazon.inventory_api import InventoryApi
from invbi_pipeline.sandbox.amazon.listings_api import ListingsApi
from invbi_pipeline.sandbox.amazon.lwa import Login
from invbi_pipeline.sandbox.amazon.notifications_api import GRANTLESS, NotificationsApi
from invbi_pipeline.sandbox.amazon.orders_api import OrdersApi
from invbi_pipeline.sandbox.amazon.params import Params
from invbi_pipeline.sandbox.amazon.refusals import AmazonRefusal, bad_input, not_found, wire_answer
from invbi_pipeline.sandbox.amazon.reports_api import ReportsApi
from invbi_pipeline.sandbox.amazon.store import Store
from invbi_pipeline.sandbox.amazon.usage import UsagePlans
from invbi_pipeline.sandbox.wire import WireMiddleware

__all__ = ["Face", "amazon_face"]


@dataclass(frozen=True, slots=True)
class _Call:
    """What a handler needs of a request."""

    params: Params
    body: object
    path: dict[str, str]


Handle = Callable[[_Call], dict[str, object]]


@dataclass(frozen=True, slots=True)
class Face:
    """The app, and `settle`, which does the work that has come due."""

    app: Starlette
    settle: Callable[[], None]


def amazon_face(store: Store, login: Login) -> Face:
    """Return the app that serves `store` to whoever holds a valid access token."""
    plans, documents = UsagePlans(store.clock, store.wire), Documents(store)
    feeds, reports = FeedsApi(store, documents, plans), ReportsApi(store, documents)
    listings, inventory, orders = ListingsApi(store), InventoryApi(store), OrdersApi(store)
    hooks = NotificationsApi(store.notifications)

    def settle() -> None:
        feeds.settle()
        store.settle()
        reports.settle()
        store.notifications.flush()

    def route(operation: str, method: str, path: str, handle: Handle, status: int = 200) -> Route:
        async def endpoint(request: Request) -> Response:
            raw = await request.body()
            headers = {"x-amzn-RequestId": f"{store.rng.getrandbits(128):032x}"}
            try:
                login.check(request.headers.get("x-amz-access-token"), grantless=operation in GRANTLESS)
                headers |= plans.header(operation)
                if operation != "createFeed":  # whose one feed type has a throttle of its own
                    plans.take(operation)
                settle()
                body = _parsed(raw) if method in ("POST", "PATCH") else None
                call = _Call(Params(dict(request.query_params)), body, dict(request.path_params))
                return JSONResponse(handle(call), status_code=status, headers=headers)
            except AmazonRefusal as refusal:
                answer = refusal.response()
                answer.headers.update(headers)
                return answer

        return Route(path, endpoint, methods=[method])

    async def token(request: Request) -> Response:
        return login.token(await request.body())

    async def document(request: Request) -> Response:
        key = request.path_params["key"]
        if request.method == "PUT":
            return documents.put(key, request.headers.get("content-type", ""), await request.body())
        return documents.fetch(key)

    item, order = "/listings/2021-08-01/items/{seller}", "/orders/2026-01-01/orders"
    feed, report, told = "/feeds/2021-06-30", "/reports/2021-06-30", "/notifications/v1"
    routes = [
        Route("/auth/o2/token", token, methods=["POST"]),
        Route("/documents/{key}", document, methods=["GET", "PUT"]),
        route("getMarketplaceParticipations", "GET", "/sellers/v1/marketplaceParticipations", lambda _: _participations(store)),
        route("getInventorySummaries", "GET", "/fba/inventory/v1/summaries", lambda c: inventory.summaries(c.params)),
        route("searchListingsItems", "GET", item, lambda c: listings.search(c.path["seller"], c.params)),
        route("getListingsItem", "GET", item + "/{sku:path}", lambda c: listings.get(c.path["seller"], c.path["sku"], c.params)),
        route(
            *("patchListingsItem", "PATCH", item + "/{sku:path}"),
            lambda c: listings.patch(c.path["seller"], c.path["sku"], c.params, c.body),
        ),
        route("searchOrders", "GET", order, lambda c: orders.search(c.params)),
        route("getOrder", "GET", order + "/{id}", lambda c: orders.get(c.path["id"], c.params)),
        route("createFeedDocument", "POST", feed + "/documents", lambda c: feeds.create_document(c.body), 201),
        route("getFeedDocument", "GET", feed + "/documents/{id}", lambda c: feeds.get_document(c.path["id"])),
        route("createFeed", "POST", feed + "/feeds", lambda c: feeds.create(c.body), 202),
        route("getFeeds", "GET", feed + "/feeds", lambda c: feeds.list(c.params)),
        route("getFeed", "GET", feed + "/feeds/{id}", lambda c: feeds.get(c.path["id"])),
        route("cancelFeed", "DELETE", feed + "/feeds/{id}", lambda c: feeds.cancel(c.path["id"])),
        route("createReport", "POST", report + "/reports", lambda c: reports.create(c.body), 202),
        route("getReports", "GET", report + "/reports", lambda c: reports.list(c.params)),
        route("getReport", "GET", report + "/reports/{id}", lambda c: reports.get(c.path["id"])),
        route("cancelReport", "DELETE", report + "/reports/{id}", lambda c: reports.cancel(c.path["id"])),
        route("getDestinations", "GET", told + "/destinations", lambda _: hooks.destinations()),
        route("createDestination", "POST", told + "/destinations", lambda c: hooks.create_destination(c.body)),
        route("getSubscription", "GET", told + "/subscriptions/{type}", lambda c: hooks.get(c.path["type"], c.params)),
        route("createSubscription", "POST", told + "/subscriptions/{type}", lambda c: hooks.create(c.path["type"], c.body)),
        route(
            *("deleteSubscriptionById", "DELETE", told + "/subscriptions/{type}/{id}"),
            lambda c: hooks.delete(c.path["type"], c.path["id"]),
        ),
        route("getReportDocument", "GET", report + "/documents/{id}", lambda c: reports.get_document(c.path["id"])),
    ]
    wire = Middleware(WireMiddleware, wire=store.wire, clock=store.clock, errors=wire_answer, exempt=_exempt)
    return Face(Starlette(routes=routes, middleware=[wire], exception_handlers={404: _unknown, 405: _unknown}), settle)


def _participations(store: Store) -> dict[str, object]:
    place = store.marketplace
    marketplace = {
        "id": place.id,
        "name": place.name,
        "countryCode": place.country,
        "defaultCurrencyCode": place.currency,
        "defaultLanguageCode": place.language,
        "domainName": place.domain,
    }
    taking_part = {"isParticipating": True, "hasSuspendedListings": False}
    return {"payload": [{"marketplace": marketplace, "participation": taking_part, "storeName": "Sandbox retailer"}]}


def _exempt(path: str) -> bool:
    return "/auth/o2/token" in path or ("/documents/" in path and "2021-06-30" not in path)


def _parsed(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except ValueError:
        raise bad_input("The request body is not JSON.") from None


async def _unknown(request: Request, _: Exception) -> Response:
    return not_found(f"{request.method} {request.url.path} is not an operation of the sandbox.").response()
