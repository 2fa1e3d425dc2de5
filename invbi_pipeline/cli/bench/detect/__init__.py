"""`invbi bench detect`: how much of what is wrong is found, how soon and with what cause, and how much is raised in error."""

import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from statistics import quantiles
from typing import Any, Final

from invbi_pipeline.cli.bench.detect.score import Label, Score
from invbi_pipeline.cli.bench.detect.story import TOLERANCE, judged_world
from invbi_pipeline.cli.bench.report import Result, Target
from invbi_pipeline.cli.output import say
from invbi_pipeline.sandbox.presets import PRESETS

__all__ = ["bench_detect"]

_SKUS: Final = 400
_EACH: Final = 3  # of each label in each world
_RIGHT: Final = 0.99
_CAUSES: Final = 0.95
_UNDETECTABLE: Final = 0.05
# Their worth is a probability's (`invbi bench phantom`), or no code is about them.
_NOT_DETERMINISTIC: Final = frozenset({"phantom_stock"})


def bench_detect(first: int = 1, last: int = 15, preset: str = "") -> Result:
    """Score the worlds of the seeds `first` to `last`, each of one preset in turn, or all of `preset`."""
    total, began = Score(), time.perf_counter()
    worlds = {seed: preset or list(PRESETS)[seed % len(PRESETS)] for seed in range(first, last + 1)}
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # of the processes started here: each world has a core of its own
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        asked = {pool.submit(judged_world, name, seed, _SKUS, _EACH): (seed, name) for seed, name in worlds.items()}
        for done in as_completed(asked):
            total.add(done.result())
            say(f"world {asked[done][0]} ({asked[done][1]}) is judged")
    return _result(total, first, last, preset, time.perf_counter() - began)


def _result(total: Score, first: int, last: int, preset: str, seconds: float) -> Result:
    judged = {code: one for code, one in sorted(total.labels.items()) if code not in _NOT_DETERMINISTIC}
    planted, found = sum(x.planted for x in judged.values()), sum(x.found for x in judged.values())
    alarms, false = sum(x.alarms for x in judged.values()), sum(x.false for x in judged.values())
    cycles = sorted(n for x in judged.values() for n in x.cycles)
    minutes = sorted(n for x in judged.values() for n in x.minutes)
    undetectable = sum(x.undetectable for x in judged.values())
    unripe = sum(x.unripe for x in judged.values())
    late = sum(x.late for x in judged.values())
    causes = _share(sum(x.cause_right for x in judged.values()), sum(x.cause_asked for x in judged.values()))
    units = _share(sum(x.units_explained for x in judged.values()), sum(x.units for x in judged.values()))
    points = _share(sum(x.points_explained for x in judged.values()), sum(x.points for x in judged.values()))
    recall, precision = _share(found, planted), _share(alarms - false, alarms)
    hidden = _share(undetectable, planted + undetectable, 0.0)
    figures: dict[str, Any] = {
        "seeds": f"{first}..{last}",
        "presets": preset or "all in turn",
        "seconds": round(seconds),
        "planted": planted,
        "found in time": found,
        "late": late,
        "raised findings": alarms,
        "false alarms": false,
        "decoys": total.decoys,
        "decoys with a false alarm": total.decoys_tripped,
        "undetectable, as the world said": undetectable,
        "unripe: no fact before the end, or right by chance": unripe,
        "time to detect p50, p95, cycles": f"{_quantile(cycles, 50):g}, {_quantile(cycles, 95):g}",
        "time to detect p50, p95, minutes": f"{_quantile(minutes, 50):.1f}, {_quantile(minutes, 95):.1f}",
        f"naive compare, tolerance {TOLERANCE}: recall": round(_share(sum(x.naive_found for x in judged.values()), planted), 4),
        f"naive compare, tolerance {TOLERANCE}: precision": round(_share(total.naive_right, total.naive_alarms), 4),
        "least planted of a label": min((x.planted for x in judged.values() if x.planted), default=0),
    }
    figures |= {code: _line(one) for code, one in judged.items()}
    fewest = min((_share(x.found, x.planted) for x in judged.values() if x.planted), default=1.0)
    return Result(
        "detect",
        figures,
        (
            Target("recall", round(recall, 4), f">= {_RIGHT}", recall >= _RIGHT),
            Target("recall of the worst label", round(fewest, 4), f">= {_RIGHT}", fewest >= _RIGHT),
            Target("precision", round(precision, 4), f">= {_RIGHT}", precision >= _RIGHT),
            Target("cause right", round(causes, 4), f">= {_CAUSES}", causes >= _CAUSES),
            Target("unexplained units explained exactly", round(units, 4), f">= {_CAUSES}", units >= _CAUSES),
            Target("points explained exactly", round(points, 4), f">= {_CAUSES}", points >= _CAUSES),
            Target("undetectable", round(hidden, 4), f"<= {_UNDETECTABLE}", hidden <= _UNDETECTABLE),
            Target("p95 later than the order lag plus 2 cycles", _share(late, planted, 0.0), "<= 0.05", late <= 0.05 * planted),
        ),
    )


def _line(one: Label) -> str:
    told = f"planted {one.planted}, found {one.found}, late {one.late}, raised {one.alarms}, false {one.false}"
    told += f", recall {_share(one.found, one.planted):.3f}, precision {_share(one.alarms - one.false, one.alarms):.3f}"
    if one.unripe:
        told += f", unripe {one.unripe}"
    if one.cause_asked:
        told += f", cause right {_share(one.cause_right, one.cause_asked):.3f} of {one.cause_asked}"
    if one.cycles:
        told += f", p95 {_quantile(sorted(one.cycles), 95):g} cycles, {_quantile(sorted(one.minutes), 95):.0f} min"
    return told + f"; naive recall {_share(one.naive_found, one.planted):.3f}"


def _share(part: float, whole: float, of_nothing: float = 1.0) -> float:
    return part / whole if whole else of_nothing


def _quantile(values: list[Any], percent: int) -> float:
    return float(quantiles(values, n=100, method="inclusive")[percent - 1]) if len(values) > 1 else float(sum(values))
