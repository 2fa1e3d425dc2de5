"""A flash day kept by our events: the real receiver and the real worker in virtual time, with webhooks lost and late.

The shoppers, the deliveries and the worker run side by side on a loop on which waiting costs nothing (`cli.bench.leap`). What
really takes time is modelled, and printed with the result: a micro-batch thinks for a while before its first write lands
(`BATCH_S` unless said otherwise), and every request takes `REQUEST_S`; shoppers go on buying meanwhile.

Micro-batches that no shopper could notice are left out: while more than `_NEAR` units of an item are left, each channel shows
more of it than anybody asks for (a buffer and a basket are smaller), whether its number is of now or of a minute ago. Not left
out are those after an order whose delivery is lost, which is noticed at once and searched for. Sweeps come when the pollers of
the event process would look: seldom, and more often where a sweep found what no delivery had named. One that could find nothing
is left out.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import httpx

from invbi_pipeline.cli.bench.leap import LeapClock, LeapLoop
from invbi_pipeline.cli.bench.oversell.retailer import BEGINS, Arm, Retailer, dice, open_retailer
from invbi_pipeline.flows.context import Context, open_context
from invbi_pipeline.flows.run import run
from invbi_pipeline.live.metrics import Metrics
from invbi_pipeline.live.pollers import Announced, distance
from invbi_pipeline.live.receiver import create_app
from invbi_pipeline.live.subscriptions import look
from invbi_pipeline.live.worker import Worker
from invbi_pipeline.sandbox.world.flash import CHANNELS, FlashDay, Want, buy

__all__ = ["BATCH_S", "LATE", "LOST", "REQUEST_S", "Lived", "Sold", "live_day"]

BATCH_S: Final = 1.0  # what is asked of 95 % of events, from the event to the other channels' numbers (`bench live` measures it)
REQUEST_S: Final = 0.05
LOST: Final = 0.01  # of the deliveries never come
LATE: Final = 0.02  # of the others come after half a minute to two
_USUAL_S: Final = (-0.7, 0.6)  # the others: log-normal, a half of them within half a second, 95 % within 1.3 s
_LATE_S: Final = (30.0, 120.0)
_NEAR: Final = 12  # units left
_SOON: Final = 40  # units left: the worker takes up what it left out, which is too much for the moment when it matters
_TAKES_UP: Final = 3  # micro-batches
_LOOK_S: Final = 0.1  # between two looks whether something waits
_SWEEPS_S: Final = 1.0  # between two looks whether a sweep is due
_RUNS: Final = 2  # before the sale: what the first one sends, the second one proves
_SETTLES_S: Final = 200.0  # after each of them: all that was sent can be read
_MISSING_S: Final = 20.0  # until the search for an order that no delivery named has been decided
_AFTER_S: Final = 5.0  # a delivery that comes later than this was late
_UNDER_WAY: Final = timedelta(minutes=1)  # a sweep does not doubt a platform for what changed so lately


@dataclass(slots=True)
class Sold:
    """One order: who wanted it, when it was placed, and when the first delivery named it (None: none ever did).

    A delivery that names its listing only shows that a number fell, which says nothing to the other channels.
    """

    want: Want
    at: datetime
    told: datetime | None = None


@dataclass(slots=True)
class Lived:
    """What became of a day: the orders of each arm, and what the worker did."""

    sold: dict[str, list[Sold]] = field(default_factory=dict)
    batches: int = 0
    sweeps: int = 0
    deliveries: int = 0
    lost: int = 0
    late: int = 0

    def why(self, arm: str, units: Mapping[int, int]) -> dict[str, int]:
        """Return the units sold beyond the record (`units` of each item) by what let them be sold."""
        causes: dict[str, int] = {}
        gone = dict.fromkeys(units, 0)
        orders = self.sold[arm]
        for n, order in enumerate(orders):
            item = order.want.item
            before = max(gone[item], units[item])
            gone[item] += order.want.units
            if (beyond := gone[item] - before) > 0:
                cause = _cause(order, [one for one in orders[:n] if one.want.item == item])
                causes[cause] = causes.get(cause, 0) + beyond
        return causes


def _cause(order: Sold, before: Sequence[Sold]) -> str:
    """Say why a number allowed this order: which orders of other channels it cannot have known."""
    ready = order.at - timedelta(seconds=2 * BATCH_S)
    others = [one for one in before if one.want.channel != order.want.channel]
    unknown = [one for one in others if one.told is None or one.told > ready]
    if any(one.told is None for one in unknown):
        return "a webhook was lost"
    if any((one.told - one.at).total_seconds() > _AFTER_S for one in unknown if one.told):
        return "a webhook was late"
    return "sold within the sync lag" if unknown else "several of these, or a number that was raised"


class _Wire(httpx.AsyncBaseTransport):
    """The way to the platforms: each request takes its time, and the first write of a micro-batch waits for the thinking."""

    def __init__(self, inner: httpx.AsyncBaseTransport, clock: LeapClock, thinks_s: float) -> None:
        self._inner = inner
        self._clock = clock
        self._thinks = timedelta(seconds=thinks_s)
        self._ready: datetime | None = None  # when the micro-batch under way has thought

    def think(self) -> None:
        """Say that a micro-batch begins now."""
        self._ready = self._clock.now() + self._thinks

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        wait = REQUEST_S
        if self._ready is not None and _writes(request):
            wait += max(0.0, (self._ready - self._clock.now()).total_seconds())
        await self._clock.sleep(wait)
        response = await self._inner.handle_async_request(request)
        await response.aread()
        return response


def _writes(request: httpx.Request) -> bool:
    return b"inventorySetQuantities" in request.content or request.url.path.endswith("/inventory/changes/batch-create")


class _Day:
    """One day under way."""

    def __init__(self, day: FlashDay, arms: Sequence[Arm], shop: Retailer, ctx: Context, clock: LeapClock, wire: _Wire) -> None:
        self.day, self.arms, self.shop, self.ctx, self.clock, self.wire = day, arms, shop, ctx, clock, wire
        self.lived = Lived({arm.name: [] for arm in arms})
        self.metrics = Metrics()
        self.worker = Worker(ctx, self.metrics)
        self.waiting = False  # deliveries in the inbox, or something to send
        self.near = False  # an item is nearly gone
        self.missing_until = clock.now()  # an order was placed of which no delivery tells, and may be searched for
        self.announced = Announced(set(CHANNELS))
        self.looked = dict.fromkeys(CHANNELS, clock.now())
        self.unnamed: dict[str, list[Sold]] = {channel: [] for channel in CHANNELS}
        self.left = {(arm.name, n): item.units for arm in arms for n, item in enumerate(day.items)}
        self.under_way: set[asyncio.Task[None]] = set()
        self.buying: tuple[Sold, str] | None = None
        app = create_app(ctx.channels, ctx.state, clock, ctx.config.serve.public_url, metrics=self.metrics, stored=self._stored)
        self.door = httpx.AsyncClient(transport=httpx.ASGITransport(app))

    def _stored(self) -> None:
        self.waiting = True
        self.worker.hint()

    async def live(self) -> Lived:
        """Let the day pass; it is over when nobody wants anything any more, or nothing is shown of any item."""
        for system in self.shop.world.business.systems.values():
            system.account.on_webhook(self._deliver)
        shopping = asyncio.create_task(self._shop(self.clock.now()))
        sweeping, searching = asyncio.create_task(self._sweep()), asyncio.create_task(self._search())
        taken_up = 0
        while not (shopping.done() or sweeping.done() or searching.done()):
            await self.clock.sleep(_LOOK_S)
            near = [key for key, units in self.left.items() if units <= _NEAR and self._shown(*key)]
            self.near = bool(near)
            behind = taken_up < _TAKES_UP and min(self.left.values()) <= _SOON
            missing = self.clock.now() < self.missing_until
            if (self.near or behind or missing) and self.waiting:
                await self._work()
                taken_up += behind
            if not near and not any(self._shown(*key) for key in self.left):
                break
        for task in (sweeping, searching):
            if task.done():
                task.result()
        for task in (shopping, sweeping, searching):
            task.cancel()
        await asyncio.gather(shopping, sweeping, searching, *self.under_way, return_exceptions=True)
        await self.door.aclose()
        return self.lived

    async def _work(self) -> None:
        self.waiting = False
        self.wire.think()
        await self.worker.once()
        self.lived.batches += 1

    async def _sweep(self) -> None:
        """Sweep beside the micro-batches, as the event process does: what is due, and orders that numbers wait for."""
        while True:
            await self.clock.sleep(_SWEEPS_S)
            await self._look(really=self.near)
            if self.near:
                read = await self.worker.catch_up()
                self.lived.sweeps += len(read)
                self.waiting = self.waiting or bool(read)

    async def _search(self) -> None:
        """Search for orders that no delivery told of, beside all this, as the event process does."""
        while True:
            await self.clock.sleep(_SWEEPS_S)
            read = await self.worker.search()
            self.waiting = self.waiting or bool(read)

    async def _look(self, *, really: bool) -> None:
        """Sweep the channels whose time has come (`really`), or only doubt those at which a sweep would find something."""
        for channel in CHANNELS:
            now = self.clock.now()
            if distance(self.ctx, channel, self.announced, self.looked[channel]) > 0:
                continue
            self.looked[channel] = now
            unnamed = [one for one in self.unnamed[channel] if one.told is None or one.told > now]
            if any(one.at < now - _UNDER_WAY for one in unnamed):
                self.announced.doubt(channel, now)
            if unnamed and really:
                self.unnamed[channel] = []
                await self.worker.sweep(channel)
                self.lived.sweeps += 1
                self.waiting = True

    def _shown(self, arm: str, item: int) -> bool:
        return any(self.shop.number(arm, item, channel) > 0 for channel in CHANNELS)

    async def _shop(self, begins: datetime) -> None:
        world = self.shop.world
        for n, want in enumerate(self.day.wants):
            at = begins + timedelta(seconds=want.at_s)
            await self.clock.sleep((at - self.clock.now()).total_seconds())
            system = world.business.systems[want.channel]
            for arm in self.arms:
                sold = Sold(want, self.clock.now())
                self.buying = (sold, str(n))
                if buy(world, system, self.shop.hot[arm.name, want.item, want.channel], want.units) is not None:
                    self.lived.sold[arm.name].append(sold)
                    self.left[arm.name, want.item] -= want.units
                    self.unnamed[want.channel].append(sold)
                self.buying = None

    def _deliver(self, address: str, headers: Mapping[str, str], body: bytes) -> None:
        """Take a delivery from a platform: it is lost, or it comes after a while."""
        sold, want = self.buying or (None, "")
        lower = {name.lower(): value for name, value in headers.items()}
        topic = lower.get("x-shopify-topic", "") or _type(body)
        fate = dice(self.day, want or self.lived.deliveries, topic)
        self.lived.deliveries += 1
        if fate.random() < LOST:
            self.lived.lost += 1
            if topic.startswith("order"):
                self.missing_until = self.clock.now() + timedelta(seconds=_MISSING_S)
            return
        after = _delay(fate)
        self.lived.late += after > _AFTER_S
        if sold is not None and topic.startswith("order"):
            told = self.clock.now() + timedelta(seconds=after)
            sold.told = min(told, sold.told or told)
        carrying = asyncio.get_running_loop().create_task(self._carry(address, dict(headers), body, after))
        self.under_way.add(carrying)
        carrying.add_done_callback(self.under_way.discard)

    async def _carry(self, address: str, headers: Mapping[str, str], body: bytes, after: float) -> None:
        await asyncio.sleep(after)
        (await self.door.post(address, headers=dict(headers), content=body)).raise_for_status()


def _type(body: bytes) -> str:
    """Return the type that a delivery of Square's says in its body."""
    _, _, rest = body.partition(b'"type":"')
    return rest[:40].partition(b'"')[0].decode()


def _delay(fate: random.Random) -> float:
    return fate.uniform(*_LATE_S) if fate.random() < LATE else fate.lognormvariate(*_USUAL_S)


def live_day(day: FlashDay, arms: Sequence[Arm], folder: Path, thinks_s: float = BATCH_S) -> Lived:
    """Live through a day with these arms side by side; return the orders of each. `thinks_s`: how long a micro-batch takes."""
    clock = LeapClock(BEGINS)
    with open_retailer(day, arms, folder) as shop, asyncio.Runner(loop_factory=LeapLoop) as runner:
        clock.follow(runner.get_loop())
        clock.moved = lambda: shop.arrive(clock.now())
        return runner.run(_live(day, arms, shop, clock, thinks_s))


async def _live(day: FlashDay, arms: Sequence[Arm], shop: Retailer, clock: LeapClock, thinks_s: float) -> Lived:
    wire = _Wire(shop.transport(), clock, thinks_s)
    async with open_context(shop.config, clock, dice(day, "worker"), transport=wire) as ctx:
        for _ in range(_RUNS):
            await run(ctx, publishing=False)
            await clock.sleep(_SETTLES_S)
        await look(ctx, mend=True)
        return await _Day(day, arms, shop, ctx, clock, wire).live()
