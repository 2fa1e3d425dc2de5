"""How the command line speaks: tables for people, JSON and CSV for machines, errors that say what to do next."""

import json
import sys
from datetime import datetime
from enum import StrEnum
from typing import Any

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from invbi_pipeline.errors import AmbiguousWrite, ConfigError, InvbiError, TransientError

__all__ = ["Exit", "Format", "emit", "err", "out", "report_error", "say"]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


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


def say(text: str) -> None:
    """Print a line for people on standard error, so that standard output stays clean for machines."""
    err.print(escape(text))


def emit(frame: pl.DataFrame, fmt: Format, *, title: str = "", limit: int | None = None) -> None:
    """Print a frame as a table, as JSON lines or as CSV. Only the table is cut to `limit` rows, and says so."""
    if fmt is Format.CSV:
        sys.stdout.write(frame.write_csv())
        return
    if fmt is Format.JSON:
        for row in frame.iter_rows(named=True):
            sys.stdout.write(json.dumps(row, default=str, ensure_ascii=False) + "\n")
        return
    shown = frame if limit is None else frame.head(limit)
    table = Table(title=escape(title) or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for name, kind in shown.schema.items():
        heading, whole = name.replace("_", " "), kind.is_temporal()
        widest = max(map(len, heading.split()), default=0)  # cells may fold, a word of the heading never
        table.add_column(
            heading, justify="right" if kind.is_numeric() else "left", overflow="fold", no_wrap=whole, min_width=widest
        )
    for cells in shown.iter_rows():
        table.add_row(*(escape(_cell(value)) for value in cells))
    out.print(table)
    if shown.height < frame.height:
        out.print(f"... {frame.height - shown.height} more; --limit 0 shows all, --format csv writes them for a spreadsheet")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, float):
        return f"{value:,.2f}"
    return str(value)


def report_error(trouble: InvbiError) -> int:
    """Print what happened and how to mend it; return the exit code."""
    err.print(f"[bold red]error[/] {escape(str(trouble))}")
    if isinstance(trouble, ConfigError):
        for where, what, mend in trouble.problems:
            err.print(f"  [bold]{escape(where)}[/]\n    {escape(what)}\n    to mend it: {escape(mend)}")
        return Exit.USAGE
    if isinstance(trouble, TransientError | AmbiguousWrite):
        return Exit.PARTLY
    return Exit.FINDINGS
