"""The event process: the door for webhooks, the readers of queues, the pollers and the worker, begun together and ended in order.

It ends when it is told to (SIGTERM, SIGINT): nothing more is accepted, what was accepted is on disk, the worker finishes what it
has in hand, and the lease is given back, so that another process may go on at once. What fails without being foreseen ends
the process: whoever supervises it starts it again, and it resumes from the inbox.
"""

import asyncio
import contextlib
import logging
import math
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import uvicorn

from invbi_pipeline.channels.amazon.notifications import parse_notification
from invbi_pipeline.channels.protocol import Standing
from invbi_pipeline.errors import InvbiError, StoreBusy
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.feeds.lease import RENEW_S, Lease
from invbi_pipeline.live.metrics import Metrics
from invbi_pipeline.live.pollers import Announced, follow
from invbi_pipeline.live.queues import SqsQueue, take
from invbi_pipeline.live.receiver import create_app
from invbi_pipeline.live.resting import rest
from invbi_pipeline.live.sheet import follow_sheet
from invbi_pipeline.live.subscriptions import Look, announcing, look
from invbi_pipeline.live.worker import Worker

__all__ = ["Process"]

log = logging.getLogger("invbi.serve")

_LOOKED_S: Final = 900.0  # from one look at the subscriptions to the next
_AGAIN_S: Final = 10.0  # after a queue could not be read
_NUDGE_S: Final = 0.5  # deliveries that other receivers stored are found within this time
_ENDS_S: Final = 4.0  # the longest that a request under way may still take: the platforms' own patience is 5 s


