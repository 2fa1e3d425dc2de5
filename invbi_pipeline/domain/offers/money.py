"""Money: what units are worth in the reporting currency. What has no price is unpriced, never 0."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.frames.schema import MONEY, TEXT, Schema, empty
from invbi_pipeline.domain.steps import beside

__all__ = ["unit_values", "value"]

_LISTING = ("system", "listing_key")
_OWN: Final[Schema] = {"system": TEXT, "listing_key": TEXT, "own": MONEY}


def unit_values(
    listings: pl.LazyFrame, held: pl.LazyFrame, prices: pl.LazyFrame, rates: pl.LazyFrame, currency: str
) -> pl.LazyFrame:
    """Return system, listing_key, sku, price, cost: of one unit of the listing, in the reporting `currency`; null where unknown.

    The price is the listing's own, else the price list's for its sku, times its units; the cost is the price list's times its
    units. A price in a currency without a rate (RATES; the reporting currency needs none) is unknown, and a price of 0 is what
    platforms write where nobody set one: neither is money. Of several rows for a sku the lowest price and cost in the
    reporting currency hold.
    """
    table = _rates(rates, currency)
    priced = pl.col("price").filter(pl.col("price") > 0).min()
    listed = _converted(prices, table, "price", "cost").group_by("sku").agg(price=priced, cost=pl.col("cost").min())
    said = listings.filter(pl.col("price").is_not_null()).select(*_LISTING, "price", "currency").collect()  # few listings say one
    own = empty(_OWN) if said.is_empty() else _converted(said.lazy(), table, "price").group_by(_LISTING).agg(own=priced).collect()
    valued = beside(held.select(*_LISTING, "sku", "units").collect(), listed.collect(), "sku")
    return (
        beside(valued, own, _LISTING)
        .lazy()
        .select(
            *_LISTING,
            "sku",
            price=pl.coalesce("own", pl.col("price") * pl.col("units")),
            cost=pl.col("cost") * pl.col("units"),
        )
    )


def value(frame: pl.LazyFrame, values: pl.LazyFrame, units: str, *, at: str = "price") -> pl.LazyFrame:
    """Add `money`: the size of `units` (a column, listing units) at the `price` or `cost` of `unit_values`; null: unpriced."""
    each = values.select(*_LISTING, each=at)
    money = (pl.col(units).abs() * pl.col("each")).round(2)
    return frame.join(each, on=_LISTING, how="left").with_columns(money=money).drop("each")


def _rates(rates: pl.LazyFrame, currency: str) -> pl.LazyFrame:
    own = pl.LazyFrame({"currency": [currency], "rate": [1.0]})
    return pl.concat(
        [own, rates.filter(pl.col("currency") != currency).select("currency", "rate").unique("currency", keep="none")]
    )


def _converted(frame: pl.LazyFrame, table: pl.LazyFrame, *columns: str) -> pl.LazyFrame:
    return frame.join(table, on="currency", how="left").with_columns(pl.col(c) * pl.col("rate") for c in columns).drop("rate")
