"""What a measurement is, how it is printed, and the figures page that the command itself writes."""

import json
import os
import platform
import sys
from collections.abc import Callable, Collection, Mapping
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


_HEAD: Final = """# Figures

Written by `make bench`, and one by one by `invbi bench NAME --write`. Absolute seconds depend on the machine and on what else it
does; where a figure is a ratio, both sides were measured in the same run."""


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


def _push() -> Result:
    from invbi_pipeline.cli.bench.push import bench_push

    return bench_push()


def _phantom(**worlds: Any) -> Result:
    from invbi_pipeline.cli.bench.phantom import bench_phantom

    return bench_phantom(**worlds)


def _decide(**size: int) -> Result:
    from invbi_pipeline.cli.bench.decide import bench_decide

    return bench_decide(**size)


def _detect(**worlds: Any) -> Result:
    from invbi_pipeline.cli.bench.detect import bench_detect

    return bench_detect(**worlds)


def _oversell(**worlds: Any) -> Result:
    from invbi_pipeline.cli.bench.oversell import bench_oversell

    return bench_oversell(**worlds)


def _live(**pace: int) -> Result:
    from invbi_pipeline.cli.bench.live import bench_live

    return bench_live(**pace)


def _chaos(**worlds: Any) -> Result:
    from invbi_pipeline.cli.bench.chaos import bench_chaos

    return bench_chaos(**worlds)


BENCHES: Final[Mapping[str, Callable[..., Result]]] = {
    "demo": _demo,
    "compare": _compare,
    "decide": _decide,
    "catalogue": _catalogue,
    "push": _push,
    "detect": _detect,
    "phantom": _phantom,
    "oversell": _oversell,
    "live": _live,
    "chaos": _chaos,
}
OF_WORLDS: Final = frozenset({"detect", "phantom", "chaos"})  # these take seeds (`first`, `last`) and a `preset`
OF_SEEDS: Final = OF_WORLDS | {"oversell"}  # these take seeds


def run_bench(
    name: str,
    fmt: Format,
    *,
    seeds: str | None = None,
    preset: str | None = None,
    skus: int | None = None,
    rate: int | None = None,
    write: bool = False,
) -> int:
    """Measure one bench, or all of them; return 1 when a target is missed.

    With `write`, and of all, each result takes its place in the figures page as soon as it is there.

    `seeds` ("11..14", or one) and `preset` choose the worlds of the benches that build some, `skus` the size of `decide`,
    `rate` the events a second of `live`. Raises `ConfigError` for a bench, seeds or a preset that cannot be understood, and for
    an option that the bench has not.
    """
    if name not in (*BENCHES, "all"):
        raise ConfigError(
            f"There is no bench {name!r}.", [("bench", f"all, or one of {', '.join(BENCHES)}", "correct its spelling")]
        )
    _refuse(name, seeds=seeds, preset=preset, skus=skus, rate=rate)
    worlds = _worlds(seeds, preset)
    results = []
    for each in BENCHES if name == "all" else (name,):
        say(f"measuring {each} ...")
        results.append(BENCHES[each](**_options(each, worlds, {"decide": ("skus", skus), "live": ("rate", rate)})))
        _print(results[-1], fmt)
        if write or name == "all":
            _PAGE.write_text(page(results[-1], _PAGE.read_text(encoding="utf-8") if _PAGE.exists() else ""), encoding="utf-8")
            say(f"wrote {_PAGE}")
    return Exit.DONE if all(t.met for r in results for t in r.targets) else Exit.FINDINGS


def _options(name: str, worlds: Mapping[str, Any], own: Mapping[str, tuple[str, int | None]]) -> dict[str, Any]:
    """Return what this bench takes of what was asked for."""
    if name in OF_SEEDS:
        return {option: value for option, value in worlds.items() if option != "preset" or name in OF_WORLDS}
    option, value = own.get(name, ("", None))
    return {} if value is None else {option: value}


def _refuse(name: str, *, seeds: str | None, preset: str | None, skus: int | None, rate: int | None) -> None:
    from invbi_pipeline.sandbox.presets import PRESETS

    if preset is not None and preset not in PRESETS:
        problem = ("--preset", f"one of {', '.join(PRESETS)}", "correct its spelling")
        raise ConfigError(f"There is no preset {preset!r}.", [problem])
    taken: dict[str, tuple[object, Collection[str]]] = {
        "--seeds": (seeds, OF_SEEDS),
        "--preset": (preset, OF_WORLDS),
        "--skus": (skus, {"decide"}),
        "--rate": (rate, {"live"}),
    }
    for option, (said, benches) in taken.items():
        if said is not None and name not in {*benches, "all"}:
            problem = (option, f"only with {' or '.join(sorted(benches))}", "leave it out")
            raise ConfigError(f"The bench {name} has no {option}.", [problem])


def _worlds(seeds: str | None, preset: str | None) -> dict[str, Any]:
    chosen: dict[str, Any] = {} if preset is None else {"preset": preset}
    if seeds is None:
        return chosen
    first, _, last = seeds.partition("..")
    if not first.isdigit() or not (last or first).isdigit() or int(last or first) < int(first):
        raise ConfigError(f"No seeds are {seeds!r}.", [("--seeds", "A..B, e.g. 11..14", "name the first and the last")])
    return chosen | {"first": int(first), "last": int(last or first)}


def _print(result: Result, fmt: Format) -> None:
    if fmt is Format.JSON:
        sys.stdout.write(json.dumps(asdict(result), default=str) + "\n")
        return
    rows = [(key, str(value)) for key, value in result.figures.items()]
    emit(pl.DataFrame(rows, schema=["figure", "value"], orient="row"), fmt, title=f"{result.name} ({result.date})")
    for target in result.targets:
        say(f"{'met   ' if target.met else 'MISSED'}  {target.name}: {target.value:g} (target {target.target})")


def page(result: Result, before: str = "") -> str:
    """Return the figures page with this measurement in its place; the others stay as they were `before`, each with its date."""
    sections = {part.partition("\n")[0]: part.strip() for part in before.split("\n## ")[1:]}
    sections[result.name] = _section(result)
    return "\n\n".join([_HEAD, *(f"## {sections[name]}" for name in BENCHES if name in sections)]) + "\n"


def _section(result: Result) -> str:
    lines = [result.name, "", f"{result.date}; {result.machine}", "", "| figure | value |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in result.figures.items()]
    if result.targets:
        lines += ["", "| target | value | wanted | met |", "|---|---|---|---|"]
        lines += [f"| {t.name} | {t.value:g} | {t.target} | {'yes' if t.met else '**no**'} |" for t in result.targets]
    return "\n".join(lines)
