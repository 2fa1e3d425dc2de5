"""Paging tokens: opaque, bound to what was asked, and alive for a time that each operation states."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Generic, TypeVar

from invbi_pipeline.sandbox.amazon.refusals import bad_input
from invbi_pipeline.sandbox.contract import WorldClock

__all__ = ["Page", "Pages"]

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows, the token of the next page ("" where this is the last) and what the first request noted for all pages."""

    rows: Sequence[Row]
    token: str
    note: str


@dataclass(frozen=True, slots=True)
class _Rest(Generic[Row]):
    rows: Sequence[Row]
    note: str
    ends: datetime


class Pages(Generic[Row]):
    """Cuts what was found into pages."""

    def __init__(self, clock: WorldClock, rng: Random, lifetime: timedelta) -> None:
        self._clock = clock
        self._rng = rng
        self._lifetime = lifetime
        self._rests: dict[str, _Rest[Row]] = {}

    def first(self, rows: Sequence[Row], size: int, note: str = "") -> Page[Row]:
        """Return the first page; `note` is handed back with every later one."""
        token = ""
        if len(rows) > size:
            now = self._clock.now()
            self._rests = {each: rest for each, rest in self._rests.items() if rest.ends > now}
            token = f"{self._rng.getrandbits(192):048x}"
            self._rests[token] = _Rest(rows[size:], note, now + self._lifetime)
        return Page(rows[:size], token, note)

    def after(self, token: str, size: int, name: str) -> Page[Row]:
        """Return the page behind a token; raise `AmazonRefusal` where the token is unknown or too old."""
        rest = self._rests.get(token)
        if rest is None or rest.ends <= self._clock.now():
            raise bad_input(f"{name} is invalid or has expired.")
        return self.first(rest.rows, size, rest.note)
