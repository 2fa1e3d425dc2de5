"""Shopify's orders as flat tables: what was ordered, who must ship it, what was shipped, and what came back.

A sweep (pages, or a bulk operation for many) holds lines, fulfilment orders, and that there are shipments and refunds. Only
where those need it are the lines of a shipment, of a refund, or the dates of an edit fetched, many at a time by id.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import IO, Any, Final

import polars as pl

from invbi_pipeline.channels.redact import drop_personal
from invbi_pipeline.channels.shopify.api import Answer, Api, gid, kind_of, number_of
from invbi_pipeline.channels.shopify.bulk import run_bulk
from invbi_pipeline.channels.shopify.documents import AGREEMENTS, BULK_ORDERS, DETAILS, NAMED_ORDERS, ORDERS, RETURNS, Document
from invbi_pipeline.errors import BadAnswer

__all__ = ["OrderTables", "bulk_orders", "named_orders", "swept_orders", "tables"]

Node = dict[str, Any]

_TEXT, _INT, _FLAG = pl.String(), pl.Int64(), pl.Boolean()
_KEY: Final = {"order_id": _TEXT, "line_id": _TEXT}
SCHEMAS: Final[Mapping[str, Mapping[str, pl.DataType]]] = {
    "orders": {
        "order_id": _TEXT,
        "created_at": _TEXT,
        "updated_at": _TEXT,
        "edited": _FLAG,
        "unpaid": _FLAG,
        "currency": _TEXT,
        "retail_location": _TEXT,
        "external_id": _TEXT,
    },
    "lines": {
        **_KEY,
        "listing_key": _TEXT,
        "raw_sku": _TEXT,
        "quantity": _INT,
        "unfulfilled": _INT,
        "price": _TEXT,
        "payload": _TEXT,
    },
    "work": {  # lines of fulfilment orders: which location must ship how many
        **_KEY,
        "work_id": _INT,
        "status": _TEXT,
        "created_at": _TEXT,
        "location": _TEXT,
        "item": _TEXT,
        "total": _INT,
        "remaining": _INT,
        "payload": _TEXT,
    },
    "shipped": {
        **_KEY,
        "shipment_id": _TEXT,
        "status": _TEXT,
        "created_at": _TEXT,
        "updated_at": _TEXT,
        "location": _TEXT,
        "units": _INT,
        "payload": _TEXT,
    },
    "refunded": {
        **_KEY,
        "refund_id": _TEXT,
        "entry_id": _TEXT,
        "created_at": _TEXT,
        "location": _TEXT,
        "units": _INT,
        "restock": _TEXT,
        "restocked": _FLAG,
        "payload": _TEXT,
    },
    "returned": {  # what became of goods that came back
        **_KEY,
        "event_id": _TEXT,
        "return_id": _TEXT,
        "at": _TEXT,
        "location": _TEXT,
        "disposition": _TEXT,
        "reason": _TEXT,
        "units": _INT,
        "payload": _TEXT,
    },
    "sold": {**_KEY, "at": _TEXT, "units": _INT},  # for edited orders: when which units of a line were ordered
}
_OWN_SOURCES: Final = frozenset({"web", "pos", "shopify_draft_order", "iphone", "android"})  # not another system's orders


@dataclass(slots=True)
class OrderTables:
    """One frame for each of `SCHEMAS`. Ids are numeric, as text; times are text as Shopify wrote them (UTC)."""

    orders: pl.DataFrame
    lines: pl.DataFrame
    work: pl.DataFrame
    shipped: pl.DataFrame
    refunded: pl.DataFrame
    returned: pl.DataFrame
    sold: pl.DataFrame


@dataclass(slots=True)
class _Rows:
    orders: list[Node] = field(default_factory=list)
    lines: list[Node] = field(default_factory=list)
    work: list[Node] = field(default_factory=list)
    shipped: list[Node] = field(default_factory=list)
    refunded: list[Node] = field(default_factory=list)
    returned: list[Node] = field(default_factory=list)
    sold: list[Node] = field(default_factory=list)


async def swept_orders(api: Api, query: str) -> tuple[list[Node], datetime | None]:
    """Page through the orders a search finds (all without one), oldest change first, each once and whole.

    With the shop's time at the first answer.
    """
    found: dict[str, Node] = {}
    at = None
    async for page in api.all_nodes(ORDERS, ["orders"], {"query": query or None}):
        at = at or page.at
        for order in page.data["nodes"]:
            await api.complete(order)
            found.pop(order["id"], None)  # changed while we paged: the newer one counts
            found[order["id"]] = order
    return list(found.values()), at


async def named_orders(api: Api, order_ids: Sequence[str]) -> tuple[list[Node], datetime | None]:
    """Read orders by id, which no search index delays; with the shop's time at the first answer."""
    found: list[Node] = []
    at = None
    for start in range(0, len(order_ids), NAMED_ORDERS.size):
        ids = [gid("Order", number) for number in order_ids[start : start + NAMED_ORDERS.size]]
        page = await api.run(NAMED_ORDERS, {"ids": ids})
        at = at or page.at
        for order in page.data["nodes"]:
            if order:
                await api.complete(order)
                found.append(order)
    return found, at


