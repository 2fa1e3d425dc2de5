"""Money: what units are worth in the reporting currency. What has no price is unpriced, never 0."""

import polars as pl

__all__ = ["unit_values", "value"]

_LISTING = ("system", "listing_key")


def unit_values(
    listings: pl.LazyFrame, held: pl.LazyFrame, prices: pl.LazyFrame, rates: pl.LazyFrame, currency: str
) -> pl.LazyFrame:
    """Return system, listing_key, sku, price, cost: of one unit of the listing, in the reporting `currency`; null where unknown.

    The price is the listing's own, else the price list's for its sku, times its units; the cost is the price list's times its
    units. A price in a currency without a rate (RATES; the reporting currency needs none) is unknown. Of several rows for
    a sku the lowest price and cost in the reporting currency hold.
    """
    table = _rates(rates, currency)
    listed = _converted(prices, table, "price", "cost").group_by("sku").agg(pl.col("price").min(), pl.col("cost").min())
    own = _converted(listings.select(*_LISTING, "price", "currency"), table, "price")
    own = own.group_by(_LISTING).agg(own=pl.col("price").min())
    return (
        held.select(*_LISTING, "sku", "units")
        .join(listed, on="sku", how="left")
        .join(own, on=_LISTING, how="left")
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
