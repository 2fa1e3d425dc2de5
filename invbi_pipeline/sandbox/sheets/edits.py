"""The requests of spreadsheets.batchUpdate. All of a batch is applied, or nothing of it."""

from collections.abc import Callable, Mapping
from typing import Any

from invbi_pipeline.sandbox.sheets.a1 import Area
from invbi_pipeline.sandbox.sheets.book import EMPTY, Book, Cell, Sheet, SheetsError
from invbi_pipeline.sandbox.sheets.masks import Mask, merged, parse_mask
from invbi_pipeline.sandbox.sheets.values import Value

__all__ = ["apply_requests", "new_sheet"]

Given = Mapping[str, Any]
_CELL_FIELDS: Mask = {"userEnteredValue": {}, "userEnteredFormat": {}, "note": {}, "dataValidation": {}}
_PIXELS_PER_CHARACTER = 8
_WIDEST = 480


def apply_requests(book: Book, requests: list[Given]) -> tuple[Book, list[dict[str, Any]]]:
    """Return the changed book and the replies, one each. Raises SheetsError naming the request; the book is untouched then."""
    changed = book.copy()
    replies = []
    for index, request in enumerate(requests):
        if len(request) != 1:
            raise SheetsError.invalid(f"Invalid requests[{index}]: Must specify exactly one request kind.")
        [(kind, given)] = request.items()
        try:
            replies.append(_EDITS[kind](changed, given or {}) or {})
        except SheetsError as problem:
            raise SheetsError.invalid(f"Invalid requests[{index}].{kind}: {problem.message}") from None
        except (KeyError, ValueError) as problem:
            raise SheetsError.invalid(f"Invalid requests[{index}].{kind}: {problem} is required or wrong") from None
    return changed, replies


def new_sheet(book_id: int, title: str, index: int, given: Given) -> Sheet:
    """Return an empty sheet of 1000 x 26 cells unless told otherwise."""
    grid = {"rowCount": 1000, "columnCount": 26, **(given.get("gridProperties") or {})}
    kept = {key: value for key, value in given.items() if key in {"tabColor", "tabColorStyle", "hidden"}}
    return Sheet({"sheetId": book_id, "title": title, "index": index, "sheetType": "GRID", "gridProperties": grid, **kept})


# sheets


def _add_sheet(book: Book, given: Given) -> dict[str, Any]:
    wanted = given.get("properties") or {}
    title = wanted.get("title") or f"Sheet{len(book.sheets) + 1}"
    _free_title(book, title)
    sheet_id = wanted.get("sheetId")
    if sheet_id is not None and any(sheet.id == sheet_id for sheet in book.sheets):
        raise SheetsError.invalid(f"A sheet with the id {sheet_id} already exists.")
    sheet = new_sheet(sheet_id if sheet_id is not None else book.fresh_id(), title, 0, wanted)
    book.sheets.insert(wanted.get("index", len(book.sheets)), sheet)
    book.reindex()
    return {"addSheet": {"properties": sheet.properties}}


def _delete_sheet(book: Book, given: Given) -> None:
    sheet = book.sheet(given.get("sheetId", 0))
    if len(book.sheets) == 1:
        raise SheetsError.invalid("You can't remove all the visible sheets in a document.")
    book.sheets.remove(sheet)
    book.reindex()


def _duplicate_sheet(book: Book, given: Given) -> dict[str, Any]:
    source = book.sheet(given.get("sourceSheetId", 0))
    title = given.get("newSheetName") or f"Copy of {source.title}"
    _free_title(book, title)
    twin = source.copy()
    twin.properties |= {"sheetId": given.get("newSheetId", book.fresh_id()), "title": title}
    book.sheets.insert(given.get("insertSheetIndex", 0), twin)
    book.reindex()
    return {"duplicateSheet": {"properties": twin.properties}}


