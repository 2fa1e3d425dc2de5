"""The page that shows a published sheet."""

import gspread
import httpx
from gspread.utils import ValueInputOption

from invbi_pipeline.sandbox.sheets import SheetsService
from invbi_pipeline.sandbox.sheets.a1 import Area, column_letters, quoted, split_range
from invbi_pipeline.sandbox.sheets.values import shown


def _page(address: str, sheet: str = "Sheet1") -> str:
    return httpx.get(f"{address}/view/sandbox-parity", params={"sheet": sheet}).raise_for_status().text


def test_the_page_shows_cells_as_the_sheet_would(address: str, sheet: gspread.Worksheet) -> None:
    sheet.update([["SKU", "Parity"], ["A-1", 0.987]], "A1")
    sheet.freeze(rows=1)
    sheet.format("B2", {"numberFormat": {"type": "PERCENT", "pattern": "0.0%"}, "backgroundColor": {"green": 1}})
    page = _page(address)
    assert '<td style="background:#00ff00;text-align:right">98.7%</td>' in page
    assert page.index('<tr class="frozen">') < page.index("</thead>")
    assert 'aria-current="page">Sheet1' in page


def test_a_colour_rule_colours_the_cells_it_holds_for(address: str, sheet: gspread.Worksheet) -> None:
    sheet.update([["▲ oversell"], ["agreed"]], "A1")
    area = {"sheetId": sheet.id, "startRowIndex": 0, "endRowIndex": 5, "startColumnIndex": 0, "endColumnIndex": 1}
    condition = {"type": "TEXT_STARTS_WITH", "values": [{"userEnteredValue": "▲"}]}
    rule = {"ranges": [area], "booleanRule": {"condition": condition, "format": {"backgroundColor": {"red": 1}}}}
    sheet.spreadsheet.batch_update({"requests": [{"addConditionalFormatRule": {"rule": rule, "index": 0}}]})
    page = _page(address)
    assert '<td style="background:#ff0000">▲ oversell</td>' in page
    assert "<td>agreed</td>" in page


def test_a_link_to_a_cell_leads_to_its_row_and_a_link_elsewhere_stays_text(address: str, sheet: gspread.Worksheet) -> None:
    sheet.update([["inside"], ["outside"]], "A1")
    sheet.format("A1", {"textFormat": {"link": {"uri": f"#gid={sheet.id}&range=A2"}}})
    sheet.format("A2", {"textFormat": {"link": {"uri": "https://elsewhere.example/"}}})
    page = _page(address)
    assert '<a href="?sheet=Sheet1#A2">inside</a>' in page
    assert '<tr id="A2">' in page
    assert "elsewhere.example" not in page


def test_nothing_from_a_cell_or_a_title_becomes_markup(address: str, sheet: gspread.Worksheet) -> None:
    sheet.update([["<script>alert(1)</script>"]], "A1", value_input_option=ValueInputOption.raw)
    sheet.spreadsheet.add_worksheet('"><b>', rows=5, cols=5)
    answer = httpx.get(f"{address}/view/sandbox-parity")
    assert "<script>" not in answer.text
    assert "<b>" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_ticked_boxes_are_shown_as_boxes(address: str, sheet: gspread.Worksheet) -> None:
    sheet.update([[True], [False]], "A1")
    sheet.add_validation("A1:A2", gspread.utils.ValidationConditionType.boolean, [])
    page = _page(address)
    assert page.count('type="checkbox"') == 2
    assert page.count(" checked>") == 1


def test_an_unknown_spreadsheet_has_no_page(address: str) -> None:
    assert httpx.get(f"{address}/view/nothing").status_code == 404


def test_the_page_needs_no_token_and_spends_no_planted_fault(service: SheetsService, address: str) -> None:
    service.wire.refuse = True
    service.wire.fail_next.append("500")
    assert httpx.get(f"{address}/view/sandbox-parity").status_code == 200
    assert service.wire.fail_next == ["500"]


def test_numbers_are_shown_by_their_patterns() -> None:
    def formatted(value: float, pattern: str, kind: str = "NUMBER") -> str:
        return shown(value, {"numberFormat": {"type": kind, "pattern": pattern}})

    assert formatted(1234567, "#,##0") == "1,234,567"
    assert formatted(-1234.5, "£#,##0.00") == "£-1,234.50"
    assert formatted(3, "+0;-0;0") == "+3"
    assert formatted(46266.5, "yyyy-mm-dd hh:mm", "DATE_TIME") == "2026-09-01 12:00"
    assert shown(0.1 + 0.2, None) == "0.3"


def test_ranges_are_read_and_written_in_a1_notation() -> None:
    assert Area.of_a1("B2:D") == Area(1, 1, None, 4)
    assert Area.of_a1("3:4") == Area(2, 0, 4, None)
    assert Area.of_a1("nonsense!") is None
    assert Area(0, 0, 3, 27).a1("It's") == "'It''s'!A1:AA3"
    assert split_range("'It''s'!B2") == ("It's", "B2")
    assert column_letters(701) == "ZZ"
    assert quoted("Plain") == "Plain"


def test_long_text_runs_over_empty_neighbours_and_stops_at_a_filled_one(address: str, sheet: gspread.Worksheet) -> None:
    sheet.update([["a title that needs more room than one column has", "", "", "x"], ["short"]], "A1")
    page = _page(address)
    assert '<td colspan="3">a title that needs more room' in page
    assert "<td>short</td>" in page
