"""Group commit: deliveries that come while the disk is busy are stored together, by one transaction and one fsync.

A commit to disk takes milliseconds whatever it holds. While one is under way the next deliveries gather; then all of them go at
once. A quiet receiver stores each delivery at once, a busy one hundreds, and none waits for a timer.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

from invbi_pipeline.channels.protocol import Event
from invbi_pipeline.errors import BadAnswer, StoreBusy
from invbi_pipeline.store.inbox import Delivery

__all__ = ["InboxWriter", "delivery_of"]

_TOGETHER: Final = 1_000  # deliveries of one transaction
_QUEUED: Final = 10_000  # beyond this the platform is asked to come again: memory is bounded, and it is sent again anyway


def delivery_of(event: Event, delivery_id: str, at: datetime) -> Delivery:
    """Return what is kept of an event that came at `at` (our clock): ids, topic and times, never its body.

    What no platform writes in an id (JSON can name half a character, or a NUL) no store and no request could hold: whoever read
    the inbox would fail on it, again and again. Raises `BadAnswer` where the id or topic of the delivery itself is such.
    """
    if not (delivery_id.isprintable() and event.topic.isprintable()):
        raise BadAnswer(f"{event.system}: a delivery's id or topic is no text.")
    listings, orders = (tuple(filter(str.isprintable, ids)) for ids in (event.listing_keys, event.order_ids))
    return Delivery(event.system, delivery_id, event.topic, at, listings, orders, event.occurred_at)


class InboxWriter:
    """Stores deliveries for many requests by one thread. `store` takes a batch and says of each delivery whether it is new."""

    def __init__(self, store: Callable[[Sequence[Delivery]], list[bool]]) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inbox")
        self._waiting: list[tuple[Delivery, asyncio.Future[bool]]] = []
        self._turn: asyncio.Task[None] | None = None
        self.batches = 0
        self.stored = 0

    @property
    def queued(self) -> int:
        """Deliveries that wait for the commit under way to end."""
        return len(self._waiting)

    async def put(self, delivery: Delivery) -> bool:
        """Store one; return, once it is on disk, whether it is new. Raises what the store raised, `StoreBusy` when it is full."""
        if len(self._waiting) >= _QUEUED:
            raise StoreBusy("Too many deliveries wait for the disk; nothing was stored.")
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((delivery, future))
        if self._turn is None or self._turn.done():
            self._turn = asyncio.create_task(self._write())
        return await future

    async def aclose(self) -> None:
        """Wait for what is being written."""
        if self._turn is not None:
            await asyncio.gather(self._turn, return_exceptions=True)
        await asyncio.to_thread(self._thread.shutdown)

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
            batch = [one for one in batch if not one[1].done()]  # a delivery nobody waits for any more comes again
            try:
                said = await asyncio.get_running_loop().run_in_executor(self._thread, self._store, [one for one, _ in batch])
            except BaseException as trouble:  # whoever waits must learn of it, whatever it is
                for _, future in batch:
                    if not future.done():
                        future.set_exception(trouble)
                if not isinstance(trouble, Exception):
                    raise
                continue
            self.batches += 1
            self.stored += sum(said)
            for (_, future), new in zip(batch, said, strict=True):
                if not future.done():
                    future.set_result(new)
