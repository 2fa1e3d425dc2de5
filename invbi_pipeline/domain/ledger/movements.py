"""Movements of a shelf, told apart: the owner's own, which its number learns at once, and those that only others tell of."""

from typing import Final, NamedTuple

import polars as pl

from invbi_pipeline.domain.frames.schema import INT, TEXT, UTC, Schema, empty
from invbi_pipeline.domain.identity.kits import explode
from invbi_pipeline.domain.identity.versions import mapped
from invbi_pipeline.domain.ledger.orders import booked_order_keys, shelf_of
from invbi_pipeline.domain.steps import any_row, beside, kept
from invbi_pipeline.domain.words import CorrectionState, MovementKind

__all__ = ["FOREIGN", "Moves", "told_apart"]

# Columns of `Moves.foreign`, and of `Moves.ahead`.
FOREIGN: Final[Schema] = {
    **dict.fromkeys(("system", "movement_id", "ref", "owner", "location", "sku"), TEXT),
    "units": INT,
    "occurred_at": UTC,
    "order_id": TEXT,
    "order_key": TEXT,
    "booked": INT,
    "how": TEXT,
}
_AHEAD: Final[Schema] = {"order_key": TEXT, "location": TEXT, "sku": TEXT, "ahead": INT}
_LEAVES_OR_RETURNS = [MovementKind.SALE, MovementKind.RETURN]
_DERIVED = [MovementKind.COUNT, MovementKind.UNEXPLAINED]


class Moves(NamedTuple):
    """The movements of the shelves we count, in units of the sku (`units`, signed).

    `own`: what the owner's number learns by itself: system, location, sku, units, kind, order_id, line_id, occurred_at and
    booked_at, when its number learnt of it: a movement may bear the earlier time at which it happened; and `shelf`, the number
    of the anchor that it moves (null: none).
    `foreign`: what it does not: others' shipments and restocked returns, and its own sales of kits and of packs beside singles:
    system, movement_id, ref, owner, location, sku, units, occurred_at, order_id, order_key, booked (units the owner booked),
    how (reference | order; null: nothing booked).
    `ahead`: order_key, location, sku, ahead: units the owner booked as shipped beyond the shipments anybody told of.
    """

    own: pl.LazyFrame
    foreign: pl.LazyFrame
    ahead: pl.LazyFrame


def told_apart(
    movements: pl.LazyFrame,
    effects: pl.LazyFrame,
    posted: pl.LazyFrame,
    lines: pl.LazyFrame,
    keys: pl.LazyFrame,
    listed: pl.LazyFrame,
    anchors: pl.LazyFrame,
    mappings: pl.LazyFrame,
    kits: pl.LazyFrame,
    systems: pl.LazyFrame,
    owners: pl.LazyFrame,
) -> Moves:
    """Tell the owner's own movements from foreign ones, and match these with what the owner booked.

    A foreign movement is booked where a movement of the owner names it (`reference`, "<system>/<movement_id>"), or as far as
    the owner booked units of the same order and sku there (the earliest shipment first). A sale that another system booked by
    hand, without an order, is not one. Copies of an order that another system's word decides (`orders`) move nothing. Our
    verified posts count as booked when they were sent. `listed` is `anchors.counted_listings`, `anchors` are `anchors.anchors`.
    """
    stamped = _booked_at(_with_posts(movements, posted), effects, posted)
    everything = _on_shelves(_exploded(stamped, mappings, kits, systems, owners), anchors, listed)
    everything = kept(booked_order_keys(everything, keys))
    makes_the_number = pl.col("listing_key").is_in("numbered_by") | pl.col("numbered_by").is_null()
    mine = (pl.col("owner") == pl.col("system")) & ~pl.col("is_kit") & makes_the_number
    own = kept(everything.filter(mine).drop("numbered_by"))
    booking = kept(own.filter((pl.col("reference") != "") | pl.col("order_key").is_not_null()))
    # where a platform sells by orders, a sale without one changed its number, not the shelf: it is told as drift
    by_hand = (pl.col("owner") != pl.col("system")) & (pl.col("order_id") == "") & pl.col("has_orders")
    others = kept(
        everything.filter(~mine & pl.col("kind").is_in(_LEAVES_OR_RETURNS))
        .join(systems.select("system", "has_orders"), on="system", how="left")
        .filter(~by_hand.fill_null(value=False))
        .with_columns(ref=pl.concat_str("system", "movement_id", separator="/"))
    )
    if not (any_row(booking) or any_row(others)):
        return Moves(own, empty(FOREIGN).lazy(), empty(_AHEAD).lazy())
    keepers = lines.select("order_key", "whole", "keeper").unique()
    dropped = others.join(keepers, on=["order_key", "whole"]).filter(pl.col("keeper") != pl.col("system"))
    unique = ["system", "movement_id", "listing_key", "location", "sku"]
    foreign = kept(others.join(dropped, on=unique, how="anti"))
    return _matched(own, booking, foreign, others, lines)


def _with_posts(movements: pl.LazyFrame, posted: pl.LazyFrame) -> pl.LazyFrame:
    """Add our verified posts as movements of the owner, except those that its own ledger already shows."""
    verified = kept(posted.filter(pl.col("state") == CorrectionState.VERIFIED))
    shown = movements.filter(pl.col("reference").fill_null("") != "").join(
        verified, left_on=["system", "listing_key", "reference"], right_on=["system", "listing_key", "movement_ref"], how="semi"
    )
    ours = verified.select(
        "system",
        "listing_key",
        "location",
        "units",
        movement_id=pl.concat_str(pl.lit("post/"), "movement_ref"),
        kind=pl.lit(str(MovementKind.ADJUSTMENT)),
        occurred_at="sent_at",
        reference="movement_ref",
    ).join(shown, on=["system", "listing_key", "reference"], how="anti")
    return pl.concat([movements, ours], how="diagonal")


