"""A small retailer on three emulated platforms in this process, and corrections that are to be sent there."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import polars as pl

from invbi_pipeline.cli.bench.leap import LeapClock, LeapLoop
from invbi_pipeline.cli.bench.push_shops import CHANNELS, OPENING, PushShops, push_shops
from invbi_pipeline.domain.frames import CORRECTIONS
from invbi_pipeline.flows.context import Context, open_context
from invbi_pipeline.sandbox.world.clock import GO_LIVE

__all__ = ["Go", "Stage", "Wire", "intend", "opened_stage"]

Go = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Wire(httpx.AsyncBaseTransport):
    """The way to the emulators; keeps when what was asked of whom.

    `before` sees each request first; `way` is how it goes on: it is handed the request, and what carries it out.
    """

    def __init__(self, shops: PushShops, clock: LeapClock) -> None:
        self._ways = {f"{name}.test": shops.app(name) for name in CHANNELS}
        self._clock = clock
        self.asked: list[tuple[float, httpx.Request]] = []
        self.before: Callable[[httpx.Request], None] = lambda request: None
        self.way: Callable[[httpx.Request, Go], Awaitable[httpx.Response]] = lambda request, go: go(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.before(request)
        self.asked.append((self._clock.now().timestamp(), request))
        return await self.way(request, self._ways[request.url.host].handle_async_request)

    def times(self, host: str, method: str = "") -> list[float]:
        return [at for at, request in self.asked if request.url.host == f"{host}.test" and method in ("", request.method)]


class Stage:
    """A small retailer whose channels show 40 of everything, and invbi connected to it."""

    def __init__(self, shops: PushShops, clock: LeapClock, runner: asyncio.Runner) -> None:
        self.shops = shops
        self.clock = clock
        self.wire = Wire(shops, clock)
        self._runner = runner

    def do(self, work: Callable[[Context], Coroutine[Any, Any, Any]]) -> Any:
        """Do something with a context of its own, as a process would."""

        async def whole() -> Any:
            async with self.opened() as ctx:
                return await work(ctx)

        return self._runner.run(whole())

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Context]:
        async with open_context(self.shops.config, self.clock, random.Random(1), transport=self.wire) as ctx:
            yield ctx

    def approved(self, system: str, n: int, to_qty: int, **more: Any) -> dict[str, Any]:
        """Return an approved correction of the n-th sku of a channel."""
        key, version = self.shops.keys[system][self.shops.skus[n]], more.pop("version", "v1")
        row = {
            "correction_id": f"c-{system}-{n}-{version}",
            "idempotency_key": f"{system}/{n}/{version}/{to_qty}",
            "run_id": "r1",
            "kind": "set",
            "system": system,
            "listing_key": key,
            "location": "warehouse" if self.shops.places[system] else "",
            "sku": self.shops.skus[n],
            "from_qty": OPENING,
            "to_qty": to_qty,
            "target": to_qty,
            "state": "approved",
            "planned_at": self.clock.now(),
            "observed_at": self.clock.now(),
            "units_at_risk": abs(to_qty - OPENING),
        }
        return {**row, **more}

    def states(self, ctx: Context) -> dict[str, str]:
        rows = ctx.state.outbox.in_state()
        return dict(rows.select("correction_id", "state").iter_rows())

    def number(self, system: str, n: int) -> int:
        number: int = self.shops.accounts[system].number(self.shops.keys[system][self.shops.skus[n]], self.shops.places[system])
        return number


def intend(ctx: Context, *rows: dict[str, Any]) -> None:
    ctx.state.outbox.intend(pl.DataFrame(rows, schema=dict(CORRECTIONS)), ctx.clock.now())


@contextmanager
def opened_stage(folder: Path, skus: int = 4) -> Iterator[Stage]:
    """Open one with so many skus, on a loop of its own where waiting costs nothing."""
    clock = LeapClock(GO_LIVE)
    with push_shops(folder, clock, skus) as shops, asyncio.Runner(loop_factory=LeapLoop) as runner:
        clock.follow(runner.get_loop())
        yield Stage(shops, clock, runner)
