"""Every field that takes arguments or depends on the account's wire: type -> field -> resolver(source, info, **arguments)."""

from collections.abc import Callable, Mapping
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo

from invbi_pipeline.sandbox.shopify.catalogue import Item, Level, Location, Product, Variant
from invbi_pipeline.sandbox.shopify.catalogue_resolvers import CATALOGUE_LOOK_UPS, CATALOGUE_RESOLVERS, CATALOGUE_ROOTS
from invbi_pipeline.sandbox.shopify.context import Context
from invbi_pipeline.sandbox.shopify.order_resolvers import ORDER_LOOK_UPS, ORDER_RESOLVERS, ORDER_ROOTS
from invbi_pipeline.sandbox.shopify.orders import (
    Agreement,
    Fulfilment,
    FulfilmentOrder,
    Order,
    Refund,
    Return,
    ReturnLine,
    ReverseOrder,
    Sale,
)

__all__ = ["RESOLVERS", "Resolver", "type_name"]

Resolver = Callable[..., Any]

_LOOK_UPS: Mapping[str, Callable[[Context, str], Any]] = {
    **CATALOGUE_LOOK_UPS,
    **ORDER_LOOK_UPS,
    "BulkOperation": lambda context, global_id: context.office.bulks.find(global_id),
    "WebhookSubscription": lambda context, global_id: context.office.hooks.find(global_id),
}


def _find(context: Context, global_id: str) -> Any:
    kind = global_id.removeprefix("gid://shopify/").partition("/")[0]
    if not global_id.startswith("gid://shopify/"):
        raise GraphQLError(f"Invalid global id '{global_id}'", extensions={"code": "INVALID_FIELD_ARGUMENTS"})
    look_up = _LOOK_UPS.get(kind)
    return look_up(context, global_id) if look_up else None


def _one(kind: str) -> Resolver:
    def resolve(source: Any, info: GraphQLResolveInfo, **args: Any) -> Any:
        found = _find(info.context, args["id"])
        return found if found is not None and type_name(found) == kind else None

    return resolve


def type_name(value: Any) -> str:
    """Return the schema's type of a stored thing."""
    if isinstance(value, Agreement):
        return value.kind
    if isinstance(value, dict):
        return str(value["__typename"])
    return _TYPE_NAMES[type(value)]


_TYPE_NAMES: Mapping[type, str] = {
    Item: "InventoryItem",
    Level: "InventoryLevel",
    Variant: "ProductVariant",
    Product: "Product",
    Location: "Location",
    Order: "Order",
    Refund: "Refund",
    Return: "Return",
    ReturnLine: "ReturnLineItem",
    ReverseOrder: "ReverseFulfillmentOrder",
    Fulfilment: "Fulfillment",
    FulfilmentOrder: "FulfillmentOrder",
    Sale: "ProductSale",
}


def _desk(method: str) -> Resolver:
    """A field answered by the office: `office.<method>(info, **arguments)`."""

    def resolve(source: Any, info: GraphQLResolveInfo, **args: Any) -> Any:
        context: Context = info.context
        target: Any = context.office
        for name in method.split("."):
            target = getattr(target, name)
        return target(info, **args)

    return resolve


def _node(source: Any, info: GraphQLResolveInfo, **args: Any) -> Any:
    return _find(info.context, args["id"])


def _nodes(source: Any, info: GraphQLResolveInfo, **args: Any) -> list[Any]:
    return [_find(info.context, global_id) for global_id in args["ids"]]


def _changes(source: Mapping[str, Any], info: GraphQLResolveInfo, **args: Any) -> list[dict[str, Any]]:
    """The changes of an adjustment group, narrowed by item, location and state."""
    items, locations, names = args.get("inventoryItemIds"), args.get("locationIds"), args.get("quantityNames")
    return [
        change
        for change in source["changes"]
        if (items is None or change["item"].gid in items)
        and (locations is None or change["location"].gid in locations)
        and (names is None or change["name"] in names)
    ]


RESOLVERS: Mapping[str, Mapping[str, Resolver]] = {
    **CATALOGUE_RESOLVERS,
    **ORDER_RESOLVERS,
    "QueryRoot": {
        **CATALOGUE_ROOTS,
        **ORDER_ROOTS,
        "shop": _desk("describe_shop"),
        "currentAppInstallation": _desk("describe_installation"),
        "inventoryProperties": _desk("describe_inventory"),
        "inventoryItem": _one("InventoryItem"),
        "inventoryLevel": _one("InventoryLevel"),
        "productVariant": _one("ProductVariant"),
        "product": _one("Product"),
        "order": _one("Order"),
        "node": _node,
        "nodes": _nodes,
        "bulkOperation": _one("BulkOperation"),
        "bulkOperations": _desk("bulks.listed"),
        "currentBulkOperation": _desk("bulks.current"),
        "webhookSubscription": _one("WebhookSubscription"),
        "webhookSubscriptions": _desk("hooks.listed"),
    },
    "Mutation": {
        "inventorySetQuantities": _desk("inventory.set_quantities"),
        "inventoryAdjustQuantities": _desk("inventory.adjust_quantities"),
        "inventoryActivate": _desk("inventory.activate"),
        "bulkOperationRunQuery": _desk("bulks.run_query"),
        "bulkOperationCancel": _desk("bulks.cancel"),
        "webhookSubscriptionCreate": _desk("hooks.create"),
        "webhookSubscriptionDelete": _desk("hooks.delete"),
        "webhookSubscriptionUpdate": _desk("hooks.update"),
    },
    "InventoryAdjustmentGroup": {"changes": _changes},
}
