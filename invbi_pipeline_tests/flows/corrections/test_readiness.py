"""Readiness on real stores: which systems are judged, and by what may be sent to them."""

from pathlib import Path

import polars as pl

from invbi_pipeline.flows.corrections.readiness import _systems, ready
from invbi_pipeline_tests.flows.small_shop import SmallShop, small_shop


def of_the_till(shop: SmallShop) -> pl.DataFrame:
    return ready(shop.ctx).filter(system="till")


def test_a_till_that_takes_posts_is_judged_by_them_once_it_was_read(tmp_path: Path) -> None:
    with small_shop(tmp_path) as shop:
        shop.reload('roles = ["counts"]', 'roles = ["counts", "sells"]\nabsorbs = "writeback"')
        told = of_the_till(shop)
    assert set(told["next"]) == {"approve"}
    assert told.filter("blocks").is_empty()
    assert dict(told.select("measure", "value").iter_rows())["counted numbers"] == 4


def test_a_till_that_takes_none_is_told_of_as_well(tmp_path: Path) -> None:
    with small_shop(tmp_path) as shop:
        told = of_the_till(shop)
    assert "nothing to push" in told["measure"]
    assert told.filter("blocks").is_empty()


def test_the_single_number_of_a_system_is_its_own_where_it_counts_the_place_that_it_keeps_it_for(tmp_path: Path) -> None:
    with small_shop(tmp_path, skus=1) as shop:
        shop.reload('locations = { "1" = "soho" }', 'default_location = "soho"')
        own = dict(_systems(shop.ctx.config).select("system", "own_places").iter_rows())
    assert own == {"till": ["soho", ""], "shop": []}
