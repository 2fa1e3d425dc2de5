"""Buffers by risk: how much to keep back for what other channels sell before this channel's number can say so.

The formula is that of design.md, Arithmetic: the smallest b for which the chance that other channels sell more than b units
within this channel's measured sync lag stays under the risk. Their sales are taken as a Poisson process (independent buyers, one
unit at a time: the newsvendor's textbook demand for slow movers), so that the units sold within the lag are Poisson with

    mean = rate x lag
    rate = units per day that other channels sold of the sku from places of this channel's pool, over `WINDOW`, or over the
           time since the first order known of that channel, but a day at least
    lag  = the longest order lag of those channels (a sale until we read it) + `CYCLE` (until the next run)
           + this channel's visibility lag (a push until shoppers see it)

The lags are those of FEEDS: the longest seen lately with a configured floor, so that their sum is never below its own p95.
"""

from datetime import datetime, timedelta
from typing import Final

import polars as pl

__all__ = ["CYCLE", "WINDOW", "demand_by_channel", "poisson_buffer", "risk_buffers"]

WINDOW: Final = timedelta(days=28)  # four whole weeks: every weekday as often as another
CYCLE: Final = timedelta(minutes=5)  # between two runs of the job (`defs.job.EVERY`)
_DAY_S: Final = 86_400
_POINT: Final = ("system", "listing_key")
_BP: Final = 10_000
_DIGITS: Final = 6  # of a rate: sums of floats then do not depend on the order of their terms


def demand_by_channel(sales: pl.LazyFrame, now: datetime) -> pl.LazyFrame:
    """Return channel, sku, location, per_day: units that each channel sold lately from each place. `sales` are `sales.sales`."""
    since = pl.max_horizontal(pl.col("at").min().over("channel"), pl.lit(now - WINDOW))
    days = ((pl.lit(now) - since).dt.total_microseconds() / 1e6 / _DAY_S).clip(lower_bound=1.0)
    return (
        sales.with_columns(days=days)
        .filter(pl.col("at") > now - WINDOW)
        .group_by("channel", "sku", "location")
        .agg(per_day=pl.col("units").sum() / pl.col("days").first())
        .filter(pl.col("per_day") > 0)
    )


