"""Ingest: read every system at once, take what they say through the wall, judge it, land it, move the cursors.

Nothing of a run lands before it was judged; rows land before their cursor moves, so that a crash in between only reads
again what is known already. A batch that is not believed lands with its verdict and moves no cursor: the last good data stay.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.channels.limits import patiently
from invbi_pipeline.channels.protocol import Forgetful, Reading
from invbi_pipeline.domain.frames import WALL
from invbi_pipeline.domain.words import Dataset, FeedVerdict
from invbi_pipeline.errors import BadAnswer, InvbiError, TransientError, Unreachable
from invbi_pipeline.flows.context import Context, asking
from invbi_pipeline.flows.feeds.declare import declare
from invbi_pipeline.flows.feeds.deleted import Known, with_deleted
from invbi_pipeline.flows.feeds.health import Judgement, judge, warm_up, write_data_docs
from invbi_pipeline.flows.feeds.known import histories
from invbi_pipeline.flows.feeds.metrics import Metrics, measure
from invbi_pipeline.flows.feeds.standing import feeds
from invbi_pipeline.store.landing import POINTS, Batch, failed_batch, land, prepare
from invbi_pipeline.store.retention import prune
from invbi_pipeline.store.state import Cursor
from invbi_pipeline.store.warehouse import Database

__all__ = ["ORDER", "IngestResult", "SystemResult", "believe_next", "data_docs", "ingest", "land_points"]

# Stock before orders: the order feed is then complete beyond the observation, which can be judged in the same run.
ORDER: Final = (Dataset.LOCATIONS, Dataset.LISTINGS, Dataset.STOCK, Dataset.ORDERS, Dataset.MOVEMENTS)

# How often everything is read although the platform tells what changed: only then is absence seen.
_FULL_EVERY: Final = timedelta(hours=24)
_PRUNE_EVERY: Final = timedelta(days=1)
_PATIENCE_S: Final = 900.0  # for one system, whatever its retries would still do

_RECORDS: Final = "SELECT * FROM raw.batches WHERE batch_id IN (SELECT unnest($ids)) ORDER BY seq"
_ASIDE: Final = """
    SELECT system, dataset, reason, count(*) AS rows FROM quarantine.rows WHERE batch_id IN (SELECT unnest($ids))
    GROUP BY ALL ORDER BY ALL
"""


@dataclass(frozen=True, slots=True)
class SystemResult:
    """What came of one system: `status` is ok, unbelieved, broken, unreachable or refused; `reason` is empty when ok.

    `warnings`: what its channel noticed in what it read, in whole sentences.
    """

    system: str
    status: str
    reason: str
    rows: int
    quarantined: int
    requests: int
    seconds: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What came of a run: `feeds` (FEEDS, every configured system), each system read, and the run's records.

    `batches` has the columns of raw.batches, `quarantined`: system, dataset, reason, rows.
    """

    run_id: str
    feeds: pl.DataFrame
    systems: Mapping[str, SystemResult]
    batches: pl.DataFrame
    quarantined: pl.DataFrame

    @property
    def not_reconciled(self) -> tuple[str, ...]:
        """Systems that could not be read, or whose read was not believed (exit code 3)."""
        return tuple(name for name, one in self.systems.items() if one.status != "ok")


@dataclass(slots=True)
class _Take:
    """What reading one system gave: batches through the wall, and the error that ended it."""

    batches: list[Batch]
    trouble: InvbiError | None = None
    warnings: list[str] = field(default_factory=list)


async def ingest(
    ctx: Context, run_id: str, systems: Iterable[str] | None = None, datasets: Sequence[Dataset] = ORDER
) -> IngestResult:
    """Read these systems (all that are open when None) and land what they say, of these datasets.

    A system that fails or is not believed never fails another; it is in the result and in `recon.feeds`. Raises `StoreBusy`.
    """
    chosen = [name for name in ctx.channels if systems is None or name in set(systems)]
    cursors = await asyncio.to_thread(_landed_cursors, ctx)
    known = Known(ctx.warehouse, [name for name in chosen if isinstance(ctx.channels[name], Forgetful)])
    ready = asyncio.create_task(asyncio.to_thread(warm_up))  # while the platforms are thinking
    try:
        read = await asyncio.gather(*(_read(ctx, run_id, name, cursors, known, datasets) for name in chosen))
    finally:
        await ready
    return await asyncio.to_thread(_settle, ctx, run_id, dict(zip(chosen, read, strict=True)), cursors)


def land_points(ctx: Context, run_id: str, reading: Reading, system: str) -> pl.DataFrame:
    """Land what `Channel.read_back` returned, and return its rows: STOCK plus `location`.

    From then on these rows are the newest observation of their points; others keep theirs.
    """
    now = ctx.clock.now()
    with ctx.warehouse.open() as database:
        batch_id = _free_id(f"{run_id}.{system}.{reading.dataset}.points", _taken(database, run_id))
        batch = prepare(reading, system, run_id, batch_id, POINTS)
        land(database, [batch], now)
    key = pl.col("location_key")
    places = key.replace_strict(
        dict(ctx.config.systems[system].locations), default=pl.format("unmapped:{}", key), return_dtype=pl.String
    )
    return batch.frame("stock").select(*WALL["stock"], pl.when(key == "").then(pl.lit("")).otherwise(places).alias("location"))


