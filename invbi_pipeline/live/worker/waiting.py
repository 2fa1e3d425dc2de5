"""What waits for the order feed: numbers that may only rise, or be judged, once it was read past a certain time.

After a push a number may rise only when a sweep has read the orders past the look that proved it, and what was withheld for sales
not yet seen is offered again only then (design.md section 2, rules 5 and 6). Nobody announces that. Each decision says which of
its points wait, and up to when; the feed of their system is then read on as soon as it can have got there.

A number that changed and no order says why may be a sale whose delivery was lost. Its order can be searched for long before the
feed counts as complete up to there: once, as soon as a delivery should have come.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import POINT_KEY
from invbi_pipeline.domain.words import COMPARABLE

__all__ = ["Waiting", "strange", "waiting_for_orders"]

_KEY: Final = list(POINT_KEY)
_APART: Final = timedelta(seconds=3)  # between two reads of one feed: many numbers rise after one of them
_GRAIN: Final = timedelta(seconds=1)  # platforms state times in whole seconds
_TELLS: Final = timedelta(seconds=3)  # within this the delivery of an order usually comes
_BEFORE: Final = timedelta(minutes=5)  # most that is searched through


def waiting_for_orders(points: pl.DataFrame, bases: pl.DataFrame) -> pl.DataFrame:
    """Return system, until, complete_to: by system, up to when its orders must have been read for what waits now (POINTS, BASES).

    A point waits that shows too little, or withholds units, or changed without a known cause, while nothing of ours is under way
    there and nothing is planned.
    """
    beside = points.join(bases.select(*_KEY, "unsure_to", "withheld_until"), on=_KEY, how="left")
    open_ = _open() & pl.col("send").is_null()
    low, held = pl.col("gap") < 0, pl.col("withheld") > 0
    until = pl.max_horizontal(
        pl.when(low).then("unsure_to"), pl.when(held).then("withheld_until"), pl.when(_unexplained()).then("observed_at")
    )
    return (
        beside.filter(open_.fill_null(value=False))
        .with_columns(until=until)
        .filter(pl.col("until") > pl.col("complete_to"))
        .group_by("system")
        .agg(pl.col("until", "complete_to").max())
    )


def strange(points: pl.DataFrame) -> pl.DataFrame:
    """Return the key of each of these POINTS, `seen`: the look that found a change without a known cause (null: none did), since.

    `since` is the look before, a few minutes earlier at most: what changed before that, the feed will tell.
    """
    since = pl.max_horizontal("found_since", pl.col("observed_at") - _BEFORE)
    return points.select(*_KEY, seen=pl.when((_open() & _unexplained()).fill_null(value=False)).then("observed_at"), since=since)


def _open() -> pl.Expr:
    return pl.col("state").is_in([str(state) for state in COMPARABLE]) & (pl.col("in_flight") == 0)


def _unexplained() -> pl.Expr:
    return (pl.col("unexplained") != 0) & ~pl.col("complete")


@dataclass(frozen=True, slots=True)
class _Strange:
    """A number that changed without a known cause between two looks (the platform's time), and when its order is due (ours)."""

    since: datetime
    seen: datetime
    due: datetime | None  # null: it was searched for


class Waiting:
    """When the orders of which system are to be read on, or searched for. `searched`: the systems whose newest can be searched.

    Times of platforms are kept with how far their feeds lag ours.
    """

    def __init__(self, searched: Collection[str] = ()) -> None:
        self._searched = frozenset(searched)
        self._until: dict[str, datetime] = {}  # the platform's time
        self._read_at: dict[str, datetime] = {}  # ours
        self._lags: dict[str, timedelta] = {}
        self._strange: dict[tuple[str, str, str], _Strange] = {}

    def note(self, waiting: pl.DataFrame) -> None:
        """Take in what waits after a decision: `waiting_for_orders`."""
        for system, until in waiting.select("system", "until").iter_rows():
            self._until[system] = max(until, self._until.get(system, until))

    def note_strange(self, looks: pl.DataFrame, now: datetime) -> None:
        """Take in which of the numbers that were decided changed without a known cause: `strange`."""
        for system, listing_key, location, seen, since in looks.iter_rows():
            point = (system, listing_key, location)
            known = self._strange.get(point)
            if seen is None:
                self._strange.pop(point, None)
            elif system in self._searched and (known is None or known.seen < seen):
                if known is None or known.due is None:  # what was searched for already is left to the feed
                    self._strange[point] = _Strange(since, seen, now + _TELLS)
                else:
                    self._strange[point] = replace(known, since=min(since, known.since), seen=seen)

    def to_search(self, now: datetime) -> Mapping[str, datetime]:
        """Return the systems whose newest orders are to be searched for now, and since when (theirs); once for each look."""
        found: dict[str, datetime] = {}
        for point, one in self._strange.items():
            if one.due is not None and one.due <= now:
                found[point[0]] = min(one.since, found.get(point[0], one.since))
                self._strange[point] = replace(one, due=None)
        return {system: since - _GRAIN for system, since in found.items()}

    def read(self, system: str, at: datetime, reach: datetime | None) -> None:
        """Note that a feed was read at `at` (our time), and how far it reached (the platform's; None: it could not be read).

        What waits for more than it reached is waited for again; a feed that could not be read is left to the next sweep.
        """
        self._read_at[system] = at
        if reach is not None:
            self._lags[system] = max(timedelta(0), at - reach)
        if reach is None or (self._until.get(system, reach) <= reach):
            self._until.pop(system, None)

    def due(self) -> Mapping[str, datetime]:
        """Return when the feed of each system in question is to be read on: our time."""
        return {system: self._due(system, until) for system, until in self._until.items()}

    def _due(self, system: str, until: datetime) -> datetime:
        reached = until + _GRAIN + self._lags.get(system, timedelta(0))
        before = self._read_at.get(system)
        return reached if before is None else max(reached, before + _APART)
