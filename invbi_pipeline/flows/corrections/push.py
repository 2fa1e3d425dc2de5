"""Push: sends what is approved, one worker a system, an intent stored before anything leaves, every result kept.

A slow or broken channel never delays another, nor does a store that is held stop the event loop: it is asked in threads. What is
sent is what was planned: rows of the outbox, nothing else.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from invbi_pipeline.channels.protocol import Channel, Write, WriteOutcome, WriteResult
from invbi_pipeline.domain.corrections.guards import GuardInputs, aged
from invbi_pipeline.domain.frames import CORRECTIONS, empty
from invbi_pipeline.domain.words import CorrectionKind, CorrectionState, Mode
from invbi_pipeline.errors import AmbiguousWrite, InvbiError, Paused, Refused, TransientError
from invbi_pipeline.flows.context import Context, asking
from invbi_pipeline.flows.corrections.turns import batches, due, together
from invbi_pipeline.flows.decision.plan_inputs import limits
from invbi_pipeline.store.outbox import MOVES

__all__ = ["MOST_ATTEMPTS", "PushResult", "ask_again", "location_keys", "push", "recover"]

MOST_ATTEMPTS: Final = 5  # that came to nothing although the platform was there; then a person must look

_S = CorrectionState
# What each result of a write makes of a correction. `stale` moved nothing: the next plan decides again.
_AFTER: Final[Mapping[str, CorrectionState]] = {
    WriteOutcome.ACCEPTED: _S.ACCEPTED,
    WriteOutcome.REJECTED: _S.REJECTED,
    WriteOutcome.STALE: _S.SUPERSEDED,
    WriteOutcome.AMBIGUOUS: _S.AMBIGUOUS,
}
# What says how one that was asked again ended; anything else says nothing of the first time.
_TELLING: Final = frozenset({WriteOutcome.ACCEPTED, WriteOutcome.REJECTED})
# Why a write may be sent again that says nothing against the correction itself: the same would have befallen any other.
_OF_THE_SYSTEM: Final = frozenset({"paused", "throttled", "unreachable", "unauthorised"})


@dataclass(slots=True)
class PushResult:
    """How many corrections each result befell, and the systems that could not be written to with the reason."""

    outcomes: Counter[str] = field(default_factory=Counter)
    troubles: dict[str, str] = field(default_factory=dict)

    @property
    def sent(self) -> int:
        """Corrections that left the house: accepted, refused by the platform, or uncertain."""
        return sum(self.outcomes[o] for o in (WriteOutcome.ACCEPTED, WriteOutcome.REJECTED, WriteOutcome.AMBIGUOUS))


async def _nothing_more(system: str) -> None:
    """Do nothing when a system's corrections were sent."""


def recover(ctx: Context) -> int:
    """Turn what an ended process left `sending` into `ambiguous`, to be settled by reading back. Return how many."""
    left = ctx.state.outbox.in_state(_S.SENDING)
    said = {"answered": '{"note": "the process ended while this was being sent"}', "send_ended_at": ctx.clock.now()}
    moves = [(name, said) for name in left["correction_id"]]
    return len(ctx.state.outbox.advance_all(moves, _S.SENDING, _S.AMBIGUOUS, ctx.clock.now()))


async def ask_again(ctx: Context, systems: Sequence[str] | None = None) -> int:
    """Ask again for movements of unknown outcome where the platform does one once however often it is asked. Return how many.

    No ledger would ever tell of these (Shopify as the hub). What is asked is what was asked, under the same key, for as long as
    the platform knows it (`Facts.post_again`); what is still not answered stays ambiguous, and so does what is older.
    """
    doubted = _released(ctx, ctx.state.outbox.in_state(_S.AMBIGUOUS)).filter(pl.col("kind") == CorrectionKind.POST)
    asked = 0
    for (name,), mine in doubted.group_by("system", maintain_order=True):
        channel = ctx.channels.get(str(name))
        life = channel.facts.post_again if channel else None
        if (
            channel is None
            or life is None
            or (systems is not None and name not in systems)
            or ctx.state.budgets.paused(str(name))
        ):
            continue
        keys, young = location_keys(ctx, str(name)), mine.filter(pl.col("sent_at") > ctx.clock.now() - life)
        writes = [_write(ctx, {**row, "location_key": keys[row["location"]]}) for row in young.iter_rows(named=True)]
        if writes:
            asked += len(writes)
            with suppress(InvbiError), asking(name, writing=True):
                _settle(ctx, [one async for one in channel.write(writes) if one.outcome in _TELLING], PushResult())
    return asked


