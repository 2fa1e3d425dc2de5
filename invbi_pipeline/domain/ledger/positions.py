"""Positions: what each shelf holds, owes and may give, per sku and location."""

import polars as pl

from invbi_pipeline.domain.frames import POSITIONS
from invbi_pipeline.domain.steps import beside, ordered

__all__ = ["available", "free", "positions"]

_SHELF = ("location", "sku")


def free(on_hand: pl.Expr, unavailable: pl.Expr, reserved: pl.Expr, undecided: pl.Expr) -> pl.Expr:
    """Return free = max(0, on_hand - unavailable) - reserved (design, Arithmetic), units; may be negative.

    Undecided units have left for certain, and only their being in the anchor is not: they are taken off what is on hand.
    """
    return (on_hand - undecided - unavailable).clip(lower_bound=0) - reserved


def available(free_units: pl.Expr, safety: pl.Expr) -> pl.Expr:
    """Return available = free - min(safety, max(0, free)): safety withholds what is there, never what is not."""
    return free_units - pl.min_horizontal(safety, free_units.clip(lower_bound=0))


def positions(
    shelves: pl.LazyFrame, reservations: pl.LazyFrame, unavailable: pl.LazyFrame, incoming: pl.LazyFrame, safety: pl.LazyFrame
) -> pl.LazyFrame:
    """Return POSITIONS, one row a (sku, location) that is anchored or owes something, in that order.

    `shelves` is of `Ledger`; `unavailable` and `incoming` are HELD; `safety` is location, sku, safety_stock (none: 0). A shelf
    that was never anchored has no on_hand and gives nothing, while its reservations still count.
    """
    owed = reservations.filter(pl.col("location") != "").group_by(_SHELF).agg(reserved=pl.col("units").sum()).collect()
    held = unavailable.group_by(_SHELF).agg(unavailable=pl.col("units").sum()).collect()
    coming = incoming.group_by(_SHELF).agg(incoming=pl.col("units").sum()).collect()
    known = shelves.select(*_SHELF, "on_hand", "anchored_at", "undecided").collect()
    rows = pl.concat([known, owed.select(_SHELF).join(known, on=_SHELF, how="anti")], how="diagonal")
    for terms in (owed, held, coming, safety.select(*_SHELF, "safety_stock").collect()):
        rows = beside(rows, terms, _SHELF)
    numbers = ["reserved", "unavailable", "incoming", "undecided", "safety_stock"]
    units = pl.col("on_hand").fill_null(0)
    return (
        ordered(rows, "sku", "location")
        .lazy()
        .with_columns(pl.col(numbers).fill_null(0))
        .with_columns(free=free(units, pl.col("unavailable"), pl.col("reserved"), pl.col("undecided")))
        .with_columns(available=available(pl.col("free"), pl.col("safety_stock")))
        .select(*POSITIONS)
    )
