"""The Catalog API (search and list), and the locations and the merchant beside it."""

from collections.abc import Mapping
from typing import Any

from invbi_pipeline.sandbox.square.catalog import Variation
from invbi_pipeline.sandbox.square.pages import Pages
from invbi_pipeline.sandbox.square.refusals import check_shape, invalid, parse_time
from invbi_pipeline.sandbox.square.store import Location, Store

__all__ = ["CatalogApi"]

MOST_OBJECTS = 1000
_OBJECTS = 100  # a page of search by default, and always a page of list
_TOP_LEVEL = {"ITEM"}  # of the types this account has; variations are nested and must be asked for
_QUERIES = ("exact_query", "set_query")
_SEARCH_SHAPE: dict[str, Any] = {
    "cursor": str,
    "object_types": [str],
    "include_deleted_objects": bool,
    "include_related_objects": bool,
    "include_category_path_to_root": bool,
    "begin_time": str,
    "limit": int,
    "query": {
        "exact_query": {"attribute_name": str, "attribute_value": str},
        "set_query": {"attribute_name": str, "attribute_values": [str]},
    },
}


class CatalogApi:
    """Handlers of /v2/catalog, /v2/locations and /v2/merchants."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pages: Pages[Any] = Pages(store.clock, store.rng)

    def search(self, body: object) -> dict[str, Any]:
        """POST /v2/catalog/search: `begin_time` is exclusive; a limit outside 1..1000 is ignored."""
        request = check_shape(body, _SEARCH_SHAPE)
        limit = request.get("limit") or _OBJECTS
        if not 1 <= limit <= MOST_OBJECTS:
            limit = _OBJECTS
        if request.get("cursor"):
            page, cursor = self._pages.resume("search", request, limit)
        else:
            begin = request.get("begin_time")
            after = self._store.times.heard(parse_time(begin, "begin_time")) if begin else None
            types = set(request.get("object_types") or _TOP_LEVEL)
            rows = list(
                self._store.catalog.objects(
                    types, after, bool(request.get("include_deleted_objects")), self._store.catalog_view()
                )
            )
            page, cursor = self._pages.first("search", request, _matching(rows, request.get("query") or {}), limit)
        latest = self._store.times.state(self._store.times.now())
        return {**self._objects(page, cursor), "latest_time": latest}

    def list(self, params: Mapping[str, str]) -> dict[str, Any]:
        """GET /v2/catalog/list: pages of 100, nothing deleted."""
        for name in params:
            if name not in ("cursor", "types", "catalog_version"):
                raise invalid("BAD_REQUEST", f"The parameter named `{name}` is unrecognized.", name)
        if params.get("cursor"):
            page, cursor = self._pages.resume("list", params, _OBJECTS)
        else:
            types = {name.strip().upper() for name in params.get("types", "").split(",") if name.strip()} or _TOP_LEVEL
            page, cursor = self._pages.first(
                "list", params, list(self._store.catalog.objects(types, None, False, self._store.catalog_view())), _OBJECTS
            )
        return self._objects(page, cursor)

    def locations(self) -> dict[str, Any]:
        """GET /v2/locations: all of them, inactive ones too."""
        return {"locations": [self._location(location) for location in self._store.locations.values()]}

    def location(self, location_id: str) -> dict[str, Any]:
        """GET /v2/locations/{location_id}; "main" is the first."""
        locations = self._store.locations
        found = next(iter(locations.values()), None) if location_id == "main" else locations.get(location_id)
        if found is None:
            raise invalid("NOT_FOUND", f"Location with ID `{location_id}` not found.", status=404)
        return {"location": self._location(found)}

    def merchant(self, merchant_id: str) -> dict[str, Any]:
        """GET /v2/merchants/{merchant_id}; "me" is the token's own."""
        if merchant_id not in ("me", self._store.merchant):
            raise invalid("NOT_FOUND", f"Merchant with ID `{merchant_id}` not found.", status=404)
        return {"merchant": self._merchant()}

    def merchants(self) -> dict[str, Any]:
        """GET /v2/merchants: the one this token belongs to."""
        return {"merchant": [self._merchant()]}

    def _objects(self, page: Any, cursor: str) -> dict[str, Any]:
        catalog, view, state = self._store.catalog, self._store.catalog_view(), self._store.times.state
        shown = [catalog.render(each, state, view) for each in page]
        return {**({"objects": shown} if shown else {}), **({"cursor": cursor} if cursor else {})}

    def _location(self, location: Location) -> dict[str, Any]:
        return {
            "id": location.id,
            "name": location.name,
            "status": "ACTIVE" if location.active else "INACTIVE",
            "type": "PHYSICAL",
            "timezone": "Europe/London",
            "country": "GB",
            "currency": self._store.currency,
            "merchant_id": self._store.merchant,
            "created_at": self._store.times.state(location.created_at),
            "capabilities": ["CREDIT_CARD_PROCESSING"],
        }

    def _merchant(self) -> dict[str, Any]:
        made = {
            "id": self._store.merchant,
            "business_name": "Sandbox retailer",
            "country": "GB",
            "language_code": "en-GB",
            "currency": self._store.currency,
            "status": "ACTIVE",
        }
        main = next(iter(self._store.locations), None)
        return made if main is None else {**made, "main_location_id": main}


def _matching(rows: list[Any], query: Mapping[str, Any]) -> list[Any]:
    for kind in _QUERIES:
        asked = query.get(kind)
        if asked:
            name = asked.get("attribute_name")
            if name not in ("sku", "upc"):
                raise invalid("INVALID_VALUE", "The sandbox searches the attributes sku and upc.", f"query.{kind}.attribute_name")
            values = set(asked.get("attribute_values") or [asked.get("attribute_value")])
            field = "sku" if name == "sku" else "barcode"
            rows = [row for row in rows if isinstance(row, Variation) and getattr(row, field) in values]
    return rows
