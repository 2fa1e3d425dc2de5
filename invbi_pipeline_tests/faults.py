"""The grammar of what goes wrong on the wire: each kind befalls one request, or it and all that follow."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final, Protocol

import httpx

from invbi_pipeline.channels.protocol import Clock
from invbi_pipeline.sandbox.contract import Wire as AccountWire

__all__ = ["KINDS", "Trouble"]

Go = Callable[[httpx.Request], Awaitable[httpx.Response]]

# The emulator spells these in its platform's own words.
_SPELT: Final = ("429", "500", "500_after", "timeout_after", "cut", "200_errors", "token_expired")
# A gateway before the platform throttles in its own words: nothing of the request reaches the platform.
_WAITS: Final[Mapping[str, Callable[[Clock], Mapping[str, str]]]] = {
    "429 in milliseconds": lambda clock: {"Retry-After-Ms": "1500"},
    "429 with a date": lambda clock: {"Retry-After": f"{clock.now() + timedelta(seconds=2):%a, %d %b %Y %H:%M:%S GMT}"},
    "429 until a moment": lambda clock: {"X-RateLimit-Reset": str(int(clock.now().timestamp()) + 2)},
    "429 without a word": lambda clock: {},
}
# The line: no platform says anything.
_LINE: Final[Mapping[str, type[httpx.RequestError]]] = {
    "never connected": httpx.ConnectError,
    "no answer after the effect": httpx.ReadTimeout,
    "cut off after the effect": httpx.RemoteProtocolError,
}
_DEAD_CURSOR: Final = "expired cursor"  # the platform knows the place no more where a list was to go on
_HALF: Final = "half a batch applied"  # the first rows had their effect, then the line was cut
KINDS: Final = (*_SPELT, *_WAITS, *_LINE, _DEAD_CURSOR, _HALF)
# How the platforms call the place where a list goes on, and the rows of one change.
_CURSORS: Final = ("cursor", "after", "pageToken", "nextToken", "paginationToken")
_ROWS: Final = ("changes", "quantities")
_AFTER_THE_EFFECT: Final = frozenset({"no answer after the effect", "cut off after the effect"})
AFTER_THE_EFFECT: Final = frozenset(
    {"500_after", "timeout_after", "cut", "no answer after the effect", "cut off after the effect", _HALF}
)


class Place(Protocol):
    """Finds the account that a request is for."""

    def __call__(self, request: httpx.Request) -> AccountWire: ...


class Trouble:
    """Befalls the n-th request that it sees, or from there on every one. `struck` counts those that it befell."""

    def __init__(self, kind: str, nth: int, account: Place, clock: Clock, *, for_ever: bool = False) -> None:
        self.struck = 0
        self._kind, self._left, self._for_ever = kind, nth, for_ever
        self._account, self._clock = account, clock

    async def __call__(self, request: httpx.Request, go: Go) -> httpx.Response:
        self._left -= 1
        if self._left > 0 or (self._left < 0 and not self._for_ever):
            return await go(request)
        self.struck += 1
        if self._kind in _WAITS:
            headers = {**_WAITS[self._kind](self._clock), "Date": f"{self._clock.now():%a, %d %b %Y %H:%M:%S GMT}"}
            return httpx.Response(429, headers=headers, json={}, request=request)
        if self._kind in _LINE:
            if self._kind in _AFTER_THE_EFFECT:
                await (await go(request)).aread()
            raise _LINE[self._kind]("the line is cut", request=request)
        if self._kind == _DEAD_CURSOR:
            return await go(_elsewhere(request))
        if self._kind == _HALF:
            if (half := _first_half(request)) is None:
                return await go(request)
            await (await go(half)).aread()
            raise httpx.ReadTimeout("the line is cut", request=request)
        waiting = self._account(request).fail_next
        waiting.append(self._kind)
        try:
            return await go(request)
        finally:
            waiting.clear()  # a kind that this request has no word for


def _elsewhere(request: httpx.Request) -> httpx.Request:
    """Return the request with a cursor that was never given, where it has any."""
    dead = {name: "bm93aGVyZQ" for name in request.url.params if name in _CURSORS}
    body = _body(request)
    asked = body.get("variables", body)
    for name in [name for name in _CURSORS if isinstance(asked, dict) and asked.get(name)]:
        asked[name] = "bm93aGVyZQ"
    return _again(request, body, request.url.copy_merge_params(dead))


def _first_half(request: httpx.Request) -> httpx.Request | None:
    """Return the request with the first half of the rows that it is to change; None where they are fewer than two."""
    body = _body(request)
    for holder in (body, body.get("variables", {}).get("input", {})):
        for name in _ROWS:
            rows = holder.get(name) if isinstance(holder, dict) else None
            if isinstance(rows, list) and len(rows) > 1:
                holder[name] = rows[: len(rows) // 2]
                return _again(request, body, request.url)
    return None


def _body(request: httpx.Request) -> dict[str, Any]:
    try:
        body = json.loads(request.content)
    except ValueError:  # none, or a form
        return {}
    return body if isinstance(body, dict) else {}


def _again(request: httpx.Request, body: dict[str, Any], url: httpx.URL) -> httpx.Request:
    content = json.dumps(body).encode() if body else request.content
    headers = {name: value for name, value in request.headers.items() if name != "content-length"}
    return httpx.Request(request.method, url, headers=headers, content=content)
