"""Correct: the plan, judged by the guards, becomes intents in the outbox. What is shown is what is sent."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.corrections import guards, trail
from invbi_pipeline.domain.corrections.plan import plan as make_plan
from invbi_pipeline.domain.frames import CORRECTIONS, POINT_KEY, TRAIL, empty, fit
from invbi_pipeline.domain.words import CorrectionKind, CorrectionState, Mode
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.corrections import undo
from invbi_pipeline.flows.corrections.accept import acceptances
from invbi_pipeline.flows.corrections.switch import switches
from invbi_pipeline.flows.decision.again import named_again
from invbi_pipeline.flows.decision.plan_inputs import guard_inputs, plan_inputs
from invbi_pipeline.store.outbox import UNSENT
from invbi_pipeline.store.state import State
from invbi_pipeline.store.warehouse import Database, Warehouse

__all__ = ["Planned", "note_corrections", "note_stores", "plan", "plan_some", "projected"]

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

    What an earlier run planned and this one no longer wants is withdrawn, unless it is being sent; so is what waits for a system
    that is no longer configured.
    """
    now = ctx.clock.now()
    with ctx.warehouse.open() as db:
        wanted = named_again(ctx.state, make_plan(plan_inputs(ctx, db), now, run_id))
        wanted = _beside(wanted, _taken_back(ctx, db, run_id))
        judged = guards.judge(wanted, guard_inputs(ctx, db, wanted), now)
        judged = _with_findings(judged, db.read("recon.findings"))
    if dry_run:
        return Planned(judged, Counter(judged["state"].to_list()))
    outbox = ctx.state.outbox
    _reconsider(ctx, judged)
    outbox.intend(judged, now)
    unsent = outbox.in_state(*(str(s) for s in UNSENT))
    gone = set(unsent["system"]) - ctx.config.systems.keys()
    outbox.withdraw(now, [*ctx.channels, *gone], keep=_kept(unsent, judged))
    note_corrections(ctx, now - _RECENT)
    stands = outbox.by_id(judged["correction_id"].to_list()) if judged.height else judged
    waiting = stands.filter(pl.col("state").is_in([str(s) for s in UNSENT]))
    return Planned(judged, Counter(waiting["state"].to_list()))


def plan_some(
    ctx: Context, wanted: pl.DataFrame, looked_at: guards.GuardInputs, things: pl.DataFrame, lately: pl.DataFrame
) -> pl.DataFrame:
    """Judge and store what is wanted (CORRECTIONS, all of kind `set`) of these listings (system, listing_key) alone.

    `looked_at.points` are all points, `lately` what was wanted of others just before: what share of a channel changes is judged
    by them. What was planned of these listings before and is not wanted any more is withdrawn, unless it is being sent. What a
    person had taken back is left to the next run, but for lowerings.

    Return the CORRECTIONS of these listings that are approved and have not left yet. One that left stays wanted until its number
    is seen, and is not among them.
    """
    now, outbox = ctx.clock.now(), ctx.state.outbox
    back = undo.pending(ctx)
    if back.height:
        lowers = (pl.col("to_qty") < pl.col("from_qty")).fill_null(value=False)
        theirs = wanted.join(back.select(POINT_KEY), on=list(POINT_KEY), how="semi").filter(~lowers)
        wanted = wanted.join(theirs, on="correction_id", how="anti")
    judged = wanted
    if wanted.height:
        wanted = named_again(ctx.state, wanted)
        others = lately.join(wanted, on=list(POINT_KEY), how="anti")
        judged = guards.judge(pl.concat([others, wanted]), looked_at, now).join(wanted, on="correction_id", how="semi")
        _reconsider(ctx, judged)
        outbox.intend(judged, now)
    unsent = outbox.unsent(things).filter(pl.col("kind") == CorrectionKind.SET)
    stale = unsent.join(judged, on="idempotency_key", how="anti").join(back, on="correction_id", how="anti")
    outbox.advance_all([(name, {}) for name in stale["correction_id"]], [str(s) for s in UNSENT], CorrectionState.SUPERSEDED, now)
    return unsent.filter(pl.col("state") == CorrectionState.APPROVED).join(stale, on="correction_id", how="anti")


