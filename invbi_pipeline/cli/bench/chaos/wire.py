"""The way to the emulators, with the wire's own faults: refusals in every spelling, effects nobody hears of, answers cut short.

Faults that a platform would word by itself are asked of its emulator (`sandbox.contract.Wire.fail_next`); those of the network in
between are made here. What is counted is what really happened, not what was drawn.
"""

import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import unquote

import httpx

from invbi_pipeline.cli.bench.chaos.estate import Retailer
from invbi_pipeline.cli.bench.chaos.fuse import Fuse
from invbi_pipeline.cli.bench.chaos.monitor import Monitor, numbers
from invbi_pipeline.cli.bench.chaos.people import MEDDLING, People
from invbi_pipeline.cli.bench.leap import LeapClock
from invbi_pipeline.sandbox.world.places import System

__all__ = ["MEDDLING", "WIRE_FAULTS", "ChaosWire", "writes"]

_LATENCY_S: Final = (0.02, 0.4)  # there and back, each
_A_READ: Final = 0.05  # chance of a fault
_A_WRITE: Final = 0.25
_A_MEDDLER: Final = 0.3  # chance that somebody touches what is about to be written
_CURSORS: Final = ("after", "cursor", "pageToken", "nextToken", "paginationToken")
_SIZES: Final = ("first", "limit", "pageSize")
_FEW_ALLOW: Final = {"half a batch applied": 0.5, "expired cursor": 0.1}  # chance, where a request can meet it
_SHORT: Final = 5  # rows of a page, where a platform gives fewer than it was asked for

# The platform's own words for a fault, and what we call it.
_BY_THE_PLATFORM: Final[Mapping[str, str]] = {
    "429": "429 in the platform's own words",
    "500": "5xx before the effect",
    "500_after": "5xx after the effect",
    "timeout_after": "504 after the effect",
    "cut": "JSON cut short",
    "200_errors": "errors inside 200",
    "token_expired": "token expired",
}


_Point = tuple[str, str]
"""A number of a system: (listing key, location key)."""


def writes(request: httpx.Request) -> bool:
    """Say whether a request changes a number of a platform."""
    if request.method == "PATCH":  # Amazon: one listing
        return True
    body = request.content
    mutation = b"inventorySetQuantities" in body or b"inventoryAdjustQuantities" in body
    return request.method == "POST" and (mutation or request.url.path.endswith(("/inventory/changes/batch-create", "/feeds")))


@dataclass(slots=True)
class _Way:
    """The way to one retailer's platforms."""

    retailer: Retailer
    people: People
    inner: httpx.ASGITransport
    dice: random.Random


@dataclass(frozen=True, slots=True)
class _Passing:
    """One request on its way."""

    way: _Way
    system: System
    request: httpx.Request
    carry: Callable[[httpx.Request], Awaitable[httpx.Response]]


_Fault = Callable[[_Passing], Awaitable[httpx.Response | None]]
"""Do it, and return the answer that arrives; None: it cannot happen to this request, and nothing was changed."""


