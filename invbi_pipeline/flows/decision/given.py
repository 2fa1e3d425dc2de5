"""Given: what a decision is made from, gathered once for the batch and for the event process alike.

The batch takes it from the warehouse step by step (`flows.decision.reconcile`); the event process takes all of it at once and
goes on from there in memory, with each staged row's place among the reads (`domain.staging`).
"""

from collections.abc import Mapping
from typing import Final

import polars as pl

from invbi_pipeline.domain import declared as words
from invbi_pipeline.domain import points, staging
from invbi_pipeline.domain.corrections.plan import MODES
from invbi_pipeline.domain.decision import REMEMBERED
from invbi_pipeline.domain.frames import UTC
from invbi_pipeline.domain.truth import STAGED
from invbi_pipeline.flows.context import Context
from invbi_pipeline.store.declared_files import Declared, read_declared
from invbi_pipeline.store.warehouse import Database

__all__ = ["KEPT_TRUTH", "STAGED_FROM", "flights", "given", "modes_frame", "staged", "stock_sweeps", "systems_frame", "told"]

STAGED_FROM: Final[Mapping[str, str]] = {
    "listings": "staging.stg_listings",
    "order_lines": "staging.stg_order_lines",
    "movements": "staging.stg_movements",
    "effects": "staging.stg_effects",
    "returns": "staging.stg_returns",
    "observations": "staging.stg_observations",
}
KEPT_TRUTH: Final[Mapping[str, str]] = {
    "mappings": "truth.mappings",
    "anchors": "truth.anchors",
    "openings": "truth.openings",
}
_READS: Final = """
SELECT
    system,
    arg_max(platform_time, position) AS observed_at,
    arg_max(began_at, position) AS read_began_at,
    arg_max(ended_at, position) AS read_ended_at,
    arg_max(platform_time, position) FILTER (is_full) AS full_at
FROM staging.stg_batches WHERE dataset = 'stock' AND scope = 'sweep' GROUP BY system
"""


def systems_frame(ctx: Context) -> pl.DataFrame:
    """Return SYSTEMS of the configured systems that are open."""
    facts = {name: channel.facts for name, channel in ctx.channels.items()}
    return words.systems_frame(ctx.config, facts)


def modes_frame(ctx: Context) -> pl.DataFrame:
    """Return MODES of the configured systems."""
    return pl.DataFrame([{"system": name, "mode": str(one.mode)} for name, one in ctx.config.systems.items()], schema=MODES)


def told(ctx: Context, db: Database, said: Declared) -> dict[str, pl.DataFrame]:
    """Return what the truth is derived from (`truth.STAGED`, as far as it is kept), no row of it twice.

    Tables and staging models have keys; a person's file may repeat a row.
    """
    return {
        **{name: db.pick(table, STAGED[name]) for name, table in STAGED_FROM.items()},
        **{name: db.read(table) for name, table in KEPT_TRUTH.items()},
        "feeds": db.read("recon.feeds"),
        "systems": systems_frame(ctx),
        "places": words.places_frame(ctx.config),
        "sku_map": said.sku_map.unique(),
        "kit_rows": said.kit_rows.unique(),
        "policies": said.policies.unique(),
        "prices": said.prices.unique(),
        "posted": ctx.state.outbox.posted(),
        "decisions": ctx.state.decisions.all(),
    }


def flights(ctx: Context, systems: pl.DataFrame) -> pl.DataFrame:
    """Return FLIGHTS: the pushes whose end is not known, as the outbox stands."""
    return points.flights(ctx.state.outbox.open_flights(), systems)


def given(ctx: Context, db: Database) -> dict[str, pl.DataFrame]:
    """Return the frames of `decision.GIVEN` as the stores stand; those of which only findings ask are left out (empty).

    Raises `ConfigError` for policy files that cannot be read.
    """
    said = read_declared(ctx.config)
    known = told(ctx, db, said)
    return {
        **known,
        **{name: db.read(f"recon.{name}").select(schema.keys()) for name, schema in REMEMBERED.items()},
        "flights": flights(ctx, known["systems"]),
        "rates": said.rates,
        "modes": modes_frame(ctx),
    }


def staged(db: Database) -> dict[str, pl.DataFrame]:
    """Return the staged rows as `domain.staging` goes on from them: `staging.SAID` by frame."""
    reads = db.pick("staging.stg_batches", {"batch_id": pl.String(), "platform_time": UTC}).rename({"platform_time": "told_at"})
    found = {}
    for name, table in STAGED_FROM.items():
        columns = {column: kind for column, kind in staging.SAID[name].items() if column != "told_at"}
        rows = db.pick(table, {**columns, "batch_id": pl.String()})
        found[name] = rows.join(reads, on="batch_id").select(staging.SAID[name].keys())
    return found


def stock_sweeps(db: Database) -> pl.DataFrame:
    """Return `staging.SWEEPS`: how far each system's stock was last swept, and when all of it was."""
    found = db.query(_READS)
    return found.select(pl.col(column).cast(kind) for column, kind in staging.SWEEPS.items())
