"""Requests of the Sheets API that dress a tab, and cells as RAW input takes them."""

from datetime import UTC, datetime
from typing import Any, Final

from invbi_pipeline.dashboard.model import Tone

__all__ = ["FILL", "FORMATS", "HEAD", "INK", "Grid", "area", "cell", "column_name", "formatted", "frozen_head", "styled", "wide"]

Grid = list[list[Any]]

_EPOCH: Final = datetime(1899, 12, 30, tzinfo=UTC)  # day 0 of Sheets' serial dates (Sheets API guide, "Date and time values")
FORMATS: Final = {
    "int": {"type": "NUMBER", "pattern": "#,##0"},
    "money": {"type": "NUMBER", "pattern": "#,##0.00"},
    "hours": {"type": "NUMBER", "pattern": "#,##0.0"},
    "percent": {"type": "PERCENT", "pattern": "0.0%"},
    "time": {"type": "DATE_TIME", "pattern": "yyyy-mm-dd hh:mm"},
}
FILL: Final = {Tone.GOOD: (0.89, 0.96, 0.92), Tone.WATCH: (1.0, 0.95, 0.84), Tone.BAD: (0.98, 0.89, 0.88)}
INK: Final = {
    Tone.GOOD: (0.04, 0.43, 0.31),
    Tone.WATCH: (0.54, 0.29, 0.0),
    Tone.BAD: (0.71, 0.14, 0.09),
    Tone.PLAIN: (0.2, 0.31, 0.41),
}
HEAD: Final = {"red": 0.91, "green": 0.93, "blue": 0.95}
_PIXELS_PER_CHARACTER: Final = 7


def frozen_head(sheet_id: int, width: int, columns: int) -> list[dict[str, Any]]:
    """Return the requests that keep the heading and so many columns in sight."""
    grid = {"frozenRowCount": 1, "frozenColumnCount": columns}
    return [
        {
            "updateSheetProperties": {
                "properties": {"sheetId": sheet_id, "gridProperties": grid},
                "fields": "gridProperties.frozenRowCount,gridProperties.frozenColumnCount",
            }
        },
        styled(area(sheet_id, 0, 1, 0, width), {"textFormat": {"bold": True}, "backgroundColor": HEAD, "wrapStrategy": "WRAP"}),
    ]


def styled(where: dict[str, int], style: dict[str, Any]) -> dict[str, Any]:
    """Return the request that gives an `area` a style; what the style does not name stays."""
    fields = ",".join(f"userEnteredFormat.{key}" for key in style)
    return {"repeatCell": {"range": where, "cell": {"userEnteredFormat": style}, "fields": fields}}


def formatted(where: dict[str, int], kind: str) -> dict[str, Any]:
    """Return the request that gives an `area` the number format of a column's kind."""
    return styled(where, {"numberFormat": FORMATS[kind]})


def wide(sheet_id: int, column: int, characters: int) -> dict[str, Any]:
    """Return the request that makes a column as wide as so many characters."""
    where = {"sheetId": sheet_id, "dimension": "COLUMNS", "startIndex": column, "endIndex": column + 1}
    size = {"pixelSize": min(520, max(60, characters * _PIXELS_PER_CHARACTER))}
    return {"updateDimensionProperties": {"range": where, "properties": size, "fields": "pixelSize"}}


def area(sheet_id: int, top: int, bottom: int, left: int, right: int) -> dict[str, int]:
    """Return a GridRange: rows and columns from 0, the last ones excluded, at least one row."""
    return {
        "sheetId": sheet_id,
        "startRowIndex": top,
        "endRowIndex": max(bottom, top + 1),
        "startColumnIndex": left,
        "endColumnIndex": right,
    }


def column_name(number: int) -> str:
    """Return the letters of a column, counted from 0: A, B, ..., Z, AA."""
    letters = ""
    while number >= 0:
        letters = chr(ord("A") + number % 26) + letters
        number = number // 26 - 1
    return letters


def cell(value: Any) -> Any:
    """Return what RAW input keeps as it is: numbers as numbers, times as serial dates, all else as text."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return (value - _EPOCH).total_seconds() / 86_400
    return str(value)
