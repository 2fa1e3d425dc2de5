"""Listings Items API 2021-08-01: get, search and patch."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from invbi_pipeline.sandbox.amazon.availability import PRODUCT_TYPE, accept_patches, check_patches
from invbi_pipeline.sandbox.amazon.listings import Listing
from invbi_pipeline.sandbox.amazon.pages import Pages
from invbi_pipeline.sandbox.amazon.params import Params
from invbi_pipeline.sandbox.amazon.refusals import bad_input, not_found
from invbi_pipeline.sandbox.amazon.store import Store

__all__ = ["ListingsApi"]

MOST_ON_A_PAGE = 20
MOST_FOUND = 1_000  # a search goes no deeper, whatever numberOfResults says
_DATA = frozenset(
    ("summaries", "attributes", "issues", "offers", "fulfillmentAvailability", "procurement", "relationships", "productTypes")
)
_IDENTIFIERS = {"SKU": "sku", "ASIN": "asin", "EAN": "barcode", "UPC": "barcode", "GTIN": "barcode", "FNSKU": "fnsku"}
_SEARCH = frozenset(
    (
        *("marketplaceIds", "issueLocale", "includedData", "identifiers", "identifiersType", "createdAfter", "createdBefore"),
        *("lastUpdatedAfter", "lastUpdatedBefore", "withStatus", "withoutStatus", "sortBy", "sortOrder", "pageSize", "pageToken"),
    )
)
_TOKEN_LIFETIME = timedelta(hours=1)


class ListingsApi:
    """Handlers; each returns the answer's body or raises `AmazonRefusal`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pages: Pages[Listing] = Pages(store.clock, store.rng, _TOKEN_LIFETIME)

    def get(self, seller_id: str, sku: str, params: Params) -> dict[str, Any]:
        """GET /items/{sellerId}/{sku}."""
        self._check(seller_id, params)
        params.only("marketplaceIds", "issueLocale", "includedData")
        included = params.choice("includedData", _DATA) or {"summaries"}
        listing = self._store.listing(sku)
        if listing is None:
            raise not_found(f"SKU '{sku}' not found in marketplace {self._store.marketplace.id}")
        return self._item(listing, included)

    def search(self, seller_id: str, params: Params) -> dict[str, Any]:
        """GET /items/{sellerId}: at most 20 a page and 1,000 in all, the last updated first."""
        self._check(seller_id, params)
        params.only(*_SEARCH)
        included = params.choice("includedData", _DATA) or {"summaries"}
        size = params.number("pageSize", 10, 1, MOST_ON_A_PAGE)
        token = params.text("pageToken")
        if token:
            page = self._pages.after(token, size, "pageToken")
        else:
            found = self._found(params)
            page = self._pages.first(found[:MOST_FOUND], size, note=str(len(found)))
        made: dict[str, Any] = {
            "numberOfResults": int(page.note),
            "items": [self._item(listing, included) for listing in page.rows],
        }
        if page.token:
            made["pagination"] = {"nextToken": page.token}
        return made

    def patch(self, seller_id: str, sku: str, params: Params, body: object) -> dict[str, Any]:
        """PATCH /items/{sellerId}/{sku}: ACCEPTED is not applied yet; VALIDATION_PREVIEW applies nothing."""
        self._check(seller_id, params)
        params.only("marketplaceIds", "includedData", "mode", "issueLocale")
        included = params.choice("includedData", frozenset(("identifiers", "issues")))
        preview = params.text("mode") == "VALIDATION_PREVIEW"
        if params.text("mode") and not preview:
            raise bad_input("mode must be VALIDATION_PREVIEW.")
        product_type, patches = _patch_request(body)
        issues = check_patches(self._store, sku, product_type, patches)
        if not issues and not preview:
            accept_patches(self._store, sku, patches)
        status = "INVALID" if issues else "VALID" if preview else "ACCEPTED"
        submission = f"{self._store.rng.getrandbits(128):032x}"
        made = {"sku": sku, "status": status, "submissionId": submission, "issues": [issue.render() for issue in issues]}
        listing = self._store.listing(sku)
        if "identifiers" in included and listing is not None:
            made["identifiers"] = [{"marketplaceId": self._store.marketplace.id, "asin": listing.asin}]
        return made

    def _check(self, seller_id: str, params: Params) -> None:
        if seller_id != self._store.seller_id:
            raise bad_input(f"sellerId {seller_id} is not the authorising seller.")
        if params.list("marketplaceIds") != [self._store.marketplace.id]:
            raise bad_input("marketplaceIds must name the marketplace that this seller takes part in.")

    def _found(self, params: Params) -> list[Listing]:
        times = self._store.times
        bounds = {
            name: times.heard(text, name)
            for name in ("createdAfter", "createdBefore", "lastUpdatedAfter", "lastUpdatedBefore")
            if (text := params.text(name))
        }
        keys, kind = params.list("identifiers"), params.text("identifiersType")
        if bool(keys) != bool(kind) or len(keys) > 20 or (kind and kind not in _IDENTIFIERS):
            raise bad_input("identifiers (at most 20) and identifiersType belong together.")
        order = params.text("sortBy") or "lastUpdatedDate"
        if order not in ("sku", "createdDate", "lastUpdatedDate"):
            raise bad_input("sortBy must be sku, createdDate or lastUpdatedDate.")
        with_status = params.choice("withStatus", frozenset(("BUYABLE", "DISCOVERABLE")))
        without = params.choice("withoutStatus", frozenset(("BUYABLE", "DISCOVERABLE")))
        found = [
            each
            for each in self._store.alive()
            if (not keys or getattr(each, _IDENTIFIERS[kind]) in keys)
            and ("createdAfter" not in bounds or each.created_at >= bounds["createdAfter"])
            and ("createdBefore" not in bounds or each.created_at <= bounds["createdBefore"])
            and ("lastUpdatedAfter" not in bounds or self._store.updated(each) >= bounds["lastUpdatedAfter"])
            and ("lastUpdatedBefore" not in bounds or self._store.updated(each) <= bounds["lastUpdatedBefore"])
            and with_status <= set(_status(each))
            and not without & set(_status(each))
        ]
        sort = {"sku": lambda x: x.sku, "createdDate": lambda x: x.created_at, "lastUpdatedDate": self._store.updated}[order]
        return sorted(found, key=sort, reverse=(params.text("sortOrder") or "DESC") == "DESC")

    def _item(self, listing: Listing, included: set[str]) -> dict[str, Any]:
        marketplace, state = self._store.marketplace.id, self._store.times.state
        made: dict[str, Any] = {"sku": listing.sku}
        if "summaries" in included:
            summary = {
                "marketplaceId": marketplace,
                "asin": listing.asin,
                "productType": PRODUCT_TYPE,
                "conditionType": "new_new",
                "status": _status(listing),
                "itemName": listing.title,
                "createdDate": state(listing.created_at),
                "lastUpdatedDate": state(self._store.updated(listing)),
            }
            made["summaries"] = [summary if listing.by_merchant else {**summary, "fnSku": listing.fnsku}]
        if "fulfillmentAvailability" in included:
            made["fulfillmentAvailability"] = [_availability(listing, self._store.shown(listing).quantity)]
        if "attributes" in included:
            made["attributes"] = self._attributes(listing)
        if "offers" in included:
            price = {"currencyCode": listing.currency, "amount": f"{listing.price_cents / 100:.2f}"}
            made["offers"] = [{"marketplaceId": marketplace, "offerType": "B2C", "price": price}]
        if "productTypes" in included:
            made["productTypes"] = [{"marketplaceId": marketplace, "productType": PRODUCT_TYPE}]
        for name in ("issues", "procurement", "relationships"):
            if name in included:
                made[name] = []
        return made

    def _attributes(self, listing: Listing) -> dict[str, Any]:
        marketplace = self._store.marketplace.id
        stock: dict[str, Any] = {"fulfillment_channel_code": listing.channel, "marketplace_id": marketplace}
        quantity = self._store.shown(listing).quantity
        if listing.by_merchant and quantity is not None:
            stock["quantity"] = quantity
        if listing.by_merchant and listing.lead_time_days is not None:
            stock["lead_time_to_ship_max_days"] = listing.lead_time_days
        made = {"item_name": [{"value": listing.title, "marketplace_id": marketplace}], "fulfillment_availability": [stock]}
        if listing.barcode:
            kind = "upc" if len(listing.barcode) == 12 else "ean"
            code = {"type": kind, "value": listing.barcode, "marketplace_id": marketplace}
            made["externally_assigned_product_identifier"] = [code]
        return made


def _status(listing: Listing) -> list[str]:
    return ["BUYABLE", "DISCOVERABLE"] if listing.buyable else []


def _availability(listing: Listing, quantity: int | None) -> dict[str, Any]:
    stated = listing.by_merchant and quantity is not None
    return {"fulfillmentChannelCode": listing.channel, **({"quantity": quantity} if stated else {})}


def _patch_request(body: object) -> tuple[str, list[Mapping[str, Any]]]:
    if not isinstance(body, dict) or set(body) != {"productType", "patches"}:
        raise bad_input("The body must hold productType and patches, and nothing else.")
    patches = body["patches"]
    if not isinstance(patches, list) or not patches or not all(isinstance(patch, dict) for patch in patches):
        raise bad_input("patches must be a list of patch operations.")
    unknown = {name for patch in patches for name in patch} - {"op", "path", "value"}
    if unknown:
        raise bad_input(f"Unknown field in a patch: {min(unknown)}.")
    return str(body["productType"]), patches