async def bulk_orders(api: Api, into: IO[bytes]) -> list[Node]:
    """Read all orders by a bulk operation."""
    file = await run_bulk(api, BULK_ORDERS, into)
    nodes: dict[str, Node] = {}
    children: list[Node] = []
    try:
        for line in into:
            node = json.loads(line)
            nodes[node["id"]] = node
            if "__parentId" in node:
                children.append(node)
    except (ValueError, KeyError) as broken:
        raise BadAnswer("Shopify's bulk file is cut or broken; nothing of it was taken.") from broken
    file.check(len(nodes), len(nodes) - len(children))
    for child in children:
        parent = nodes[child.pop("__parentId")]
        name = "fulfillmentOrders" if kind_of(child["id"]) == "FulfillmentOrder" else "lineItems"
        parent.setdefault(name, {"nodes": []})["nodes"].append(child)
    return [node for node in nodes.values() if kind_of(node["id"]) == "Order"]


async def tables(api: Api, orders: Sequence[Node]) -> OrderTables:
    """Return the flat tables of these orders, fetching what the sweep does not hold."""
    rows = _Rows()
    wanted: list[str] = []
    for order in orders:
        _flatten(order, rows)
        if not order["refunds"] and len(order["fulfillments"]) == 1 and order["fulfillments"][0]["status"] == "SUCCESS":
            _only_shipment(order, rows)
        else:
            wanted += [node["id"] for node in (*order["fulfillments"], *order["refunds"])]
    owners = {part["id"]: (order, part) for order in orders for part in (*order["fulfillments"], *order["refunds"])}
    async for detail in _by_id(api, DETAILS, wanted):
        order, part = owners[detail["id"]]
        _flatten_detail(number_of(order["id"]), part, detail, rows)
    async for detail in _by_id(api, AGREEMENTS, [order["id"] for order in orders if order["edited"]]):
        _flatten_agreements(number_of(detail["id"]), detail["agreements"]["nodes"], rows)
    came_back = [order["id"] for order in orders if order.get("returnStatus", "NO_RETURN") != "NO_RETURN"]
    async for detail in _by_id(api, RETURNS, came_back):
        for back in _nodes(detail, "returns"):
            _flatten_return(number_of(detail["id"]), back, rows)
    return OrderTables(*(pl.DataFrame(getattr(rows, part.name), schema=dict(SCHEMAS[part.name])) for part in fields(OrderTables)))


async def _by_id(api: Api, document: Document, ids: Sequence[str]) -> Any:
    for start in range(0, len(ids), document.size):
        page: Answer = await api.run(document, {"ids": list(ids[start : start + document.size])})
        for node in page.data["nodes"]:
            if node is not None:  # deleted between the two reads: the next sweep shows its order without it
                await api.complete(node)
                yield node


def _flatten(order: Node, rows: _Rows) -> None:
    order_id = number_of(order["id"])
    source, external = order.get("sourceName"), order.get("sourceIdentifier")
    rows.orders.append(
        {
            "order_id": order_id,
            "created_at": order["createdAt"],
            "updated_at": order["updatedAt"],
            "edited": order["edited"],
            "unpaid": order.get("displayFinancialStatus") == "PENDING",
            "currency": order["currencyCode"],
            "retail_location": _place(order.get("retailLocation")),
            "external_id": external if external and source not in _OWN_SOURCES else "",
        }
    )
    for line in _nodes(order, "lineItems"):
        rows.lines.append(
            {
                "order_id": order_id,
                "line_id": number_of(line["id"]),
                "listing_key": _listing(line),
                "raw_sku": line.get("sku") or "",
                "quantity": line["quantity"],
                "unfulfilled": line["unfulfilledQuantity"],
                "price": line["originalUnitPriceSet"]["shopMoney"]["amount"],
                "payload": _kept(line),
            }
        )
    for work in _nodes(order, "fulfillmentOrders"):
        place = _place((work.get("assignedLocation") or {}).get("location"))
        for line in _nodes(work, "lineItems"):
            rows.work.append(
                {
                    "order_id": order_id,
                    "line_id": number_of(line["lineItem"]["id"]),
                    "work_id": int(number_of(work["id"])),
                    "status": work["status"],
                    "created_at": work["createdAt"],
                    "location": place,
                    "item": number_of(line["inventoryItemId"]) if line.get("inventoryItemId") else None,
                    "total": line["totalQuantity"],
                    "remaining": line["remainingQuantity"],
                    "payload": _kept(line),
                }
            )


