"""The door for webhooks: verify over the raw body, store durably, and only then say thank you.

What a delivery says is a hint about what to read again (`flows.inbox`), so its body is never kept: the inbox holds ids, topic
and times. A delivery that could not be stored is not acknowledged, and its platform sends it again. Every platform waits 5 s
or longer for an answer (Shopify 5 s, Square 10 s: shopify.dev/docs/apps/build/webhooks, developer.squareup.com/docs/webhooks).
"""

import asyncio
import hashlib
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from invbi_pipeline.channels.protocol import Channel, Clock, Event
from invbi_pipeline.errors import BadAnswer, ConfigError, Refused, StoreBusy
from invbi_pipeline.live.metrics import Metrics
from invbi_pipeline.live.writer import InboxWriter, delivery_of
from invbi_pipeline.store.inbox import Delivery
from invbi_pipeline.store.state import State

__all__ = ["PATH", "Bounds", "create_app", "webhook_url"]

log = logging.getLogger("invbi.receiver")

PATH: Final = "/webhooks/{system}"

_T = TypeVar("_T")

# What each refusal of `Channel.parse_event` means to whoever knocked; any other is a stranger's.
_REFUSED: Final[Mapping[str, tuple[int, str]]] = {
    "bad_event": (400, "signed, but no event of this platform"),
    "no_webhooks": (404, "no such webhook"),
}
_STRANGER: Final = (401, "signature refused")
_UNVERIFIED: Final = (503, "cannot be verified now")
_UNSTORED: Final = (503, "cannot be stored now")
_PROBE: Final = "receiver.ready"  # the mark that /readyz writes
_LONGEST_ID: Final = 200  # the header that holds a delivery's id is not signed: a stranger may write anything there


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of a delivery is taken, and how long each part of it may last."""

    body_bytes: int = (
        4 * 1024 * 1024
    )  # an order or product of thousands of lines is 1-2 MB; a refused one is sent again for hours
    body_s: float = 2.0  # to receive the body ...
    store_s: float = 2.5  # ... and to store the delivery: together below the shortest patience, Shopify's 5 s


class _Answer(Exception):
    """The request ends here, with this status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text


def webhook_url(public_url: str, system: str) -> str:
    """Return the address to register with a platform for this system, as it is seen from outside."""
    return f"{public_url.rstrip('/')}{PATH.format(system=system)}"


