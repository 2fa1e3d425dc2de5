"""`recon.feeds`: what may be believed of each system now, how far its feeds reach and how far they lag."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.channels.registry import facts_of
from invbi_pipeline.config import SystemConfig
from invbi_pipeline.domain.frames import FEEDS, fit
from invbi_pipeline.domain.words import FeedVerdict
from invbi_pipeline.flows.context import Context
from invbi_pipeline.store.warehouse import Database

__all__ = ["LATELY", "feeds", "note_visibility_lag"]

LATELY: Final = timedelta(hours=24)  # lags are the longest seen within this time

_WORST_FIRST: Final = (
    FeedVerdict.UNREACHABLE,
    FeedVerdict.TRUNCATED,
    FeedVerdict.MASS_ZERO,
    FeedVerdict.STALE,
    FeedVerdict.BELIEVED,
)

_NEWEST: Final = """
SELECT system, dataset, arg_max(verdict, seq) AS verdict, arg_max(reason, seq) AS reason
FROM raw.batches WHERE scope = 'sweep' GROUP BY ALL
"""

_REACH: Final = """
SELECT
    system,
    max(platform_time) FILTER (dataset = 'stock') AS stock_read_at,
    max(platform_time) FILTER (dataset = 'orders') AS orders_complete_to
FROM raw.batches WHERE scope = 'sweep' AND verdict = 'believed' GROUP BY system
"""

_LAGS: Final = """
SELECT system, max(CAST(json_extract_string(metrics, '$.lag_s') AS BIGINT)) AS order_lag_s
FROM raw.batches WHERE verdict = 'believed' AND dataset = 'orders' AND landed_at > $lately GROUP BY system
"""

_SKEWS: Final = """
SELECT system, arg_max(CAST(json_extract_string(metrics, '$.skew_s') AS DOUBLE), seq) AS clock_skew_s
FROM raw.batches
WHERE scope = 'sweep' AND verdict <> 'unreachable' AND dataset IN ('locations', 'listings', 'stock')
GROUP BY system
"""


def feeds(ctx: Context, database: Database, now: datetime) -> pl.DataFrame:
    """Return FEEDS, one row a configured system, from what has landed so far.

    The verdict is the worst of the newest read of each dataset; a system never read is unreachable. A lag is the longest seen
    within `LATELY`, sweeps included, and at least the configured floor (else the platform's own fact).
    """
    configured = pl.DataFrame([_floors(ctx, name, system) for name, system in ctx.config.systems.items()])
    rank = pl.col("verdict").replace_strict({str(word): n for n, word in enumerate(_WORST_FIRST)}, return_dtype=pl.Int64)
    worst = (
        database.query(_NEWEST)
        .sort(rank, "dataset")
        .group_by("system", maintain_order=True)
        .agg(
            pl.col("verdict").first(),
            pl.format("{}: {}", "dataset", "reason").filter(pl.col("reason") != "").str.join("; ").alias("reason"),
        )
    )
    blind = ctx.state.breakers().select("system", "blind_since")
    lags = database.query(_LAGS, {"lately": now - LATELY}).rename({"order_lag_s": "measured"})
    stating = [name for name, system in ctx.config.systems.items() if system.platform != "files"]  # a file tells its own age
    skews = database.query(_SKEWS).filter(pl.col("system").is_in(stating))
    said = (
        configured.join(worst, on="system", how="left")
        .join(database.query(_REACH), on="system", how="left")
        .join(lags, on="system", how="left")
        .join(blind, on="system", how="left")
        .join(skews, on="system", how="left")
        .with_columns(
            pl.col("reason").fill_null("never read"),
            pl.col("verdict").fill_null(FeedVerdict.UNREACHABLE),
            pl.max_horizontal("order_lag_s", "measured").alias("order_lag_s"),
        )
    )
    return fit(said, FEEDS).sort("system")


def note_visibility_lag(ctx: Context, system: str, lag: timedelta) -> None:
    """Remember how long an accepted write stayed invisible, as a read-back that came too early has shown; `feeds` uses the
    longest noted within `LATELY`."""
    now = ctx.clock.now()
    longest, _ = _noted(ctx.state.mark(f"visibility_lag:{system}"), now)
    ctx.state.set_mark(f"visibility_lag:{system}", f"{max(longest, lag).total_seconds():.0f} {now.isoformat()}")


def _noted(mark: str, now: datetime) -> tuple[timedelta, datetime]:
    if mark:
        seconds, at = mark.split(" ")
        if now - datetime.fromisoformat(at) <= LATELY:
            return timedelta(seconds=float(seconds)), datetime.fromisoformat(at)
    return timedelta(0), now


def _floors(ctx: Context, name: str, system: SystemConfig) -> Mapping[str, object]:
    facts = facts_of(system.platform)
    noted, _ = _noted(ctx.state.mark(f"visibility_lag:{name}"), ctx.clock.now())

    def floor(configured: float | None, fact: timedelta) -> int:
        return round(fact.total_seconds() if configured is None else configured)

    return {
        "system": name,
        "order_lag_s": floor(system.order_lag_s, facts.order_lag),
        "read_lag_s": floor(system.read_lag_s, facts.read_lag),
        "visibility_lag_s": max(floor(system.visibility_lag_s, facts.visibility_lag), round(noted.total_seconds())),
    }
