"""The business on one screen: the same figures on the page, in the workbook and in the sheet's cells."""

from datetime import timedelta
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from invbi_pipeline.dashboard.build import build
from invbi_pipeline.dashboard.business import business
from invbi_pipeline.dashboard.html import render_html
from invbi_pipeline.dashboard.model import COVER, Business, DashboardInputs
from invbi_pipeline.dashboard.sheet_business import business_grid
from invbi_pipeline.dashboard.xlsx import write_xlsx
from invbi_pipeline_tests.dashboard.example import NOW, example_dashboard, example_inputs


@pytest.fixture
def shown() -> Business:
    return business(example_inputs(), "GBP")


def figure(shown: Business, label: str) -> tuple[str, str]:
    return next((f.value, f.note) for f in shown.figures if f.label == label)


def rows(shown: Business, title: str) -> list[dict[str, object]]:
    return next(table.rows.to_dicts() for table in shown.tables if table.title == title)


def test_a_week_is_the_seven_days_that_end_with_the_newest_and_what_has_no_price_is_said(shown: Business) -> None:
    units = 2 * sum(10 - n for n in range(7))
    value, note = figure(shown, "Sold in 7 days")
    assert value == f"GBP {(9.5 + 8.0) * units / 2:,.0f}"
    assert note == f"{units + 2} units in {2 * 7 * 4 + 1} orders; 2 units unpriced"


def test_a_whole_week_before_gives_a_trend() -> None:
    inputs = example_inputs()
    earlier = inputs.sales.with_columns(pl.col("day") - timedelta(days=10), pl.col("revenue") * 0.5)
    two_weeks = inputs._replace(sales=pl.concat([inputs.sales, earlier]))
    assert " more than the week before" in figure(business(two_weeks, "GBP"), "Sold in 7 days")[1]


def test_stock_without_a_cost_is_told_beside_the_money_and_never_as_0(shown: Business) -> None:
    assert figure(shown, "Stock at cost") == ("GBP 948", "242 units on hand, 30 of them without a cost")
    idle = rows(shown, "Money that hardly moves")
    assert [(row["sku"], row["tied_up"]) for row in idle] == [("TEE-M", 900.0), ("TEE-L", None)]
    assert "unpriced" in render_html(example_dashboard())


def test_a_best_seller_that_runs_out_within_a_week_is_said(shown: Business) -> None:
    assert figure(shown, "Stock lasts") == ("81 days", "1 of the best sellers run out within 7 days")
    assert [row["sku"] for row in rows(shown, "Runs out first")] == ["MUG-RED", "TEE-M"]


def test_records_are_right_by_the_counts_of_all_days(shown: Business) -> None:
    assert figure(shown, "Records right") == ("90.0%", "18 of 20 physical counts found the record right")


def test_a_channel_over_its_limit_says_so_and_one_without_a_limit_shows_none(shown: Business) -> None:
    told = {row["system"]: (row["limit_rate"], row["verdict"]) for row in rows(shown, "Channels")}
    assert told["amazon_uk"] == (0.025, "over the limit")
    assert told["shopify_uk"] == (None, "no published limit")


def test_the_three_renderers_show_the_same_figures(tmp_path: Path) -> None:
    dashboard = example_dashboard()
    path = tmp_path / "dashboard.xlsx"
    write_xlsx(dashboard, path)
    book = {str(cell.value) for row in openpyxl.load_workbook(path)["Business"].iter_rows() for cell in row}
    sheet = {str(value) for row in business_grid(dashboard).grid for value in row}
    page = render_html(dashboard)
    for one in dashboard.business.figures:
        assert one.value in book & sheet
        assert one.value in page
        assert one.note in book & sheet


def test_before_anything_is_known_there_is_a_page_all_the_same() -> None:
    inputs = DashboardInputs(*example_inputs()[:5])
    page = render_html(build(inputs, title="t", currency="GBP", now=NOW))
    assert "No sale is known yet." in page


def test_the_stock_tab_has_every_sku() -> None:
    dashboard = example_dashboard()
    assert set(dashboard.stock.rows["sku"]) == set(example_inputs().cover["sku"])
    assert set(COVER) >= {c.key for c in dashboard.stock.columns} - {"units"}


def test_who_looks_after_a_finding_is_shown_with_when_it_is_due_and_the_note(tmp_path: Path) -> None:
    dashboard = example_dashboard()
    path = tmp_path / "dashboard.xlsx"
    write_xlsx(dashboard, path)
    head, *cells = openpyxl.load_workbook(path)["Exceptions"].iter_rows(values_only=True)
    row = next(dict(zip(head, row, strict=True)) for row in cells if row[1] == "unmapped listing")
    assert (row["Owner"], row["Due"], row["Note"]) == ("sam", NOW.replace(tzinfo=None), "asked the buyer")
    assert "asked the buyer" in render_html(dashboard)
