"""The fields without arguments: type -> field -> how it is read off the stored thing. What is not listed is a key of a dict."""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from invbi_pipeline.sandbox.shopify.catalogue import Item, Location, Variant, iso
from invbi_pipeline.sandbox.shopify.paging import Edge, Page

__all__ = ["CATALOGUE_FIELDS", "CONNECTION_FIELDS", "EDGE_FIELDS", "Getter", "always", "moment", "number"]

Getter = Callable[[Any], Any]

CONNECTION_FIELDS: Mapping[str, Getter] = {"nodes": attrgetter("nodes"), "edges": Page.edges, "pageInfo": Page.page_info}
EDGE_FIELDS: Mapping[str, Getter] = {"node": attrgetter("node"), "cursor": Edge.cursor}


def number(thing: Any) -> str:
    """Return a thing's numeric id, as UnsignedInt64 is written."""
    return str(thing.id)


def moment(name: str) -> Getter:
    """Return a getter of a time (or null) in the API's form."""
    read = attrgetter(name)

    def stated(thing: Any) -> str | None:
        value = read(thing)
        return None if value is None else iso(value)

    return stated


def always(value: Any) -> Getter:
    """Return a getter of a constant."""
    return lambda thing: value


def _location_address(location: Location) -> dict[str, Any]:
    names = ("address1", "address2", "city", "province", "provinceCode", "zip", "phone")
    return {**dict.fromkeys(names), "country": "United Kingdom", "countryCode": "GB", "formatted": ["United Kingdom"]}


def _can_sell(variant: Variant) -> bool:
    return variant.product.status == "ACTIVE" and (not variant.item.tracked or _total(variant.item) > 0)


def _total(item: Item) -> int:
    return sum(level.available for level in item.levels.values() if level.active)


def _options(variant: Variant) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in variant.options.items()]


def _display_name(variant: Variant) -> str:
    return variant.product.title if variant.title == "Default Title" else f"{variant.product.title} - {variant.title}"


CATALOGUE_FIELDS: Mapping[str, Mapping[str, Getter]] = {
    "Location": {
        "id": attrgetter("gid"),
        "legacyResourceId": number,
        "name": attrgetter("name"),
        "isActive": attrgetter("active"),
        "activatable": always(True),
        "deactivatable": always(True),
        "deactivatedAt": lambda location: None if location.active else iso(location.updated_at),
        "fulfillsOnlineOrders": attrgetter("active"),
        "shipsInventory": attrgetter("active"),
        "hasActiveInventory": attrgetter("active"),
        "hasUnfulfilledOrders": always(False),
        "isFulfillmentService": always(False),
        "address": _location_address,
        "createdAt": moment("created_at"),
        "updatedAt": moment("updated_at"),
    },
    "InventoryItem": {
        "id": attrgetter("gid"),
        "legacyResourceId": attrgetter("key"),
        "sku": lambda item: item.sku or None,
        "requiresShipping": always(True),
        "unitCost": always(None),
        "countryCodeOfOrigin": always(None),
        "harmonizedSystemCode": always(None),
        "createdAt": moment("created_at"),
        "updatedAt": moment("updated_at"),
        "variant": attrgetter("variant"),
        "locationsCount": lambda item: {"count": len(item.levels), "precision": "EXACT"},
        "inventoryHistoryUrl": always(None),
    },
    "InventoryLevel": {
        "id": attrgetter("gid"),
        "isActive": attrgetter("active"),
        "canDeactivate": always(True),
        "deactivationAlert": always(None),
        "createdAt": moment("created_at"),
        "item": attrgetter("item"),
        "location": attrgetter("location"),
    },
    "ProductVariant": {
        "id": attrgetter("gid"),
        "legacyResourceId": number,
        "title": attrgetter("title"),
        "displayName": _display_name,
        "sku": lambda variant: variant.item.sku or None,
        "barcode": lambda variant: variant.barcode or None,
        "price": attrgetter("price"),
        "compareAtPrice": always(None),
        "position": attrgetter("position"),
        "inventoryQuantity": lambda variant: _total(variant.item),
        "inventoryPolicy": always("DENY"),
        "sellableOnlineQuantity": lambda variant: max(0, _total(variant.item)),
        "availableForSale": _can_sell,
        "taxable": always(True),
        "requiresComponents": always(False),
        "createdAt": moment("created_at"),
        "updatedAt": moment("updated_at"),
        "selectedOptions": _options,
        "inventoryItem": attrgetter("item"),
        "product": attrgetter("product"),
    },
    "Product": {
        "id": attrgetter("gid"),
        "legacyResourceId": number,
        "title": attrgetter("title"),
        "handle": lambda product: product.title.lower().replace(" ", "-"),
        "status": attrgetter("status"),
        "vendor": always("House"),
        "productType": always(""),
        "tags": always([]),
        "createdAt": moment("created_at"),
        "updatedAt": moment("updated_at"),
        "publishedAt": lambda product: iso(product.created_at) if product.status == "ACTIVE" else None,
        "totalInventory": lambda product: sum(_total(variant.item) for variant in product.variants),
        "tracksInventory": lambda product: any(variant.item.tracked for variant in product.variants),
        "hasOnlyDefaultVariant": lambda product: [v.title for v in product.variants] == ["Default Title"],
        "isGiftCard": always(False),
        "variantsCount": lambda product: {"count": len(product.variants), "precision": "EXACT"},
    },
}
