"""Pushes as large as a bad morning: one whole loop over thousands of wrong numbers on three platforms, in virtual time.

Every request takes `LATENCY_S` on the platforms' clock and obeys their limits, which the emulators keep by code of their own.
"""

import asyncio
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import polars as pl

from invbi_pipeline.cli.bench.leap import LeapClock, LeapLoop
from invbi_pipeline.cli.bench.push_shops import CHANNELS, HIDDEN_RATE, PushShops, push_shops
from invbi_pipeline.cli.bench.report import Result, Target
from invbi_pipeline.flows.context import Context, open_context
from invbi_pipeline.flows.run import run

__all__ = ["LATENCY_S", "bench_push"]

LATENCY_S: Final = 0.03
_SMALL_READS: Final = 1200  # of the till, as a day of webhooks makes them: they tell how much it takes
_LATER_S: Final = 1200.0  # longer than Amazon takes to show what it accepted
_POINTS: Final = (100.0, 2000.0)  # a second and at once: Shopify's standard plan
_PATCHES: Final = (5.0, 5.0)  # Amazon's usage plan of patchListingsItem


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request: when it reached the platform, for what, whether it was turned away, and what it took of the limit."""

    at: datetime
    what: str
    throttled: bool
    cost: float
    written: tuple[str, ...]


@dataclass
class _Wire(httpx.AsyncBaseTransport):
    """The way to all three platforms; keeps what each was asked."""

    shops: PushShops
    clock: LeapClock
    asked: dict[str, list[_Asked]] = field(default_factory=lambda: {name: [] for name in CHANNELS})

    def __post_init__(self) -> None:
        self._ways = {f"{name}.test": (name, self.shops.app(name)) for name in CHANNELS}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        name, way = self._ways[request.url.host]
        await self.clock.sleep(LATENCY_S)
        at = self.clock.now()
        response = await way.handle_async_request(request)
        body = await response.aread()
        refused = response.status_code == 429 or (name == "shopify" and b'"THROTTLED"' in body)
        written = () if refused or not response.is_success else tuple(_written(request))
        self.asked[name].append(_Asked(at, _operation(request), refused, _cost(name, body, refused=refused), written))
        return response

    def since(self, name: str, first: int) -> list[_Asked]:
        return self.asked[name][first:]


def _operation(request: httpx.Request) -> str:
    if request.method == "PATCH":
        return "patch"
    path = request.url.path
    if path.endswith("graphql.json"):
        return "set" if b"inventorySetQuantities" in request.content else "read"
    return "change" if path.endswith("/batch-create") else path.rpartition("/")[2]


def _cost(name: str, body: bytes, *, refused: bool) -> float:
    if refused:
        return 0.0
    if name != "shopify":
        return 1.0
    try:
        return float(json.loads(body)["extensions"]["cost"]["actualQueryCost"] or 0)
    except (ValueError, KeyError, TypeError):
        return 0.0  # a document that is downloaded costs no points


def _written(request: httpx.Request) -> Iterator[str]:
    """Yield the listings that a request changes the number of."""
    if request.method == "PATCH":
        yield request.url.path.rpartition("/")[2]
    if _operation(request) not in ("set", "change") and request.method != "PUT":
        return
    body = json.loads(request.content)
    if "variables" in body:
        yield from (row["inventoryItemId"].rpartition("/")[2] for row in body["variables"]["input"]["quantities"])
    yield from (change["physical_count"]["catalog_object_id"] for change in body.get("changes", ()))
    yield from (message["sku"] for message in body.get("messages", ()))


def bench_push(corrections: int = 10_000) -> Result:
    """Correct so many numbers on each of Shopify, Square and Amazon; report what of their limits was used, and what it cost."""
    from invbi_pipeline.sandbox.world.clock import GO_LIVE

    clock, began = LeapClock(GO_LIVE), time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="invbi-bench-") as folder, push_shops(Path(folder), clock, corrections) as shops:
        wire = _Wire(shops, clock)
        with asyncio.Runner(loop_factory=LeapLoop) as runner:
            clock.follow(runner.get_loop())
            pushed = runner.run(_measure(shops, clock, wire))
        wrong = {name: shops.wrong(name) for name in CHANNELS}
    figures: dict[str, Any] = {"corrections on each channel": corrections, "seconds on the wire of a request": LATENCY_S}
    targets: list[Target] = []
    for name in CHANNELS:
        asked = wire.since(name, pushed.first[name])
        more, kept = _LIMITS[name](asked)
        figures |= {f"{name}: {key}": value for key, value in {**more, **_receipts(name, pushed.outbox)}.items()}
        twice = sum(n - 1 for n in Counter(key for one in asked for key in one.written).values())
        targets += [
            *kept,
            Target(f"{name}: numbers written twice", twice, "0", twice == 0),
            Target(f"{name}: numbers left wrong, as its store says", wrong[name], "0", wrong[name] == 0),
        ]
    figures["seconds of work, the emulators' included"] = round(time.perf_counter() - began, 1)
    return Result("push", figures, tuple(targets))


@dataclass(frozen=True, slots=True)
class _Pushed:
    """How many requests each platform had been sent before the push, and the outbox after all was proved."""

    first: dict[str, int]
    outbox: pl.DataFrame


async def _measure(shops: PushShops, clock: LeapClock, wire: _Wire) -> _Pushed:
    def opened(seed: int) -> Any:
        return open_context(shops.config, clock, random.Random(seed), transport=wire)

    async with opened(1) as ctx:
        await run(ctx, publishing=False)
        await _read_often(ctx, shops)
    await clock.sleep(_LATER_S)
    shops.change()
    first = {name: len(wire.asked[name]) for name in CHANNELS}
    async with opened(2) as ctx:
        await run(ctx, publishing=False)
        if ctx.state.outbox.open_flights().is_empty():
            return _Pushed(first, ctx.state.outbox.in_state())
    await clock.sleep(_LATER_S)
    async with opened(3) as ctx:
        await run(ctx, publishing=False)
        return _Pushed(first, ctx.state.outbox.in_state())


async def _read_often(ctx: Context, shops: PushShops) -> None:
    point = (next(iter(shops.keys["square"].values())), shops.places["square"])
    for _ in range(_SMALL_READS):
        await ctx.channels["square"].read_back([point])


def _receipts(name: str, outbox: pl.DataFrame) -> dict[str, Any]:
    """Return how the corrections ended, and how long it took from the plan to the proof."""
    mine = outbox.filter(pl.col("system") == name)
    took = mine.select((pl.col("verified_at") - pl.col("planned_at")).dt.total_seconds()).to_series().drop_nulls()
    ends = ", ".join(f"{state} {n}" for state, n in sorted(Counter(mine["state"].to_list()).items()))
    half, most = (round(took.quantile(q) or 0) if took.len() else None for q in (0.5, 0.95))
    return {"ended": ends, "seconds to verified, half of them": half, "seconds to verified, 95 %": most}


def _limited(asked: list[_Asked], rate: float, burst: float) -> float:
    """Return what was taken of a limit, of what there was to take between the first and the last of these requests."""
    if len(asked) < 2:
        return 0.0
    there = burst + rate * (asked[-1].at - asked[0].at).total_seconds()
    return sum(one.cost for one in asked) / there


def _shopify(asked: list[_Asked]) -> tuple[dict[str, Any], list[Target]]:
    """Points: writes cost few of them, the proof many; measured over the proof, which is what has to wait for them."""
    writes = [one for one in asked if one.what == "set"]
    proof = _together([one for one in asked if writes and one.at > writes[-1].at])
    used, refused = _limited(proof, *_POINTS), sum(one.throttled for one in asked)
    figures = {
        "requests that wrote": len(writes),
        "points of all requests": round(sum(one.cost for one in asked)),
        "seconds from the first write to the last": _span(writes),
        "seconds of the proof": _span(proof),
    }
    return figures, [
        Target("shopify: share of the published points", round(used, 3), ">= 0.95", used >= 0.95),
        Target("shopify: requests throttled", refused, "0", refused == 0),
    ]


def _square(asked: list[_Asked]) -> tuple[dict[str, Any], list[Target]]:
    """Requests of the push itself, from the first write to the last: each batch is read just before it is written."""
    writes = [one for one in asked if one.what == "change"]
    steady = [one for one in asked if writes and writes[0].at <= one.at <= writes[-1].at]
    span = (steady[-1].at - steady[0].at).total_seconds() if len(steady) > 1 else 0.0
    used = sum(not one.throttled for one in steady[1:]) / (span * HIDDEN_RATE) if span else 0.0
    refused = sum(one.throttled for one in steady) / max(1, len(steady))
    figures = {
        "requests that wrote": len(writes),
        "requests from the first write to the last": len(steady),
        "seconds from the first write to the last": round(span),
        "requests a second it takes, which is told to nobody": HIDDEN_RATE,
    }
    return figures, [
        Target("square: share of the hidden limit", round(used, 3), ">= 0.9", used >= 0.9),
        Target("square: share of requests answered 429", round(refused, 4), "<= 0.01", refused <= 0.01),
    ]


def _amazon(asked: list[_Asked]) -> tuple[dict[str, Any], list[Target]]:
    """Patches, by which lowerings go; raises go in a feed."""
    patches = [one for one in asked if one.what == "patch"]
    used, refused = _limited(patches, *_PATCHES), sum(one.throttled for one in asked)
    figures = {
        "patches": len(patches),
        "feeds": sum(one.what == "feeds" for one in asked),
        "seconds from the first patch to the last": _span(patches),
    }
    return figures, [
        Target("amazon: share of the published rate of patches", round(used, 3), ">= 0.95", used >= 0.95),
        Target("amazon: requests answered 429", refused, "0", refused == 0),
    ]


_LIMITS: Final = {"shopify": _shopify, "square": _square, "amazon": _amazon}


def _together(asked: list[_Asked]) -> list[_Asked]:
    """Return the first of these requests, up to a pause that no limit explains."""
    longest = timedelta(seconds=60)
    for at in range(1, len(asked)):
        if asked[at].at - asked[at - 1].at > longest:
            return asked[:at]
    return asked


def _span(asked: list[_Asked]) -> int:
    return round((asked[-1].at - asked[0].at).total_seconds()) if asked else 0
