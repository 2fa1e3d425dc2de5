"""Readiness: what the last run left in the warehouse, looked at as if every system were to send."""

import polars as pl

from invbi_pipeline.config import Config
from invbi_pipeline.domain.frames import LISTINGS
from invbi_pipeline.domain.readiness import READY_SYSTEMS, ReadinessInputs, readiness
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.corrections.correct import projected
from invbi_pipeline.flows.corrections.dead_letters import BY_A_PERSON, dead_letters

__all__ = ["ready"]


def ready(ctx: Context) -> pl.DataFrame:
    """Return READINESS of every system; nothing is asked and nothing is stored."""
    letters = dead_letters(ctx.state)
    plan = projected(ctx, ctx.new_id()).join(letters.filter(BY_A_PERSON), on="idempotency_key", how="anti")
    with ctx.warehouse.open() as db:
        inputs = ReadinessInputs(
            systems=_systems(ctx.config),
            listings=db.pick("staging.stg_listings", LISTINGS),
            mappings=db.read("truth.mappings"),
            candidates=db.read("truth.candidates"),
            points=db.read("recon.points"),
            feeds=db.read("recon.feeds"),
            findings=db.read("recon.findings"),
            projected=plan,
            ended=_ended(ctx, letters).group_by("system", "state").agg(corrections=pl.len()),
        )
    return readiness(inputs, ctx.clock.now(), ctx.config.business.currency)


def _systems(config: Config) -> pl.DataFrame:
    """Return READY_SYSTEMS in the order of the configuration."""
    rows = []
    for name, one in config.systems.items():
        own = [place for place, declared in config.locations.items() if declared.counted_by == name]
        own += [""] * (one.default_location in own)
        rows.append((name, str(one.mode), one.counts, one.sells, str(one.absorbs), own, one.max_age_s))
    return pl.DataFrame(rows, schema=READY_SYSTEMS, orient="row")


def _ended(ctx: Context, letters: pl.DataFrame) -> pl.DataFrame:
    """Return the CORRECTIONS that there are: of dead letters those that nobody replayed, and that no person had refused."""
    every, again = ctx.state.outbox.in_state(), letters.filter(~BY_A_PERSON)
    return pl.concat([every.filter(~pl.col("state").is_in(["rejected", "dead"])), again])
