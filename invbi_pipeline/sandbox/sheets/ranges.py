"""The spreadsheets.values methods: reading and writing ranges of values."""

from collections.abc import Mapping
from typing import Any

from invbi_pipeline.sandbox.sheets.a1 import Area
from invbi_pipeline.sandbox.sheets.book import EMPTY, Book, Cell, Sheet, SheetsError
from invbi_pipeline.sandbox.sheets.values import entered, typed_format

__all__ = ["append_values", "clear_values", "get_values", "update_values"]

_INPUTS = frozenset({"RAW", "USER_ENTERED"})
_RENDERS = frozenset({"FORMATTED_VALUE", "UNFORMATTED_VALUE", "FORMULA"})


def get_values(book: Book, text: str, render: str = "FORMATTED_VALUE", major: str = "ROWS") -> dict[str, Any]:
    """Return a ValueRange; empty rows and cells at the end are left out, and `values` altogether where all is empty."""
    if render not in _RENDERS:
        raise SheetsError.invalid(f"Invalid value at 'value_render_option': {render}")
    sheet, area = _within(book, text)
    used_rows, used_columns = sheet.used()
    grid = []
    for row in range(area.top, min(area.bottom or 0, used_rows)):
        cells = [sheet.cells.get((row, column), EMPTY) for column in range(area.left, min(area.right or 0, used_columns))]
        grid.append([_rendered(cell, render) for cell in cells])
    if major == "COLUMNS":
        grid = [list(column) for column in zip(*grid, strict=True)]
    answer: dict[str, Any] = {"range": area.a1(sheet.title), "majorDimension": major}
    trimmed = _trimmed(grid)
    return answer | ({"values": trimmed} if trimmed else {})


def update_values(book: Book, given: Mapping[str, Any], text: str, option: str, echo: bool = False) -> dict[str, Any]:
    """Write a ValueRange from the top left of a range; null leaves a cell as it is. Return an UpdateValuesResponse."""
    if option not in _INPUTS:
        raise SheetsError.invalid("'valueInputOption' is required but not specified")
    sheet, area = book.find(text)
    sheet.closed(Area(area.top, area.left, area.top + 1, area.left + 1))
    rows = _rows(given)
    width = max((len(row) for row in rows), default=0)
    written = Area(area.top, area.left, area.top + max(1, len(rows)), area.left + max(1, width))
    _fits(area, written, text)
    sheet.closed(written)
    _write(sheet, rows, area.top, area.left, option == "USER_ENTERED")
    answer: dict[str, Any] = {"spreadsheetId": book.id, "updatedRange": written.a1(sheet.title)}
    if rows and width:
        cells = sum(len(row) for row in rows)
        answer |= {"updatedRows": len(rows), "updatedColumns": width, "updatedCells": cells}
    if echo:
        answer["updatedData"] = get_values(book, written.a1(sheet.title))
    return answer


def append_values(book: Book, given: Mapping[str, Any], text: str, option: str) -> dict[str, Any]:
    """Write below the table that starts in a range, growing the sheet where it must. Return an AppendValuesResponse."""
    sheet, area = book.find(text)
    table_rows, table_columns = _table(sheet, area)
    rows = _rows(given)
    top = area.top + table_rows
    grid = sheet.properties["gridProperties"]
    grid["rowCount"] = max(sheet.rows, top + len(rows))
    grid["columnCount"] = max(sheet.columns, area.left + max((len(row) for row in rows), default=0))
    corner = Area(top, area.left, top + 1, area.left + 1).a1(sheet.title)
    answer: dict[str, Any] = {"spreadsheetId": book.id}
    if table_rows:
        table = Area(area.top, area.left, area.top + table_rows, area.left + table_columns)
        answer["tableRange"] = table.a1(sheet.title)
    return answer | {"updates": update_values(book, given, f"{corner}:{_last(sheet)}", option)}


def clear_values(book: Book, text: str) -> str:
    """Clear the values of a range, keeping formats; return the range as Google writes it."""
    sheet, area = _within(book, text)
    for row, column in [at for at in sheet.cells if area.has(*at)]:
        sheet.put(row, column, value=None, formula="")
    return area.a1(sheet.title)


def _last(sheet: Sheet) -> str:
    return Area(0, 0, sheet.rows, sheet.columns).a1("x").rpartition(":")[2]


def _within(book: Book, text: str) -> tuple[Sheet, Area]:
    sheet, area = book.find(text)
    if area.top >= sheet.rows or area.left >= sheet.columns:
        sheet.closed(Area(area.top, area.left, area.top + 1, area.left + 1))
    closed = area.within(sheet.rows, sheet.columns)
    return sheet, Area(closed.top, closed.left, min(closed.bottom or 0, sheet.rows), min(closed.right or 0, sheet.columns))


def _rows(given: Mapping[str, Any]) -> list[list[Any]]:
    rows: list[list[Any]] = given.get("values") or []
    for index, row in enumerate(rows):
        if not isinstance(row, list):
            raise SheetsError.invalid(f"Invalid values[{index}]: expected an array")
        for column, value in enumerate(row):
            if isinstance(value, list | dict):
                raise SheetsError.invalid(
                    f"Invalid values[{index}][{column}]: {'list' if isinstance(value, list) else 'struct'}_value"
                )
    if given.get("majorDimension") == "COLUMNS":
        height = max((len(column) for column in rows), default=0)
        return [[column[row] if row < len(column) else None for column in rows] for row in range(height)]
    return rows


def _fits(area: Area, written: Area, text: str) -> None:
    """A range with an end must hold what is written; a range of one cell is only a place to start."""
    single = area.bottom == area.top + 1 and area.right == area.left + 1
    if single:
        return
    if area.bottom is not None and (written.bottom or 0) > area.bottom:
        raise SheetsError.invalid(f"Requested writing within range [{text}], but tried writing to row [{area.bottom + 1}]")
    if area.right is not None and (written.right or 0) > area.right:
        raise SheetsError.invalid(f"Requested writing within range [{text}], but tried writing to column [{area.right + 1}]")


def _write(sheet: Sheet, rows: list[list[Any]], top: int, left: int, user_entered: bool) -> None:
    for down, row in enumerate(rows):
        for across, given in enumerate(row):
            if given is None:
                continue
            value, formula = entered(given, user_entered)
            changes: dict[str, Any] = {"value": value, "formula": formula}
            brought = typed_format(given, value) if user_entered else None
            if brought is not None:
                old = sheet.cells.get((top + down, left + across), EMPTY).style or {}
                changes["style"] = {**old, "numberFormat": old.get("numberFormat", brought)}
            sheet.put(top + down, left + across, **changes)


def _table(sheet: Sheet, area: Area) -> tuple[int, int]:
    """Return the rows and columns of the table that begins in the range: down to its last filled row."""
    rows = columns = 0
    for (row, column), cell in sheet.cells.items():
        if cell.value is not None and row >= area.top and column >= area.left:
            rows = max(rows, row - area.top + 1)
            columns = max(columns, column - area.left + 1)
    return rows, columns


def _rendered(cell: Cell, render: str) -> Any:
    if render == "FORMULA" and cell.formula:
        return cell.formula
    if render == "FORMATTED_VALUE" or cell.value is None:
        return cell.text
    return cell.value


def _trimmed(grid: list[list[Any]]) -> list[list[Any]]:
    for row in grid:
        while row and row[-1] == "":
            row.pop()
    while grid and not grid[-1]:
        grid.pop()
    return grid
