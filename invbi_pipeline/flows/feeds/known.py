"""What the warehouse knows of each system before a run: what its new batches are measured against."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import UTC
from invbi_pipeline.flows.feeds.metrics import History, newest_change
from invbi_pipeline.store.landing import Batch
from invbi_pipeline.store.warehouse import Database

__all__ = ["histories"]

_FORTNIGHT: Final = timedelta(days=14)  # long enough to hold the quiet hours of a weekly rhythm

_DAY: Final = timedelta(days=1)
_CLOCK_SET: Final = timedelta(hours=1)  # a platform whose clock is set dates what it told before otherwise

_BATCHES: Final = """
SELECT
    system,
    dataset,
    max(platform_time) AS read_at,
    arg_max(CAST(json_extract_string(metrics, '$.rows') AS BIGINT), seq) FILTER (is_full) AS full_rows,
    max(CAST(json_extract_string(metrics, '$.newest_change') AS TIMESTAMP WITH TIME ZONE)) AS newest_change
FROM raw.batches WHERE scope = 'sweep' AND verdict = 'believed' GROUP BY ALL
"""
_OBSERVATIONS: Final = """
SELECT
    system, listing_key, location_key, quantity, changed_at,
    (system, listing_key) IN (SELECT (system, listing_key) FROM staging.stg_listings) AS listed
FROM staging.stg_observations WHERE state = 'known'
"""
_LISTINGS: Final = (
    "SELECT system, count(DISTINCT listing_key) AS n FROM staging.stg_listings WHERE status = 'active' GROUP BY system"
)
_EXPORTS: Final = """
WITH read AS (
    SELECT
        system,
        began_at,
        abs(CAST(json_extract_string(metrics, '$.skew_s') AS DOUBLE)) AS skew_s,
        CASE WHEN verdict = 'believed'
            THEN CAST(json_extract_string(metrics, '$.export_at') AS TIMESTAMP WITH TIME ZONE) END AS export_at
    FROM raw.batches WHERE scope = 'sweep' AND began_at > $since
)
SELECT
    system,
    list_sort(list(DISTINCT export_at) FILTER (export_at IS NOT NULL)) AS exports,
    max(skew_s) FILTER (began_at > $today) AS skew_s
FROM read GROUP BY system
"""
_EFFECTS: Final = "SELECT DISTINCT effect_id FROM raw.effects WHERE system = $system AND stamped_at >= $since"
_SILENCE: Final = """
WITH told AS (
    SELECT system, stamped_at AS moved_at FROM raw.effects WHERE stamped_at > $since
    UNION SELECT system, occurred_at FROM raw.movements WHERE occurred_at > $since
    UNION SELECT system, CAST(json_extract_string(metrics, '$.newest_change') AS TIMESTAMP WITH TIME ZONE) AS newest
        FROM raw.batches WHERE verdict = 'believed' AND newest > $since
),
gaps AS (SELECT system, moved_at, moved_at - lag(moved_at) OVER (PARTITION BY system ORDER BY moved_at) AS gap FROM told)
SELECT
    system,
    -- less than a week says nothing of the quiet days to come: half a weekend without orders is no silence
    -- (in seconds: DuckDB's `greatest` holds an interval of 1 day to be longer than one of 36 hours)
    CAST(greatest(max(epoch(gap)), CASE WHEN max(moved_at) - min(moved_at) < INTERVAL 7 DAY THEN 36 * 3600 END) AS BIGINT)
        AS seconds
FROM gaps WHERE gap IS NOT NULL GROUP BY system
"""


def histories(database: Database, batches: Mapping[str, Sequence[Batch]], now: datetime) -> dict[str, History]:
    """Return each system's history before these batches (by system) land.

    Current numbers are those of `staging.stg_observations`, as the models were last built.
    """
    before = database.query(_BATCHES)
    built = database.exists("staging.stg_observations") and database.exists("staging.stg_listings")
    observations = database.query(_OBSERVATIONS) if built else _nothing()
    listings = dict(database.query(_LISTINGS).iter_rows()) if built else {}
    moved = {name: at for name, at in ((s, _latest(before, s, batches)) for s in {*before["system"], *batches}) if at is not None}
    silence = dict(database.query(_SILENCE, {"since": now - _FORTNIGHT}).iter_rows()) if moved else {}
    told = database.query(_EXPORTS, {"since": now - _FORTNIGHT, "today": now - _DAY})
    exports = {row["system"]: row for row in told.iter_rows(named=True)}
    blind = set(
        database.query(
            "SELECT system FROM raw.batches WHERE scope = 'sweep' AND dataset = 'orders' "
            "GROUP BY system HAVING arg_max(verdict, seq) <> 'believed'"
        )["system"]
    )
    found: dict[str, History] = {}
    for name in batches:
        mine = before.filter(pl.col("system") == name)
        read_at = dict(mine.select("dataset", "read_at").iter_rows())
        others = [at for other, at in moved.items() if other != name]
        found[name] = History(
            full_rows={d: n for d, n in mine.select("dataset", "full_rows").iter_rows() if n is not None},
            stock_read_at=read_at.get("stock"),
            orders_read_at=read_at.get("orders"),
            newest_change=max((at for at in mine["newest_change"].to_list() if at is not None), default=None),
            longest_silence=timedelta(seconds=silence[name]) if name in silence else None,
            others_moved_at=max(others, default=None),
            exports=exports.get(name, {}).get("exports") or (),
            skew=timedelta(seconds=exports.get(name, {}).get("skew_s") or 0.0),
            listings=listings.get(name, 0),
            observations=observations.filter(pl.col("system") == name),
            known_effects=_known_effects(database, name, batches.get(name, ())),
            was_blind=name in blind,
        )
    return found


def _latest(before: pl.DataFrame, system: str, batches: Mapping[str, Sequence[Batch]]) -> datetime | None:
    """The newest change a system told of, brought to our clock by its skew at the answer."""
    told = [at for at in before.filter(pl.col("system") == system)["newest_change"].to_list() if at is not None]
    now = newest_change(batches.get(system, ()))
    return max([*told, *([now] if now is not None else [])], default=None)


def _known_effects(database: Database, system: str, batches: Sequence[Batch]) -> pl.DataFrame:
    stamps = [frame["stamped_at"].min() for b in batches if (frame := b.frame("effects")).height]
    since = min((at for at in stamps if isinstance(at, datetime)), default=None)
    if since is None:
        return pl.DataFrame(schema={"effect_id": pl.String()})
    return database.query(_EFFECTS, {"system": system, "since": since - _CLOCK_SET})


def _nothing() -> pl.DataFrame:
    text = dict.fromkeys(("system", "listing_key", "location_key"), pl.String())
    return pl.DataFrame(schema={**text, "quantity": pl.Int64(), "changed_at": UTC, "listed": pl.Boolean()})
