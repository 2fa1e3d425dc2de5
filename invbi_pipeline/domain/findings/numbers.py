"""The number shown: what may be sold against what is offered."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.inputs import TOLD, FindingInputs, subject, told
from invbi_pipeline.domain.frames import empty
from invbi_pipeline.domain.words import COMPARABLE, ListingStatus, PointState, Severity

__all__ = ["gaps", "oversold", "wrong"]

_LOOKS: Final = 2  # a gap counts once two judged looks have seen it (a first look of a whole system counts as two)
_ORDERS: Final = 20  # of the competing orders, how many the evidence names


def wrong(points: pl.DataFrame) -> pl.DataFrame:
    """Return the points whose gap is no passing one: two judged looks have seen it, and no push is on its way to them.

    The present look need not be judged yet: where the order feed is always a little behind, none ever is at once. A number
    that went wrong and is being corrected at its first look is the normal life of a point, not a finding.
    """
    confirmed = (pl.col("confirmed") != 0) & (pl.col("confirmed").sign() == pl.col("gap").sign())
    return points.filter(
        pl.col("state").is_in([str(state) for state in COMPARABLE])
        & (pl.col("gap") != 0)
        & ((pl.col("gap_looks") >= _LOOKS) | confirmed)
        & (pl.col("in_flight") == 0)
        & (pl.col("status") == ListingStatus.ACTIVE)
    )


def gaps(inputs: FindingInputs, tolerance: int) -> pl.DataFrame:
    """Return `oversell_risk`, `undersell` (beyond `tolerance` units) and `channel_stockout`, as TOLD.

    Of a point that shows 0 while other channels sell its sku only the stockout is told.
    """
    points = wrong(inputs.points).with_columns(units=pl.col("gap").abs())
    high = points.filter(pl.col("gap") > 0).with_columns(
        severity=pl.when(pl.col("offer") == 0).then(pl.lit(Severity.CRITICAL.value))
    )
    out = _stockouts(points.filter((pl.col("reported") == 0) & (pl.col("offer") > 0)), inputs)
    low = points.filter((pl.col("gap") < 0) & (pl.col("units") > tolerance)).join(
        out, on=["system", "listing_key", "location"], how="anti"
    )
    evidence = ("reported", "offer", "gap", "expected", "base", "unexplained", "pending", "gap_looks", "observed_at")
    should = pl.format("{} shows {} where {} may be sold.", subject(), "reported", "offer")
    stockout = pl.format("{} shows none although {} may be sold and {} offers {}.", subject(), "offer", "elsewhere", "there")
    return pl.concat(
        [
            told(high, "oversell_risk", should, *evidence),
            told(low, "undersell", should, *evidence),
            told(out, "channel_stockout", stockout, *evidence, "elsewhere", "there"),
        ]
    )


def _stockouts(empty_points: pl.DataFrame, inputs: FindingInputs) -> pl.DataFrame:
    """Return those of sold-out channels whose sku another channel has: with `elsewhere`, the one that shows most, and `there`.

    A channel that counts the stock itself (a hub, a till) sells what it counts.
    """
    sells = inputs.systems.filter("sells")["system"].implode()
    counted = (pl.col("state") == PointState.COUNTED) & pl.col("system").is_in(sells)
    shown = (
        inputs.points.filter(pl.col("state").is_in([str(state) for state in COMPARABLE]) | counted)
        .filter(pl.col("sku").is_not_null())
        .group_by("sku", "system")
        .agg(shown=pl.col("reported").sum())
    )
    sold_out = empty_points.join(shown.filter(pl.col("shown") == 0), on=["sku", "system"], how="semi")
    others = sold_out.select("sku", "system").unique().join(shown.filter(pl.col("shown") > 0), on="sku", suffix="_other")
    best = (
        others.filter(pl.col("system_other") != pl.col("system"))
        .sort("shown", "system_other", descending=[True, False])
        .unique(["sku", "system"], keep="first", maintain_order=True)
        .select("sku", "system", elsewhere="system_other", there="shown")
    )
    return sold_out.join(best, on=["sku", "system"])


def oversold(inputs: FindingInputs) -> pl.DataFrame:
    """Return `oversold` as TOLD: one row a sku and channel whose places hold fewer units than are promised.

    A threshold that a policy withholds is not a promise. A kit's shortage is told of its components. Where no channel lists the
    sku, it is told once, without a system. Evidence: the competing orders, the newest first, and who else could ship.
    """
    promised = inputs.reservations.filter(pl.col("units") > 0)
    pools = (
        inputs.offers.join(promised.select("sku"), on="sku", how="semi")
        .with_columns(short=-(pl.col("pool") + pl.col("threshold").fill_null(0)))
        .group_by("system", "sku")
        .agg(units=pl.col("short").max(), per=pl.col("units").min())
    )
    short = pools.filter(pl.col("units") > 0)
    everywhere = (
        inputs.positions.join(promised.select("sku"), on="sku", how="semi")
        .group_by("sku")
        .agg(units=-pl.col("free").sum())
        .filter(pl.col("units") > 0)
        .join(pools, on="sku", how="anti")
        .with_columns(system=pl.lit(""))
    )
    both = pl.concat([short.select("system", "sku", "units"), everywhere.select("system", "sku", "units")])
    if both.is_empty():
        return empty(TOLD)
    skus = both.select("sku").unique()
    order = pl.struct("system", "order_id", "line_id", "location", "units", "ordered_at")
    orders = (
        promised.join(skus, on="sku", how="semi")
        .sort("ordered_at", "system", "order_id", "line_id", descending=[True, False, False, False], nulls_last=True)
        .group_by("sku", maintain_order=True)
        .agg(orders=order.head(_ORDERS), promised=pl.col("units").sum(), lines=pl.len(), newest=pl.col("order_id").first())
    )
    places = (
        inputs.positions.join(skus, on="sku", how="semi")
        .filter(pl.col("available") > 0)
        .sort("available", "location", descending=[True, False])
        .group_by("sku", maintain_order=True)
        .agg(could_ship=pl.struct("location", "available"))
    )
    rows = both.join(orders, on="sku").join(places, on="sku", how="left")
    where = pl.when(pl.col("system") == "").then(pl.lit("is there")).otherwise(pl.format("{} may ship", "system"))
    cause = pl.format(
        "{} units of {} are promised by {} order lines, {} more than {}.", "promised", "sku", "lines", "units", where
    )
    return told(rows, "oversold", cause, "promised", "orders", "could_ship", pl.col("newest").alias("cheapest_to_cancel"))
