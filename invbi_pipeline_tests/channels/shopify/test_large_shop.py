"""A shop of 50,000 items at two locations: the bulk route is chosen by rule, and what it takes is printed."""

import time

import pytest

from invbi_pipeline.domain.words import Dataset
from invbi_pipeline_tests.channels.shopify.conftest import Shop
from invbi_pipeline_tests.channels.shopify.reading import read

ITEMS = 50_000


@pytest.mark.slow
def test_a_shop_of_50000_items_is_read_by_bulk_operations_in_a_handful_of_requests(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(ITEMS):
        shop.item(f"SKU-{n:05d}", style=f"Style {n // 8}")
    for dataset, expected in ((Dataset.LISTINGS, ITEMS), (Dataset.STOCK, 2 * ITEMS)):
        slept, begun = shop.clock.slept, time.perf_counter()
        reading = read(shop, dataset)
        seconds, waited = time.perf_counter() - begun, shop.clock.slept - slept
        with capsys.disabled():
            print(f"\n{dataset}: {reading.requests} requests, {seconds:.1f} s of work, {waited:.0f} s waited on the shop's clock")
        assert reading.frames[str(dataset)].height == expected
        assert reading.requests < 60
