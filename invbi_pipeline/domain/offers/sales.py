"""What was sold, where and when, by whichever system tells of it: each unit once."""

from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.words import MovementKind

__all__ = ["LATELY", "sales", "sold_of"]

LATELY: Final = timedelta(hours=2)  # what was sold so lately may be why a number goes to zero (`corrections.guards`)
_EVER: Final = datetime.min.replace(tzinfo=UTC)


def sales(
    order_lines: pl.LazyFrame, lines: pl.LazyFrame, own: pl.LazyFrame, now: datetime, since: datetime = _EVER
) -> pl.LazyFrame:
    """Return sku, location, channel, at, units: every sale after `since` and up to now that is known.

    `order_lines` as staged, `lines` are `orders.order_lines_of_ours`, `own` is `movements.Moves.own`. An order counts once, for
    the channel it was born on, less what was cancelled of it. Sales that an owner booked without an order, over its counter,
    are its own. Kits and packs are exploded to units of their components. The location is empty while no place holds them.
    """
    sold = (
        order_lines.filter(pl.col("ordered_at") > since).group_by("system", "order_id", "line_id").agg(pl.col("quantity").max())
    )
    home = pl.col("order_key").str.split("/").list.first()
    ordered = (
        lines.filter(pl.col("kept") & (pl.col("ordered_at") > since))
        .join(sold, on=["system", "order_id", "line_id"])
        .select("sku", "location", channel=pl.coalesce(pl.when(home != "").then(home), "system"), at="ordered_at",
                units=pl.col("quantity").clip(lower_bound=0) * pl.col("per"))
    )  # fmt: skip
    counter = own.filter(
        (pl.col("kind") == MovementKind.SALE)
        & (pl.col("units") < 0)
        & pl.col("order_key").is_null()
        & (pl.col("reference") == "")
        & (pl.col("occurred_at") > since)
    ).select("sku", "location", channel="system", at="occurred_at", units=-pl.col("units"))
    return pl.concat([ordered, counter.select("sku", "location", "channel", "at", "units")]).filter(pl.col("at") <= now)


def sold_of(given: pl.LazyFrame, sales: pl.LazyFrame) -> pl.LazyFrame:
    """Return ask, bought: what was sold of the components of each listing's sku, in units of that sku.

    `given` is `pools.gives`. Of a kit the component that sold most counts, rounded up: whichever ran out ends the kit.
    """
    lately = sales.group_by("sku").agg(bought=pl.col("units").sum())
    return (
        given.select("ask", "sku", "per")
        .join(lately, on="sku")
        .group_by("ask")
        .agg(bought=(-(-pl.col("bought") // pl.col("per"))).max())
    )
