"""Readiness: what the last run left in the warehouse, looked at as if every system were to send."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import LISTINGS
from invbi_pipeline.domain.readiness import ReadinessInputs, readiness
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.corrections.correct import projected
from invbi_pipeline.flows.corrections.dead_letters import BY_A_PERSON, dead_letters

__all__ = ["ready"]

_SYSTEMS: Final = {"system": pl.String(), "mode": pl.String(), "counts": pl.Boolean(), "max_age_s": pl.Float64()}


def ready(ctx: Context) -> pl.DataFrame:
    """Return READINESS of every system that sells; nothing is asked and nothing is stored."""
    config = ctx.config
    rows = [(name, str(one.mode), one.counts, one.max_age_s) for name, one in config.systems.items()]
    systems = pl.DataFrame(rows, schema=_SYSTEMS, orient="row")
    letters = dead_letters(ctx.state)
    plan = projected(ctx, ctx.new_id()).join(letters.filter(BY_A_PERSON), on="idempotency_key", how="anti")
    with ctx.warehouse.open() as db:
        inputs = ReadinessInputs(
            systems=systems,
            listings=db.pick("staging.stg_listings", LISTINGS),
            mappings=db.read("truth.mappings"),
            candidates=db.read("truth.candidates"),
            points=db.read("recon.points"),
            feeds=db.read("recon.feeds"),
            findings=db.read("recon.findings"),
            projected=plan,
            ended=_ended(ctx, letters).group_by("system", "state").agg(corrections=pl.len()),
        )
    found = readiness(inputs, ctx.clock.now(), config.business.currency)
    selling = [name for name, one in config.systems.items() if one.sells]
    return found.filter(pl.col("system").is_in(selling))


def _ended(ctx: Context, letters: pl.DataFrame) -> pl.DataFrame:
    """Return the CORRECTIONS that there are: of dead letters those that nobody replayed, and that no person had refused."""
    every, again = ctx.state.outbox.in_state(), letters.filter(~BY_A_PERSON)
    return pl.concat([every.filter(~pl.col("state").is_in(["rejected", "dead"])), again])
