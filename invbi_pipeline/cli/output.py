"""How the command line speaks: tables for people, JSON and CSV for machines, errors that say what to do next."""

import json
import re
import sys
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from invbi_pipeline.dashboard.model import UNSEEN
from invbi_pipeline.errors import AmbiguousWrite, ConfigError, InvbiError, TransientError

__all__ = ["Exit", "Format", "emit", "err", "out", "plain", "report_error", "say"]

# a SKU like ":x:" is text, not a picture
out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

# What moves a terminal's cursor, turns the reading order or is not seen at all, and what cannot be written as UTF-8.
_LONG: Final = 10_000  # from here a whole number gets separators; a year, or another of four digits, reads as it is
_GAP: Final = 2  # characters between two columns, rich's padding on either side
_UNSEEN: Final = re.compile(rf"{UNSEEN}|[\ud800-\udfff]")
_FORMULA: Final = "^[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"  # OWASP's list for CSV injection, the full-width signs too
_NUMBER: Final = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"


class Format(StrEnum):
    """How a list is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class Exit:
    """Exit codes; where several hold, 2 comes first, then 4, 3, 1."""

    DONE = 0
    FINDINGS = 1
    USAGE = 2
    PARTLY = 3
    HELD = 4


def plain(text: str) -> str:
    """Return text of any origin as it may be printed: no mark-up of rich's, control and invisible characters spelled out.

    ESC becomes the four characters \\x1b: what a platform calls a thing never moves a cursor or turns a line around.
    """
    return escape(_seen(text))


def say(text: str) -> None:
    """Print a line for people on standard error, so that standard output stays clean for machines."""
    err.print(plain(text))


def emit(frame: pl.DataFrame, fmt: Format, *, title: str = "", limit: int | None = None, whole: bool = True) -> None:
    """Print a frame as a table, as JSON lines or as CSV. Only the table is cut to `limit` rows, and says so.

    `whole`: the frame has every row there is; else it has at most one more than `limit`, only to tell that there are more.
    In CSV a text that a spreadsheet would run as a formula has a quote before it, and what has parts is written as JSON.
    """
    if fmt is Format.CSV:
        sys.stdout.write(_for_spreadsheets(frame).write_csv())
        return
    if fmt is Format.JSON:
        for row in frame.iter_rows(named=True):
            sys.stdout.write(json.dumps(row, default=str, ensure_ascii=False) + "\n")
        return
    shown = frame if limit is None else frame.head(limit)
    table = Table(title=plain(title) or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    cells = [[plain(_cell(value)) for value in column.to_list()] for column in shown.iter_columns()]
    for (name, kind), told in zip(shown.schema.items(), cells, strict=True):
        heading = _seen(name).replace("_", " ")
        unfolded = kind.is_temporal() or kind.is_numeric()  # a sum that breaks in the middle reads as two
        widest = max(map(len, [*heading.split(), *(told if unfolded else ())]), default=0)  # a word of the heading never folds
        side: Literal["left", "right"] = "right" if kind.is_numeric() else "left"
        table.add_column(escape(heading), justify=side, overflow="fold", no_wrap=unfolded, min_width=widest)
    for texts in zip(*cells, strict=True):
        table.add_row(*texts)
    least = sum(column.min_width or 0 for column in table.columns) + _GAP * (len(table.columns) - 1)
    table.width = least if least > out.width else None  # on too narrow a screen lines run on: nothing is cut off
    out.print(table)
    if shown.height < frame.height:
        rest = frame.height - shown.height if whole else "there are"
        out.print(f"... {rest} more; --limit 0 shows all, --format csv writes them for a spreadsheet")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _LONG:
        return f"{value:,}"
    if isinstance(value, float):
        told = f"{value:,.2f}" if abs(value) >= 1 else f"{value:.4f}".rstrip("0")  # a rate is often less than a hundredth
        return told + "0" * max(0, 2 - len(told.partition(".")[2]))
    return str(value)


def _seen(text: str) -> str:
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def _for_spreadsheets(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame as CSV can hold it: texts that cannot be taken for a formula, headings too."""
    names = _texts(pl.Series(frame.columns, dtype=pl.String)).to_list()
    columns = [_flat(column) for column in frame.iter_columns()]
    return pl.DataFrame({name: _texts(c) if c.dtype == pl.String else c for name, c in zip(names, columns, strict=True)})


def _flat(column: pl.Series) -> pl.Series:
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        told = [None if value is None else json.dumps(value, default=str, ensure_ascii=False) for value in column.to_list()]
        return pl.Series(column.name, told, dtype=pl.String)
    return column.cast(pl.String) if column.dtype in (pl.Categorical, pl.Enum) else column


def _texts(column: pl.Series) -> pl.Series:
    run = column.str.contains(_FORMULA) & ~column.str.contains(_NUMBER)
    return column.zip_with(~run.fill_null(value=False), "'" + column)


def report_error(trouble: InvbiError) -> int:
    """Print what happened and how to mend it; return the exit code."""
    err.print(f"[bold red]error[/] {plain(str(trouble))}")
    if isinstance(trouble, ConfigError):
        for where, what, mend in trouble.problems:
            err.print(f"  [bold]{plain(where)}[/]\n    {plain(what)}\n    to mend it: {plain(mend)}")
        return Exit.USAGE
    if isinstance(trouble, TransientError | AmbiguousWrite):
        return Exit.PARTLY
    return Exit.FINDINGS
