"""Run: the whole loop once. Read every system, derive the truth, compare, find, plan, push, prove, publish."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from invbi_pipeline.domain.words import CorrectionState
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.corrections.correct import Planned, note_corrections, plan
from invbi_pipeline.flows.corrections.prove import push_and_prove, settle_posts, under_way
from invbi_pipeline.flows.corrections.push import PushResult, recover
from invbi_pipeline.flows.decision.findings import note
from invbi_pipeline.flows.decision.reconcile import Compared, compare, derive_truth, stage
from invbi_pipeline.flows.decision.turn import whole_turn
from invbi_pipeline.flows.feeds.inbox import drain
from invbi_pipeline.flows.feeds.ingest import IngestResult, ingest
from invbi_pipeline.flows.publish import Published, publish
from invbi_pipeline.flows.tell import sign_of_life, tell
from invbi_pipeline.store.tables import RUNS

__all__ = ["RunResult", "exit_code", "record", "run"]


@dataclass(frozen=True, slots=True)
class RunResult:
    """What one run came to."""

    run_id: str
    started_at: datetime
    ended_at: datetime
    ingested: IngestResult
    before: Compared  # as read
    after: Compared  # as read back
    findings: Mapping[str, int]  # open, by code
    planned: Planned
    pushed: PushResult
    published: Published = field(default_factory=Published)

    @property
    def held(self) -> bool:
        """A guard holds something of the plan, or a pause what was being sent."""
        return bool(self.planned.states.get(CorrectionState.HELD) or self.pushed.outcomes["paused"])

    @property
    def quiet(self) -> bool:
        """Nothing was planned, sent, or is still under way."""
        return not self.planned.states and not self.pushed.sent


async def run(ctx: Context, *, dry_run: bool = False, publishing: bool = True, sheet: bool = True) -> RunResult:
    """Do the whole loop once.

    With `dry_run` nothing is sent and the plan is not approved. A system that is out of reach never stops the others. What an
    earlier run left half done is completed first: an intent that may have been sent is settled by reading back.
    """
    run_id, started = ctx.new_id(), ctx.clock.now()
    recover(ctx)
    await drain(ctx, run_id)
    ingested = await ingest(ctx, run_id)
    with whole_turn(ctx), ctx.warehouse.held():
        stage(ctx)
        settle_posts(ctx, under_way(ctx))  # of an earlier run
        derive_truth(ctx)
        before = after = compare(ctx, run_id)
        noted = note(ctx, run_id, began=started)
        planned = plan(ctx, run_id, dry_run=dry_run)
    pushed = PushResult()
    if not dry_run:
        pushed, proved = await push_and_prove(ctx, run_id)
        after = proved or before
    paused = {CorrectionState.HELD: pushed.outcomes["paused"]}  # meanwhile: the next plan holds it
    code = exit_code(ingested, Counter(planned.states) + Counter(paused))
    with ctx.warehouse.held():
        if not dry_run:
            note_corrections(ctx, started)
        if planned.corrections.height:  # what was held, refused or proved is news
            noted = note(ctx, run_id, noted)
        record(ctx, run_id, started, after, code)
    published = await publish(ctx, sheet=sheet) if publishing else Published()
    tell(ctx, noted.open)
    sign_of_life(ctx)
    if publishing:
        ctx.warehouse.export()
    return RunResult(
        run_id=run_id,
        started_at=started,
        ended_at=ctx.clock.now(),
        ingested=ingested,
        before=before,
        after=after,
        findings=Counter(noted.open["code"].to_list()),
        planned=planned,
        pushed=pushed,
        published=published,
    )


def exit_code(ingested: IngestResult, planned: Mapping[str, int]) -> int:
    """Return 4 when a guard holds something, 3 when a system was out of reach, else 0 (design.md section 9)."""
    if planned.get(CorrectionState.HELD):
        return 4
    return 3 if ingested.not_reconciled else 0


def record(ctx: Context, run_id: str, started: datetime, compared: Compared, code: int) -> None:
    """Write the run's row in `recon.runs`: the parity history is made of these."""
    figures = {"points": dict(compared.states), "comparable": compared.comparable, "agreed": compared.agreed}
    row = {
        "run_id": run_id,
        "started_at": started,
        "ended_at": ctx.clock.now(),
        "figures": json.dumps(figures),
        "exit_code": code,
    }
    frame = pl.DataFrame([row], schema=dict(RUNS))
    ctx.warehouse.replace_where("recon.runs", frame, "run_id = ?", [run_id])