def _update_sheet_properties(book: Book, given: Given) -> None:
    wanted = given["properties"]
    sheet = book.sheet(wanted.get("sheetId", 0))
    mask = _mask(given)
    mask.pop("sheetId", None)
    if wanted.get("title", sheet.title) != sheet.title and (not mask or "title" in mask):
        _free_title(book, wanted["title"])
    fresh = merged(sheet.properties, {**sheet.properties, **wanted} if not mask else wanted, mask)
    grid = {"rowCount": sheet.rows, "columnCount": sheet.columns, **fresh.get("gridProperties", {})}
    if grid.get("frozenRowCount", 0) >= grid["rowCount"] or grid.get("frozenColumnCount", 0) >= grid["columnCount"]:
        raise SheetsError.invalid("You can't freeze all visible rows or columns on the sheet.")
    sheet.properties = {**fresh, "sheetId": sheet.id, "gridProperties": grid}
    sheet.cells = {at: cell for at, cell in sheet.cells.items() if at[0] < grid["rowCount"] and at[1] < grid["columnCount"]}
    if "index" in wanted and (not mask or "index" in mask):
        book.sheets.remove(sheet)
        book.sheets.insert(wanted["index"], sheet)
    book.reindex()


def _update_spreadsheet_properties(book: Book, given: Given) -> None:
    book.properties = merged(book.properties, given["properties"], _mask(given))


# cells


def _repeat_cell(book: Book, given: Given) -> None:
    sheet, area = _target(book, given["range"])
    change = _change(given.get("cell") or {}, _mask(given))
    for row, column in area.cells():
        _apply(sheet, row, column, change)


def _update_cells(book: Book, given: Given) -> None:
    mask = _mask(given)
    if "range" in given:
        sheet, area = _target(book, given["range"])
        blank = _change({}, mask)
        for row, column in area.cells():
            _apply(sheet, row, column, blank)
        top, left = area.top, area.left
    else:
        start = given["start"]
        sheet, top, left = book.sheet(start.get("sheetId", 0)), start.get("rowIndex", 0), start.get("columnIndex", 0)
    _write_rows(sheet, given.get("rows") or [], mask, top, left)


def _append_cells(book: Book, given: Given) -> None:
    sheet = book.sheet(given.get("sheetId", 0))
    rows = given.get("rows") or []
    bottom = sheet.used()[0]
    grid = sheet.properties["gridProperties"]
    grid["rowCount"] = max(sheet.rows, bottom + len(rows))
    _write_rows(sheet, rows, _mask(given), bottom, 0)


def _write_rows(sheet: Sheet, rows: list[Given], mask: Mask, top: int, left: int) -> None:
    for down, row in enumerate(rows):
        cells = row.get("values") or []
        sheet.closed(Area(top + down, left, top + down + 1, left + max(1, len(cells))))
        for across, cell in enumerate(cells):
            _apply(sheet, top + down, left + across, _change(cell, mask))


class _Change:
    """What a masked CellData does to a cell, worked out once for a range."""

    def __init__(self, given: Given, mask: Mask) -> None:
        self.fields: dict[str, Any] = {}
        wanted = mask or _CELL_FIELDS
        if "userEnteredValue" in wanted:
            self.fields["value"], self.fields["formula"] = _extended(given.get("userEnteredValue") or {})
        if "note" in wanted:
            self.fields["note"] = given.get("note", "")
        if "dataValidation" in wanted:
            self.fields["validation"] = given.get("dataValidation")
        self._style_mask = wanted.get("userEnteredFormat")
        self._style = given.get("userEnteredFormat") or {}
        self._known: dict[int, tuple[Any, Any]] = {}

    def style(self, cell: Cell) -> dict[str, Any]:
        """Return the cell's changes, its new format among them."""
        if self._style_mask is None:
            return self.fields
        if id(cell.style) not in self._known:
            fresh = merged(cell.style, self._style, self._style_mask) or None
            self._known[id(cell.style)] = (cell.style, fresh)  # holds the old one, so that its id stays its own
        return {**self.fields, "style": self._known[id(cell.style)][1]}


def _change(given: Given, mask: Mask) -> _Change:
    return _Change(given, mask)


def _apply(sheet: Sheet, row: int, column: int, change: _Change) -> None:
    sheet.put(row, column, **change.style(sheet.cells.get((row, column), EMPTY)))


