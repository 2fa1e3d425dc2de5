"""Rate budgets: one token bucket an operation, from the platform's published limits, corrected by what its answers say."""

import asyncio
import math
from collections.abc import Iterable
from typing import Final

from pyrate_limiter import AbstractClock, Rate, RateItem, StateBucket, TokenBucket

from invbi_pipeline.channels.protocol import Clock, Limit
from invbi_pipeline.errors import Throttled

__all__ = ["Budget", "Budgets"]

_HOUR_MS: Final = 3_600_000  # rates are stated per hour, so that "one in 45 seconds" is a whole number (80)
_TRIES: Final = 1_000


class _Milliseconds(AbstractClock):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> int:
        return math.floor(self._clock.now().timestamp() * 1000)


class Budget:
    """What one operation may still spend: `burst` units that refill at `rate` a second, on the clock handed in."""

    def __init__(self, limit: Limit, clock: Clock) -> None:
        self.operation: Final = limit.operation
        self._clock = clock
        self._rate, self._burst = limit.rate, limit.burst
        self._bucket = StateBucket([self._as_rate()], TokenBucket(), clock=_Milliseconds(clock))
        self._turn = asyncio.Lock()  # first come, first served

    @property
    def rate(self) -> float:
        """Units a second."""
        return self._rate

    @property
    def burst(self) -> float:
        """Most units at once."""
        return self._burst

    @property
    def available(self) -> float:
        """Units that may be spent now, as far as we know."""
        spent = self._bucket.count()
        assert isinstance(spent, int)  # the store is in memory: nothing to await
        return max(0.0, self._burst - spent)

    async def spend(self, cost: float = 1.0) -> float:
        """Wait on the clock until `cost` units are there, take them, and return the seconds waited.

        A cost above the burst takes the whole burst. Raises `Throttled` when the clock does not move.
        """
        weight = max(1, min(math.ceil(cost), math.floor(self._burst)))
        waited = 0.0
        async with self._turn:
            for _ in range(_TRIES):
                item = RateItem(self.operation, _Milliseconds(self._clock).now(), weight)
                if self._bucket.put(item):
                    return waited
                pause = self._bucket.waiting(item)
                assert isinstance(pause, int)
                seconds = max(1, pause) / 1000
                await self._clock.sleep(seconds)
                waited += seconds
        raise Throttled(f"The rate budget of {self.operation} did not refill.", None)

    def observe(self, *, available: float | None = None, restore: float | None = None, burst: float | None = None) -> None:
        """Believe the platform: units left now, units restored a second, most units at once. None leaves a value as it is."""
        left = self.available if available is None else available
        if (restore and restore > 0 and restore != self._rate) or (burst and burst >= 1 and burst != self._burst):
            self._rate = restore if restore and restore > 0 else self._rate
            self._burst = burst if burst and burst >= 1 else self._burst
            self._bucket.rates = [self._as_rate()]
        elif available is None:
            return
        self._bucket.flush()
        if (owed := math.ceil(self._burst - max(0.0, left))) > 0:
            self._bucket.put(RateItem(self.operation, _Milliseconds(self._clock).now(), min(owed, math.floor(self._burst))))

    def _as_rate(self) -> Rate:
        return Rate(max(1, round(self._rate * _HOUR_MS / 1000)), _HOUR_MS, burst=max(1, math.floor(self._burst)))


class Budgets:
    """The budgets of one system, by operation. An operation without a limit of its own shares `*`, if that is stated."""

    def __init__(self, limits: Iterable[Limit], clock: Clock) -> None:
        self._all = {limit.operation: Budget(limit, clock) for limit in limits}

    def get(self, operation: str) -> Budget | None:
        """Return the operation's budget, the shared one, or None where the platform states no limit."""
        return self._all.get(operation) or self._all.get("*")
