"""The split: one offer shown as a number per location, for channels that keep stock per location."""

import polars as pl

__all__ = ["split"]

_POINT = ("system", "listing_key")


def split(capacities: pl.LazyFrame) -> pl.LazyFrame:
    """Add `offer`, each location's part of `channel_offer`.

    `capacities` has system, listing_key, location, capacity (whole listings the place can give, not negative), channel_offer
    (null: unknown), and read (whether any number of that place was ever read). What is kept back is taken from the fullest place
    first, ties by name; what is promised beyond all capacity (backorders) is put there too. The parts sum to channel_offer; the
    part of a place that was never read is unknown.
    """
    order = pl.struct(-pl.col("capacity"), pl.col("location")).rank("ordinal").over(_POINT)
    capacity = pl.when("read").then("capacity").otherwise(0)
    placed = capacities.with_columns(capacity=capacity).with_columns(turn=order)
    total = pl.col("capacity").sum().over(_POINT)
    back = total - pl.col("channel_offer")
    before = pl.col("capacity").cum_sum().over(_POINT, order_by="turn") - pl.col("capacity")
    taken = (back - before).clip(0, pl.col("capacity"))
    beyond = pl.when((pl.col("turn") == 1) & (back < 0)).then(-back).otherwise(0)
    part = pl.col("capacity") - taken + beyond
    return placed.with_columns(offer=pl.when("read").then(part)).drop("turn")