async def push(
    ctx: Context, systems: Sequence[str] | None = None, after: Callable[[str], Awaitable[None]] = _nothing_more
) -> PushResult:
    """Send every approved correction of these systems (all when None), each system by its own worker.

    The system's mode is asked once more, for it may have been set lower since: nothing goes to one in mode `observe`, and to one
    in mode `approve` only what a person released. A raise that was released when its owner's number was young waits for the next
    run where that is too old by now. `after` is awaited for each system when its own worker has ended, while others
    may still be sending. Nothing is sent to a system that is paused: from the moment the pause stands, at most the request in
    flight still goes out. A platform that cannot be reached leaves its corrections approved; the reason is in
    `PushResult.troubles`. Raises nothing of a platform's making.
    """
    result = PushResult()
    released = await asyncio.to_thread(_to_send, ctx, systems, result)
    names = released["system"].unique(maintain_order=True)

    async def work(name: str) -> None:
        await _work(ctx, name, released.filter(pl.col("system") == name), result)
        await after(name)

    await asyncio.gather(*map(work, names))
    return result


def _to_send(ctx: Context, systems: Sequence[str] | None, result: PushResult) -> pl.DataFrame:
    """Return the approved CORRECTIONS of these systems that may leave; `result` counts the others."""
    asked = [""] if systems is None else systems
    waiting = pl.concat([empty(CORRECTIONS), *(ctx.state.outbox.in_state(_S.APPROVED, system=name) for name in asked)])
    released = _released(ctx, waiting)
    if released.height < waiting.height:
        result.outcomes["mode"] += waiting.height - released.height
    old = _aged(ctx, released)
    if old.height:
        result.outcomes["aged"] += old.height
        released = released.join(old, on="correction_id", how="anti", maintain_order="left")
    return released


def _released(ctx: Context, approved: pl.DataFrame) -> pl.DataFrame:
    """Return those of these approved CORRECTIONS that their system's mode lets go as it stands now."""
    modes = {name: str(one.mode) for name, one in ctx.config.systems.items()}
    mode = pl.col("system").replace_strict(modes, default=str(Mode.OBSERVE), return_dtype=pl.String)
    asked = approved.filter(mode == Mode.APPROVE)["correction_id"].to_list()
    decided = ctx.state.outbox.decided(asked)
    by_people = decided.filter(pl.col("decision") == "approved")["correction_id"]
    meant = pl.col("correction_id").is_in(by_people.implode())
    return approved.filter((mode == Mode.AUTO) | ((mode == Mode.APPROVE) & meant))


def _aged(ctx: Context, released: pl.DataFrame) -> pl.DataFrame:
    """Return the raises that must be decided anew: released by what an owner said, which nobody read again for too long.

    A run or the worker judges just before it sends; only what waits for longer than that is looked up.
    """
    shortest = timedelta(seconds=min((one.max_age_s for one in ctx.config.systems.values()), default=0.0))
    waited = released.filter((pl.col("judged_at") < ctx.clock.now() - shortest).fill_null(value=False))
    if waited.is_empty():
        return waited
    with ctx.warehouse.open() as db:
        return aged(waited, GuardInputs(feeds=db.read("recon.feeds"), limits=limits(ctx)), ctx.clock.now())


