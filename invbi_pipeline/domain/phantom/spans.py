"""The history of each shelf cut at its events: what the record said in each span of time, and what came after it."""

from enum import IntEnum
from typing import Final

import polars as pl

from invbi_pipeline.domain.phantom.clock import selling_days
from invbi_pipeline.domain.steps import kept
from invbi_pipeline.domain.words import MovementKind

__all__ = ["FEW", "Ahead", "spans"]

FEW: Final = 4  # units; so many may have gone astray one by one, more of them left together

_SHELF: Final = ["location", "sku"]
_COUNT: Final = str(MovementKind.COUNT)
_NO_SIGN: Final = [_COUNT, str(MovementKind.ADJUSTMENT), str(MovementKind.UNEXPLAINED)]  # books alone may have moved
_ARRIVALS: Final = [str(MovementKind.RECEIPT), str(MovementKind.TRANSFER_IN), str(MovementKind.RETURN)]


class Ahead(IntEnum):
    """What follows a span first: nothing to this day, a sign that goods were there, or a count that found none."""

    NOTHING = 0
    SIGN = 1
    NONE_FOUND = 2


def spans(known: pl.LazyFrame, shelves: pl.LazyFrame, hours: pl.LazyFrame, until: pl.LazyFrame) -> pl.LazyFrame:
    """Return the events of each shelf in order, the history's beginning first, each with the span of time up to the next one.

    `known` is HAPPENED up to now; `shelves`: shelf (a number), location, sku, units (what the record says now); `hours` is of
    `clock`; `until`: location, until (what the last span of its shelves ends with). Returned are shelf, at, kind, units (the
    event's) and

    * sale, at_once, count, sign: whether it was one; a sale `at_once` is one that nobody had ordered before; a sign is an event
      that shows that goods were there;
    * found_none: a count found nothing where the record said some;
    * found_less: the units that a count found missing otherwise, if they are few: one by one they went astray;
    * found_part: it found more missing than that: the shelf had lost its goods, and others have come since;
    * none_rightly, none_unsaid: a count found nothing where the record said none, or where nobody knows what it said;
    * nth: a number that each count raises;
    * stocked: days of the span, in selling days, if the record said some in it, else 0;
    * hidden: the same if an arrival ended the span, else 0: goods that were lost in it are never missed;
    * ahead: `Ahead`.

    The history begins, per place, with its first event. What the record said then is worked out from what it says now, or what
    the first count said, less what happened between.
    """
    return kept(_judged(kept(_leveled(_in_order(known, shelves))), hours, until))


def _in_order(known: pl.LazyFrame, shelves: pl.LazyFrame) -> pl.LazyFrame:
    """One sort by numbers: all that follows looks at the row before or behind, and never groups."""
    begins = known.group_by("location").agg(at=pl.col("at").min())
    opening = shelves.join(begins, on="location").with_columns(
        record="units",
        kind=pl.lit(""),
        counted=pl.lit(None, pl.Int64()),
        first=pl.lit(value=True),
        units=pl.lit(0, pl.Int64()),
        waited=pl.lit(value=False),
    )
    events = known.join(shelves.select(*_SHELF, "shelf", record="units"), on=_SHELF).with_columns(first=pl.lit(value=False))
    columns = ["shelf", "location", "at", "kind", "units", "counted", "waited", "first", "record"]
    rows = pl.concat([opening.select(columns), events.select(columns)])
    return kept(rows.sort("shelf", "at", "first", descending=[False, False, True], maintain_order=True))


def _leveled(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Add count, nth, `level`: what the record said after each event, and `unsaid`: a count before which that is a guess.

    From a count on it is what was counted and what moved since. Before the first count it is reckoned back from that count, less
    what it changed where the owner says that (else it is taken to have found the record right), or from the record of today.
    """
    rows = rows.with_columns(count=pl.col("kind") == _COUNT).with_columns(cut=pl.col("first") | pl.col("count"))
    rows = rows.with_columns(
        moved=pl.when("cut").then(0).otherwise("units").cum_sum(),
        nth=pl.col("count").cast(pl.Int64()).cum_sum(),
        ends=pl.col("cut").shift(-1, fill_value=True),
        then=pl.when(pl.col("count").shift(-1))
        .then((pl.col("counted") - pl.col("units").fill_null(0)).shift(-1))
        .otherwise("record"),
    )
    since = pl.col("moved") - pl.when("cut").then("moved").forward_fill()
    counted = pl.when("cut").then(pl.col("counted").fill_null(0)).forward_fill()
    to_come = pl.when("ends").then("moved").backward_fill() - pl.col("moved")
    reckoned = pl.when("ends").then("then").backward_fill() - to_come
    after_count = pl.when("cut").then("count").forward_fill()
    level = pl.when(after_count).then(counted + since).otherwise(reckoned)
    unsaid = pl.col("count") & pl.col("units").is_null() & ~after_count.shift(1)
    return rows.with_columns(level=level, unsaid=unsaid).drop("cut", "moved", "ends", "then", "record")


def _judged(rows: pl.LazyFrame, hours: pl.LazyFrame, until: pl.LazyFrame) -> pl.LazyFrame:
    is_count, before = pl.col("count"), pl.col("level").shift(1)
    no_books = pl.when(is_count).then(pl.col("counted") > 0).otherwise(~pl.col("kind").is_in(_NO_SIGN))
    none = is_count & (pl.col("counted") == 0)
    missing = pl.when(is_count & (pl.col("counted") > 0)).then((before - pl.col("counted")).clip(0)).otherwise(0)
    rows = selling_days(rows, hours, "at", "_from").with_columns(
        sale=pl.col("kind") == MovementKind.SALE,
        at_once=(pl.col("kind") == MovementKind.SALE) & ~pl.col("waited"),
        sign=~pl.col("first") & no_books,
        found_none=none & (before >= 1),
        none_rightly=none & (before < 1) & ~pl.col("unsaid"),
        none_unsaid=none & pl.col("unsaid"),
        found_less=pl.when(missing <= FEW).then(missing).otherwise(0),
        found_part=missing > FEW,
        last=pl.col("first").shift(-1, fill_value=True),
    )
    today = selling_days(until, hours, "until", "_today").drop("until")
    rows = rows.join(today, on="location", maintain_order="left", how="left")
    ends = pl.max_horizontal("_today", "_from")  # goods may have come to a place that has not opened again
    till = pl.when("last").then(ends).otherwise(pl.col("_from").shift(-1))
    ahead = (
        pl.when("last")
        .then(Ahead.NOTHING)
        .when(pl.col("sign").shift(-1))
        .then(Ahead.SIGN)
        .when(pl.col("found_none").shift(-1))
        .then(Ahead.NONE_FOUND)
    )
    stocked = pl.when(pl.col("level") >= 1).then(till - pl.col("_from")).otherwise(0.0)
    arrives = ~pl.col("last") & pl.col("kind").shift(-1).is_in(_ARRIVALS)
    return rows.with_columns(
        stocked=stocked,
        hidden=pl.when(arrives).then(stocked).otherwise(0.0),
        ahead=ahead.cast(pl.Int8()).backward_fill(),
    ).drop("_from", "_today", "first", "last", "location", "counted", "level", "unsaid")
