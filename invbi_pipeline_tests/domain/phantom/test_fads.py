"""How taste moves."""

from datetime import timedelta

import polars as pl

from invbi_pipeline.domain.phantom.fads import elsewhere, steadiness
from invbi_pipeline_tests.domain.phantom.shop import NOW, days_ago


def _sales(weeks: dict[str, list[int]]) -> pl.LazyFrame:
    """So many sales of each sku in each week, the latest first, after a first sale that begins the history."""
    rows = [
        {"location": "soho", "sku": sku, "kind": "sale", "at": NOW - timedelta(days=7 * week + 0.5 + n / 30)}
        for sku, sold in weeks.items()
        for week, each in enumerate(sold)
        for n in range(each)
    ]
    begins = days_ago(7 * len(next(iter(weeks.values()))) + 1)
    return pl.LazyFrame([*rows, {**rows[0], "at": begins}])


def _steady(weeks: dict[str, list[int]]) -> float:
    return float(steadiness(_sales(weeks), NOW).collect().item())


def test_fads_make_weeks_differ_more_than_chance_does() -> None:
    even = {sku: [10, 9, 11, 10, 12, 8, 10, 10] for sku in "ABCDEFGH"}
    moved = {sku: [4, 4, 4, 4, 4, 4, 4, 4] for sku in "ABCDEFGH"}
    for n, sku in enumerate(moved):
        moved[sku][n] = 40

    assert _steady(moved) < 3
    assert _steady(even) > 10


def test_a_week_that_is_dull_for_every_sku_is_no_fad() -> None:
    dull = {sku: [10, 10, 2, 2, 10, 10, 3, 10] for sku in "ABCDEFGH"}

    assert _steady(dull) > 10


def test_a_week_without_a_sale_counts_as_one_that_differs() -> None:
    gone = {sku: [12, 12, 12, 12, 12, 12, 12, 12] for sku in "ABCDEFGH"}
    for n, sku in enumerate(gone):
        gone[sku][n] = gone[sku][(n + 3) % 8] = 0

    assert _steady(gone) < 10


def test_what_was_sold_anywhere_after_the_last_sign_is_elsewhere() -> None:
    shelves = pl.LazyFrame({"location": ["soho", "leeds"], "sku": ["A", "B"], "signed": [days_ago(10.0), days_ago(10.0)]})
    rows = elsewhere(_sales({"A": [3, 2, 4]}), shelves).collect().sort("sku")

    assert rows.select("elsewhere", "all").rows() == [(5, 10), (0, 0)]