def believe_next(ctx: Context, system: str, who: str) -> None:
    """Let a person vouch for a system: its next read is believed whatever its health (a catalogue that really shrank)."""
    ctx.state.set_mark(f"believe:{system}", who)


def data_docs(ctx: Context, run_id: str) -> str:
    """Render Great Expectations' Data Docs of one run into `<data>/data_docs` and return the page to open."""
    rows = ctx.warehouse.query("SELECT * FROM raw.batches WHERE run_id = $run AND metrics <> '{}' ORDER BY seq", {"run": run_id})
    return str(write_data_docs(rows, ctx.config.data / "data_docs"))


def _landed_cursors(ctx: Context) -> dict[tuple[str, str], Cursor]:
    """Return the cursors whose batch is in the warehouse; where it is gone (a warehouse moved away) all is read anew."""
    ids = set(ctx.warehouse.query("SELECT batch_id FROM raw.batches WHERE scope = 'sweep' AND verdict = 'believed'")["batch_id"])
    return {key: cursor for key, cursor in ctx.state.cursors().items() if cursor.batch_id in ids}


async def _read(
    ctx: Context, run_id: str, name: str, cursors: Mapping[tuple[str, str], Cursor], known: Known, wanted: Sequence[Dataset]
) -> _Take:
    channel = ctx.channels[name]
    datasets = [dataset for dataset in ORDER if dataset in channel.facts.datasets and dataset in wanted]
    take = _Take([])
    now = dataset = None
    try:
        async with asyncio.timeout(_PATIENCE_S):
            for n, dataset in enumerate(datasets):
                now = ctx.clock.now()
                cursor = cursors.get((name, str(dataset)), Cursor())
                with asking(name), patiently():
                    reading = await channel.read(dataset, _since(cursor, dataset, now))
                    if dataset is Dataset.LISTINGS and isinstance(channel, Forgetful):
                        reading = await with_deleted(known, name, channel, reading)
                if ctx.config.systems[name].platform == "files" and reading.cursor == cursor.cursor:
                    reading = _nothing_new(reading)
                batch_id = f"{run_id}.{name}.{dataset}"
                with asking(name):
                    take.batches.append(await asyncio.to_thread(prepare, reading, name, run_id, batch_id))
                take.warnings.extend(f"{dataset}: {warning}" for warning in reading.warnings)
                ctx.progress(name, n + 1, len(datasets))
    except InvbiError as trouble:
        take.trouble = trouble
    except TimeoutError:
        take.trouble = Unreachable(f"{name} did not finish within {_PATIENCE_S:g} s; what it had not said is left as it was.")
    if take.trouble is not None and dataset is not None:
        at = now or ctx.clock.now()
        verdict = FeedVerdict.TRUNCATED if isinstance(take.trouble, BadAnswer) else FeedVerdict.UNREACHABLE
        batch_id = f"{run_id}.{name}.{dataset}"
        take.batches.append(failed_batch(name, str(dataset), run_id, batch_id, str(take.trouble), at, verdict))
    return take


def _nothing_new(reading: Reading) -> Reading:
    """An export that is still the same file says that nothing changed; its rows have landed already."""
    return replace(reading, frames={name: frame.clear() for name, frame in reading.frames.items()}, full=False, rejected=None)


def _since(cursor: Cursor, dataset: Dataset, now: datetime) -> str:
    due = cursor.full_at is None or now - cursor.full_at >= _FULL_EVERY
    return "" if due and dataset in (Dataset.STOCK, Dataset.LISTINGS, Dataset.LOCATIONS) else cursor.cursor


def _settle(ctx: Context, run_id: str, takes: Mapping[str, _Take], cursors: Mapping[tuple[str, str], Cursor]) -> IngestResult:
    """Judge and land what was read, then move the cursors, then say what may be believed."""
    now = ctx.clock.now()
    vouched = {name: who for name in takes if (who := ctx.state.mark(f"believe:{name}"))}
    with ctx.warehouse.held():
        with ctx.warehouse.open() as database:
            declare(database, ctx.config)
            batches = _judged(ctx, _with_free_ids(takes, _taken(database, run_id)), vouched, database, now)
            land(database, batches, now)
        results = {name: _result(name, take, [b for b in batches if b.system == name]) for name, take in takes.items()}
        _remember(ctx, batches, results, cursors, now)
        for name in vouched:
            ctx.state.set_mark(f"believe:{name}", "")
        with ctx.warehouse.open() as database:
            _prune_daily(ctx, database, now)
            said = feeds(ctx, database, now)
            database.replace("recon.feeds", said)
            ids = {"ids": [b.batch_id for b in batches]}
            return IngestResult(run_id, said, results, database.query(_RECORDS, ids), database.query(_ASIDE, ids))


