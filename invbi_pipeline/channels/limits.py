"""Rate budgets: one token bucket an operation, from the platform's published limits, corrected by what its answers say.

What is spent stands in a `shared.Ledger`: in memory, or in the state store, where several processes keep one budget. A published
rate is kept with a small margin, and one unit of a burst is spared, since what leaves us evenly may arrive in lumps; a limit that
nobody publishes is searched for.

A platform's pages and our urgent corrections share one budget. Whoever reads a whole feed is patient: it goes after all others
that wait, and leaves a part of the burst to those who come next. Its pace is that of the platform all the same.
"""

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Final, TypeVar

from pyrate_limiter import AbstractClock, Rate, RateItem, StateBucket, StateStore, TokenBucket
from pyrate_limiter.abstracts.algorithm import Decision, State, StateAlgorithm

from invbi_pipeline.channels.pace import Pace
from invbi_pipeline.channels.protocol import Clock, Limit
from invbi_pipeline.channels.shared import Ledger, Memory, Spent
from invbi_pipeline.errors import Throttled

__all__ = ["MARGIN", "Budget", "Budgets", "patiently"]

_T = TypeVar("_T")

MARGIN: Final = 0.98  # of a published rate
_SPARED: Final = 1  # unit of a burst
_UNITS: Final = 1000  # rates are stated as so many units in whole milliseconds: exact from points a second to calls an hour
_TRIES: Final = 1_000
_SWAPS: Final = 1_000  # most attempts to change a ledger that other processes change meanwhile
_LONG: Final = timedelta(seconds=30)  # who was patient for so long waits as others do: a feed must come in on the busiest day too

_patient: ContextVar[bool] = ContextVar("patient", default=False)


@contextmanager
def patiently() -> Iterator[None]:
    """Let what is asked for in here wait for all others of its budget."""
    before = _patient.set(True)
    try:
        yield
    finally:
        _patient.reset(before)


class _Milliseconds(AbstractClock):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> int:
        return math.floor(self._clock.now().timestamp() * 1000)


class _InLedger(StateStore):
    """The bucket's one number, changed by compare-and-swap in a ledger."""

    is_async = False

    def __init__(self, operation: str, ledger: Ledger) -> None:
        self._operation = operation
        self._ledger = ledger

    def check(self, algorithm: StateAlgorithm, rates: list[Rate], now: int, weight: int) -> Decision:
        decisions: list[Decision] = []

        def step(spent: Spent) -> Spent:
            state, decision = algorithm.step(rates, self._state(spent, rates, now), now, weight)
            decisions.append(decision)
            return (int(state[0]), spent[1]) if decision.allowed else spent

        self.change(step)
        return decisions[-1]

    def read(self, algorithm: StateAlgorithm, rates: list[Rate]) -> State:
        return (self._ledger.read()[0],)

    def reset(self) -> None:
        self.change(lambda spent: (0, spent[1]))

    def learnt(self) -> str:
        """Return what was written down of the limit."""
        return self._ledger.read()[1]

    def change(self, how: Callable[[Spent], Spent]) -> Spent:
        """Change what the ledger holds, whoever else does so meanwhile. Raises `Throttled` when it never holds still."""
        for _ in range(_SWAPS):
            old = self._ledger.read()
            new = how(old)
            if new == old or self._ledger.swap(old, new):
                return new
        raise Throttled(f"The rate budget of {self._operation} is changed by others without a pause.", None)

    @staticmethod
    def _state(spent: Spent, rates: list[Rate], now: int) -> State:
        """What is reserved; never more than a whole burst, whatever another machine's clock says."""
        return (min(spent[0], now * 1000 + rates[0].burst * _unit_us(rates[0])),)


