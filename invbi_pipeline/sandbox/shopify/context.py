"""What the resolvers of one request share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from graphql import GraphQLResolveInfo

from invbi_pipeline.sandbox.shopify.orders import Order
from invbi_pipeline.sandbox.shopify.paging import Page, window
from invbi_pipeline.sandbox.shopify.search import Fields, Search, parse_search
from invbi_pipeline.sandbox.shopify.shop import Shop

__all__ = ["Context", "Desks", "by_id", "connection", "counted"]


class Desks(Protocol):
    """What the resolvers ask of the shop's office."""

    inventory: Any
    bulks: Any
    hooks: Any

    def sorted_orders(self, context: "Context", key: Callable[[Order], tuple[Any, ...]]) -> list[Order]: ...


@dataclass(slots=True)
class Context:
    """One request: whose shop, who answers, and what the searches of it had to say."""

    shop: Shop
    office: Desks
    bulk: range | None = None  # a bulk query: every node, and of the outermost connection the rows of this range
    searches: dict[tuple[str, str], Search] = field(default_factory=dict)
    steps: dict[tuple[str, int], Any] = field(default_factory=dict)  # the executor's notes on each field of the document
    search_notes: list[dict[str, Any]] = field(default_factory=list)
    parts: dict[str, dict[int, Any]] = field(default_factory=dict)  # of orders, by kind and id: one walk serves a whole `nodes`

    def search(self, query: str, fields: Fields, info: GraphQLResolveInfo) -> Search:
        """Parse a query once, and note it for `extensions.search`."""
        where = f"{info.parent_type.name}.{info.field_name}"
        known = self.searches.get((where, query))
        if known is None:
            known = self.searches[where, query] = parse_search(query, fields)
            note: dict[str, Any] = {"path": info.path.as_list(), "query": query}
            if known.warnings:
                note["warnings"] = known.warnings
            self.search_notes.append(note)
        return known


def connection(
    info: GraphQLResolveInfo,
    nodes: Sequence[Any],
    key: Callable[[Any], tuple[Any, ...]],
    args: dict[str, Any],
    fields: Fields | None = None,
) -> Page:
    """Answer a connection field: search, then cut the page; everything in a bulk query. `nodes` are sorted by `key`."""
    context: Context = info.context
    query = args.get("query")
    if query and fields is not None:
        search = context.search(query, fields, info)
        nodes = [node for node in nodes if search.matches(node)]
    if context.bulk is None:
        return window(nodes, key, args)
    if info.path.prev is None:
        return Page(nodes[context.bulk.start : context.bulk.stop], key, context.bulk.stop < len(nodes))
    return Page(nodes, key)


def by_id(thing: Any) -> tuple[Any, ...]:
    """Return the sort key of most connections."""
    return (thing.id,)


def counted(number: int, limit: int | None) -> dict[str, Any]:
    """Return a Count: exact up to the limit, "at least" beyond it."""
    if limit is not None and number > limit:
        return {"count": limit, "precision": "AT_LEAST"}
    return {"count": number, "precision": "EXACT"}
