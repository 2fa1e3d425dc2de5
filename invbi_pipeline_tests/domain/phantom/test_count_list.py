"""Empty shelves told from slow ones."""

import polars as pl
import pytest

from invbi_pipeline_tests.domain.phantom.shop import NOW, chance, days_ago, listed, movement


def test_a_shelf_that_fell_silent_is_more_likely_empty_than_one_that_sells() -> None:
    rows = listed(silent={"S00": 24.0})

    assert chance(rows, "S00") > 0.5
    assert chance(rows, "S01") < 0.01


def test_the_longer_the_silence_the_likelier_it_is_empty() -> None:
    chances = [chance(listed(silent={"S00": days}), "S00") for days in (4.0, 10.0, 20.0, 30.0)]

    assert chances == sorted(chances)
    assert chances[0] < 0.05


def test_a_slow_seller_is_not_accused_for_the_same_silence() -> None:
    rows = listed(silent={"S00": 24.0, "S01": 24.0}, every={"S01": 14.0})

    assert chance(rows, "S01") < chance(rows, "S00") / 2


def test_where_nothing_sells_at_all_silence_accuses_no_shelf() -> None:
    closed = {f"S{n:02d}": 24.0 for n in range(20)}

    assert chance(listed(silent=closed), "S00") < 0.1


@pytest.mark.parametrize("counted", [3, 6])
def test_a_count_that_finds_goods_ends_the_doubt(counted: int) -> None:
    rows = listed(silent={"S00": 24.0}, happened=[movement("S00", 0.1, "count", None, counted)])

    assert chance(rows, "S00") < 0.02


def test_a_sale_ends_the_doubt() -> None:
    rows = listed(silent={"S00": 24.0}, happened=[movement("S00", 0.1)])

    assert chance(rows, "S00") < 0.01


def test_the_silence_of_a_shelf_that_sells_by_order_alone_accuses_it_no_more_than_a_place_loses() -> None:
    rows = listed(silent={"S00": 24.0, "S01": 24.0}, ordered=frozenset({"S00"}))

    assert chance(rows, "S00") < chance(rows, "S01") / 5


def test_a_shelf_that_sells_by_order_alone_is_doubted_when_its_lines_are_cancelled() -> None:
    every = frozenset(f"S{n:02d}" for n in range(20))
    lines = [{"system": "till", "order_id": f"o{days}", "line_id": "1", "listing_key": "S00", "location": "soho",
              "state": "cancelled", "quantity": 0, "open_quantity": 0, "ordered_at": days_ago(days + 0.3),
              "updated_at": days_ago(days)} for days in (3.0, 2.0)]  # fmt: skip

    silent, failing = (listed(silent={"S00": 10.0}, ordered=every, lines=said) for said in ([], lines))

    assert chance(failing, "S00") > 5 * chance(silent, "S00")


def test_a_shop_of_slow_sellers_that_loses_nothing_accuses_no_shelf() -> None:
    slow = {f"S{n:02d}": 11.0 + n / 4 for n in range(20)}

    assert listed(every=slow).filter(pl.col("probability") > 0.25).is_empty()


def test_an_arrival_ends_the_doubt() -> None:
    rows = listed(silent={"S00": 24.0}, happened=[movement("S00", 0.1, "receipt", 4)])

    assert chance(rows, "S00") < 0.02


def test_places_where_counts_found_shelves_empty_are_doubted_more() -> None:
    empty = [movement(f"S{n:02d}", 20.5, "count", None, 0) for n in range(10, 14)]
    filled = [movement(f"S{n:02d}", 20.4, "receipt", 9) for n in range(10, 14)]

    assert chance(listed(silent={"S00": 10.0}, happened=empty + filled), "S00") > chance(listed(silent={"S00": 10.0}), "S00")


def test_a_place_is_not_thought_safe_because_its_losses_were_counted_and_nobody_filled_the_shelves_again() -> None:
    gone = {f"S{n:02d}": 0 for n in range(10, 14)}
    counts = [movement(sku, days, "count", None, left) for sku in gone for days, left in ((20.5, 8), (1.5, 0))]
    silent = {"S00": 10.0, **dict.fromkeys(gone, 1.6)}

    rows = listed(silent=silent, happened=counts, records=gone)

    assert chance(rows, "S00") > chance(listed(silent={"S00": 10.0}), "S00")
    assert not set(rows["sku"]) & set(gone)


def test_an_order_line_cancelled_late_adds_to_the_doubt() -> None:
    line = {"system": "till", "order_id": "o1", "line_id": "1", "listing_key": "S00", "location": "soho", "state": "cancelled",
            "quantity": 0, "open_quantity": 0, "ordered_at": days_ago(3.3), "updated_at": days_ago(3.0)}  # fmt: skip

    assert chance(listed(silent={"S00": 10.0}, lines=[line]), "S00") > 1.5 * chance(listed(silent={"S00": 10.0}), "S00")


def test_a_change_of_mind_says_nothing() -> None:
    line = {"system": "till", "order_id": "o1", "line_id": "1", "listing_key": "S00", "location": "soho", "state": "cancelled",
            "quantity": 0, "open_quantity": 0, "ordered_at": days_ago(3.01), "updated_at": days_ago(3.0)}  # fmt: skip

    assert listed(silent={"S00": 10.0}, lines=[line]).filter(pl.col("sku") == "S00")["failed_picks"].item() == 0


def test_the_list_is_ranked_by_what_a_count_saves_and_the_unpriced_come_last() -> None:
    rows = listed(silent={"S00": 24.0, "S19": 24.0})

    assert rows["sku"][0] == "S00"
    assert rows["sku"][-1] == "S19"
    assert rows["money"].drop_nulls().is_sorted(descending=True)


def test_what_is_at_stake_is_the_goods_at_cost_and_four_weeks_of_margin() -> None:
    row = listed(silent={"S00": 24.0}).filter(pl.col("sku") == "S00").row(0, named=True)

    assert row["at_stake"] == pytest.approx(6 * 8.0 + row["rate"] * 12.0 * 28, abs=0.01)
    assert row["money"] == pytest.approx(row["at_stake"] * row["probability"], abs=0.01)


def test_the_evidence_names_the_last_sign() -> None:
    row = listed(silent={"S00": 24.0}).filter(pl.col("sku") == "S00").row(0, named=True)

    assert (row["last_sign"], row["last_sign_at"]) == ("sale", days_ago(26.0))
    assert row["silent_days"] == pytest.approx((NOW - days_ago(26.0)).days)
