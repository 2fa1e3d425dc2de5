"""The tables: who stands in which row, and what is said of a correction that waits."""

import polars as pl

from invbi_pipeline.dashboard.model import CORRECTIONS_TAB, MATRIX, Tab
from invbi_pipeline.dashboard.tabs import corrections_tab, parity_tab
from invbi_pipeline_tests.dashboard.example import NOW


def parity(*points: tuple[str | None, str, str, str, int | None, int | None, int | None, str]) -> Tab:
    """Build the tab from (sku, system, location, listing_key, reported, offer, gap, state)."""
    rows = [(sku, "A title", *rest) for sku, *rest in points]
    return parity_tab(pl.DataFrame(rows, schema=dict(MATRIX), orient="row"))


def test_each_listing_without_a_sku_has_a_row_of_its_own() -> None:
    tab = parity((None, "shop", "", "11", 5, None, None, "unmapped"), (None, "shop", "", "12", 7, None, None, "unmapped"))
    assert tab.rows.select("sku", "shop shown").rows() == [("no SKU: 11", 5), ("no SKU: 12", 7)]


def test_single_and_pack_are_never_added_up() -> None:
    tab = parity(("MUG", "shop", "", "pack", 2, 2, 0, "agreed"), ("MUG", "shop", "", "single", 13, 12, 1, "drifted"))
    assert tab.rows.select("sku", "shop shown", "shop should", "apart").rows() == [("MUG", 13, 12, 1), ("MUG", 2, 2, 0)]


def test_a_place_that_only_counts_is_one_column_after_the_channels() -> None:
    tab = parity(("MUG", "erp", "warehouse", "MUG", 20, None, None, "counted"), ("MUG", "shop", "", "11", 5, 5, 0, "agreed"))
    assert [c.heading for c in tab.columns[3:]] == ["shop: shown", "shop: should be", "shop: state", "erp warehouse: counted"]


def test_what_is_furthest_apart_comes_first_and_then_what_is_unmapped() -> None:
    agreed, unmapped = ("A", "shop", "", "1", 5, 5, 0, "agreed"), (None, "shop", "", "2", 5, None, None, "unmapped")
    tab = parity(agreed, unmapped, ("Z", "shop", "", "3", 5, 1, 4, "drifted"))
    assert tab.rows["sku"].to_list() == ["Z", "no SKU: 2", "A"]


def test_a_correction_says_which_guards_hold_it_and_not_which_let_it_pass() -> None:
    guard = '{"mode":"pass","feed":"the feed is \\"cut\\"","two_looks":"waits for till_2"}'
    row = (NOW, "shop", "", "MUG", "11", "set", 5, 3, "held", "why", guard, None)
    passed = (NOW, "shop", "", "CUP", "12", "set", 5, 3, "verified", "why", '{"mode":"pass"}', NOW)
    tab = corrections_tab(pl.DataFrame([row, passed], schema=dict(CORRECTIONS_TAB), orient="row"))
    assert tab.rows["guard"].to_list() == ['feed: the feed is "cut"; two looks: waits for till_2', ""]
