"""An event loop on which waiting costs nothing: when all that runs waits for a time, that time has come.

Everything else is asyncio's own: who waits side by side wakes in the right order, as on a wall clock. What is handed to a thread
is done at once, and takes no time.
"""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple

__all__ = ["LeapClock", "LeapLoop"]

_Args = TypeVarTuple("_Args")
_Made = TypeVar("_Made")


class _Leaping(selectors.DefaultSelector):
    """Never sleeps: it tells how long it would have."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everything waits, and nothing will ever happen")
        self.waited += max(0.0, timeout)
        return list(super().select(0))


class LeapLoop(asyncio.SelectorEventLoop):
    """A loop whose `time` passes as fast as its work is done; it starts at 0."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        """Return the seconds waited so far."""
        return self._leaping.waited

    def run_in_executor(self, executor: Executor | None, func: Callable[[*_Args], _Made], *args: *_Args) -> asyncio.Future[_Made]:
        """Call the function at the loop's next turn."""

        async def call() -> _Made:
            return func(*args)

        return self.create_task(call())

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Do nothing: there are no threads."""


class LeapClock:
    """The clock of everything in a measurement: the world's and invbi's. `moved` is called whenever somebody has waited."""

    def __init__(self, begins: datetime) -> None:
        self._begins = begins
        self._passed: Callable[[], float] = lambda: 0.0
        self.moved: Callable[[], Any] = lambda: None

    def follow(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell the time of this loop from now on."""
        self._passed = loop.time

    def now(self) -> datetime:
        """Return when it is."""
        return self._begins + timedelta(seconds=self._passed())

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
        self.moved()
