"""Lanes: each system is read and written beside the others, so that a slow or broken one delays nobody else.

When more waits than is read at once, all deliveries of one listing or order are one read: the latest state is all that counts.
Where a read of several fails, one of them alone may be what the platform cannot answer: they are asked for in halves, apart from
what never failed, until the good ones are through. Each failure is one read, and after a few in a row there is a rest.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import POINT_KEY
from invbi_pipeline.domain.words import CorrectionState
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.corrections.push import PushResult, push
from invbi_pipeline.live.worker.memory import Memory
from invbi_pipeline.live.worker.reading import Read, read_named, read_numbers
from invbi_pipeline.store.inbox import Delivery
from invbi_pipeline.store.outbox import FLYING

__all__ = ["SUBJECTS", "Lane"]

SUBJECTS: Final = 250  # listings and orders read at once
_IN_A_ROW: Final = 10  # failed reads of halves until there is a rest: enough to find one among `SUBJECTS`
_AGAIN: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # seconds until what is not there yet, or fails, is asked for again


class Lane:
    """One system: what is to be read of it, and what is to be sent to it."""

    def __init__(self, system: str) -> None:
        self.system = system
        self.asked = asyncio.Event()  # something is to be read
        self.due = asyncio.Event()  # something is to be sent, or its proof to be looked for
        self._waiting: dict[str, Delivery] = {}
        self._late: dict[str, tuple[datetime, int]] = {}  # delivery -> when to ask again, and how often it was asked for
        self._failed: set[str] = set()  # deliveries whose last read failed
        self._at_once = SUBJECTS  # listings and orders of these that are read at once
        self._in_a_row = 0  # reads that failed since the last one that did not
        self._rests_until: datetime | None = None
        self._was_fresh = False  # the last read was of deliveries that had not failed
        self.unproved = False  # something was sent, and its number has to be looked at again; or waits to be sent
        self.proof: Read | None = None  # the last look at what was sent
        self._looks = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def oldest(self) -> datetime | None:
        """When the oldest delivery came that is not answered yet."""
        return min((one.received_at for one in self._waiting.values()), default=None)

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Take in deliveries that wait in the inbox."""
        for one in deliveries:
            self._waiting.setdefault(one.delivery_id, one)
        self.asked.set()

    def taken(self, now: datetime) -> list[Delivery]:
        """Take out the oldest deliveries whose time has come, and all others that name nothing else.

        Those whose read failed are taken by themselves, in turn with the others, as many as may be asked for at once.
        """
        late = {name for name, (until, _) in self._late.items() if until > now}
        due = [one for one in self._waiting.values() if one.delivery_id not in late]
        fresh = [one for one in due if one.delivery_id not in self._failed]
        rests = self._rests_until is not None and self._rests_until > now
        failed = [] if rests else [one for one in due if one.delivery_id in self._failed]
        self._was_fresh = bool(fresh) and not (failed and self._was_fresh)
        if self._was_fresh:
            chosen = _within(SUBJECTS, sorted(fresh, key=lambda one: one.received_at))
        else:
            chosen = _within(self._at_once, sorted(failed, key=lambda one: (self._tries(one), one.received_at)))
        for one in chosen:
            del self._waiting[one.delivery_id]
        return chosen

    def _tries(self, one: Delivery) -> int:
        return self._late[one.delivery_id][1] if one.delivery_id in self._late else 0

    async def read(self, ctx: Context, memory: Memory) -> Read | None:
        """Read what the waiting deliveries name; None when none waits."""
        chosen = self.taken(ctx.clock.now())
        if not chosen:
            return None
        found = await read_named(ctx, memory, self.system, chosen)
        for one in found.answered:
            self._late.pop(one.delivery_id, None)
        alone = self._told_apart(chosen, ctx.clock.now(), failed=bool(found.troubles))
        for one in found.late:
            tries = self._tries(one)
            self._late[one.delivery_id] = ctx.clock.now() + _after(tries if alone else 0), tries + alone
            self._waiting[one.delivery_id] = one
        return found

    def _told_apart(self, chosen: Iterable[Delivery], now: datetime, *, failed: bool) -> bool:
        """Note how a read of these deliveries ended; return False where a smaller one comes next, as soon as it may."""
        names = {one.delivery_id for one in chosen}
        if not failed:
            self._failed -= names
            self._in_a_row, self._rests_until = 0, None
            self._at_once = self._at_once if self._was_fresh else min(SUBJECTS, 2 * self._at_once)
            return True
        asked = min(SUBJECTS if self._was_fresh else self._at_once, len(_subjects(chosen)))
        self._failed |= names
        self._at_once = max(1, asked // 2)
        self._in_a_row += 1
        if self._in_a_row >= _IN_A_ROW:  # the platform itself, more likely
            self._rests_until = now + _after(self._in_a_row - _IN_A_ROW)
        return asked <= 1

    def forget(self) -> None:
        """Let go of what waits: it is in the inbox still."""
        self._waiting.clear()
        self._late.clear()
        self._failed.clear()

    async def send(self, ctx: Context, memory: Memory) -> tuple[PushResult, Read]:
        """Send what is approved, and read back every number that was sent, or tried."""
        wanted = await asyncio.to_thread(ctx.state.outbox.in_state, CorrectionState.APPROVED, system=self.system)
        result = await push(ctx, [self.system]) if wanted.height else PushResult()
        flying = memory.flying(await asyncio.to_thread(ctx.state.outbox.in_state, *FLYING, system=self.system))
        tried = wanted if result.outcomes else wanted.clear()
        points = pl.concat([tried.select(POINT_KEY), flying.select(POINT_KEY)]).unique()
        self.unproved = bool(points.height or wanted.height)
        self._looks = self._looks + 1 if self.unproved and not result.sent else 0
        if points.is_empty():  # nothing is approved, or only what waits for its share of a day's changes
            return result, Read(troubles=dict(result.troubles))
        found = await read_numbers(ctx, memory, self.system, points)
        return result, Read(found.batches, troubles={**result.troubles, **found.troubles})

    def patience(self) -> float:
        """Return how long to wait, in seconds, before what was sent is looked for again."""
        return _after(self._looks).total_seconds()


def _after(tries: int) -> timedelta:
    """How long to wait after so many tries."""
    return timedelta(seconds=_AGAIN[min(tries, len(_AGAIN) - 1)])


def _subjects(deliveries: Iterable[Delivery]) -> set[tuple[str, str]]:
    """Return the listings and orders that deliveries name."""
    keys = {("listing", key) for one in deliveries for key in one.listing_keys}
    return keys | {("order", order) for one in deliveries for order in one.order_ids}


def _within(most: int, deliveries: Iterable[Delivery]) -> list[Delivery]:
    """Return the first of these that together name at most so many subjects, and all others that name nothing else."""
    subjects: set[tuple[str, str]] = set()
    chosen = []
    for one in deliveries:
        mine = _subjects([one])
        if not mine <= subjects and subjects and len(subjects | mine) > most:
            continue
        subjects |= mine
        chosen.append(one)
    return chosen
