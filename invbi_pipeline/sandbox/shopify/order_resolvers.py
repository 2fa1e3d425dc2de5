"""How orders, and what hangs on them, are listed and looked up."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from graphql import GraphQLResolveInfo

from invbi_pipeline.sandbox.shopify.catalogue import iso, key_of
from invbi_pipeline.sandbox.shopify.context import Context, by_id, connection, counted
from invbi_pipeline.sandbox.shopify.orders import FulfilmentOrder, Order
from invbi_pipeline.sandbox.shopify.paging import Page
from invbi_pipeline.sandbox.shopify.search import Fields

__all__ = ["ORDER_LOOK_UPS", "ORDER_RESOLVERS", "ORDER_ROOTS", "readable_orders"]

_Resolver = Callable[..., Any]


def _order_status(order: Order) -> tuple[str, ...]:
    if order.cancelled_at:
        return ("cancelled",)
    return ("closed",) if order.closed_at else ("open", "not_closed")


_ORDER_SEARCH: Fields = {
    "id": lambda order: order.id,
    "name": lambda order: order.name,
    "default": lambda order: order.name,
    "created_at": lambda order: order.created_at,
    "processed_at": lambda order: order.created_at,
    "updated_at": lambda order: order.updated_at,
    "financial_status": lambda order: order.financial_status,
    "fulfillment_status": lambda order: {"FULFILLED": "shipped", "PARTIALLY_FULFILLED": "partial"}.get(
        order.fulfilment_status, "unshipped"
    ),
    "status": _order_status,
    "source_name": lambda order: order.source_name,
    "test": lambda order: False,
    "return_status": lambda order: order.return_status.lower(),
    "location_id": lambda order: order.retail_location.id if order.retail_location else None,
    "fulfillment_location_id": lambda order: tuple(at.location.id for at in order.fulfilments),
    "reference_location_id": lambda order: tuple(at.location.id for at in order.fulfilment_orders),
    "sku": lambda order: tuple(line.sku for line in order.lines),
}


def readable_orders(context: Context) -> list[Order]:
    """Return the orders that the lagging index has read, each as it stood then."""
    shop = context.shop
    if not shop.wire.order_lag_s:
        return list(shop.orders.values())
    moment = shop.clock.now() - timedelta(seconds=shop.wire.order_lag_s)
    return [version for order in shop.orders.values() if (version := order.as_of(moment)) is not None]


def _by_updated(order: Order) -> tuple[Any, ...]:
    return (iso(order.updated_at), order.id)


def _by_created(order: Order) -> tuple[Any, ...]:
    return (iso(order.created_at), order.id)


_ORDER_KEYS: Mapping[str, Callable[[Order], tuple[Any, ...]]] = {
    "UPDATED_AT": _by_updated,
    "CREATED_AT": _by_created,
    "PROCESSED_AT": _by_created,
}


def _orders(source: Any, info: GraphQLResolveInfo, **args: Any) -> Page:
    context: Context = info.context
    key = _ORDER_KEYS.get(args.get("sortKey", ""), by_id)
    return connection(info, context.office.sorted_orders(context, key), key, args, _ORDER_SEARCH)


def _orders_count(source: Any, info: GraphQLResolveInfo, **args: Any) -> dict[str, Any]:
    context: Context = info.context
    orders = readable_orders(context)
    if args.get("query"):
        search = context.search(args["query"], _ORDER_SEARCH, info)
        orders = [order for order in orders if search.matches(order)]
    return counted(len(orders), args.get("limit"))


def _order(context: Context, global_id: str) -> Order | None:
    order = context.shop.orders.get(key_of(global_id, "Order") or 0)
    lag = context.shop.wire.order_lag_s
    if order is None or not lag:
        return order
    return order.as_of(context.shop.clock.now() - timedelta(seconds=lag))


def _within(name: str) -> _Resolver:
    """A connection inside an order: its children in the order of their ids."""

    def resolve(source: Any, info: GraphQLResolveInfo, **args: Any) -> Page:
        return connection(info, sorted(getattr(source, name), key=by_id), by_id, args, {})

    return resolve


def _listed(name: str) -> _Resolver:
    """A plain list with `first`."""

    def resolve(source: Any, info: GraphQLResolveInfo, **args: Any) -> list[Any]:
        children: list[Any] = getattr(source, name)
        return children[: args["first"]] if args.get("first") is not None else children

    return resolve


def _none(source: Any, info: GraphQLResolveInfo, **args: Any) -> Page:
    return connection(info, [], by_id, args, {})


def _shipments_under(source: FulfilmentOrder, info: GraphQLResolveInfo, **args: Any) -> Page:
    mine = [shipment for shipment in source.order.fulfilments if source in shipment.under]
    return connection(info, mine, by_id, args, {})


def _part(kind: str, attribute: str) -> Callable[[Context, str], Any]:
    """Look up a part of some order by its own global id."""

    def look_up(context: Context, global_id: str) -> Any:
        if kind not in context.parts:
            context.parts[kind] = {part.id: part for order in readable_orders(context) for part in getattr(order, attribute)}
        return context.parts[kind].get(key_of(global_id, kind) or 0)

    return look_up


def _reverse_order(context: Context, global_id: str) -> Any:
    wanted = key_of(global_id, "ReverseFulfillmentOrder")
    orders = readable_orders(context)
    found = (work for order in orders for back in order.returns for work in back.reverse if work.id == wanted)
    return next(found, None)


ORDER_LOOK_UPS: Mapping[str, Callable[[Context, str], Any]] = {
    "Order": _order,
    "Fulfillment": _part("Fulfillment", "fulfilments"),
    "FulfillmentOrder": _part("FulfillmentOrder", "fulfilment_orders"),
    "Refund": _part("Refund", "refunds"),
    "Return": _part("Return", "returns"),
    "ReverseFulfillmentOrder": _reverse_order,
}

ORDER_ROOTS: Mapping[str, _Resolver] = {"orders": _orders, "ordersCount": _orders_count}

ORDER_RESOLVERS: Mapping[str, Mapping[str, _Resolver]] = {
    "Order": {
        "lineItems": _within("lines"),
        "nonFulfillableLineItems": _none,
        "fulfillmentOrders": _within("fulfilment_orders"),
        "fulfillments": _listed("fulfilments"),
        "refunds": _listed("refunds"),
        "agreements": _within("agreements"),
        "returns": _within("returns"),
    },
    "Return": {"returnLineItems": _within("lines"), "reverseFulfillmentOrders": _within("reverse")},
    "ReverseFulfillmentOrder": {"lineItems": _within("lines")},
    "FulfillmentOrder": {"lineItems": _within("lines"), "fulfillments": _shipments_under},
    "Fulfillment": {"fulfillmentLineItems": _within("lines"), "fulfillmentOrders": _within("under")},
    "Refund": {"refundLineItems": _within("lines")},
    "OrderAgreement": {"sales": _within("sales")},
    "OrderEditAgreement": {"sales": _within("sales")},
    "RefundAgreement": {"sales": _within("sales")},
}
