"""Run: the whole loop once. Read every system, derive the truth, compare, find, plan, push, prove, publish."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl

from invbi_pipeline.alerts.critical import critical_message, send
from invbi_pipeline.domain.words import CorrectionState, FindingState
from invbi_pipeline.errors import InvbiError
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.correct import Planned, note_corrections, plan
from invbi_pipeline.flows.findings import note_findings
from invbi_pipeline.flows.ingest import IngestResult, ingest
from invbi_pipeline.flows.prove import prove, settle_posts
from invbi_pipeline.flows.publish import Published, publish
from invbi_pipeline.flows.push import PushResult, push, recover
from invbi_pipeline.flows.reconcile import Compared, compare, derive_truth, stage
from invbi_pipeline.store.tables import RUNS

__all__ = ["RunResult", "exit_code", "record", "run", "tell"]

_TOLD = "alerts.told"


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
    ingested = await ingest(ctx, run_id)
    with ctx.warehouse.held():
        stage(ctx)
        settle_posts(ctx, ctx.state.outbox.open_flights())  # of an earlier run
        derive_truth(ctx)
        before = after = compare(ctx, run_id)
        open_now = note_findings(ctx, run_id)
        planned = plan(ctx, run_id, dry_run=dry_run)
    pushed = PushResult()
    if not dry_run:
        pushed = await push(ctx)
        if pushed.sent:
            after = await prove(ctx, run_id)
    code = exit_code(ingested, planned.states)
    with ctx.warehouse.held():
        if not dry_run:
            note_corrections(ctx, started)
        if planned.corrections.height:  # what was held, refused or proved is news
            open_now = note_findings(ctx, run_id)
        record(ctx, run_id, started, after, code)
    published = await publish(ctx, sheet=sheet) if publishing else Published()
    tell(ctx, open_now)
    if publishing:
        ctx.warehouse.export()
    return RunResult(
        run_id=run_id,
        started_at=started,
        ended_at=ctx.clock.now(),
        ingested=ingested,
        before=before,
        after=after,
        findings=Counter(open_now["code"].to_list()),
        planned=planned,
        pushed=pushed,
        published=published,
    )


def exit_code(ingested: IngestResult, planned: Mapping[str, int]) -> int:
    """Return 4 when a guard holds something, 3 when a system was out of reach, else 0 (design.md section 9)."""
    if planned.get(CorrectionState.HELD):
        return 4
    return 3 if ingested.out_of_reach else 0


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


def tell(ctx: Context, findings: pl.DataFrame) -> bool:
    """Send one message for what has newly become critical. Return whether something was told; a failed delivery is retried."""
    wanted = ctx.config.alerts
    if not wanted.urls:
        return False
    now = ctx.clock.now()
    told = {k: datetime.fromisoformat(v) for k, v in json.loads(ctx.state.mark(_TOLD) or "{}").items()}
    message = critical_message(findings, told, now, timedelta(seconds=wanted.quiet_s))
    if message is None:
        return False
    try:
        send(message, [secret.read() for secret in wanted.urls])
    except InvbiError:
        return False
    still = set(findings.filter(pl.col("state") != FindingState.RESOLVED)["finding_id"].to_list())
    kept = {k: v.isoformat() for k, v in told.items() if k in still} | {k: now.isoformat() for k in message.finding_ids}
    ctx.state.set_mark(_TOLD, json.dumps(kept))
    return True
