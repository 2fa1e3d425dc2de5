"""Findings: what this run sees wrong, joined to what was known, with their lives kept in the state store."""

from datetime import timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.findings import FindingInputs, lives, over, seen
from invbi_pipeline.domain.frames import FINDINGS, LISTINGS
from invbi_pipeline.domain.points.inputs import POINT_EFFECTS
from invbi_pipeline.domain.words import FindingState
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.correct import unit_values
from invbi_pipeline.flows.reconcile import systems_frame
from invbi_pipeline.store.warehouse import Database

__all__ = ["note_findings"]

_EFFECTS_BACK: Final = timedelta(days=2)
_CORRECTIONS_BACK: Final = timedelta(days=1)


def note_findings(ctx: Context, run_id: str) -> pl.DataFrame:
    """Say what is wrong now, keep every finding's life, and return those that are not resolved (FINDINGS).

    The lives are in the state store; `recon.findings` is what people and marts read. Called again in the same run it changes
    only what has changed since.
    """
    now = ctx.clock.now()
    with ctx.warehouse.open() as db:
        inputs = _inputs(ctx, db, run_id)
        before = ctx.state.lives(dict(FINDINGS))
        now_wrong = seen(inputs, now, run_id, ctx.config.business.currency)
        found = lives(before, now_wrong, now, run_id, over(before, inputs, now))
        ctx.state.save_lives(found.join(before, on=list(FINDINGS), how="anti", nulls_equal=True))
        db.replace("recon.findings", found)
    return found.filter(pl.col("state") != FindingState.RESOLVED)


def _inputs(ctx: Context, db: Database, run_id: str) -> FindingInputs:
    now = ctx.clock.now()
    effects = db.query("SELECT * FROM staging.stg_effects WHERE stamped_at >= ?", [now - _EFFECTS_BACK])
    listings = db.query("SELECT * FROM staging.stg_listings")
    outbox = ctx.state.outbox
    open_or_recent = pl.concat(
        [
            outbox.changed_since(now - _CORRECTIONS_BACK),
            outbox.in_state("planned", "held", "approved", "sending", "accepted", "ambiguous"),
        ]
    ).unique("correction_id")
    this_run = {"run": run_id}
    return FindingInputs(
        points=db.read("recon.points"),
        offers=db.read("truth.offers"),
        positions=db.read("truth.positions"),
        reservations=db.read("truth.reservations"),
        candidates=db.read("truth.candidates"),
        corrections=open_or_recent,
        feeds=db.read("recon.feeds"),
        listings=listings.select(pl.col(name).cast(kind) for name, kind in LISTINGS.items()),
        batches=db.query("SELECT system, dataset, verdict, is_full FROM raw.batches WHERE run_id = $run", this_run),
        quarantine=db.query(
            "SELECT q.system, q.dataset, q.reason, count(*) AS rows FROM quarantine.rows q JOIN raw.batches b USING (batch_id) "
            "WHERE b.run_id = $run GROUP BY ALL",
            this_run,
        ),
        effects=effects.select(pl.col(name).cast(kind) for name, kind in POINT_EFFECTS.items()),
        values=unit_values(ctx, db),
        systems=systems_frame(ctx),
    )
