"""What plans and guards are given, gathered from the warehouse, the state store and the configuration."""

from datetime import timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.corrections import guards
from invbi_pipeline.domain.corrections.plan import PlanInputs
from invbi_pipeline.domain.corrections.repacked import repacked_listings
from invbi_pipeline.domain.corrections.undo import LANDED, undone_points
from invbi_pipeline.domain.frames import BASES, CORRECTIONS, LISTINGS, POINT_KEY, UNBOOKED, empty
from invbi_pipeline.domain.offers import money
from invbi_pipeline.domain.words import CorrectionState
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.decision.given import modes_frame, systems_frame
from invbi_pipeline.store.declared_files import read_declared
from invbi_pipeline.store.warehouse import Database

__all__ = ["guard_inputs", "guarded", "limits", "modes_frame", "plan_inputs", "repacked", "undone", "unit_values", "zeroed"]

_S: Final = CorrectionState
# What the guards let go and no platform turned away.
_LET_GO: Final = [str(s) for s in (_S.APPROVED, _S.SENDING, _S.ACCEPTED, _S.AMBIGUOUS, _S.VERIFIED, _S.MISMATCHED)]


def plan_inputs(ctx: Context, db: Database) -> PlanInputs:
    """Return what a plan is made from, as the warehouse stands."""
    return PlanInputs(
        points=db.read("recon.points"),
        offers=db.read("truth.offers"),
        bases=db.read("recon.bases").select(BASES.keys()),
        unbooked=db.read("truth.unbooked").select(UNBOOKED.keys()),
        systems=systems_frame(ctx),
        modes=modes_frame(ctx),
        prices=unit_values(ctx, db).select("system", "listing_key", "price"),
    )


def guard_inputs(ctx: Context, db: Database, wanted: pl.DataFrame) -> guards.GuardInputs:
    """Return what the guards look at to judge `wanted` (CORRECTIONS), as the stores stand."""
    mappings = db.read("truth.mappings")
    return guarded(ctx, wanted, db.read("recon.points"), db.read("recon.feeds"), db.read("truth.candidates"), mappings)


def guarded(
    ctx: Context,
    wanted: pl.DataFrame,
    points: pl.DataFrame,
    feeds: pl.DataFrame,
    candidates: pl.DataFrame,
    mappings: pl.DataFrame,
) -> guards.GuardInputs:
    """Return what the guards look at: these POINTS, FEEDS and CANDIDATES, and what the stores say beside them.

    `mappings`: MAPPINGS with their history, of the listings that may be written to; `wanted`: the CORRECTIONS to judge.
    """
    return guards.GuardInputs(
        points=points,
        feeds=feeds,
        candidates=candidates,
        limits=limits(ctx),
        paused=frozenset(ctx.state.pauses()["scope"].to_list()),
        undone=undone(ctx),
        repacked=repacked(ctx, points, mappings),
        zeroed=zeroed(ctx, wanted),
    )


def limits(ctx: Context) -> pl.DataFrame:
    """Return LIMITS as the configuration says."""
    config = ctx.config
    owner_of = {name: place.counted_by for name, place in config.locations.items()}
    owners = {
        name: sorted({owner_of[place] for place in (system.sells_from or tuple(system.locations.values())) if place in owner_of})
        for name, system in config.systems.items()
    }
    of_channel = {name: config.guards.for_channel(name) for name in config.systems}
    ages = {name: round(system.max_age_s) for name, system in config.systems.items()}
    return guards.limits_frame(of_channel, owners, ages)


def repacked(ctx: Context, points: pl.DataFrame, mappings: pl.DataFrame) -> pl.DataFrame:
    """Return REPACKED: the listings of MAPPINGS whose units changed and whose POINTS were not written to since."""
    found = repacked_listings(mappings, empty(CORRECTIONS))
    if found.is_empty():
        return found
    theirs = points.join(found, on=["system", "listing_key"], how="semi").select(POINT_KEY)
    return repacked_listings(mappings, ctx.state.outbox.landed_last(theirs, LANDED))


def zeroed(ctx: Context, wanted: pl.DataFrame) -> pl.DataFrame:
    """Return ZEROED for the judgement of these CORRECTIONS: empty where they take nothing that nobody bought."""
    longest = max(ctx.config.guards.for_channel(name).zeroed_within_s for name in ctx.config.systems)
    if not longest or guards.unsold_zeros(wanted).is_empty():
        return pl.DataFrame(schema=guards.ZEROED)
    changed = ctx.state.outbox.changed_since(ctx.clock.now() - timedelta(seconds=longest))
    gone = guards.unsold_zeros(changed.filter(pl.col("state").is_in(_LET_GO)))
    by_people = ctx.state.outbox.decided(gone["correction_id"].to_list())
    mine = gone.join(by_people, on="correction_id", how="anti")
    return mine.select(*POINT_KEY, zeroed_at=pl.coalesce("send_ended_at", "judged_at", "planned_at"))


def undone(ctx: Context) -> pl.DataFrame:
    """Return UNDONE: the points whose newest change took one of ours back, as the outbox knows it."""
    outbox = ctx.state.outbox
    takers = outbox.undoings().filter(pl.col("state").is_in([str(s) for s in LANDED]))
    if takers.is_empty():
        return pl.DataFrame(schema=guards.UNDONE)
    points = takers.select(POINT_KEY).unique()
    landed = outbox.landed_last(points, LANDED).filter(pl.col("kind") == "set")
    return undone_points(landed, outbox.by_id(takers["undoes"].unique().to_list()))


def unit_values(ctx: Context, db: Database) -> pl.DataFrame:
    """Return system, listing_key, sku, price, cost of one unit of each listing in the reporting currency; null: unpriced."""
    said = read_declared(ctx.config)
    listings = db.pick("staging.stg_listings", LISTINGS)
    held = db.read("truth.mappings").filter(pl.col("valid_to").is_null())
    currency = ctx.config.business.currency
    return money.unit_values(listings.lazy(), held.lazy(), said.prices.lazy(), said.rates.lazy(), currency).collect()
