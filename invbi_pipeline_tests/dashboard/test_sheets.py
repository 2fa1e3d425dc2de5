"""The published sheet, by the real gspread against the emulated Sheets."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import gspread
import polars as pl
import pytest

from invbi_pipeline.dashboard.build import build
from invbi_pipeline.dashboard.model import Dashboard
from invbi_pipeline.dashboard.sheets import open_spreadsheet, publish_cells, publish_sheets
from invbi_pipeline.errors import ConfigError, Unreachable
from invbi_pipeline.sandbox.sheets import SheetsService
from invbi_pipeline_tests.browser import open_page
from invbi_pipeline_tests.dashboard.example import FORMULA, NOW, example_dashboard, example_inputs
from invbi_pipeline_tests.sandbox.serving import HandClock, serving

TABS = ["Overview", "Business", "Parity", "Exceptions", "Corrections", "Stock", "To count"]


@pytest.fixture
def service() -> SheetsService:
    return SheetsService(HandClock(), "secret")


@pytest.fixture
def address(service: SheetsService) -> Iterator[str]:
    with serving(service.app) as address:
        yield address


@pytest.fixture
def sheet(address: str) -> gspread.Spreadsheet:
    return open_spreadsheet("sandbox-parity", "secret", address)


def after_many_runs(runs: int) -> Dashboard:
    times = [NOW - timedelta(minutes=5 * n) for n in range(runs)]
    rows = [(f"r{n}", when, 10, 9) for n, when in enumerate(times)]
    inputs = example_inputs()
    history = pl.DataFrame(rows, schema=inputs.history.schema, orient="row")
    return build(inputs._replace(history=history), title="t", currency="GBP", now=NOW)


def test_a_publish_writes_its_tabs_and_leaves_the_others_alone(sheet: gspread.Spreadsheet) -> None:
    publish_sheets(example_dashboard(), sheet)
    assert [tab.title for tab in sheet.worksheets()] == [*TABS, "Sheet1"]
    assert sheet.worksheet("Parity").row_values(1)[:3] == ["SKU", "Title", "Units apart"]


def test_text_from_outside_never_becomes_a_formula(sheet: gspread.Spreadsheet) -> None:
    publish_sheets(example_dashboard(), sheet)
    shown = sheet.worksheet("Exceptions").get(value_render_option=gspread.utils.ValueRenderOption.formula)
    assert any(FORMULA in row for row in shown)
    assert FORMULA in {cell for row in sheet.worksheet("Exceptions").get_all_values() for cell in row}


@pytest.mark.parametrize("runs", [52, 53, 54, 60, 300])
def test_a_history_that_grew_past_the_tab_is_dressed_too(sheet: gspread.Spreadsheet, runs: int) -> None:
    publish_sheets(example_dashboard(), sheet)
    publish_sheets(after_many_runs(runs), sheet)
    newest = sheet.worksheet("Overview").get_all_values()[-1]
    assert newest[:2] == ["2026-03-02 12:00", "90.0%"]


def test_what_is_to_be_done_leads_to_its_finding(service: SheetsService, sheet: gspread.Spreadsheet) -> None:
    dashboard = example_dashboard()
    publish_sheets(dashboard, sheet)
    overview = next(tab for tab in service.books["sandbox-parity"].sheets if tab.title == "Overview")
    texts = [(cell.style or {}).get("textFormat", {}) for cell in overview.cells.values()]
    links = [text["link"]["uri"] for text in texts if "link" in text]
    gid = sheet.worksheet("Exceptions").id
    assert links == [f"#gid={gid}&range=A{row}" for row in (2, 3, 4)]
    assert sheet.worksheet("Exceptions").acell("P2").value == dashboard.todos[0].anchor


def test_a_publish_undresses_what_has_moved(service: SheetsService, sheet: gspread.Spreadsheet) -> None:
    publish_sheets(example_dashboard(), sheet)
    publish_sheets(replace(example_dashboard(), todos=[]), sheet)
    overview = next(tab for tab in service.books["sandbox-parity"].sheets if tab.title == "Overview")
    linked = [place for place, cell in overview.cells.items() if "link" in str(cell.style)]
    assert linked == []


def test_colour_rules_are_replaced_and_not_heaped_up(sheet: gspread.Spreadsheet) -> None:
    counts = []
    for _ in range(2):
        publish_sheets(example_dashboard(), sheet)
        tabs = sheet.fetch_sheet_metadata()["sheets"]
        counts.append(len(next(t for t in tabs if t["properties"]["title"] == "Parity")["conditionalFormats"]))
    assert counts[0] == counts[1] > 0


def test_a_spreadsheet_that_is_not_shared_says_what_to_mend(address: str) -> None:
    with pytest.raises(ConfigError, match="cannot be opened"):
        open_spreadsheet("nothing-there", "secret", address)


@pytest.mark.slow
def test_everybody_can_read_the_published_sheet(sheet: gspread.Spreadsheet, address: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    publish_sheets(example_dashboard(), sheet)
    with open_page(f"{address}/view/sandbox-parity?sheet=Overview") as page:
        for tab in TABS:
            page.goto(f"{address}/view/sandbox-parity?sheet={tab}")
            found = Axe().run(page).response["violations"]
            assert [v["id"] for v in found if v["impact"] in {"serious", "critical"}] == [], tab


def test_a_google_that_does_not_answer_is_a_reason_without_the_token() -> None:
    with pytest.raises(Unreachable, match="did not answer") as trouble:
        open_spreadsheet("sheet", "a-secret-token", "http://127.0.0.1:9")
    assert "a-secret-token" not in str(trouble.value)


def test_only_cells_that_differ_are_written_and_the_sheet_is_what_a_whole_publish_makes(
    service: SheetsService, sheet: gspread.Spreadsheet
) -> None:
    before, after = example_dashboard(), _with_a_number_more(example_dashboard())
    shown = publish_cells(before, sheet, {})
    asked = _requests(sheet)
    again = publish_cells(after, sheet, shown)
    ((verb, body),) = asked
    assert verb.endswith("values:batchUpdate")
    assert [len(each["values"]) for each in body["data"]] == [1]
    cell_by_cell = {tab.title: tab.get_all_values() for tab in sheet.worksheets()}
    publish_sheets(after, sheet)
    assert {tab.title: tab.get_all_values() for tab in sheet.worksheets()} == cell_by_cell
    asked.clear()
    assert publish_cells(after, sheet, again) == again
    assert asked == []


def test_a_tab_that_grew_is_written_and_dressed_anew(sheet: gspread.Spreadsheet) -> None:
    shown = publish_cells(after_many_runs(3), sheet, {})
    grown = publish_cells(after_many_runs(9), sheet, shown)
    assert len(grown["Overview"]) == len(shown["Overview"]) + 6
    cell_by_cell = sheet.worksheet("Overview").get_all_values()
    publish_sheets(after_many_runs(9), sheet)
    assert sheet.worksheet("Overview").get_all_values() == cell_by_cell


def _with_a_number_more(dashboard: Dashboard) -> Dashboard:
    """Return the dashboard with other whole numbers, several of them, in the first row of the stock tab."""
    tab = dashboard.stock
    whole = [column.key for column in tab.columns if tab.rows[column.key].dtype == pl.Int64]
    assert len(whole) > 1
    first = pl.int_range(pl.len()) == 0
    rows = tab.rows.with_columns(pl.when(first).then(pl.col(key).fill_null(0) + 7).otherwise(key).alias(key) for key in whole)
    return replace(dashboard, stock=replace(tab, rows=rows))


def _requests(sheet: gspread.Spreadsheet) -> list[tuple[str, dict[str, Any]]]:
    """Return a list to which every later writing request of this spreadsheet is added: its verb and body."""
    asked: list[tuple[str, dict[str, Any]]] = []

    def note(answer: Any, **_: Any) -> None:
        if answer.request.method != "GET":
            asked.append((answer.request.url.partition("?")[0], json.loads(answer.request.body)))

    sheet.client.session.hooks["response"].append(note)
    return asked
