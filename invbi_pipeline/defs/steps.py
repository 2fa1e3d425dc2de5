"""The flows as Dagster's assets call them, one function an asset: the loop of `flows.run`, cut where the graph has its nodes.

Steps share nothing but the stores, so that any of them can be materialized again alone. The loop with the plan printed and
nothing sent is `invbi run --dry-run`; Dagster always does the whole of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from invbi_pipeline.domain.words import CorrectionState, FeedVerdict
from invbi_pipeline.flows import publish, run, tell
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.corrections import correct, prove, push
from invbi_pipeline.flows.decision import findings, reconcile, turn
from invbi_pipeline.flows.feeds import inbox, ingest
from invbi_pipeline.store.models import run_models

__all__ = ["Proof", "Read", "compare", "marts", "plan", "proof", "publishing", "read_system", "sending"]

_AGES = """
SELECT dataset, max(platform_time) AS read_at
FROM raw.batches WHERE scope = 'sweep' AND verdict = 'believed' AND system = $system GROUP BY dataset
"""
_ASIDE = (
    "SELECT dataset, row_number, reason, payload FROM quarantine.rows WHERE batch_id = $batch ORDER BY row_number LIMIT $most"
)


@dataclass(frozen=True, slots=True)
class Read:
    """What came of reading one dataset: the record of the read, the rows put aside, and how old the last good word is.

    `record` has the columns of raw.batches and is empty where the dataset was never asked for, since the system's first one
    failed already; `aside`: dataset, row_number, reason, payload.
    """

    record: Mapping[str, object]
    aside: pl.DataFrame
    reason: str
    age_s: int | None
    order_lag_s: int | None

    @property
    def believed(self) -> bool:
        return self.record.get("verdict") == FeedVerdict.BELIEVED


async def read_system(ctx: Context, run_id: str, system: str, most: int) -> dict[str, Read]:
    """Read one system, first what waits in its inbox; return what came of each dataset (of rows put aside, `most` are shown)."""
    await inbox.drain(ctx, run_id, system)
    result = await ingest.ingest(ctx, run_id, [system])
    now = ctx.clock.now()
    feed = result.feeds.filter(pl.col("system") == system).row(0, named=True)
    with ctx.warehouse.open() as db:
        read_at = dict(db.query(_AGES, {"system": system}).iter_rows())
        found: dict[str, Read] = {}
        for record in result.batches.iter_rows(named=True):
            name = record["dataset"]
            aside = db.query(_ASIDE, {"batch": record["batch_id"], "most": most})
            found[name] = Read(record, aside, record["reason"], _age(read_at.get(name), now), feed["order_lag_s"])
        unasked = Read({}, pl.DataFrame(), result.systems[system].reason, None, feed["order_lag_s"])
    return {name: found.get(name, _aged(unasked, read_at.get(name), now)) for name in {*found, *map(str, ingest.ORDER)}}


def compare(ctx: Context, run_id: str) -> reconcile.Compared:
    """Settle what an earlier, ended process left half sent, then compare every number."""
    push.recover(ctx)
    with turn.whole_turn(ctx):
        return reconcile.compare(ctx, run_id)


def plan(ctx: Context, run_id: str) -> Mapping[str, int]:
    """Plan this run's corrections; return how many wait in each state."""
    with turn.whole_turn(ctx):
        return correct.plan(ctx, run_id).states


async def sending(ctx: Context, run_id: str) -> push.PushResult:
    """Send what is approved, and read each channel back when its own corrections are out; `proof` judges what is left."""
    pushed, _ = await prove.push_and_prove(ctx, run_id)
    return pushed


@dataclass(frozen=True, slots=True)
class Proof:
    """What the numbers came to as read back, the open findings, and the run's exit code as the command line gives it.

    `corrections` counts the whole outbox by state.
    """

    compared: reconcile.Compared
    findings: pl.DataFrame
    corrections: Mapping[str, int]
    exit_code: int


async def proof(ctx: Context, run_id: str, started: datetime) -> Proof:
    """Read back what is under way, note what is left to say, and write the run's row."""
    flying = ctx.state.outbox.open_flights().height
    compared = await prove.prove(ctx, run_id) if flying else reconcile.standing(ctx)
    correct.note_corrections(ctx, started)
    open_now = findings.note_findings(ctx, run_id, started)
    counts = ctx.state.outbox.counts()
    code = _exit_code(ctx, run_id, counts)
    run.record(ctx, run_id, started, compared, code)
    return Proof(compared, open_now, counts, code)


def _exit_code(ctx: Context, run_id: str, counts: Mapping[str, int]) -> int:
    """The code of `flows.run.exit_code`, from what the stores remember of the run."""
    if counts.get(CorrectionState.HELD):
        return 4
    silent = ctx.warehouse.query(
        "SELECT count(*) AS n FROM raw.batches WHERE run_id = $run AND scope = 'sweep' AND platform_time IS NULL",
        {"run": run_id},
    )
    return 3 if silent["n"][0] else 0


def marts(ctx: Context) -> dict[str, int]:
    """Build the marts. Return rows by name."""
    return run_models(ctx.warehouse, ["mart"])


async def publishing(ctx: Context) -> publish.Published:
    """Publish what the marts say, tell what has newly become critical, and put the copy that readers open in place."""
    published = await publish.publish(ctx)
    tell.tell(ctx, ctx.warehouse.read("recon.findings"))
    tell.sign_of_life(ctx)
    ctx.warehouse.export()
    return published


def _aged(read: Read, at: datetime | None, now: datetime) -> Read:
    return Read(read.record, read.aside, read.reason, _age(at, now), read.order_lag_s)


def _age(at: datetime | None, now: datetime) -> int | None:
    return None if at is None else round((now - at).total_seconds())
