"""The receiver alone: how many deliveries a second it has on disk, and what storing costs beside answering without it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from invbi_pipeline.cli.bench.live import door, load
from invbi_pipeline.cli.bench.report import Target
from invbi_pipeline.errors import TerminalError

__all__ = ["measure_receiver"]

_DELIVERIES: Final = 6_000
_CONNECTIONS: Final = 64
_WARMING: Final = 500
_CALM: Final = 200  # deliveries a second, at which the delay of a batch is measured
_CALM_S: Final = 10
_AT_LEAST: Final = 1_000  # durable deliveries a second
_ENDS_WITHIN_S: Final = 20
_SECRETS: Final = {"INVBI_BENCH_TOKEN": "bench-token", "INVBI_BENCH_WEBHOOK_SECRET": "bench-hooks"}


def measure_receiver(deliveries: int = _DELIVERIES) -> tuple[dict[str, Any], tuple[Target, ...]]:
    """Send `deliveries` as fast as they are taken, then some at an even pace, to both doors; return figures and targets."""
    bare, stored = (_measured(kind, deliveries) for kind in ("bare", "stored"))
    rate, ratio = stored["rush"]["per_second"], stored["rush"]["per_second"] / bare["rush"]["per_second"]
    figures = {
        "receiver: deliveries, connections": f"{deliveries}, {_CONNECTIONS}",
        "receiver: durable deliveries a second, fsync on": round(rate),
        "receiver: the same server answering without storing, a second": round(bare["rush"]["per_second"]),
        "receiver: durable to not stored": round(ratio, 2),
        "receiver: deliveries of one commit, in the rush": round(stored["together"], 1),
        "receiver: CPU ms of a delivery, stored and not": f"{stored['cpu_ms']:.2f}, {bare['cpu_ms']:.2f}",
        "receiver: answers in the rush, ms": _line(stored["rush"]),
        f"receiver: answers at {_CALM} a second, ms": _line(stored["calm"]),
        f"receiver: without storing, at {_CALM} a second, ms": _line(bare["calm"]),
        "receiver: delay of a batch, p50, ms": round(stored["calm"]["p50_ms"] - bare["calm"]["p50_ms"], 2),
    }
    lost = deliveries + _CALM * _CALM_S - stored["held"]
    return figures, (
        Target("receiver: durable deliveries a second", round(rate), f">= {_AT_LEAST}", rate >= _AT_LEAST),
        Target("receiver: acknowledged deliveries that are not on disk", lost, "0", lost == 0),
    )


def _line(told: dict[str, Any]) -> str:
    return ", ".join(f"p{q} {told[f'p{q}_ms']:g}" for q in (50, 95, 99))


def _measured(kind: str, deliveries: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="invbi-bench-") as scratch:
        with _door(Path(scratch), kind) as (address, cpu_seconds):
            _load(address, _WARMING, 8, 0)  # connections, caches, the store's first pages
            before = _commits(address)
            rush = _load(address, deliveries, _CONNECTIONS, 0)
            commits, rows = (now - then for now, then in zip(_commits(address), before, strict=True))
            calm = _load(address, _CALM * _CALM_S, 8, _CALM)
        held = 0 if kind == "bare" else _held(Path(scratch)) - _WARMING
    cpu_ms = 1000 * cpu_seconds[0] / (_WARMING + deliveries + _CALM * _CALM_S)
    return {"rush": rush, "calm": calm, "together": rows / max(1.0, commits), "held": held, "cpu_ms": cpu_ms}


def _held(folder: Path) -> int:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(folder / "state.db")) as db:
        return int(db.execute("SELECT count(*) FROM inbox").fetchone()[0])


def _commits(address: str) -> tuple[float, float]:
    """Return how many commits the door has made so far, and how many deliveries they held."""
    page = httpx.get(f"{address}/metrics", trust_env=False).text.splitlines()
    said = dict(line.rsplit(" ", 1) for line in page if line and not line.startswith("#"))
    return float(said["invbi_inbox_commit_deliveries_count"]), float(said["invbi_inbox_commit_deliveries_sum"])


@contextmanager
def _door(folder: Path, kind: str) -> Iterator[tuple[str, list[float]]]:
    """Hand over a door's address, and a list to which its CPU seconds are added when it has ended."""
    command = [sys.executable, "-m", door.__name__, str(folder), kind]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | _SECRETS)
    assert process.stdout is not None
    cpu_seconds: list[float] = []
    try:
        address = process.stdout.readline().strip()
        if not address:
            raise TerminalError("The receiver of the measurement did not start.")
        yield address, cpu_seconds
    finally:
        process.terminate()
        try:
            said, _ = process.communicate(timeout=_ENDS_WITHIN_S)
            cpu_seconds.append(float(said or "nan"))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            cpu_seconds.append(float("nan"))


def _load(address: str, count: int, connections: int, per_second: float) -> dict[str, Any]:
    """Have another process send deliveries. Raises `TerminalError` when one was not acknowledged."""
    words = [sys.executable, "-m", load.__name__, address, str(count), str(connections), str(per_second)]
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ | _SECRETS, check=False)
    if done.returncode:
        raise TerminalError(f"The load failed: {done.stderr.strip()[-300:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    if set(told["statuses"]) != {"200"}:
        raise TerminalError(f"Deliveries were not acknowledged: {told['statuses']}.")
    return told
