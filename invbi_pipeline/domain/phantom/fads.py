"""How taste moves: a sku that sold five a week sells two or ten in another one, everywhere at once.

Where it does, a silence says less than the same silence where every week is alike; and whether the other places still sell the
sku tells a fad that ended from goods that are gone.
"""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.words import MovementKind

__all__ = ["elsewhere", "steadiness"]

_WEEK_US: Final = 7 * 86_400_000_000
_LEAST, _MOST = 0.5, 50.0  # so steady is no taste, and so unsteady: Gamma shapes
_AS_IF: Final = 20.0  # weeks in which taste moved as by a shape of `_USUAL`, added to those seen
_USUAL: Final = 8.0
_TELLS: Final = 1.0  # expected sales; a sku and week of fewer tells nothing of how weeks differ


def steadiness(happened: pl.LazyFrame, now: datetime) -> pl.LazyFrame:
    """Return one row: `steady`, the shape of the gamma distribution (of mean 1) by which a sku's weeks differ from each other.

    By the method of moments over the whole weeks before `now`, all places together: a week in which everything sells less is no
    matter of a sku. Of a negative binomial number with mean m the variance is m + m^2 / shape; each sku and week weighs 1 / m
    (Pearson's statistic). The mean is of the same weeks, which takes one of their freedoms.
    """
    week = (pl.lit(now) - pl.col("at")).dt.total_microseconds() // _WEEK_US
    first = (pl.lit(now) - pl.col("at").min()).dt.total_microseconds() // _WEEK_US  # the week the history began in is not whole
    sales = happened.filter((pl.col("kind") == MovementKind.SALE) & (pl.col("at") <= now)).select("sku", week=week, first=first)
    each = sales.filter(pl.col("week") < pl.col("first")).group_by("sku", "week").agg(sold=pl.len().cast(pl.Float64()))
    weeks = each.group_by("week").agg(share=pl.col("sold").sum()).with_columns(pl.col("share") / pl.col("share").sum())
    skus = each.group_by("sku").agg(sum=pl.col("sold").sum())
    # a week without a sale has no row: what it would add is what all weeks of the sku expect, less those that have one
    seen = each.join(weeks, on="week").join(skus, on="sku").with_columns(mean=pl.col("sum") * pl.col("share"))
    seen = seen.filter(pl.col("mean") > _TELLS)
    silent = (
        skus.join(weeks, how="cross")
        .with_columns(mean=pl.col("sum") * pl.col("share"))
        .filter(pl.col("mean") > _TELLS)
        .select(mean=pl.col("mean").sum(), weeks=pl.len())
    )
    count = weeks.select(freedom=pl.len() / (pl.len() - 1).clip(1))
    spread = seen.select(
        around=((pl.col("sold") - pl.col("mean")) ** 2 / pl.col("mean")).sum(), seen=pl.col("mean").sum(), some=pl.len()
    )
    one = spread.join(silent, how="cross").join(count, how="cross")
    beyond = (pl.col("around") + pl.col("mean") - pl.col("seen")) * pl.col("freedom") - pl.col("weeks")
    shape = (pl.col("mean") + _AS_IF) / (beyond + _AS_IF / _USUAL).clip(1e-9)
    return one.select(steady=shape.clip(_LEAST, _MOST).fill_nan(_USUAL))


def elsewhere(happened: pl.LazyFrame, shelves: pl.LazyFrame) -> pl.LazyFrame:
    """Return location, sku, elsewhere, all: sales of the sku anywhere after the shelf's `signed`, and in the whole history.

    `shelves`: location, sku, signed. At the shelf itself nothing was sold after its last sign.
    """
    sales = happened.filter(pl.col("kind") == MovementKind.SALE).select("sku", "at").sort("at")
    nth = sales.with_columns(nth=pl.int_range(1, pl.len() + 1).over("sku"))
    totals = sales.group_by("sku").agg(all=pl.len().cast(pl.Int64()))
    before = shelves.sort("signed").join_asof(
        nth, left_on="signed", right_on="at", by="sku", strategy="backward", check_sortedness=False
    )
    told = before.join(totals, on="sku", how="left")
    return told.select(
        "location", "sku", elsewhere=pl.col("all").fill_null(0) - pl.col("nth").fill_null(0), all=pl.col("all").fill_null(0)
    )