def create_app(
    channels: Mapping[str, Channel],
    state: State,
    clock: Clock,
    public_url: str,
    bounds: Bounds | None = None,
    metrics: Metrics | None = None,
    stored: Callable[[], None] = lambda: None,
) -> Starlette:
    """Return the ASGI app: POST /webhooks/{system}, GET /healthz (the process lives), /readyz (it can store) and /metrics.

    `public_url` is where the platforms find this app (scheme, host and any path before /webhooks): Square signs the address
    too, and behind a proxy the app does not see it. A delivery is answered 200 once it is on disk (again at each repetition),
    400 when it is signed and no event, 401 on a wrong signature, 404 for an unknown system or one without webhooks, 408 or 413
    when its body is too slow or too large, 503 when it cannot be stored or verified now. `stored` is called after each new one.
    """
    receiver = _Receiver(channels, state, clock, public_url, bounds or Bounds(), metrics or Metrics(), stored)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await receiver.aclose()

    routes = [
        Route(PATH, receiver.webhook, methods=["POST"]),
        Route("/healthz", receiver.health, methods=["GET"]),
        Route("/readyz", receiver.ready, methods=["GET"]),
        Route("/metrics", receiver.metrics, methods=["GET"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


class _Receiver:
    """One app's handlers. A single thread writes, many deliveries at once: they queue here and not at the store's lock."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        state: State,
        clock: Clock,
        public_url: str,
        bounds: Bounds,
        metrics: Metrics,
        told: Callable[[], None],
    ) -> None:
        self._channels = channels
        self._state = state
        self._clock = clock
        self._public_url = public_url
        self._bounds = bounds
        self._metrics = metrics
        self._told = told
        self._writer = InboxWriter(self._commit)
        metrics.queued.set_function(lambda: self._writer.queued)
        for system, (_, trouble) in itertools.product(channels, (_UNVERIFIED, _UNSTORED)):
            metrics.deliveries.labels(system, trouble)  # from 0: of a series born later nobody sees the first rise

    async def aclose(self) -> None:
        """Wait for what is being written."""
        await self._writer.aclose()

    async def webhook(self, request: Request) -> Response:
        """Take one delivery."""
        channel = self._channels.get(request.path_params["system"])
        if channel is None:
            return self._refusal("", _Answer(404, "no such webhook"))
        with self._metrics.answered.labels(channel.system).time():
            try:
                body = await self._body(request)
                event = self._verified(channel, request.headers, body)
                new = await self._stored(event, _delivery_id(event, body))
            except _Answer as end:
                return self._refusal(channel.system, end)
        if new:
            self._told()
        outcome = "stored" if new else "known already"
        self._metrics.deliveries.labels(channel.system, outcome).inc()
        log.debug("%s: %r %s", event.system, event.topic, outcome)
        return JSONResponse({"stored": new})

    async def health(self, _: Request) -> Response:
        """The process lives and its loop turns."""
        return JSONResponse({"alive": True})

    async def metrics(self, _: Request) -> Response:
        """What was measured so far."""
        return self._metrics.page()

    async def ready(self, _: Request) -> Response:
        """The store takes a write now; reading alone would not show a full disk or a held lock."""
        try:
            probe = asyncio.to_thread(self._state.set_mark, _PROBE, self._clock.now().isoformat())
            await self._in_time("readyz", probe)
        except _Answer as end:
            return JSONResponse({"ready": False, "error": end.text}, end.status)
        return JSONResponse({"ready": True, "systems": sorted(self._channels)})

    def _refusal(self, system: str, end: _Answer) -> Response:
        self._metrics.deliveries.labels(system, end.text if end.status != 413 else "too large").inc()
        return JSONResponse({"error": end.text}, end.status)

    def _commit(self, batch: Sequence[Delivery]) -> list[bool]:
        self._metrics.commit.observe(len(batch))
        return self._state.inbox.receive(batch)

    async def _body(self, request: Request) -> bytes:
        most = self._bounds.body_bytes
        said = request.headers.get("content-length", "")
        if said.isdecimal() and int(said) > most:
            raise _Answer(413, f"more than {most} bytes")
        body = bytearray()
        try:
            async with asyncio.timeout(self._bounds.body_s), aclosing(request.stream()) as chunks:
                async for chunk in chunks:
                    body += chunk
                    if len(body) > most:
                        raise _Answer(413, f"more than {most} bytes")
        except TimeoutError:
            raise _Answer(408, "the body took too long") from None
        except ClientDisconnect:
            raise _Answer(400, "the body broke off") from None
        return bytes(body)

    def _verified(self, channel: Channel, headers: Mapping[str, str], body: bytes) -> Event:
        try:
            return channel.parse_event(headers, body, webhook_url(self._public_url, channel.system))
        except Refused as stranger:
            log.info("%s: a delivery was refused (%s)", channel.system, stranger.code)
            raise _Answer(*_REFUSED.get(stranger.code, _STRANGER)) from None
        except BadAnswer:
            log.warning("%s: a signed delivery is no event", channel.system)
            raise _Answer(*_REFUSED["bad_event"]) from None
        except ConfigError as unset:
            log.error("%s: a delivery cannot be verified: %s", channel.system, unset)
            raise _Answer(*_UNVERIFIED) from None

    async def _stored(self, event: Event, delivery_id: str) -> bool:
        try:
            delivery = delivery_of(event, delivery_id, self._clock.now())
        except BadAnswer:
            log.warning("%s: a signed delivery is no event", event.system)
            raise _Answer(*_REFUSED["bad_event"]) from None
        return await self._in_time(event.system, self._writer.put(delivery))

    async def _in_time(self, who: str, written: Coroutine[Any, Any, _T]) -> _T:
        """Wait for a write. One that is late may still land: its repetition is then known."""
        try:
            async with asyncio.timeout(self._bounds.store_s):
                return await written
        except (TimeoutError, StoreBusy, SQLAlchemyError) as trouble:  # its name alone: the text quotes what was to be stored
            log.warning("%s: the state store took no write (%s); nothing was acknowledged", who, type(trouble).__name__)
            raise _Answer(*_UNSTORED) from None


def _delivery_id(event: Event, body: bytes) -> str:
    """Return the platform's id of a delivery; where it sent none that can be kept, one made from the body."""
    if 0 < len(event.delivery_id) <= _LONGEST_ID:
        return event.delivery_id
    return "sha256:" + hashlib.sha256(body).hexdigest()
