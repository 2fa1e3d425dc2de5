"""Push: sends what is approved, one worker a system, an intent stored before anything leaves, every result kept.

A slow or broken channel never delays another. What is sent is what was planned: rows of the outbox, nothing else.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from invbi_pipeline.channels.protocol import Channel, Write, WriteOutcome, WriteResult
from invbi_pipeline.domain.words import CorrectionKind, CorrectionState
from invbi_pipeline.errors import AmbiguousWrite, InvbiError, TransientError
from invbi_pipeline.flows.context import Context, asking

__all__ = ["PushResult", "location_keys", "push", "recover"]

_S = CorrectionState
# What each result of a write makes of a correction. `stale` and `retry` moved nothing: the next plan decides again.
_AFTER: Final[Mapping[str, CorrectionState]] = {
    WriteOutcome.ACCEPTED: _S.ACCEPTED,
    WriteOutcome.REJECTED: _S.REJECTED,
    WriteOutcome.STALE: _S.SUPERSEDED,
    WriteOutcome.RETRY: _S.APPROVED,
    WriteOutcome.AMBIGUOUS: _S.AMBIGUOUS,
}


@dataclass(slots=True)
class PushResult:
    """How many corrections each result befell, and the systems that could not be written to with the reason."""

    outcomes: Counter[str] = field(default_factory=Counter)
    troubles: dict[str, str] = field(default_factory=dict)

    @property
    def sent(self) -> int:
        """Corrections that left the house: accepted, refused by the platform, or uncertain."""
        return sum(self.outcomes[o] for o in (WriteOutcome.ACCEPTED, WriteOutcome.REJECTED, WriteOutcome.AMBIGUOUS))


def recover(ctx: Context) -> int:
    """Turn what an ended process left `sending` into `ambiguous`, to be settled by reading back. Return how many."""
    left = ctx.state.outbox.in_state(_S.SENDING)
    said = {"answered": '{"note": "the process ended while this was being sent"}', "send_ended_at": ctx.clock.now()}
    moves = [(name, said) for name in left["correction_id"]]
    return len(ctx.state.outbox.advance_all(moves, _S.SENDING, _S.AMBIGUOUS, ctx.clock.now()))


async def push(ctx: Context, systems: Sequence[str] | None = None) -> PushResult:
    """Send every approved correction of these systems (all when None), each system by its own worker.

    Nothing is sent to a system that is paused. A platform that cannot be reached leaves its corrections approved; the
    reason is in `PushResult.troubles`. Raises nothing of a platform's making.
    """
    result = PushResult()
    waiting = ctx.state.outbox.in_state(_S.APPROVED)
    names = [n for n in waiting["system"].unique(maintain_order=True) if systems is None or n in systems]
    await asyncio.gather(*(_work(ctx, name, waiting.filter(pl.col("system") == name), result) for name in names))
    return result


async def _work(ctx: Context, system: str, waiting: pl.DataFrame, result: PushResult) -> None:
    """Send one system's corrections, lowering first, in batches of the platform's size."""
    channel = ctx.channels[system]
    lowers = (pl.col("to_qty") < pl.col("from_qty")).fill_null(value=True)
    ordered = waiting.with_columns(lowers=lowers).sort("lowers", "units_at_risk", "correction_id", descending=[True, True, False])
    for batch in ordered.iter_slices(channel.facts.write_batch):
        if _paused(ctx, system):
            result.outcomes["paused"] += batch.height
            continue
        try:
            await _send(ctx, channel, batch, result)
        except InvbiError as trouble:  # the rest would meet the same: it waits for the next run
            result.troubles[system] = str(trouble)
            return


def _paused(ctx: Context, system: str) -> bool:
    return bool(set(ctx.state.pauses()["scope"].to_list()) & {"", system})


async def _send(ctx: Context, channel: Channel, batch: pl.DataFrame, result: PushResult) -> None:
    outbox, clock = ctx.state.outbox, ctx.clock
    began = {"sent_at": clock.now()}
    mine = set(outbox.advance_all([(n, began) for n in batch["correction_id"]], _S.APPROVED, _S.SENDING, clock.now()))
    keys = location_keys(ctx, channel.system)
    rows = {
        row["correction_id"]: {**row, "location_key": keys[row["location"]]}
        for row in batch.iter_rows(named=True)
        if row["correction_id"] in mine
    }
    open_ids = set(rows)
    try:
        with asking(channel.system):
            moved = await _moved_meanwhile(channel, rows)
        for name in moved:
            _settle(ctx, WriteResult(name, WriteOutcome.STALE, None, "stale", "the number moved since it was read"), result)
            open_ids.discard(name)
        with asking(channel.system, writing=True):
            async for answer in channel.write([_write(ctx, rows[name]) for name in rows if name in open_ids]):
                _settle(ctx, answer, result)
                open_ids.discard(answer.correction_id)
    except AmbiguousWrite as trouble:
        for name in open_ids:
            _settle(ctx, WriteResult(name, WriteOutcome.AMBIGUOUS, None, "ambiguous", str(trouble)), result)
    except InvbiError as trouble:
        outcome = WriteOutcome.RETRY if isinstance(trouble, TransientError) else WriteOutcome.REJECTED
        for name in open_ids:
            _settle(ctx, WriteResult(name, outcome, None, type(trouble).__name__, str(trouble)), result)
        raise


def location_keys(ctx: Context, system: str) -> dict[str, str]:
    """Return how this system calls each of our locations; the empty name stands for its one number."""
    return {"": "", **{place: key for key, place in ctx.config.systems[system].locations.items()}}


async def _moved_meanwhile(channel: Channel, rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Where the platform cannot compare and set: read just before the write, and leave alone what moved since we decided."""
    sets = {name: row for name, row in rows.items() if row["kind"] == CorrectionKind.SET}
    if channel.facts.compare_and_set or not sets:
        return []
    points = [(row["listing_key"], row["location_key"]) for row in sets.values()]
    stock = (await channel.read_back(points)).frames["stock"]
    now = {(key, place): quantity for key, place, quantity in stock.select("listing_key", "location_key", "quantity").iter_rows()}
    return [
        name
        for name, row in sets.items()
        if (seen := now.get((row["listing_key"], row["location_key"]))) is not None and int(seen) != row["from_qty"]
    ]


def _write(ctx: Context, row: Mapping[str, Any]) -> Write:
    lowers = row["from_qty"] is not None and row["to_qty"] < row["from_qty"]
    return Write(
        correction_id=row["correction_id"],
        kind=CorrectionKind(row["kind"]),
        listing_key=row["listing_key"],
        location_key=row["location_key"],
        quantity=row["to_qty"],
        compare=row["from_qty"] if row["kind"] == CorrectionKind.SET else None,
        idempotency_key=row["idempotency_key"],
        reference=row["movement_ref"] or "",
        occurred_at=row["observed_at"] if row["kind"] == CorrectionKind.SET else ctx.clock.now(),
        urgent=lowers,
    )


def _settle(ctx: Context, answer: WriteResult, result: PushResult) -> None:
    now = ctx.clock.now()
    said = {"answered": answer.answer or answer.message, "sent_at": answer.answered_at or now, "send_ended_at": now}
    ctx.state.outbox.advance(answer.correction_id, (_S.SENDING, _S.AMBIGUOUS), _AFTER[answer.outcome], now, **said)
    result.outcomes[answer.outcome] += 1
