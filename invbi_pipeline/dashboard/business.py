"""The business on one screen: what sells where, how long the stock lasts, what money lies in it, and whether it gets better."""

from datetime import date, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.dashboard.model import Business, Column, DashboardInputs, Figure, Tab, Tone, percent

__all__ = ["business", "stock_tab"]

_WEEK: Final = timedelta(days=7)
_MOST: Final = 8  # rows of a short list: what fits beside the others
_DAYS: Final = 14  # of the day-by-day table
_SOON: Final = 7.0  # days of cover below which an A sku is worth a word
_IDLE: Final = ("slow", "still")
_CLASSES: Final = ("A", "B", "C", "unpriced")
_MOVES: Final = ("fast", "steady", "slow", "still", "out", "none", "unknown")


def business(inputs: DashboardInputs, currency: str) -> Business:
    """Return the figures, tables and charts' rows of these frames; `currency` is that of all money.

    A week is the seven business days that end with the newest one known. What has no price or cost is counted apart.
    """
    today = inputs.sales["day"].max()
    recent = inputs.sales.filter(pl.col("day") > today - _WEEK) if isinstance(today, date) else inputs.sales
    tables = [
        _channels(inputs, recent),
        _runs_out(inputs.cover),
        _idle(inputs.cover),
        _days(inputs.daily),
    ]
    return Business(
        figures=[
            _sold(inputs.sales, recent, currency),
            _held(inputs.cover, currency),
            _lasts(inputs.cover),
            _hardly_moves(inputs.cover, currency),
            _right(inputs.daily),
        ],
        classes=_classes(inputs.cover),
        tables=tables,
        sales=inputs.sales.sort("day", "system").select("day", "system", "revenue", "units_sold"),
        moves=_by_move(inputs.cover),
    )


def stock_tab(cover: pl.DataFrame, currency: str) -> Tab:
    """Return every sku with its class, its rate, how long its stock lasts and what it cost."""
    columns = [
        Column("sku", "SKU", width=20),
        Column("title", "Title", width=30),
        Column("abc_class", "Class", width=9),
        Column("moves", "Moves", "code", 9),
        Column("units", "On hand", "int", 9),
        Column("units_sold", "Units sold", "int", 9),
        Column("daily_rate", "Sold a day", "hours", 8),
        Column("days_of_cover", "Lasts (days)", "hours", 8),
        Column("tied_up", f"At cost ({currency})", "money", 13),
        Column("last_sale_at", "Last sale", "time", 17),
    ]
    rows = cover.sort("tied_up", "sku", descending=[True, False], nulls_last=True).rename({"on_hand": "units"})
    note = "Most money first. Class: A brings the first 80 % of the revenue, B the next 15 %, C the rest."
    return Tab("Stock", columns, rows.select([c.key for c in columns]), note)


def _sum(frame: pl.DataFrame, name: str) -> float:
    return float(frame[name].sum() or 0.0)


def _sold(sales: pl.DataFrame, recent: pl.DataFrame, currency: str) -> Figure:
    before = sales.join(recent, on=["day", "system"], how="anti").filter(pl.col("day") > pl.col("day").max() - _WEEK)
    now, then = _sum(recent, "revenue"), _sum(before, "revenue")
    unpriced = int(_sum(recent, "unpriced_units"))
    whole = before["day"].n_unique() == _WEEK.days
    trend = f", {abs(now / then - 1):.0%} {'more' if now >= then else 'less'} than the week before" if whole and then else ""
    note = f"{_sum(recent, 'units_sold'):,.0f} units in {_sum(recent, 'orders'):,.0f} orders{trend}"
    return Figure("Sold in 7 days", f"{currency} {now:,.0f}", note + (f"; {unpriced:,} units unpriced" if unpriced else ""))


def _held(cover: pl.DataFrame, currency: str) -> Figure:
    unpriced = int(_sum(cover, "unpriced_units"))
    note = f"{_sum(cover, 'on_hand'):,.0f} units on hand" + (f", {unpriced:,} of them without a cost" if unpriced else "")
    return Figure("Stock at cost", f"{currency} {_sum(cover, 'tied_up'):,.0f}", note)


def _lasts(cover: pl.DataFrame) -> Figure:
    rate = _sum(cover.filter(pl.col("on_hand").is_not_null()), "daily_rate")
    soon = cover.filter((pl.col("abc_class") == "A") & (pl.col("days_of_cover") < _SOON)).height
    note = f"{soon} of the best sellers run out within {_SOON:.0f} days" if soon else "no best seller runs out within 7 days"
    value = f"{_sum(cover, 'on_hand') / rate:,.0f} days" if rate else "–"
    return Figure("Stock lasts", value, note, Tone.WATCH if soon else Tone.GOOD)


def _hardly_moves(cover: pl.DataFrame, currency: str) -> Figure:
    idle = cover.filter(pl.col("moves").is_in(_IDLE))
    share = _sum(idle, "tied_up") / _sum(cover, "tied_up") if _sum(cover, "tied_up") else None
    note = f"{percent(share)} of it, in {idle.height} SKUs without a sale or with more than 90 days of stock"
    return Figure("Hardly moves", f"{currency} {_sum(idle, 'tied_up'):,.0f}", note, Tone.WATCH if idle.height else Tone.GOOD)


def _right(daily: pl.DataFrame) -> Figure:
    counted = daily.filter(pl.col("counts") > 0)
    counts, right = _sum(counted, "counts"), float((counted["counts"] * counted["record_accuracy"]).sum() or 0.0)
    note = (
        f"{right:.0f} of {counts:.0f} physical counts found the record right"
        if counts
        else "no physical count since the first run"
    )
    return Figure("Records right", percent(right / counts if counts else None), note)


