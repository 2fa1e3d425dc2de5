"""The dashboard as a workbook that opens without a Google account. Text from outside is written as text, never as a formula."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from invbi_pipeline.dashboard.model import SIGNS, Dashboard, Tab, Tone, marked, written

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
_WRAPPED: Final = 30  # characters; wider columns hold sentences
_A4: Final = 9  # the paper's number in the file format
_MOST_RUNS: Final = 200
_RUNS: Final = {"run": "time", "parity": "percent", "comparable": "int", "agreed": "int"}


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
        self.number_head = book.add_format({"bold": True, "bg_color": "#E9EEF2", "bottom": 1, "align": "right"})
        self.title = book.add_format({"bold": True, "font_size": 16})
        self.label = book.add_format({"font_color": "#52606D"})
        self.note = book.add_format({"font_color": "#52606D", "text_wrap": True, "valign": "top"})
        self.bold = book.add_format({"bold": True})
        self.wrap = book.add_format({"text_wrap": True, "valign": "top"})
        self.number = {kind: book.add_format({"num_format": code, "valign": "top"}) for kind, code in _NUMBER.items()}
        self.tone = {
            t: book.add_format({"bg_color": _FILL[t], "font_color": _INK[t], "bold": t in (Tone.BAD, Tone.WATCH)}) for t in Tone
        }
        self.value = {t: book.add_format({"bold": True, "font_size": 20, "font_color": _INK[t]}) for t in Tone}


def _overview(book: "Workbook", styles: _Styles, dashboard: Dashboard) -> None:
    sheet = book.add_worksheet("Overview")
    sheet.hide_gridlines(2)
    sheet.set_landscape()
    sheet.set_paper(_A4)
    sheet.fit_to_pages(1, 0)
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 9, 21)
    sheet.write_string(0, 0, f"{dashboard.title}: stock parity", styles.title)
    sheet.write_string(1, 0, dashboard.generated_at.strftime("As of %d %b %Y %H:%M UTC"), styles.label)
    sheet.set_row(4, 28)
    sheet.set_row(5, 48)
    for column, figure in enumerate(dashboard.figures):
        sheet.write_string(3, column, figure.label, styles.label)
        sheet.write_string(4, column, figure.value, styles.value[figure.tone])
        sheet.write_string(5, column, figure.note, styles.note)
    row = _todos(sheet, styles, dashboard, 7)
    channels = dashboard.channels.select(
        "system", "platform", "mode", "parity", "points", "age_s", "order_lag_s", "verdict", "reason"
    )
    channels = channels.rename({"age_s": "read (s ago)", "order_lag_s": "order lag (s)", "verdict": "feed", "reason": "why"})
    kinds = {"parity": "percent", "points": "int", "read (s ago)": "int", "order lag (s)": "int"}
    row = _block(sheet, styles, row + 2, "Systems", channels.to_dicts(), kinds)
    money = f"money ({dashboard.currency})"
    codes = dashboard.codes.select("code", "severity", "open", "units", pl.col("money").alias(money), "oldest_hours")
    kinds = {"open": "int", "units": "int", money: "money", "oldest_hours": "hours"}
    beside = row + 2
    row = _block(sheet, styles, row + 2, "Open findings by kind", codes.to_dicts(), kinds)
    states = [{"state": marked(state), "points": points} for state, points in dashboard.states.iter_rows()]
    row = _block(sheet, styles, row + 2, "Points by state", states, {"points": "int"})
    first = row + 4
    history = dashboard.history.tail(_MOST_RUNS).select(run="ended_at", parity="parity", comparable="comparable", agreed="agreed")
    row = _block(sheet, styles, row + 2, "Parity history", history.to_dicts(), _RUNS)
    if history.height:
        _chart(book, sheet, beside, (first, row), float(history["parity"].fill_null(1.0).to_numpy().min()))


def _todos(sheet: "Worksheet", styles: _Styles, dashboard: Dashboard, row: int) -> int:
    """Write what to do first, each with a link to its finding; long sentences run over the empty cells to their right."""
    sheet.write_string(row, 0, "Do first", styles.bold)
    if not dashboard.todos:
        sheet.write_string(row + 1, 0, "nothing is waiting for a person", styles.label)
        return row + 1
    rows = {finding: n for n, finding in enumerate(dashboard.exceptions.rows["finding_id"], start=2)}
    for todo in dashboard.todos:
        sheet.write_string(row + 1, 0, todo.severity, styles.bold)
        sheet.write_url(row + 1, 1, f"internal:'Exceptions'!A{rows[todo.anchor]}", string=todo.text)
        sheet.write_string(row + 2, 1, todo.action, styles.label)
        row += 2
    return row


def _chart(book: "Workbook", sheet: "Worksheet", row: int, runs: tuple[int, int], lowest: float) -> None:
    first, last = runs
    chart = book.add_chart({"type": "line"})
    chart.add_series(
        {
            "name": "Parity rate",
            "categories": ["Overview", first, 0, last, 0],
            "values": ["Overview", first, 1, last, 1],
            "line": {"color": "#0B6E4F", "width": 2},
            "marker": {"type": "circle", "size": 5, "fill": {"color": "#0B6E4F"}, "border": {"color": "#0B6E4F"}},
        }
    )
    chart.set_legend({"none": True})
    chart.set_title({"name": "Parity over the runs", "name_font": {"size": 11}})
    chart.set_x_axis({"num_format": "dd mmm hh:mm", "text_axis": True})
    chart.set_y_axis({"num_format": "0.0%", "min": max(0.0, (int(lowest * 100) - 1) / 100), "max": 1})
    chart.set_size({"width": 600, "height": 250})
    sheet.insert_chart(row, 6, chart, {"description": "Parity rate over the runs"})


def _block(
    sheet: "Worksheet", styles: _Styles, row: int, title: str, rows: list[dict[str, Any]], kinds: Mapping[str, str]
) -> int:
    """Write a small table; return its last row."""
    sheet.write_string(row, 0, title, styles.bold)
    if not rows:
        sheet.write_string(row + 1, 0, "none", styles.label)
        return row + 1
    for column, key in enumerate(rows[0]):
        sheet.write_string(row + 1, column, key.replace("_", " "), styles.number_head if key in kinds else styles.head)
    last = row + 1
    for values in rows:
        last += 1
        for column, (key, value) in enumerate(values.items()):
            _write(sheet, last, column, value, styles.number.get(kinds.get(key, "")))
    return last


def _table(book: "Workbook", styles: _Styles, tab: Tab) -> None:
    sheet = book.add_worksheet(tab.title)
    sheet.freeze_panes(1, 1)
    sheet.set_landscape()
    sheet.set_paper(_A4)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    for column, spec in enumerate(tab.columns):
        sheet.set_column(column, column, min(_WIDEST, spec.width))
        sheet.write_string(0, column, spec.heading, styles.head)
    for row, values in enumerate(tab.rows.iter_rows(named=True), start=1):
        for column, spec in enumerate(tab.columns):
            style = styles.number.get(spec.kind, styles.wrap if spec.width > _WRAPPED else None)
            _write(sheet, row, column, written(values[spec.key], spec, values), style)
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
        sheet.write_string(row, column, str(value), style)