def _booked_at(movements: pl.LazyFrame, effects: pl.LazyFrame, posted: pl.LazyFrame) -> pl.LazyFrame:
    """Add `booked_at`: the stamp of the effect of the same id, or when we sent the post, or else when it occurred."""
    moves = movements.collect()
    told = effects.filter(pl.col("effect_id").is_in(moves["movement_id"].unique().implode()))
    applied = told.group_by("system", movement_id="effect_id").agg(applied_at=pl.col("stamped_at").max())
    sent = posted.group_by("system", "listing_key", reference="movement_ref").agg(pl.col("sent_at").max())
    moves = beside(moves, applied.collect(), ["system", "movement_id"])
    moves = beside(moves, sent.collect(), ["system", "listing_key", "reference"])
    booked_at = pl.coalesce("applied_at", pl.max_horizontal("sent_at", "occurred_at"))
    return moves.lazy().with_columns(booked_at=booked_at).drop("applied_at", "sent_at")


def _exploded(
    movements: pl.LazyFrame, mappings: pl.LazyFrame, kits: pl.LazyFrame, systems: pl.LazyFrame, owners: pl.LazyFrame
) -> pl.LazyFrame:
    real = movements.filter(~pl.col("kind").is_in(_DERIVED) & pl.col("units").is_not_null() & (pl.col("units") != 0))
    placed = shelf_of(real, systems, shipped=True).join(owners, on="location")
    text = [pl.col(c).fill_null("") for c in ("order_id", "line_id", "reference")]
    return explode(mapped(placed, mappings, "occurred_at"), kits).with_columns(
        *text,
        units=pl.col("units") * pl.col("units_per") * pl.col("per"),
    )


def _on_shelves(moves: pl.LazyFrame, anchors: pl.LazyFrame, listed: pl.LazyFrame) -> pl.LazyFrame:
    """Add `shelf` and `numbered_by`: the listings whose numbers are the shelf's (a list; null: none was read)."""
    shelf = ["location", "sku"]  # of one owner; of what others tell neither is looked at
    numbered = listed.group_by(shelf).agg(numbered_by="listing_key")
    shelves = beside(anchors.select("shelf", *shelf).collect(), numbered.collect(), shelf)
    return moves.join(shelves.lazy(), on=shelf, how="left")


def _matched(own: pl.LazyFrame, booking: pl.LazyFrame, foreign: pl.LazyFrame, others: pl.LazyFrame, lines: pl.LazyFrame) -> Moves:
    """Match the foreign movements with the owner's own that may book them (`booking`)."""
    named = booking.filter(pl.col("reference") != "").select("owner", "sku", ref="reference").unique()
    by_name = foreign.join(named, on=["owner", "sku", "ref"], how="semi").with_columns(
        booked=pl.col("units"), how=pl.lit("reference")
    )
    rest = foreign.join(named, on=["owner", "sku", "ref"], how="anti")
    group = ["order_key", "location", "sku", "sign"]
    signed = pl.col("units").sign().alias("sign")
    bookings = (
        _bookings(booking, by_name, others, lines)
        .group_by("order_key", "location", "sku", signed)
        .agg(have=pl.col("units").sum().abs())
    )
    rest = rest.with_columns(signed).join(bookings, on=group, how="left").with_columns(pl.col("have").fill_null(0))
    size = pl.col("units").abs()
    before = size.cum_sum().over(group, order_by=["occurred_at", "system", "movement_id", "listing_key"]) - size
    booked = (pl.col("have") - before).clip(0, size) * pl.col("sign")
    by_order = rest.with_columns(booked=pl.when(pl.col("order_key").is_null()).then(0).otherwise(booked)).with_columns(
        how=pl.when(pl.col("booked") != 0).then(pl.lit("order"))
    )
    told = rest.group_by(group).agg(told=size.sum())
    ahead = (
        bookings.filter(pl.col("sign") < 0)
        .join(told, on=group, how="left")
        .select("order_key", "location", "sku", ahead=pl.col("have") - pl.col("told").fill_null(0))
        .filter(pl.col("ahead") > 0)
    )
    return Moves(own, pl.concat([by_name.select(*FOREIGN), by_order.select(*FOREIGN)]), ahead)


def _bookings(booking: pl.LazyFrame, by_name: pl.LazyFrame, others: pl.LazyFrame, lines: pl.LazyFrame) -> pl.LazyFrame:
    """Return the owner's movements that book others' orders, or the parts of its own kits: of an order, not of its own line."""
    meant = others.select(reference="ref", meant="order_key").unique("reference", keep="any")
    used = by_name.select("owner", "sku", reference="ref").unique()
    direct = lines.filter(pl.col("kept") & ~pl.col("is_kit")).select("system", "order_key", "sku").unique()
    return (
        booking.join(used, on=["owner", "sku", "reference"], how="anti")
        .join(meant, on="reference", how="left")
        .with_columns(order_key=pl.coalesce("meant", "order_key"))
        .filter(pl.col("order_key").is_not_null())
        .join(direct, on=["system", "order_key", "sku"], how="anti")
    )
