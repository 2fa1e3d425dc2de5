"""The tie-out as a page that a bookkeeper can print and sign, and as a table of the workbook. No scripts, no network."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from invbi_pipeline.dashboard.model import Column, Tab, clean, readable
from invbi_pipeline.domain.ledger.tieout import KINDS, TieOut
from invbi_pipeline.domain.words import MovementKind

__all__ = ["Statement", "render_tieout", "statements", "tieout_tab", "write_tieout"]

_MOST_ROWS: Final = 200  # of what a remainder is made of, on paper; the workbook and `--format csv` have every one
_MINUS: Final = "\N{MINUS SIGN}"
_SAID: Final[Mapping[str, str]] = {
    MovementKind.SALE: "Sales",
    MovementKind.CANCEL: "Cancelled orders, back on the shelf",
    MovementKind.RETURN: "Returns, back on the shelf",
    MovementKind.RECEIPT: "Receipts",
    MovementKind.TRANSFER_OUT: "Transfers out",
    MovementKind.TRANSFER_IN: "Transfers in",
    MovementKind.ADJUSTMENT: "Adjustments",
    MovementKind.DAMAGE: "Damage",
    MovementKind.COUNT: "Count differences",
    MovementKind.UNEXPLAINED: "Unexplained: no movement tells of it",
}
_SHORT: Final[Mapping[str, str]] = {
    MovementKind.SALE: "Sale",
    MovementKind.CANCEL: "Cancel",
    MovementKind.RETURN: "Return",
    MovementKind.RECEIPT: "Receipt",
    MovementKind.TRANSFER_OUT: "Transfer out",
    MovementKind.TRANSFER_IN: "Transfer in",
    MovementKind.ADJUSTMENT: "Adjusted",
    MovementKind.DAMAGE: "Damage",
    MovementKind.COUNT: "Count",
    MovementKind.UNEXPLAINED: "Unexplained",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """One place's book over the period. `lines` are (what, units, money at cost); the first is the opening, the last the closing.

    `days` and `rest` are rows by column; `notes` say what the reader must know of them.
    """

    system: str
    location: str
    zone: str
    starts_at: datetime  # this and the two below: the place's own time
    ends_at: datetime
    known_at: datetime
    lines: tuple[tuple[str, int, float], ...]
    days: tuple[Mapping[str, Any], ...]
    rest: tuple[Mapping[str, Any], ...]
    more: int  # rows of the remainder beyond those
    notes: tuple[str, ...]

    @property
    def unexplained(self) -> tuple[int, float]:
        """Return the remainder in units and at cost."""
        _, units, money = self.lines[-2]
        return units, money


def statements(told: TieOut) -> Iterator[Statement]:
    """Yield each place's statement, by system and place."""
    remainder = readable(told.remainder)
    for place in readable(told.places).iter_rows(named=True):
        here = {"system": place["system"], "location": place["location"]}
        (total,) = _of(readable(told.totals), here).to_dicts()
        rest = _of(remainder, here).sort(pl.col("units").abs(), "sku", descending=[True, False])
        zone = ZoneInfo(place["zone"])
        yield Statement(
            **here,
            zone=place["zone"],
            starts_at=place["starts_at"].astimezone(zone),
            ends_at=place["ends_at"].astimezone(zone),
            known_at=told.known_at.astimezone(zone),
            lines=tuple(_lines(total)),
            days=tuple(_of(told.days, here).to_dicts()),
            rest=tuple(_local(row, zone) for row in rest.head(_MOST_ROWS).iter_rows(named=True)),
            more=max(0, rest.height - _MOST_ROWS),
            notes=tuple(_notes(place, total, zone)),
        )


def _of(frame: pl.DataFrame, place: Mapping[str, str]) -> pl.DataFrame:
    return frame.filter((pl.col("system") == place["system"]) & (pl.col("location") == place["location"]))


def _lines(total: Mapping[str, Any]) -> Iterator[tuple[str, int, float]]:
    names = {"opening": "Opening", **_SAID, "closing": "Closing"}
    for column, said in names.items():
        yield said, total[column], total[f"money_of_{column}"]


def _local(row: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    return {name: value.astimezone(zone) if isinstance(value, datetime) else value for name, value in row.items()}


def _notes(place: Mapping[str, Any], total: Mapping[str, Any], zone: ZoneInfo) -> Iterator[str]:
    if place["first_read"] > place["starts_at"]:
        first = place["first_read"].astimezone(zone)
        yield (
            f"First read {first:%d %b %Y %H:%M}: what lies before is reckoned back from the movements that {place['system']} "
            "tells of, and nothing before it can show as unexplained."
        )
    if place["known_to"] < place["ends_at"] - timedelta(minutes=1):
        known = place["known_to"].astimezone(zone)
        yield f"Not over, or not read to its end: the numbers reach to {known:%d %b %Y %H:%M}."
    if total["uncosted"]:
        has, its = ("SKU has", "its") if total["uncosted"] == 1 else ("SKUs have", "their")
        yield f"{total['uncosted']:,} {has} no cost: {its} units are counted, {its} money is not."


def render_tieout(told: TieOut) -> str:
    """Return the page as text: a statement for each place, to be printed on A4 and signed."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    env = Environment(
        loader=PackageLoader("invbi_pipeline.dashboard", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["units"] = _units
    env.filters["money"] = _money
    page = env.get_template("tieout.html.j2")
    return page.render(t=told, title=clean(told.business), statements=list(statements(told)), kinds=KINDS, short=_SHORT)


def write_tieout(told: TieOut, path: Path) -> None:
    """Write the page; readers of the old one never see half of the new one."""
    fresh = path.with_suffix(".tmp")
    fresh.write_text(render_tieout(told), encoding="utf-8")
    fresh.replace(path)


def _units(value: int, *, signed: bool = False) -> str:
    if signed and not value:
        return "–"
    return f"{value:+,}".replace("-", _MINUS) if signed else f"{value:,}".replace("-", _MINUS)


def _money(value: float, *, signed: bool = False) -> str:
    if signed and not value:
        return "–"
    return f"{value:+,.2f}".replace("-", _MINUS) if signed else f"{value:,.2f}".replace("-", _MINUS)


def tieout_tab(told: TieOut) -> Tab:
    """Return the tie-out by place and business day as a table of the workbook."""
    columns = [
        Column("system", "System", width=13),
        Column("location", "Place", width=13),
        Column("day", "Business day", width=13),
        Column("opening", "Opening", "int", 10),
        *(Column(kind, _SHORT[kind], "int", 12) for kind in KINDS),
        Column("closing", "Closing", "int", 10),
    ]
    rows = readable(told.days.with_columns(pl.col("day").dt.to_string("%Y-%m-%d"))).select([c.key for c in columns])
    note = f"Opening + movements = closing, {told.period.name}, as known at {told.known_at:%Y-%m-%d %H:%M} UTC."
    return Tab("Tie-out", columns, rows, note)
