"""Real gspread against the sandbox: what it writes is what it reads, and errors are Google's."""

from typing import Any

import gspread
import pytest
import requests
from gspread.exceptions import APIError, SpreadsheetNotFound
from gspread.utils import Dimension, ValueInputOption, ValueRenderOption

from invbi_pipeline.sandbox.sheets import SheetsService
from invbi_pipeline_tests.sandbox.serving import HandClock
from invbi_pipeline_tests.sandbox.sheets.conftest import client_for


def test_the_parity_spreadsheet_is_there_from_the_start(client: gspread.Client) -> None:
    book = client.open_by_key("sandbox-parity")
    assert [tab.title for tab in book.worksheets()] == ["Sheet1"]
    assert book.title == "Stock parity"


def test_raw_values_stay_what_they_are(sheet: gspread.Worksheet) -> None:
    rows: list[list[Any]] = [["00123", "=1+1", "@x", "+44"], [3, 2.5, True, ""]]
    sheet.update(rows, "A1", value_input_option=ValueInputOption.raw)
    assert sheet.get_all_values() == [["00123", "=1+1", "@x", "+44"], ["3", "2.5", "TRUE", ""]]
    assert sheet.get("A1:D2", value_render_option=ValueRenderOption.unformatted) == [
        ["00123", "=1+1", "@x", "+44"],
        [3, 2.5, True],
    ]


def test_user_entered_values_are_read_as_if_typed(sheet: gspread.Worksheet) -> None:
    sheet.update(
        [["00123", "=1+1", "12%", "TRUE", "2026-09-01", "'=safe", "1,234.5"]],
        "A1",
        value_input_option=ValueInputOption.user_entered,
    )
    assert sheet.row_values(1) == ["123", "#ERROR!", "12.00%", "TRUE", "2026-09-01", "=safe", "1234.5"]
    assert sheet.row_values(1, value_render_option=ValueRenderOption.formula)[1] == "=1+1"


def test_an_injected_formula_is_seen_by_its_formula(sheet: gspread.Worksheet) -> None:
    evil = '+HYPERLINK("https://x.example","cheap")'
    sheet.update([[evil]], "A1", value_input_option=ValueInputOption.user_entered)
    assert sheet.acell("A1", value_render_option=ValueRenderOption.formula).value == f"={evil[0]}{evil[1:]}"


def test_ranges_columns_and_appending_work_as_on_google(sheet: gspread.Worksheet) -> None:
    sheet.update([["sku", "qty"], ["A", 1], ["B", 2]], "B2")
    assert sheet.get("B:B") == [[], ["sku"], ["A"], ["B"]]
    assert sheet.get("B2:C3", major_dimension=Dimension.cols) == [["sku", "A"], ["qty", "1"]]
    answer: Any = sheet.append_row(["C", 3], table_range="B2")
    assert answer["updates"]["updatedRange"] == "Sheet1!B5:C5"
    sheet.batch_clear(["B3:C4"])
    assert sheet.get("B2:C5") == [["sku", "qty"], [], [], ["C", "3"]]


def test_several_ranges_are_written_and_read_at_once(client: gspread.Client) -> None:
    book = client.open_by_key("sandbox-parity")
    book.add_worksheet("Open orders", rows=50, cols=5)
    data = [{"range": "'Open orders'!A1", "values": [["x"]]}, {"range": "Sheet1!C3:D3", "values": [[1, 2]]}]
    written = book.values_batch_update({"valueInputOption": "RAW", "data": data})
    assert (written["totalUpdatedCells"], written["totalUpdatedSheets"]) == (3, 2)
    read = book.values_batch_get(["'Open orders'!A1:B2", "Sheet1!D3"])
    assert [answer["values"] for answer in read["valueRanges"]] == [[["x"]], [["2"]]]
    book.values_batch_clear(body={"ranges": ["'Open orders'"]})
    assert book.worksheet("Open orders").get_all_values() == [[]]


def test_a_sheet_is_dressed_and_tells_so(client: gspread.Client, sheet: gspread.Worksheet) -> None:
    sheet.update([["n", "share"], [1, 0.5]], "A1")
    sheet.freeze(rows=1)
    sheet.set_basic_filter("A1:B2")
    sheet.format("B2:B2", {"numberFormat": {"type": "PERCENT", "pattern": "0.0%"}})
    sheet.format("A1:B1", {"textFormat": {"bold": True}, "backgroundColor": {"red": 1}})
    sheet.columns_auto_resize(0, 2)
    book = client.open_by_key("sandbox-parity")
    [shown] = book.fetch_sheet_metadata({"includeGridData": "true"})["sheets"]
    assert shown["properties"]["gridProperties"]["frozenRowCount"] == 1
    assert shown["basicFilter"]["range"]["endRowIndex"] == 2
    cell = shown["data"][0]["rowData"][1]["values"][1]
    assert (cell["formattedValue"], cell["effectiveValue"]) == ("50.0%", {"numberValue": 0.5})
    assert shown["data"][0]["rowData"][0]["values"][0]["userEnteredFormat"]["textFormat"] == {"bold": True}


