"""The drop folder: a file put there, or changed there, starts a run.

The fingerprint is of names and contents, so that touching a file starts nothing and writing one does, whatever its time. The
cursor counts changes: it makes the run key of a content that comes back (5, 6, 5 again) a new one, and of a tick
that was lost before its cursor was stored the same one.
"""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import dagster as dg

from invbi_pipeline.defs.job import SAMPLE, under_way
from invbi_pipeline.defs.names import JOB

__all__ = ["Seen", "fingerprint", "inbox_sensor", "listing", "settled"]

_SETTLES_S: Final = 2.0  # a file younger than this may still be in writing
_EVERY_S: Final = 30
_UNFINISHED: Final = (".part", ".tmp", ".crdownload", ".filepart")


@dataclass(frozen=True, slots=True)
class Seen:
    """The cursor: how many changes were seen, what the folder looked like from outside, and its contents."""

    changes: int = 0
    listing: str = ""
    contents: str = ""


def listing(folder: Path) -> list[tuple[str, int, int]]:
    """Return (relative path, size, time of change in nanoseconds) of every finished file, by path."""
    if not folder.is_dir():
        return []
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not _unfinished(path)]
    stats = [(path, path.stat()) for path in files]
    return [(path.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime_ns) for path, stat in stats]


def settled(files: list[tuple[str, int, int]], now: float) -> bool:
    """Say whether nothing was written within the last moments before `now` (seconds since the epoch)."""
    return all(now - changed / 1e9 >= _SETTLES_S for _, _, changed in files)


def fingerprint(folder: Path, files: list[tuple[str, int, int]]) -> str:
    """Return one digest of the names and contents of these files."""
    whole = hashlib.sha256()
    for name, _, _ in files:
        with (folder / name).open("rb") as file:
            whole.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


def inbox_sensor(folder: Path, *, sample: bool, now: Callable[[], float] = time.time) -> dg.SensorDefinition:
    """Return the sensor on `folder`. While a run is under way it waits, and looks again at its next tick."""

    @dg.sensor(
        name="inbox",
        job_name=JOB,
        minimum_interval_seconds=_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="A file dropped into the inbox folder starts a run.",
    )
    def changed(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if sample:
            return dg.SkipReason(SAMPLE)
        seen = Seen(**json.loads(context.cursor)) if context.cursor else Seen()
        files = listing(folder)
        outside = hashlib.sha256(json.dumps(files).encode()).hexdigest() if files else ""
        if outside == seen.listing:
            return dg.SkipReason("Nothing new in the inbox." if files else "The inbox is empty.")
        if not settled(files, now()):
            return dg.SkipReason("A file is still being written.")
        if busy := under_way(context.instance):
            return dg.SkipReason(f"Run {busy} is under way; what is new is read after it.")
        contents = fingerprint(folder, files) if files else ""
        if not files or contents == seen.contents:
            return _moved(Seen(seen.changes, outside, contents), "The inbox holds what it held.")
        counted = Seen(seen.changes + 1, outside, contents)
        request = dg.RunRequest(run_key=f"inbox-{counted.changes}-{contents[:16]}", tags={"invbi/why": "inbox"})
        return dg.SensorResult(run_requests=[request], cursor=json.dumps(asdict(counted)))

    return changed


def _moved(seen: Seen, why: str) -> dg.SensorResult:
    return dg.SensorResult(skip_reason=why, cursor=json.dumps(asdict(seen)))


def _unfinished(path: Path) -> bool:
    return path.name.startswith((".", "~")) or path.suffix in _UNFINISHED
