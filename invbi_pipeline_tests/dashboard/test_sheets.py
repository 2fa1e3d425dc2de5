"""The published sheet, by the real gspread against the emulated Sheets."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import gspread
import polars as pl
import pytest

from invbi_pipeline.dashboard.build import build
from invbi_pipeline.dashboard.model import Dashboard
from invbi_pipeline.dashboard.sheets import open_spreadsheet, publish_sheets
from invbi_pipeline.errors import ConfigError, Unreachable
from invbi_pipeline.sandbox.sheets import SheetsService
from invbi_pipeline_tests.browser import open_page
from invbi_pipeline_tests.dashboard.example import FORMULA, NOW, example_dashboard, example_inputs
from invbi_pipeline_tests.sandbox.serving import HandClock, serving


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


def test_a_publish_writes_the_four_tabs_and_leaves_the_others_alone(sheet: gspread.Spreadsheet) -> None:
    publish_sheets(example_dashboard(), sheet)
    assert [tab.title for tab in sheet.worksheets()] == ["Overview", "Parity", "Exceptions", "Corrections", "Sheet1"]
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
    assert sheet.worksheet("Exceptions").acell("N2").value == dashboard.todos[0].anchor


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
        for tab in ("Overview", "Parity", "Exceptions", "Corrections"):
            page.goto(f"{address}/view/sandbox-parity?sheet={tab}")
            found = Axe().run(page).response["violations"]
            assert [v["id"] for v in found if v["impact"] in {"serious", "critical"}] == [], tab


def test_a_google_that_does_not_answer_is_a_reason_without_the_token() -> None:
    with pytest.raises(Unreachable, match="did not answer") as trouble:
        open_spreadsheet("sheet", "a-secret-token", "http://127.0.0.1:9")
    assert "a-secret-token" not in str(trouble.value)