def test_colour_rules_bands_validation_and_widths_are_kept_and_removed(sheet: gspread.Worksheet) -> None:
    book, area = sheet.spreadsheet, {"sheetId": sheet.id, "startRowIndex": 0, "endRowIndex": 9, "endColumnIndex": 2}
    condition = {"type": "TEXT_EQ", "values": [{"userEnteredValue": "drifted"}]}
    rule = {"ranges": [area], "booleanRule": {"condition": condition, "format": {"backgroundColor": {"red": 1}}}}
    wide = {"sheetId": sheet.id, "dimension": "COLUMNS", "startIndex": 0, "endIndex": 1}
    band = {"range": area, "rowProperties": {"headerColor": {"blue": 1}, "firstBandColor": {}, "secondBandColor": {"red": 1}}}
    tick = {"condition": {"type": "BOOLEAN"}, "strict": True}
    answer = book.batch_update(
        {
            "requests": [
                {"addConditionalFormatRule": {"rule": rule, "index": 0}},
                {"addBanding": {"bandedRange": band}},
                {"setDataValidation": {"range": area, "rule": tick}},
                {"updateDimensionProperties": {"range": wide, "properties": {"pixelSize": 220}, "fields": "pixelSize"}},
            ]
        }
    )
    band_id = answer["replies"][1]["addBanding"]["bandedRange"]["bandedRangeId"]
    book.batch_update(
        {
            "requests": [
                {"deleteConditionalFormatRule": {"sheetId": sheet.id, "index": 0}},
                {"deleteBanding": {"bandedRangeId": band_id}},
            ]
        }
    )
    [shown] = book.fetch_sheet_metadata({"fields": "sheets(conditionalFormats,bandedRanges)"})["sheets"]
    assert shown == {}


def test_tabs_are_added_renamed_moved_and_deleted(client: gspread.Client) -> None:
    book = client.open_by_key("sandbox-parity")
    added = book.add_worksheet("Parity", rows=10, cols=4, index=0)
    added.update_title("Parity now")
    assert [tab.title for tab in book.worksheets()] == ["Parity now", "Sheet1"]
    book.del_worksheet(added)
    assert [tab.title for tab in book.worksheets()] == ["Sheet1"]
    with pytest.raises(APIError, match="can't remove all the visible sheets"):
        book.del_worksheet(book.sheet1)


def test_a_batch_with_one_bad_request_changes_nothing(sheet: gspread.Worksheet) -> None:
    requests_ = [{"addSheet": {"properties": {"title": "New"}}}, {"deleteSheet": {"sheetId": 999}}]
    with pytest.raises(APIError, match=r"Invalid requests\[1\].deleteSheet: No grid with id: 999"):
        sheet.spreadsheet.batch_update({"requests": requests_})
    assert [tab.title for tab in sheet.spreadsheet.worksheets()] == ["Sheet1"]


def test_writing_beyond_the_grid_is_refused(sheet: gspread.Worksheet) -> None:
    with pytest.raises(APIError, match=r"exceeds grid limits\. Max rows: 1000, max columns: 26"):
        sheet.update([["x"]], "A1001")
    with pytest.raises(APIError, match="tried writing to row"):
        sheet.update([["x"], ["y"], ["z"]], "A1:B2")


def test_an_unknown_tab_or_spreadsheet_is_googles_error(client: gspread.Client) -> None:
    with pytest.raises(SpreadsheetNotFound):
        client.open_by_key("nothing")
    with pytest.raises(APIError, match="Unable to parse range: Nowhere!A1"):
        client.open_by_key("sandbox-parity").values_get("Nowhere!A1")


def test_a_wrong_token_is_unauthenticated(address: str) -> None:
    with pytest.raises(APIError) as refused:
        client_for(address, "wrong").open_by_key("sandbox-parity")
    assert (refused.value.code, refused.value.error["status"]) == (401, "UNAUTHENTICATED")


def test_unknown_fields_are_refused_in_googles_words(address: str) -> None:
    headers = {"Authorization": "Bearer a-token"}
    body = {"requests": [{"addSheet": {"properties": {"titel": "x"}}}]}
    answer = requests.post(f"{address}/v4/spreadsheets/sandbox-parity:batchUpdate", json=body, headers=headers, timeout=9)
    assert answer.status_code == 400
    message = "Invalid JSON payload received. Unknown name \"titel\" at 'requests[0].addSheet.properties': Cannot find field."
    assert answer.json()["error"] == {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}


def test_a_spreadsheet_can_be_created(address: str) -> None:
    headers = {"Authorization": "Bearer a-token"}
    body = {"properties": {"title": "Mine"}, "sheets": [{"properties": {"title": "One"}}]}
    made = requests.post(f"{address}/v4/spreadsheets", json=body, headers=headers, timeout=9).json()
    assert client_for(address).open_by_key(made["spreadsheetId"]).sheet1.title == "One"


def test_sixty_writes_a_minute_are_the_quota(service: SheetsService, sheet: gspread.Worksheet) -> None:
    for n in range(60):
        sheet.update([[n]], "A1")
    with pytest.raises(APIError) as refused:
        sheet.update([[60]], "A1")
    assert (refused.value.code, refused.value.error["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert sheet.acell("A1").value == "59"
    clock = service._clock
    assert isinstance(clock, HandClock)
    clock.pass_s(60)
    sheet.update([[61]], "A1")


def test_planted_faults_are_googles_errors(service: SheetsService, sheet: gspread.Worksheet) -> None:
    service.wire.fail_next.extend(["500", "429"])
    for code in (500, 429):
        with pytest.raises(APIError) as failed:
            sheet.update([[1]], "A1")
        assert failed.value.code == code
