"""The dashboard as a workbook that opens without a Google account. Text from outside is written as text, never as a formula."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from invbi_pipeline.dashboard.model import SIGNS, Dashboard, Tab, Tone

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

__all__ = ["write_xlsx"]

_FILL: Final = {Tone.GOOD: "#E3F4EA", Tone.WATCH: "#FFF1D6", Tone.BAD: "#FBE3E1", Tone.PLAIN: "#F0F3F6"}
_INK: Final = {Tone.GOOD: "#0B6E4F", Tone.WATCH: "#8A4B00", Tone.BAD: "#B42318", Tone.PLAIN: "#334E68"}
_NUMBER: Final[Mapping[str, str]] = {
    "int": "#,##0",
    "money": "#,##0.00",
    "percent": "0.0%",
    "hours": "#,##0.0",
    "time": "yyyy-mm-dd hh:mm",
}
_WIDEST: Final = 70


def write_xlsx(dashboard: Dashboard, path: Path) -> None:
    """Write the workbook with the tabs Overview, Parity, Exceptions and Corrections, replacing the old one at once."""
    import xlsxwriter

    fresh = path.with_suffix(".tmp")
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "remove_timezone": True}
    with xlsxwriter.Workbook(str(fresh), options) as book:
        styles = _Styles(book)
        _overview(book, styles, dashboard)
        for tab in (dashboard.parity, dashboard.exceptions, dashboard.corrections):
            _table(book, styles, tab)
    fresh.replace(path)


class _Styles:
    def __init__(self, book: "Workbook") -> None:
        self.head = book.add_format({"bold": True, "bg_color": "#E9EEF2", "bottom": 1, "text_wrap": True, "valign": "top"})
        self.title = book.add_format({"bold": True, "font_size": 16})
        self.label = book.add_format({"font_color": "#52606D"})
        self.bold = book.add_format({"bold": True})
        self.wrap = book.add_format({"text_wrap": True, "valign": "top"})
        self.number = {kind: book.add_format({"num_format": code}) for kind, code in _NUMBER.items()}
        self.tone = {
            t: book.add_format({"bg_color": _FILL[t], "font_color": _INK[t], "bold": t in (Tone.BAD, Tone.WATCH)}) for t in Tone
        }
        self.value = {t: book.add_format({"bold": True, "font_size": 20, "font_color": _INK[t]}) for t in Tone}


def _overview(book: "Workbook", styles: _Styles, dashboard: Dashboard) -> None:
    sheet = book.add_worksheet("Overview")
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 9, 17)
    sheet.write_string(0, 0, f"{dashboard.title}: stock parity", styles.title)
    sheet.write_string(1, 0, dashboard.generated_at.strftime("%d %b %Y %H:%M UTC"), styles.label)
    for column, figure in enumerate(dashboard.figures):
        sheet.write_string(3, 2 * column, figure.label, styles.label)
        sheet.write_string(4, 2 * column, figure.value, styles.value[figure.tone])
        sheet.write_string(5, 2 * column, figure.note, styles.label)
    row = 7
    sheet.write_string(row, 0, "Do first", styles.bold)
    for todo in dashboard.todos:
        row += 1
        sheet.write_string(row, 0, todo.severity)
        sheet.write_url(row, 1, "internal:'Exceptions'!A1", string=todo.text[:250])
        sheet.write_string(row, 6, todo.action)
    row = _block(
        sheet,
        styles,
        row + 2,
        "Systems",
        dashboard.channels.to_dicts(),
        {"parity": "percent", "age_s": "int", "order_lag_s": "int"},
    )
    row = _block(sheet, styles, row + 2, "Open findings", dashboard.codes.to_dicts(), {"money": "money", "oldest_hours": "hours"})
    row = _block(sheet, styles, row + 2, "Points by state", dashboard.states.to_dicts(), {"points": "int"})
    first = row + 3
    row = _block(
        sheet, styles, row + 2, "Parity history", dashboard.history.to_dicts(), {"parity": "percent", "ended_at": "time"}
    )
    if dashboard.history.height:
        chart = book.add_chart({"type": "line"})
        keys = dashboard.history.columns
        when, share = keys.index("ended_at"), keys.index("parity")
        chart.add_series(
            {
                "name": "Parity rate",
                "categories": ["Overview", first, when, row, when],
                "values": ["Overview", first, share, row, share],
                "line": {"color": "#0B6E4F"},
            }
        )
        chart.set_legend({"none": True})
        chart.set_title({"name": "Parity over the runs"})
        chart.set_y_axis({"num_format": "0%", "max": 1})
        sheet.insert_chart(7, 10, chart, {"description": "Parity rate over the runs"})


def _block(
    sheet: "Worksheet", styles: _Styles, row: int, title: str, rows: list[dict[str, Any]], kinds: Mapping[str, str]
) -> int:
    """Write a small table; return its last row."""
    sheet.write_string(row, 0, title, styles.bold)
    if not rows:
        sheet.write_string(row + 1, 0, "none", styles.label)
        return row + 1
    for column, key in enumerate(rows[0]):
        sheet.write_string(row + 1, column, key.replace("_", " "), styles.head)
    last = row + 1
    for values in rows:
        last += 1
        for column, (key, value) in enumerate(values.items()):
            _write(sheet, last, column, value, styles.number.get(kinds.get(key, "int")))
    return last


def _table(book: "Workbook", styles: _Styles, tab: Tab) -> None:
    sheet = book.add_worksheet(tab.title)
    sheet.freeze_panes(1, 1)
    for column, spec in enumerate(tab.columns):
        sheet.set_column(column, column, min(_WIDEST, spec.width))
        sheet.write_string(0, column, spec.heading, styles.head)
    for row, values in enumerate(tab.rows.iter_rows(), start=1):
        for column, (spec, value) in enumerate(zip(tab.columns, values, strict=True)):
            _write(sheet, row, column, value, styles.number.get(spec.kind))
    bottom = max(1, tab.rows.height)
    sheet.autofilter(0, 0, bottom, len(tab.columns) - 1)
    for column, spec in enumerate(tab.columns):
        if spec.kind == "state":
            for sign in SIGNS.values():
                rule = {"type": "cell", "criteria": "==", "value": f'"{sign.mark} {sign.word}"', "format": styles.tone[sign.tone]}
                sheet.conditional_format(1, column, bottom, column, rule)


def _write(sheet: "Worksheet", row: int, column: int, value: Any, style: "Format | None") -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, int | float):
        sheet.write_number(row, column, value, style)
    elif isinstance(value, datetime):
        sheet.write_datetime(row, column, value, style)
    else:
        sheet.write_string(row, column, str(value))