class ChaosWire(httpx.AsyncBaseTransport):
    """All requests of all systems. While `wild`, faults happen; `toll` counts those that did, `sent` every request.

    Each request passes the fuse twice, takes time both ways, and lets its retailer's world live up to its arrival.
    """

    def __init__(self, retailers: Sequence[Retailer], people: Mapping[int, People], monitor: Monitor, toll: Counter[str]) -> None:
        self.clock: LeapClock | None = None
        self.fuse = Fuse()
        self.wild = False
        self.sent = 0
        self.toll = toll
        self._monitor = monitor
        self._ways = {one.host: _Way(one, people[one.seed], httpx.ASGITransport(one.app), one.dice("wire")) for one in retailers}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one request."""
        way = self._ways[request.url.host]
        system = way.retailer.world.business.systems[request.url.path.split("/")[1]]
        changes = writes(request)
        kind = "write" if changes else "read"
        self.fuse(f"{kind}: leaving")
        if changes:
            self._monitor.leaves(way.retailer, system)
        await self._travel(way)
        meddled = None
        if changes and self.wild and way.dice.random() < _A_MEDDLER:
            meddled = self._meddle(way, system, request)
        passing = _Passing(way, system, request, self._carrier(way, system, meddled))
        response = await self._perhaps_failing(passing, _A_WRITE if changes else _A_READ)
        self.fuse(f"{kind}: carried out")
        await self._travel(way)
        return response

    async def _travel(self, way: _Way) -> None:
        assert self.clock is not None
        await self.clock.sleep(way.dice.uniform(*_LATENCY_S))
        way.retailer.world.advance_to(self.clock.now())

    def _carrier(self, way: _Way, system: System, meddled: _Point | None) -> Callable[[httpx.Request], Awaitable[httpx.Response]]:
        async def carry(request: httpx.Request) -> httpx.Response:
            self.sent += 1
            before = numbers(system) if writes(request) else {}
            response = await way.inner.handle_async_request(request)
            content = await response.aread()
            if writes(request):
                sets = b"inventorySetQuantities" in request.content or b"PHYSICAL_COUNT" in request.content
                unlike = meddled if meddled and _compared(request, meddled) != before.get(meddled) else None
                self._monitor.wrote(way.retailer, system, before, sets=sets or request.method == "PATCH", meddled=unlike)
            return _answer(response.status_code, response.headers, content, request)

        return carry

    async def _perhaps_failing(self, passing: _Passing, chance: float) -> httpx.Response:
        dice = passing.way.dice
        drawn = [name for name, often in _FEW_ALLOW.items() if self.wild and dice.random() < often]
        if self.wild and dice.random() < chance:
            drawn.append(dice.choice(list(WIRE_FAULTS)))
        for name in drawn:
            try:
                response = await WIRE_FAULTS[name](passing)
            except httpx.TransportError:
                self.toll[name] += 1
                raise
            if response is not None:
                self.toll[name] += 1
                return response
        return await passing.carry(passing.request)

    def _meddle(self, way: _Way, system: System, request: httpx.Request) -> _Point | None:
        text = unquote(str(request.url)) + request.content.decode()
        keys = [key for key, one in system.listings.items() if key in text and not one.platform_fulfilled]
        return way.people.meddle(system, keys, way.dice) if keys else None


def _compared(request: httpx.Request, point: _Point) -> int | None:
    """Return the number that Shopify is told to compare with, which nobody can tell from one that was changed and came back."""
    if b"inventorySetQuantities" not in request.content:
        return None
    key, location = point
    for one in json.loads(request.content)["variables"]["input"]["quantities"]:
        if one["inventoryItemId"].endswith(f"/{key}") and one["locationId"].endswith(f"/{location}"):
            compared: int | None = one["changeFromQuantity"]
            return compared
    return None


def _answer(status: int, headers: httpx.Headers, content: bytes, request: httpx.Request) -> httpx.Response:
    kept = [(name, value) for name, value in headers.items() if name not in ("content-length", "content-encoding")]
    return httpx.Response(status, headers=kept, content=content, request=request)


# the faults


def _worded(kind: str) -> _Fault:
    async def fail(passing: _Passing) -> httpx.Response | None:
        faults = passing.system.account.wire.fail_next
        faults.append(kind)
        response = await passing.carry(passing.request)
        if kind not in faults:
            return response
        faults.remove(kind)  # the platform has no such trouble on this path: a login, a download
        return None

    return fail


def _refused(status: int, headers: Callable[[_Passing], Mapping[str, str]], body: bytes = b"") -> _Fault:
    async def refuse(passing: _Passing) -> httpx.Response:
        date = {"date": format_datetime(passing.way.retailer.world.business.now, usegmt=True)}
        return httpx.Response(status, headers={**date, **headers(passing)}, content=body, request=passing.request)

    return refuse


def _in_a_moment(passing: _Passing) -> Mapping[str, str]:
    later = passing.way.retailer.world.business.now + timedelta(seconds=2)
    return {"Retry-After": format_datetime(later, usegmt=True)}


async def _never_connected(passing: _Passing) -> httpx.Response:
    raise httpx.ConnectError("no route", request=passing.request)


async def _timed_out(passing: _Passing) -> httpx.Response:
    await passing.carry(passing.request)
    raise httpx.ReadTimeout("no answer", request=passing.request)


async def _lost(passing: _Passing) -> httpx.Response:
    await passing.carry(passing.request)
    raise httpx.RemoteProtocolError("the server went away", request=passing.request)


async def _half_a_batch(passing: _Passing) -> httpx.Response | None:
    """A till books the first half of what it is sent, and then stumbles."""
    request = passing.request
    if not request.url.path.endswith("/inventory/changes/batch-create"):
        return None
    body = json.loads(request.content)
    if len(body["changes"]) < 2:
        return None
    half = {
        **body,
        "idempotency_key": f"{body['idempotency_key']}:"[-128:],
        "changes": body["changes"][: len(body["changes"]) // 2],
    }
    await passing.carry(_with_body(request, half))
    return await _refused(500, lambda _: {})(passing)


async def _dead_cursor(passing: _Passing) -> httpx.Response | None:
    """A page's cursor is not known any more."""
    changed = _changed(passing.request, _CURSORS, lambda value: f"{value}x"[::-1] if value else value)
    return None if changed is None else await passing.carry(changed)