def projected(ctx: Context, run_id: str) -> pl.DataFrame:
    """Return the CORRECTIONS that a plan would hold if every system were in mode `auto`, judged; nothing is stored.

    Made from what the last run left in the warehouse: what a first push would send.
    """
    now = ctx.clock.now()
    with ctx.warehouse.open() as db:
        given = plan_inputs(ctx, db)
        every = given.modes.with_columns(mode=pl.lit(str(Mode.AUTO)))
        wanted = make_plan(given._replace(modes=every), now, run_id)
        return guards.judge(wanted, guard_inputs(ctx, db, wanted), now)


def note_corrections(ctx: Context, since: datetime) -> None:
    """Bring recon.corrections and recon.trail up to what the outbox says, for all that changed since `since` (our clock)."""
    note_stores(ctx.warehouse, ctx.state, since)


def note_stores(warehouse: Warehouse, state: State, since: datetime) -> None:
    """Do what `note_corrections` does, where no run is under way."""
    changed = state.outbox.changed_since(since)
    decided = state.outbox.decided(since=since)
    steps = pl.concat([trail.trail(changed, decided), switches(state), acceptances(state)])
    with warehouse.open() as db:
        db.upsert("recon.corrections", changed, ["correction_id"])
        known = db.query("SELECT * FROM recon.trail WHERE happened_at IS NULL OR happened_at >= ?", [steps["happened_at"].min()])
        db.append("recon.trail", trail.unknown(steps, fit(known, TRAIL)))


def _taken_back(ctx: Context, db: Database, run_id: str) -> pl.DataFrame:
    """Return the undoings that wait, planned anew: the orders since may have moved the number."""
    waiting = undo.pending(ctx)
    if waiting.is_empty():
        return empty(CORRECTIONS)
    originals = ctx.state.outbox.by_id(waiting["undoes"].to_list())
    return undo.taken_back(ctx, db, originals, run_id).corrections


def _beside(wanted: pl.DataFrame, back: pl.DataFrame) -> pl.DataFrame:
    """Let what is taken back stand in place of what the plan wants of the same number, unless that lowers it further still."""
    if back.is_empty():
        return wanted
    points = back.select(*POINT_KEY, back_to="to_qty")
    sets = wanted.filter(pl.col("kind") == CorrectionKind.SET).join(points, on=list(POINT_KEY))
    urgent = sets.filter(pl.col("to_qty") < pl.min_horizontal("from_qty", "back_to"))
    replaced = sets.join(urgent, on="correction_id", how="anti")
    return pl.concat([wanted.join(replaced, on="correction_id", how="anti"), back.join(urgent, on=list(POINT_KEY), how="anti")])


def _reconsider(ctx: Context, judged: pl.DataFrame) -> None:
    """Take back what the machine released and has not sent yet, where a guard holds it by now.

    A person's word stands, but nothing is released to a system in mode `observe`.
    """
    outbox, now = ctx.state.outbox, ctx.clock.now()
    held = judged.filter(pl.col("state") != CorrectionState.APPROVED)
    if held.is_empty():
        return
    released = outbox.in_state(CorrectionState.APPROVED).select("correction_id").join(held, on="correction_id")
    by_people = outbox.decided(released["correction_id"].to_list())["correction_id"]
    again = released.filter(~pl.col("correction_id").is_in(by_people.implode()) | (pl.col("mode") == Mode.OBSERVE))
    moves = [(row["correction_id"], {"guard": row["guard"]}) for row in again.iter_rows(named=True)]
    outbox.advance_all(moves, CorrectionState.APPROVED, CorrectionState.HELD, now)


def _kept(unsent: pl.DataFrame, judged: pl.DataFrame) -> set[str]:
    """The unsent corrections that still stand: this plan's, and those that went under its keys in an earlier run."""
    keys = set(judged["idempotency_key"].to_list())
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