def _only_shipment(order: Node, rows: _Rows) -> None:
    """One shipment and nothing taken off: it holds what the fulfilment orders no longer have to ship."""
    order_id, shipment = number_of(order["id"]), order["fulfillments"][0]
    for work in _nodes(order, "fulfillmentOrders"):
        for line in _nodes(work, "lineItems"):
            units = line["totalQuantity"] - line["remainingQuantity"]
            if units > 0:
                rows.shipped.append(_shipment_row(order_id, shipment, line["lineItem"]["id"], units, shipment))


def _flatten_detail(order_id: str, part: Node, detail: Node, rows: _Rows) -> None:
    for line in _nodes(detail, "fulfillmentLineItems"):
        rows.shipped.append(_shipment_row(order_id, part, line["lineItem"]["id"], line["quantity"] or 0, line))
    for position, line in enumerate(_nodes(detail, "refundLineItems")):
        rows.refunded.append(
            {
                "order_id": order_id,
                "line_id": number_of(line["lineItem"]["id"]),
                "refund_id": number_of(part["id"]),
                "entry_id": line.get("id") or f"{position:06d}",
                "created_at": part["createdAt"],
                "location": _place(line.get("location")),
                "units": line["quantity"],
                "restock": line["restockType"],
                "restocked": line["restocked"],
                "payload": _kept(line),
            }
        )


def _shipment_row(order_id: str, shipment: Node, line: str, units: int, source: Node) -> Node:
    return {
        "order_id": order_id,
        "line_id": number_of(line),
        "shipment_id": number_of(shipment["id"]),
        "status": shipment["status"],
        "created_at": shipment["createdAt"],
        "updated_at": shipment["updatedAt"],
        "location": _place(shipment.get("location")),
        "units": units,
        "payload": _kept(source),
    }


def _flatten_agreements(order_id: str, agreements: Iterable[Node], rows: _Rows) -> None:
    for agreement in agreements:
        for sale in _nodes(agreement, "sales"):
            if sale.get("lineItem") and (sale.get("quantity") or 0) > 0 and sale["actionType"] in ("ORDER", "UPDATE"):
                line = number_of(sale["lineItem"]["id"])
                rows.sold.append(
                    {"order_id": order_id, "line_id": line, "at": agreement["happenedAt"], "units": sale["quantity"]}
                )


def _flatten_return(order_id: str, back: Node, rows: _Rows) -> None:
    """One row a disposition; why a line came back stands beside it in the return."""
    reasons = {
        line["fulfillmentLineItem"]["lineItem"]["id"]: line["returnReason"]
        for line in _nodes(back, "returnLineItems")
        if line.get("fulfillmentLineItem")
    }
    for work in _nodes(back, "reverseFulfillmentOrders"):
        for line in (line for line in _nodes(work, "lineItems") if line.get("fulfillmentLineItem")):
            sold = line["fulfillmentLineItem"]["lineItem"]["id"]
            for done in line["dispositions"]:
                rows.returned.append(
                    {
                        "order_id": order_id,
                        "line_id": number_of(sold),
                        "event_id": number_of(done["id"]),
                        "return_id": number_of(back["id"]),
                        "at": done["createdAt"],
                        "location": _place(done.get("location")),
                        "disposition": done["type"],
                        "reason": reasons.get(sold),
                        "units": done["quantity"],
                        "payload": _kept(done),
                    }
                )


def _nodes(node: Mapping[str, Any], name: str) -> list[Node]:
    return list((node.get(name) or {}).get("nodes") or [])


def _place(location: Mapping[str, Any] | None) -> str | None:
    return number_of(location["id"]) if location else None


def _listing(line: Mapping[str, Any]) -> str | None:
    variant = line.get("variant") or {}
    item = variant.get("inventoryItem") or {}
    return number_of(item["id"]) if item.get("id") else None


def _kept(node: Mapping[str, Any]) -> str:
    return json.dumps(drop_personal({name: value for name, value in node.items() if name != "lineItems"}), separators=(",", ":"))