async def _work(ctx: Context, system: str, waiting: pl.DataFrame, result: PushResult) -> None:
    """Send one system's corrections whose turn it is, lowering first, in batches of the platform's size."""
    channel = ctx.channels[system]
    ready = await asyncio.to_thread(due, ctx, channel.facts, waiting)
    if ready.height < waiting.height:
        result.outcomes["waits"] += waiting.height - ready.height
    for batch in batches(channel.facts, ready):
        if await asyncio.to_thread(ctx.state.budgets.paused, system):
            result.outcomes["paused"] += batch.height
            continue
        try:
            await _send(ctx, channel, batch, result)
        except InvbiError as trouble:  # the rest would meet the same: it waits for the next run
            result.troubles[system] = str(trouble)
            return


async def _send(ctx: Context, channel: Channel, batch: pl.DataFrame, result: PushResult) -> None:
    """Read where the platform cannot compare, note the intent, send, and keep each row's result.

    Until the intent is noted nothing has left: whatever breaks in reading leaves the corrections approved.
    """
    outbox, clock = ctx.state.outbox, ctx.clock
    keys = location_keys(ctx, channel.system)
    rows = {row["correction_id"]: {**row, "location_key": keys[row["location"]]} for row in batch.iter_rows(named=True)}
    with asking(channel.system):
        moved = await _moved_meanwhile(channel, rows)
    began = {"sent_at": clock.now()}
    moves = [(name, began) for name in batch["correction_id"]]
    mine = set(await asyncio.to_thread(outbox.advance_all, moves, _S.APPROVED, _S.SENDING, clock.now()))
    why = "the number moved since it was read"
    stale = [WriteResult(name, WriteOutcome.STALE, None, "stale", why) for name in mine.intersection(moved)]
    await asyncio.to_thread(_settle, ctx, stale, result)
    still_open = mine.difference(moved)
    try:
        with asking(channel.system, writing=True):
            sending = channel.write([_write(ctx, row) for name, row in rows.items() if name in still_open])
            async for answers in together(sending):
                await asyncio.to_thread(_settle, ctx, answers, result)
                still_open.difference_update(answer.correction_id for answer in answers)
    except InvbiError as trouble:
        outcome, code = _meaning(trouble)
        unanswered = [WriteResult(name, outcome, None, code, str(trouble)) for name in still_open]
        await asyncio.to_thread(_settle, ctx, unanswered, result)
        if not isinstance(trouble, AmbiguousWrite):
            raise


def _meaning(trouble: InvbiError) -> tuple[str, str]:
    """What an error, raised while something may have been leaving, says of the corrections without a result: outcome and code."""
    if isinstance(trouble, Paused):
        return WriteOutcome.RETRY, "paused"
    if isinstance(trouble, TransientError):
        return WriteOutcome.RETRY, "unreachable"
    return (WriteOutcome.REJECTED, trouble.code) if isinstance(trouble, Refused) else (WriteOutcome.AMBIGUOUS, "ambiguous")


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


def _settle(ctx: Context, answers: Sequence[WriteResult], result: PushResult) -> None:
    """Keep what came of some writes; what came to nothing too often is given up, with the last reason."""
    now, outbox = ctx.clock.now(), ctx.state.outbox
    for outcome, state in _AFTER.items():
        moves = [(answer.correction_id, _said(answer, now)) for answer in answers if answer.outcome == outcome]
        if moves:
            before = [
                open_ for open_ in (_S.SENDING, _S.AMBIGUOUS) if state in MOVES[open_]
            ]  # another process may have doubted it
            outbox.advance_all(moves, before, state, now)
            result.outcomes[outcome] += len(moves)
    for answer in answers:
        if answer.outcome == WriteOutcome.RETRY:
            most = None if answer.code in _OF_THE_SYSTEM else MOST_ATTEMPTS
            dead = outbox.turn_away(answer.correction_id, now, _said(answer, now), most=most)
            result.outcomes["paused" if answer.code == "paused" else _S.DEAD if dead else WriteOutcome.RETRY] += 1


def _said(answer: WriteResult, now: datetime) -> dict[str, Any]:
    """What is kept of an answer. What was stale did not move: should the same be right again, it lives again."""
    sent_at = None if answer.outcome == WriteOutcome.STALE else answer.answered_at or now
    return {"answered": answer.answer or answer.message, "sent_at": sent_at, "send_ended_at": now}
