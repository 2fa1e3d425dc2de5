"""From an event to the number on the other channels: a world and the event process, each a process of its own, over loopback."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from invbi_pipeline.channels.registry import facts_of
from invbi_pipeline.cli.bench.live.processes import Change, served, stage
from invbi_pipeline.cli.bench.report import Target

__all__ = ["measure_whole", "queued"]

_SKUS: Final = 10_000
_SECONDS: Final = 30.0  # of each rush
_RATES: Final = (5, 50, 200)  # events a second
_PROMISED: Final = 50  # the rate of the target
_CALM: Final = 2  # events a second with the limits on: under every platform's budget of writes
_BUSY: Final = 12  # ... and above the smallest of them
_SLOWEST: Final = "amazon"  # lets the fewest writes through
_WITHIN_S: Final = 1.0
_BOUND: Final = 1.1


def measure_whole(rate: int | None = None, skus: int = _SKUS) -> tuple[dict[str, Any], tuple[Target, ...]]:
    """Measure at these events a second (5, 50 and 200, then with the platforms' limits on); return figures and targets."""
    figures: dict[str, Any] = {"things on each of 4 channels": skus, "seconds of each rush": _SECONDS}
    targets: list[Target] = []
    with (
        tempfile.TemporaryDirectory(prefix="invbi-bench-") as scratch,
        stage(Path(scratch), skus) as staged,
        served(staged, Path(scratch) / "serve.log"),
    ):
        staged.warm()
        if rate is None:  # before the floods: what they send is counted against the platforms' budgets of writes for minutes
            calm = staged.rush(_CALM, _SECONDS, limits=True)
            busy = staged.rush(_BUSY, _SECONDS, limits=True)
            figures[f"{_CALM} events a second, limits on"] = _line(calm)
            figures[f"{_CALM} events a second, limits on: numbers that reach 0"] = _line([one for one in calm if one.zero])
            figures[f"{_BUSY} events a second, limits on"] = _line(busy)
            targets.append(
                _within("limits on, under the budget: p95 seconds of numbers that reach 0", [o for o in calm if o.zero])
            )
            more, target = _against_the_bound(busy)
            figures |= more
            targets.append(target)
        for each in _RATES if rate is None else (rate,):
            changes = staged.rush(each, _SECONDS)
            figures[f"{each} events a second, limits off"] = _line(changes)
            if each == _PROMISED:
                targets.append(_within("limits off, 50 a second: p95 seconds", changes))
        figures["webhooks that were not taken"] = staged.not_taken()
    return figures, tuple(targets)


def queued(arrivals: Sequence[tuple[float, bool]], per_second: float, burst: float) -> list[float]:
    """Return how long those that are not urgent must wait at least where so many a second are let through.

    `arrivals` are (when, urgent). The budget is a token bucket; whoever is urgent goes before everyone else who is there.
    """
    ordered = sorted(arrivals)
    tokens, last = burst, ordered[0][0] if ordered else 0.0
    waits: list[float] = []
    urgent, others, come = 0, list[float](), 0
    for _ in ordered:
        if not urgent and not others:
            last, tokens = _filled(ordered[come][0], last, tokens, per_second, burst)
        leaves = last + max(0.0, (1 - tokens) / per_second)
        while come < len(ordered) and (ordered[come][0] <= leaves or not (urgent or others)):
            if ordered[come][1]:
                urgent += 1
            else:
                others.append(ordered[come][0])
            come += 1
        last, tokens = _filled(leaves, last, tokens, per_second, burst)
        tokens -= 1
        if urgent:
            urgent -= 1
        else:
            waits.append(leaves - others.pop(0))
    return waits


def _filled(at: float, last: float, tokens: float, per_second: float, burst: float) -> tuple[float, float]:
    return max(at, last), min(burst, tokens + max(0.0, at - last) * per_second)


def _against_the_bound(changes: Sequence[Change]) -> tuple[dict[str, Any], Target]:
    """Compare the channel with the smallest budget of writes with the wait that this budget alone makes."""
    limit = next(one for one in facts_of(_SLOWEST).limits if one.operation == "patchListingsItem")
    mine = [one for one in changes if one.to.startswith(_SLOWEST)]
    bound = _quantile(queued([(one.at, one.zero) for one in mine], limit.rate, limit.burst), 0.95)
    real = _p95([one for one in mine if not one.zero])
    ratio = real / max(bound, _WITHIN_S)
    figures = {
        f"limits on, {_BUSY} a second: p95 seconds of the rest on {_SLOWEST}": round(real, 2),
        f"limits on, {_BUSY} a second: p95 seconds that its budget of writes alone makes": round(bound, 2),
    }
    return figures, Target(
        "limits on, above the budget: times the queueing bound", round(ratio, 2), f"<= {_BOUND}", ratio <= _BOUND
    )


def _within(name: str, changes: Sequence[Change]) -> Target:
    value = _p95(changes)
    return Target(name, round(value, 3), f"<= {_WITHIN_S:g}", value <= _WITHIN_S)


def _p95(changes: Sequence[Change]) -> float:
    return _quantile([float("inf") if one.seconds is None else one.seconds for one in changes], 0.95)


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def _line(changes: Sequence[Change]) -> str:
    took = [float("inf") if one.seconds is None else one.seconds for one in changes]
    told = ", ".join(f"p{round(100 * q)} {_quantile(took, q):.2f} s" for q in (0.5, 0.95, 0.99))
    return f"{told}; {len(changes)} numbers, {sum(one.seconds is None for one in changes)} never followed"
