"""What a measurement is, how it is printed, and the figures page that the command itself writes."""

import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

import invbi_pipeline
from invbi_pipeline.cli.output import Exit, Format, emit, say
from invbi_pipeline.errors import ConfigError

__all__ = ["BENCHES", "Result", "Target", "run_bench"]

_PAGE: Final = Path(invbi_pipeline.__file__).parents[1] / "data" / "FIGURES.md"


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = ", ".join(f"{n:.1f}" for n in os.getloadavg())
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, load before {load}"
    )


@dataclass(frozen=True, slots=True)
class Target:
    """One figure that was promised: `met` says whether it was kept."""

    name: str
    value: float
    target: str
    met: bool


@dataclass(frozen=True, slots=True)
class Result:
    """One measurement, in the shape that design.md section 9 fixes."""

    name: str
    figures: Mapping[str, Any]
    targets: tuple[Target, ...] = ()
    date: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))
    machine: str = field(default_factory=_machine)


def _demo() -> Result:
    from invbi_pipeline.cli.bench.demo import bench_demo

    return bench_demo()


def _compare() -> Result:
    from invbi_pipeline.cli.bench.compare import bench_compare

    return bench_compare()


def _catalogue() -> Result:
    from invbi_pipeline.cli.bench.catalogue import bench_catalogue

    return bench_catalogue()


BENCHES: Final[Mapping[str, Callable[[], Result]]] = {"demo": _demo, "compare": _compare, "catalogue": _catalogue}


def run_bench(name: str, fmt: Format) -> int:
    """Measure one bench, or all and rewrite the figures page; return 1 when a target is missed."""
    if name not in (*BENCHES, "all"):
        raise ConfigError(
            f"There is no bench {name!r}.", [("bench", f"all, or one of {', '.join(BENCHES)}", "correct its spelling")]
        )
    results = []
    for each in BENCHES if name == "all" else (name,):
        say(f"measuring {each} ...")
        results.append(BENCHES[each]())
        _print(results[-1], fmt)
    if name == "all":
        _PAGE.write_text(page(results), encoding="utf-8")
        say(f"wrote {_PAGE}")
    return Exit.DONE if all(t.met for r in results for t in r.targets) else Exit.FINDINGS


def _print(result: Result, fmt: Format) -> None:
    if fmt is Format.JSON:
        sys.stdout.write(json.dumps(asdict(result), default=str) + "\n")
        return
    rows = [(key, str(value)) for key, value in result.figures.items()]
    emit(pl.DataFrame(rows, schema=["figure", "value"], orient="row"), fmt, title=f"{result.name} ({result.date})")
    for target in result.targets:
        say(f"{'met   ' if target.met else 'MISSED'}  {target.name}: {target.value:g} (target {target.target})")


def page(results: list[Result]) -> str:
    """Return the figures page."""
    lines = [
        "# Figures",
        "",
        "Written by `make bench`. Absolute seconds depend on the machine and on what else it does; where a figure is a",
        "ratio, both sides were measured in the same run.",
    ]
    for result in results:
        lines += ["", f"## {result.name}", "", f"{result.date}; {result.machine}", "", "| figure | value |", "|---|---|"]
        lines += [f"| {key} | {value} |" for key, value in result.figures.items()]
        if result.targets:
            lines += ["", "| target | value | wanted | met |", "|---|---|---|---|"]
            lines += [f"| {t.name} | {t.value:g} | {t.target} | {'yes' if t.met else '**no**'} |" for t in result.targets]
    return "\n".join(lines) + "\n"
