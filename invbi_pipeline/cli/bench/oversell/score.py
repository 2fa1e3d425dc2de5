"""What a day came to under one way of keeping numbers, and what many days came to together."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from invbi_pipeline.cli.bench.oversell.pollers import PERFECT, replay
from invbi_pipeline.sandbox.world.flash import FlashDay, HotItem, Want

__all__ = ["Day", "Total", "judge"]

_RESAMPLES: Final = 2_000
_PER_ORDERS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Day:
    """One day. Units unless said otherwise."""

    orders: int = 0
    sync: int = 0  # sold beyond the record: the numbers were late
    shelf: int = 0  # sold beyond the shelf but within the record: the goods were never there
    cancelled: int = 0  # orders that could not be packed
    lost: int = 0  # of contested items: that could have been sold and shipped, and were not
    could: int = 0  # of contested items: that a number without any delay would have sold and shipped


def judge(day: FlashDay, granted: Sequence[Want]) -> Day:
    """Score the orders of a day. An item is contested when a number without any delay would have turned shoppers away."""
    parts = [_judge(day, n, item, [one for one in granted if one.item == n]) for n, item in enumerate(day.items)]
    return Day(*(sum(getattr(part, name) for part in parts) for name in Day.__slots__))


def _judge(day: FlashDay, n: int, item: HotItem, granted: Sequence[Want]) -> Day:
    sold, real = sum(one.units for one in granted), item.units - item.phantom
    left, cancelled = real, 0
    for one in granted:  # packed in the order in which they came
        if one.units <= left:
            left -= one.units
        else:
            cancelled += 1
    sync, shelf = max(0, sold - item.units), max(0, min(sold, item.units) - real)
    wanted = [want for want in day.wants if want.item == n]
    best = [want for want in replay(day, PERFECT) if want.item == n]
    if len(best) == len(wanted):
        return Day(len(granted), sync, shelf, cancelled)
    could = min(real, sum(want.units for want in best))
    return Day(len(granted), sync, shelf, cancelled, max(0, could - min(sold, real)), could)


@dataclass(frozen=True, slots=True)
class Total:
    """Many days under one way of keeping numbers."""

    days: tuple[Day, ...]

    def sum(self, name: str) -> int:
        """Return the sum of one figure of all days."""
        return sum(getattr(day, name) for day in self.days)

    @property
    def per_10k(self) -> float:
        """Units oversold by late numbers, for 10,000 orders."""
        return _ratio(self.days)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of `per_10k`: the percentiles of days drawn anew (Efron's bootstrap, whole days)."""
        dice = random.Random(1)
        drawn = sorted(_ratio(dice.choices(self.days, k=len(self.days))) for _ in range(_RESAMPLES))
        return drawn[round(0.025 * _RESAMPLES)], drawn[round(0.975 * _RESAMPLES) - 1]

    @property
    def lost_share(self) -> float:
        """Of the units of contested items that could have been sold, those that were not."""
        return self.sum("lost") / max(1, self.sum("could"))


def _ratio(days: Sequence[Day]) -> float:
    return _PER_ORDERS * sum(day.sync for day in days) / max(1, sum(day.orders for day in days))
