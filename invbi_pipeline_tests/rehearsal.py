"""A whole emulated retailer in this process, on a clock that moves when somebody waits: whole runs in seconds.

invbi talks to the emulators by the real HTTP clients over `httpx.ASGITransport`; the published sheet, which gspread writes over
a socket, is served on loopback. What the world knows (truth, planted faults, the accounts' stores) is asked of the world alone.
"""

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from invbi_pipeline.channels.protocol import Clock
from invbi_pipeline.cli.bench.chaos.fuse import Fuse, FusedWarehouse, Killed
from invbi_pipeline.config import Config, load_config
from invbi_pipeline.domain.words import MovementKind
from invbi_pipeline.flows.context import Context, SystemClock, open_context
from invbi_pipeline.flows.run import RunResult, run
from invbi_pipeline.sandbox import presets
from invbi_pipeline.sandbox.erp import ErpAccount
from invbi_pipeline.sandbox.server import create_app
from invbi_pipeline.sandbox.sheets import SheetsService
from invbi_pipeline.sandbox.world import LiveClock, VirtualClock, World
from invbi_pipeline.sandbox.world.configuration import sheets_token
from invbi_pipeline_tests.sandbox.serving import serving

__all__ = [
    "LAGS_S",
    "STEP_S",
    "Door",
    "Fuse",
    "Go",
    "Killed",
    "Rehearsal",
    "Sent",
    "WorldTime",
    "changes",
    "is_write",
    "refused",
    "rehearsal",
    "repeated",
]

Go = Callable[[httpx.Request], Awaitable[httpx.Response]]

STEP_S = 300.0  # how often invbi looks
LAGS_S = 3600.0  # longer than any order, booking or visibility lag of the presets
_MOST_LOOKS = 20


class WorldTime:
    """The world's clock as invbi's: whoever waits lets the world live through the time that is waited for."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> datetime:
        return self._world.business.now

    async def sleep(self, seconds: float) -> None:
        until = self.now() + timedelta(seconds=seconds)
        await asyncio.sleep(0)  # others who waited meanwhile may have moved the time far enough
        if until > self.now():
            self._world.advance_to(until)


class Sent(httpx.AsyncBaseTransport):
    """The way to the emulators; keeps what reached them and what they said. Each request passes the fuse twice.

    `way` is how a request goes on from here: it is handed the request, and what carries it out.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._inner = httpx.ASGITransport(app)
        self.way: Callable[[httpx.Request, Go], Awaitable[httpx.Response]] = lambda request, go: go(request)
        self.requests: list[httpx.Request] = []
        self.answers: list[bytes] = []
        self._refused: set[int] = set()  # requests, by number
        self.fuse = Fuse()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        kind = "write" if is_write(request) else "read"
        self.fuse(f"{kind}: leaving")
        response = await self.way(request, self._carried_out)
        self.fuse(f"{kind}: carried out")
        return response

    async def _carried_out(self, request: httpx.Request) -> httpx.Response:
        number = len(self.requests)
        self.requests.append(request)
        response = await self._inner.handle_async_request(request)
        self.answers.append(await response.aread())
        if is_write(request) and refused(self.answers[-1]):
            self._refused.add(number)
        return response

    def changes_since(self, first: int) -> Counter[tuple[str, ...]]:
        """Return `changes` of the requests since the `first`."""
        return changes(self.requests[first:])

    def repeated_since(self, first: int) -> list[tuple[str, ...]]:
        """Return `repeated` of the requests since the `first`, as far as the platform did not refuse them as a whole."""
        return repeated(one for n, one in enumerate(self.requests) if n >= first and n not in self._refused)

    def writes(self) -> list[httpx.Request]:
        """Return the requests that change a number of a platform."""
        return [request for request in self.requests if is_write(request)]


def is_write(request: httpx.Request) -> bool:
    """Say whether a request changes a number of a platform."""
    path, body = request.url.path, request.content
    if request.method == "PATCH":  # Amazon: one listing
        return True
    if request.method != "POST" or path.startswith("/sheets"):
        return False
    mutation = b"inventorySetQuantities" in body or b"inventoryAdjustQuantities" in body
    return mutation or path.endswith(("/inventory/changes/batch-create", "/feeds"))


def refused(answer: bytes) -> bool:
    """Say whether Shopify carried out nothing of a batch: one bad row is enough, and the others go again under another key."""
    try:
        said = json.loads(answer)
    except ValueError:  # cut short: it may have
        return False
    return any(row.get("userErrors") for row in _rows(said))


