"""The page that shows a spreadsheet in a browser: tabs, frozen header, number formats, colours; one self-contained document."""

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from invbi_pipeline.sandbox.sheets.a1 import Area, column_letters
from invbi_pipeline.sandbox.sheets.book import EMPTY, Book, Cell, Sheet

__all__ = ["sheet_page"]

_MOST_ROWS = 1000
_DEFAULT_WIDTH = 100
_HEAD_WIDTH = 46
_INNER_LINK = re.compile(r"#gid=(\d+)&range=([A-Z]{1,3}\d{1,7})")
_PIXELS_PER_POINT = 0.78  # the width of an average letter for each point of its size


def sheet_page(book: Book, title: str = "") -> str:
    """Return the HTML page of one sheet (the first where the title is unknown). Everything from the cells is escaped."""
    sheet = next((known for known in book.sheets if known.title == title), book.sheets[0])
    used_rows, used_columns = sheet.used()
    columns = max(used_columns, 1)
    last = min(max(used_rows, 1), _MOST_ROWS)
    grid = sheet.properties["gridProperties"]
    frozen = grid.get("frozenRowCount", 0)
    widths = [sheet.widths.get(column, _DEFAULT_WIDTH) for column in range(columns)]
    sheet_of = {str(known.id): known.title for known in book.sheets}
    rows = [
        {
            "number": row + 1,
            "cells": _spilled([_shown(sheet, sheet_of, row, column) for column in range(columns)], widths),
        }
        for row in range(last)
    ]
    return _template().render(
        title=book.properties["title"],
        tabs=[known.title for known in book.sheets if not known.properties.get("hidden")],
        current=sheet.title,
        letters=[column_letters(column) for column in range(columns)],
        widths=widths,
        whole_width=sum(widths) + _HEAD_WIDTH,
        frozen=rows[:frozen],
        rows=rows[frozen:],
        left_out=max(0, used_rows - last),
    )


@lru_cache(maxsize=1)
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("view.html.j2")


def _shown(sheet: Sheet, sheet_of: Mapping[str, str], row: int, column: int) -> dict[str, Any]:
    cell = sheet.cells.get((row, column), EMPTY)
    style: dict[str, Any] = {**_band(sheet, row, column), **(cell.style or {})}
    for rule in reversed(sheet.rules):
        if "booleanRule" in rule and any(Area.of_grid_range(area).has(row, column) for area in rule["ranges"]):
            boolean = rule["booleanRule"]
            if _holds(boolean["condition"], cell):
                style = _over(style, boolean.get("format") or {})
    condition = (cell.validation or {}).get("condition") or {}
    is_box = condition.get("type") == "BOOLEAN"
    wrapped = style.get("wrapStrategy") == "WRAP"
    return {
        "text": cell.text,
        "points": (style.get("textFormat") or {}).get("fontSize") or 10,
        "spills": isinstance(cell.value, str) and not wrapped,
        "empty": not is_box and not style.get("backgroundColor") and not _is_filter_head(sheet, row, column),
        "css": _css(style, cell),
        "note": cell.note,
        "link": _inner_link(sheet_of, style),
        "tick": cell.value is True if is_box else None,
        "filter": _is_filter_head(sheet, row, column),
        "place": f"{column_letters(column)}{row + 1}",
    }


def _spilled(cells: list[dict[str, Any]], widths: list[int]) -> list[dict[str, Any]]:
    """Let long text run over the empty cells to its right, as a spreadsheet does; return the cells that are left."""
    left: list[dict[str, Any]] = []
    column = 0
    while column < len(cells):
        cell, end, room = cells[column], column + 1, widths[column]
        needed = len(cell["text"]) * cell["points"] * _PIXELS_PER_POINT if cell["spills"] else 0
        while needed > room and end < len(cells) and not cells[end]["text"] and cells[end]["empty"]:
            room += widths[end]
            end += 1
        left.append({**cell, "span": end - column})
        column = end
    return left


