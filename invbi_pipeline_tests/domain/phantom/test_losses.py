"""What a place loses."""

import polars as pl
import pytest

from invbi_pipeline.domain.phantom.features import habits
from invbi_pipeline.domain.phantom.losses import greed, noticed
from invbi_pipeline_tests.domain.phantom.shop import days_ago


def _shelves(lost: list[int]) -> pl.LazyFrame:
    """Shelves from cheap to dear, each lost so many times."""
    worth = pl.Series([n / len(lost) * 4 - 2 for n in range(len(lost))])
    return pl.LazyFrame({"place": 0, "found_none": lost, "worth": worth}).with_columns(
        found_part=0, probability=0.0, exposed=50.0, silent=1.0, gone_for=0.0
    )


def test_what_is_taken_for_its_price_is_known_by_what_was_lost() -> None:
    dear, cheap, any_price = ([0] * 15 + [1] * 5, [1] * 5 + [0] * 15, [1, 0, 0, 0] * 5)

    assert greed(_shelves(dear)).collect().item() > 0.5
    assert greed(_shelves(cheap)).collect().item() < -0.3
    assert abs(greed(_shelves(any_price)).collect().item()) < 0.2


def test_before_anything_was_lost_price_is_no_matter() -> None:
    assert greed(_shelves([0] * 20)).collect().item() == pytest.approx(0.0, abs=0.15)


def _noticed(found: int, packing: int) -> float:
    """Of a place with forty shelves, of which some are thought empty, and counts found others."""
    rows = pl.LazyFrame({"place": [0] * 40, "found_none": [1] * found + [0] * (40 - found)}).with_columns(
        found_packing=pl.when(pl.int_range(40) < packing).then(1).otherwise(0), counts=pl.col("found_none"), none_rightly=0,
        none_unsaid=0, exposed=40.0, silent=5.0, lost=pl.col("found_none") * 20.0, shape=5.0, days=10.0, steady=20.0,
        noticed=0.01, probability=0.1, gone_for=5.0,
    )  # fmt: skip
    return float(noticed(rows).collect()["noticed"].item())


def test_empty_shelves_are_noticed_sooner_where_counts_find_more_of_them() -> None:
    assert _noticed(12, 0) > 1.5 * _noticed(1, 0)


def test_a_picker_who_finds_none_is_nobody_who_walks_past() -> None:
    assert _noticed(12, 12) < _noticed(12, 0) / 2


def test_pickers_who_left_an_empty_shelf_uncounted_are_expected_to_do_so_again() -> None:
    lines = {"location": "soho", "sku": "A", "at": [days_ago(n) for n in range(1, 9)], "cancelled": True, "failed": True}
    counts = {"location": "soho", "sku": "A", "at": [days_ago(n) for n in range(1, 5)], "kind": "count"}

    often, never = (
        habits(pl.LazyFrame(counts), pl.LazyFrame(lines), pl.LazyFrame({"location": ["soho"], "failed_before": [left]})).collect()
        for left in (4, 0)
    )

    assert often["if_empty"].item() == pytest.approx(0.5)
    assert never["if_empty"].item() == pytest.approx(1 / 6)
