"""Orders: which system's word on an order holds, and what its open lines reserve.

One order may be reported by the system where it was born and by others that imported it. It is known again by
`external_id`; where several systems have an order of that id, by the nearest time. For each thing of an order one system
holds the line: the one that counts the place that must ship it, else where it was born. Every other copy is dropped.
"""

from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import RESERVATIONS
from invbi_pipeline.domain.identity.kits import explode
from invbi_pipeline.domain.identity.mappings import line_key
from invbi_pipeline.domain.identity.versions import mapped
from invbi_pipeline.domain.steps import any_row, beside, kept
from invbi_pipeline.domain.words import Fulfilment, MovementKind, OrderState

__all__ = ["booked_order_keys", "order_keys", "order_lines_of_ours", "reservations", "shelf_of"]

_HOLDING: Final = [OrderState.PENDING, OrderState.OPEN, OrderState.ON_HOLD]


def shelf_of(frame: pl.LazyFrame, systems: pl.LazyFrame, *, shipped: bool) -> pl.LazyFrame:
    """Fill in `location` where the system named none: its default location, or the only one it sells from.

    With `shipped` (the goods have left) the first place the system sells from stands for an unnamed one; an open line stays
    with no place, and holds units of the whole pool.
    """
    first = pl.col("sells_from").list.first().fill_null("")
    guess = first if shipped else pl.when(pl.col("sells_from").list.len() == 1).then(first).otherwise(pl.lit(""))
    default = pl.col("default_location").fill_null("")
    named = pl.col("location").fill_null("")
    return (
        frame.join(systems.select("system", "default_location", "sells_from"), on="system", how="left")
        .with_columns(location=pl.when(named != "").then(named).when(default != "").then(default).otherwise(guess.fill_null("")))
        .drop("default_location", "sells_from")
    )


def order_keys(order_lines: pl.LazyFrame, movements: pl.LazyFrame, owners: pl.LazyFrame) -> pl.LazyFrame:
    """Return one row a (system, order_id): `order_key`, under which all copies of an order meet, `native` and `evidence`.

    `owners` is location, owner. An order that only movements name counts too, unless it is named by the system that counts
    the place (that may be its booking of somebody else's order). `evidence` is `identity` or `time`.
    """
    ordered = order_lines.group_by("system", "order_id").agg(
        pl.col("external_id").fill_null("").max(), pl.col("ordered_at").min()
    )
    moved = (
        movements.filter(
            (pl.col("order_id").fill_null("") != "") & pl.col("kind").is_in([MovementKind.SALE, MovementKind.RETURN])
        )
        .join(owners, on="location", how="left")
        .filter(pl.col("owner").is_null() | (pl.col("owner") != pl.col("system")))
        .group_by("system", "order_id")
        .agg(ordered_at=pl.col("occurred_at").min())
        .join(ordered, on=["system", "order_id"], how="anti")
        .with_columns(external_id=pl.lit(""))
    )
    orders = kept(pl.concat([ordered, moved.select("system", "order_id", "external_id", "ordered_at")]))
    born = orders.filter(pl.col("external_id") == "")
    native = born.select(
        "system",
        "order_id",
        order_key=pl.concat_str("system", "order_id", separator="/"),
        native=pl.lit(True),
        evidence=pl.lit("identity"),
    )
    copies = orders.filter(pl.col("external_id") != "").collect()
    return native if copies.is_empty() else pl.concat([native, _resolved(copies.lazy(), born)])


def _resolved(copies: pl.LazyFrame, born: pl.LazyFrame) -> pl.LazyFrame:
    """Return the keys of the copies of orders: each meets the order born elsewhere whose id it names, the nearest in time."""
    homes = born.select(home="system", external_id="order_id", born_at="ordered_at")
    far = (pl.col("ordered_at") - pl.col("born_at")).abs()
    found = (
        copies.join(homes, on="external_id")
        .filter(pl.col("home") != pl.col("system"))
        .with_columns(far=far)
        .sort("system", "order_id", "far", "home", nulls_last=True)
        .group_by("system", "order_id", maintain_order=True)
        .agg(pl.col("home").first(), homes=pl.len())
    )
    return copies.join(found, on=["system", "order_id"], how="left").select(
        "system",
        "order_id",
        order_key=pl.concat_str(pl.col("home").fill_null(""), "external_id", separator="/"),
        native=pl.lit(False),
        evidence=pl.when(pl.col("homes") > 1).then(pl.lit("time")).otherwise(pl.lit("identity")),
    )


