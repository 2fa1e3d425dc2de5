"""Findings: what this run sees wrong, joined to what was known, with their lives kept in the state store."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import polars as pl

from invbi_pipeline.domain.declared import places_frame
from invbi_pipeline.domain.findings import DUE_DAYS, DueRule, FindingInputs, lives, over, seen
from invbi_pipeline.domain.findings.inputs import CLOCKS, REFUSED
from invbi_pipeline.domain.frames import FINDINGS, KITS, LISTINGS, LIVES, MAPPINGS, fit
from invbi_pipeline.domain.offers.exposure import exposure
from invbi_pipeline.domain.points.inputs import POINT_EFFECTS
from invbi_pipeline.domain.words import FindingState
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.decision.cause_inputs import cause_inputs
from invbi_pipeline.flows.decision.plan_inputs import unit_values
from invbi_pipeline.flows.decision.reconcile import systems_frame
from invbi_pipeline.flows.decision.unplaced import as_refused, unplaced
from invbi_pipeline.store.tables import FINDING_CHANGES
from invbi_pipeline.store.warehouse import Database

__all__ = ["Noted", "note", "note_findings"]

_PROMISED: Final = """
SELECT system, order_id, line_id, listing_key, open_quantity, price, currency
FROM staging.stg_order_lines SEMI JOIN truth.reservations USING (system, order_id, line_id)
"""
_REFUSED: Final = """
WITH standing AS (SELECT batch_id, listing_key, location_key FROM staging.stg_observations WHERE state = 'unknown'),
skus AS (SELECT system, listing_key, min(sku) AS sku FROM truth.mappings WHERE valid_to IS NULL GROUP BY ALL)
SELECT q.system, q.dataset, q.reason, q.listing_key, skus.sku, count(*) AS rows
FROM quarantine.rows q JOIN raw.batches b USING (batch_id)
LEFT JOIN skus ON q.system = skus.system AND q.listing_key = skus.listing_key
WHERE b.run_id = $run
    OR (q.dataset = 'stock' AND (q.batch_id, q.listing_key, q.location_key) IN (SELECT * FROM standing))
GROUP BY ALL
"""
_EFFECTS_BACK: Final = timedelta(days=2)
_CLOCKS: Final = """
WITH said AS (
    SELECT system, seq, CAST(json_extract_string(metrics, '$.skew_s') AS DOUBLE) AS skew_s
    FROM raw.batches WHERE scope = 'sweep' AND landed_at >= $lately AND dataset IN ('locations', 'listings', 'stock')
)
SELECT system, max(skew_s) - arg_max(skew_s, seq) AS set_back_s FROM said WHERE skew_s IS NOT NULL GROUP BY system
"""
_CLOCK_BACK: Final = timedelta(minutes=30)
_CORRECTIONS_BACK: Final = timedelta(days=1)
# A delivery that waits longer is late: by then a burst is over, the minute for which the worker stands aside while a run decides,
# and twice its patience with an order that its platform does not show yet.
_LATE: Final = timedelta(minutes=5)


# Read with a run's answers, or declared: what is sent and read back later in the run changes none of it.
_OF_THE_RUN: Final = (
    "phantoms", "listings", "batches", "quarantine", "values", "systems", "places", "clocks", "mappings", "kits",
    "delays",
)  # fmt: skip
_MOVED_ON: Final = ("points", "corrections", "feeds", "offers", "positions")  # unless these have, nothing else can be seen


class Noted(NamedTuple):
    """What one look at all that is wrong came to: the findings not resolved (FINDINGS), and what they were seen in."""

    open: pl.DataFrame
    inputs: FindingInputs


def note_findings(ctx: Context, run_id: str, began: datetime) -> pl.DataFrame:
    """Return the findings that are not resolved (FINDINGS), as `note` says them."""
    return note(ctx, run_id, began=began).open


def note(ctx: Context, run_id: str, earlier: Noted | None = None, *, began: datetime | None = None) -> Noted:
    """Say what is wrong now, and keep every finding's life.

    The lives are in the state store; `recon.findings` is what people and marts read. `earlier`: what this came to before, in the
    same run: where nothing has changed since that stands, and else what cannot have changed is not read again. `began` (our
    clock): when the run did, before it worked on what waited; now, unless it is named.
    """
    now = ctx.clock.now()
    with ctx.warehouse.open() as db:
        before = ctx.state.lives(dict(LIVES)).with_columns(opened_at=pl.coalesce("opened_at", "first_seen"))
        inputs = _inputs(ctx, db, run_id, began or now, earlier.inputs if earlier else None)._replace(known=before)
        if earlier and all(getattr(inputs, name).equals(getattr(earlier.inputs, name)) for name in _MOVED_ON):
            return earlier
        db.replace("recon.exposure", _exposed(ctx, db, inputs))
        now_wrong = seen(inputs, now, run_id, ctx.config.business.currency)
        due = DueRule({**DUE_DAYS, **ctx.config.findings.due_days}, ctx.config.business.timezone)
        found = lives(before, now_wrong, now, run_id, over(before, inputs, now), ctx.state.cases.said(), due)
        ctx.state.save_lives(found.join(before, on=list(LIVES), how="anti", nulls_equal=True))
        db.append("recon.finding_changes", _changes(before, found, now))
        found = found.select(FINDINGS.keys())
        db.replace("recon.findings", found)
        db.replace("recon.unit_values", inputs.values)
    return Noted(found.filter(pl.col("state") != FindingState.RESOLVED), inputs)


def _changes(before: pl.DataFrame, found: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Return FINDING_CHANGES: the findings whose state is not what it was."""
    moved = found.join(before.select("finding_id", was="state"), on="finding_id", how="left")
    moved = moved.filter(pl.col("was").is_null() | (pl.col("was") != pl.col("state")))
    return fit(moved.with_columns(changed_at=pl.lit(now)), FINDING_CHANGES)


