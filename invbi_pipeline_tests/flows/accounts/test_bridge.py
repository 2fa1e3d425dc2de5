"""The offer's bridge: whatever divides, caps or withholds is an amount, and every sum is what its amounts come to."""

import random
from typing import Any

import polars as pl
import pytest

from invbi_pipeline.domain.frames import OUTSIDE, POSITIONS, RESERVATIONS, SHELVES, empty
from invbi_pipeline.flows.accounts.bridge import Line, followed, offer_bridge
from invbi_pipeline.flows.accounts.explain import ExplainedPoint, Explanation

NOTHING = pl.DataFrame()
WHOLE = Explanation(
    sku="TEE",
    title="",
    positions=empty(POSITIONS),
    components=NOTHING,
    makes=NOTHING,
    reservations=empty(RESERVATIONS),
    points=(),
    findings=NOTHING,
    shelves=empty(SHELVES),
    outside=empty(OUTSIDE),
    refused=NOTHING,
)
OFFER: dict[str, Any] = {
    "pool": 100,
    "threshold": 0,
    "held_nowhere": 0,
    "share_bp": 10_000,
    "buffer": 0,
    "backorder_limit": 0,
    "units": 1,
    "min_offer": 0,
    "max_offer": None,
    "sellable": 100,
    "offer": 100,
}


def bridge(shown: int, location: str = "", **values: Any) -> list[Line]:
    point = {"system": "web", "listing_key": "a", "location": location, "offer": shown}
    explained = ExplainedPoint(point, {}, {**OFFER, **values}, {}, NOTHING, NOTHING, {}, {}, {})
    return list(offer_bridge(explained, WHOLE))


def amounts(lines: list[Line]) -> dict[str, int]:
    return {line.what: line.units for line in lines if not line.is_sum}


def test_a_share_is_told_as_what_it_takes_away() -> None:
    lines = bridge(29, share_bp=2900, sellable=29, offer=29)
    assert amounts(lines)["share 29 %"] == -71
    assert followed(lines)


def test_a_negative_pool_takes_no_share_and_backorders_come_on_top() -> None:
    lines = bridge(2, pool=-3, share_bp=5000, backorder_limit=5, sellable=2, offer=2)
    assert amounts(lines) == {"available in no place": -3, "backorder limit": 5}
    assert followed(lines)


def test_a_pack_a_least_and_a_most_are_amounts_too() -> None:
    pack = bridge(2, units=6, pool=13, sellable=13, offer=2)
    least = bridge(0, pool=3, sellable=3, min_offer=5, offer=0)
    most = bridge(10, pool=14, sellable=14, max_offer=10, offer=10)
    assert amounts(pack)["13 units in listings of 6"] == -11
    assert amounts(least)["below the least of 5"] == -3
    assert amounts(most)["above the most of 10"] == -4
    assert all(map(followed, (pack, least, most)))


def test_what_other_places_show_and_what_is_withheld_are_told_last() -> None:
    lines = bridge(6, "soho", offer=7)
    assert [line.units for line in lines[-3:]] == [-93, -1, 6]
    assert followed(lines)


@pytest.mark.parametrize("seed", range(30))
def test_every_offer_that_the_arithmetic_can_come_to_adds_up(seed: int) -> None:
    dice = random.Random(seed)
    pool, share, buffer = dice.randint(-20, 200), dice.choice([10_000, 7500, 3300]), dice.randint(0, 20)
    backorder, units, least, most = dice.choice([0, 5]), dice.choice([1, 2, 6]), dice.choice([0, 4]), dice.choice([None, 8])
    sellable = max(0, (pool * share // 10_000 if pool > 0 else pool) - buffer + backorder)
    whole = sellable // units
    offer = min(whole if whole >= least else 0, most if most is not None else 10**9)
    given: dict[str, Any] = {"pool": pool, "share_bp": share, "buffer": buffer, "backorder_limit": backorder, "units": units}
    lines = bridge(offer, **given, min_offer=least, max_offer=most, sellable=sellable, offer=offer, threshold=dice.randint(0, 9))
    assert followed(lines), lines
    assert lines[-1] == Line("offer", offer, is_sum=True)


def test_a_sum_that_its_amounts_do_not_come_to_is_noticed() -> None:
    assert not followed([Line("anchor", 3), Line("on hand", 4, is_sum=True)])
