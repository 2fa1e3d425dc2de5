"""Cursors: opaque, bound to the query they were issued for, and alive for five minutes of the world's time.

An expired or foreign one is INVALID_CURSOR (the lifetime is stated for the inventory cursors; here it is that of all).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Generic, TypeVar

from invbi_pipeline.sandbox.contract import WorldClock
from invbi_pipeline.sandbox.square.refusals import invalid

__all__ = ["Pages"]

_LIFETIME = timedelta(minutes=5)
_PAGING = ("cursor", "limit")  # what may differ between the pages of one query
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class _Rest(Generic[Row]):
    query: str
    rows: Sequence[Row]
    offset: int
    expires: datetime


class Pages(Generic[Row]):
    """Cuts the rows that a query found into pages, and keeps the rest under a cursor."""

    def __init__(self, clock: WorldClock, rng: Random) -> None:
        self._clock = clock
        self._rng = rng
        self._rests: dict[str, _Rest[Row]] = {}

    def resume(self, operation: str, query: Mapping[str, Any], limit: int) -> tuple[Sequence[Row], str]:
        """Return the page behind `query["cursor"]` and the next cursor; raise `SquareRefusal` (INVALID_CURSOR)."""
        self._forget_expired()
        rest = self._rests.get(str(query["cursor"]))
        if rest is None or rest.query != _digest(operation, query):
            raise invalid("INVALID_CURSOR", "The pagination cursor is invalid or has expired.", "cursor")
        return self._page(rest.query, rest.rows, rest.offset, limit)

    def first(self, operation: str, query: Mapping[str, Any], rows: Sequence[Row], limit: int) -> tuple[Sequence[Row], str]:
        """Return the first page and the next cursor ("" where nothing is left)."""
        self._forget_expired()
        return self._page(_digest(operation, query), rows, 0, limit)

    def _page(self, query: str, rows: Sequence[Row], offset: int, limit: int) -> tuple[Sequence[Row], str]:
        end = offset + limit
        cursor = ""
        if end < len(rows):
            cursor = f"{self._rng.getrandbits(160):040x}"
            self._rests[cursor] = _Rest(query, rows, end, self._clock.now() + _LIFETIME)
        return rows[offset:end], cursor

    def _forget_expired(self) -> None:
        now = self._clock.now()
        for cursor in [c for c, rest in self._rests.items() if rest.expires < now]:
            del self._rests[cursor]


def _digest(operation: str, query: Mapping[str, Any]) -> str:
    asked = {name: value for name, value in query.items() if name not in _PAGING and value is not None}
    return hashlib.sha256(json.dumps([operation, asked], sort_keys=True, default=str).encode()).hexdigest()
