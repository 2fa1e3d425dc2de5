"""Money: prices of listings, of price lists and in other currencies; what has none is unpriced."""

from typing import Any

import polars as pl

from invbi_pipeline.domain.offers.money import unit_values, value
from invbi_pipeline_tests.domain.small_world import frame

HELD = pl.LazyFrame({"system": ["web"], "listing_key": ["1"], "sku": ["A"], "units": [6]})
RATES = pl.LazyFrame({"currency": ["EUR"], "rate": [0.85]})


def worth(listing: dict[str, Any], *prices: dict[str, Any]) -> tuple[float | None, float | None]:
    listings = frame("listings", {"system": "web", "listing_key": "1", **listing})
    values = unit_values(listings, HELD, frame("prices", *prices), RATES, "GBP")
    row = values.collect().row(0, named=True)
    return row["price"], row["cost"]


def test_a_listing_is_worth_its_own_price() -> None:
    assert worth({"price": 20.0, "currency": "GBP"}, {"sku": "A", "price": 4.0, "cost": 1.5}) == (20.0, 9.0)


def test_without_one_it_is_worth_the_price_list_times_its_units() -> None:
    assert worth({}, {"sku": "A", "price": 4.0}) == (24.0, None)


def test_another_currency_is_converted_and_one_without_a_rate_is_unpriced() -> None:
    assert worth({"price": 10.0, "currency": "EUR"}) == (8.5, None)
    assert worth({"price": 10.0, "currency": "USD"}) == (None, None)


def test_units_become_money_whichever_way_they_differ_and_the_unpriced_stay_null() -> None:
    values = pl.LazyFrame({"system": ["web"], "listing_key": ["1"], "sku": ["A"], "price": [2.5], "cost": [1.0]})
    points = pl.LazyFrame({"system": ["web"] * 2, "listing_key": ["1", "2"], "gap": [-3, 3]})
    assert value(points, values, "gap").collect()["money"].to_list() == [7.5, None]


def test_a_price_of_0_is_what_platforms_write_where_nobody_set_one() -> None:
    assert worth({"price": 0.0, "currency": "GBP"}, {"sku": "A", "price": 4.0}) == (24.0, None)
    assert worth({"price": 0.0, "currency": "GBP"}, {"sku": "A", "price": 0.0}) == (None, None)
