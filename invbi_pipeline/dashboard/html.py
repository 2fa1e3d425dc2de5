"""The dashboard as one self-contained HTML page: no scripts, no network, everything from outside escaped."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from invbi_pipeline.dashboard.charts import codes_chart, history_chart, moves_chart, sales_chart
from invbi_pipeline.dashboard.model import SIGNS, Column, Dashboard, Tab, marked, percent, written

__all__ = ["render_html", "write_html"]

# A page is read, not computed with: longer tables are in the workbook and the sheet, and the page says so.
_MOST_ROWS: Final = 250
_NUMBERS: Final = ("int", "money", "hours", "percent")  # kinds that stand to the right
_TONE_OF_MARK: Final[Mapping[str, str]] = {marked(state): str(sign.tone) for state, sign in SIGNS.items()}


def render_html(dashboard: Dashboard) -> str:
    """Return the page as text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    env = Environment(
        loader=PackageLoader("invbi_pipeline.dashboard", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    env.filters["cell"] = _cell
    env.filters["ago"] = _ago
    env.filters["percent"] = percent
    page = env.get_template("dashboard.html.j2")
    return page.render(
        d=dashboard,
        marked=marked,
        written=written,
        tone_of=_TONE_OF_MARK,
        history=history_chart(dashboard),
        codes=codes_chart(dashboard),
        sales=sales_chart(dashboard),
        moves=moves_chart(dashboard),
        numbers=_NUMBERS,
        tabs=[dashboard.exceptions, dashboard.corrections, dashboard.parity, dashboard.stock, dashboard.counts],
        most=_MOST_ROWS,
        seen=_seen,
    )


def write_html(dashboard: Dashboard, path: Path) -> None:
    """Write the page; readers of the old one never see half of the new one."""
    fresh = path.with_suffix(".tmp")
    fresh.write_text(render_html(dashboard), encoding="utf-8")
    fresh.replace(path)


def _seen(tab: Tab) -> list[Column]:
    """Return the columns worth their room on a page: not the ids (rows carry them), nor those in which nothing stands."""
    empty = {c.key for c in tab.columns if c.kind == "text" and not (tab.rows[c.key].fill_null("") != "").any()}
    return [c for c in tab.columns if c.key != "finding_id" and c.key not in empty]


def _cell(value: Any, column: Column) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, datetime):
        return value.strftime("%d\u00a0%b %H:%M")
    if column.kind == "int":
        return f"{value:,}"
    if column.kind == "money":
        return f"{value:,.2f}"
    if column.kind == "percent":
        return percent(value)
    if column.kind == "hours":
        return f"{value:,.1f}"
    return str(value)


def _ago(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
