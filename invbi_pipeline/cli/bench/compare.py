"""The three-way comparison of many points, beside the least work that any comparison must do: one join and one subtraction."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.cli.bench.report import Result
from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain import points

__all__ = ["bench_compare"]

_NOW: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_TIMES: Final = 5


def bench_compare(count: int = 100_000) -> Result:
    """Compare `count` points of one channel, a tenth of them with an order since, and report seconds and the ratio to a join."""
    inputs = _inputs(count)
    first = points.merge(inputs, _NOW, "r0")
    again = _later(inputs, first)
    seconds = min(_timed(lambda: points.merge(again, _NOW, "r1")) for _ in range(_TIMES))
    floor = min(_timed(lambda: _floor(again)) for _ in range(_TIMES))
    return Result(
        "compare",
        {
            "points": count,
            "seconds, best of 5": round(seconds, 3),
            "points a second": f"{count / seconds:,.0f}",
            "a bare join and subtraction of the same frames, seconds": round(floor, 4),
            "ratio": round(seconds / floor, 1),
        },
    )


def _timed(work: object) -> float:
    began = time.perf_counter()
    assert callable(work)
    work()
    return time.perf_counter() - began


def _key(count: int) -> pl.DataFrame:
    return pl.DataFrame({"n": range(count)}).select(
        system=pl.lit("shop"), listing_key=pl.format("L{}", "n"), location=pl.lit(""), n=pl.col("n").cast(pl.Int64)
    )


def _fit(frame: pl.DataFrame, schema: f.Schema) -> pl.DataFrame:
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind).alias(name) for name, kind in schema.items()
    )


def _inputs(count: int) -> points.MergeInputs:
    key = _key(count)
    observed = key.with_columns(
        state=pl.lit("known"), quantity=10 + pl.col("n") % 40, version=pl.lit(""),
        observed_at=pl.lit(_NOW - timedelta(minutes=10)), read_began_at=pl.lit(_NOW - timedelta(minutes=10)),
        read_ended_at=pl.lit(_NOW - timedelta(minutes=10)),
    )  # fmt: skip
    offers = key.with_columns(offer=10 + pl.col("n") % 40, sku=pl.format("S{}", "n"), own_open=pl.lit(0))
    mappings = key.with_columns(sku=pl.format("S{}", "n"), units=pl.lit(1), valid_from=pl.lit(_NOW - timedelta(days=1)))
    lags = {"order_lag_s": 60, "read_lag_s": 5, "visibility_lag_s": 60}
    feeds = pl.DataFrame([{"system": "shop", "verdict": "believed", "stock_read_at": _NOW, "orders_complete_to": _NOW, **lags}])
    effects = key.filter(pl.col("n") % 10 == 0).with_columns(
        effect_id=pl.format("{}/sale", "n"), kind=pl.lit("sale"), units=pl.lit(-1),
        stamped_at=pl.lit(_NOW - timedelta(minutes=5)), order_id=pl.format("o{}", "n"), line_id=pl.lit("1"),
    )  # fmt: skip
    return points.MergeInputs(
        observations=_fit(observed, f.OBSERVATIONS),
        offers=_fit(offers, f.OFFERS),
        mappings=_fit(mappings, f.MAPPINGS),
        feeds=_fit(feeds, f.FEEDS),
        effects=effects.select(
            "system", "effect_id", "listing_key", "kind", "units", "stamped_at", "order_id", "line_id", "location"
        ),
    )


def _later(inputs: points.MergeInputs, first: points.MergeResult) -> points.MergeInputs:
    """The next look: the sold ones show one less."""
    sold = inputs.effects.select("listing_key", sold="units")
    looked = pl.lit(_NOW - timedelta(minutes=1))
    observed = inputs.observations.join(sold, on="listing_key", how="left").with_columns(
        quantity=pl.col("quantity") + pl.col("sold").fill_null(0), observed_at=looked, read_began_at=looked, read_ended_at=looked
    )
    return points.MergeInputs(
        observations=f.fit(observed, f.OBSERVATIONS),
        offers=inputs.offers,
        mappings=inputs.mappings,
        feeds=inputs.feeds,
        effects=inputs.effects,
        bases=first.bases,
        contained=first.contained,
        looks=first.looks,
        unjudged=first.unjudged,
    )


def _floor(inputs: points.MergeInputs) -> pl.DataFrame:
    joined = inputs.observations.join(inputs.offers, on=["system", "listing_key", "location"], how="left")
    return joined.select("listing_key", gap=pl.col("quantity") - pl.col("offer")).filter(pl.col("gap") != 0)