class Budget:
    """What one operation may still spend: `burst` units that refill at `rate` a second, on the clock handed in.

    Everything here but `spend` and `off_loop` asks the ledger at once; on an event loop that is done by `off_loop`.
    """

    def __init__(self, limit: Limit, clock: Clock, ledger: Ledger | None = None) -> None:
        self.operation: Final = limit.operation
        self.published: Final = limit.published
        self._clock = clock
        self._start, self._rate, self._burst = limit.rate, limit.rate, limit.burst
        self._kept_back = limit.kept_back
        ledger = ledger or Memory()
        self._at_once = isinstance(ledger, Memory)  # any other is in a store, which somebody may hold for seconds
        self._store = _InLedger(limit.operation, ledger)
        self._bucket = StateBucket([self._as_rate()], TokenBucket(), self._store, clock=_Milliseconds(clock))
        self._turn = asyncio.Lock()  # first come, first served
        self._behind = asyncio.Lock()  # so are the patient, among themselves
        self._asking = asyncio.Lock()  # one thread at a time

    @property
    def rate(self) -> float:
        """Units a second: the platform's, or what was found out so far."""
        return self._rate if self.published else Pace.of(self._store.learnt(), self._start).rate

    @property
    def burst(self) -> float:
        """Most units at once."""
        return self._burst

    @property
    def _usable(self) -> int:
        return max(1, math.floor(self._burst) - _SPARED)

    @property
    def available(self) -> float:
        """Units that may be spent now, as far as we know."""
        spent = self._bucket.count()
        assert isinstance(spent, int)  # the ledger is never awaited
        return max(0.0, self._usable - spent)

    async def spend(self, cost: float = 1.0) -> float:
        """Wait on the clock until `cost` units are there, take them, and return the seconds waited.

        A cost above the burst takes the whole burst. Raises `Throttled` when the clock does not move.
        """
        weight = max(1, min(math.ceil(cost), self._usable))
        if not _patient.get():
            return await self._next(weight)
        began = self._clock.now()
        async with self._behind:
            await self._last(weight)
        return (self._clock.now() - began).total_seconds()

    async def _last(self, weight: int) -> None:
        """Take so many units after all others, and as far as the rest is not kept back for them; not so after long patience."""
        until = self._clock.now() + _LONG
        for _ in range(_TRIES):
            async with self._turn:
                seconds = await self.off_loop(lambda: self._lacking(weight) or self._taken(weight))
            if not seconds:
                return
            if self._clock.now() >= until:
                break
            await self._clock.sleep(seconds)
        await self._next(weight)

    async def _next(self, weight: int) -> float:
        waited = 0.0
        async with self._turn:
            for _ in range(_TRIES):
                seconds = await self.off_loop(lambda: self._taken(weight))
                if not seconds:
                    return waited
                await self._clock.sleep(seconds)
                waited += seconds
        raise Throttled(f"The rate budget of {self.operation} did not refill.", None)

    async def off_loop(self, ask: Callable[[], _T]) -> _T:
        """Return what `ask` returns, which asks the ledger: a store that another process holds must not stop the event loop."""
        if self._at_once:
            return ask()
        async with self._asking:
            return await asyncio.to_thread(ask)

    def _lacking(self, weight: int) -> float:
        """Return the seconds until so many units can be taken and what is kept back is left."""
        if not self._kept_back:
            return 0.0
        lacks = min(weight + self._burst * self._kept_back, self._usable) - self.available
        return max(0.001, lacks / self.rate) if lacks > 0 else 0.0

    def _taken(self, weight: int) -> float:
        """Take so many units and return 0; where they are not there, the seconds until they are."""
        if not self.published:
            self._set_rate(self.rate)
        item = RateItem(self.operation, _Milliseconds(self._clock).now(), weight)
        if self._bucket.put(item):
            return 0.0
        pause = self._bucket.waiting(item)
        assert isinstance(pause, int)  # the ledger is never awaited
        return max(1, pause) / 1000

    def give_back(self, units: float) -> None:
        """Return units that were taken and not used: what a query really cost is known from its answer."""
        back = math.floor(units) * _unit_us(self._as_rate())
        if back > 0:
            self._store.change(lambda spent: (max(0, spent[0] - back), spent[1]))

    def observe(self, *, available: float | None = None, restore: float | None = None, burst: float | None = None) -> None:
        """Believe the platform: units left now, units restored a second, most units at once. None leaves a value as it is.

        Fewer units left than we thought are believed. More are not: others may have taken some that have not reached it yet.
        """
        owed = math.ceil(self._usable - self.available)
        if (restore and restore > 0 and restore != self._rate) or (burst and burst >= 1 and burst != self._burst):
            self._burst = burst if burst and burst >= 1 else self._burst
            self._set_rate(restore if restore and restore > 0 else self._rate)
            self._owe(owed, exactly=True)
        if available is not None:
            self._owe(min(self._usable, math.ceil(self._burst - max(0.0, available))))

    def accepted(self) -> None:
        """Count a good answer where the limit is searched for."""
        self._learn(lambda pace: pace.accepted())

    def refused(self) -> None:
        """Count a refusal where the limit is searched for."""
        now = self._clock.now()
        self._learn(lambda pace: pace.refused(now))

    def _learn(self, how: Callable[[Pace], Pace]) -> None:
        if not self.published:
            self._store.change(lambda spent: (spent[0], how(Pace.of(spent[1], self._start)).written()))

    def _owe(self, units: int, *, exactly: bool = False) -> None:
        """Let the bucket lack so many units: at least, or exactly."""
        until = _Milliseconds(self._clock).now() * 1000 + units * _unit_us(self._as_rate())
        self._store.change(lambda spent: (until if exactly else max(spent[0], until), spent[1]))

    def _set_rate(self, rate: float) -> None:
        if rate != self._rate or self._bucket.rates[0].burst != self._usable:
            self._rate = rate
            self._bucket.rates = [self._as_rate()]

    def _as_rate(self) -> Rate:
        kept = self._rate * MARGIN if self.published else self._rate
        return Rate(_UNITS, math.ceil(_UNITS * 1000 / kept), burst=self._usable)


def _unit_us(rate: Rate) -> int:
    """Microseconds in which one unit comes back, as pyrate_limiter counts them."""
    return max(1, math.ceil(rate.interval * 1000 / rate.limit))


class Budgets:
    """The budgets of one system, by operation. An operation without a limit of its own shares `*`, if that is stated."""

    def __init__(self, limits: Iterable[Limit], clock: Clock, ledger: Callable[[str], Ledger] = lambda _: Memory()) -> None:
        self._all = {limit.operation: Budget(limit, clock, ledger(limit.operation)) for limit in limits}

    def get(self, operation: str) -> Budget | None:
        """Return the operation's budget, the shared one, or None where the platform states no limit."""
        return self._all.get(operation) or self._all.get("*")
