"""The three businesses of the sandbox, as data, and how one of them is brought to life.

* `till_master`: tills count the shops, an ERP that only exports files counts the warehouse;
* `shopify_hub`: Shopify counts everything, its POS sells in the shops;
* `erp_master`: the ERP counts everything, everything else sells.
"""

import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from invbi_pipeline.domain.words import Absorbs, LocationKind
from invbi_pipeline.sandbox.contract import Account, WorldClock
from invbi_pipeline.sandbox.erp import ErpAccount
from invbi_pipeline.sandbox.world.builder import HISTORY_DAYS, AccountFactory, build_world
from invbi_pipeline.sandbox.world.clock import VirtualClock
from invbi_pipeline.sandbox.world.configuration import MARKETPLACE, seller_id, write_config
from invbi_pipeline.sandbox.world.configuration import environment as secrets
from invbi_pipeline.sandbox.world.demand import Kind
from invbi_pipeline.sandbox.world.flash import FLASH_SALE
from invbi_pipeline.sandbox.world.laws import LAWS
from invbi_pipeline.sandbox.world.places import Place
from invbi_pipeline.sandbox.world.plans import PresetPlan, StreamPlan, SystemPlan
from invbi_pipeline.sandbox.world.policy import Policy
from invbi_pipeline.sandbox.world.world import NOTHING, World

__all__ = ["HISTORY_DAYS", "PRESETS", "build", "emulated", "secrets", "write_config"]

_SHOPS = ("soho", "camden", "leeds")
_EVERYWHERE = ("warehouse", *_SHOPS)


def _places(warehouse: str, shops: str, safety_in_shops: int) -> tuple[Place, ...]:
    return (
        Place("warehouse", LocationKind.WAREHOUSE, warehouse, 2),
        *(Place(shop, LocationKind.STORE, shops, safety_in_shops) for shop in _SHOPS),
        Place("amazon_fc", LocationKind.PLATFORM, "amazon_uk"),
    )


_AMAZON = SystemPlan(
    "amazon_uk",
    "amazon",
    counts=("amazon_fc",),
    sells_from=("warehouse",),
    default_place="warehouse",
    lists=0.45,
    kits=True,
    by_platform=0.12,
    per_location=False,
    order_lag_s=45.0,
    visibility_lag_s=20.0,
)
_B2B = SystemPlan(
    "shopify_b2b", "shopify", sells_from=("warehouse",), default_place="warehouse", lists=0.3, packs=0.2, order_lag_s=2.0
)
_ERP = SystemPlan("erp", "files", sells=False, absorbs=Absorbs.IMPORTED, odd_skus=0.02)
_CHANNEL_POLICIES = (
    Policy("buffer", 1, "shopify_uk"),
    Policy("threshold", 1, "amazon_uk"),
    Policy("buffer_pct_bp", 1000, "amazon_uk"),
    Policy("max_offer", 40, "amazon_uk"),
    Policy("max_offer", 300, "shopify_b2b"),
)
_HOME_STREAMS = (
    StreamPlan("amazon_uk", Kind.MARKETPLACE, "warehouse", 32),
    StreamPlan("amazon_uk", Kind.PLATFORM, "amazon_fc", 14),
    StreamPlan("shopify_b2b", Kind.TRADE, "warehouse", 12),
)

_TILL_MASTER = PresetPlan(
    "till_master",
    _places("erp", "till", 1),
    (
        SystemPlan("till", "square", _SHOPS, True, Absorbs.WRITEBACK, _SHOPS, lists=0.85, order_lag_s=2.0),
        replace(_ERP, counts=("warehouse",)),
        SystemPlan(
            "shopify_uk", "shopify", sells_from=_EVERYWHERE, default_place="warehouse", lists=0.7, kits=True, order_lag_s=2.0
        ),
        _B2B,
        _AMAZON,
    ),
    (
        StreamPlan("till", Kind.COUNTER, "soho", 46),
        StreamPlan("till", Kind.COUNTER, "camden", 38),
        StreamPlan("till", Kind.COUNTER, "leeds", 26),
        StreamPlan("shopify_uk", Kind.COUNTER, "soho", 18),
        StreamPlan("shopify_uk", Kind.ONLINE, "warehouse", 70),
        *_HOME_STREAMS,
    ),
    _CHANNEL_POLICIES,
)

