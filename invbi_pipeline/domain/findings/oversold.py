"""Oversold: more units are promised than all places that may ship them hold, and which order is the cheapest to disappoint."""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain.candidates import plural
from invbi_pipeline.domain.findings.inputs import TOLD, FindingInputs, among, told
from invbi_pipeline.domain.words import LocationKind

__all__ = ["oversold"]

# Platforms that count a cancel by the seller against him, up to losing the account: the last to be cancelled on.
_MARKETPLACES: Final = ("amazon", "ebay", "walmart", "tiktok", "etsy")
_ORDERS: Final = 20  # of the competing orders, how many the evidence names
_NAMED: Final = 3  # of those to cancel, how many the sentence names
_LINE: Final = ("system", "order_id", "line_id")


def oversold(inputs: FindingInputs, now: datetime, currency: str) -> pl.DataFrame:
    """Return `oversold` as TOLD: one row a sku and channel whose places hold fewer units than are promised.

    A safety stock or threshold that a policy withholds is there and can ship, packs are opened, and what a channel's policy lets
    it sell beyond its stock (backorders) was promised on purpose. A kit's shortage is told of its components. Where no channel
    lists the sku, it is told once, without a system. Evidence: the competing orders, the newest first, each with its units, money
    in `currency` (null: unpriced) and whole hours of age; the places beyond the channel's own that we ship from and that have
    units left; and the order lines that are the cheapest to cancel, as many as cover the shortage and none that the others cover:
    by money, the lowest first, of equal money the newest first, and those of a marketplace after all others, since it counts a
    cancel by the seller against him; or one order alone, where it covers the shortage for no more.
    """
    promised = inputs.reservations.filter(pl.col("units") > 0)
    short = _short(inputs, promised)
    if short.is_empty():
        return f.empty(TOLD)
    orders = _competing(short, _worth(promised.join(short, on="sku", how="semi"), inputs, now, currency), inputs)
    of = ["sku", "channel"]
    order = pl.struct("system", "order_id", "line_id", "location", "units", "money", "age_hours", "marketplace", "ordered_at")
    newest = ["ordered_at", *_LINE]
    listed = (
        orders.sort(newest, descending=[True, False, False, False], nulls_last=True)
        .group_by(of, maintain_order=True)
        .agg(orders=order.head(_ORDERS), promised=pl.col("units").sum(), lines=pl.len())
    )
    rows = (
        short.join(listed, on=of)
        .join(_cheapest(orders, currency), on=of, how="left")
        .join(_could_ship(inputs, short), on=of, how="left")
        .with_columns(system="channel")
    )
    where = pl.when(pl.col("system") == "").then(pl.lit("is there")).otherwise(pl.format("{} may ship", "system"))
    counted = pl.format(
        "{} {} of {} {} promised by {} order {}, {} more than {}.",
        *(
            "promised",
            plural("promised", "unit", "units"),
            "sku",
            plural("promised", "is", "are"),
            "lines",
            plural("lines", "line", "lines"),
            "units",
            where,
        ),
    )
    ship = pl.format(" Left elsewhere: {}.", "ship_said").fill_null("")
    cancel = pl.format(" Cheapest to cancel: {}.", "cancel_said").fill_null("")
    cause = pl.concat_str(counted, ship, cancel)
    return told(rows, "oversold", cause, "promised", "orders", "could_ship", "cheapest_to_cancel")


def _short(inputs: FindingInputs, promised: pl.DataFrame) -> pl.DataFrame:
    """Return sku, channel (empty: no channel lists it), units that are missing.

    Of a sku that no place keeps nobody knows how many there are: that is no shortage, but a trouble of its identity.
    """
    pools = (
        inputs.offers.join(promised.select("sku"), on="sku", how="semi")
        .with_columns(short=-(pl.col("unpromised") + pl.col("backorder_limit").fill_null(0)))
        .group_by("sku", channel="system")
        .agg(units=pl.col("short").max())
    )
    everywhere = (
        inputs.positions.join(promised.select("sku"), on="sku", how="semi")
        .group_by("sku")
        .agg(units=-pl.col("free").sum())
        .join(pools, on="sku", how="anti")
        .select("sku", "units", channel=pl.lit(""))
    )
    both = pl.concat([pools.select("sku", "channel", "units"), everywhere.select("sku", "channel", "units")])
    kept = inputs.positions.filter(pl.col("on_hand").is_not_null())
    return both.filter(pl.col("units") > 0).join(kept, on="sku", how="semi")


def _worth(promised: pl.DataFrame, inputs: FindingInputs, now: datetime, currency: str) -> pl.DataFrame:
    """Add money, age_hours and marketplace to each reserved order line.

    The money is what the buyer pays for the open units where that is in `currency`; else the listing's price, else the lowest
    price of the sku.
    """
    lines = among(inputs.order_lines, promised, *_LINE).unique(_LINE, keep="first", maintain_order=True)
    paid = pl.when(pl.col("currency") == currency).then("price") * pl.col("open_quantity")
    listing = ("system", "listing_key")
    of_listing = among(inputs.values, lines, *listing).group_by(listing).agg(listed=pl.col("price").min())
    of_sku = among(inputs.values, promised, "sku").group_by("sku").agg(of_sku=pl.col("price").min())
    platforms = inputs.systems.select("system", marketplace=pl.col("platform").is_in(_MARKETPLACES))
    money = pl.coalesce(paid, pl.col("listed") * pl.col("open_quantity"), pl.col("of_sku") * pl.col("units"))
    return (
        promised.join(lines.select(*_LINE, "listing_key", "open_quantity", "price", "currency"), on=_LINE, how="left")
        .join(of_listing, on=["system", "listing_key"], how="left")
        .join(of_sku, on="sku", how="left")
        .join(platforms, on="system", how="left")
        .with_columns(
            money=pl.when(money > 0).then(money.round(2)),
            age_hours=(pl.lit(now) - pl.col("ordered_at")).dt.total_hours(),
            marketplace=pl.col("marketplace").fill_null(value=False),
        )
    )


