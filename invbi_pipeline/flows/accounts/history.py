"""History: what happened to a SKU since a time, its channels' numbers beside their owners' books, and where they came to part."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from invbi_pipeline.config import Config
from invbi_pipeline.domain.declared import sells_from
from invbi_pipeline.domain.ledger import replay, tieout
from invbi_pipeline.domain.words import CorrectionKind, CorrectionState, MovementKind
from invbi_pipeline.flows.accounts.explain import master_of
from invbi_pipeline.flows.accounts.replay import POINT, kin, within
from invbi_pipeline.flows.accounts.tieout import book
from invbi_pipeline.store.warehouse import Database, Warehouse

__all__ = ["Course", "History", "history", "placed", "told_by_us", "trusted"]

_SAME_LOOK: Final = timedelta(seconds=1)
_CLOCKS: Final = timedelta(seconds=30)  # a push is sent by our clock, and its number bears the platform's


@dataclass(frozen=True, slots=True)
class Course:
    """One channel number beside the owners' books since a time.

    rows: `replay.aligned`. jumps: what the channel's number did that nothing tells of: since, at, units, oldest first.
    waiting: how many more there are up to whose reads the order feed is not complete yet. parted: `replay.first_parting`.
    reads: how often the number was read, or said to stand.
    """

    system: str
    listing_key: str
    location: str
    rows: pl.DataFrame
    jumps: pl.DataFrame
    waiting: int
    parted: tuple[str, str] | None
    reads: int


@dataclass(frozen=True, slots=True)
class History:
    """What happened to a SKU since a time. `owners`: the jumps of the owners' own numbers: system, location, since, at, units."""

    sku: str
    since: datetime
    courses: tuple[Course, ...]
    owners: pl.DataFrame


def history(warehouse: Warehouse, config: Config, asked: str, since: datetime) -> History:
    """Return each channel number of a SKU aligned with its owners' books, and where they part. Raises as `replayed` does."""
    with warehouse.open() as db:
        sku = master_of(db, asked)
        within(db, since, "--since")
        _, skus = kin(db, sku)
        places = pl.DataFrame({"location": list(config.locations)}, schema={"location": pl.String})
        marks, moves = (frame.filter(pl.col("sku").is_in(skus)) for frame in book(db, config, places))
        owners = _entries(marks, moves, since, _origins(db))
        points = db.query(
            "SELECT system, listing_key, location FROM recon.points WHERE sku = $sku AND state <> 'counted'", {"sku": sku}
        )
        complete = db.query("SELECT system, orders_complete_to FROM recon.feeds")
        shown_marks, shown_moves = _shown(db, points, sku)
        shown = told_by_us(_entries(shown_marks, shown_moves, since, None), db.query(_SENT, {"set": str(CorrectionKind.SET)}))
        returned = db.query(_RETURNED, {"return": str(MovementKind.RETURN)})
    jumps = shown.filter(pl.col("kind") == MovementKind.UNEXPLAINED).join(complete, on="system", how="left")
    jumps = jumps.with_columns(waiting=(pl.col("at") > pl.col("orders_complete_to")).fill_null(value=False))
    reads = shown_marks.filter(~pl.col("counted") & (pl.col("at") > since)).collect()
    pools = {name: sells_from(config, name, system) for name, system in config.systems.items()}
    courses = [
        _course(point, owners, shown, jumps, reads, returned, pools[point["system"]])
        for point in points.sort("system", "location", "listing_key").iter_rows(named=True)
    ]
    own = owners.filter(pl.col("kind") == MovementKind.UNEXPLAINED).sort("at")
    return History(sku, since, tuple(courses), own.select("system", "location", "sku", "since", "at", "units"))


def _course(
    point: dict[str, Any],
    owners: pl.DataFrame,
    shown: pl.DataFrame,
    jumps: pl.DataFrame,
    reads: pl.DataFrame,
    returned: pl.DataFrame,
    pool: Sequence[str],
) -> Course:
    def mine(frame: pl.DataFrame) -> pl.DataFrame:
        same = [pl.col(name) == point[name] for name in POINT]
        return frame.filter(*same)

    rows = replay.aligned(owners.filter(pl.col("location").is_in(list(pool))).lazy(), mine(shown).lazy()).collect()
    all_of_them = mine(jumps).sort("at")
    judged = all_of_them.filter(~pl.col("waiting")).select("since", "at", "units")
    parted = replay.first_parting(judged, mine(shown))
    place = (point["system"], point["listing_key"], point["location"])
    return Course(*place, placed(rows, returned), judged, all_of_them.height - judged.height, parted, mine(reads).height)


