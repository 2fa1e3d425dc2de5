"""A channel that is emptied a few numbers at a time: no run takes much, and an hour takes no more than one run may."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from invbi_pipeline.domain.corrections.guards import holding
from invbi_pipeline_tests.flows.small_shop import SmallShop, small_shop

SKUS = 16  # a quarter of them, and five at least, is a mass of zeroes


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[SmallShop]:
    with small_shop(tmp_path, skus=SKUS) as shop:
        yield shop


def bled(shop: SmallShop, runs: int) -> list[str]:
    """Let two numbers of the till fall to nothing before each run; return what the shop shows none of then."""
    for n in range(runs):
        for key in shop.keys[2 * n : 2 * n + 2]:
            shop.lies(key, 0)
        shop.run()
    return [key for key in shop.keys if shop.shows(key) == 0]


def held(shop: SmallShop) -> dict[str, set[str]]:
    return {row["listing_key"]: set(holding(row["guard"])) for row in shop.corrections("held").iter_rows(named=True)}


def test_a_shop_that_is_emptied_two_numbers_a_run_keeps_most_of_them_and_somebody_is_told(shop: SmallShop) -> None:
    assert bled(shop, 4) == ["k0", "k1", "k2", "k3"]
    assert set(held(shop)) == {"k4", "k5", "k6", "k7"}
    assert {guard for guards in held(shop).values() for guard in guards} <= {"zeroed_lately", "zeroed_share"}
    shop.run()
    with shop.ctx.warehouse.open() as db:
        told = db.query("SELECT cause, suggested_action FROM recon.findings WHERE code = 'push_held' AND system = 'shop'")
    assert "though nobody bought so many" in told["cause"][0]
    assert "invbi approve --system shop" in told["suggested_action"][0]


def test_what_shoppers_bought_out_goes_to_zero_all_the_same(shop: SmallShop) -> None:
    bled(shop, 3)
    sale = {"movement_id": "m1", "listing_key": "k9", "location_key": "1", "kind": "sale", "units": -10}
    shop.till.frames["movements"] = [{**sale, "occurred_at": shop.clock.now()}]
    shop.lies("k9", 0)
    shop.run()
    assert shop.shows("k9") == 0
    assert set(held(shop)) == {"k4", "k5"}


@pytest.mark.slow
def test_what_a_person_let_go_does_not_count_and_what_stays_held_is_not_let_go_by_waiting(shop: SmallShop) -> None:
    bled(shop, 4)
    shop.ctx.state.outbox.approve(shop.corrections("held")["correction_id"].to_list(), "ana", shop.clock.now())
    shop.run()
    assert [shop.shows(key) for key in shop.keys[:8]] == [0] * 8
    shop.lies("k8", 0)
    shop.run()
    assert set(held(shop)) == {"k8"}, "four that the guards let go are remembered"
    shop.clock.at += timedelta(hours=1)
    shop.run()
    assert shop.shows("k8") == 0


@pytest.mark.slow
def test_a_merchant_may_judge_each_plan_by_itself(tmp_path: Path) -> None:
    with small_shop(tmp_path, "[guards.channels.shop]\nzeroed_within_s = 0\n", skus=SKUS) as shop:
        assert bled(shop, 4) == shop.keys[:8]
