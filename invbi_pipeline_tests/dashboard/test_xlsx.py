"""The workbook: opens without complaint, and nothing from outside becomes a formula."""

import shutil
import subprocess
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from invbi_pipeline.dashboard.build import build
from invbi_pipeline.dashboard.xlsx import write_xlsx
from invbi_pipeline_tests.dashboard.example import FORMULA, NOW, UNSEEN, example_dashboard, example_inputs


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    path = tmp_path / "dashboard.xlsx"
    write_xlsx(example_dashboard(), path)
    return path


def test_it_has_its_tabs_with_frozen_headers_and_filters(workbook: Path) -> None:
    book = openpyxl.load_workbook(workbook)
    assert book.sheetnames == ["Overview", "Business", "Parity", "Exceptions", "Corrections", "Stock", "To count"]
    for title in book.sheetnames[2:]:
        assert book[title].freeze_panes == "B2"
        assert book[title].auto_filter.ref is not None


def test_text_that_looks_like_a_formula_stays_text(workbook: Path) -> None:
    cells = [cell for row in openpyxl.load_workbook(workbook)["Exceptions"].iter_rows() for cell in row]
    formulas = [cell for cell in cells if cell.data_type == "f"]
    assert formulas == []
    assert FORMULA in {cell.value for cell in cells}


def test_characters_that_a_workbook_refuses_are_replaced(tmp_path: Path) -> None:
    inputs = example_inputs()
    evil = inputs.findings.with_columns(cause=pl.lit(UNSEEN))
    path = tmp_path / "evil.xlsx"
    write_xlsx(build(inputs._replace(findings=evil), title="t", currency="GBP", now=NOW), path)
    assert openpyxl.load_workbook(path)["Exceptions"]["H2"].value == "M\ufffdug\ufffd\ufffd"


def test_severity_code_and_money_have_room_for_the_longest(workbook: Path) -> None:
    sheet = openpyxl.load_workbook(workbook)["Exceptions"]
    longest = {"A": "critical", "B": "ambiguous mapping", "G": "1,234,567.89"}
    assert all(sheet.column_dimensions[column].width >= len(text) for column, text in longest.items())
    assert sheet["B2"].value == "oversell risk"


def test_a_row_is_as_high_as_its_sentence_and_a_time_has_room(tmp_path: Path) -> None:
    inputs = example_inputs()
    long = inputs.findings.with_columns(cause=pl.lit("somebody set it again " * 12))
    write_xlsx(build(inputs._replace(findings=long), title="t", currency="GBP", now=NOW), tmp_path / "long.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "long.xlsx")["Exceptions"]
    due = next(cell.column_letter for cell in sheet[1] if cell.value == "Due")
    assert (sheet.row_dimensions[2].height or 0) >= 60
    assert sheet.column_dimensions[due].width >= len("2026-03-05 12:00")


def test_numbers_are_numbers_and_not_text(workbook: Path) -> None:
    parity = openpyxl.load_workbook(workbook)["Parity"]
    assert parity["C2"].data_type == "n"


@pytest.mark.slow
def test_an_office_program_opens_it_without_errors(workbook: Path) -> None:
    soffice = shutil.which("soffice")
    if soffice is None:
        pytest.skip("there is no LibreOffice here (the distribution's package `libreoffice-calc`)")
    profile = f"-env:UserInstallation={(workbook.parent / 'profile').as_uri()}"
    done = subprocess.run(
        [soffice, profile, "--headless", "--convert-to", "pdf", "--outdir", str(workbook.parent), str(workbook)],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0
    assert workbook.with_suffix(".pdf").stat().st_size > 0