def trusted(reads: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    """Return `reads` (MARKS) without a doubt about those that a finding rests on: a run judged what they contain.

    `judged`: a point's key and `look_at`. A number that our push mended at once was read so only one time, and right before it.
    """
    looks = judged.unique([*POINT, "look_at"]).sort("look_at")
    beside = reads.sort("at").join_asof(
        looks, left_on="at", right_on="look_at", by=POINT, strategy="nearest", tolerance=_SAME_LOOK, check_sortedness=False
    )
    sure = pl.col("look_at").is_not_null()
    doubts = [pl.when(sure).then("at").otherwise(name).alias(name) for name in ("doubt_from", "doubt_to")]
    return beside.with_columns(doubts).select(reads.columns)


def told_by_us(shown: pl.DataFrame, sent: pl.DataFrame) -> pl.DataFrame:
    """Return entries of channel numbers in which a change to just what we had sent is our push, whatever became of its proof.

    `sent`: a point's key, `sent_at` and `to_qty`. A push that a newer one replaced unproved changed the number too.
    """
    astray = shown.filter(pl.col("kind") == MovementKind.UNEXPLAINED).with_columns(since=pl.col("since") - _CLOCKS)
    pushed = astray.join(sent, on=POINT).filter(
        pl.col("sent_at").is_between(pl.col("since"), pl.col("at") + _CLOCKS) & (pl.col("to_qty") == pl.col("number"))
    )
    key = [*POINT, "at"]
    ours = pushed.select(*key, kind=pl.lit(str(MovementKind.UNEXPLAINED)), ours=pl.lit(value=True)).unique()
    count = pl.when("ours").then(pl.lit(str(MovementKind.COUNT))).otherwise("kind")
    return shown.join(ours, on=[*key, "kind"], how="left", maintain_order="left").with_columns(kind=count).drop("ours")


def placed(rows: pl.DataFrame, returned: pl.DataFrame) -> pl.DataFrame:
    """Return aligned rows with each return at the time at which the goods came back, not when somebody booked it.

    `returned`: origin (the order) and happened_at. What has one origin stays together, by when it began.
    """
    when = returned.with_columns(what=pl.lit(str(MovementKind.RETURN)))
    moved = rows.join(when, on=["origin", "what"], how="left").with_columns(at=pl.min_horizontal("at", "happened_at"))
    return moved.sort(pl.col("at").min().over("origin"), "origin", "at", maintain_order=True).select(rows.columns)


def _entries(marks: pl.LazyFrame, moves: pl.LazyFrame, since: datetime, origins: pl.DataFrame | None) -> pl.DataFrame:
    """Return ENTRIES after `since` with `number` (what they came to) and `origin` (the order, or else the movement)."""
    last = pl.col("kind").is_in([MovementKind.UNEXPLAINED, MovementKind.COUNT]).alias("last")
    sets = marks.filter("counted").select(
        *tieout.SHELF, "at", units=pl.lit(0, pl.Int64)
    )  # as doubtful beside a read as an event is
    beside = pl.concat([moves, sets], how="diagonal")
    ledger = tieout.entries(tieout.steady(marks, beside), moves).with_columns(last).sort(*tieout.SHELF, "at", "last")
    numbered = ledger.with_columns(number=pl.col("units").cum_sum().over(tieout.SHELF)).filter(pl.col("at") > since)
    origin = [pl.col("order_id"), pl.col("movement_id"), pl.format("{} {}", "kind", "at")]
    told = numbered.collect()
    if origins is not None:
        told = told.join(origins, on=["system", "movement_id"], how="left")
        origin = [pl.col("booked_order"), *origin]
    return told.with_columns(origin=pl.coalesce(pl.when(one != "").then(one) for one in origin))


def _origins(db: Database) -> pl.DataFrame:
    """Return system, movement_id, booked_order: of a movement that books another system's, that one's order."""
    return db.query(
        """
        SELECT own.system, own.movement_id, any_value(other.order_id) AS booked_order
        FROM staging.stg_movements AS own
        JOIN staging.stg_movements AS other ON own.reference = other.system || '/' || other.movement_id
        WHERE own.reference <> '' AND other.order_id <> '' GROUP BY ALL
        """
    )


def _shown(db: Database, points: pl.DataFrame, sku: str) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Return MARKS (each read, and each push of ours that was proved, as counted) and MOVES (effects) of these points."""
    reads = trusted(pl.concat([db.query(_READS), db.query(_STANDS)]), db.query(_JUDGED))
    pushes = db.query(_PUSHES, {"set": str(CorrectionKind.SET), "verified": str(CorrectionState.VERIFIED)})
    effects = db.query(_EFFECTS)
    named = {"sku": pl.lit(sku)}
    marks = pl.concat([reads.with_columns(counted=pl.lit(value=False)), pushes.with_columns(counted=pl.lit(value=True))])
    marks = marks.join(points, on=POINT, how="semi").with_columns(**named).select(*tieout.MARKS)
    moves = effects.join(points, on=POINT, how="semi").with_columns(**named).select(*tieout.MOVES)
    return marks.lazy(), moves.lazy()


# What may or may not be in a number: what was stamped in the longer of the lags before it was read, and while it was read.
_READS: Final = """
    SELECT rows.system, rows.listing_key,
        CASE WHEN rows.location_key = '' THEN '' ELSE coalesce(places.location, '') END AS location,
        batches.platform_time AS at, rows.quantity AS number,
        batches.platform_time
            - to_seconds(greatest(coalesce(feeds.read_lag_s, 0), coalesce(feeds.visibility_lag_s, 0))) AS doubt_from,
        batches.platform_time + (batches.ended_at - batches.began_at) AS doubt_to
    FROM raw.stock AS rows
    JOIN staging.stg_batches AS batches USING (batch_id)
    LEFT JOIN recon.feeds AS feeds ON rows.system = feeds.system
    LEFT JOIN recon.location_map AS places ON rows.system = places.system AND rows.location_key = places.location_key
    WHERE rows.state = 'known'
"""
# A sweep of what changed that does not list a number says that it stands: it stood too when the order feed was last complete.
_STANDS: Final = """
    SELECT said.system, said.listing_key, said.location, least(said.observed_at, feeds.orders_complete_to) AS at,
        said.quantity AS number, least(said.observed_at, feeds.orders_complete_to) AS doubt_from,
        least(said.observed_at, feeds.orders_complete_to) AS doubt_to
    FROM staging.stg_observations AS said
    JOIN staging.stg_batches AS batches USING (batch_id)
    LEFT JOIN recon.feeds AS feeds ON said.system = feeds.system
    WHERE said.state = 'known' AND batches.platform_time < least(said.observed_at, feeds.orders_complete_to)
"""
_PUSHES: Final = """
    SELECT system, listing_key, location, sent_at AS at, to_qty AS number, sent_at AS doubt_from, sent_at AS doubt_to
    FROM recon.corrections WHERE kind = $set AND state = $verified AND sent_at IS NOT NULL
"""
_SENT: Final = """
    SELECT system, listing_key, location, sent_at, to_qty FROM recon.corrections WHERE kind = $set AND sent_at IS NOT NULL
"""
# The looks that found a drift, and the last that agreed before it.
_JUDGED: Final = """
    SELECT system, listing_key, location, CAST(json_extract_string(evidence, look) AS TIMESTAMPTZ) AS look_at
    FROM recon.findings, (VALUES ('$.bracket_from'), ('$.bracket_to'), ('$.found_at')) AS looks (look)
    WHERE code = 'drift' AND look_at IS NOT NULL
"""
# A return of one order that was brought back once: of several it is not said which booking is of which.
_RETURNED: Final = """
    SELECT order_id AS origin, min(occurred_at) AS happened_at FROM (
        SELECT order_id, occurred_at, NULL AS return_id FROM staging.stg_movements WHERE kind = $return
        UNION ALL SELECT order_id, occurred_at, return_id FROM staging.stg_returns
    )
    WHERE order_id <> '' GROUP BY order_id HAVING count(DISTINCT return_id) <= 1
"""
_EFFECTS: Final = """
    SELECT system, listing_key, location, stamped_at AS at, kind, units, effect_id AS movement_id, order_id
    FROM staging.stg_effects
"""