def _extended(given: Given) -> tuple[Value, str]:
    if "formulaValue" in given:
        return "#ERROR!", given["formulaValue"]
    for name in ("boolValue", "numberValue", "stringValue"):
        if name in given:
            return given[name], ""
    return None, ""


def _set_data_validation(book: Book, given: Given) -> None:
    sheet, area = _target(book, given["range"])
    for row, column in area.cells():
        sheet.put(row, column, validation=given.get("rule"))


def _update_borders(book: Book, given: Given) -> None:
    sheet, area = _target(book, given["range"])
    sides = {side: given[side] for side in ("top", "bottom", "left", "right") if side in given}
    for row, column in area.cells():
        style = sheet.cells.get((row, column), EMPTY).style or {}
        sheet.put(row, column, style={**style, "borders": {**style.get("borders", {}), **sides}})


# rows and columns


def _dimension(book: Book, given: Given) -> tuple[Sheet, bool, range]:
    sheet = book.sheet(given.get("sheetId", 0))
    if given.get("dimension") not in {"ROWS", "COLUMNS"}:
        raise SheetsError.invalid("No dimension specified.")
    columns = given["dimension"] == "COLUMNS"
    last = given.get("endIndex", sheet.columns if columns else sheet.rows)
    if last > (sheet.columns if columns else sheet.rows):
        raise SheetsError.invalid(f"Dimension range ends at {last}, beyond the sheet.")
    return sheet, columns, range(given.get("startIndex", 0), last)


def _update_dimension_properties(book: Book, given: Given) -> None:
    sheet, columns, span = _dimension(book, given["range"])
    _mask(given)
    sizes = sheet.widths if columns else sheet.heights
    pixels = given.get("properties", {}).get("pixelSize")
    for index in span:
        if pixels is None:
            sizes.pop(index, None)
        else:
            sizes[index] = pixels


def _auto_resize(book: Book, given: Given) -> None:
    sheet, columns, span = _dimension(book, given["dimensions"])
    if not columns:
        return
    longest: dict[int, int] = {}
    for (_, column), cell in sheet.cells.items():
        if column in span:
            longest[column] = max(longest.get(column, 0), len(cell.text))
    for column, characters in longest.items():
        sheet.widths[column] = min(_WIDEST, 16 + characters * _PIXELS_PER_CHARACTER)


def _append_dimension(book: Book, given: Given) -> None:
    sheet = book.sheet(given.get("sheetId", 0))
    name = "columnCount" if given.get("dimension") == "COLUMNS" else "rowCount"
    sheet.properties["gridProperties"][name] += given["length"]


def _delete_dimension(book: Book, given: Given) -> None:
    sheet, columns, span = _dimension(book, given["range"])
    axis = 1 if columns else 0
    kept: dict[tuple[int, int], Cell] = {}
    for at, cell in sheet.cells.items():
        if at[axis] in span:
            continue
        back = len(span) if at[axis] >= span.stop else 0
        kept[(at[0], at[1] - back) if columns else (at[0] - back, at[1])] = cell
    sheet.cells = kept
    sheet.properties["gridProperties"]["columnCount" if columns else "rowCount"] -= len(span)


# what lies over the cells


def _set_basic_filter(book: Book, given: Given) -> None:
    sheet, _ = _target(book, given["filter"].get("range") or {})
    sheet.basic_filter = given["filter"]


def _clear_basic_filter(book: Book, given: Given) -> None:
    book.sheet(given.get("sheetId", 0)).basic_filter = None


def _add_rule(book: Book, given: Given) -> None:
    rule = given["rule"]
    sheets = {grid_range.get("sheetId", 0) for grid_range in rule.get("ranges", [])}
    if len(sheets) != 1 or not ("booleanRule" in rule or "gradientRule" in rule):
        raise SheetsError.invalid("A rule needs ranges of one sheet and a booleanRule or a gradientRule.")
    for grid_range in rule["ranges"]:
        _target(book, grid_range)
    rules = book.sheet(sheets.pop()).rules
    index = given.get("index", 0)
    if index > len(rules):
        raise SheetsError.invalid(f"No conditional format on sheet at index: {index}")
    rules.insert(index, rule)


