"""How locations, items, levels and products are listed and looked up."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo

from invbi_pipeline.sandbox.shopify.catalogue import Item, Level, Location, Product, Variant, iso, key_of
from invbi_pipeline.sandbox.shopify.context import Context, by_id, connection, counted
from invbi_pipeline.sandbox.shopify.paging import Page
from invbi_pipeline.sandbox.shopify.search import Fields
from invbi_pipeline.sandbox.shopify.stock import QUANTITY_NAMES

__all__ = ["CATALOGUE_LOOK_UPS", "CATALOGUE_RESOLVERS", "CATALOGUE_ROOTS", "LIVE_FIELDS"]

_ITEM_SEARCH: Fields = {
    "id": lambda item: item.id,
    "sku": lambda item: item.sku,
    "default": lambda item: item.sku,
    "created_at": lambda item: item.created_at,
    "updated_at": lambda item: item.updated_at,
}
_VARIANT_SEARCH: Fields = {
    "id": lambda variant: variant.id,
    "sku": lambda variant: variant.item.sku,
    "barcode": lambda variant: variant.barcode,
    "title": lambda variant: variant.title,
    "default": lambda variant: (variant.item.sku, variant.barcode, variant.product.title),
    "product_id": lambda variant: variant.product.id,
    "product_status": lambda variant: variant.product.status,
    "updated_at": lambda variant: variant.updated_at,
    "managed": lambda variant: variant.item.tracked,
}
_PRODUCT_SEARCH: Fields = {
    "id": lambda product: product.id,
    "title": lambda product: product.title,
    "default": lambda product: product.title,
    "status": lambda product: product.status,
    "sku": lambda product: tuple(variant.item.sku for variant in product.variants),
    "created_at": lambda product: product.created_at,
    "updated_at": lambda product: product.updated_at,
}
_LOCATION_SEARCH: Fields = {
    "id": lambda location: location.id,
    "location_id": lambda location: location.id,
    "name": lambda location: location.name,
    "default": lambda location: location.name,
    "active": lambda location: location.active,
    "created_at": lambda location: location.created_at,
}


def _by_location(level: Level) -> tuple[Any, ...]:
    return (level.location.id,)


def _by_item(level: Level) -> tuple[Any, ...]:
    return (level.item.id,)


# the catalogue


def _locations(source: Any, info: GraphQLResolveInfo, **args: Any) -> Page:
    context: Context = info.context
    shown = [location for location in context.shop.locations.values() if location.active or args.get("includeInactive")]
    key: Callable[[Any], tuple[Any, ...]] = by_id
    if args.get("sortKey") == "NAME":
        key = _by_name
    return connection(info, sorted(shown, key=key), key, args, _LOCATION_SEARCH)


def _by_name(location: Location) -> tuple[Any, ...]:
    return (location.name, location.id)


def _location(source: Any, info: GraphQLResolveInfo, **args: Any) -> Location | None:
    context: Context = info.context
    if args.get("id") is None:
        return next(iter(context.shop.locations.values()), None)
    return context.shop.locations.get(key_of(args["id"], "Location") or 0)


def _items(source: Any, info: GraphQLResolveInfo, **args: Any) -> Page:
    context: Context = info.context
    items = [item for item in context.shop.live_items() if not context.shop.shelves.cut_off(item)]
    return connection(info, items, by_id, args, _ITEM_SEARCH)


def _item(context: Context, global_id: str) -> Item | None:
    item = context.shop.items.get(key_of(global_id, "InventoryItem") or 0)
    return None if item is None or item.deleted else item


def _level(context: Context, global_id: str) -> Level | None:
    head, _, item_id = global_id.partition("?inventory_item_id=")
    item = context.shop.items.get(int(item_id)) if item_id.isdigit() else None
    return item.levels.get(key_of(head, "InventoryLevel") or 0) if item and not item.deleted else None


def _variant(context: Context, global_id: str) -> Variant | None:
    variant = context.shop.variants.get(key_of(global_id, "ProductVariant") or 0)
    return None if variant is None or variant.item.deleted else variant


def _product(context: Context, global_id: str) -> Product | None:
    product = context.shop.products.get(key_of(global_id, "Product") or 0)
    return product if product is not None and _live(product) else None


def _live(product: Product) -> list[Variant]:
    return [variant for variant in product.variants if not variant.item.deleted]


def _variants(source: Any, info: GraphQLResolveInfo, **args: Any) -> Page:
    context: Context = info.context
    live = [variant for variant in context.shop.variants.values() if not variant.item.deleted]
    return connection(info, live, by_id, args, _VARIANT_SEARCH)


def _products(source: Any, info: GraphQLResolveInfo, **args: Any) -> Page:
    context: Context = info.context
    key = _by_updated if args.get("sortKey") == "UPDATED_AT" else by_id
    live = sorted((product for product in context.shop.products.values() if _live(product)), key=key)
    return connection(info, live, key, args, _PRODUCT_SEARCH)


def _by_updated(product: Product) -> tuple[Any, ...]:
    return (iso(product.updated_at), product.id)


def _product_variants(source: Product, info: GraphQLResolveInfo, **args: Any) -> Page:
    return connection(info, sorted(_live(source), key=by_id), by_id, args)


def _item_variants(source: Item, info: GraphQLResolveInfo, **args: Any) -> Page:
    return connection(info, [source.variant], by_id, args)


# levels


def _level_search(context: Context) -> Fields:
    return {
        "id": lambda level: level.location.id,
        "inventory_item_id": lambda level: level.item.id,
        "inventory_group_id": lambda level: level.location.id,
        "created_at": lambda level: level.created_at,
        "updated_at": context.shop.shelves.seen_updated,
    }


def _item_levels(source: Item, info: GraphQLResolveInfo, **args: Any) -> Page:
    every = args.get("includeInactive")
    levels = [level for level in source.levels.values() if every or (level.active and level.location.active)]
    levels.sort(key=_by_location)
    # filters it does not know, location_id above all, are ignored here: everything comes, with a warning
    return connection(info, levels, _by_location, args, _level_search(info.context))


def _location_levels(source: Location, info: GraphQLResolveInfo, **args: Any) -> Page:
    context: Context = info.context
    every, cut_off = args.get("includeInactive"), context.shop.shelves.cut_off
    levels = [
        level
        for item in context.shop.live_items()
        if (level := item.levels.get(source.id)) is not None and (every or level.active) and not cut_off(item)
    ]
    return connection(info, levels, _by_item, args, _level_search(context))


def _item_level(source: Item, info: GraphQLResolveInfo, **args: Any) -> Level | None:
    level = source.levels.get(key_of(args["locationId"], "Location") or 0)
    return level if level and (level.active or args.get("includeInactive")) else None


def _location_level(source: Location, info: GraphQLResolveInfo, **args: Any) -> Level | None:
    item = _item(info.context, args["inventoryItemId"])
    level = item.levels.get(source.id) if item else None
    return level if level and (level.active or args.get("includeInactive")) else None


def _quantities(source: Level, info: GraphQLResolveInfo, names: Sequence[str]) -> list[dict[str, Any]]:
    context: Context = info.context
    shelves = context.shop.shelves
    unknown = [name for name in names if name not in QUANTITY_NAMES]
    if unknown:
        known = ", ".join(QUANTITY_NAMES)
        message = f"The specified inventory state(s) {', '.join(unknown)} are not valid. Valid: {known}."
        raise GraphQLError(message, extensions={"code": "INVALID_FIELD_ARGUMENTS"})
    stamp = iso(shelves.seen_updated(source))
    place = f"gid://shopify/InventoryQuantity/{source.location.id}?inventory_item_id={source.item.key}&name="
    return [{"id": place + name, "name": name, "quantity": shelves.seen(source, name), "updatedAt": stamp} for name in names]


def _variants_count(source: Any, info: GraphQLResolveInfo, **args: Any) -> dict[str, Any]:
    context: Context = info.context
    live = [variant for variant in context.shop.variants.values() if not variant.item.deleted]
    if args.get("query"):
        search = context.search(args["query"], _VARIANT_SEARCH, info)
        live = [variant for variant in live if search.matches(variant)]
    return counted(len(live), args.get("limit"))


LIVE_FIELDS: Mapping[str, Mapping[str, Callable[[Any, Context], Any]]] = {
    "InventoryItem": {
        "tracked": lambda item, context: item.tracked and not context.shop.wire.untracked_all,
        "duplicateSkuCount": lambda item, context: context.shop.sku_uses.get(item.sku, 1) - 1 if item.sku else 0,
    },
    "InventoryLevel": {"updatedAt": lambda level, context: iso(context.shop.shelves.seen_updated(level))},
}

CATALOGUE_LOOK_UPS: Mapping[str, Callable[[Context, str], Any]] = {
    "InventoryItem": _item,
    "InventoryLevel": _level,
    "ProductVariant": _variant,
    "Product": _product,
    "Location": lambda context, global_id: context.shop.locations.get(key_of(global_id, "Location") or 0),
}

CATALOGUE_ROOTS: Mapping[str, Callable[..., Any]] = {
    "location": _location,
    "locations": _locations,
    "inventoryItems": _items,
    "productVariants": _variants,
    "productVariantsCount": _variants_count,
    "products": _products,
}

CATALOGUE_RESOLVERS: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "Location": {"inventoryLevel": _location_level, "inventoryLevels": _location_levels},
    "InventoryItem": {"inventoryLevel": _item_level, "inventoryLevels": _item_levels, "variants": _item_variants},
    "InventoryLevel": {"quantities": _quantities},
    "Product": {"variants": _product_variants},
}
