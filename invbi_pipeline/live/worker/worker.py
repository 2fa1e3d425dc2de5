"""The worker's loop: read what events name, decide what they touch, send what follows, prove it, and keep it.

Reading (each system for itself), deciding (one micro-batch after the other, in a thread) and sending (each system for itself)
overlap. A delivery stays in the inbox until what it named is in the warehouse: a process that ends at any moment only reads
again. The worker decides while it has the turn (`flows.decision.turn`): a batch run asks for it, and the worker writes down
what it has, steps aside, and takes up afterwards from what the batch left.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from invbi_pipeline.domain.words import CorrectionState, Dataset
from invbi_pipeline.errors import StoreBusy
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.corrections.push import PushResult
from invbi_pipeline.flows.feeds.ingest import ORDER
from invbi_pipeline.live.metrics import Metrics
from invbi_pipeline.live.worker.desk import Desk
from invbi_pipeline.live.worker.lane import Lane
from invbi_pipeline.live.worker.memory import Memory
from invbi_pipeline.live.worker.reading import Read
from invbi_pipeline.live.worker.sweeping import Sweeping, SweepResult
from invbi_pipeline.store.outbox import FLYING

__all__ = ["BatchDone", "Worker"]

log = logging.getLogger("invbi.worker")

_IN_HAND: Final = 2_000  # deliveries of one system held in memory; more wait on disk
_TICK_S: Final = 1.0  # how often the inbox is looked at without a hint, and what was decided is written down
_GATHERS_S: Final = 0.02  # what comes at once is fetched together
_ASIDE_S: Final = 0.2  # how often it is asked whether a batch run has ended
_AWAY_S: Final = 2.0  # until a store that does not answer is asked again
_PROOF_S: Final = 0.25  # that what proves a push waits for an event to be decided with
_ROUNDS: Final = 3  # of sending and proving in one `once`: a lowering, and a raise that waited for it


@dataclass(frozen=True, slots=True)
class BatchDone:
    """What came of one micro-batch: deliveries answered, rows read, families decided anew, corrections sent, troubles."""

    deliveries: int = 0
    rows: int = 0
    families: int = 0
    sent: int = 0
    troubles: Mapping[str, str] = field(default_factory=dict)  # system -> reason


class Worker:
    """Works on the inbox until it is stopped: `run`, or `once` for one micro-batch from beginning to end."""

    def __init__(self, ctx: Context, metrics: Metrics) -> None:
        self._ctx = ctx
        self._metrics = metrics
        self._desk = Desk(ctx)
        self._lanes = {name: Lane(name) for name in ctx.channels}
        self._reads: asyncio.Queue[Read] = asyncio.Queue(2 * len(self._lanes) + 1)
        self._sweeping = Sweeping(ctx, self._knowing, self._decided)
        self._hinted = asyncio.Event()
        self._arrived = asyncio.Event()  # a read waits to be decided
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._running = False

    def hint(self) -> None:
        """Say that something may wait in the inbox."""
        self._hinted.set()

    async def run(self) -> None:
        """Work until `stop`. Raises what was not foreseen, after what was decided has been written where that is possible."""
        self._running = True
        try:
            await self._until_ready()
            await self._work([])
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._gathering())
                tasks.create_task(self._keeping())
                patient = [tasks.create_task(self._catching_up()), tasks.create_task(self._searching())]
                for lane in self._lanes.values():
                    tasks.create_task(self._reading(lane))
                    tasks.create_task(self._sending(lane))
                tasks.create_task(self._deciding())
                await self._stopping.wait()
                for one in patient:
                    one.cancel()  # nothing of it has landed, or the next process finds it where it did
        finally:
            self._running = False
            try:
                await self._desk.aside()
            finally:  # a store that fails must not keep whoever waits for the end
                self._ended.set()

    async def stop(self) -> None:
        """Finish the micro-batch in hand, write it down, and end `run`."""
        self._stopping.set()
        if self._running:
            await self._ended.wait()
        else:
            await self._desk.aside()

    async def once(self) -> BatchDone:
        """Work on what waits in the inbox now: read, decide, send, prove and write it."""
        if not await self._desk.ready():
            return BatchDone()
        await self._gather()
        left = await asyncio.to_thread(self._ctx.state.outbox.in_state, CorrectionState.APPROVED, *FLYING)
        for name in self._lanes.keys() & set(left["system"]):
            self._lanes[name].due.set()  # approved and not sent yet, or sent and not proved yet
        memory = self._desk.memory
        assert memory is not None
        found = [await lane.read(self._ctx, memory) for lane in self._lanes.values() if len(lane)]
        reads = [read for read in found if read is not None]
        families, sent = await self._work(reads), 0
        for _ in range(_ROUNDS):
            lanes = [lane for lane in self._lanes.values() if lane.due.is_set()]
            if not lanes:
                break
            came = await asyncio.gather(*(self._sent(lane) for lane in lanes))
            sent += sum(result.sent for result, _ in came)
            reads += [read for _, read in came]
            families += await self._work([read for _, read in came])
            await self._kept()
        await self._desk.aside()
        troubles = {name: why for read in reads for name, why in read.troubles.items()}
        return BatchDone(sum(len(read.answered) for read in reads), sum(read.rows for read in reads), families, sent, troubles)

    async def catch_up(self) -> list[str]:
        """Read the orders on where numbers wait for that (`Sweeping.catch_up`)."""
        return await self._sweeping.catch_up()

    async def search(self) -> list[str]:
        """Search for the orders of numbers that changed without a known cause (`Sweeping.search`)."""
        return await self._sweeping.search()

    async def sweep(self, system: str, datasets: Sequence[Dataset] = ORDER) -> SweepResult:
        """Read everything that changed at a system since its cursors (`Sweeping.sweep`). Raises `StoreBusy`."""
        return await self._sweeping.sweep(system, datasets)

    async def _knowing(self) -> None:
        """Take up what was known, outside `run`: it is what tells news."""
        if not self._running:
            await self._desk.ready()

    async def _decided(self, read: Read) -> None:
        """Let a read that no lane asked for be decided."""
        if self._running:
            await self._hand_over(read)
            await _first(read.decided.wait(), self._ended.wait())
        elif await self._desk.ready():
            await self._work([read])
            await self._desk.aside()

    # the loops of `run` -------------------------------------------------------------------------------------------------

    async def _gathering(self) -> None:
        while not self._stopping.is_set():
            await self._patiently(self._gather())
            await _first(self._hinted.wait(), self._stopping.wait(), seconds=_TICK_S)
            await asyncio.sleep(_GATHERS_S)
            self._hinted.clear()

    async def _reading(self, lane: Lane) -> None:
        while not self._stopping.is_set():
            lane.asked.clear()
            memory = await self._remembered()
            read = await lane.read(self._ctx, memory) if memory is not None and len(lane) else None
            if read is not None:
                await self._hand_over(read)
                await _first(read.taken.wait(), self._ended.wait())  # what comes meanwhile is read together
            if read is None or read.late:
                await _first(lane.asked.wait(), self._stopping.wait(), seconds=_ASIDE_S if len(lane) else None)

    async def _deciding(self) -> None:
        while not (self._stopping.is_set() and self._reads.empty()):
            await _first(self._arrived.wait(), self._stopping.wait())
            reads = self._taken()
            if reads and all(read.proves for read in reads):  # nobody waits for it: an event that comes now goes first
                await _first(self._arrived.wait(), self._stopping.wait(), seconds=_PROOF_S)
                reads += self._taken()
            if reads:
                await self._until_ready()
                await self._patiently(self._work(reads))

    def _taken(self) -> list[Read]:
        self._arrived.clear()
        reads = [self._reads.get_nowait() for _ in range(self._reads.qsize())]
        for read in reads:
            read.taken.set()
        return reads

    async def _sending(self, lane: Lane) -> None:
        lane.due.set()  # what an earlier process left to send, or to prove
        while not self._stopping.is_set():
            if lane.due.is_set():
                await self._patiently(self._send_and_prove(lane))
            if lane.proof is not None:  # until it is decided nobody knows whether to look again
                await _first(lane.proof.decided.wait(), lane.due.wait(), self._stopping.wait())
            await _first(lane.due.wait(), self._stopping.wait(), seconds=lane.patience() if lane.unproved else None)
            if lane.unproved and not self._stopping.is_set():
                lane.due.set()
        if lane.due.is_set():  # of the micro-batch in hand
            await self._patiently(self._sent(lane))

    async def _keeping(self) -> None:
        while not self._stopping.is_set():
            await _first(self._stopping.wait(), seconds=_TICK_S)
            await self._patiently(self._kept())
            self._measure()
            await self._patiently(self._desk.give_way())

    async def _catching_up(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            await self.catch_up()

    async def _searching(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            await self.search()

    async def _patiently(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do a step; where a store is held by another for too long, start over from what is on disk, after a while."""
        try:
            await work
        except StoreBusy as busy:
            log.warning("starting over from the stores: %s", busy)
            await self._start_over()
            await _first(self._stopping.wait(), seconds=_TICK_S)

    # their steps --------------------------------------------------------------------------------------------------------

    async def _gather(self) -> None:
        """Hand what waits in the inbox to the lanes, as far as it is not in hand already.

        Each system has its own share of what is in hand: one that cannot be read for hours holds up no other.
        """
        known: dict[str, set[str]] = {name: set() for name, lane in self._lanes.items() if len(lane) < _IN_HAND}
        for system, number in self._desk.in_hand:
            if system in known:
                known[system].add(number)
        found = await asyncio.to_thread(self._ctx.state.inbox.fresh, 2 * _IN_HAND, known)
        for system, mine in itertools.groupby(found, key=lambda one: one.system):
            came = list(mine)
            self._desk.in_hand |= {(system, one.delivery_id): one for one in came}
            self._lanes[system].add(came)

    async def _work(self, reads: Sequence[Read]) -> int:
        """Decide a micro-batch; return how many families that were. Sending begins before it is digested."""
        try:
            return await self._decide(reads)
        except Exception:  # of whatever kind: what was taken in and not decided must not count as known
            await self._start_over()
            raise
        finally:
            for read in reads:
                read.decided.set()

    async def _decide(self, reads: Sequence[Read]) -> int:
        began = time.perf_counter()
        async with self._desk.mind:
            made = await self._desk.decide(reads)
            if made is None:
                return 0
            for name in made.decision.to_send & self._lanes.keys():
                self._lanes[name].due.set()
            now = self._ctx.clock.now()
            for one in (one for read in reads for one in read.answered):
                self._metrics.decided.observe((now - one.received_at).total_seconds())
            await self._desk.digest(made)
        outcome = made.decision.outcome
        if outcome is not None:
            self._sweeping.note(outcome, now)
        families = 0 if outcome is None else len(outcome.part.families)
        self._metrics.families.observe(families)
        self._metrics.working.observe(time.perf_counter() - began)
        return families

    async def _kept(self) -> None:
        """Write down what was decided; what waited for a push that ended by it may go out."""
        await self._desk.keep()
        for name in self._desk.landed_taken() & self._lanes.keys():
            self._lanes[name].due.set()

    async def _send_and_prove(self, lane: Lane) -> None:
        _, read = await self._sent(lane)
        lane.proof = read
        await self._hand_over(read)

    async def _sent(self, lane: Lane) -> tuple[PushResult, Read]:
        lane.due.clear()
        memory = await self._remembered()
        if memory is None:
            return PushResult(), Read()
        result, read = await lane.send(self._ctx, memory)
        for outcome, count in result.outcomes.items():
            self._metrics.sent.labels(lane.system, outcome).inc(count)
        return result, read

    async def _until_ready(self) -> None:
        while not (self._stopping.is_set() or await self._ready_if_free()):
            await _first(self._stopping.wait(), seconds=_ASIDE_S)

    async def _ready_if_free(self) -> bool:
        try:
            return await self._desk.ready()
        except StoreBusy as busy:
            log.warning("waiting for the stores: %s", busy)
            await _first(self._stopping.wait(), seconds=_AWAY_S)  # a server that is away says so at once, a lock only after long
            return False

    async def _remembered(self) -> Memory | None:
        """Return the memory, as soon as there is one; None where the worker is to stop."""
        while self._desk.memory is None and not self._stopping.is_set():
            await self._until_ready()
        return self._desk.memory

    async def _start_over(self) -> None:
        await self._desk.start_over()
        for lane in self._lanes.values():
            lane.forget()
            lane.due.set()  # what was left to send, or to prove

    async def _hand_over(self, read: Read) -> None:
        """Let a read be decided; wait where too many do already."""
        for name, why in read.troubles.items():
            self._metrics.unread.labels(name).inc()
            log.warning("%s: %s", name, why, extra={"system": name})
        if not (read.batches or read.answered or read.sweep is not None):
            read.taken.set()
            read.decided.set()
            return
        await self._reads.put(read)
        self._arrived.set()

    def _measure(self) -> None:
        waiting = [one.received_at for one in self._desk.undecided]
        self._metrics.waiting.set(len(waiting))
        now = self._ctx.clock.now()
        self._metrics.delay.set((now - min(waiting, default=now)).total_seconds())


async def _first(*waits: Coroutine[Any, Any, Any], seconds: float | None = None) -> None:
    """Wait until one of these ends, or for so many seconds; let go of the others."""
    tasks = [asyncio.ensure_future(one) for one in waits]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
