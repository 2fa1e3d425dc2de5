"""Correct: the plan, judged by the guards, becomes intents in the outbox. What is shown is what is sent."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain import guards, money
from invbi_pipeline.domain.frames import BASES, CORRECTIONS, LISTINGS, POINT_KEY, UNBOOKED, empty
from invbi_pipeline.domain.plan import MODES, PlanInputs
from invbi_pipeline.domain.plan import plan as make_plan
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.reconcile import systems_frame
from invbi_pipeline.store.declared_files import read_declared
from invbi_pipeline.store.outbox import UNSENT
from invbi_pipeline.store.warehouse import Database

__all__ = ["Planned", "note_corrections", "plan", "unit_values"]

_RECENT: Final = timedelta(days=1)
# The findings that a correction mends, most telling first.
_MENDS: Final = ("drift", "oversell_risk", "channel_stockout", "undersell")


@dataclass(frozen=True, slots=True)
class Planned:
    """What was planned: CORRECTIONS as judged, and how many wait in each state (rejected before, and unchanged: not again)."""

    corrections: pl.DataFrame = field(default_factory=lambda: empty(CORRECTIONS))
    states: Mapping[str, int] = field(default_factory=dict)


def plan(ctx: Context, run_id: str, *, dry_run: bool = False) -> Planned:
    """Plan, let the guards judge, and store the intents; with `dry_run` store nothing.

    What an earlier run planned and this one no longer wants is withdrawn, unless it is being sent.
    """
    now = ctx.clock.now()
    with ctx.warehouse.open() as db:
        wanted = make_plan(_plan_inputs(ctx, db), now, run_id)
        judged = guards.judge(wanted, _guard_inputs(ctx, db), now)
        judged = _with_findings(judged, db.read("recon.findings"))
    if dry_run:
        return Planned(judged, Counter(judged["state"].to_list()))
    outbox = ctx.state.outbox
    outbox.intend(judged, now)
    outbox.withdraw(now, list(ctx.channels), keep=_kept(ctx, judged))
    note_corrections(ctx, now - _RECENT)
    stands = outbox.by_id(judged["correction_id"].to_list()) if judged.height else judged
    waiting = stands.filter(pl.col("state").is_in([str(s) for s in UNSENT]))
    return Planned(judged, Counter(waiting["state"].to_list()))


def note_corrections(ctx: Context, since: datetime) -> None:
    """Bring recon.corrections up to what the outbox says, for all that changed since `since` (our clock)."""
    with ctx.warehouse.open() as db:
        db.upsert("recon.corrections", ctx.state.outbox.changed_since(since), ["correction_id"])


def unit_values(ctx: Context, db: Database) -> pl.DataFrame:
    """Return system, listing_key, sku, price, cost of one unit of each listing in the reporting currency; null: unpriced."""
    said = read_declared(ctx.config)
    listings = db.query("SELECT * FROM staging.stg_listings").select(pl.col(n).cast(k) for n, k in LISTINGS.items())
    held = db.read("truth.mappings").filter(pl.col("valid_to").is_null())
    currency = ctx.config.business.currency
    return money.unit_values(listings.lazy(), held.lazy(), said.prices.lazy(), said.rates.lazy(), currency).collect()


def _plan_inputs(ctx: Context, db: Database) -> PlanInputs:
    modes = [{"system": name, "mode": str(system.mode)} for name, system in ctx.config.systems.items()]
    return PlanInputs(
        points=db.read("recon.points"),
        offers=db.read("truth.offers"),
        bases=db.read("recon.bases").select(BASES.keys()),
        unbooked=db.read("truth.unbooked").select(UNBOOKED.keys()),
        systems=systems_frame(ctx),
        modes=pl.DataFrame(modes, schema=MODES),
        prices=unit_values(ctx, db).select("system", "listing_key", "price"),
    )


def _guard_inputs(ctx: Context, db: Database) -> guards.GuardInputs:
    config = ctx.config
    owner_of = {name: place.counted_by for name, place in config.locations.items()}
    owners = {
        name: sorted({owner_of[place] for place in (system.sells_from or tuple(system.locations.values())) if place in owner_of})
        for name, system in config.systems.items()
    }
    limits = {name: config.guards.for_channel(name) for name in config.systems}
    ages = {name: round(system.max_age_s) for name, system in config.systems.items()}
    return guards.GuardInputs(
        points=db.read("recon.points"),
        feeds=db.read("recon.feeds"),
        candidates=db.read("truth.candidates"),
        limits=guards.limits_frame(limits, owners, ages),
        paused=frozenset(ctx.state.pauses()["scope"].to_list()),
    )


def _kept(ctx: Context, judged: pl.DataFrame) -> set[str]:
    """The unsent corrections that still stand: this plan's, and those that went under its keys in an earlier run."""
    keys = set(judged["idempotency_key"].to_list())
    unsent = ctx.state.outbox.in_state(*(str(s) for s in UNSENT))
    return {name for name, key in unsent.select("correction_id", "idempotency_key").iter_rows() if key in keys}


def _with_findings(judged: pl.DataFrame, findings: pl.DataFrame) -> pl.DataFrame:
    """Name the open finding that each correction mends."""
    rank = {code: n for n, code in enumerate(_MENDS)}
    mine = (
        findings.filter(pl.col("code").is_in(_MENDS) & (pl.col("state") != "resolved"))
        .with_columns(rank=pl.col("code").replace_strict(rank, default=9, return_dtype=pl.Int64))
        .sort("rank")
        .unique(list(POINT_KEY), keep="first", maintain_order=True)
        .select(*POINT_KEY, mends="finding_id")
    )
    joined = judged.join(mine, on=list(POINT_KEY), how="left")
    return joined.with_columns(finding_id=pl.coalesce("mends", pl.lit(""))).select(CORRECTIONS.keys())
