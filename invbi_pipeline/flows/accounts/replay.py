"""Replay: one SKU at an earlier time, as it was known then and as it is known now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from invbi_pipeline.channels.registry import facts_of
from invbi_pipeline.config import Config
from invbi_pipeline.domain import declared as words
from invbi_pipeline.domain.ledger import replay
from invbi_pipeline.domain.truth import STAGED, TruthInputs, TruthResult, truth
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.flows.accounts.explain import master_of
from invbi_pipeline.flows.context import open_stores
from invbi_pipeline.store.declared_files import read_declared
from invbi_pipeline.store.past import Known, staged_at, told_since
from invbi_pipeline.store.warehouse import Database, Warehouse

__all__ = ["POINT", "Past", "Replayed", "kin", "moment", "replayed", "within"]

_STAGED_AS: Final = {
    "listings": "stg_listings",
    "order_lines": "stg_order_lines",
    "movements": "stg_movements",
    "effects": "stg_effects",
    "returns": "stg_returns",
    "observations": "stg_observations",
}
_WANTED: Final = {model: STAGED[name] for name, model in _STAGED_AS.items()}
POINT: Final = ["system", "listing_key", "location"]
_CHANGED: Final = """
    SELECT * FROM recon.point_changes WHERE sku = $sku AND changed_at <= $at
    QUALIFY row_number() OVER (PARTITION BY system, listing_key, location ORDER BY changed_at DESC) = 1
    ORDER BY system, location, listing_key
