"""Sweeping: what is read of a system though no delivery named it.

A sweep reads everything that changed since the cursors, as a run does. Between sweeps the orders alone are read on where numbers
wait for that, and the newest are searched for where a number changed and no order says why (`worker.waiting`).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from invbi_pipeline.channels.protocol import FindsOrders
from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.errors import InvbiError
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.feeds.ingest import IngestResult, ingest
from invbi_pipeline.live.worker.memory import Outcome
from invbi_pipeline.live.worker.reading import Read, Sweep, read_recent
from invbi_pipeline.live.worker.waiting import Waiting, strange, waiting_for_orders
from invbi_pipeline.store.landing import Batch, landed

__all__ = ["SweepResult", "Sweeping"]

log = logging.getLogger("invbi.worker")

_NAMED_LATELY: Final = timedelta(hours=1)  # an order changes for longer than that after the delivery which names it: seldom
_NEARLY_S: Final = 5.0  # a budget that is full again within this has something to spare

_READ_BEFORE: Final = """
SELECT dataset, max(platform_time) AS reached FROM raw.batches
WHERE system = $system AND scope = 'sweep' AND verdict = 'believed' AND run_id <> $run GROUP BY dataset
"""


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What reading everything that changed at a system showed: rows, and how many orders and levels no event had announced."""

    system: str
    rows: int = 0
    missed_orders: int = 0
    missed_levels: int = 0
    trouble: str = ""  # why it could not be read; empty: it was


class Sweeping:
    """Sweeps systems, and reads their orders between sweeps.

    `before` is awaited before each sweep; `decided` lets a read be decided, and returns when it is.
    """

    def __init__(self, ctx: Context, before: Callable[[], Awaitable[None]], decided: Callable[[Read], Awaitable[None]]) -> None:
        self._ctx = ctx
        self._before = before
        self._decided = decided
        self._waiting = Waiting([name for name, channel in ctx.channels.items() if isinstance(channel, FindsOrders)])
        self._between = Counter[str]()  # by system: orders that nobody had announced, found between its sweeps
        self._turns = {name: asyncio.Lock() for name in ctx.channels}  # what is read of a system lands in that order

    def note(self, outcome: Outcome, now: datetime) -> None:
        """Take in which numbers wait for orders after a decision."""
        bases = outcome.part.mine(outcome.part.decided.points.bases)
        self._waiting.note(waiting_for_orders(outcome.points, bases))
        self._waiting.note_strange(strange(outcome.points), now)

    async def catch_up(self) -> list[str]:
        """Read the orders on where numbers wait for that and can be judged by now; return of which systems.

        A system whose rate budgets have nothing to spare is left for later.
        """
        read = []
        for system, due in self._waiting.due().items():
            now = self._ctx.clock.now()
            if due > now:
                continue
            if Dataset.ORDERS not in self._ctx.channels[system].facts.datasets:  # its numbers wait for the owners' books
                self._waiting.read(system, now, None)
                continue
            try:
                if not await asyncio.to_thread(self._can_spare, system):
                    continue
                found = await self.sweep(system, [Dataset.ORDERS])
            except InvbiError as busy:
                log.warning("%s: its orders could not be read on: %s", system, busy, extra={"system": system})
                self._waiting.read(system, now, None)
                continue
            self._between[system] += found.missed_orders
            read.append(system)
        return read

    async def search(self) -> list[str]:
        """Search for the orders that may explain numbers which changed without a known cause; return at which systems.

        The deliveries of those orders may be lost, and their feeds take longer to say so.
        """
        systems = []
        for system, since in self._waiting.to_search(self._ctx.clock.now()).items():
            await self._decided(await read_recent(self._ctx, system, since))
            systems.append(system)
        return systems

    async def sweep(self, system: str, datasets: Sequence[Dataset]) -> SweepResult:
        """Read everything that changed at a system since its cursors, as a run does, and decide what it touches.

        What no delivery had named is counted, with what was found of that between sweeps, but not what changed so lately that
        its delivery may be under way. Raises `StoreBusy`.
        """
        async with self._turns[system]:
            await self._before()
            began = self._ctx.clock.now()
            result = await ingest(self._ctx, self._ctx.new_id(), [system], datasets)
            batches, sweep = await asyncio.to_thread(_swept, self._ctx, system, result)
            await self._decided(Read(batches, sweep=sweep))
            one = result.systems[system]
            self._waiting.read(system, began, None if one.reason else sweep.reach)
            between = 0 if one.reason else self._between.pop(system, 0)
            return SweepResult(system, one.rows, between + sweep.missed_orders, sweep.missed_levels, one.reason)

    def _can_spare(self, system: str) -> bool:
        full = self._ctx.state.budgets.full_at(system)
        return full is None or (full - self._ctx.clock.now()).total_seconds() <= _NEARLY_S


def _swept(ctx: Context, system: str, result: IngestResult) -> tuple[list[Batch], Sweep]:
    """Return the believed reads of a sweep as they landed, how far feeds reach and reached, and what deliveries named lately."""
    mine = result.batches.filter(system=system)
    with ctx.warehouse.open() as db:
        batches = landed(db, mine["batch_id"].to_list())
        before = dict(db.query(_READ_BEFORE, {"system": system, "run": result.run_id}).iter_rows())
    named = ctx.state.inbox.held(system, ctx.clock.now() - _NAMED_LATELY)
    return batches, Sweep(system, result.feeds, named, before)
