"""Undo: what a run changed is taken back, as a plan through the same guards, where nobody changed it since."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from invbi_pipeline.domain.corrections import guards
from invbi_pipeline.domain.corrections.undo import LANDED, Undo, UndoInputs, take_back
from invbi_pipeline.domain.frames import POINT_KEY, fit
from invbi_pipeline.domain.points.inputs import POINT_EFFECTS
from invbi_pipeline.domain.words import Basis
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.corrections.prove import settle_posts, under_way
from invbi_pipeline.flows.decision.plan_inputs import guard_inputs, modes_frame, unit_values
from invbi_pipeline.flows.decision.reconcile import compare, derive_truth, stage, systems_frame
from invbi_pipeline.flows.feeds.ingest import ingest
from invbi_pipeline.store.outbox import UNSENT
from invbi_pipeline.store.state import State
from invbi_pipeline.store.warehouse import Database

__all__ = ["LAST", "Undone", "look_again", "pending", "taken_back", "undo", "what_landed"]

LAST: Final = "last"  # the newest run that sent something


@dataclass(frozen=True, slots=True)
class Undone:
    """What came of it: `corrections` as judged (CORRECTIONS), and what is left alone with the reason (`undo.KEPT`)."""

    run_id: str  # whose changes are taken back
    corrections: pl.DataFrame
    kept: pl.DataFrame


async def undo(ctx: Context, run_id: str, *, dry_run: bool = False) -> Undone:
    """Read the systems again, plan the inverse of what a run sent, let the guards judge it, and store the intents.

    `run_id` may be cut to its first characters, or be "last". With `dry_run` nothing is stored. Raises `ConfigError` for a run
    that sent nothing or is not known.
    """
    run_id, sent = what_landed(ctx.state, run_id)
    this = await look_again(ctx)
    sent = ctx.state.outbox.by_id(sent["correction_id"].to_list())  # reading may have proved what was under way
    with ctx.warehouse.open() as db:
        found = taken_back(ctx, db, sent, this)
        judged = guards.judge(found.corrections, guard_inputs(ctx, db, found.corrections), ctx.clock.now())
    if not dry_run:
        ctx.state.outbox.intend(judged, ctx.clock.now())
        known = ctx.state.outbox.by_id(judged["correction_id"].to_list())
        judged = known if judged.height else judged
    return Undone(run_id, judged, found.kept)


async def look_again(ctx: Context) -> str:
    """Read every system and compare, as a run does before it plans. Return the id it goes by."""
    this = ctx.new_id()
    await ingest(ctx, this)
    with ctx.warehouse.held():
        stage(ctx)
        settle_posts(ctx, under_way(ctx))
        derive_truth(ctx)
        compare(ctx, this)
    return this


def what_landed(state: State, run_id: str) -> tuple[str, pl.DataFrame]:
    """Return a run's whole id and the CORRECTIONS of it that changed a number, or may have. Raises `ConfigError`."""
    sent = state.outbox.in_state(*LANDED)
    runs = sent.group_by("run_id").agg(pl.col("sent_at").max()).sort("sent_at", nulls_last=False)["run_id"].to_list()
    found = runs[-1:] if run_id == LAST else [one for one in runs if one == run_id] or [r for r in runs if r.startswith(run_id)]
    if len(found) != 1:
        newest = ", ".join(runs[:-6:-1])
        mend = f"one of {newest}, or {LAST}" if runs else "nothing was ever sent: there is nothing to take back"
        what = f"{len(found)} runs begin with {run_id!r}." if found else f"No run {run_id!r} has sent anything."
        raise ConfigError(what, [("RUN", "the id of a run that sent something", mend)])
    return found[0], sent.filter(pl.col("run_id") == found[0])


def pending(ctx: Context) -> pl.DataFrame:
    """Return the CORRECTIONS that take another one back and wait to be sent."""
    return ctx.state.outbox.undoings().filter(pl.col("state").is_in([str(s) for s in UNSENT]))


def taken_back(ctx: Context, db: Database, sent: pl.DataFrame, run_id: str) -> Undo:
    """Plan the inverse of these CORRECTIONS as the numbers stand in the warehouse."""
    points = sent.select(POINT_KEY).unique()
    earliest = pl.min_horizontal("observed_at", "sent_at")
    since = sent.select(earliest.min()).item() if sent.height else None
    lags = (
        systems_frame(ctx)
        .select("system", gross=pl.col("basis") == str(Basis.GROSS))
        .join(db.read("recon.feeds").select("system", "visibility_lag_s"), on="system", how="left")
    )
    inputs = UndoInputs(
        sent=sent,
        newest=ctx.state.outbox.landed_last(points, LANDED),
        points=db.read("recon.points").join(points, on=list(POINT_KEY), how="semi"),
        effects=_effects(db, since),
        lags=lags,
        modes=modes_frame(ctx),
        prices=unit_values(ctx, db).select("system", "listing_key", "price"),
    )
    return take_back(inputs, ctx.clock.now(), run_id)


def _effects(db: Database, since: object) -> pl.DataFrame:
    return fit(db.query("SELECT * FROM staging.stg_effects WHERE stamped_at > ?", [since]), POINT_EFFECTS)