def _remember(
    ctx: Context,
    batches: Sequence[Batch],
    results: Mapping[str, SystemResult],
    cursors: Mapping[tuple[str, str], Cursor],
    now: datetime,
) -> None:
    """Move the cursors of what was believed, and count each system's failures for its breaker."""
    ctx.state.set_cursors(
        (
            (b.system, b.dataset, Cursor(b.cursor, b.batch_id, now if b.full else _full_at(cursors, b)))
            for b in batches
            if b.believed and b.platform_time is not None
        ),
        now,
    )
    for name, one in results.items():
        if one.status != "ok":
            ctx.state.failed(name, one.reason, now)
    read = {(b.system, b.dataset) for b in batches}
    every = {name: [(name, str(d)) for d in ORDER if d in ctx.channels[name].facts.datasets] for name in results}
    ctx.state.recovered([name for name, one in results.items() if one.status == "ok" and read.issuperset(every[name])])


def _prune_daily(ctx: Context, database: Database, now: datetime) -> None:
    pruned = ctx.state.mark("pruned_at")
    if pruned and now - datetime.fromisoformat(pruned) < _PRUNE_EVERY:
        return
    if pruned:  # before the first mark nothing is old
        prune(database, now, ctx.config.store.keep_raw_days)
    ctx.state.set_mark("pruned_at", now.isoformat())


def _judged(
    ctx: Context, takes: Mapping[str, Sequence[Batch]], vouched: Mapping[str, str], database: Database, now: datetime
) -> list[Batch]:
    answered = {name: [b for b in batches if b.platform_time is not None] for name, batches in takes.items()}
    before = histories(database, answered, now)
    metrics: dict[str, Metrics] = {}
    for name, batches in answered.items():
        guards, max_age = ctx.config.guards.for_channel(name), ctx.config.systems[name].max_age_s
        metrics |= {one.batch_id: one for one in measure(batches, before[name], guards, max_age)}
    verdicts = judge(list(metrics.values()))
    judged: list[Batch] = []
    for batch in (b for batches in takes.values() for b in batches):
        if batch.batch_id not in metrics:
            judged.append(batch)
            continue
        said = verdicts[batch.batch_id]
        if batch.system in vouched and said.verdict != FeedVerdict.BELIEVED and batch.complete:
            said = Judgement(FeedVerdict.BELIEVED, f"{vouched[batch.system]} vouched for it: {said.reason}")
        row = {key: value for key, value in metrics[batch.batch_id].row().items() if value is not None}
        figures = {key: str(value) if isinstance(value, datetime) else value for key, value in row.items()}
        judged.append(replace(batch, verdict=said.verdict, reason=said.reason, metrics=figures))
    return judged


def _full_at(cursors: Mapping[tuple[str, str], Cursor], batch: Batch) -> datetime | None:
    return cursors.get((batch.system, batch.dataset), Cursor()).full_at


def _with_free_ids(takes: Mapping[str, _Take], taken: Sequence[str]) -> dict[str, list[Batch]]:
    """A run that is completed after a crash reads again: its batches get ids of their own."""
    return {name: [_renamed(batch, _free_id(batch.batch_id, taken)) for batch in take.batches] for name, take in takes.items()}


def _taken(database: Database, run_id: str) -> list[str]:
    """Return the ids of a run's batches."""
    return database.query("SELECT batch_id FROM raw.batches WHERE run_id = $run", {"run": run_id})["batch_id"].to_list()


def _free_id(wanted: str, taken: Sequence[str]) -> str:
    before = sum(one == wanted or one.startswith(f"{wanted}#") for one in taken)
    return f"{wanted}#{before + 1}" if before else wanted


def _renamed(batch: Batch, batch_id: str) -> Batch:
    if batch.batch_id == batch_id:
        return batch
    return replace(batch, batch_id=batch_id, quarantine=batch.quarantine.with_columns(pl.lit(batch_id).alias("batch_id")))


def _result(name: str, take: _Take, batches: Sequence[Batch]) -> SystemResult:
    reasons = [f"{b.dataset}: {b.reason}" for b in batches if not b.believed]
    if take.trouble is not None:
        status = "unreachable" if isinstance(take.trouble, TransientError) else "refused"
        if isinstance(take.trouble, BadAnswer):  # it answered, and what it said was cut or broken
            status = "broken"
    else:
        status = "unbelieved" if reasons else "ok"
    seconds = sum((b.ended_at - b.began_at).total_seconds() for b in batches)
    return SystemResult(
        name,
        status,
        "; ".join(reasons),
        sum(b.landed for b in batches),
        sum(b.quarantine.height for b in batches),
        sum(b.requests for b in batches),
        seconds,
        tuple(take.warnings),
    )
