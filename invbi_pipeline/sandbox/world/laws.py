"""The laws by which people want, come and steal, as data: a score taken in one world must hold in another.

* `calm`    a boutique, whose median shelf sells once in six weeks: taste falls off like Zipf's law, single units go astray;
* `leaky`   a busy shop, and now and then a whole facing leaves its shelf unbooked: misplaced, mis-picked, sent by mistake, taken;
* `raided`  as busy; taste is lognormal and comes in fashions, days differ, weekends more; raids on dear goods take facings.

How often a facing is lost is one figure for both worlds that lose any: once in two years. With somebody counting now and then,
three or four of a hundred shelves are empty at any time. Audits of a large retailer found 65 % of the records wrong (DeHoratius
and Raman, Management Science 54(4), 2008), and at another 16 % of the items could not be found where they should lie (Raman,
DeHoratius and Ton, California Management Review 43(3), 2001).

In the boutique of `calm` nobody could hear a silence: who knew every shelf's true rate and hazard would rank empty shelves there
hardly better than by chance.
"""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Final

from invbi_pipeline.sandbox.world.catalogue import Catalogue

__all__ = ["CALM", "LAWS", "Fashion", "Laws"]

Fashion = Callable[[str, datetime], float]
"""(sku, day) -> how many times as much as usual it is wanted that week."""

_FACINGS_A_YEAR: Final = 0.5
_BUSY: Final = 8.0  # of 120 skus a shelf sells once or twice a day, the median one every other day: mass retail, not a boutique
_COUNTED_MISSES: Final = 0.5  # the other half of the pickers who find nothing cancel the line and walk on


@dataclass(frozen=True, slots=True)
class Laws:
    """How taste, fashion, the week and theft behave. The defaults are those of `calm`."""

    name: str
    taste_sigma: float = 0.0  # of the logarithm of popularity; 0: Zipf's law, as the catalogue has it
    fashions_a_year: float = 0.0  # so many weeks a year a sku is in fashion,
    fashion_times: float = 1.0  # ... and is wanted so many times as much
    crowd_sigma: float = 0.0  # of the logarithm of a day's number of shoppers
    shoppers: float = 1.0  # times as many as the preset has
    counted_misses: float = 1.0  # share of pickers who find nothing that count the shelf
    weekend: float = 1.0  # power to which the weekly rhythm is raised
    facings_a_year: float = 0.0  # share of a place's shelves that is emptied in a year, unbooked
    raid_facings: int = 1  # facings that go at one time, of one style where there are so many
    dear: float = 0.0  # a facing is chosen in proportion to its price to this power

    def taste(self, catalogue: Catalogue, seed: int) -> Catalogue:
        """Return the catalogue with the popularities of these laws."""
        if not self.taste_sigma:
            return catalogue
        rng = random.Random(f"{seed}/{self.name}/taste")
        products = {
            sku: replace(product, popularity=math.exp(rng.gauss(0, self.taste_sigma)))
            for sku, product in catalogue.products.items()
        }
        kits = {
            sku: replace(kit, popularity=rng.uniform(0.3, 1.0) * max(products[part].popularity for part in kit.components))
            for sku, kit in catalogue.kits.items()
        }
        return Catalogue(products, kits, catalogue.twins)

    def fashion(self, seed: int) -> Fashion | None:
        """Return what is in fashion when, the same on every channel; None where nothing ever is."""
        if not self.fashions_a_year:
            return None

        @cache
        def times(sku: str, year: int, week: int) -> float:
            wanted = random.Random(f"{seed}/{self.name}/{sku}/{year}/{week}").random() < self.fashions_a_year / 52
            return self.fashion_times if wanted else 1.0

        return lambda sku, day: times(sku, *day.isocalendar()[:2])


CALM: Final = Laws("calm")
_LEAKY: Final = Laws("leaky", shoppers=_BUSY, counted_misses=_COUNTED_MISSES, facings_a_year=_FACINGS_A_YEAR)
_RAIDED: Final = Laws(
    "raided",
    taste_sigma=1.2,
    fashions_a_year=3.0,
    fashion_times=5.0,
    crowd_sigma=0.3,
    shoppers=_BUSY,
    counted_misses=_COUNTED_MISSES,
    weekend=1.6,
    facings_a_year=_FACINGS_A_YEAR,
    raid_facings=3,
    dear=1.5,
)
LAWS: Final[Mapping[str, Laws]] = MappingProxyType({laws.name: laws for laws in (CALM, _LEAKY, _RAIDED)})
