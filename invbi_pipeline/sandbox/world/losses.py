"""Facings that leave their shelf and that nobody books: misplaced, mis-picked, sent by mistake, taken in a raid."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from invbi_pipeline.sandbox.world.business import Business
from invbi_pipeline.sandbox.world.demand import poisson
from invbi_pipeline.sandbox.world.goods import Goods

__all__ = ["Losses"]

_DAYS_A_YEAR = 365


class Losses:
    """Empties shelves by the laws of the business. What lies there goes whole; the record keeps it."""

    def __init__(self, business: Business, goods: Goods, kept: Mapping[str, Sequence[str]]) -> None:
        self._business = business
        self._goods = goods
        self._kept = kept  # place -> skus
        self._rng: random.Random = business.rng("losses")

    def plan_day(self, day: datetime) -> None:
        """Write the day's losses down. `day` is its midnight."""
        laws = self._business.laws
        for place, skus in self._kept.items() if laws.facings_a_year else ():
            times = laws.facings_a_year / _DAYS_A_YEAR * len(skus) / laws.raid_facings
            for _ in range(poisson(times, self._rng)):
                at = day + timedelta(hours=8, seconds=round(self._rng.uniform(0, 36_000), 3))
                self._business.agenda.people(at, partial(self._raid, place))

    def _raid(self, place: str) -> None:
        """One facing that holds something goes, and with it others of its style, up to as many as go at one time."""
        products, shelves, laws = self._business.catalogue.products, self._business.shelves, self._business.laws
        there = [sku for sku in self._kept[place] if shelves.units[place, sku] > 0]
        if not there:
            return
        first = self._rng.choices(there, [products[sku].price ** laws.dear for sku in there])[0]
        beside = [sku for sku in there if sku != first and products[sku].style == products[first].style]
        more = self._rng.sample(beside, min(len(beside), laws.raid_facings - 1))
        for sku in (first, *more):
            self._goods.vanish(place, sku, -shelves.units[place, sku])
