"""One world from its first look to its last: deeds are done, invbi runs every five minutes, everything is written down."""

import asyncio
import math
import os
import random
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from invbi_pipeline.cli.bench.detect.door import open_door
from invbi_pipeline.cli.bench.detect.plan import CYCLE_S, SETTLING, Deed, plan_deeds
from invbi_pipeline.cli.bench.detect.score import Lags, Look, Score, score
from invbi_pipeline.cli.world import Sandbox, WorldClock, sandbox_process
from invbi_pipeline.config import load_config
from invbi_pipeline.domain.words import COMPARABLE, FindingState
from invbi_pipeline.errors import Unreachable
from invbi_pipeline.flows.context import Context, open_context
from invbi_pipeline.flows.run import run
from invbi_pipeline.sandbox.world.faults.shelf import AGES

__all__ = ["TOLERANCE", "judged_world", "next_tick", "put_off"]

_AFTER_S: Final = 7 * CYCLE_S  # after the last deed: the patience that is due, and what is due to be mended
_LATER_S: Final = 2400.0  # a cycle where nothing happens but that time passes
TOLERANCE: Final = 1  # units, of the naive compare
_NOT_NOW: Final = {*AGES, "phantom_stock"}  # in the world's history; judged by `bench phantom`
_ROWS: Final = ["system", "listing_key", "location", "sku"]


def judged_world(preset: str, seed: int, skus: int, each: int) -> Score:
    """Build a world, plant every label `each` times, run invbi over HTTP until all are due, and score it."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with sandbox_process(preset=preset, seed=seed, skus=skus, folder=home, faults=False, aged=each) as sandbox:
            os.environ.update(sandbox.secrets())
            return asyncio.run(_live(sandbox, random.Random(f"{seed}/{preset}/deeds"), each))


async def _live(sandbox: Sandbox, dice: random.Random, each: int) -> Score:
    clock, looks = WorldClock(sandbox), list[Look]()
    known = sandbox.get("planted")
    config = load_config(sandbox.config)
    # faults and decoys of months in one hour: held as a mass change, they would hide whatever comes after
    busy = config.guards.model_copy(update={"max_changed_share_bp": 10_000})
    config = config.model_copy(update={"guards": busy})
    labels = [label for label in known["labels"] if label not in _NOT_NOW]
    systems = {name: str(system.platform) for name, system in config.systems.items()}
    deeds = plan_deeds(labels, known["kinds"], systems, each, dice)
    try:
        async with open_context(config, clock=clock) as ctx, open_door(ctx):
            for _ in range(SETTLING):
                looks.append(await _look(ctx, sandbox))
                await _until(clock, next_tick(looks[-1].at, clock.now()))
            began, ends = clock.now(), clock.now()
            while deeds or clock.now() < ends:
                upto = next_tick(looks[-1].at, clock.now())
                began = put_off(began, deeds, clock.now())
                while deeds and began + timedelta(seconds=deeds[0].at) <= upto:
                    deed = deeds.pop(0)
                    await _until(clock, began + timedelta(seconds=deed.at))
                    await asyncio.to_thread(_do, sandbox, deed)
                    ends = clock.now() + timedelta(seconds=_AFTER_S)
                await _until(clock, upto)
                looks.append(await _look(ctx, sandbox))
            due = _last_due(sandbox)
            while clock.now() < due:  # what only hours make a fact
                await clock.sleep(min(_LATER_S, *_due_in(sandbox, clock.now()), (due - clock.now()).total_seconds()))
                looks.append(await _look(ctx, sandbox))
            lags = Lags(_order_lags(ctx), {name: system.booking_lag_s for name, system in config.systems.items()})
    finally:
        await clock.aclose()
    said = sandbox.get("planted")
    return score(said["planted"], said["natural"], said["decoys"], looks, lags, CYCLE_S)


def _order_lags(ctx: Context) -> dict[str, float]:
    """Return how late each order feed is, seconds: as measured, and at least its floor and the sweep that comes after it."""
    measured = dict(ctx.warehouse.read("recon.feeds").select("system", pl.col("order_lag_s").fill_null(0)).iter_rows())
    floors = {name: channel.facts.order_lag.total_seconds() + CYCLE_S for name, channel in ctx.channels.items()}
    return {name: max(float(measured.get(name, 0)), floor) for name, floor in floors.items()}


def _last_due(sandbox: Sandbox) -> datetime:
    """Return when the last planted fault should have been seen that an observer can see, and that is a fact by its age."""
    rows = [row for row in sandbox.get("planted")["planted"] if row["ripe_at"] and not row["undetectable"]]
    ripe = max(datetime.fromisoformat(row["ripe_at"]) for row in rows)
    return ripe + timedelta(seconds=_AFTER_S)


def _due_in(sandbox: Sandbox, now: datetime) -> list[float]:
    """Return in how many seconds the schedule first looks at what becomes a fact next: a cycle later at most."""
    ripe = (datetime.fromisoformat(row["ripe_at"]) for row in sandbox.get("planted")["planted"] if row["ripe_at"])
    return [(at - now).total_seconds() + CYCLE_S for at in ripe if at > now]


def next_tick(began: datetime, now: datetime) -> datetime:
    """Return when the schedule runs next after a run that began then: every cycle, whatever a run took, but where one goes on."""
    cycle = timedelta(seconds=CYCLE_S)
    return began + max(1, math.ceil((now - began) / cycle)) * cycle


def put_off(began: datetime, deeds: Sequence[Deed], now: datetime) -> datetime:
    """Return the moment from which the deeds to come are counted: what fell into a run waits, and the rest as long.

    Done all at once after the run, unrelated faults would bear one and the same second, which speaks of one event.
    """
    return max(began, now - timedelta(seconds=deeds[0].at)) if deeds else began


async def _until(clock: WorldClock, moment: datetime) -> None:
    seconds = (moment - clock.now()).total_seconds()
    if seconds > 0:
        await clock.sleep(seconds)


def _do(sandbox: Sandbox, deed: Deed) -> None:
    """Ask the world for it; where nothing in this world suits, nothing happens."""
    page, asked = ("plant", {"label": deed.label}) if deed.label else ("decoy", {"kind": deed.kind})
    try:
        sandbox.post(page, {**asked, **deed.options})
    except Unreachable:
        if deed.options.pop("overlap", ""):
            _do(sandbox, deed)


async def _look(ctx: Context, sandbox: Sandbox) -> Look:
    facts: list[Any] = await asyncio.to_thread(sandbox.get, "facts")
    began = ctx.clock.now()
    await run(ctx, publishing=False)
    with ctx.warehouse.open() as database:
        found = database.read("recon.findings")
        points = database.read("recon.points")
        sent = database.read("recon.corrections").filter(pl.col("sent_at") >= began).select(_ROWS)
    comparable = pl.col("state").is_in([str(state) for state in COMPARABLE])
    naive = points.filter(comparable & ((pl.col("reported") - pl.col("offer")).abs() > TOLERANCE)).select(_ROWS)
    facts += await asyncio.to_thread(sandbox.get, "facts")
    said = found.filter((pl.col("state") != FindingState.RESOLVED) | (pl.col("last_seen") >= began))
    return Look(began, ctx.clock.now(), said.to_dicts(), facts, naive.to_dicts(), sent.to_dicts())