_SHOPIFY_HUB = PresetPlan(
    "shopify_hub",
    _places("shopify_uk", "shopify_uk", 1),
    (
        SystemPlan("shopify_uk", "shopify", _EVERYWHERE, True, Absorbs.WRITEBACK, _EVERYWHERE, "warehouse", order_lag_s=2.0),
        _B2B,
        _AMAZON,
    ),
    (
        StreamPlan("shopify_uk", Kind.COUNTER, "soho", 52),
        StreamPlan("shopify_uk", Kind.COUNTER, "camden", 38),
        StreamPlan("shopify_uk", Kind.COUNTER, "leeds", 26),
        StreamPlan("shopify_uk", Kind.ONLINE, "warehouse", 70),
        *_HOME_STREAMS,
    ),
    _CHANNEL_POLICIES[1:],
)

_ERP_MASTER = PresetPlan(
    "erp_master",
    _places("erp", "erp", 0),
    (
        replace(_ERP, counts=_EVERYWHERE),
        SystemPlan(
            "shopify_uk", "shopify", sells_from=_EVERYWHERE, default_place="warehouse", lists=0.7, kits=True, order_lag_s=2.0
        ),
        SystemPlan("till", "square", sells_from=_SHOPS, lists=0.85, order_lag_s=2.0),
        _AMAZON,
    ),
    (
        StreamPlan("till", Kind.COUNTER, "soho", 46),
        StreamPlan("till", Kind.COUNTER, "camden", 38),
        StreamPlan("till", Kind.COUNTER, "leeds", 26),
        StreamPlan("shopify_uk", Kind.COUNTER, "soho", 18),
        StreamPlan("shopify_uk", Kind.ONLINE, "warehouse", 70),
        *_HOME_STREAMS[:2],
    ),
    _CHANNEL_POLICIES[:-1],
)

PRESETS: Mapping[str, PresetPlan] = MappingProxyType({plan.name: plan for plan in (_TILL_MASTER, _SHOPIFY_HUB, _ERP_MASTER)})


def build(
    preset: str,
    seed: int,
    skus: int,
    base_url: str,
    folder: Path,
    clock: VirtualClock,
    *,
    make_account: AccountFactory | None = None,
    history_days: int = HISTORY_DAYS,
    faults: bool = True,
    laws: str = "calm",
    history: Mapping[str, int] = NOTHING,
) -> World:
    """Return a world whose history ends at the clock's present, with the demo's `faults` scheduled.

    `base_url` is the server's address ("http://127.0.0.1:8000"), `folder` receives the ERP's exports (in `erp/`).
    `history` says what went wrong in the history: label -> how many (such as `faults.shelf.HISTORY_PLAN`).
    `make_account` replaces the emulated platforms. Raises KeyError for an unknown preset or `laws`.
    """

    def in_folder(plan: SystemPlan, world: WorldClock, rng: random.Random, url: str, words: Mapping[str, str]) -> Account:
        return emulated(plan, world, rng, url, words, folder)

    make = make_account or in_folder
    plan = FLASH_SALE if preset == FLASH_SALE.name else PRESETS[preset]  # no business to rehearse: a day that benches replay
    return build_world(plan, seed, skus, base_url, folder, clock, make, history_days, faults, LAWS[laws], history)


def emulated(
    plan: SystemPlan, clock: WorldClock, rng: random.Random, base_url: str, words: Mapping[str, str], folder: Path
) -> Account:
    """Return the emulated account that a plan asks for; `folder` receives an ERP's exports."""
    if plan.platform == "files":
        return ErpAccount(plan.name, clock, rng, folder / plan.name)
    if plan.platform == "square":
        from invbi_pipeline.sandbox.square import SquareAccount

        return SquareAccount(plan.name, clock, rng, base_url, words)
    if plan.platform == "amazon":
        from invbi_pipeline.sandbox.amazon import AmazonAccount

        return AmazonAccount(plan.name, clock, rng, base_url, words, seller_id=seller_id(plan.name), marketplace=MARKETPLACE)
    from invbi_pipeline.sandbox.shopify import ShopifyAccount

    return ShopifyAccount(plan.name, clock, rng, base_url, words)
