"""What waits for the order feed: numbers that may only rise, or be judged, once it was read past a certain time.

After a push a number may rise only when a sweep has read the orders past the look that proved it, and what was withheld for sales
not yet seen is offered again only then (design.md section 2, rules 5 and 6). Nobody announces that. Each decision says which of
its points wait, and up to when; the feed of their system is then read on as soon as it can have got there.

A number that changed and no order says why may be a sale whose delivery was lost. Its order stands in the feed long before the
feed counts as complete up to there, so that the feed is read once as soon as a delivery should have come.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import POINT_KEY
from invbi_pipeline.domain.words import COMPARABLE

__all__ = ["Waiting", "waiting_for_orders"]

_KEY: Final = list(POINT_KEY)
_APART: Final = timedelta(seconds=3)  # between two reads of one feed: many numbers rise after one of them
_GRAIN: Final = timedelta(seconds=1)  # platforms state times in whole seconds
_TELLS: Final = timedelta(seconds=3)  # within this a delivery usually comes


def waiting_for_orders(points: pl.DataFrame, bases: pl.DataFrame) -> pl.DataFrame:
    """Return by system up to when its orders must have been read for what waits now: system, until, complete_to, strange_to.

    A point (POINTS, BASES) waits that shows too little, or withholds units, or changed without a known cause, while nothing of
    ours is under way there and nothing is planned. `strange_to`: the newest look at one that changed without a known cause.
    """
    beside = points.join(bases.select(*_KEY, "unsure_to", "withheld_until"), on=_KEY, how="left")
    open_ = pl.col("state").is_in([str(state) for state in COMPARABLE]) & (pl.col("in_flight") == 0) & pl.col("send").is_null()
    low, held, strange = pl.col("gap") < 0, pl.col("withheld") > 0, (pl.col("unexplained") != 0) & ~pl.col("complete")
    until = pl.max_horizontal(
        pl.when(low).then("unsure_to"), pl.when(held).then("withheld_until"), pl.when(strange).then("observed_at")
    )
    return (
        beside.filter(open_.fill_null(value=False))
        .with_columns(until=until, strange_to=pl.when(strange).then("observed_at"))
        .filter(pl.col("until") > pl.col("complete_to"))
        .group_by("system")
        .agg(pl.col("until", "complete_to", "strange_to").max())
    )


class Waiting:
    """When the orders of which system are to be read on. Times of platforms are kept with how far their feeds lag ours.

    `prompt`: the systems whose feed shows an order within seconds.
    """

    def __init__(self, prompt: Collection[str] = ()) -> None:
        self._prompt = frozenset(prompt)
        self._until: dict[str, datetime] = {}  # the platform's time
        self._read_at: dict[str, datetime] = {}  # ours
        self._lags: dict[str, timedelta] = {}
        self._strange_to: dict[str, datetime] = {}  # the platform's time: the newest look that was worth a read before its time
        self._early: dict[str, datetime] = {}  # when that read is due: ours

    def note(self, waiting: pl.DataFrame, now: datetime) -> None:
        """Take in what waits after a decision: `waiting_for_orders`."""
        for system, until, strange_to in waiting.select("system", "until", "strange_to").iter_rows():
            self._until[system] = max(until, self._until.get(system, until))
            known_to = self._strange_to.get(system)
            if system in self._prompt and strange_to is not None and (known_to is None or known_to < strange_to):
                self._strange_to[system] = strange_to
                self._early.setdefault(system, now + _TELLS)

    def read(self, system: str, at: datetime, reach: datetime | None) -> None:
        """Note that a feed was read at `at` (our time), and how far it reached (the platform's; None: it could not be read).

        What waits for more than it reached is waited for again; a feed that could not be read is left to the next sweep.
        """
        self._read_at[system] = at
        self._early.pop(system, None)
        if reach is not None:
            self._lags[system] = max(timedelta(0), at - reach)
        if reach is None or (self._until.get(system, reach) <= reach):
            self._until.pop(system, None)

    def due(self) -> Mapping[str, datetime]:
        """Return when the feed of each system in question is to be read on: our time."""
        return {system: self._due(system, until) for system, until in self._until.items()}

    def _due(self, system: str, until: datetime) -> datetime:
        reached = until + _GRAIN + self._lags.get(system, timedelta(0))
        reached = min(reached, self._early.get(system, reached))
        before = self._read_at.get(system)
        return reached if before is None else max(reached, before + _APART)
