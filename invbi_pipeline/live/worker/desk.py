"""The desk: what the worker has in hand, its turn to decide, and what it remembers, until it is written down.

Deliveries are in hand from when they were taken up until all that they named is in the warehouse; only then are they done. The
memory begins anew after each whole decision of a batch run, and whenever a store was held by another for too long.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from invbi_pipeline.errors import StoreBusy
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.corrections.push import recover
from invbi_pipeline.flows.decision.turn import EventTurn
from invbi_pipeline.live.worker.deciding import Decider, Decision
from invbi_pipeline.live.worker.memory import Memory, Unwritten
from invbi_pipeline.live.worker.reading import Read
from invbi_pipeline.live.worker.writing import write
from invbi_pipeline.store.inbox import Delivery

__all__ = ["Desk", "Digest"]

log = logging.getLogger("invbi.worker")

_AT_ONCE: Final = 1_000  # deliveries of systems that are gone, let go at a time

Key = tuple[str, str]  # system, delivery id


@dataclass(frozen=True, slots=True)
class Digest:
    """What was decided and is not digested yet: `Desk.digest` makes it what the next decision goes on from."""

    memory: Memory
    decision: Decision


@dataclass(frozen=True, slots=True)
class _Page:
    """What is to be written: of which memory, and the deliveries that are done with it."""

    memory: Memory
    taken: Unwritten
    answered: list[Delivery]


class Desk:
    """One at a time decides (`mind`), and one at a time writes what was decided, beside it."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._turn = EventTurn(ctx)
        self._decider = Decider(ctx)
        self._decided = ""  # the whole decision that the memory began with
        self.mind = asyncio.Lock()
        self._pen = asyncio.Lock()  # whoever needs both takes it before `mind`
        self.memory: Memory | None = None
        self.in_hand: dict[Key, Delivery] = {}
        self.answered: list[Delivery] = []
        self._writing: list[Delivery] = []  # answered, and being written down
        self._landed: set[str] = set()  # systems of which pushes ended: a raise may have waited for that

    @property
    def undecided(self) -> list[Delivery]:
        """The deliveries in hand whose subjects were not decided yet."""
        done = {(one.system, one.delivery_id) for one in [*self.answered, *self._writing]}
        return [one for key, one in self.in_hand.items() if key not in done]

    async def ready(self) -> bool:
        """Have the turn, and remember what the last whole decision left; False while a batch run decides. Raises `StoreBusy`."""
        async with self.mind:
            held, decided = await asyncio.to_thread(self._turned)
            if held and self.memory is not None and decided == self._decided:
                return True
        async with self._pen, self.mind:
            held, decided = await asyncio.to_thread(self._turned)
            if held:
                await self._remember(decided)
            else:
                await self._aside()
        return held

    async def decide(self, reads: Sequence[Read]) -> Digest | None:
        """Decide a micro-batch; None where nothing is remembered any more: what was read is read again. Hold `mind`."""
        if self.memory is None:
            return None
        decision = await asyncio.to_thread(self._decider.decide, self.memory, reads)
        self.answered += [one for read in reads for one in read.answered]
        return Digest(self.memory, decision)

    async def digest(self, made: Digest) -> None:
        """Go on from what was decided. Hold `mind`."""
        if made.decision.outcome is not None:
            now = self._ctx.clock.now()
            await asyncio.to_thread(made.memory.move_on, made.decision.changes, made.decision.outcome, now)

    async def keep(self) -> bool:
        """Write down what was decided; return False where the warehouse is held by another for too long: then it waits."""
        async with self._pen:
            async with self.mind:
                page = self._page()
            wrote = page is None or await self._write(page)
            if page is not None:
                async with self.mind:
                    self._put_away(page, wrote=wrote)
            return wrote

    async def aside(self) -> None:
        """Write down what was decided and give the turn away; keep it where that cannot be written yet."""
        async with self._pen, self.mind:
            await self._aside()

    async def give_way(self) -> None:
        """Step aside where a batch run waits to decide."""
        if self._turn.held and not await asyncio.to_thread(self._turn.take):
            await self.aside()

    async def start_over(self) -> None:
        """Forget what was not written down. Nothing is lost: its deliveries are in the inbox, what was sent in the outbox."""
        async with self._pen, self.mind:
            self.memory = None
            self._forget()

    def _forget(self) -> None:
        self.answered, self.in_hand = [], {}

    def _turned(self) -> tuple[bool, str]:
        """Say whether the turn is ours, and which whole decision was the last one."""
        return self._turn.take(), self._turn.decided

    async def _remember(self, decided: str) -> None:
        if self.memory is None:
            await asyncio.to_thread(recover, self._ctx)
            await asyncio.to_thread(self._let_go)
        if self.memory is None or decided != self._decided:
            if self.memory is not None and self.memory.unwritten.waits:  # a run decided that did not wait for us
                self._forget()
            self.memory = await asyncio.to_thread(Memory.load, self._ctx, self._ctx.new_id())
            self._decided = decided

    async def _aside(self) -> None:
        page = self._page()
        wrote = page is None or await self._write(page)
        if page is not None:
            self._put_away(page, wrote=wrote)
        if wrote:
            await asyncio.to_thread(self._turn.give)

    def _page(self) -> _Page | None:
        if self.memory is None:
            return None
        if not (self.memory.unwritten.waits or self.answered):
            return None
        page = _Page(self.memory, self.memory.unwritten_taken(), self.answered)
        self.answered, self._writing = [], self.answered
        return page

    async def _write(self, page: _Page) -> bool:
        try:
            if page.taken.waits:
                await asyncio.to_thread(write, self._ctx, page.taken)
            if page.answered:
                await asyncio.to_thread(self._ctx.state.inbox.done, page.answered, self._ctx.clock.now())
        except StoreBusy as busy:
            log.warning("what was decided waits to be written: %s", busy)
            return False
        return True

    def _put_away(self, page: _Page, *, wrote: bool) -> None:
        self._writing = []
        if not wrote:
            page.memory.give_back(page.taken)
            self.answered = [*page.answered, *self.answered]
            return
        page.memory.written()
        for one in page.answered:
            self.in_hand.pop((one.system, one.delivery_id), None)
        self._landed |= set(page.taken.ends["system"])

    def landed_taken(self) -> set[str]:
        """Return, once, the systems of which pushes ended."""
        landed, self._landed = self._landed, set()
        return landed

    def _let_go(self) -> None:
        """Be done with deliveries of systems that are no longer configured."""
        found = self._ctx.state.inbox.waiting(_AT_ONCE)
        gone = [one for one in found if one.system not in self._ctx.config.systems]
        self._ctx.state.inbox.done(gone, self._ctx.clock.now())
