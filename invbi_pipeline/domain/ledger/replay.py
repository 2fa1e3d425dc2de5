"""Replay: frames as they were at an earlier time, and two systems' histories side by side up to where they part."""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import FEEDS
from invbi_pipeline.domain.words import FeedVerdict, MovementKind, OrderState

__all__ = ["aligned", "feeds_at", "first_parting", "mappings_at", "rewound"]

_LINE: Final = ("system", "order_id", "line_id")


def rewound(order_lines: pl.LazyFrame, movements: pl.LazyFrame, effects: pl.LazyFrame, at: datetime) -> pl.LazyFrame:
    """Return order lines as they were at `at`, as far as is known by now.

    Lines ordered later are left out. A line changed since is open again by the units that were shipped (`movements`) or cancelled
    (`effects`) after `at`; both frames must still hold what came later. Each system's own clock decides.
    """
    shipped = (
        movements.filter((pl.col("occurred_at") > at) & (pl.col("kind") == MovementKind.SALE) & (pl.col("units") < 0))
        .group_by(_LINE)
        .agg(shipped=-pl.col("units").sum())
    )
    cancelled = (
        effects.filter((pl.col("stamped_at") > at) & (pl.col("kind") == MovementKind.CANCEL) & (pl.col("units") > 0))
        .group_by(_LINE)
        .agg(cancelled=pl.col("units").sum())
    )
    back = pl.col("shipped").fill_null(0) + pl.col("cancelled").fill_null(0)
    changed = (pl.col("updated_at") > at).fill_null(value=False) & (back > 0)
    return (
        order_lines.filter(pl.col("ordered_at").is_null() | (pl.col("ordered_at") <= at))
        .join(shipped, on=_LINE, how="left")
        .join(cancelled, on=_LINE, how="left")
        .with_columns(
            quantity=pl.when(changed).then(pl.col("quantity") + pl.col("cancelled").fill_null(0)).otherwise("quantity"),
            open_quantity=pl.when(changed).then(pl.col("open_quantity").fill_null(0) + back).otherwise("open_quantity"),
            state=pl.when(changed).then(pl.lit(str(OrderState.OPEN))).otherwise("state"),
        )
        .drop("shipped", "cancelled")
    )


def mappings_at(mappings: pl.LazyFrame, at: datetime) -> pl.LazyFrame:
    """Return the MAPPINGS that held at `at`, as they stood then: what ended later had not ended yet."""
    ended = pl.when(pl.col("valid_to") <= at).then("valid_to")
    return mappings.filter(pl.col("valid_from") <= at).with_columns(valid_to=ended)


def feeds_at(feeds: pl.LazyFrame, batches: pl.LazyFrame, at: datetime) -> pl.LazyFrame:
    """Return FEEDS as of `at`: how far the believed `batches` (system, dataset, platform_time) reached; lags as measured now."""
    reach = batches.group_by("system").agg(
        stock_at=pl.col("platform_time").filter(pl.col("dataset") == "stock").max(),
        orders_at=pl.col("platform_time").filter(pl.col("dataset") == "orders").max(),
    )
    then = feeds.join(reach, on="system", how="left").with_columns(
        verdict=pl.lit(str(FeedVerdict.BELIEVED)),
        reason=pl.lit(""),
        stock_read_at=pl.min_horizontal("stock_at", pl.lit(at)),
        orders_complete_to=pl.min_horizontal("orders_at", pl.lit(at)),
        blind_since=pl.lit(None, FEEDS["blind_since"]),
    )
    return then.select(*FEEDS)


def first_parting(jumps: pl.DataFrame, entries: pl.DataFrame) -> tuple[str, str] | None:
    """Return the origin of the event at which a number and its own events first parted, and how; None where they never did.

    `jumps` is since, at, units of one number, oldest first; `entries` are its ENTRIES with `origin`. An event between the two
    reads that is exactly what is lacking was not applied; one that is exactly what is too much was applied twice; else all of
    them together; else nothing that is told of did it, and the origin is empty.
    """
    if jumps.is_empty():
        return None
    since, at, units = jumps.row(0)
    between = entries.filter(
        (pl.col("at") > since) & (pl.col("at") <= at) & (pl.col("movement_id") != "") & (pl.col("units") != 0)
    ).sort("at")
    for wanted, how in ((-units, "was not applied"), (units, "was applied twice")):
        exact = between.filter(pl.col("units") == wanted)
        if exact.height:
            return str(exact["origin"][0]), how
    if between.height > 1 and between["units"].sum() == -units:
        return str(between["origin"][0]), f"was not applied, nor were the {between.height - 1} after it"
    return "", "no event that is told of did it"


def aligned(owners: pl.LazyFrame, channel: pl.LazyFrame) -> pl.LazyFrame:
    """Put the owners' entries and one channel number's entries side by side, by where each began, then by time.

    Both are `tieout.ENTRIES` with `origin` (what made it: an order, or the movement itself) and `number` (what its
    number came to). One row an origin and its n-th event: at, origin, what, owner_at, owner_place, owner_units, owner_number,
    channel_at, channel_units, channel_number; nulls where one side tells of nothing. In the order of time, what has one
    origin together.
    """
    side = ["origin", "nth"]
    ranked = [frame.with_columns(nth=pl.col("at").rank("ordinal").over("origin")) for frame in (owners, channel)]
    left = ranked[0].select(
        *side, owner_at="at", owner_kind="kind", owner_place="location", owner_units="units", owner_number="number"
    )
    right = ranked[1].select(*side, channel_at="at", channel_kind="kind", channel_units="units", channel_number="number")
    both = left.join(right, on=side, how="full", coalesce=True)
    return (
        both.with_columns(at=pl.min_horizontal("owner_at", "channel_at"), what=pl.coalesce("channel_kind", "owner_kind"))
        .with_columns(begun=pl.col("at").min().over("origin"))
        .sort("begun", "origin", "nth")
        .drop("begun", "nth")
    )
