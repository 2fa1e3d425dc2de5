"""Pools: the places each channel may promise from, and what each place can give it of each listing."""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain import policies
from invbi_pipeline.domain.kits import explode
from invbi_pipeline.domain.positions import available
from invbi_pipeline.domain.words import FeedVerdict, Fulfilment, ListingStatus, LocationKind

__all__ = ["categories", "gives", "held_nowhere", "offered_listings", "pool_places", "safety_stock"]

POINT: Final = ("system", "listing_key")


def categories(prices: pl.LazyFrame) -> pl.LazyFrame:
    """Return sku, category, as the price list says; a sku of several categories is of the first by name."""
    said = prices.filter(pl.col("category").fill_null("") != "")
    return said.group_by("sku").agg(pl.col("category").min())


def pool_places(systems: pl.LazyFrame, places: pl.LazyFrame) -> pl.LazyFrame:
    """Return system, location, own_safety, own_sellable, owner: the places a channel may promise from.

    Not a platform's own warehouse. Nor, on a channel with a number for each location, the places that it counts itself:
    those numbers stand for themselves (counted or offered, never both).
    """
    may = (
        systems.filter("sells").select("system", "per_location", location="sells_from").explode("location").drop_nulls("location")
    )
    counted_here = pl.col("per_location") & (pl.col("counted_by") == pl.col("system"))
    return (
        may.unique()
        .join(places, on="location")
        .filter((pl.col("kind") != LocationKind.PLATFORM) & ~counted_here)
        .select("system", "location", own_safety="safety_stock", own_sellable="sellable", owner="counted_by")
    )


def offered_listings(things: pl.LazyFrame, held: pl.LazyFrame, systems: pl.LazyFrame, places: pl.LazyFrame) -> pl.LazyFrame:
    """Return the listings that get an offer: system, listing_key, sku, units, per_location.

    Mapped, not deleted, fulfilled by the merchant, on a channel; and where the channel keeps one number, not that of a place
    which it counts itself.
    """
    counted = places.select(default_location="location", system="counted_by")
    channels = (
        systems.filter("sells")
        .join(counted.with_columns(counts_it=pl.lit(True)), on=["system", "default_location"], how="left")
        .filter(pl.col("per_location") | pl.col("counts_it").is_null())
        .select("system", "per_location")
    )
    wanted = things.filter(
        (pl.col("status") != ListingStatus.DELETED)
        & (pl.col("fulfilment").fill_null("") != Fulfilment.PLATFORM)
        & pl.col("source").is_in(["listing", "stock"])
    )
    return (
        wanted.select(POINT)
        .unique()
        .join(channels, on="system")
        .join(held, on=POINT)
        .select(*POINT, "sku", "units", "per_location")
    )


def gives(
    listings: pl.LazyFrame,
    places: pl.LazyFrame,
    positions: pl.LazyFrame,
    observed: pl.LazyFrame,
    kits: pl.LazyFrame,
    category: pl.LazyFrame,
    rules: pl.LazyFrame,
    feeds: pl.LazyFrame,
    demand: pl.LazyFrame,
    now: datetime,
) -> pl.LazyFrame:
    """Return what each place of its pool gives each component of each listing.

    One row a (system, listing_key, sku, location): per (units of sku in one unit of the listing's sku), included (the place
    may sell it; else it gives 0), available, anchored, and of an owner that cannot be read: blind, blind_units (its age times the
    measured rate of `demand`: location, sku, per_day). `listings` are `offered_listings`, `places` are `pool_places`. A channel
    with a number per location gives only from the places where it stocks the listing, as far as it was observed at any.
    """
    parts = explode(listings, kits).select(*POINT, "sku", "whole", "per", "per_location")
    wanted = parts.join(places, on="system")
    here = observed.select(*POINT, "location").unique()
    stocked = wanted.join(here.select(POINT).unique().with_columns(seen=pl.lit(True)), on=POINT, how="left").join(
        here.with_columns(stocked=pl.lit(True)), on=[*POINT, "location"], how="left"
    )
    wanted = stocked.filter(~pl.col("per_location") | pl.col("seen").is_null() | pl.col("stocked").is_not_null())
    shelves = wanted.select("system", "location", "sku", "own_safety", "own_sellable", "owner").unique()
    ruled = policies.resolve(
        shelves.with_columns(channel="system")
        .join(category, on="sku", how="left")
        .with_columns(pl.col("category").fill_null("")),
        rules,
        ("safety_stock", "sellable"),
        now,
    )
    sellable = pl.when(pl.col("sellable").is_null()).then("own_sellable").otherwise(pl.col("sellable") == 1)
    safety = pl.coalesce("safety_stock", "own_safety")
    given = (
        ruled.with_columns(included=sellable)
        .join(positions.select("sku", "location", "free", "on_hand"), on=["sku", "location"], how="left")
        .join(_blind(feeds, now), on="owner", how="left")
        .join(demand, on=["sku", "location"], how="left")
        .select(
            "system",
            "location",
            "sku",
            "where_safety_stock",
            "included",
            available=pl.when("included").then(available(pl.col("free").fill_null(0), safety)).otherwise(0),
            anchored=pl.col("on_hand").is_not_null(),
            blind=pl.col("included") & pl.col("blind_days").is_not_null(),
            blind_units=pl.when("included").then((pl.col("blind_days") * pl.col("per_day")).fill_null(0.0)).otherwise(0.0),
        )
    )
    return wanted.drop("own_safety", "own_sellable", "owner", "seen", "stocked").join(given, on=["system", "location", "sku"])


def _blind(feeds: pl.LazyFrame, now: datetime) -> pl.LazyFrame:
    since = pl.coalesce("blind_since", "stock_read_at", pl.lit(now))
    age = ((pl.lit(now) - since).dt.total_microseconds() / 86_400e6).clip(lower_bound=0)
    cannot = pl.col("blind_since").is_not_null() | (pl.col("verdict") != FeedVerdict.BELIEVED)
    return feeds.filter(cannot).group_by(owner="system").agg(blind_days=age.max())


def held_nowhere(reservations: pl.LazyFrame, places: pl.LazyFrame) -> pl.LazyFrame:
    """Return system, sku, unheld: units reserved that no location holds yet and that the channel's places may have to ship.

    A channel's places may have to ship them where its pool shares a place with that of the channel they were sold on.
    """
    pairs = places.select(channel="system", place="location").join(places.select("system", place="location"), on="place")
    unheld = reservations.filter(pl.col("location") == "").select("sku", "units", channel="system")
    return (
        unheld.join(pairs.select("channel", "system").unique(), on="channel")
        .group_by("system", "sku")
        .agg(unheld=pl.col("units").sum())
    )


def safety_stock(
    shelves: pl.LazyFrame, places: pl.LazyFrame, category: pl.LazyFrame, rules: pl.LazyFrame, now: datetime
) -> pl.LazyFrame:
    """Return location, sku, safety_stock of the given shelves (location, sku), as it is for no particular channel."""
    targets = (
        shelves.select("location", "sku")
        .unique()
        .join(places.select("location", own_safety="safety_stock"), on="location")
        .join(category, on="sku", how="left")
        .with_columns(pl.col("category").fill_null(""), channel=pl.lit(""))
    )
    ruled = policies.resolve(targets, rules, ("safety_stock",), now)
    return ruled.select("location", "sku", safety_stock=pl.coalesce("safety_stock", "own_safety"))