def _channels(inputs: DashboardInputs, recent: pl.DataFrame) -> Tab:
    columns = [
        Column("system", "Channel", width=15),
        Column("revenue", "Sold in 7 days", "money", 13),
        Column("units", "Units", "int", 8),
        Column("orders", "Orders", "int", 8),
        Column("units_shown", "Shown now", "int", 10),
        Column("cancel_rate", "Cancelled", "percent", 10),
        Column("seller_caused_rate", "For want of stock", "percent", 10),
        Column("limit_rate", "Limit", "percent", 8),
        Column("verdict", "", width=20),
    ]
    sold = recent.group_by("system").agg(
        revenue=_total("revenue"),
        units=pl.col("units_sold").sum(),
        orders=pl.col("orders").sum(),
        units_shown=pl.col("units_shown").sort_by("day").last(),
    )
    rows = sold.join(inputs.cancellations, on="system", how="full", coalesce=True).sort("system")
    note = "Cancelled: of the orders of 30 days, or of the days for which the platform sets its limit on those for want of stock."
    return Tab("Channels", columns, rows.select([c.key for c in columns]), note)


def _classes(cover: pl.DataFrame) -> Tab:
    columns = [
        Column("abc_class", "Class", width=9),
        Column("skus", "SKUs", "int", 8),
        Column("share", "Of the revenue", "percent", 10),
        Column("units_sold", "Units sold", "int", 10),
        Column("units", "On hand", "int", 9),
        Column("tied_up", "At cost", "money", 13),
    ]
    rank = pl.col("abc_class").replace_strict({name: n for n, name in enumerate(_CLASSES)}, default=9, return_dtype=pl.Int64)
    whole = _sum(cover, "revenue")
    rows = (
        cover.group_by("abc_class")
        .agg(
            pl.col("units_sold").sum(),
            skus=pl.len().cast(pl.Int64),
            share=pl.col("revenue").sum() / whole if whole else pl.lit(None, pl.Float64),
            units=pl.col("on_hand").sum(),
            tied_up=_total("tied_up"),
        )
        .sort(rank)
    )
    note = "A brings the first 80 % of the revenue, B the next 15 %, C the rest; of 28 days, or of all we know."
    return Tab("Best sellers and the rest", columns, rows.select([c.key for c in columns]), note)


def _total(name: str) -> pl.Expr:
    """Return the sum; null where none of it is known."""
    return pl.when(pl.col(name).count() > 0).then(pl.col(name).sum())


def _runs_out(cover: pl.DataFrame) -> Tab:
    columns = [
        Column("sku", "SKU", width=20),
        Column("abc_class", "Class", width=8),
        Column("units", "On hand", "int", 8),
        Column("daily_rate", "Sold a day", "hours", 8),
        Column("days_of_cover", "Lasts (days)", "hours", 8),
    ]
    rows = cover.filter(pl.col("abc_class").is_in(("A", "B")) & pl.col("days_of_cover").is_not_null())
    rows = rows.sort("days_of_cover", "revenue", descending=[False, True]).head(_MOST).rename({"on_hand": "units"})
    return Tab(
        "Runs out first", columns, rows.select([c.key for c in columns]), "Of classes A and B, at the rate of the last 28 days."
    )


def _idle(cover: pl.DataFrame) -> Tab:
    columns = [
        Column("sku", "SKU", width=20),
        Column("units", "On hand", "int", 8),
        Column("days_of_cover", "Lasts (days)", "hours", 8),
        Column("tied_up", "At cost", "money", 12),
        Column("moves", "Moves", "code", 8),
    ]
    rows = cover.filter(pl.col("moves").is_in(_IDLE)).sort("tied_up", "sku", descending=[True, False], nulls_last=True)
    rows = rows.head(_MOST).rename({"on_hand": "units"}).select([c.key for c in columns])
    return Tab("Money that hardly moves", columns, rows, "Slow: more than 90 days of stock. Still: no sale in 28 days.")


def _days(daily: pl.DataFrame) -> Tab:
    columns = [
        Column("day", "Day", width=11),
        Column("parity", "Parity", "percent", 8),
        Column("discrepancy_units", "Units apart", "int", 9),
        Column("record_accuracy", "Records right", "percent", 9),
        Column("lag_min", "Order lag, 95 % (min)", "hours", 10),
        Column("findings_opened", "Findings opened", "int", 9),
        Column("resolved_by_machine", "Ended by invbi", "int", 9),
        Column("resolved_by_people", "By people", "int", 8),
        Column("resolved_by_itself", "By itself", "int", 8),
    ]
    rows = (
        daily.sort("day", descending=True)
        .head(_DAYS)
        .with_columns(pl.col("day").dt.strftime("%Y-%m-%d"), lag_min=pl.col("lag_p95_s") / 60)
    )
    note = "Newest first. By people: it ended otherwise than by a correction after a person had taken it."
    return Tab("Day by day", columns, rows.select([c.key for c in columns]), note)


def _by_move(cover: pl.DataFrame) -> pl.DataFrame:
    rank = pl.col("moves").replace_strict({name: n for n, name in enumerate(_MOVES)}, default=9, return_dtype=pl.Int64)
    return (
        cover.filter(pl.col("on_hand") > 0)
        .group_by("moves")
        .agg(skus=pl.len().cast(pl.Int64), units=pl.col("on_hand").sum(), tied_up=_total("tied_up"))
        .sort(rank)
    )
