"""A retailer in virtual time with the real door and the real worker. Nothing is delivered or worked on unless it is asked for."""

import asyncio
import random
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from invbi_pipeline.cli.bench.chaos.fuse import Fuse, FusedWarehouse, Killed
from invbi_pipeline.cli.bench.leap import LeapClock, LeapLoop
from invbi_pipeline.cli.bench.oversell.retailer import BEGINS, Arm, Retailer, open_retailer
from invbi_pipeline.flows.context import Context, open_context
from invbi_pipeline.flows.run import run
from invbi_pipeline.live.metrics import Metrics
from invbi_pipeline.live.receiver import create_app
from invbi_pipeline.live.subscriptions import look
from invbi_pipeline.live.worker import Worker
from invbi_pipeline.sandbox.world.flash import CHANNELS, FlashDay, HotItem, buy
from invbi_pipeline.sandbox.world.places import System
from invbi_pipeline.sandbox.world.truth import Point
from invbi_pipeline_tests.rehearsal import Sent

__all__ = ["SETTLED_S", "Shipment", "WholeShop", "whole_shop"]

SETTLED_S: Final = 200.0  # longer than any lag of the platforms: whatever was sold or sent before can be read
_ARM: Final = "arm"
_ALL: Final = 100_000
_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class Shipment:
    """A delivery as a platform sent it."""

    address: str
    headers: Mapping[str, str]
    body: bytes


class WholeShop:
    """What the platforms send waits in `post`; `deliver` brings it to the door, `work` is one micro-batch of the worker."""

    ctx: Context
    worker: Worker

    def __init__(self, retailer: Retailer, clock: LeapClock, runner: asyncio.Runner) -> None:
        self._retailer, self._clock, self._runner = retailer, clock, runner
        self._wire = Sent(retailer.app())
        self._life = AsyncExitStack()
        self._fuse = Fuse()
        self.post: list[Shipment] = []
        for channel in CHANNELS:
            self.system(channel).account.on_webhook(self._send)

    def begin(self) -> None:
        """Begin the event process: its stores are on disk, all else is new."""
        self._run(self._begin())

    def end(self) -> None:
        """Be gone, without having written anything more."""
        self._run(self._life.aclose())

    def agree(self) -> None:
        """Run the batch until every number agrees, and have the platforms tell of events."""
        for _ in range(2):
            self._run(run(self.ctx, publishing=False))
            self.wait(SETTLED_S)
        self._run(look(self.ctx, mend=True))

    def system(self, channel: str) -> System:
        """Return the world's side of a channel."""
        return self._retailer.world.business.systems[channel]

    def sell(self, channel: str, item: int = 0, units: int = 1) -> bool:
        """Let somebody buy; return whether the channel showed enough."""
        system = self.system(channel)
        listing = system.single(self._retailer.hot[_ARM, item, CHANNELS[0]].sku)
        assert listing is not None
        return buy(self._retailer.world, system, listing, units) is not None

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._run(self._clock.sleep(seconds))

    def deliver(self, shipments: Sequence[Shipment]) -> list[int]:
        """Bring deliveries to the door side by side; return its answers."""
        return self._run(self._deliver(shipments))

    def work(self) -> None:
        """Work on what waits."""
        self._run(self.worker.once())

    def work_through(self) -> None:
        """Work as long as fewer and fewer deliveries wait."""
        before = self._waiting() + 1
        while (now := self._waiting()) < before:
            before = now
            self.work()

    def work_until_killed(self, at_step: int) -> bool:
        """Work in a process that ends at a step; return whether it came to that step. Another process has begun then."""
        fuse = self._fuse = self._wire.fuse = Fuse(lambda n, _: n == at_step)
        self.ctx.warehouse = FusedWarehouse(self.ctx.warehouse.path, self.ctx.warehouse.wait_s, fuse)
        with fuse.watching():
            try:
                self.work()
            except Killed:
                self._run(_nothing_goes_on())
        self._wire.fuse = Fuse()
        self.end()
        self.begin()
        return fuse.blown

    def sweep(self) -> int:
        """Look at every system as the pollers do and work on it; return how many orders and levels no delivery had named."""
        found = [self._run(self.worker.sweep(system)) for system in self.ctx.channels]
        self.work()
        return sum(one.missed_orders + one.missed_levels for one in found)

    def numbers(self, item: int = 0) -> dict[str, int]:
        """Return what the channels show of an item."""
        return {channel: self._retailer.number(_ARM, item, channel) for channel in CHANNELS}

    def wrong(self) -> list[Point]:
        """Return every number of every channel that is not what the world says it should be: its gross error, by sku."""
        points, _ = self._retailer.world.correctable()
        return [point for point in points if not point.agrees]

    def _waiting(self) -> int:
        return len(self.ctx.state.inbox.waiting(_ALL))

    def _run(self, work: Coroutine[Any, Any, _Made]) -> _Made:
        return self._runner.run(work)

    def _send(self, address: str, headers: Mapping[str, str], body: bytes) -> None:
        self.post.append(Shipment(address, dict(headers), body))

    async def _begin(self) -> None:
        config, clock = self._retailer.config, self._clock
        self.ctx = await self._life.enter_async_context(open_context(config, clock, random.Random(1), transport=self._wire))
        self.worker = Worker(self.ctx, Metrics())
        app = create_app(self.ctx.channels, self.ctx.state, clock, config.serve.public_url)
        self._door = await self._life.enter_async_context(httpx.AsyncClient(transport=httpx.ASGITransport(app)))

    async def _deliver(self, shipments: Sequence[Shipment]) -> list[int]:
        posts = (self._door.post(one.address, headers=dict(one.headers), content=one.body) for one in shipments)
        return [answer.status_code for answer in await asyncio.gather(*posts)]


async def _nothing_goes_on() -> None:
    """End what the process that died had under way."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


@contextmanager
def whole_shop(folder: Path, items: Sequence[HotItem]) -> Iterator[WholeShop]:
    """Have a shop with these hot items whose numbers all agree."""
    clock = LeapClock(BEGINS)
    goods = open_retailer(FlashDay(1, tuple(items), ()), [Arm(_ARM)], folder)
    with goods as retailer, asyncio.Runner(loop_factory=LeapLoop) as runner:
        clock.follow(runner.get_loop())
        clock.moved = lambda: retailer.arrive(clock.now())
        shop = WholeShop(retailer, clock, runner)
        shop.begin()
        try:
            shop.agree()
            yield shop
        finally:
            shop.end()
