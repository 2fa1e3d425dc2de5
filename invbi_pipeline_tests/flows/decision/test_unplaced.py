"""Stock at a place that nobody mapped: it counts nowhere, and everybody who could mend it is told."""

from collections.abc import Iterator

import polars as pl
import pytest

from invbi_pipeline.cli.setup import unplaced_rows
from invbi_pipeline.domain.words import FindingState
from invbi_pipeline_tests.cli.typed import invbi
from invbi_pipeline_tests.flows.small_shop import SmallShop, small_shop


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallShop]:
    with small_shop(tmp_path_factory.mktemp("unplaced"), skus=1) as shop:
        yield shop


def told(shop: SmallShop) -> list[str]:
    found = shop.ctx.warehouse.read("recon.findings")
    return found.filter((pl.col("code") == "bad_rows") & (pl.col("state") != FindingState.RESOLVED))["cause"].to_list()


def test_stock_at_a_place_that_nobody_mapped_is_a_finding_and_a_row_of_the_check(shop: SmallShop) -> None:
    shop.till.frames["stock"].append({"listing_key": "k0", "location_key": "MARS", "quantity": 4})
    shop.run()
    [cause] = told(shop)
    assert "stock at MARS, which is no location of ours: name it in systems.till.locations" in cause
    assert [row[:3] for row in unplaced_rows(shop.ctx)] == [("till", "location MARS is one of ours", "no")]


def test_explain_of_stock_at_a_place_that_nobody_mapped_says_that_it_counts_nowhere(shop: SmallShop) -> None:
    shop.till.frames["listings"].append({"listing_key": "mmm", "raw_sku": "MMM", "title": "Mouse"})
    shop.till.frames["stock"].append({"listing_key": "mmm", "location_key": "MARS", "quantity": 4})
    shop.run()
    said = " ".join(invbi("explain", "MMM", "--config", shop.path).out.split())
    assert "Counted nowhere: 4 of till's listing mmm at MARS, which is no location of ours." in said
    assert "To mend it: name it in systems.till.locations." in said
    assert "Nothing is wrong" not in said


def test_a_place_that_nobody_mapped_and_that_is_empty_is_no_trouble(shop: SmallShop) -> None:
    shop.till.frames["stock"].append({"listing_key": "k0", "location_key": "MARS", "quantity": 0})
    shop.run()
    assert (told(shop), unplaced_rows(shop.ctx)) == ([], [])
