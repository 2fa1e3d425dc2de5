"""The door for webhooks: verify over the raw body, store durably, and only then say thank you.

What a delivery says is a hint about what to read again (`flows.inbox`), so its body is never kept: the inbox holds ids, topic
and times. A delivery that could not be stored is not acknowledged, and its platform sends it again. Every platform waits 5 s
or longer for an answer (Shopify 5 s, Square 10 s: shopify.dev/docs/apps/build/webhooks, developer.squareup.com/docs/webhooks).
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from invbi_pipeline.channels.protocol import Channel, Clock, Event
from invbi_pipeline.errors import BadAnswer, ConfigError, Refused, StoreBusy
from invbi_pipeline.store.state import Delivery, State

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
_PROBE: Final = "receiver.ready"  # the mark that /readyz writes


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
    channels: Mapping[str, Channel], state: State, clock: Clock, public_url: str, bounds: Bounds | None = None
) -> Starlette:
    """Return the ASGI app: POST /webhooks/{system}, GET /healthz (the process lives) and GET /readyz (it can store).

    `public_url` is where the platforms find this app (scheme, host and any path before /webhooks): Square signs the address
    too, and behind a proxy the app does not see it. A delivery is answered 200 once it is on disk (again at each repetition),
    400 when it is signed and no event, 401 on a wrong signature, 404 for an unknown system or one without webhooks, 408 or 413
    when its body is too slow or too large, 503 when it cannot be stored or verified now.
    """
    receiver = _Receiver(channels, state, clock, public_url, bounds or Bounds())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(receiver.close)

    routes = [
        Route(PATH, receiver.webhook, methods=["POST"]),
        Route("/healthz", receiver.health, methods=["GET"]),
        Route("/readyz", receiver.ready, methods=["GET"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


class _Receiver:
    """One app's handlers. A single thread writes, so that deliveries queue here and not at the store's lock."""

    def __init__(self, channels: Mapping[str, Channel], state: State, clock: Clock, public_url: str, bounds: Bounds) -> None:
        self._channels = channels
        self._state = state
        self._clock = clock
        self._public_url = public_url
        self._bounds = bounds
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inbox")

    def close(self) -> None:
        """Wait for what is being written."""
        self._writer.shutdown()

    async def webhook(self, request: Request) -> Response:
        """Take one delivery."""
        try:
            channel = self._channels.get(request.path_params["system"])
            if channel is None:
                raise _Answer(404, "no such webhook")
            body = await self._body(request)
            event = self._verified(channel, request.headers, body)
            delivery_id = event.delivery_id or "sha256:" + hashlib.sha256(body).hexdigest()
            new = await self._stored(event, delivery_id)
        except _Answer as end:
            return JSONResponse({"error": end.text}, end.status)
        log.debug("%s: %r %s", event.system, event.topic, "stored" if new else "known already")
        return JSONResponse({"stored": new})

    async def health(self, _: Request) -> Response:
        """The process lives and its loop turns."""
        return JSONResponse({"alive": True})

    async def ready(self, _: Request) -> Response:
        """The store takes a write now; reading alone would not show a full disk or a held lock."""
        try:
            await self._write("readyz", partial(self._state.set_mark, _PROBE, self._clock.now().isoformat()))
        except _Answer as end:
            return JSONResponse({"ready": False, "error": end.text}, end.status)
        return JSONResponse({"ready": True, "systems": sorted(self._channels)})

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
            raise _Answer(503, "cannot be verified now") from None

    async def _stored(self, event: Event, delivery_id: str) -> bool:
        delivery = Delivery(
            event.system,
            delivery_id,
            event.topic,
            self._clock.now(),
            event.listing_keys,
            event.order_ids,
            event.occurred_at,
        )
        return await self._write(event.system, partial(self._state.receive, delivery))

    async def _write(self, who: str, write: Callable[[], _T]) -> _T:
        """Write on the writer's thread, never on the loop. One that is late may still land: its repetition is then known."""
        try:
            async with asyncio.timeout(self._bounds.store_s):
                return await asyncio.get_running_loop().run_in_executor(self._writer, write)
        except (TimeoutError, StoreBusy, SQLAlchemyError) as trouble:  # its name alone: the text quotes what was to be stored
            log.warning("%s: the state store took no write (%s); nothing was acknowledged", who, type(trouble).__name__)
            raise _Answer(503, "cannot be stored now") from None
