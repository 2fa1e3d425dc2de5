"""What happened at each shelf, each event once: sales, arrivals, counts, and orders that nobody could pick."""

from datetime import timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import UTC, Schema
from invbi_pipeline.domain.identity.kits import explode
from invbi_pipeline.domain.identity.versions import mapped
from invbi_pipeline.domain.ledger.orders import shelf_of
from invbi_pipeline.domain.words import MovementKind, OrderState

__all__ = ["HAPPENED", "happened", "picks"]

HAPPENED: Final[Schema] = {
    "location": pl.String(),
    "sku": pl.String(),
    "at": UTC,  # the clock of the system that says so
    "kind": pl.String(),  # words.MovementKind
    "units": pl.Int64(),  # signed, units of the sku; of a count: what it changed, null where the system does not say
    "counted": pl.Int64(),  # of a count: what was there; else null
    "waited": pl.Boolean(),  # a sale that was ordered before the goods left: an empty shelf turns no such buyer away
}

_SHELF: Final = ("location", "sku")
_MINDS_CHANGE: Final = timedelta(hours=1)
_AT_ONCE: Final = timedelta(minutes=5)  # between an order and its goods leaving, over a counter
_OTHERS_TELL: Final = [str(MovementKind.SALE), str(MovementKind.RETURN)]


def happened(
    movements: pl.LazyFrame,
    order_lines: pl.LazyFrame,
    mappings: pl.LazyFrame,
    kits: pl.LazyFrame,
    systems: pl.LazyFrame,
    places: pl.LazyFrame,
) -> pl.LazyFrame:
    """Return HAPPENED of every shelf that somebody counts, from staged MOVEMENTS and ORDER_LINES.

    The owner tells everything of its places, other systems their own sales and restocked returns there. What the owner booked
    of another system's movement is left out where that system tells it itself: it bears the time of the goods, not of the books.
    A sale whose order nobody knows was made at once.
    """
    owners = places.select("location", owner="counted_by")
    placed = shelf_of(movements, systems, shipped=True).join(owners, on="location")
    told = placed.filter((pl.col("system") == pl.col("owner")) | pl.col("kind").is_in(_OTHERS_TELL))
    first_hand = told.select(reference=pl.concat_str("system", "movement_id", separator="/")).unique()
    once = told.join(first_hand, on="reference", how="anti")
    each = explode(mapped(once, mappings, "occurred_at"), kits).filter(
        (pl.col("kind") != MovementKind.COUNT) | ~pl.col("is_kit") & pl.col("counted").is_not_null()
    )
    per = pl.col("units_per") * pl.col("per")
    units = pl.when(pl.col("kind") == MovementKind.COUNT).then("units").otherwise(pl.col("units").fill_null(0))
    lasted = order_lines.filter(pl.col("updated_at") - pl.col("ordered_at") > _AT_ONCE)
    ordered = lasted.group_by("system", "order_id").agg(pl.col("ordered_at").min())
    waited = (pl.col("kind") == MovementKind.SALE) & (pl.col("occurred_at") - pl.col("ordered_at") > _AT_ONCE)
    rows = each.join(ordered, on=["system", "order_id"], how="left").select(
        *_SHELF,
        at="occurred_at",
        kind="kind",
        units=units * per,
        counted=pl.col("counted") * per,
        waited=waited.fill_null(value=False),
    )
    return rows.drop_nulls("at")


def picks(
    order_lines: pl.LazyFrame, mappings: pl.LazyFrame, kits: pl.LazyFrame, systems: pl.LazyFrame, places: pl.LazyFrame
) -> pl.LazyFrame:
    """Return location, sku, at, cancelled, failed: each line that somebody had to pick, and how it ended.

    `at` is when it ended by the platform's clock. No platform says why a line was cancelled. Who changes his mind does so soon
    after ordering; what is cancelled later than `_MINDS_CHANGE`, `failed`, may be a picker who found nothing, or a payment that
    never came.
    """
    lasted = pl.col("updated_at") - pl.col("ordered_at")
    over = pl.col("state").is_in([str(OrderState.CANCELLED), str(OrderState.FULFILLED)])
    ended = order_lines.filter(over & (lasted > _AT_ONCE))
    placed = shelf_of(ended, systems, shipped=True).join(places.select("location"), on="location", how="semi")
    each = explode(mapped(placed, mappings, "ordered_at"), kits)
    cancelled = pl.col("state") == OrderState.CANCELLED
    return each.select(*_SHELF, at="updated_at", cancelled=cancelled, failed=cancelled & (lasted > _MINDS_CHANGE)).drop_nulls()