def _competing(short: pl.DataFrame, orders: pl.DataFrame, inputs: FindingInputs) -> pl.DataFrame:
    """Return the orders of each shortage: those held in a place of that channel's, or in none yet."""
    pools = inputs.systems.select(channel="system", pool="sells_from").filter(pl.col("pool").list.len() > 0)
    rows = short.select("sku", "channel").join(orders, on="sku").join(pools, on="channel", how="left")
    held_there = pl.col("pool").is_null() | (pl.col("location") == "") | pl.col("location").is_in(pl.col("pool"))
    return rows.filter(held_there).join(short.select("sku", "channel", missing="units"), on=["sku", "channel"])


def _cheapest(orders: pl.DataFrame, currency: str) -> pl.DataFrame:
    """Return sku, channel, cheapest_to_cancel (order lines whose units cover the shortage) and cancel_said."""
    of = ["sku", "channel"]
    by = ["marketplace", "money", "ordered_at", *_LINE]
    ranked = orders.sort(by, descending=[False, False, True, False, False, False], nulls_last=True)
    each = pl.format("{} {}", pl.lit(currency), (pl.col("money") * 100).round().cast(pl.Int64)).str.replace(
        r" (\d*)(\d\d)$", " ${1}.${2}"
    )
    price = each.str.replace(r" \.", " 0.").fill_null("unpriced")
    units = pl.format("{} {}", "units", plural("units", "unit", "units"))
    said = pl.format("order {} on {} ({}, {})", "order_id", "system", units, price)
    chosen = _fewest(ranked).with_columns(said=said)
    names = pl.col("said").head(_NAMED).str.join(", ")
    more = pl.when(pl.len() > _NAMED).then(pl.format(" and {} more", pl.len() - _NAMED)).otherwise(pl.lit(""))
    return chosen.group_by(of, maintain_order=True).agg(
        cheapest_to_cancel=pl.struct("system", "order_id", "line_id", "units", "money", "marketplace").head(_ORDERS),
        cancel_said=pl.concat_str(names, more),
    )


def _fewest(ranked: pl.DataFrame) -> pl.DataFrame:
    """The first orders that together cover the shortage, or the first that does so alone, if all of them are no cheaper."""
    of = ["sku", "channel"]
    before = pl.col("units").cum_sum().over(of) - pl.col("units")
    together = _needed(ranked.filter(before < pl.col("missing")))
    priced = pl.when(pl.col("money").is_not_null().all()).then(pl.col("money").sum().round(2))
    cost = together.group_by(of).agg(cost=priced, at_market=pl.col("marketplace").any())
    alone = ranked.filter(pl.col("units") >= pl.col("missing")).unique(of, keep="first", maintain_order=True)
    no_worse = (pl.col("marketplace") <= pl.col("at_market")) & (pl.col("money") <= pl.col("cost"))
    better = alone.join(cost, on=of).filter(no_worse).select(together.columns)
    return pl.concat([together.join(better, on=of, how="anti"), better])


def _needed(chosen: pl.DataFrame) -> pl.DataFrame:
    """Return the chosen orders, cheapest first, without those the others cover: the dearest that can be spared is kept first."""
    of = ["sku", "channel"]
    surplus = pl.col("units").sum().over(of) - pl.col("missing")
    rows = chosen.with_columns(surplus=surplus, nth=pl.int_range(pl.len()))
    small = pl.when(pl.col("units") <= pl.col("surplus")).then("units").otherwise(0)
    spared = small.cum_sum().over(of, order_by="nth", descending=True)
    return rows.filter((small == 0) | (spared > pl.col("surplus"))).drop("surplus", "nth")


def _could_ship(inputs: FindingInputs, short: pl.DataFrame) -> pl.DataFrame:
    """Return sku, channel, could_ship (places beyond the channel's own that have units left, the fullest first) and ship_said.

    What lies in a platform's own warehouse ships that platform's orders only; where nobody may promise from, nothing ships.
    """
    of = ["sku", "channel"]
    shut = inputs.places.filter((pl.col("kind") == LocationKind.PLATFORM) | ~pl.col("sellable")).select("location")
    own = inputs.systems.select(channel="system", location="sells_from").explode("location").drop_nulls("location")
    left = (
        inputs.positions.filter(pl.col("available") > 0)
        .join(short.select(of), on="sku")
        .join(own, on=["channel", "location"], how="anti")
        .join(shut, on="location", how="anti")
    )
    return (
        left.sort("available", "location", descending=[True, False])
        .group_by(of, maintain_order=True)
        .agg(
            could_ship=pl.struct("location", "available"),
            ship_said=pl.format("{} in {}", "available", "location").head(_NAMED).str.join(", "),
        )
    )
