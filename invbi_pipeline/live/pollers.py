"""Pollers: what changed at a system is read again and again, whether or not its platform told of it.

A system that announces nothing (it has no webhooks, nobody subscribed, or they fail) is looked at as often as its rate limits
allow: again as soon as everything that the last look took has flowed back into its budgets, so that a look never eats what a
push or the next event may need. One whose subscriptions stand is swept at a longer distance, for what no event announced.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from invbi_pipeline.errors import InvbiError, StoreBusy
from invbi_pipeline.live.resting import rest

if TYPE_CHECKING:
    from invbi_pipeline.flows.context import Context
    from invbi_pipeline.live.metrics import Metrics
    from invbi_pipeline.live.worker import SweepResult

__all__ = ["LONGEST_S", "Announced", "Sweeper", "Swept", "distance", "follow", "last_sweeps"]

log = logging.getLogger("invbi.pollers")

LONGEST_S: Final = 300.0  # at worst
_DOUBTED: Final = timedelta(hours=1)  # after an event that never came, a platform is looked at as if it announced nothing
_MARK: Final = "sweep:"


class Sweeper(Protocol):
    """Who reads everything that changed at a system since it was last read: the worker."""

    async def sweep(self, system: str) -> SweepResult: ...


@dataclass(slots=True)
class Announced:
    """Which systems tell of their events: those whose subscriptions stand and that were not caught silent lately."""

    standing: set[str] = field(default_factory=set)
    _doubted: dict[str, datetime] = field(default_factory=dict)

    def doubt(self, system: str, now: datetime) -> None:
        """Note that something changed at a system and no event said so."""
        self._doubted[system] = now + _DOUBTED

    def by(self, system: str, now: datetime) -> bool:
        """Say whether the system can be relied upon to tell."""
        return system in self.standing and self._doubted.get(system, now) <= now


@dataclass(frozen=True, slots=True)
class Swept:
    """The last look at a system that came to an end, and how long after the one before (None: it was the first)."""

    at: datetime
    every_s: float | None


async def follow(
    ctx: Context, system: str, sweeper: Sweeper, announced: Announced, metrics: Metrics, stop: asyncio.Event
) -> None:
    """Look at one system again and again until `stop`; a look that fails is told, and the next one comes."""
    last: datetime | None = None
    while not stop.is_set():
        began = ctx.clock.now()
        wait_s = ctx.config.serve.poll_s
        try:
            if await _looked(ctx, system, sweeper, announced, metrics):
                every = None if last is None else (began - last).total_seconds()
                if every is not None:
                    metrics.sweep_interval.labels(system).set(every)
                last = began
                swept = json.dumps({"at": began.isoformat(), "every_s": every})
                await asyncio.to_thread(ctx.state.set_mark, f"{_MARK}{system}", swept)
            wait_s = await asyncio.to_thread(distance, ctx, system, announced, began)
        except StoreBusy as busy:
            log.warning("%s: its look was not noted: %s", system, busy, extra={"system": system})
        if not await rest(ctx.clock, wait_s, stop):
            return


def last_sweeps(marks: Mapping[str, str]) -> dict[str, Swept]:
    """Return the last look at each system from the state store's marks under "sweep:"."""
    said = {system: json.loads(mark) for system, mark in marks.items()}
    return {system: Swept(datetime.fromisoformat(one["at"]), one["every_s"]) for system, one in said.items()}


async def _looked(ctx: Context, system: str, sweeper: Sweeper, announced: Announced, metrics: Metrics) -> bool:
    """Look once; return whether the system could be read."""
    try:
        found = await sweeper.sweep(system)
    except InvbiError as trouble:  # the store is held, say
        reason = str(trouble)
    else:
        reason = found.trouble
    if reason:
        metrics.sweeps.labels(system, "failed").inc()
        log.warning("%s could not be swept: %s", system, reason, extra={"system": system})
        return False
    metrics.sweeps.labels(system, "read").inc()
    missed = found.missed_orders + found.missed_levels if system in announced.standing else 0  # who never tells misses nothing
    if missed:
        platform = ctx.config.systems[system].platform
        metrics.missed.labels(platform, system, "order").inc(found.missed_orders)
        metrics.missed.labels(platform, system, "level").inc(found.missed_levels)
        if announced.by(system, ctx.clock.now()):
            log.warning("%s: %d changes were found that no event announced", system, missed, extra={"system": system})
            announced.doubt(system, ctx.clock.now())
    told = log.info if found.rows or missed else log.debug
    told("%s was swept: %d rows", system, found.rows, extra={"system": system, "rows": found.rows, "missed": missed})
    return True


def distance(ctx: Context, system: str, announced: Announced, began: datetime) -> float:
    """Return how long to wait from now until the next look at a system, when the last one began at `began`: seconds."""
    wanted, now = ctx.config.serve, ctx.clock.now()
    shortest = wanted.sweep_s if announced.by(system, now) else wanted.poll_s
    full = ctx.state.budgets.full_at(system)
    refilled = (full - began).total_seconds() if full is not None else 0.0
    return max(0.0, min(LONGEST_S, max(shortest, refilled)) - (now - began).total_seconds())