async def _short_pages(passing: _Passing) -> httpx.Response | None:
    """A page holds fewer rows than was asked for."""
    changed = _changed(passing.request, _SIZES, lambda value: type(value)(min(int(value), _SHORT)))
    return None if changed is None else await passing.carry(changed)


async def _mixed_orders(passing: _Passing) -> httpx.Response | None:
    """A page of orders holds some of them twice, and in another order."""
    if writes(passing.request):
        return None
    response = await passing.carry(passing.request)
    try:
        said = json.loads(response.content)
    except ValueError:
        return None
    pages = [page for page in _pages_of_orders(said) if page]
    if not pages:
        return None
    for page in pages:
        page.extend(passing.way.dice.sample(page, max(1, len(page) // 2)))
        passing.way.dice.shuffle(page)
    return _answer(response.status_code, response.headers, json.dumps(said).encode(), passing.request)


def _pages_of_orders(said: Any) -> list[list[Any]]:
    found: list[list[Any]] = []
    for name, value in said.items() if isinstance(said, dict) else ():
        if name == "orders":
            rows = value.get("nodes") if isinstance(value, dict) else value
            found += [rows] if isinstance(rows, list) else []
        else:
            found += _pages_of_orders(value)
    return found


def _changed(request: httpx.Request, names: Sequence[str], change: Callable[[Any], Any]) -> httpx.Request | None:
    """Return the request with these of its parameters changed; None where none of them is."""
    query = dict(request.url.params)
    if request.method == "GET" and any(query.get(name) for name in names):
        asked = {name: change(value) if name in names else value for name, value in query.items()}
        return httpx.Request(request.method, request.url.copy_with(params=asked), headers=request.headers)
    try:
        body = json.loads(request.content)
    except ValueError:
        return None
    given = body.get("variables", body) if isinstance(body, dict) else {}
    if not any(given.get(name) for name in names):
        return None
    given |= {name: change(given[name]) for name in names if given.get(name)}
    return _with_body(request, body)


def _with_body(request: httpx.Request, body: Any) -> httpx.Request:
    headers = [(name, value) for name, value in request.headers.items() if name != "content-length"]
    return httpx.Request(request.method, request.url, headers=headers, content=json.dumps(body).encode())


WIRE_FAULTS: Final[Mapping[str, _Fault]] = {
    **{name: _worded(kind) for kind, name in _BY_THE_PLATFORM.items()},
    "429 without a word": _refused(429, lambda _: {}),
    "429 with a date": _refused(429, _in_a_moment),
    "503 with seconds": _refused(503, lambda _: {"Retry-After": "1"}),
    "a page of HTML": _refused(502, lambda _: {"Content-Type": "text/html"}, b"<html><h1>Bad Gateway</h1></html>"),
    "never connected": _never_connected,
    "time-out after the effect": _timed_out,
    "connection lost after the effect": _lost,
    "half a batch applied": _half_a_batch,
    "expired cursor": _dead_cursor,
    "short pages": _short_pages,
    "orders twice and out of order": _mixed_orders,
}
