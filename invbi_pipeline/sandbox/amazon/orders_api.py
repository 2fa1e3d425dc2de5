"""Orders API 2026-01-01: searchOrders and getOrder."""

from datetime import datetime, timedelta
from typing import Any

from invbi_pipeline.sandbox.amazon.orders import Order, Version
from invbi_pipeline.sandbox.amazon.pages import Pages
from invbi_pipeline.sandbox.amazon.params import Params
from invbi_pipeline.sandbox.amazon.refusals import bad_input, not_found
from invbi_pipeline.sandbox.amazon.store import Store

__all__ = ["OrdersApi"]

SETTLED = timedelta(minutes=2)  # how far in the past the end of a window must lie
_TOKEN_LIFETIME = timedelta(hours=24)
_DATA = frozenset(
    (
        *("BUYER", "RECIPIENT", "PROCEEDS", "EXPENSE", "PROMOTION", "CANCELLATION", "FULFILLMENT", "PACKAGES", "TAX", "PAYMENT"),
        "FULFILLMENT_ORDERS",
    )
)
_STATUSES = frozenset(
    ("PENDING_AVAILABILITY", "PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED", "CANCELLED", "UNFULFILLABLE")
)
_WINDOW = ("createdAfter", "createdBefore", "lastUpdatedAfter", "lastUpdatedBefore")
Found = tuple[Order, Version]


class OrdersApi:
    """Handlers; each returns the answer's body or raises `AmazonRefusal`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pages: Pages[Found] = Pages(store.clock, store.rng, _TOKEN_LIFETIME)

    def search(self, params: Params) -> dict[str, Any]:
        """GET /orders: exactly one of createdAfter and lastUpdatedAfter; the end of the window is echoed on every page."""
        names = ("fulfillmentStatuses", "marketplaceIds", "fulfilledBy", "maxResultsPerPage", "paginationToken", "includedData")
        params.only(*_WINDOW, *names)
        included = frozenset(params.choice("includedData", _DATA))
        size = params.number("maxResultsPerPage", 100, 1, 100)
        if params.text("paginationToken"):
            page = self._pages.after(params.text("paginationToken"), size, "paginationToken")
        else:
            kind, start, end = self._window(params)
            note = f"{kind}Before={self._store.times.state(end)}"
            page = self._pages.first(self._found(params, kind, start, end), size, note=note)
        name, _, end_text = page.note.partition("=")
        made: dict[str, Any] = {
            "orders": [order.render(version, included, self._store.times.state) for order, version in page.rows],
            name: end_text,
        }
        if page.token:
            made["pagination"] = {"nextToken": page.token}
        return made

    def get(self, order_id: str, params: Params) -> dict[str, Any]:
        """GET /orders/{orderId}."""
        params.only("includedData")
        included = frozenset(params.choice("includedData", _DATA))
        order = self._store.orders.get(order_id)
        version = None if order is None else self._store.readable(order)
        if order is None or version is None:
            raise not_found(f"Order {order_id} not found.")
        return {"order": order.render(version, included, self._store.times.state)}

    def _window(self, params: Params) -> tuple[str, datetime, datetime]:
        given = {name for name in _WINDOW if params.text(name)}
        kinds = [kind for kind in ("created", "lastUpdated") if f"{kind}After" in given]
        if len(kinds) != 1 or given - {f"{kinds[0]}After", f"{kinds[0]}Before"}:
            raise bad_input("Exactly one of createdAfter and lastUpdatedAfter must be given, with no bound of the other kind.")
        (kind,) = kinds
        times, latest = self._store.times, self._store.times.now() - SETTLED
        start = times.heard(params.text(f"{kind}After"), f"{kind}After")
        end = latest
        if params.text(f"{kind}Before"):
            end = times.heard(params.text(f"{kind}Before"), f"{kind}Before")
            if end > latest:
                raise bad_input(f"{kind}Before must be at least two minutes before the time of the request.")
            if end < start:
                raise bad_input(f"{kind}Before must not be before {kind}After.")
        return kind, start, end

    def _found(self, params: Params, kind: str, start: datetime, end: datetime) -> list[Found]:
        statuses = params.choice("fulfillmentStatuses", _STATUSES)
        by = params.choice("fulfilledBy", frozenset(("MERCHANT", "AMAZON")))
        marketplaces = params.list("marketplaceIds")
        if len(marketplaces) > 50:
            raise bad_input("marketplaceIds takes at most 50.")
        if marketplaces and self._store.marketplace.id not in marketplaces:
            return []
        found = [
            (moment, order, version)
            for order, version in self._store.readable_orders()
            for moment in [version.at if kind == "lastUpdated" else order.created_at]
            if start <= moment <= end
            and (not statuses or order.status(version) in statuses)
            and (not by or ("AMAZON" if order.by_amazon else "MERCHANT") in by)
        ]
        found.sort(key=lambda row: (row[0], row[1].id))
        return [(order, version) for _, order, version in found]
