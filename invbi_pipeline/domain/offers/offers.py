"""Offers: the number each listing should show now, with every deduction beside it."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import OFFERS, Schema, empty
from invbi_pipeline.domain.offers import buffers, policies
from invbi_pipeline.domain.offers.sales import sold_of
from invbi_pipeline.domain.offers.split import split
from invbi_pipeline.domain.steps import any_row, beside, kept
from invbi_pipeline.domain.words import LocationKind

__all__ = ["buffered", "offers", "own_open", "pooled", "shared"]

_POINT: Final = ("system", "listing_key")
_RULES: Final = ("share_bp", "threshold", "buffer", "backorder_limit", "min_offer", "max_offer", "ship_in_parts")
_ASKS: Final = ("ask", "units", "ship_in_parts")
_BP: Final = 10_000  # basis points in one
_RISK: Final[Schema] = {"risk_units": pl.Int64(), "rate_per_day": pl.Float64(), "lag_s": pl.Int64()}  # of `buffers.risk_buffers`
_OF_A_PLACE: Final = ("location", "offer", "own_open")  # of OFFERS what is known last
_MADE_OF: Final = ("buffer_pct_bp", "buffer_risk_bp", "rate_per_day", "lag_s", "blind")  # what the buffer in units was made from


def shared(pool: pl.Expr, share_bp: pl.Expr) -> pl.Expr:
    """Return pool x share, rounded down, units; a negative pool takes no share."""
    return pl.when(pool > 0).then(pool * share_bp // _BP).otherwise(pool)


def buffered(pool: pl.Expr, share_bp: pl.Expr, buffer: pl.Expr, buffer_pct_bp: pl.Expr, risk_units: pl.Expr) -> pl.Expr:
    """Return the buffer in units: the number, or the percentage of max(0, pool x share) rounded up, or what a risk came to.

    `risk_units` is null where the buffer is no risk (`buffers.risk_buffers`).
    """
    percentage = -(-(pool.clip(lower_bound=0) * share_bp * buffer_pct_bp) // (_BP * _BP))
    said = pl.when(buffer_pct_bp.is_not_null()).then(percentage).otherwise(buffer.fill_null(0))
    return pl.coalesce(risk_units, said)


def pooled(given: pl.LazyFrame, listings: pl.LazyFrame, unheld: pl.LazyFrame) -> pl.LazyFrame:
    """Return each listing's pool before its threshold: places flooring for themselves, then summed.

    `given` is `pools.gives` of `pools.asked`, `unheld` is `pools.held_nowhere`, `listings` has ask (`pools.alike`), units,
    ship_in_parts. One row of these three for all listings that share them: gathered (whole units of the listing's sku that the
    places can give), held_nowhere, unpromised (OFFERS), known (each component is anchored in the pool), falling_only, blind
    (units), safety (which policy set a safety stock, and where).
    """
    asks = listings.select(_ASKS).unique()
    parts = beside(given.collect(), unheld.collect(), ("system", "sku")).lazy().with_columns(pl.col("unheld").fill_null(0))
    by_place = parts.group_by("ask", "location").agg(makes=(pl.col("available") // pl.col("per")).min())
    floored = (
        by_place.join(asks.select("ask", "units").unique(), on="ask")
        .group_by("ask", "units")
        .agg(floored=(pl.col("makes") // pl.col("units") * pl.col("units")).sum())
    )
    together = parts.group_by("ask", "sku", "per").agg(
        pl.col("available", "free").sum(),
        pl.col("unheld").first(),
        known=(pl.col("included") & pl.col("anchored")).any() | ~pl.col("included").any(),
        blind_units=pl.col("blind_units").sum(),
    )
    whole = together.group_by("ask").agg(
        gathered=(pl.col("available") // pl.col("per")).min(),
        left=((pl.col("available") - pl.col("unheld")) // pl.col("per")).min(),
        unpromised=((pl.col("free") - pl.col("unheld")) // pl.col("per")).min(),
        unheld=(-(-pl.col("unheld") // pl.col("per"))).max(),
        known=pl.col("known").all(),
        # to the nearest unit: rounded up, one missed look of a slow seller's owner would lower every number it counts
        blind=(pl.col("blind_units") / pl.col("per") + 0.5).floor().max().cast(pl.Int64),
    )
    falling = given.filter("blind").select("ask", falling_only=pl.lit(value=True)).unique()
    said = pl.format("{}: {}", "location", "where_safety_stock")
    guarded = given.filter(pl.col("where_safety_stock") != "").group_by("ask").agg(safety=said.unique().sort().str.join(", "))
    parts_ship = pl.col("ship_in_parts") == 1
    reckoned = asks.join(whole, on="ask", how="left").join(floored, on=["ask", "units"], how="left").collect()
    return (
        beside(beside(reckoned, falling.collect(), "ask"), guarded.collect(), "ask")
        .lazy()
        .select(
            *(*_ASKS, "safety"),
            gathered=pl.when(parts_ship).then("gathered").otherwise("floored").fill_null(0),
            held_nowhere=pl.when(parts_ship).then(pl.col("gathered") - pl.col("left")).otherwise("unheld").fill_null(0),
            unpromised=pl.col("unpromised").fill_null(0),
            known=pl.col("known").fill_null(False),
            falling_only=pl.col("falling_only").fill_null(False),
            blind=pl.col("blind").fill_null(0),
        )
    )


def own_open(lines: pl.LazyFrame, reservations: pl.LazyFrame, places: pl.LazyFrame) -> pl.LazyFrame:
    """Return system, listing_key, location, own_open: the channel's own open units that its pool deducted, in listing units."""
    reserved = reservations.group_by("order_key", "sku", "location").agg(reserved=pl.col("units").sum())
    open_ = lines.filter(pl.col("open_quantity") > 0).join(reserved, on=["order_key", "sku"])
    deducted = open_.join(
        places.select("system", "location").with_columns(ours=pl.lit(True)), on=["system", "location"], how="left"
    )
    deducted = deducted.filter(pl.col("ours").is_not_null() | (pl.col("location") == ""))
    units = pl.min_horizontal("open_quantity", -(-pl.col("reserved") // pl.col("per")))
    line = ["system", "order_id", "line_id", "listing_key", "location"]
    each = deducted.group_by(line).agg(own_open=units.max())
    return each.group_by(*_POINT, "location").agg(pl.col("own_open").sum())


def offers(
    listings: pl.LazyFrame,
    given: pl.LazyFrame,
    unheld: pl.LazyFrame,
    places: pl.LazyFrame,
    observed: pl.LazyFrame,
    systems: pl.LazyFrame,
    locations: pl.LazyFrame,
    open_units: pl.LazyFrame,
    category: pl.LazyFrame,
    rules: policies.Book,
    demand: pl.LazyFrame,
    feeds: pl.LazyFrame,
    lately: pl.LazyFrame,
) -> pl.LazyFrame:
    """Return OFFERS: one row a listing, or a listing and location where the channel keeps a number per location.

    sellable = max(0, pool x share - buffer + backorder limit); offer = floor(sellable / units), 0 below min_offer, at most
    max_offer (design, Arithmetic). `listings` are `pools.offered_listings` with `pools.alike`, `given` is `pools.gives`,
    `unheld` is `pools.held_nowhere`, `places` are `pools.pool_places`, `observed` the OBSERVATIONS, `locations` PLACES,
    `open_units` is `own_open`, `demand` is `buffers.demand_by_channel`, `feeds` FEEDS, `lately` what `sales.sales` says of the
    last hours. A number that the channel shows at a place it may not promise from gets the offer 0.
    """
    ruled = kept(_ruled(listings, places, category, rules))
    risks = _risks(ruled, given, demand, places, feeds)
    asked = beside(ruled.collect(), pooled(given, ruled, unheld).collect(), _ASKS)
    bought = beside(asked, sold_of(given, lately).collect(), ["ask"])
    offered = kept(_reckoned(beside(bought, risks.collect(), _POINT).lazy()))
    single = offered.filter(~pl.col("per_location")).with_columns(location=pl.lit(""), offer="channel_offer")
    of_all = open_units.group_by(_POINT).agg(pl.col("own_open").sum())
    single = single.join(of_all, on=_POINT, how="left", maintain_order="left")
    several = kept(offered.filter("per_location"))
    if not any_row(several):
        return single.with_columns(pl.col("own_open").fill_null(0)).select(*OFFERS)
    parts = kept(split(_capacities(given, several)))
    elsewhere = _places_beside(several, parts, observed, systems, locations)
    spread = several.join(pl.concat([parts.select(*_POINT, "location", "offer"), elsewhere]), on=_POINT)
    spread = spread.join(open_units, on=[*_POINT, "location"], how="left")
    return pl.concat([f.with_columns(pl.col("own_open").fill_null(0)).select(*OFFERS) for f in (single, spread)])


def _ruled(listings: pl.LazyFrame, places: pl.LazyFrame, category: pl.LazyFrame, rules: policies.Book) -> pl.LazyFrame:
    only = places.group_by("system").agg(
        location=pl.when(pl.col("location").n_unique() == 1).then(pl.col("location").first()).otherwise(pl.lit(""))
    )
    targets = listings.join(only, on="system", how="left", maintain_order="left").with_columns(
        pl.col("location").fill_null(""), channel="system"
    )
    return policies.resolve(targets, rules, _RULES, category).drop("location", "channel")


def _risks(
    ruled: pl.LazyFrame, given: pl.LazyFrame, demand: pl.LazyFrame, places: pl.LazyFrame, feeds: pl.LazyFrame
) -> pl.LazyFrame:
    """Return `buffers.risk_buffers` of the listings that have such a policy; where none has, demand is not measured at all."""
    risky = ruled.filter(pl.col("buffer_risk_bp").is_not_null())
    if not any_row(risky):
        return empty({**dict.fromkeys(_POINT, pl.String()), **_RISK}).lazy()
    theirs = risky.select(*_POINT, "ask").join(given.drop(_POINT), on="ask")
    return buffers.risk_buffers(risky, theirs, demand, places, feeds)


def _reckoned(rows: pl.LazyFrame) -> pl.LazyFrame:
    pool = pl.col("gathered") - pl.col("held_nowhere") - pl.col("threshold")
    said = buffered(*(pl.col(c) for c in ("pool", "share_bp", "buffer", "buffer_pct_bp", "risk_units")))
    buffer = said + pl.col("blind")
    sellable = (shared(pl.col("pool"), pl.col("share_bp")) - pl.col("buffer") + pl.col("backorder_limit")).clip(lower_bound=0)
    whole = pl.col("sellable") // pl.col("units")
    enough = pl.when(whole < pl.col("min_offer")).then(0).otherwise(whole)
    capped = pl.min_horizontal(enough, "max_offer")
    where = [_where(pl.col(f"where_{name}")).alias(name) for name in _RULES]
    return (
        rows.with_columns(pool=pool)
        .with_columns(buffer=buffer)
        .with_columns(sellable=sellable)
        .with_columns(
            channel_offer=pl.when("known").then(capped),
            sold=-(-pl.col("bought").fill_null(0) // pl.col("units")),
            policy=pl.struct(*where, _where(pl.col("safety")).alias("safety_stock"), *_MADE_OF).struct.json_encode(),
        )
        .select("per_location", *(name for name in OFFERS if name not in _OF_A_PLACE))
    )


def _where(said: pl.Expr) -> pl.Expr:
    return pl.when(said.fill_null("") != "").then(said).otherwise(pl.lit("default"))


def _capacities(given: pl.LazyFrame, offered: pl.LazyFrame) -> pl.LazyFrame:
    read = given.group_by("system", "location").agg(read=pl.col("anchored").any())
    makes = given.group_by(*_POINT, "location").agg(
        makes=(pl.col("available") // pl.col("per")).min(), included=pl.col("included").all()
    )
    return (
        makes.join(offered.select(*_POINT, "units", "channel_offer"), on=_POINT)
        .join(read, on=["system", "location"])
        .with_columns(capacity=(pl.col("makes") // pl.col("units")).clip(lower_bound=0))
        .select(*_POINT, "location", "capacity", "channel_offer", read=pl.col("read") | ~pl.col("included"))
    )


def _places_beside(
    offered: pl.LazyFrame, parts: pl.LazyFrame, observed: pl.LazyFrame, systems: pl.LazyFrame, locations: pl.LazyFrame
) -> pl.LazyFrame:
    """Return the observed places that are in no pool of the channel, and not its own to count, with the offer 0."""
    foreign = locations.filter(pl.col("kind") != LocationKind.PLATFORM).select("location", "counted_by")
    return (
        observed.select(*_POINT, "location")
        .unique()
        .join(offered.select(_POINT), on=_POINT, how="semi")
        .join(foreign, on="location")
        .filter(pl.col("counted_by") != pl.col("system"))
        .join(parts, on=[*_POINT, "location"], how="anti")
        .select(*_POINT, "location", offer=pl.lit(0, dtype=pl.Int64()))
    )