def _delete_rule(book: Book, given: Given) -> dict[str, Any]:
    rules, index = book.sheet(given.get("sheetId", 0)).rules, given.get("index", 0)
    if index >= len(rules):
        raise SheetsError.invalid(f"No conditional format on sheet at index: {index}")
    return {"deleteConditionalFormatRule": {"rule": rules.pop(index)}}


def _add_banding(book: Book, given: Given) -> dict[str, Any]:
    sheet, area = _target(book, given["bandedRange"]["range"])
    for band in sheet.bands:
        if any(Area.of_grid_range(band["range"]).has(*corner) for corner in ((area.top, area.left),)):
            raise SheetsError.invalid("You cannot add alternating background colors to a range that already has them.")
    band = {"bandedRangeId": book.fresh_id(), **given["bandedRange"]}
    sheet.bands.append(band)
    return {"addBanding": {"bandedRange": band}}


def _delete_banding(book: Book, given: Given) -> None:
    for sheet in book.sheets:
        sheet.bands = [band for band in sheet.bands if band["bandedRangeId"] != given["bandedRangeId"]]


def _merge(book: Book, given: Given) -> None:
    sheet, area = _target(book, given["range"])
    sheet.merges.append(given["range"])
    for row, column in area.cells():
        if (row, column) != (area.top, area.left):
            sheet.put(row, column, value=None, formula="")


def _unmerge(book: Book, given: Given) -> None:
    sheet, area = _target(book, given["range"])
    sheet.merges = [m for m in sheet.merges if not area.has(m.get("startRowIndex", 0), m.get("startColumnIndex", 0))]


def _protect(book: Book, given: Given) -> dict[str, Any]:
    sheet, _ = _target(book, given["protectedRange"]["range"])
    protected = {"protectedRangeId": book.fresh_id(), "requestingUserCanEdit": True, **given["protectedRange"]}
    sheet.protected.append(protected)
    return {"addProtectedRange": {"protectedRange": protected}}


def _unprotect(book: Book, given: Given) -> None:
    for sheet in book.sheets:
        sheet.protected = [p for p in sheet.protected if p["protectedRangeId"] != given["protectedRangeId"]]


# shared


def _target(book: Book, grid_range: Given) -> tuple[Sheet, Area]:
    sheet = book.sheet(grid_range.get("sheetId", 0))
    return sheet, sheet.closed(Area.of_grid_range(grid_range))


def _mask(given: Given) -> Mask:
    text = given.get("fields", "")
    if not text:
        raise SheetsError.invalid("At least one field must be listed in 'fields'. (Use '*' to indicate all fields.)")
    return parse_mask(text)


def _free_title(book: Book, title: str) -> None:
    if any(sheet.title == title for sheet in book.sheets):
        raise SheetsError.invalid(f'A sheet with the name "{title}" already exists. Please enter another name.')


_EDITS: Mapping[str, Callable[[Book, Given], dict[str, Any] | None]] = {
    "addSheet": _add_sheet,
    "deleteSheet": _delete_sheet,
    "duplicateSheet": _duplicate_sheet,
    "updateSheetProperties": _update_sheet_properties,
    "updateSpreadsheetProperties": _update_spreadsheet_properties,
    "setBasicFilter": _set_basic_filter,
    "clearBasicFilter": _clear_basic_filter,
    "addConditionalFormatRule": _add_rule,
    "deleteConditionalFormatRule": _delete_rule,
    "repeatCell": _repeat_cell,
    "updateCells": _update_cells,
    "appendCells": _append_cells,
    "updateBorders": _update_borders,
    "updateDimensionProperties": _update_dimension_properties,
    "autoResizeDimensions": _auto_resize,
    "appendDimension": _append_dimension,
    "deleteDimension": _delete_dimension,
    "setDataValidation": _set_data_validation,
    "addBanding": _add_banding,
    "deleteBanding": _delete_banding,
    "mergeCells": _merge,
    "unmergeCells": _unmerge,
    "addProtectedRange": _protect,
    "deleteProtectedRange": _unprotect,
}