def risk_buffers(
    listings: pl.LazyFrame, given: pl.LazyFrame, demand: pl.LazyFrame, places: pl.LazyFrame, feeds: pl.LazyFrame
) -> pl.LazyFrame:
    """Return system, listing_key, risk_units, rate_per_day, lag_s of the listings whose buffer is a risk (`buffer_risk_bp`).

    `given` is `pools.gives`, `demand` is `demand_by_channel`, `places` are `pools.pool_places`, `feeds` FEEDS. risk_units is the
    buffer in units of the listing's sku: of a kit the largest that any component asks for, each b of it divided by how many
    one kit takes, rounded up; the rate is that component's, in kits a day. Where others sell nothing of it, all are 0.
    """
    parts = given.join(listings.select(*_POINT, "buffer_risk_bp"), on=_POINT)
    elsewhere = pl.concat([_from_places(parts, demand), _from_nowhere(parts, demand, places)])
    order_lag = feeds.select(channel="system", told_s="order_lag_s")
    shown = feeds.select("system", shown_s="visibility_lag_s")
    part = [*_POINT, "sku", "per", "buffer_risk_bp"]
    asked = (
        elsewhere.join(order_lag, on="channel", how="left")
        .group_by(part)
        .agg(rate=pl.col("per_day").sum().round(_DIGITS), told_s=pl.col("told_s").max().fill_null(0))
        .join(shown, on="system", how="left")
        .with_columns(lag_s=pl.col("told_s") + int(CYCLE.total_seconds()) + pl.col("shown_s").fill_null(0))
        .with_columns(mean=pl.col("rate") * pl.col("lag_s") / _DAY_S)
    )
    means = poisson_buffer(asked.select("mean", "buffer_risk_bp").unique())
    kits = -(-pl.col("units") // pl.col("per"))
    most = ["kits", "rate", "lag_s"]
    largest = (
        asked.join(means, on=["mean", "buffer_risk_bp"])
        .with_columns(kits=kits, rate=(pl.col("rate") / pl.col("per")).round(_DIGITS))
        .sort(*_POINT, *most)
        .group_by(_POINT, maintain_order=True)
        .agg(pl.col(most).last())
    )
    return (
        listings.select(_POINT)
        .join(largest, on=_POINT, how="left")
        .select(
            *_POINT,
            risk_units=pl.col("kits").fill_null(0),
            rate_per_day=pl.col("rate").fill_null(0.0),
            lag_s=pl.col("lag_s").fill_null(0),
        )
    )


def poisson_buffer(means: pl.LazyFrame) -> pl.LazyFrame:
    """Add `units` to rows of mean and buffer_risk_bp: the smallest b with P(N > b) < risk, for N Poisson of that mean.

    The tail is summed from its far end, where the terms are small. Beyond eight standard deviations and sixteen units from
    the mean nothing is left that a risk of one basis point could notice, so that the terms between are all there are to sum.
    """
    positive = means.filter(pl.col("mean") > 0).with_row_index("row")
    reach = 8 * pl.col("mean").sqrt() + 16
    first = (pl.col("mean") - reach).floor().clip(lower_bound=0).cast(pl.Int64)
    last = (pl.col("mean") + reach).ceil().cast(pl.Int64)
    k = pl.col("k")
    chance = (k * pl.col("mean").log() - pl.col("mean") - _log_factorial(k)).exp()
    beyond = pl.col("chance").cum_sum(reverse=True).shift(-1).fill_null(0.0)  # P(N > k)
    terms = positive.with_columns(first=first, k=pl.int_ranges(first, last + 1)).explode("k").with_columns(chance=chance)
    too_likely = (beyond >= pl.col("buffer_risk_bp").first() / _BP).sum().cast(pl.Int64)
    found = terms.group_by("row", maintain_order=True).agg(units=pl.col("first").first() + too_likely)
    counted = positive.join(found, on="row").select("mean", "buffer_risk_bp", "units")
    never = means.filter(pl.col("mean") <= 0).select("mean", "buffer_risk_bp", units=pl.lit(0, dtype=pl.Int64()))
    return pl.concat([counted, never])


def _from_places(parts: pl.LazyFrame, demand: pl.LazyFrame) -> pl.LazyFrame:
    sold = parts.filter("included").join(demand.filter(pl.col("location") != ""), on=["sku", "location"])
    return sold.filter(pl.col("channel") != pl.col("system")).select(
        *_POINT, "sku", "per", "buffer_risk_bp", "channel", "per_day"
    )


def _from_nowhere(parts: pl.LazyFrame, demand: pl.LazyFrame, places: pl.LazyFrame) -> pl.LazyFrame:
    """Return what was sold that no place holds yet, by channels whose pool shares a place with this one's."""
    pairs = places.select("system", "location").join(places.select("location", channel="system"), on="location")
    others = pairs.filter(pl.col("channel") != pl.col("system")).select("system", "channel").unique()
    part = [*_POINT, "sku", "per", "buffer_risk_bp"]
    sold = parts.select(part).unique().join(demand.filter(pl.col("location") == ""), on="sku")
    return sold.join(others, on=["system", "channel"]).select(*part, "channel", "per_day")


def _log_factorial(k: pl.Expr) -> pl.Expr:
    """Return ln(k!) by Stirling's series at k + 8, where three terms are exact to 3e-10, less the eight factors added."""
    n = k.cast(pl.Float64) + 8
    series = 1 / (12 * n) - 1 / (360 * n**3) + 1 / (1260 * n**5)
    stirling = n * n.log() - n + 0.9189385332046727 + 0.5 * n.log() + series  # the constant is ln(2 pi) / 2
    return stirling - pl.sum_horizontal((k + step).log() for step in range(1, 9))
