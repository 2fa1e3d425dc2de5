"""Reservations that went stale: orders that will never ship and still hold units."""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.candidates import candidates, nothing, plural
from invbi_pipeline.domain.shelf.limits import Limits
from invbi_pipeline.domain.steps import any_row
from invbi_pipeline.domain.words import MovementKind, OrderState

__all__ = ["stale"]

_LINE: Final = ("system", "order_id", "line_id", "sku")
_POINT: Final = ("system", "listing_key", "location", "sku")
_ENDED: Final = [OrderState.CANCELLED, OrderState.FULFILLED]


def stale(
    reserved: pl.LazyFrame,
    lines: pl.LazyFrame,
    order_lines: pl.LazyFrame,
    movements: pl.LazyFrame,
    positions: pl.LazyFrame,
    offers: pl.LazyFrame,
    now: datetime,
    limits: Limits,
) -> pl.LazyFrame:
    """Return CANDIDATES `stale_reservation`: units held by orders past their age, or dead in another system.

    `reserved` is `orders.reservations`, `lines` is `orders.order_lines_of_ours`; `order_lines` and `movements` are as staged. An
    order's age counts from its placing or its last shipment; how old it may grow depends on its state. One that waits for goods,
    because its channel may sell beyond what is there, has no age. One row a listing and place.
    """
    youngest = min(limits.pending, limits.open, limits.on_hold)
    copied = any_row(lines.filter(~pl.col("kept")))
    if not copied and not any_row(reserved.filter(pl.col("ordered_at") + youngest <= now)):
        return nothing()
    held = (
        reserved.join(lines.select(*_LINE, "state", "whole").unique([*_LINE]), on=_LINE)
        .join(_last_shipped(movements), on=["system", "order_id"], how="left")
        .join(_ended_elsewhere(lines, order_lines), on=["order_key", "whole"], how="left")
        .join(positions.select("location", "sku", "free"), on=["location", "sku"], how="left")
        .join(_sold_beyond(offers), on=["system", "listing_key"], how="left")
        .with_columns(
            since=pl.max_horizontal("ordered_at", "shipped_at"),
            dead=((pl.col("ended_at") + limits.elsewhere <= now) & (pl.col("ended_in") != pl.col("system"))).fill_null(
                value=False
            ),
            waits=(pl.col("beyond") & (pl.col("free") < 0)).fill_null(value=False),
        )
    )
    old = (pl.col("since") + _age_of(limits) <= now) & ~pl.col("waits")
    judged = held.filter(pl.col("dead") | old).sort("since", "order_id", "line_id")
    grouped = judged.group_by(_POINT, maintain_order=True).agg(
        pl.col("units").sum(),
        pl.col("state", "since", "shipped_at", "dead", "ended_in", "ended_as").first(),
        orders=pl.col("order_id").unique(maintain_order=True),
    )
    evidence = {name: pl.col(name) for name in ("orders", "state", "since", "ended_in", "ended_as")}
    return candidates(grouped, "stale_reservation", _sentence(), evidence)


def _sentence() -> pl.Expr:
    orders = pl.col("orders").list
    more = pl.when(orders.len() > 1).then(pl.format(" and {} more", orders.len() - 1)).otherwise(pl.lit(""))
    place = pl.when(pl.col("location") == "").then(pl.lit("no place yet")).otherwise("location")
    day = pl.col("since").dt.strftime("%-d %B")
    why = (
        pl.when("dead")
        .then(pl.format("{} says that the same order is {}", "ended_in", "ended_as"))
        .when(pl.col("shipped_at").is_not_null())
        .then(pl.format("nothing more of it was shipped since {}", day))
        .when(pl.col("state") == OrderState.PENDING)
        .then(pl.format("nobody has paid or released it since {}", day))
        .when(pl.col("state") == OrderState.ON_HOLD)
        .then(pl.format("it is on hold since {}", day))
        .otherwise(pl.format("nothing of it was shipped since {}", day))
    )
    first = orders.first()
    held = plural("units", "is", "are")
    return pl.format("{} of {} ({}) {} held for order {}{} of {}: {}.", "units", "sku", place, held, first, more, "system", why)


def _age_of(limits: Limits) -> pl.Expr:
    return (
        pl.when(pl.col("state") == OrderState.PENDING)
        .then(pl.lit(limits.pending))
        .when(pl.col("state") == OrderState.ON_HOLD)
        .then(pl.lit(limits.on_hold))
        .otherwise(pl.lit(limits.open))
    )


def _last_shipped(movements: pl.LazyFrame) -> pl.LazyFrame:
    sales = movements.filter((pl.col("kind") == MovementKind.SALE) & (pl.col("order_id").fill_null("") != ""))
    return sales.group_by("system", "order_id").agg(shipped_at=pl.col("occurred_at").max())


def _ended_elsewhere(lines: pl.LazyFrame, order_lines: pl.LazyFrame) -> pl.LazyFrame:
    """Return order_key, whole, ended_in, ended_as, ended_at: copies of an order that another system has ended in full."""
    told = order_lines.group_by("system", "order_id", "line_id").agg(pl.col("updated_at").max())
    copies = lines.filter(~pl.col("kept")).join(told, on=["system", "order_id", "line_id"])
    return (
        copies.group_by("order_key", "whole", ended_in="system")
        .agg(ended=pl.col("state").is_in(_ENDED).all(), ended_as=pl.col("state").max(), ended_at=pl.col("updated_at").max())
        .filter("ended")
        .sort("ended_at", "ended_in")
        .unique(["order_key", "whole"], keep="first", maintain_order=True)
        .drop("ended")
    )


def _sold_beyond(offers: pl.LazyFrame) -> pl.LazyFrame:
    beyond = offers.filter(pl.col("backorder_limit").fill_null(0) > 0)
    return beyond.select("system", "listing_key", beyond=pl.lit(True)).unique()