class _Server(uvicorn.Server):
    """Leaves signals to the process, and says when it listens."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening()


@dataclass(slots=True)
class Process:
    """One event process of an installation.

    `receiver_only`: a further door beside the process that works. `register`: subscriptions are made and put right, not only
    looked at. `listening` is called once the door is open. `stop` ends the process.
    """

    ctx: Context
    listener: socket.socket
    receiver_only: bool = False
    register: bool = False
    listening: Callable[[], None] = lambda: None
    metrics: Metrics = field(default_factory=Metrics)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    _announced: Announced = field(default_factory=Announced)

    async def run(self) -> None:
        """Do all of it until `stop` is set, or SIGTERM or SIGINT comes. Raises what nobody foresaw."""
        with self._heeding_signals():
            worker = None if self.receiver_only else Worker(self.ctx, self.metrics)
            app = create_app(
                self.ctx.channels,
                self.ctx.state,
                self.ctx.clock,
                self.ctx.config.serve.public_url,
                metrics=self.metrics,
                stored=worker.hint if worker is not None else lambda: None,
            )
            server = self._server(app)
            parts = [self._part("door", server.serve([self.listener])), self._part("queues", self._queues(worker))]
            if worker is not None:
                parts.append(self._part("work", self._work(worker)))
            ended = asyncio.ensure_future(self.stop.wait())
            try:
                await asyncio.wait([*parts, ended], return_when=asyncio.FIRST_COMPLETED)
            finally:
                self.stop.set()
                server.should_exit = True
                ended.cancel()
                log.info("stopping: nothing more is accepted; what is in hand is finished")
                said = await asyncio.gather(*parts, return_exceptions=True)
            _raise_first(said)
        log.info("stopped")

    def _part(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.create_task(work, name=name)

    @contextlib.contextmanager
    def _heeding_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _server(self, app: Any) -> uvicorn.Server:
        settings = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            lifespan="on",
            timeout_graceful_shutdown=round(_ENDS_S),
        )
        return _Server(settings, self.listening)

    # queues -------------------------------------------------------------------------------------------------------------

    async def _queues(self, worker: Worker | None) -> None:
        queues = self.ctx.config.serve.queues
        await asyncio.gather(self.stop.wait(), *(self._read_queue(name, url, worker) for name, url in queues.items()))

    async def _read_queue(self, system: str, url: str, worker: Worker | None) -> None:
        """Move what waits in a queue into the inbox, again and again; a queue that cannot be read keeps what it holds."""
        queue: SqsQueue | None = None
        parse = partial(parse_notification, system)
        while not self.stop.is_set():
            try:
                queue = queue or SqsQueue(url)  # without a region, say, there is none; the other systems' door stays open
                new, strange = await take(queue, parse, self.ctx.state.inbox.receive, self.ctx.clock)
            except InvbiError as trouble:
                self.metrics.queue_messages.labels(system, "failed").inc()
                log.warning("%s: %s", system, trouble, extra={"system": system})
                await rest(self.ctx.clock, _AGAIN_S, self.stop)
                continue
            self.metrics.queue_messages.labels(system, "stored").inc(new)
            self.metrics.queue_messages.labels(system, "no notification").inc(strange)
            if new and worker is not None:
                worker.hint()

    # the work of one process ----------------------------------------------------------------------------------------------

    async def _work(self, worker: Worker) -> None:
        """Work while this process holds the lease; wait for it while another one does."""
        lease = Lease(self.ctx.state, self.ctx.clock, f"{socket.gethostname()}:{os.getpid()}:{self.ctx.new_id()}")
        if not await self._taken(lease):
            return
        log.info("this process is the worker")
        self.metrics.working_here.set(1)
        try:
            await self._all_of_it(worker, lease)
        finally:
            self.metrics.working_here.set(0)
            with contextlib.suppress(StoreBusy):  # it runs out by itself
                await asyncio.to_thread(lease.give_back)

    async def _taken(self, lease: Lease) -> bool:
        told = False
        while not await self._won(lease):
            if not told:
                log.info("another process is the worker; this one receives, and takes over when that one is gone")
                told = True
            if not await rest(self.ctx.clock, RENEW_S, self.stop):
                return False
        return not self.stop.is_set()

    async def _won(self, lease: Lease) -> bool:
        try:
            return await asyncio.to_thread(lease.take)
        except StoreBusy as busy:
            log.warning("the lease of the worker cannot be asked for: %s", busy)
            return False

    async def _all_of_it(self, worker: Worker, lease: Lease) -> None:
        looked = asyncio.Event()
        helpers = [
            self._part("subscriptions", self._subscriptions(looked)),
            self._part("lease", self._renew(lease)),
            self._part("nudge", self._nudge(worker)),
            self._part("sheet", follow_sheet(self.ctx, self.metrics, self.stop)),
            *(self._part(f"sweep {name}", self._sweep(name, worker, looked)) for name in self.ctx.channels),
        ]
        loop = self._part("worker", worker.run())
        ended = asyncio.ensure_future(self.stop.wait())
        try:
            await asyncio.wait([*helpers, loop, ended], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.stop.set()
            ended.cancel()
            _, late = await asyncio.wait(helpers, timeout=_ENDS_S)
            stopped = await asyncio.gather(worker.stop(), return_exceptions=True)
            for one in late:  # a look that waits for its rate budget: nothing of it has landed, the next one reads it again
                one.cancel()
            said = await asyncio.gather(*helpers, loop, return_exceptions=True)
        _raise_first([*said, *stopped])

    async def _renew(self, lease: Lease) -> None:
        while await rest(self.ctx.clock, RENEW_S, self.stop):
            try:
                renewed = await asyncio.to_thread(lease.take)
            except StoreBusy as busy:  # nobody else can take it now either; whether somebody did, the next renewal says
                log.warning("the lease of the worker was not renewed: %s", busy)
                continue
            if not renewed:
                log.error("another process has become the worker: this one was stopped for too long; it ends")
                self.stop.set()

    async def _nudge(self, worker: Worker) -> None:
        """Let the worker look for what other receivers stored."""
        while await rest(self.ctx.clock, _NUDGE_S, self.stop):
            worker.hint()

    async def _sweep(self, name: str, worker: Worker, looked: asyncio.Event) -> None:
        await looked.wait()
        await follow(self.ctx, name, worker, self._announced, self.metrics, self.stop)

    async def _subscriptions(self, looked: asyncio.Event) -> None:
        """Look at the subscriptions now and again; what stands says who can be relied upon to tell."""
        for name in announcing(self.ctx):
            self.metrics.may_miss(self.ctx.config.systems[name].platform, name)
        while True:
            for name, one in (await look(self.ctx, mend=self.register)).items():
                self._note(name, one)
            polled = sorted(set(self.ctx.channels) - self._announced.standing)
            if polled and not looked.is_set():
                log.info("polled, since not all of their events are announced: %s", ", ".join(polled))
            looked.set()
            if not await rest(self.ctx.clock, _LOOKED_S, self.stop):
                return

    def _note(self, name: str, one: Look) -> None:
        (self._announced.standing.add if one.stands else self._announced.standing.discard)(name)
        self.metrics.subscriptions_lacking.labels(name).set(math.nan if one.trouble else len(one.lacking))
        self.metrics.subscriptions_unseen.labels(name).set(bool(one.trouble))
        if one.trouble:
            log.warning("%s: its subscriptions could not be seen: %s", name, one.trouble, extra={"system": name})
        for each in one.lacking:
            log.warning("%s: %s: %s", name, each.topic, each.to_do, extra={"system": name})
        changed = [each.topic for each in one.found if each.standing in (Standing.MADE, Standing.MENDED)]
        if changed:
            log.info("%s: subscriptions made or put right: %s", name, ", ".join(changed), extra={"system": name})


def _raise_first(said: Sequence[object]) -> None:
    """Raise the first trouble of parts that have ended; being cancelled is none."""
    for trouble in said:
        if isinstance(trouble, BaseException) and not isinstance(trouble, asyncio.CancelledError):
            raise trouble
