"""Unsellable units: goods that a system calls damaged and that are counted among what is for sale."""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.candidates import candidates, nothing, plural
from invbi_pipeline.domain.shelf.limits import BACK_TO
from invbi_pipeline.domain.steps import any_row
from invbi_pipeline.domain.words import MovementKind, ReturnState

__all__ = ["counted_as_sellable"]

_SHELF: Final = ("location", "sku")


def counted_as_sellable(told: pl.LazyFrame, own: pl.LazyFrame, anchors: pl.LazyFrame, now: datetime) -> pl.LazyFrame:
    """Return CANDIDATES `unsellable_counted`: returned as damaged, and put back on sale.

    Over once the owner booked as many as damaged, or counted the shelf, since. `told` is `returns.told_returns`, `own` is of
    `movements.Moves`, `anchors` as `anchors.anchors` makes them. One row a shelf.
    """
    bad = told.filter(pl.col("damaged") & (pl.col("state") == ReturnState.RESTOCKED) & (pl.col("occurred_at") > now - BACK_TO))
    if not any_row(bad):
        return nothing()
    fresh = bad.join(anchors.select(*_SHELF, "counted_at"), on=_SHELF, how="left").filter(
        pl.col("counted_at").is_null() | (pl.col("counted_at") < pl.col("occurred_at"))
    )
    shelves = (
        fresh.sort("occurred_at", "event_id")
        .group_by("system", *_SHELF, maintain_order=True)
        .agg(
            put_back=pl.col("units").sum(),
            since=pl.col("occurred_at").first(),
            returns=pl.col("return_id").unique(maintain_order=True),
            orders=pl.col("order_id").unique(maintain_order=True),
        )
    )
    gone = (
        own.filter(pl.col("kind") == MovementKind.DAMAGE)
        .join(shelves.select("since", *_SHELF), on=_SHELF)
        .filter(pl.col("booked_at") >= pl.col("since"))
        .group_by(_SHELF)
        .agg(gone=-pl.col("units").sum())
    )
    left = (
        shelves.join(gone, on=_SHELF, how="left")
        .with_columns(units=pl.col("put_back") - pl.col("gone").fill_null(0))
        .filter(pl.col("units") > 0)
    )
    cause = pl.format(
        "{} of {} came back damaged (return {} in {}, {}) and {} put on sale again at {}.",
        *("units", "sku"),
        pl.col("returns").list.first(),
        "system",
        pl.col("since").dt.strftime("%-d %B"),
        plural("units", "was", "were"),
        "location",
    )
    evidence = {name: pl.col(name) for name in ("returns", "orders", "since", "put_back")}
    return candidates(left, "unsellable_counted", cause, evidence)
