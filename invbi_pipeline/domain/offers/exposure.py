"""Exposure: what could be oversold now, because several listings show the same units at once.

Every channel may be right and still two shoppers can buy the last unit within one sync lag. For each sku

    shown   = sum over the listings of all channels and their locations of max(0, reported) x units per listing, kits exploded
    pool    = sum of free(l) over the places those channels may sell from - reservations that no location holds yet
    exposed = max(0, shown - max(0, pool))      units that would have to be cancelled if everything shown were bought now
    money   = exposed x the mean price of a unit of the sku as shown, weighted by the units shown

free(l) is that of design.md, Arithmetic: safety stocks, thresholds and buffers are on the shelf and can ship. The price of a
kit's component is its kit's price spread evenly over the units that are in it. What a platform fulfils itself is not ours to
promise. Numbers nobody could read (unknown) and listings that sell without one (untracked) are in no sum; they are counted.
"""

from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import EXPOSURE, fit
from invbi_pipeline.domain.identity.kits import explode
from invbi_pipeline.domain.words import Fulfilment, ListingStatus, LocationKind, PointState

__all__ = ["exposure"]

_LISTING: Final = ("system", "listing_key")


def exposure(
    points: pl.LazyFrame,
    held: pl.LazyFrame,
    kits: pl.LazyFrame,
    positions: pl.LazyFrame,
    reservations: pl.LazyFrame,
    systems: pl.LazyFrame,
    places: pl.LazyFrame,
    values: pl.LazyFrame,
) -> pl.LazyFrame:
    """Return EXPOSURE, one row a sku that any channel shows, sorted by sku.

    `points` POINTS as they are now, `held` MAPPINGS that hold now, `kits` KITS, `positions` POSITIONS, `reservations`
    RESERVATIONS, `systems` SYSTEMS, `places` PLACES, `values` as `money.unit_values` makes them. Money is null where any unit
    shown has no price: what is unpriced is never 0.
    """
    shown = _shown(points, held, kits, systems, values)
    sold_by = shown.select("sku", "system").unique()
    per_sku = shown.group_by("sku").agg(
        pl.col("shown").sum(),
        channels=pl.col("system").filter(pl.col("shown") > 0).n_unique(),
        listings=pl.struct(_LISTING).filter(pl.col("shown") > 0).n_unique(),
        untracked=pl.struct(_LISTING).filter("untracked").n_unique(),
        unread=pl.struct(_LISTING).filter("unread").n_unique(),
        worth=pl.when((pl.col("worth").is_null() & (pl.col("shown") > 0)).any()).then(None).otherwise(pl.col("worth").sum()),
    )
    exposed = (pl.col("shown") - pl.col("pool").clip(lower_bound=0)).clip(lower_bound=0)
    each = pl.col("worth") / pl.col("shown")
    money = pl.when(exposed == 0).then(0.0).otherwise((exposed * each).round(2))
    return fit(
        per_sku.join(_pool(sold_by, positions, reservations, systems, places), on="sku", how="left")
        .with_columns(pl.col("pool").fill_null(0))
        .with_columns(exposed=exposed, money=money),
        EXPOSURE,
    ).sort("sku")


def _shown(
    points: pl.LazyFrame, held: pl.LazyFrame, kits: pl.LazyFrame, systems: pl.LazyFrame, values: pl.LazyFrame
) -> pl.LazyFrame:
    """Return system, listing_key, sku (a component), shown (units), worth (null: unpriced), untracked, unread."""
    sells = systems.filter("sells").select("system")
    ours = points.filter(
        (pl.col("fulfilment").fill_null("") != Fulfilment.PLATFORM) & (pl.col("status") == ListingStatus.ACTIVE)
    ).join(sells, on="system", how="semi")
    listed = ours.group_by(_LISTING).agg(
        listings=pl.col("reported").clip(lower_bound=0).sum(),
        untracked=(pl.col("state") == PointState.UNTRACKED).any(),
        unread=(pl.col("state") == PointState.UNKNOWN).any(),
    )
    mapped = listed.join(held.select(*_LISTING, "sku", "units"), on=_LISTING)
    parts = explode(mapped, kits).with_columns(shown=pl.col("listings") * pl.col("units") * pl.col("per"))
    in_one = (pl.col("units") * pl.col("per")).sum().over(_LISTING)  # units of anything in one listing
    price = values.group_by(_LISTING).agg(pl.col("price").min())
    return parts.join(price, on=_LISTING, how="left").select(
        *_LISTING, "sku", "shown", "untracked", "unread", worth=pl.col("shown") * pl.col("price") / in_one
    )


def _pool(
    sold_by: pl.LazyFrame, positions: pl.LazyFrame, reservations: pl.LazyFrame, systems: pl.LazyFrame, places: pl.LazyFrame
) -> pl.LazyFrame:
    """Return sku, pool: what lies free where any channel that shows the sku may sell from, each place once."""
    own = places.filter(pl.col("kind") != LocationKind.PLATFORM).select("location", counter="counted_by")
    may = systems.filter("sells").select("system", location="sells_from").explode("location").drop_nulls("location")
    counts = own.select("location", system="counter").join(systems.filter("sells").select("system"), on="system", how="semi")
    reach = pl.concat([may.join(own, on="location", how="semi"), counts.select("system", "location")]).unique()
    lies = (
        sold_by.join(reach, on="system")
        .select("sku", "location")
        .unique()
        .join(positions.select("sku", "location", "free"), on=["sku", "location"])
        .group_by("sku")
        .agg(pl.col("free").sum())
    )
    nowhere = reservations.filter(pl.col("location") == "").group_by("sku").agg(unheld=pl.col("units").sum())
    return (
        sold_by.select("sku")
        .unique()
        .join(lies, on="sku", how="left")
        .join(nowhere, on="sku", how="left")
        .select("sku", pool=pl.col("free").fill_null(0) - pl.col("unheld").fill_null(0))
    )
