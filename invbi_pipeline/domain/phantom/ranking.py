"""What to count next: the money a count is expected to save."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.phantom.model import PHANTOMS

__all__ = ["COUNT_LIST", "HORIZON_DAYS", "ranked"]

HORIZON_DAYS: Final = 28  # how long a shelf would stay empty before anybody found it otherwise: a monthly round of the shop

COUNT_LIST: Final = {
    **PHANTOMS,
    "system": pl.String(),  # who counts the place
    "at_stake": pl.Float64(),  # what is lost if the shelf is empty, reporting currency; null: unpriced
    "money": pl.Float64(),  # probability times that: the order of the list
}


def ranked(found: pl.LazyFrame, values: pl.LazyFrame, places: pl.LazyFrame) -> pl.LazyFrame:
    """Return COUNT_LIST of PHANTOMS, what a count is worth first, unpriced last.

    worth = P(empty) * (units * cost + rate * units a sale * (price - cost) * HORIZON_DAYS)

    that is, the goods that the books carry and that are gone, and the margin of the sales that nobody can make while the record
    keeps the shelf from being filled again ("freezing": Kang and Gershwin, "Information Inaccuracy in Inventory Systems", IIE
    Transactions 37(9), 2005). A sku costs and sells for the least that a listing of it does (`money.unit_values`); where no cost
    is known the price stands for it, and no margin is counted.
    """
    each = values.group_by("sku").agg(pl.col("price").min(), pl.col("cost").min())
    owner = places.select("location", system="counted_by")
    cost = pl.coalesce("cost", "price")
    margin = (pl.col("price") - cost).clip(0).fill_null(0.0)
    a_sale = pl.col("sold").clip(1) / pl.col("sales").clip(1)
    stake = pl.col("units") * cost + pl.col("rate") * a_sale * margin * HORIZON_DAYS
    rows = (
        found.join(each, on="sku", how="left")
        .join(owner, on="location", how="left")
        .with_columns(at_stake=stake.round(2))
        .with_columns(money=(pl.col("at_stake") * pl.col("probability")).round(2))
    )
    order = ["money", "probability", "location", "sku"]
    listed = rows.select(pl.col(name).cast(kind) for name, kind in COUNT_LIST.items())
    return listed.sort(order, descending=[True, True, False, False], nulls_last=True)