"""


@dataclass(frozen=True, slots=True)
class Past:
    """POSITIONS, SHELVES, OUTSIDE, RESERVATIONS and OFFERS of a SKU (of a kit: its components') at a time, by one knowledge."""

    positions: pl.DataFrame
    shelves: pl.DataFrame
    outside: pl.DataFrame
    reservations: pl.DataFrame
    offers: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Replayed:
    """A SKU at `at`: as it was known `then` (what had landed), and `now` (with what arrived later).

    numbers: one row a point: system, listing_key, location, reported, expected, offer, unexplained and state as the run
    before `at` compared them (`changed_at`), read_at and read (the newest number read by then), effects (units applied
    between that read and `at`, known by now), late (those of them that arrived after `at`), and stood (read + effects: what
    it showed at `at`).
    late: the movements of its shelves that had happened by `at` and arrived later: system, movement_id, kind, units, occurred_at,
    arrived_at.
    """

    sku: str
    at: datetime
    then: Past
    now: Past
    numbers: pl.DataFrame
    late: pl.DataFrame


def moment(said: str, config: Config, option: str) -> datetime:
    """Return the time that is meant, UTC: ISO 8601; without an offset it is the business's own; a date is its first moment."""
    try:
        told = datetime.fromisoformat(said)
    except ValueError:
        mend = "write 2026-11-20, 2026-11-20T14:30 (the business's time) or 2026-11-20T14:30Z"
        raise ConfigError(f"The time {said!r} is not understood.", [(option, "a date or a time in ISO 8601", mend)]) from None
    zone = told.tzinfo or config.business.zone
    return told.replace(tzinfo=zone).astimezone(ZoneInfo("UTC"))


def replayed(warehouse: Warehouse, config: Config, asked: str, at: datetime) -> Replayed:
    """Return a SKU as it stood at `at`. Today's policies, SKU map and prices hold, with their dates.

    Raises `ConfigError` when nothing is called so, and when `at` lies outside what is kept.
    """
    said = read_declared(config)
    _, state = open_stores(config)
    try:
        posted, decisions = state.outbox.posted(), state.decisions.all()
    finally:
        state.close()
    with warehouse.open() as db:
        sku = master_of(db, asked)
        within(db, at, "--at")
        keys, skus = kin(db, sku)
        about = {"sku_map": said.sku_map, "kit_rows": said.kit_rows, "policies": said.policies, "prices": said.prices}
        about["posted"] = posted.filter(pl.col("sent_at") <= at)
        about["decisions"] = decisions.filter(pl.col("decided_at") <= at)
        staged = {known: staged_at(db, at, known, keys, _WANTED) for known in Known}
        then, now = (_past(db, config, at, known, staged[known], skus, sku, about) for known in Known)
        observed = staged[Known.NOW]["stg_observations"]
        return Replayed(sku, at, then, now, _numbers(db, sku, observed, at), _late(db, keys, skus, at))


def within(db: Database, at: datetime, option: str) -> None:
    """Raise `ConfigError`, naming the option, where `at` lies outside what is kept."""
    first, last = told_since(db)
    if first is None or last is None or first <= at <= last:
        return
    if at < first:
        what, mend = f"it can be told from {first:%Y-%m-%d %H:%M:%S} UTC on", "store.keep_raw_days says how long reads are kept"
    else:
        what, mend = f"nothing was read after {last:%Y-%m-%d %H:%M:%S} UTC", "leave the option out for how it stands now"
    raise ConfigError(f"{at:%Y-%m-%d %H:%M:%S} UTC cannot be told.", [(option, what, mend)])


def kin(db: Database, sku: str) -> tuple[pl.DataFrame, list[str]]:
    """Return the listings whose word moves this SKU's numbers, and the SKUs whose shelves are its own."""
    kits = db.read("truth.kits")
    skus = [sku, *kits.filter(pl.col("kit_sku") == sku)["sku"]]
    within = kits.filter(pl.col("sku").is_in(skus))["kit_sku"].unique()
    beside = kits.filter(pl.col("kit_sku").is_in(within.implode()))["sku"]
    all_of_them = pl.concat([pl.Series("sku", skus, pl.String), within.rename("sku"), beside.rename("sku")]).unique()
    mappings = db.read("truth.mappings").filter(pl.col("sku").is_in(all_of_them.implode()))
    return mappings.select("system", "listing_key").unique().sort("system", "listing_key"), skus


def _past(
    db: Database,
    config: Config,
    at: datetime,
    known: Known,
    staged: dict[str, pl.DataFrame],
    skus: list[str],
    sku: str,
    about: dict[str, Any],
) -> Past:
    frames = {name: staged[model].lazy() for name, model in _STAGED_AS.items()}
    batches = db.query("SELECT system, dataset, platform_time, landed_at FROM raw.batches WHERE verdict = 'believed'").lazy()
    if known is Known.THEN:
        batches = batches.filter(pl.col("landed_at") <= at)
    else:
        every = db.pick("staging.stg_effects", STAGED["effects"]).lazy()  # also of what came later
        frames["order_lines"] = replay.rewound(frames["order_lines"], frames["movements"], every, at)
        frames["movements"] = frames["movements"].filter(pl.col("occurred_at") <= at)
    facts = {name: facts_of(system.platform) for name, system in config.systems.items()}
    inputs = TruthInputs.of(
        **frames,
        **about,
        feeds=replay.feeds_at(db.read("recon.feeds").lazy(), batches, at),
        mappings=replay.mappings_at(db.read("truth.mappings").lazy(), at),
        openings=db.read("truth.openings").lazy().filter(pl.col("opened_at") <= at),
        systems=words.systems_frame(config, facts),
        places=words.places_frame(config),
    )
    return _of_sku(truth(inputs, at, words.shelf_limits(config)), sku, skus)


def _of_sku(found: TruthResult, sku: str, skus: Sequence[str]) -> Past:
    mine = pl.col("sku").is_in(list(skus))
    return Past(
        positions=found.positions.filter(mine),
        shelves=found.shelves.filter(mine),
        outside=found.outside.filter(mine),
        reservations=found.reservations.filter(mine),
        offers=found.offers.filter(pl.col("sku") == sku),
    )


def _numbers(db: Database, sku: str, observed: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """Return what each number was: as compared then, as read by then, and as it stood with the effects since that read."""
    compared = db.query(_CHANGED, {"sku": sku, "at": at})
    first = db.query("SELECT system, effect_id, min(landed_at) AS arrived_at FROM raw.effects GROUP BY ALL")
    named = db.query("SELECT system, effect_id, listing_key, location, units, stamped_at FROM staging.stg_effects")
    read = observed.select(*POINT, read="quantity", read_at="observed_at")
    since = (
        named.join(first, on=["system", "effect_id"])
        .join(read, on=POINT)
        .filter((pl.col("stamped_at") > pl.col("read_at")) & (pl.col("stamped_at") <= at))
        .group_by(POINT)
        .agg(effects=pl.col("units").sum(), late=pl.col("units").filter(pl.col("arrived_at") > at).sum())
    )
    figures = ["changed_at", "state", "base", "expected", "reported", "unexplained", "offer", "pending", "gap"]
    return (
        compared.select(*POINT, *figures)
        .join(read, on=POINT, how="left")
        .join(since, on=POINT, how="left")
        .with_columns(pl.col("effects", "late").fill_null(0))
        .with_columns(stood=pl.col("read") + pl.col("effects"))
    )


def _late(db: Database, keys: pl.DataFrame, skus: Sequence[str], at: datetime) -> pl.DataFrame:
    """Return the movements of these listings that had happened by `at` and arrived later."""
    arrived = """
        SELECT system, movement_id, listing_key, any_value(kind) AS kind, any_value(units) AS units,
            any_value(occurred_at) AS occurred_at, min(landed_at) AS arrived_at
        FROM raw.movements WHERE occurred_at <= $at GROUP BY system, movement_id, listing_key HAVING min(landed_at) > $at
    """
    mapped = db.read("truth.mappings").filter(pl.col("valid_to").is_null() & pl.col("sku").is_in(list(skus)))
    mine = keys.join(mapped.select("system", "listing_key").unique(), on=["system", "listing_key"], how="semi")
    return db.query(arrived, {"at": at}).join(mine, on=["system", "listing_key"], how="semi").sort("occurred_at", "movement_id")
