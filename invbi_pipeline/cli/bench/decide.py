"""The whole decision at many SKUs, beside the least work that any reconciliation must do, and beside what others do of it.

Each side runs in a process of its own, one after the other, on the same input (`decide_input`): its seconds are those of its
work without the interpreter's start, its CPU and memory those of the process. The floor is `shared/bench/floor.py` where that
folder is beside the repository, else the same query here.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple

import invbi_pipeline
from invbi_pipeline.cli.bench import decide_input, two_way
from invbi_pipeline.cli.bench.report import Result, Target
from invbi_pipeline.errors import TerminalError

__all__ = ["bench_decide"]

_ROOT: Final = Path(invbi_pipeline.__file__).parents[1]
_FLOOR: Final = _ROOT.parent / "shared" / "bench" / "floor.py"
_OTHERS: Final = _ROOT / "data" / "bench" / "datacompy"  # a throw-away environment: its releases pin an older Polars
_TIMES_FLOOR: Final = 5
_MEGABYTES: Final = 4_096
_BEYOND_LINEAR: Final = 1.15
_AGAIN_SECONDS: Final = 1.0
_AGAIN_MOST: Final = 200_000  # SKUs that the incremental side holds in memory at once


class Measured(NamedTuple):
    """What a process said, its own seconds, and the CPU seconds and peak memory of all of it."""

    said: str
    seconds: float
    cpu: float
    megabytes: float


def bench_decide(skus: int = 1_000_000) -> Result:
    """Decide `skus` SKUs, a tenth of them too, and 1,000 changed ones; report ratios to the floor, memory and growth.

    Raises `TerminalError` with what it said when a side of ours fails.
    """
    figures: dict[str, Any] = {"SKUs": skus}
    with tempfile.TemporaryDirectory() as scratch:
        all_, tenth = Path(scratch) / "all", Path(scratch) / "tenth"
        for folder, count in ((all_, skus), (tenth, skus // 10)):
            # in a process of its own: what is forked from a large one counts as large
            _measured([sys.executable, "-m", decide_input.__name__, str(count), str(folder)])
        floor = _floor(all_)
        ours, smaller = (_told(_ours("whole", folder)) for folder in (all_, tenth))
        figures |= _figures(floor, ours[0], ours[1])
        figures |= {f"two-way part, {name}": said for name, said in _others(all_ / "floor").items()}
        held = all_ if skus <= _AGAIN_MOST else tenth
        again = _told(_ours("again", held))
    growth = ours[1]["cpu"] / smaller[1]["cpu"] / 10  # CPU: on a busy machine seconds say who else was at work
    anew = again[1]
    figures |= {
        f"growth of CPU seconds from {skus // 10:,} to {skus:,} SKUs, times linear": round(growth, 2),
        "incremental: SKUs held": anew["skus"],
        "incremental: SKUs changed, families decided anew": f"{anew['changed']}, {anew['families']}",
        "incremental: seconds to index once": round(anew["indexing"], 2),
        "incremental: the result is a whole decision's": anew["same"],
    }
    ratio = ours[0].seconds / floor.seconds
    return Result(
        "decide",
        figures,
        (
            Target("times the floor", round(ratio, 1), f"<= {_TIMES_FLOOR}", ratio <= _TIMES_FLOOR),
            Target("peak MB", round(ours[0].megabytes), f"<= {_MEGABYTES}", ours[0].megabytes <= _MEGABYTES),
            Target("CPU seconds times linear, from a tenth", round(growth, 2), f"<= {_BEYOND_LINEAR}", growth <= _BEYOND_LINEAR),
            Target("incremental seconds", round(anew["seconds"], 2), f"< {_AGAIN_SECONDS:g}", anew["seconds"] < _AGAIN_SECONDS),
            Target("incremental equals whole", int(anew["same"]), "1", anew["same"]),
        ),
    )


def _figures(floor: Measured, ours: Measured, told: dict[str, Any]) -> dict[str, Any]:
    points = told["came"]["points"]
    return {
        "the floor: seconds, CPU seconds, MB": _three(floor),
        "the whole decision: seconds, CPU seconds, MB": _three(ours),
        "CPU times the floor's": round(ours.cpu / floor.cpu, 1),
        "points a second": f"{points / ours.seconds:,.0f}",
        **{f"seconds in {name}, of both parts decided at once": round(spent, 1) for name, spent in told["steps"].items()},
        **told["came"],
    }


def _three(side: Measured) -> str:
    return f"{side.seconds:.2f}, {side.cpu:.2f}, {side.megabytes:.0f}"


def _floor(folder: Path) -> Measured:
    if _FLOOR.is_file():
        done = _measured([sys.executable, str(_FLOOR), "polars", str(folder / "floor")])
        return done._replace(seconds=float(done.said.split()[-2]))
    return _two_way(sys.executable, "polars", folder / "floor")


def _ours(what: str, folder: Path) -> Measured:
    return _measured([sys.executable, "-m", "invbi_pipeline.cli.bench.deciding", what, str(folder)])


def _told(done: Measured) -> tuple[Measured, dict[str, Any]]:
    told = json.loads(done.said.splitlines()[-1])
    return done._replace(seconds=told["seconds"]), told


def _two_way(python: str, engine: str, folder: Path) -> Measured:
    done = _measured([python, two_way.__file__, engine, str(folder)])
    return done._replace(seconds=float(done.said.split()[-1]))


def _others(folder: Path) -> dict[str, str]:
    """The two-way part by pandas, and by datacompy where an environment for it can be made: seconds, CPU, MB, or why not."""
    said = {}
    for engine in ("pandas", "datacompy"):
        try:
            python = sys.executable if engine == "pandas" else _own_environment()
            said[f"{engine}: seconds, CPU seconds, MB"] = _three(_two_way(python, engine, folder))
        except TerminalError as failed:
            said[engine] = f"not measured: {failed}"
    return said


def _own_environment() -> str:
    """Return the Python of a throw-away environment that has datacompy. Raises `TerminalError` where it cannot be made."""
    python = _OTHERS / "bin" / "python"
    if not python.is_file():
        _measured([sys.executable, "-m", "venv", str(_OTHERS)])
    try:
        _measured([str(python), "-c", "import datacompy, polars"])
    except TerminalError:
        _measured([str(python), "-m", "pip", "install", "--quiet", "datacompy[polars]", "pyarrow"])
    return str(python)


def _measured(command: list[str]) -> Measured:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=out, stderr=errors, cwd=_ROOT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        said, wrong = out.read().decode().strip(), errors.read().decode().strip()
    if process.returncode:
        raise TerminalError(f"{Path(command[0]).name} {' '.join(command[1:4])} failed: {wrong[-300:]}")
    return Measured(said, 0.0, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
