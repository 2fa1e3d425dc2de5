"""The dashboard as a workbook that opens without a Google account. Text from outside is written as text, never as a formula."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from invbi_pipeline.dashboard.model import SIGNS, Dashboard, Figure, Tab, Tone, marked, written

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
_LINE: Final = 15.0  # points: the height of a line
_LETTERS: Final = 1.1  # letters of a usual text in the width of one digit, which is what a column's width is counted in
_FILTER: Final = 2  # characters that the filter's mark takes of a heading
_A4: Final = 9  # the paper's number in the file format
_MOST_RUNS: Final = 200
_MOST_DAYS: Final = 28  # of the sales by day
_RUNS: Final = {"run": "time", "parity": "percent", "comparable": "int", "agreed": "int"}


def write_xlsx(dashboard: Dashboard, path: Path, more: Sequence[Tab] = ()) -> None:
    """Write the workbook: Overview, Business, Parity, Exceptions, Corrections and Stock; the old one is replaced at once."""
    import xlsxwriter

    fresh = path.with_suffix(".tmp")
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "remove_timezone": True}
    with xlsxwriter.Workbook(str(fresh), options) as book:
        styles = _Styles(book)
        _overview(book, styles, dashboard)
        _business(book, styles, dashboard)
        for tab in (dashboard.parity, dashboard.exceptions, dashboard.corrections, dashboard.stock, dashboard.counts, *more):
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
        self.top = book.add_format({"valign": "top"})
        self.wrap = book.add_format({"text_wrap": True, "valign": "top"})
        self.number = {kind: book.add_format({"num_format": code, "valign": "top"}) for kind, code in _NUMBER.items()}
        self.tone = {
            t: book.add_format({"bg_color": _FILL[t], "font_color": _INK[t], "bold": t in (Tone.BAD, Tone.WATCH)}) for t in Tone
        }
        self.value = {t: book.add_format({"bold": True, "font_size": 20, "font_color": _INK[t]}) for t in Tone}


def _overview(book: "Workbook", styles: _Styles, dashboard: Dashboard) -> None:
    sheet = _headed(book, styles, "Overview", f"{dashboard.title}: stock parity", dashboard, dashboard.figures)
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


def _headed(
    book: "Workbook", styles: _Styles, tab: str, title: str, dashboard: Dashboard, figures: Sequence[Figure]
) -> "Worksheet":
    """Make a tab that is read, not filtered: its title, as of when, and its figures in the first six rows."""
    sheet = book.add_worksheet(tab)
    sheet.hide_gridlines(2)
    sheet.set_landscape()
    sheet.set_paper(_A4)
    sheet.fit_to_pages(1, 0)
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 9, 21)
    sheet.write_string(0, 0, title, styles.title)
    sheet.write_string(1, 0, dashboard.generated_at.strftime("As of %d %b %Y %H:%M UTC"), styles.label)
    sheet.set_row(4, 28)
    sheet.set_row(5, 48)
    for column, figure in enumerate(figures):
        sheet.write_string(3, column, figure.label, styles.label)
        sheet.write_string(4, column, figure.value, styles.value[figure.tone])
        sheet.write_string(5, column, figure.note, styles.note)
    return sheet


def _business(book: "Workbook", styles: _Styles, dashboard: Dashboard) -> None:
    shown = dashboard.business
    sheet = _headed(book, styles, "Business", f"{dashboard.title}: the business", dashboard, shown.figures)
    row = 6
    for table in (*shown.tables, shown.classes):
        rows = [{c.heading: written(values[c.key], c, values) for c in table.columns} for values in table.rows.to_dicts()]
        kinds = {c.heading: c.kind for c in table.columns if c.kind in _NUMBER}
        row = _block(sheet, styles, row + 1, table.title, rows, kinds)
        sheet.write_string(row + 1, 0, table.note, styles.label)
        row += 2
    days = shown.sales.pivot("system", index="day", values="revenue").sort("day").tail(_MOST_DAYS)
    days = days.with_columns(pl.col("day").dt.strftime("%Y-%m-%d"))
    kinds = dict.fromkeys(days.columns[1:], "money")
    last = _block(sheet, styles, row + 1, f"Sold by day ({dashboard.currency})", days.to_dicts(), kinds)
    if days.height:
        _sales_chart(book, sheet, (row + 3, last), days.columns)


def _sales_chart(book: "Workbook", sheet: "Worksheet", days: tuple[int, int], columns: Sequence[str]) -> None:
    first, last = days
    chart = book.add_chart({"type": "column", "subtype": "stacked"})
    for number, system in enumerate(columns[1:], start=1):
        places = {"categories": ["Business", first, 0, last, 0], "values": ["Business", first, number, last, number]}
        chart.add_series({"name": system, **places, "gap": 40})
    chart.set_legend({"position": "top"})
    chart.set_title({"name": "Sold by day", "name_font": {"size": 11}})
    chart.set_y_axis({"num_format": "#,##0", "major_gridlines": {"visible": True, "line": {"color": "#D9E0E6"}}})
    chart.set_size({"width": 600, "height": 280})
    sheet.insert_chart(first - 2, len(columns) + 1, chart, {"description": "Revenue by day and channel"})


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
    sheet.set_row(0, _LINE * max(_lines(spec.heading, spec.width - _FILTER) for spec in tab.columns))
    for row, values in enumerate(tab.rows.iter_rows(named=True), start=1):
        lines = 1
        for column, spec in enumerate(tab.columns):
            value, sentence = written(values[spec.key], spec, values), spec.width > _WRAPPED
            _write(sheet, row, column, value, styles.number.get(spec.kind, styles.wrap if sentence else styles.top))
            lines = max(lines, _lines(value, spec.width)) if sentence and isinstance(value, str) else lines
        if lines > 1:
            sheet.set_row(row, _LINE * lines)
    bottom = max(1, tab.rows.height)
    sheet.autofilter(0, 0, bottom, len(tab.columns) - 1)
    for column, spec in enumerate(tab.columns):
        if spec.kind == "state":
            for sign in SIGNS.values():
                rule = {"type": "cell", "criteria": "==", "value": f'"{sign.mark} {sign.word}"', "format": styles.tone[sign.tone]}
                sheet.conditional_format(1, column, bottom, column, rule)


def _lines(text: str, width: int) -> int:
    """Return how many lines a text takes: not every program finds out by itself how high a row of wrapped text is."""
    letters = int(min(_WIDEST, width) * _LETTERS)
    return 1 if len(text) <= letters else len(wrap(text, letters))


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
