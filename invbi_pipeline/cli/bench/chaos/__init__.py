"""`invbi bench chaos`: seeded retailers in a storm of faults, judged at each step by the worlds' truth, and when it is over.

The whole of invbi runs: real clients over an in-process wire, warehouse, state store, guards, outbox. Only the network, the clock
and the dice are ours. What a look costs whatever its size is paid once for `TOGETHER` seeds, which live in one universe: told
again from the same first seed, it goes the same way.
"""

import os
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from invbi_pipeline.cli.bench.chaos.feeds import FEED_FAULTS
from invbi_pipeline.cli.bench.chaos.monitor import PREDICATES
from invbi_pipeline.cli.bench.chaos.people import DOINGS
from invbi_pipeline.cli.bench.chaos.story import CRASH, HAPPENINGS, Told, tell
from invbi_pipeline.cli.bench.chaos.wire import MEDDLING, WIRE_FAULTS
from invbi_pipeline.cli.bench.report import Result, Target
from invbi_pipeline.cli.output import say

__all__ = ["KINDS", "TOGETHER", "bench_chaos", "summed_up", "told_of"]

TOGETHER: Final = 34  # seeds of one universe: of 200, three universes for each of two cores
KINDS: Final = (*WIRE_FAULTS, *FEED_FAULTS, *DOINGS, *MEDDLING, *HAPPENINGS, CRASH)
_MANY: Final = 200  # seeds of which each kind of fault should happen to one at least
_SECONDS: Final = 120.0  # for so many


def bench_chaos(first: int = 1, last: int = 200, preset: str = "") -> Result:
    """Tell the stories of the seeds `first` to `last`, each of one preset in turn, or all of `preset`."""
    total, began = Told(), time.perf_counter()
    universes = [range(at, min(at + TOGETHER, last + 1)) for at in range(first, last + 1, TOGETHER)]
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # of the processes started here: each has a core of its own
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for told in pool.map(told_of, universes, [preset] * len(universes)):
            total.add(told)
            say(f"seeds {told.seeds[0]}..{told.seeds[-1]} are told, {len(told.violations)} violations")
            for violation in told.violations:
                say(f"  {violation}")
    return summed_up(total, preset, time.perf_counter() - began)


def told_of(seeds: Sequence[int], preset: str = "") -> Told:
    """Tell the story of some seeds in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="invbi-chaos-") as folder:
        return tell(Path(folder), seeds, preset or None)


def summed_up(total: Told, preset: str, seconds: float) -> Result:
    """Return the measurement of these stories; what should never be zero is asked of `_MANY` seeds and more."""
    happened = Counter(dict.fromkeys(KINDS, 0))
    for kind, n in total.happened.items():
        happened[CRASH if kind.startswith(CRASH) else kind] += n
    figures: dict[str, Any] = {
        "seeds": f"{total.seeds[0]}..{total.seeds[-1]}",
        "presets": preset or "all in turn",
        "seconds": round(seconds, 1),
        "seconds of work": round(total.seconds, 1),
        "looks at a retailer": total.figures["looks"],
        "requests": total.figures["requests"],
        "held corrections that a person let go": total.figures["approved"],
        "crashes, at": ", ".join(f"{kind.removeprefix(CRASH)[2:]} {n}" for kind, n in _crashes(total)),
        **{f"happened: {kind}": happened[kind] for kind in KINDS},
        **{f"judged: {predicate}": total.judged[predicate] for predicate in PREDICATES},
    }
    never = sum(not happened[kind] for kind in KINDS)
    unjudged = sum(not total.judged[predicate] for predicate in PREDICATES)
    unsafe, restless = (sum(("liveness" in one) is live for one in total.violations) for live in (False, True))
    targets = [
        Target("violations of safety", unsafe, "0", unsafe == 0),
        Target("violations of liveness", restless, "0", restless == 0),
    ]
    if len(total.seeds) >= _MANY:
        targets += [
            Target("kinds of faults that never happened", never, "0", never == 0),
            Target("predicates that were never asked", unjudged, "0", unjudged == 0),
            Target(f"seconds for {len(total.seeds)} seeds", round(seconds, 1), f"<= {_SECONDS:g}", seconds <= _SECONDS),
        ]
    return Result("chaos", figures, tuple(targets))


def _crashes(total: Told) -> list[tuple[str, int]]:
    return sorted((kind, n) for kind, n in total.happened.items() if kind.startswith(CRASH))
