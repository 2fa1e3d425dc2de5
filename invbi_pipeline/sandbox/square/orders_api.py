"""The Orders API, read side: search and batch-retrieve."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from invbi_pipeline.sandbox.square.orders import Order, Version
from invbi_pipeline.sandbox.square.pages import Pages
from invbi_pipeline.sandbox.square.refusals import check_shape, invalid, parse_time
from invbi_pipeline.sandbox.square.store import Store

__all__ = ["OrdersApi"]

MOST_LOCATIONS = 10
MOST_ORDERS = 1000
_ORDERS = 500  # a page, where the caller names no limit
MOST_IDS = 100  # in one batch-retrieve
_FIELDS = {"CREATED_AT": "created_at", "UPDATED_AT": "updated_at", "CLOSED_AT": "closed_at"}
_RANGE = {"start_at": str, "end_at": str}
_SEARCH_SHAPE: dict[str, Any] = {
    "location_ids": [str],
    "cursor": str,
    "limit": int,
    "return_entries": bool,
    "query": {
        "filter": {
            "state_filter": {"states": [str]},
            "date_time_filter": dict.fromkeys(_FIELDS.values(), _RANGE),
            "source_filter": {"source_names": [str]},
            "fulfillment_filter": {"fulfillment_types": [str], "fulfillment_states": [str]},
            "customer_filter": {"customer_ids": [str]},
        },
        "sort": {"sort_field": str, "sort_order": str},
    },
}
_UNSUPPORTED = ("source_filter", "fulfillment_filter", "customer_filter")
Found = tuple[Order, Version]


class OrdersApi:
    """Handlers of /v2/orders. Each takes a parsed body and returns the answer's body, or raises `SquareRefusal`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pages: Pages[Found] = Pages(store.clock, store.rng)

    def search(self, body: object) -> dict[str, Any]:
        """POST /v2/orders/search: every state unless filtered; a time filter needs the same field as sort_field."""
        request = check_shape(body, _SEARCH_SHAPE)
        limit = request.get("limit") or _ORDERS
        if not 1 <= limit <= MOST_ORDERS:
            raise invalid("VALUE_TOO_HIGH" if limit > 1 else "VALUE_TOO_LOW", f"limit must be 1 to {MOST_ORDERS}.", "limit")
        if request.get("cursor"):
            page, cursor = self._pages.resume("orders", request, limit)
        else:
            page, cursor = self._pages.first("orders", request, self._find(request), limit)
        found: dict[str, Any]
        if request.get("return_entries"):
            entries = [{"order_id": o.id, "version": version.number, "location_id": o.location} for o, version in page]
            found = {"order_entries": entries}
        else:
            found = {"orders": [self._render(each) for each in page]}
        return {**found, **({"cursor": cursor} if cursor else {})}

    def batch(self, body: object) -> dict[str, Any]:
        """POST /v2/orders/batch-retrieve: what exists; ids that do not are left out."""
        request = check_shape(body, {"location_id": str, "order_ids": [str]})
        ids = request.get("order_ids")
        if not ids:
            raise invalid("MISSING_REQUIRED_PARAMETER", "Missing required parameter.", "order_ids")
        if len(ids) > MOST_IDS:
            raise invalid("ARRAY_LENGTH_TOO_LONG", f"At most {MOST_IDS} orders may be retrieved.", "order_ids")
        readable = {order.id: (order, version) for order, version in self._store.readable_orders()}
        return {"orders": [self._render(readable[order_id]) for order_id in ids if order_id in readable]}

    def _find(self, request: Mapping[str, Any]) -> list[Found]:
        locations = request.get("location_ids")
        if not locations:
            raise invalid("MISSING_REQUIRED_PARAMETER", "At least one location ID is required.", "location_ids")
        if len(locations) > MOST_LOCATIONS:
            raise invalid("ARRAY_LENGTH_TOO_LONG", f"At most {MOST_LOCATIONS} location IDs are allowed.", "location_ids")
        query = request.get("query") or {}
        asked, sort = query.get("filter") or {}, query.get("sort") or {}
        for name in _UNSUPPORTED:
            if asked.get(name):
                raise invalid("BAD_REQUEST", f"The sandbox does not know {name}.", f"query.filter.{name}")
        field = sort.get("sort_field") or "CREATED_AT"
        if field not in _FIELDS:
            raise invalid("INVALID_ENUM_VALUE", f"`{field}` is not a valid sort_field.", "query.sort.sort_field")
        direction = sort.get("sort_order") or "DESC"
        if direction not in ("ASC", "DESC"):
            raise invalid("INVALID_SORT_ORDER", f"`{direction}` is not a valid sort order.", "query.sort.sort_order")
        start, end = self._range(asked.get("date_time_filter") or {}, field)
        states = set((asked.get("state_filter") or {}).get("states") or ())
        places = set(locations)
        timed = [
            (moment, each)
            for each in self._store.readable_orders()
            if each[0].location in places and (not states or each[1].state in states)
            for moment in [_time(each, field)]
            if moment is not None and (start is None or moment >= start) and (end is None or moment <= end)
        ]
        timed.sort(key=lambda row: (row[0], row[1][0].id), reverse=direction == "DESC")
        return [each for _, each in timed]

    def _range(self, asked: Mapping[str, Any], field: str) -> tuple[datetime | None, datetime | None]:
        given = [name for name, value in asked.items() if value]
        if not given:
            return None, None
        if given != [_FIELDS[field]]:
            detail = "The sort_field must match the field of the date_time_filter, of which there may be one."
            raise invalid("BAD_REQUEST", detail, "query.sort.sort_field")
        where = f"query.filter.date_time_filter.{given[0]}"
        bounds = [asked[given[0]].get(name) for name in ("start_at", "end_at")]
        start, end = [self._store.times.heard(parse_time(text, where)) if text else None for text in bounds]
        if start and end and start > end:
            raise invalid("INVALID_TIME_RANGE", "start_at must not be after end_at.", where)
        return start, end

    def _render(self, found: Found) -> dict[str, Any]:
        order, version = found
        return order.render(version, self._store.times.state)


def _time(found: Found, field: str) -> datetime | None:
    order, version = found
    return {"CREATED_AT": order.created_at, "UPDATED_AT": version.at, "CLOSED_AT": version.closed_at}[field]
