"""What every emulated platform's HTTP face has in common: the Date header, outages, planted wire faults, rate buckets.

The platform's own words stay with the platform: it hands `WireMiddleware` a function that turns the name of a trouble into
the answer its real counterpart would give. The server that serves an account must not add a Date header of its own
(uvicorn: `date_header=False`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from invbi_pipeline.sandbox.contract import Wire, WorldClock

__all__ = ["Bucket", "PlatformClock", "WireMiddleware"]

_BEFORE = frozenset({"500", "429", "200_errors", "token_expired"})  # nothing has happened
_AFTER = {"500_after": "500", "timeout_after": "504"}  # it has happened, and the caller does not learn it


@dataclass(frozen=True, slots=True)
class PlatformClock:
    """The platform's own clock: the world's time plus the account's skew. Use it for every time the platform states."""

    world: WorldClock
    wire: Wire

    def now(self) -> datetime:
        return self.world.now() + timedelta(seconds=self.wire.clock_skew_s)

    def stated(self, moment: datetime) -> datetime:
        """Return what this platform's clock showed at a moment of the world."""
        return moment + timedelta(seconds=self.wire.clock_skew_s)


@dataclass(slots=True)
class Bucket:
    """A rate limit on the world's clock: `burst` units that refill at `rate` units a second."""

    clock: WorldClock
    rate: float
    burst: float
    level: float = field(init=False)
    _at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.level = self.burst
        self._at = self.clock.now()

    def available(self) -> float:
        """Return the units left now."""
        now = self.clock.now()
        elapsed = max(0.0, (now - self._at).total_seconds())
        self.level = min(self.burst, self.level + elapsed * self.rate)
        self._at = now
        return self.level

    def take(self, units: float = 1.0) -> bool:
        """Take the units if they are there; else take nothing and return False."""
        if self.available() < units:
            return False
        self.level -= units
        return True

    def wait_for(self, units: float = 1.0) -> float:
        """Return the seconds until so many units are there."""
        return max(0.0, units - self.available()) / self.rate


class WireMiddleware:
    """Applies an account's `Wire` to its ASGI app and puts a Date header on the world's clock (plus skew) on every answer.

    `errors(kind)` returns the platform's own answer for "503" (down), "500", "504" (it happened, then the gateway gave up),
    "429", and, where the platform has them, "200_errors" and "token_expired". `wire.fail_next` is consumed one a request, in
    order, except on paths for which `exempt(path)` is true (a token endpoint, a download); "down" spares nothing. A kind
    that is none of the shared ones is left in the list for the platform to handle. `wire.refuse` is the platform's to check,
    where it checks credentials.
    """

    def __init__(
        self,
        app: ASGIApp,
        wire: Wire,
        clock: WorldClock,
        errors: Callable[[str], Response],
        exempt: Callable[[str], bool] = lambda path: False,
    ) -> None:
        self._app = app
        self._wire = wire
        self._clock = PlatformClock(clock, wire)
        self._errors = errors
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        date = format_datetime(self._clock.now(), usegmt=True)

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["date"] = date
            await send(message)

        if self._wire.down:
            await self._errors("503")(scope, receive, dated)
            return
        fault = self._next_fault(scope["path"])
        if fault in _BEFORE:
            await self._errors(fault)(scope, receive, dated)
        elif fault in _AFTER:
            await self._app(scope, receive, _discard)
            await self._errors(_AFTER[fault])(scope, receive, dated)
        elif fault == "cut":
            await _cut(self._app, scope, receive, dated)
        else:
            await self._app(scope, receive, dated)

    def _next_fault(self, path: str) -> str:
        faults = self._wire.fail_next
        if not faults or self._exempt(path) or not (faults[0] in _BEFORE or faults[0] in _AFTER or faults[0] == "cut"):
            return ""
        return faults.pop(0)


async def _discard(message: Message) -> None:
    return None


async def _cut(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run the app and send only the first half of its body, as if that were all."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    body = b"".join(message.get("body", b"") for message in messages if message["type"] == "http.response.body")
    half = body[: len(body) // 2]
    for message in messages:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["content-length"] = str(len(half))
            await send(message)
    await send({"type": "http.response.body", "body": half})
