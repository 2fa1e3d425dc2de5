"""A flash sale: a few hundred units of something that everybody wants within the hour, on several channels, from one shelf.

The wants of a day come from its seed alone: whoever replays the day, under whatever way of keeping numbers, meets the same
shoppers at the same seconds. A shopper buys when the channel's number at that moment allows all that is wanted, else not at all.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from invbi_pipeline.domain.words import Absorbs, LocationKind, MovementKind
from invbi_pipeline.sandbox.world.demand import Kind
from invbi_pipeline.sandbox.world.orders import Order
from invbi_pipeline.sandbox.world.places import Listing, Place, System
from invbi_pipeline.sandbox.world.plans import PresetPlan, StreamPlan, SystemPlan
from invbi_pipeline.sandbox.world.world import World

__all__ = ["CHANNELS", "FLASH_SALE", "LASTS_S", "PLACE", "FlashDay", "HotItem", "Want", "buy", "flash_day", "put_on_sale"]

PLACE: Final = "warehouse"
LASTS_S: Final = 3600.0
CHANNELS: Final = ("shopify_uk", "shopify_eu", "till")  # those that tell by webhooks

_ITEMS: Final = 1
_UNITS: Final = (160, 360)  # of a hot item
_CROWD: Final = (3.0, 5.0)  # units wanted for each there is
_COOLS_S: Final = 2400.0  # the rush falls to a third within this
_SHARES: Final = (0.45, 0.25, 0.3)  # of the shoppers, before the day's own dice
_BASKETS: Final = (1, 1, 1, 1, 2, 2, 3)  # units
_PHANTOM_ITEMS: Final = 0.25  # of the items lie on a shelf that holds fewer than the record says
_PHANTOM_UNITS: Final = (1, 6)


def _channel(name: str, platform: str, *, per_location: bool = True) -> SystemPlan:
    return SystemPlan(name, platform, sells_from=(PLACE,), default_place=PLACE, odd_skus=0.0, per_location=per_location)


FLASH_SALE: Final = PresetPlan(
    "flash_sale",
    (Place(PLACE, LocationKind.WAREHOUSE, "erp"),),
    (
        SystemPlan("erp", "files", counts=(PLACE,), sells=False, absorbs=Absorbs.IMPORTED, odd_skus=0.0),
        _channel("shopify_uk", "shopify"),
        _channel("shopify_eu", "shopify"),
        _channel("till", "square"),
        _channel("amazon_uk", "amazon", per_location=False),
    ),
    (
        StreamPlan("shopify_uk", Kind.ONLINE, PLACE, 70),
        StreamPlan("shopify_eu", Kind.ONLINE, PLACE, 30),
        StreamPlan("till", Kind.ONLINE, PLACE, 40),
        StreamPlan("amazon_uk", Kind.MARKETPLACE, PLACE, 30),
    ),
)
"""One warehouse that an ERP counts and four channels sell from, each of which lists everything."""


@dataclass(frozen=True, slots=True)
class HotItem:
    """What is on sale: how many units the record says there are, and how many of them do not lie on the shelf."""

    units: int
    phantom: int = 0


@dataclass(frozen=True, slots=True)
class Want:
    """A shopper: when (seconds into the sale), where, which item and how many units of it."""

    at_s: float
    channel: str
    item: int
    units: int


@dataclass(frozen=True, slots=True)
class FlashDay:
    """The hot items of a day and everyone who wants them, in order of time."""

    seed: int
    items: tuple[HotItem, ...]
    wants: tuple[Want, ...]


def flash_day(seed: int, channels: Sequence[str] = CHANNELS, items: int = _ITEMS) -> FlashDay:
    """Return the day of a seed."""
    dice = random.Random(f"{seed}/flash day")
    hot = tuple(_item(dice) for _ in range(items))
    wants = [want for n, item in enumerate(hot) for want in _wants(n, item, channels, dice)]
    return FlashDay(seed, hot, tuple(sorted(wants, key=lambda want: (want.at_s, want.item))))


def _item(dice: random.Random) -> HotItem:
    phantom = dice.randint(*_PHANTOM_UNITS) if dice.random() < _PHANTOM_ITEMS else 0
    return HotItem(dice.randint(*_UNITS), phantom)


def _wants(n: int, item: HotItem, channels: Sequence[str], dice: random.Random) -> list[Want]:
    wanted = item.units * dice.uniform(*_CROWD)
    shares = [share * dice.uniform(0.6, 1.4) for share, _ in zip(_SHARES, channels, strict=True)]
    found: list[Want] = []
    while wanted > 0:
        units = dice.choice(_BASKETS)
        found.append(Want(_moment(dice), dice.choices(channels, shares)[0], n, units))
        wanted -= units
    return found


def _moment(dice: random.Random) -> float:
    """Return a second of the sale: shoppers come ever more seldom (an exponential law, cut off at the end)."""
    all_of_it = 1 - math.exp(-LASTS_S / _COOLS_S)
    return round(-_COOLS_S * math.log(1 - dice.random() * all_of_it), 3)


def put_on_sale(world: World, item: HotItem, sku: str) -> None:
    """Let the goods of an item come in: the warehouse's number of `sku` becomes the item's, and its shelf holds what is real."""
    shelves = world.business.shelves
    world.goods.book(PLACE, sku, item.units - shelves.book[PLACE, sku], MovementKind.RECEIPT)
    world.goods.vanish(PLACE, sku, item.units - item.phantom - shelves.units[PLACE, sku])


def buy(world: World, system: System, listing: Listing, units: int) -> Order | None:
    """Let a shopper buy if the channel's number allows it."""
    if system.number(listing, PLACE) < units:
        return None
    return world.shoppers.place_order(system, PLACE, [(listing, units)])
