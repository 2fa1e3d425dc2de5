"""`invbi bench phantom`: how well empty shelves are told from slow ones, in two worlds of different laws, over HTTP."""

import asyncio
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import polars as pl

from invbi_pipeline.cli.bench.phantom.score import Score, score
from invbi_pipeline.cli.bench.report import Result, Target
from invbi_pipeline.cli.output import say
from invbi_pipeline.cli.world import Sandbox, WorldClock, sandbox_process
from invbi_pipeline.config import load_config
from invbi_pipeline.flows.context import open_context
from invbi_pipeline.flows.run import run

__all__ = ["bench_phantom", "looked_at"]

_LAWS: Final = ("leaky", "raided")
_SKUS: Final = 120
_HISTORY_DAYS: Final = 60
_PRESET: Final = "till_master"
_BETTER: Final = 2.0  # times the rule's average precision
_SKILL: Final = 0.3
_FOUND: Final = 0.5


def bench_phantom(first: int = 11, last: int = 18, preset: str = "") -> Result:
    """Score the worlds of the seeds `first` to `last`, each lived by either of the two laws; a law's seeds are scored together.

    A phantom is a shelf whose record says some and that holds none. Each world is read once by a dry run of invbi. It has half
    a dozen phantoms, of which one full shelf may hold half of all units: of fewer than eight worlds the shares say little.
    """
    name = preset or _PRESET
    figures: dict[str, Any] = {"seeds": f"{first}..{last}", "preset": name, "SKUs": _SKUS, "days": _HISTORY_DAYS}
    targets: list[Target] = []
    seeds = range(first, last + 1)
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # of the processes started here: each world has a core of its own
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for laws in _LAWS:
            worlds = []
            for seed, world in zip(seeds, pool.map(looked_at, repeat(name), seeds, repeat(laws)), strict=True):
                say(f"world {seed} of {last}, {laws}, is looked at")
                worlds.append(world)
            got = score(pl.concat(worlds))
            figures |= _figures(laws, got)
            targets += _targets(laws, got)
    return Result("phantom", figures, tuple(targets))


def looked_at(preset: str, seed: int, laws: str) -> pl.DataFrame:
    """Return location, sku, book, units, probability, silent_days, money: the world's shelves and what a dry run says."""
    with (
        tempfile.TemporaryDirectory() as folder,
        sandbox_process(
            preset=preset,
            seed=seed,
            skus=_SKUS,
            folder=Path(folder),
            faults=False,
            laws=laws,
            history_days=_HISTORY_DAYS,
        ) as sandbox,
    ):
        os.environ.update(sandbox.secrets())
        said = asyncio.run(_said(sandbox))
        shelves = pl.DataFrame(sandbox.get("shelves"))
    return shelves.join(said, on=["location", "sku"], how="left")


async def _said(sandbox: Sandbox) -> pl.DataFrame:
    clock = WorldClock(sandbox)
    try:
        async with open_context(load_config(sandbox.config), clock=clock) as ctx:
            await run(ctx, dry_run=True, publishing=False)
            return ctx.warehouse.read("truth.phantoms").select("location", "sku", "probability", "silent_days", "money")
    finally:
        await clock.aclose()


def _figures(laws: str, got: Score) -> dict[str, Any]:
    return {
        f"{laws}: shelves, phantoms, phantom units": f"{got.shelves:,}, {got.phantoms}, {got.units}",
        f"{laws}: phantoms expected by the probabilities": round(got.expected, 1),
        f"{laws}: average precision": round(got.precision, 3),
        f"{laws}: average precision of no sale for N days, best N": f"{got.rule_precision:.3f} (N = {got.rule_days})",
        f"{laws}: average precision of the order by days of silence": round(got.order_precision, 3),
        f"{laws}: Brier skill over the base rate": round(got.skill, 3),
        f"{laws}: phantom units found by counting 5 %": round(got.found, 3),
        f"{laws}: the same in the order of expected units, not money": round(got.found_by_units, 3),
    }


def _targets(laws: str, got: Score) -> list[Target]:
    better = got.precision / max(got.rule_precision, got.order_precision)
    return [
        Target(f"{laws}: average precision over the rule's", round(better, 2), f">= {_BETTER:g}", better >= _BETTER),
        Target(f"{laws}: Brier skill", round(got.skill, 3), f">= {_SKILL}", got.skill >= _SKILL),
        Target(f"{laws}: phantom units in the top 5 %", round(got.found, 3), f">= {_FOUND}", got.found >= _FOUND),
    ]
