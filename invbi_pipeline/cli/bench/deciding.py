"""The decision of `bench decide` in a process of its own, so that its memory is its own. Prints one JSON line.

usage: python -m invbi_pipeline.cli.bench.deciding {whole|again} FOLDER
"""

import json
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any, Final

import polars as pl

from invbi_pipeline.cli.bench.decide_input import NOW
from invbi_pipeline.domain import decision, incremental

__all__ = ["again", "whole"]

_CHANGED: Final = 1_000  # SKUs
_AT_ONCE: Final = 2  # parts


def whole(folder: Path) -> dict[str, Any]:
    """Decide every part, two at once; return seconds, CPU seconds, seconds in each step (of both), and what came of it.

    While one part plans (Python) or waits for its widest column, the other has the cores: Polars works without the interpreter's
    lock.
    """
    spent: list[tuple[str, float]] = []  # a list grows safely under two threads
    for name in ("truth", "merge", "seen", "plan"):
        setattr(decision, name, _timed(getattr(decision, name), spent))
    began, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        came = sum(pool.map(_came_of, sorted((folder / "parts").iterdir()), repeat(spent)), Counter[str]())
    took = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    steps: defaultdict[str, float] = defaultdict(float)
    for name, seconds in spent:
        steps[name] += seconds
    return {**took, "steps": dict(steps), "came": dict(came)}


def _came_of(part: Path, spent: list[tuple[str, float]]) -> Counter[str]:
    """Decide one part and say what came of it."""
    decided = decision.decide(_timed(_frames, spent)(part), NOW, "bench", "EUR")
    points = decided.points.points
    wrong = points.filter(pl.col("gap").is_not_null() & (pl.col("gap") != 0))
    return Counter(
        {
            "points": points.height,
            "findings": decided.findings.height,
            "corrections": decided.plan.height,
            "points with a gap": wrong.height,
            "identity broken": decided.points.broken_identity.height,
        }
    )


def again(folder: Path) -> dict[str, Any]:
    """Decide the whole once, then 1,000 changed SKUs anew; return the seconds of that, and whether a whole one says the same."""
    parts = [_frames(part) for part in sorted((folder / "parts").iterdir())]
    shared = {"systems", "places", "feeds", "modes"}
    given = {name: frame if name in shared else pl.concat([p[name] for p in parts]).unique() for name, frame in parts[0].items()}
    before = decision.decide(given, NOW, "bench", "EUR")
    began = time.perf_counter()
    kept = incremental.keep(given, before)
    indexing = time.perf_counter() - began
    shown = given["observations"].filter((pl.col("system") == "c0") & pl.col("listing_key").str.starts_with("SKU-"))
    some = shown.sort("listing_key").gather_every(max(1, shown.height // _CHANGED)).head(_CHANGED)
    changes = {"observations": some.with_columns(pl.col("quantity") + 3)}
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        part = incremental.redecide(kept, changes, NOW, "bench", "EUR")
        seconds.append(time.perf_counter() - began)
    full = decision.decide(incremental.upserted(given, changes), NOW, "bench", "EUR")
    one, other = incremental.merged(before, part, kept), full
    same = all(
        a.sort(a.columns).equals(b.sort(b.columns))
        for a, b in ((one.points.points, other.points.points), (one.findings, other.findings), (one.plan, other.plan))
    )
    told = {"seconds": min(seconds), "indexing": indexing, "changed": some.height, "skus": shown.height, "same": same}
    return {**told, "families": len(part.families), "points": part.decided.points.points.height}


def _frames(part: Path) -> dict[str, pl.DataFrame]:
    return {file.stem: pl.read_parquet(file) for file in sorted(part.glob("*.parquet"))}


def _timed(work: Any, spent: list[tuple[str, float]]) -> Any:
    def timed(*args: Any, **named: Any) -> Any:
        began = time.perf_counter()
        result = work(*args, **named)
        spent.append((work.__name__.strip("_"), time.perf_counter() - began))
        return result

    return timed


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"whole": whole, "again": again}[sys.argv[1]](Path(sys.argv[2]))) + "\n")
