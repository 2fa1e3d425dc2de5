"""The account's HTTP face: paths, credentials, versions, the unpublished rate limit, Square's error bodies."""

import re
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from invbi_pipeline.sandbox.contract import WorldClock
from invbi_pipeline.sandbox.square.catalog_api import CatalogApi
from invbi_pipeline.sandbox.square.inventory_api import InventoryApi
from invbi_pipeline.sandbox.square.orders_api import OrdersApi
from invbi_pipeline.sandbox.square.refusals import SquareRefusal, invalid, parse_body, wire_answer
from invbi_pipeline.sandbox.square.store import Store
from invbi_pipeline.sandbox.square.webhooks_api import WebhooksApi
from invbi_pipeline.sandbox.wire import Bucket, WireMiddleware

__all__ = ["square_app"]

PINNED_VERSION = "2026-05-20"  # what the application is pinned to where a request names no Square-Version
HIDDEN_RATE = 15.0  # requests per second; Square publishes none
_BURST_SECONDS = 2.0
Handle = Callable[[object, Request], dict[str, object]]


class _Limit:
    """The hidden limit; its bucket is made anew when the world turns the rate."""

    def __init__(self, store: Store, clock: WorldClock) -> None:
        self._wire = store.wire
        self._clock = clock
        self._bucket = self._made(HIDDEN_RATE)

    def refuses(self) -> bool:
        rate = self._wire.hidden_rate or HIDDEN_RATE
        if rate != self._bucket.rate:
            self._bucket = self._made(rate)
        return self._wire.enforce_limits and not self._bucket.take()

    def _made(self, rate: float) -> Bucket:
        return Bucket(self._clock, rate, max(1.0, rate * _BURST_SECONDS))


def square_app(store: Store, clock: WorldClock, token: str) -> Starlette:
    """Return the app that serves `store` under /v2 to whoever holds the token."""
    catalog, inventory, orders, hooks = CatalogApi(store), InventoryApi(store), OrdersApi(store), WebhooksApi(store)
    limit = _Limit(store, clock)

    def route(method: str, path: str, handle: Handle) -> Route:
        async def endpoint(request: Request) -> Response:
            raw = await request.body()
            if store.wire.refuse or request.headers.get("authorization") != f"Bearer {token}":
                return wire_answer("401")
            if limit.refuses():
                return wire_answer("429")
            version = request.headers.get("square-version", PINNED_VERSION)
            try:
                if not re.fullmatch(r"\d{4}-\d\d-\d\d", version):
                    raise invalid("INVALID_SQUARE_VERSION_FORMAT", "Square-Version must be a date such as 2026-05-20.")
                body = parse_body(raw) if method in ("POST", "PUT") else None
                return JSONResponse(handle(body, request), headers={"square-version": version})
            except SquareRefusal as refusal:
                return refusal.response()

        return Route(f"/v2{path}", endpoint, methods=[method])

    routes = [
        route("GET", "/locations", lambda _, __: catalog.locations()),
        route("GET", "/locations/{id}", lambda _, request: catalog.location(request.path_params["id"])),
        route("GET", "/merchants", lambda _, __: catalog.merchants()),
        route("GET", "/merchants/{id}", lambda _, request: catalog.merchant(request.path_params["id"])),
        route("POST", "/catalog/search", lambda body, _: catalog.search(body)),
        route("GET", "/catalog/list", lambda _, request: catalog.list(request.query_params)),
        route("POST", "/inventory/counts/batch-retrieve", lambda body, _: inventory.counts(body)),
        route("POST", "/inventory/changes/batch-retrieve", lambda body, _: inventory.changes(body)),
        route("POST", "/inventory/changes/batch-create", lambda body, _: inventory.write(body)),
        route("POST", "/orders/search", lambda body, _: orders.search(body)),
        route("POST", "/orders/batch-retrieve", lambda body, _: orders.batch(body)),
        route("GET", "/webhooks/subscriptions", lambda _, request: hooks.list(request.query_params)),
        route("POST", "/webhooks/subscriptions", lambda body, _: hooks.create(body)),
        route("GET", "/webhooks/subscriptions/{id}", lambda _, request: hooks.get(request.path_params["id"])),
        route("PUT", "/webhooks/subscriptions/{id}", lambda body, request: hooks.update(request.path_params["id"], body)),
        route("DELETE", "/webhooks/subscriptions/{id}", lambda _, request: hooks.delete(request.path_params["id"])),
    ]
    wire = Middleware(WireMiddleware, wire=store.wire, clock=clock, errors=wire_answer)
    return Starlette(routes=routes, middleware=[wire], exception_handlers={404: _unknown, 405: _unknown})


async def _unknown(request: Request, _: Exception) -> Response:
    detail = f"API endpoint for URL path `{request.url.path}` and HTTP method `{request.method}` is not found."
    return invalid("NOT_FOUND", detail, status=404).response()