def _exposed(ctx: Context, db: Database, inputs: FindingInputs) -> pl.DataFrame:
    """Return EXPOSURE: what could be oversold as the numbers stand now."""
    held = db.read("truth.mappings").filter(pl.col("valid_to").is_null())
    listed = (inputs.points.lazy(), held.lazy(), db.read("truth.kits").lazy())
    lies = (inputs.positions.lazy(), inputs.reservations.lazy())
    return exposure(*listed, *lies, inputs.systems.lazy(), places_frame(ctx.config).lazy(), inputs.values.lazy()).collect()


def _inputs(ctx: Context, db: Database, run_id: str, began: datetime, earlier: FindingInputs | None) -> FindingInputs:
    of_the_run = {name: getattr(earlier, name) for name in _OF_THE_RUN} if earlier else _of_the_run(ctx, db, run_id, began)
    now = ctx.clock.now()
    effects = db.query("SELECT * FROM staging.stg_effects WHERE stamped_at >= ?", [now - _EFFECTS_BACK])
    outbox = ctx.state.outbox
    open_or_recent = (
        pl.concat(
            [
                outbox.changed_since(now - _CORRECTIONS_BACK),
                outbox.in_state("planned", "held", "approved", "sending", "accepted", "ambiguous"),
            ]
        )
        .unique("correction_id")
        .sort("correction_id")
    )
    return FindingInputs(
        points=db.read("recon.points"),
        offers=db.read("truth.offers"),
        positions=db.read("truth.positions"),
        reservations=db.read("truth.reservations"),
        candidates=db.read("truth.candidates"),
        corrections=open_or_recent,
        feeds=db.read("recon.feeds"),
        effects=fit(effects, POINT_EFFECTS),
        order_lines=db.query(_PROMISED),
        **cause_inputs(ctx, db),
        **of_the_run,
    )


def _of_the_run(ctx: Context, db: Database, run_id: str, began: datetime) -> dict[str, Any]:
    this_run, lately = {"run": run_id}, {"lately": ctx.clock.now() - _CLOCK_BACK}
    return {
        "phantoms": db.read("truth.phantoms"),
        "listings": db.pick("staging.stg_listings", LISTINGS),
        "batches": db.query("SELECT system, dataset, verdict, is_full FROM raw.batches WHERE run_id = $run", this_run),
        "quarantine": pl.concat([fit(db.query(_REFUSED, this_run), REFUSED), as_refused(unplaced(db))]),
        "values": unit_values(ctx, db),
        "systems": systems_frame(ctx),
        "places": places_frame(ctx.config),
        "clocks": fit(db.query(_CLOCKS, lately), CLOCKS),
        "mappings": fit(db.read("truth.mappings"), MAPPINGS),
        "kits": fit(db.read("truth.kits"), KITS),
        "delays": ctx.state.inbox.delayed(began, _LATE),
    }