def changes(requests: Iterable[httpx.Request]) -> Counter[tuple[str, ...]]:
    """Return how often each change was asked for: (system, listing, location, from what to what, or the movement's reference)."""
    return Counter(change for request in requests if is_write(request) for change in _changes(request))


def repeated(requests: Iterable[httpx.Request]) -> list[tuple[str, ...]]:
    """Return what was asked for again under another key: a movement posted before, or a number set as it was set last.

    Under the same key a platform carries out one request, however often it is sent. A number that went 30 -> 31 -> 30 -> 31 was
    decided three times, as what was known of the owner's movements changed.
    """
    again, last, posted = [], dict[tuple[str, ...], str](), set[tuple[str, ...]]()
    once = {_key(request) or (n,): request for n, request in enumerate(requests)}
    for change in (change for request in once.values() if is_write(request) for change in _changes(request)):
        number, what = change[:3], change[3]
        if "/" in what and not what.startswith("["):  # a movement's reference, not a number or patches
            again += [change] * (change in posted)
            posted.add(change)
            continue
        again += [change] * (last.get(number) == what)
        last[number] = what
    return again


def _key(request: httpx.Request) -> tuple[str, str] | None:
    """Return (where, idempotency key) of a request that has one."""
    body = json.loads(request.content) if is_write(request) else {}
    key = body.get("idempotency_key") or body.get("variables", {}).get("key")
    return (request.url.path, key) if key else None


def _changes(request: httpx.Request) -> Iterator[tuple[str, ...]]:
    system, *path = request.url.path.strip("/").split("/")
    body = json.loads(request.content)
    if request.method == "PATCH":
        yield system, unquote(path[-1]), "", json.dumps(body["patches"])
    for row in _rows(body):
        if "inventoryItemId" in row:
            posts = "delta" in row
            change = (
                body["variables"]["input"]["referenceDocumentUri"] if posts else f"{row['changeFromQuantity']} {row['quantity']}"
            )
            yield system, row["inventoryItemId"], row["locationId"], change
        elif "catalog_object_id" in row:
            yield system, row["catalog_object_id"], row["location_id"], row.get("reference_id", row["quantity"])