def _over(style: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    text = {**(style.get("textFormat") or {}), **(above.get("textFormat") or {})}
    return {**style, **above, **({"textFormat": text} if text else {})}


def _is_filter_head(sheet: Sheet, row: int, column: int) -> bool:
    if not sheet.basic_filter or "range" not in sheet.basic_filter:
        return False
    area = Area.of_grid_range(sheet.basic_filter["range"])
    return row == area.top and area.has(row, column)


def _band(sheet: Sheet, row: int, column: int) -> dict[str, Any]:
    for band in sheet.bands:
        area = Area.of_grid_range(band["range"])
        colours = band.get("rowProperties") or {}
        if area.has(row, column):
            headed = "headerColor" in colours or "headerColorStyle" in colours
            place = row - area.top
            name = (
                "headerColor" if headed and place == 0 else ("firstBandColor" if (place - headed) % 2 == 0 else "secondBandColor")
            )
            colour = colours.get(name) or (colours.get(f"{name}Style") or {}).get("rgbColor")
            return {"backgroundColor": colour} if colour else {}
    return {}


def _holds(condition: Mapping[str, Any], cell: Cell) -> bool:
    """Return whether a condition of a colour rule holds; formulas and dates are not calculated and never hold."""
    kind = str(condition.get("type", ""))
    wanted = [str(value.get("userEnteredValue", "")) for value in condition.get("values") or []]
    text: str = cell.text.casefold()
    if kind in {"BLANK", "NOT_BLANK"}:
        return (cell.value is None) == (kind == "BLANK")
    if kind.startswith("TEXT_") and wanted:
        sought = wanted[0].casefold()
        holds = {
            "TEXT_EQ": text == sought,
            "TEXT_NOT_EQ": text != sought,
            "TEXT_CONTAINS": sought in text,
            "TEXT_NOT_CONTAINS": sought not in text,
            "TEXT_STARTS_WITH": text.startswith(sought),
            "TEXT_ENDS_WITH": text.endswith(sought),
        }
        return holds.get(kind, False)
    if kind.startswith("NUMBER_") and isinstance(cell.value, int | float) and not isinstance(cell.value, bool):
        return _number_holds(kind, float(cell.value), wanted)
    return False


def _number_holds(kind: str, value: float, wanted: list[str]) -> bool:
    try:
        bounds = [float(text) for text in wanted]
    except ValueError:
        return False
    if len(bounds) >= 2:
        between = bounds[0] <= value <= bounds[1]
        return {"NUMBER_BETWEEN": between, "NUMBER_NOT_BETWEEN": not between}.get(kind, False)
    if not bounds:
        return False
    return {
        "NUMBER_GREATER": value > bounds[0],
        "NUMBER_GREATER_THAN_EQ": value >= bounds[0],
        "NUMBER_LESS": value < bounds[0],
        "NUMBER_LESS_THAN_EQ": value <= bounds[0],
        "NUMBER_EQ": value == bounds[0],
        "NUMBER_NOT_EQ": value != bounds[0],
    }.get(kind, False)


def _inner_link(sheet_of: Mapping[str, str], style: Mapping[str, Any]) -> str:
    """Return the address of a link to a cell of this spreadsheet (`#gid=...&range=...`); links that lead elsewhere stay text."""
    uri = str(((style.get("textFormat") or {}).get("link") or {}).get("uri") or "")
    found = _INNER_LINK.fullmatch(uri)
    return f"?sheet={quote(sheet_of[found[1]])}#{found[2]}" if found and found[1] in sheet_of else ""


def _css(style: Mapping[str, Any], cell: Cell) -> str:
    """Return inline CSS made of numbers and fixed words only: nothing that came from outside is copied into it."""
    text = style.get("textFormat") or {}
    parts = []
    for name, colour in (
        ("background", _colour(style, "backgroundColor")),
        ("color", _colour(text, "foregroundColor")),
    ):
        if colour:
            parts.append(f"{name}:{colour}")
    for name, css in (("bold", "font-weight:600"), ("italic", "font-style:italic"), ("underline", "text-decoration:underline")):
        if text.get(name):
            parts.append(css)
    if isinstance(text.get("fontSize"), int):
        parts.append(f"font-size:{text['fontSize']}pt")
    number = isinstance(cell.value, int | float) and not isinstance(cell.value, bool)
    aligned = {"LEFT": "left", "CENTER": "center", "RIGHT": "right"}.get(style.get("horizontalAlignment", ""))
    if aligned or number:
        parts.append(f"text-align:{aligned or 'right'}")
    if style.get("wrapStrategy") == "WRAP":
        parts.append("white-space:normal")
    if style.get("verticalAlignment") == "TOP":
        parts.append("vertical-align:top")
    return ";".join(parts)


def _colour(style: Mapping[str, Any], name: str) -> str:
    colour = (style.get(f"{name}Style") or {}).get("rgbColor") or style.get(name)
    if not isinstance(colour, Mapping):
        return ""
    channels = [max(0, min(255, round(float(colour.get(part, 0)) * 255))) for part in ("red", "green", "blue")]
    return "#" + "".join(f"{channel:02x}" for channel in channels)
