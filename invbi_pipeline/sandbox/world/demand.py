"""How shoppers come: a weekly and daily rhythm, and a taste that falls off like Zipf's law."""

import math
import random
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import accumulate

from invbi_pipeline.sandbox.world.laws import CALM, Fashion, Laws
from invbi_pipeline.sandbox.world.places import Listing

__all__ = ["Kind", "Stream", "poisson"]


class Kind(StrEnum):
    """How a purchase comes about."""

    COUNTER = "counter"  # bought and taken away in a shop
    ONLINE = "online"
    MARKETPLACE = "marketplace"
    PLATFORM = "platform"  # the marketplace ships it from its own warehouse
    TRADE = "trade"  # few orders, many units


_SHOP_HOURS = (0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 5, 7, 10, 11, 9, 8, 8, 9, 7, 4, 0, 0, 0, 0)
_HOME_HOURS = (2, 1, 1, 0, 0, 1, 2, 3, 4, 5, 5, 5, 6, 6, 5, 5, 5, 6, 7, 9, 10, 9, 6, 4)
_TRADE_HOURS = (0, 0, 0, 0, 0, 0, 0, 2, 8, 10, 10, 9, 6, 7, 8, 7, 5, 2, 1, 0, 0, 0, 0, 0)
_HOURS = {
    Kind.COUNTER: _SHOP_HOURS,
    Kind.ONLINE: _HOME_HOURS,
    Kind.MARKETPLACE: _HOME_HOURS,
    Kind.PLATFORM: _HOME_HOURS,
    Kind.TRADE: _TRADE_HOURS,
}
_SHOP_WEEK = (0.75, 0.75, 0.85, 0.95, 1.2, 1.6, 0.9)  # Monday first
_HOME_WEEK = (1.15, 1.0, 0.95, 0.95, 0.9, 0.9, 1.15)
_TRADE_WEEK = (1.5, 1.4, 1.3, 1.3, 1.2, 0.2, 0.1)
_WEEK = {
    Kind.COUNTER: _SHOP_WEEK,
    Kind.ONLINE: _HOME_WEEK,
    Kind.MARKETPLACE: _HOME_WEEK,
    Kind.PLATFORM: _HOME_WEEK,
    Kind.TRADE: _TRADE_WEEK,
}


def poisson(mean: float, rng: random.Random) -> int:
    """Return a Poisson number: by multiplication when the mean is small, by the normal approximation above 30."""
    if mean > 30:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


@dataclass(slots=True)
class Stream:
    """The shoppers of one system and place; `per_day` orders on an average day."""

    system: str
    kind: Kind
    place: str  # where they stand, or where the goods ship from when only one place can
    per_day: float
    listings: list[Listing]
    laws: Laws = CALM
    fashion: Fashion | None = None
    _weights: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self._weigh()

    def replace(self, listing: Listing, successor: Listing) -> None:
        """A listing is gone, and another has taken its page over."""
        self.listings = [successor if known is listing else known for known in self.listings]

    def arrivals(self, day: datetime, rng: random.Random) -> list[datetime]:
        """Return when the day's shoppers come, in order. `day` is its midnight."""
        if self.fashion is not None:
            self._weigh(day)
        crowd = rng.lognormvariate(0, self.laws.crowd_sigma) if self.laws.crowd_sigma else 1.0
        count = poisson(self.per_day * crowd * _WEEK[self.kind][day.weekday()] ** self.laws.weekend, rng)
        hours = rng.choices(range(24), _HOURS[self.kind], k=count)
        return sorted(day + timedelta(hours=hour, seconds=round(rng.uniform(0, 3599), 3)) for hour in hours)

    def _weigh(self, day: datetime | None = None) -> None:
        fashion = self.fashion if day is not None else None
        wanted = (each.popularity * (fashion(each.sku, day) if fashion and day else 1.0) for each in self.listings)
        self._weights = list(accumulate(wanted))

    def choose(self, rng: random.Random) -> Listing:
        """Return what a shopper wants."""
        return self.listings[bisect(self._weights, rng.random() * self._weights[-1], hi=len(self._weights) - 1)]

    def basket(self, rng: random.Random) -> list[tuple[Listing, int]]:
        """Return what a shopper would like to buy: different listings with their units."""
        trade = self.kind is Kind.TRADE
        lines = rng.choices((1, 2, 3), (50, 25, 25) if trade else (70, 22, 8))[0]
        units: Sequence[int] = (2, 3, 4, 6, 8) if trade else (1, 1, 1, 1, 1, 1, 2, 2, 3)
        wanted: dict[str, tuple[Listing, int]] = {}
        for _ in range(lines):
            listing = self.choose(rng)
            if listing.in_demand:
                wanted.setdefault(listing.key, (listing, rng.choice(units if listing.units == 1 else (1, 1, 2))))
        return list(wanted.values())