def _rows(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object within a decoded body."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _rows(inner)


class Door:
    """Where other processes come in. The address is known before the world is, whose links hold it.

    `seen` keeps the requests that came in by it; `after_write` is called when one that changes a number was carried out, before
    its answer leaves.
    """

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        self.seen: list[tuple[str, str]] = []
        self.writes: list[httpx.Request] = []
        self.after_write: Callable[[], None] = lambda: None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            return
        request = httpx.Request(scope["method"], f"http://door{scope['path']}", content=body)
        self.seen.append((request.method, request.url.path))
        if is_write(request):
            self.writes.append(request)

        async def again() -> Message:
            return {"type": "http.request", "body": request.content, "more_body": False}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and is_write(request):
                self.after_write()
            await send(message)

        await self.app(scope, again, answer)


async def _body(receive: Receive) -> bytes | None:
    """Return what was sent; None where the sender ended before he had sent it whole: no platform carries that out."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


@dataclass
class Rehearsal:
    """One retailer. Every `open` is a new process's view of it: its stores are on disk, its channels new."""

    world: World
    folder: Path
    path: Path
    config: Config
    clock: Clock
    wire: Sent
    secrets: dict[str, str]
    address: str
    door: "Door"
    sheets: SheetsService
    results: list[RunResult] = field(default_factory=list)
    turns: Iterator[int] = field(default_factory=lambda: count(1))  # for whoever does the same with other goods each time

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Context]:
        async with open_context(self.config, self.clock, random.Random(len(self.results)), transport=self.wire) as ctx:
            if self.wire.fuse.armed:
                ctx.warehouse = FusedWarehouse(ctx.warehouse.path, ctx.warehouse.wait_s, self.wire.fuse)
            yield ctx

    async def look(self, *, dry_run: bool = False, publishing: bool = False) -> RunResult:
        """Run once, as a process of its own would."""
        async with self.open() as ctx:
            self.results.append(await run(ctx, dry_run=dry_run, publishing=publishing))
        return self.results[-1]

    def run(self, *, dry_run: bool = False, publishing: bool = False, wait_s: float = 0.0) -> RunResult:
        """Let `wait_s` seconds of the world pass, then run once."""
        if wait_s:
            self.world.advance(wait_s)
        return asyncio.run(self.look(dry_run=dry_run, publishing=publishing))

    def killed(self, blow: Callable[[int, str], bool]) -> list[str]:
        """Run as a process that ends at a step; return the steps it passed. Fails where it came to its end."""
        fuse = self.wire.fuse = Fuse(blow)
        try:
            with fuse.watching():
                self.run()
        except Killed:
            return fuse.seen
        finally:
            self.wire.fuse = Fuse()
        raise AssertionError(f"it came to its end after {len(fuse.seen)} steps")

    def live(self, before_each: Callable[[], None] = lambda: None) -> None:
        """Look every five minutes until all that is planted has happened, freeze the world and let its lags pass."""
        ends = self.world.planter.plan_ends or self.world.business.now
        while True:
            before_each()
            self.run()
            if self.world.business.now >= ends + timedelta(seconds=STEP_S) or len(self.results) >= _MOST_LOOKS:
                break
            self.world.advance(STEP_S)
        self.world.freeze()
        self.world.advance(LAGS_S)

    def damage(self, place: str, units: int, most: int = 3, skip: int = 0) -> list[str]:
        """Let staff write off so many units of some skus of a place that channels sell from it; below 0 they come in.

        Return the skus.

        The fullest shelves come first; `skip` goes on so many further, round and round.
        """
        goods, book = self.world.goods, self.world.business.shelves.book
        offered = [sku for (where, sku), n in book.items() if where == place and n > units and self._offers(place, sku, units)]
        fullest = sorted(offered, key=lambda sku: (-book[place, sku], sku))
        skus = (fullest * 2)[skip % max(1, len(fullest)) :][: min(most, len(fullest))]
        assert skus, f"no channel offers {units} units of anything from {place}"
        for sku in skus:
            goods.book(place, sku, -units, MovementKind.DAMAGE if units > 0 else MovementKind.RECEIPT)
        self.export()
        return skus

    def _offers(self, place: str, sku: str, units: int) -> bool:
        """Say whether a channel that does not count the place shows more than so many units that lie there."""
        for system in self.world.business.channels():
            listing = system.single(sku)
            if listing and place in system.sells_from and place not in system.counts and system.number(listing, place) > units:
                return True
        return False

    def sell(self, channel: str, place: str, units: int = 1, *, pos: bool = False, skip: int = 0) -> str:
        """Let a shopper buy what lies at a place, over the counter there (`pos`) or by mail. Return the sku.

        It is the first listing of which enough lies and is shown there; `skip` goes on so many further, round and round.
        """
        system, shelves = self.world.business.systems[channel], self.world.business.shelves
        singles = (one for one in system.listings.values() if one.units == 1 and not one.platform_fulfilled)
        lies = (one for one in singles if shelves.book.get((place, one.sku), 0) > units + 5)
        there = [one for one in lies if place in system.counts or system.number(one, place) > units]
        listing = there[skip % len(there)]
        self.world.shoppers.place_order(system, place, [(listing, units)], pos=pos)
        return listing.sku

    def export(self) -> None:
        """Let the ERP write its files now, not at the next quarter of an hour."""
        for system in self.world.business.systems.values():
            if isinstance(system.account, ErpAccount):
                system.account.export()

    def numbers(self) -> dict[tuple[str, str, str], int | None]:
        """Return every number of every account, as it stands in the platforms' stores."""
        return {
            (name, key, place): system.account.number(key, place)
            for name, system in self.world.business.systems.items()
            for key in system.listings
            for place in (system.place_of or {"": ""})
        }


@contextmanager
def rehearsal(
    folder: Path,
    preset: str = "till_master",
    *,
    seed: int = 1,
    skus: int = 60,
    history_days: int = 7,
    faults: bool = True,
    live: bool = False,
) -> Iterator[Rehearsal]:
    """Bring a retailer to life in a folder; its secrets are in the environment for as long as it lives.

    `live`: its clock is the wall's, for a process of its own that talks to it over loopback. Its last sale is longer ago than any
    lag, at whatever time of day it is told, and nobody but the test does anything from then on.
    """
    door, clock = Door(), LiveClock(LAGS_S) if live else VirtualClock()
    kept = dict(os.environ)
    with serving(door) as address:
        world = presets.build(preset, seed, skus, address, folder, clock, history_days=history_days, faults=faults)
        if live:
            world.freeze()
            world.advance_to(clock.now())  # the warehouse's program imports what was shipped last
        sheets = SheetsService(clock, sheets_token(world))
        app = door.app = create_app(world, sheets.app)
        path, secrets = presets.write_config(world, folder), presets.secrets(world)
        os.environ.update(secrets)
        try:
            time = SystemClock() if live else WorldTime(world)
            yield Rehearsal(world, folder, path, load_config(path), time, Sent(app), secrets, address, door, sheets)
        finally:
            os.environ.clear()
            os.environ.update(kept)
