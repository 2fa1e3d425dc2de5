"""Pools: the places each channel may promise from, and what each place can give it of each listing."""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.frames.schema import INT, TEXT, Schema, empty
from invbi_pipeline.domain.identity.kits import explode
from invbi_pipeline.domain.ledger.positions import available
from invbi_pipeline.domain.offers import policies
from invbi_pipeline.domain.steps import again, any_row, beside, kept, numbers
from invbi_pipeline.domain.words import FeedVerdict, Fulfilment, ListingStatus, LocationKind

__all__ = ["alike", "asked", "categories", "gives", "held_nowhere", "offered_listings", "pool_places", "safety_stock"]

POINT: Final = ("system", "listing_key")
_UNHELD: Final[Schema] = {"system": TEXT, "sku": TEXT, "unheld": INT}
_PLACE_RULES: Final = ("safety_stock", "sellable")  # policies of a place, not of a pool


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
    which it counts itself. In the order of `things` (`identity.subjects`), which is that of their keys.
    """
    counted = places.select(default_location="location", system="counted_by")
    channels = (
        systems.filter("sells")
        .join(counted.with_columns(counts_it=pl.lit(True)), on=["system", "default_location"], how="left")
        .filter(pl.col("per_location") | pl.col("counts_it").is_null())
        .collect()
    )
    wanted = things.filter(
        pl.col("system").is_in(channels["system"].to_list())
        & (pl.col("status") != ListingStatus.DELETED)
        & (pl.col("fulfilment").fill_null("") != Fulfilment.PLATFORM)
        & pl.col("source").is_in(["listing", "stock"])
    )
    return (
        wanted.select(POINT)
        .filter(~again(POINT))
        .join(held.select(*POINT, "sku", "units"), on=POINT, maintain_order="left")
        .with_columns(per_location=pl.col("system").is_in(channels.filter("per_location")["system"].to_list()))
    )


def alike(listings: pl.LazyFrame, places: pl.LazyFrame, rules: pl.LazyFrame) -> pl.LazyFrame:
    """Add asks_system, asks_key, ask to `offered_listings`: listings that are alike ask the same of the same places.

    Of channels with one number those are alike that may sell from the same places by the same rules, and on them all listings of
    one sku are. What the places give (`gives`, `asked`) is reckoned once for all that are alike; `ask` is their number.
    """
    apart = rules.filter(pl.col("name").is_in(_PLACE_RULES)).select(system="channel", apart="channel").unique()
    place = pl.struct("location", "own_safety", "own_sellable", "owner").struct.json_encode()
    asks = listings.collect()
    pool = (
        asks.lazy()
        .filter(~pl.col("per_location"))
        .select(pl.col("system").unique())
        .join(places, on="system")
        .group_by("system")
        .agg(pool=place.sort().str.join())
        .join(apart, on="system", how="left")
        .select("system", first=pl.col("system").min().over("pool", pl.col("apart").fill_null("")))
        .collect()
    )
    asks = asks.with_columns(
        asks_system=pl.when("per_location").then("system").otherwise(pl.col("system").replace(pool["system"], pool["first"])),
        asks_key=pl.when("per_location").then("listing_key").otherwise("sku"),
    )
    return asks.with_columns(ask=numbers(asks, "asks_system", "asks_key")).lazy()


def asked(listings: pl.LazyFrame) -> pl.LazyFrame:
    """Return of listings with `alike` one for all that are alike, under the key by which they ask, and its number `ask`."""
    first = listings.filter(pl.col("ask").is_first_distinct())  # a tenth of what `unique` takes
    return first.select("ask", "sku", "per_location", system="asks_system", listing_key="asks_key")


def gives(
    listings: pl.LazyFrame,
    places: pl.LazyFrame,
    positions: pl.LazyFrame,
    observed: pl.LazyFrame,
    kits: pl.LazyFrame,
    category: pl.LazyFrame,
    rules: policies.Book,
    feeds: pl.LazyFrame,
    demand: pl.LazyFrame,
    now: datetime,
) -> pl.LazyFrame:
    """Return what each place of its pool gives each component of each listing.

    One row a (system, listing_key, sku, location): ask (its number), per (units of sku in one unit of the listing's sku),
    included (the place may sell it; else it gives 0), available, free, anchored, and of an owner that cannot be read: blind,
    blind_units (its age times the measured rate of `demand`: location, sku, per_day). `listings` are `asked`; `places` are
    `pool_places`. A channel with a number per location gives only from the places where it stocks the listing, as far as it was
    observed at any.
    """
    parts = kept(explode(listings, kits).select("ask", *POINT, "sku", "per", "per_location"))
    wanted = _where_stocked(parts.join(places, on="system"), parts, observed)
    ruled = policies.resolve(wanted.with_columns(channel="system"), rules, _PLACE_RULES, category)
    blind = _blind(feeds, now).collect()
    rates = (demand if blind.height else demand.clear()).collect()  # measured only where some owner cannot be read
    sellable = pl.when(pl.col("sellable").is_null()).then("own_sellable").otherwise(pl.col("sellable") == 1)
    safety = pl.coalesce("safety_stock", "own_safety")
    placed = ruled.join(positions.select("sku", "location", "free", "on_hand"), on=["sku", "location"], how="left").collect()
    given = beside(placed.join(blind, on="owner", how="left"), rates, ["location", "sku"]).lazy()
    return given.with_columns(included=sellable).select(
        *("ask", *POINT, "sku", "per", "location", "where_safety_stock", "included"),
        available=pl.when("included").then(available(pl.col("free").fill_null(0), safety)).otherwise(0),
        free=pl.when("included").then(pl.col("free").fill_null(0)).otherwise(0),
        anchored=pl.col("on_hand").is_not_null(),
        blind=pl.col("included") & pl.col("blind_days").is_not_null(),
        blind_units=pl.when("included").then((pl.col("blind_days") * pl.col("per_day")).fill_null(0.0)).otherwise(0.0),
    )


def _where_stocked(wanted: pl.LazyFrame, parts: pl.LazyFrame, observed: pl.LazyFrame) -> pl.LazyFrame:
    """Leave out the places at which a channel with a number per location does not stock the listing, if it was seen at any."""
    here = kept(observed.join(parts.filter("per_location"), on=POINT, how="semi").select(*POINT, "location").unique())
    elsewhere = wanted.filter("per_location").join(here, on=POINT, how="semi").join(here, on=[*POINT, "location"], how="anti")
    without = elsewhere.select(*POINT, "location").collect()
    return wanted if without.is_empty() else wanted.join(without.lazy(), on=[*POINT, "location"], how="anti")


def _blind(feeds: pl.LazyFrame, now: datetime) -> pl.LazyFrame:
    since = pl.coalesce("blind_since", "stock_read_at", pl.lit(now))
    age = ((pl.lit(now) - since).dt.total_microseconds() / 86_400e6).clip(lower_bound=0)
    cannot = pl.col("blind_since").is_not_null() | (pl.col("verdict") != FeedVerdict.BELIEVED)
    return feeds.filter(cannot).group_by(owner="system").agg(blind_days=age.max())


def held_nowhere(reservations: pl.LazyFrame, places: pl.LazyFrame) -> pl.LazyFrame:
    """Return system, sku, unheld: units reserved that no location holds yet and that the channel's places may have to ship.

    A channel's places may have to ship them where its pool shares a place with that of the channel they were sold on.
    """
    unheld = kept(reservations.filter(pl.col("location") == "").select("sku", "units", channel="system"))
    if not any_row(unheld):
        return empty(_UNHELD).lazy()
    pairs = places.select(channel="system", place="location").join(places.select("system", place="location"), on="place")
    return (
        unheld.join(pairs.select("channel", "system").unique(), on="channel")
        .group_by("system", "sku")
        .agg(unheld=pl.col("units").sum())
    )


def safety_stock(shelves: pl.LazyFrame, places: pl.LazyFrame, category: pl.LazyFrame, rules: policies.Book) -> pl.LazyFrame:
    """Return location, sku, safety_stock of the given shelves (location, sku; each once), as it is for no particular channel."""
    targets = (
        shelves.select("location", "sku")
        .join(places.select("location", own_safety="safety_stock"), on="location", maintain_order="left")
        .with_columns(channel=pl.lit(""))
    )
    ruled = policies.resolve(targets, rules, ("safety_stock",), category)
    return ruled.select("location", "sku", safety_stock=pl.coalesce("safety_stock", "own_safety"))
