"""`invbi bench live`: from an event to the number on the other channels, and what the receiver alone takes."""

import time
from typing import Any

from invbi_pipeline.cli.bench.report import Result, Target

__all__ = ["bench_live"]


def bench_live(rate: int | None = None) -> Result:
    """Measure the receiver alone, then the whole way; with a `rate` (events a second) only the way, at that rate."""
    from invbi_pipeline.cli.bench.live.receiver import measure_receiver  # here: its modules are processes of their own too
    from invbi_pipeline.cli.bench.live.whole import measure_whole

    began = time.perf_counter()
    figures: dict[str, Any] = {}
    targets: tuple[Target, ...] = ()
    if rate is None:
        figures, targets = measure_receiver()
    more, kept = measure_whole(rate)
    return Result("live", {**figures, **more, "seconds": round(time.perf_counter() - began)}, (*targets, *kept))
