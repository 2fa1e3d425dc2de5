"""The clock of a place: silence at a quiet hour, in a dull week or behind closed doors says less than on a busy Saturday.

Time is told in *selling days*: it passes as the place's own sales do, so that an average day is one and a day of twice as many
buyers is two. Only sales over the counter move it: what was ordered elsewhere leaves whenever somebody packs.
"""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.words import MovementKind

__all__ = ["clock", "selling_days"]

_HOUR_US: Final = 3_600_000_000
_AS_IF: Final = 10.0  # sales a day, evenly over the day, added to those seen: by few sales no place is told to be busy or quiet


def clock(happened: pl.LazyFrame, now: datetime) -> pl.LazyFrame:
    """Return location, hour (since 1970, UTC), weight (selling days that pass in it) and before (those that passed earlier).

    `happened` is HAPPENED up to `now`. The hours run from the place's first event to `now`; in all they are as many selling days
    as days.
    """
    hour = pl.col("at").dt.epoch("us") // _HOUR_US
    last = int(now.timestamp() * 1_000_000) // _HOUR_US
    each = happened.group_by("location").agg(first=hour.min()).with_columns(hours=last + 1 - pl.col("first"))
    hours = each.select("location", "hours", hour=pl.int_ranges("first", last + 1)).explode("hour", empty_as_null=True)
    at_once = happened.filter((pl.col("kind") == MovementKind.SALE) & ~pl.col("waited"))
    sold = at_once.group_by("location", hour=hour).agg(sales=pl.len())
    sales = pl.col("sales").fill_null(0)
    passed = (sales + _AS_IF / 24) / (sales + _AS_IF / 24).sum().over("location") * pl.col("hours") / 24
    told = hours.join(sold, on=["location", "hour"], how="left").with_columns(weight=passed)
    before = pl.col("weight").cum_sum().over("location", order_by="hour") - pl.col("weight")
    return told.select("location", "hour", "weight", before=before)


def selling_days(frame: pl.LazyFrame, clock: pl.LazyFrame, at: str, into: str) -> pl.LazyFrame:
    """Add column `into`: selling days from the beginning of the place's `clock` up to time `at`; null where it has none.

    The order of the rows is kept.
    """
    since = pl.col(at).dt.epoch("us")
    return (
        frame.with_columns(hour=since // _HOUR_US, _part=(since % _HOUR_US) / _HOUR_US)
        .join(clock, on=["location", "hour"], how="left", maintain_order="left")
        .with_columns((pl.col("before") + pl.col("weight") * pl.col("_part")).alias(into))
        .drop("hour", "_part", "weight", "before")
    )
