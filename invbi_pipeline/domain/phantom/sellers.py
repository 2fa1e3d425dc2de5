"""Who sells from a shelf: silence means nothing where nobody could have bought."""

import polars as pl

from invbi_pipeline.domain.identity.kits import explode

__all__ = ["sellers"]


def sellers(mappings: pl.LazyFrame, kits: pl.LazyFrame, systems: pl.LazyFrame) -> pl.LazyFrame:
    """Return location, sku, sellers: the channels that list it, or a kit of it, and sell there, sorted and joined by a comma."""
    channels = systems.filter("sells").select("system", location="sells_from").explode("location").drop_nulls("location")
    held = mappings.filter(pl.col("valid_to").is_null()).select("system", "sku").unique()
    each = explode(held.join(channels, on="system"), kits)
    return each.group_by("location", "sku").agg(sellers=pl.col("system").unique().sort().str.join(","))
