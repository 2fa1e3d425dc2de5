"""Connections: a window of a sorted list, with opaque cursors that stand for a place in the order, not for a row number."""

import base64
import binascii
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from graphql import GraphQLError

__all__ = ["MAX_PAGE", "Edge", "Page", "window"]

MAX_PAGE = 250  # https://shopify.dev/docs/api/usage/limits
Key = Callable[[Any], tuple[Any, ...]]


class Edge:
    """A node and its place; the cursor is only made where it is asked for."""

    __slots__ = ("_key", "node")

    def __init__(self, node: Any, key: Key) -> None:
        self.node = node
        self._key = key

    def cursor(self) -> str:
        return _encode(self._key(self.node))


class Page:
    """What a connection field returns: the nodes of this page and where it stands."""

    __slots__ = ("_key", "has_next", "has_previous", "nodes")

    def __init__(self, nodes: Sequence[Any], key: Key, has_next: bool = False, has_previous: bool = False) -> None:
        self.nodes = nodes
        self._key = key
        self.has_next = has_next
        self.has_previous = has_previous

    def edges(self) -> list[Edge]:
        return [Edge(node, self._key) for node in self.nodes]

    def page_info(self) -> dict[str, Any]:
        first, last = (self.nodes[0], self.nodes[-1]) if self.nodes else (None, None)
        return {
            "hasNextPage": self.has_next,
            "hasPreviousPage": self.has_previous,
            "startCursor": _encode(self._key(first)) if first is not None else None,
            "endCursor": _encode(self._key(last)) if last is not None else None,
        }


def window(nodes: Sequence[Any], key: Key, args: dict[str, Any]) -> Page:
    """Cut a page out of nodes already sorted by `key` (ascending), after the API's paging rules.

    Raises GraphQLError for a missing, negative or too large page size, and for a cursor that is not one.
    """
    first, last = args.get("first"), args.get("last")
    if first is None and last is None:
        raise _refused("you must provide one of first or last")
    for name, size in (("first", first), ("last", last)):
        if size is not None and not 0 < size <= MAX_PAGE:
            raise _refused(f"{name} must be between 1 and {MAX_PAGE}")
    low, high = 0, len(nodes)
    after, before = args.get("after"), args.get("before")
    if args.get("reverse"):
        low = bisect_right(nodes, _decode(before), key=key) if before else low
        high = bisect_left(nodes, _decode(after), key=key) if after else high
        if first is not None:
            start = max(low, high - first)
            return Page(nodes[start:high][::-1], key, start > low, high < len(nodes))
        stop = min(high, low + (last or 0))
        return Page(nodes[low:stop][::-1], key, low > 0, stop < high)
    low = bisect_right(nodes, _decode(after), key=key) if after else low
    high = bisect_left(nodes, _decode(before), key=key) if before else high
    if first is not None:
        stop = min(high, low + first)
        return Page(nodes[low:stop], key, stop < high, low > 0)
    start = max(low, high - (last or 0))
    return Page(nodes[start:high], key, high < len(nodes), start > low)


def _encode(place: tuple[Any, ...]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode()


def _decode(cursor: str) -> tuple[Any, ...]:
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (binascii.Error, ValueError):
        raise _refused("Invalid cursor for current pagination sort.") from None
    if not isinstance(place, list):
        raise _refused("Invalid cursor for current pagination sort.")
    return tuple(place)


def _refused(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "BAD_REQUEST"})