def booked_order_keys(bookings: pl.LazyFrame, keys: pl.LazyFrame) -> pl.LazyFrame:
    """Add `order_key` to an owner's movements: of its own order, else of the only other system's order of that id, else null."""
    order = ["system", "order_id"]
    moves = bookings.collect()
    some = moves.select(order).filter(pl.col("order_id").fill_null("") != "").unique()
    if some.is_empty():
        return moves.lazy().with_columns(order_key=pl.lit(None, pl.String()))
    named = some.lazy()
    own = named.join(keys.select(*order, "order_key"), on=order).collect()
    if own.height == some.height:
        return beside(moves, own, order).lazy()
    others = keys.filter("native").select("order_id", other="system", other_key="order_key")
    foreign = (
        named.join(own.lazy(), on=order, how="anti")
        .join(others, on="order_id")
        .filter(pl.col("other") != pl.col("system"))
        .group_by(order)
        .agg(order_key=pl.col("other_key").first(), homes=pl.len())
        .filter(pl.col("homes") == 1)
        .drop("homes")
    )
    return beside(moves, pl.concat([own, foreign.collect()]), order).lazy()


def order_lines_of_ours(
    order_lines: pl.LazyFrame,
    keys: pl.LazyFrame,
    mappings: pl.LazyFrame,
    kits: pl.LazyFrame,
    listings: pl.LazyFrame,
    systems: pl.LazyFrame,
    owners: pl.LazyFrame,
) -> pl.LazyFrame:
    """Return every mapped order line, kits and packs exploded: one row a (system, order_id, line_id, sku).

    Columns: those keys, listing_key, whole (the sku before exploding), is_kit, per (units of sku per listing unit), location,
    state, open (open units of sku), open_quantity (listing units), ordered_at, order_key, evidence, keeper (the system whose
    word holds), kept. A line that a platform fulfils and for which it names no place is nobody's of ours.
    """
    platform = listings.filter(pl.col("fulfilment") == Fulfilment.PLATFORM).select(
        "system", "listing_key", at_platform=pl.lit(True)
    )
    lines = (
        order_lines.with_columns(line_key())
        .join(platform.unique(), on=["system", "listing_key"], how="left")
        .filter(pl.col("at_platform").is_null() | (pl.col("location").fill_null("") != ""))
    )
    lines = explode(mapped(shelf_of(lines, systems, shipped=False), mappings, "ordered_at"), kits)
    lines = kept(lines.join(keys, on=["system", "order_id"]))
    per = pl.col("per") * pl.col("units_per")
    holding = pl.col("state").is_in(_HOLDING)
    open_ = pl.when(holding).then(pl.col("open_quantity").fill_null(0)).otherwise(0).clip(lower_bound=0)
    return _placed(_with_keeper(lines, owners)).select(
        *("system", "order_id", "line_id", "listing_key", "sku", "whole", "is_kit", "location", "state", "ordered_at"),
        *("order_key", "evidence", "keeper"),
        per=per,
        open=open_ * per,
        open_quantity=open_,
        kept=pl.col("system") == pl.col("keeper"),
    )


_HERE: Final = ["order_key", "whole"]


def _with_keeper(lines: pl.LazyFrame, owners: pl.LazyFrame) -> pl.LazyFrame:
    """Add `keeper`: of the systems that tell of a thing of an order the one that counts a place of it, else where it was born."""
    if not any_row(lines.filter(~pl.col("native"))):  # no order is told of twice
        return lines.with_columns(keeper="system")
    keeper = (
        lines.join(owners, on="location", how="left")
        .group_by(*_HERE, "system")
        .agg(counts=(pl.col("owner") == pl.col("system")).fill_null(False).any(), native=pl.col("native").any())
        .sort(*_HERE, "counts", "native", "system", descending=[False, False, True, True, False])
        .group_by(_HERE, maintain_order=True)
        .agg(keeper=pl.col("system").first())
    )
    return lines.join(keeper, on=_HERE)


def _placed(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Fill in the place of lines that name none: where another copy of the order says so."""
    if not any_row(lines.filter(pl.col("location") == "")):
        return lines
    named = lines.filter(pl.col("location") != "").group_by(_HERE).agg(elsewhere=pl.col("location").min())
    elsewhere = pl.when(pl.col("location") == "").then(pl.col("elsewhere").fill_null("")).otherwise("location")
    return lines.join(named, on=_HERE, how="left").with_columns(location=elsewhere)


def reservations(lines: pl.LazyFrame, booked_ahead: pl.LazyFrame) -> pl.LazyFrame:
    """Return RESERVATIONS plus `order_key`, `listing_key`, `per`: each open line once, less what the owner booked as gone.

    `booked_ahead` is order_key, location, sku, ahead: units the owner booked as shipped of an order beyond the shipments that
    the order's own system tells of. They have left its number, so they are reserved no more.
    """
    group = ["order_key", "location", "sku"]
    before = pl.col("open").cum_sum().over(group, order_by=["ordered_at", "order_id", "line_id"]) - pl.col("open")
    left = pl.col("open") - (pl.col("ahead") - before).clip(0, pl.col("open"))
    return (
        lines.filter(pl.col("kept") & (pl.col("open") > 0))
        .join(booked_ahead, on=group, how="left")
        .with_columns(pl.col("ahead").fill_null(0))
        .with_columns(units=left)
        .filter(pl.col("units") > 0)
        .select(*RESERVATIONS, "order_key", "listing_key", "per")
    )
