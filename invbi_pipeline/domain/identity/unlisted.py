"""Skus that a channel should list and does not: only where somebody declared that wish, since a channel may choose."""

import polars as pl

from invbi_pipeline.domain.candidates import candidates, nothing
from invbi_pipeline.domain.identity.mappings import KEY
from invbi_pipeline.domain.offers import policies
from invbi_pipeline.domain.words import ListingStatus

__all__ = ["unlisted"]


def unlisted(
    places: pl.LazyFrame,
    positions: pl.LazyFrame,
    things: pl.LazyFrame,
    held: pl.LazyFrame,
    category: pl.LazyFrame,
    rules: policies.Book,
) -> pl.LazyFrame:
    """Return `unlisted_sku` as CANDIDATES, one row a (system, sku), `units` being what the channel could sell of it.

    A sku is wanted on a channel where the policy `listed` is 1 for it (by channel, category or sku). `places` are
    `pools.pool_places`, `positions` POSITIONS, `things` `identity.subjects`, `held` the mappings that hold, `category` sku and
    category. Any listing that the platform has not deleted counts, whatever its pack, its status or who fulfils it.
    """
    if "listed" not in rules:
        return nothing()
    wished = rules["listed"].filter(pl.col("value") == 1).select("channel").unique()
    anywhere = "" in wished["channel"]
    channels = places if anywhere else places.join(wished.lazy().select(system="channel"), on="system", how="semi")
    pools = (
        channels.filter("own_sellable")
        .join(positions.select("location", "sku", "available"), on="location")
        .group_by("system", "sku")
        .agg(units=pl.col("available").clip(lower_bound=0).sum())
        .filter(pl.col("units") > 0)
    )
    there = things.filter(pl.col("status") != ListingStatus.DELETED).select(KEY).join(held, on=KEY).select("system", "sku")
    missing = pools.join(there.unique(), on=["system", "sku"], how="anti").join(category, on="sku", how="left")
    targets = missing.with_columns(pl.col("category").fill_null(""), channel=pl.col("system"), location=pl.lit(""))
    ruled = policies.resolve(targets, rules, ("listed",)).filter(pl.col("listed") == 1)
    cause = pl.format(
        "{} could be sold {} times on {}, its policy ({}) wants it listed there, and it is not.",
        "sku", "units", "system", "where_listed",
    )  # fmt: skip
    return candidates(ruled, "unlisted_sku", cause, {"pool": pl.col("units"), "policy": pl.col("where_listed")})
