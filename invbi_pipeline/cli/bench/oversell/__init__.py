"""`invbi bench oversell`: flash sales replayed without sync, with polling, with a poller's fixed buffer, and with our events."""

import os
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

import invbi_pipeline
from invbi_pipeline.cli.bench.oversell.chart import Spot, draw
from invbi_pipeline.cli.bench.oversell.live import BATCH_S, LATE, LOST, REQUEST_S, Lived, live_day
from invbi_pipeline.cli.bench.oversell.pollers import Polling, replay
from invbi_pipeline.cli.bench.oversell.retailer import Arm, dice
from invbi_pipeline.cli.bench.oversell.score import Day, Total, judge
from invbi_pipeline.cli.bench.report import Result, Target
from invbi_pipeline.cli.output import say
from invbi_pipeline.sandbox.world.flash import CHANNELS, FlashDay, flash_day

__all__ = ["bench_oversell"]

_CHART: Final = Path(invbi_pipeline.__file__).parents[1] / "data" / "oversell-frontier.svg"
_POLLED: Final[Mapping[str, Polling]] = {
    "(a) no sync": Polling(None),
    "(b) polling every 30 minutes": Polling(1800.0),
    "(b) polling every 15 minutes": Polling(900.0),
    "(b) polling every 5 minutes": Polling(300.0),
    "(c) polling every 5 minutes, buffer 10": Polling(300.0, 10),
}
_WORST: Final = "(b) polling every 30 minutes"
_EVENTS: Final = Arm("(d) our events")
_RISK: Final = Arm("(e) our events, risk buffer 2 %", 200)
_MORE_RISKS: Final = tuple(Arm(f"risk {bp / 100:g} %", bp) for bp in (2000, 500, 100))  # only for the chart
_SLOWER_S: Final = (5.0, 30.0)  # a micro-batch on a busy machine, and one that is far behind
_CHARTED: Final = 5  # days of which the other risks, and slower micro-batches, are lived through too
_BUFFERS: Final = (0, 20, 40)  # of the poller, only for the chart
_BELOW: Final = 0.999
_LOST: Final = 0.01
_UNITS: Final = 10_000  # oversold under the worst poller: what a share of one in a thousand needs
_SEEDS: Final = 50


class _Told(NamedTuple):
    """What a process says of one day: by arm its figures, why (e) still oversold, and what the worker did."""

    days: dict[str, Day]
    why: dict[str, int]
    did: dict[str, int]


def bench_oversell(first: int = 1, last: int = _SEEDS, chart: Path | None = _CHART) -> Result:
    """Replay the days of the seeds `first` to `last`; write the frontier to `chart` (None: nowhere)."""
    began = time.perf_counter()
    told: dict[int, _Told] = {}
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # of the processes started here: each day has a core of its own
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        asked = {pool.submit(_lived, seed, seed < first + _CHARTED): seed for seed in range(first, last + 1)}
        for done in as_completed(asked):
            told[asked[done]] = done.result()
            say(f"day {asked[done]} is over ({len(told)} of {len(asked)})")
    days: defaultdict[str, list[Day]] = defaultdict(list)
    for seed in sorted(told):
        for name, day in told[seed].days.items():
            days[name].append(day)
    totals = {name: Total(tuple(each)) for name, each in days.items()}
    if chart is not None:
        draw(_frontier(totals), chart)
    return _result(totals, told, f"{first}..{last}", time.perf_counter() - began, chart)


def _lived(seed: int, charted: bool) -> _Told:
    """Live through one day under every arm."""
    day = flash_day(seed)
    phase = dice(day, "phase").random()
    days = {name: judge(day, replay(day, polling, phase)) for name, polling in _POLLED.items()}
    if charted:
        days |= {f"buffer {n}": judge(day, replay(day, Polling(300.0, n), phase)) for n in _BUFFERS}
    lived = _kept(day, (_EVENTS, _RISK), days)
    for arms in (_MORE_RISKS[:2], _MORE_RISKS[2:]) if charted else ():  # few at a time: they share an account's rate limits
        _kept(day, arms, days)
    for seconds in _SLOWER_S if charted else ():
        _kept(day, (_slower(seconds),), days, seconds)
    units = {n: item.units for n, item in enumerate(day.items)}
    did = {"deliveries": lived.deliveries, "lost": lived.lost, "late": lived.late, "batches": lived.batches}
    return _Told(days, lived.why(_RISK.name, units), did | {"sweeps": lived.sweeps})


def _slower(seconds: float) -> Arm:
    return Arm(f"(e) with micro-batches of {seconds:g} s", _RISK.risk_bp)


def _kept(day: FlashDay, arms: Sequence[Arm], days: dict[str, Day], thinks_s: float = BATCH_S) -> Lived:
    """Live through a day with these arms; add what it came to under each of them to `days`."""
    with tempfile.TemporaryDirectory(prefix="invbi-bench-") as folder:
        lived = live_day(day, arms, Path(folder), thinks_s)
    days |= {arm.name: judge(day, [one.want for one in lived.sold[arm.name]]) for arm in arms}
    return lived


def _frontier(totals: Mapping[str, Total]) -> list[Spot]:
    """Return the settings of the chart, all of the same days: those whose other risks were lived through."""

    def spot(kind: str, name: str, total: Total) -> Spot:
        some = Total(total.days[:_CHARTED])
        return Spot(kind, name, some.lost_share, some.per_10k)

    ours = [spot("our events, buffer by risk", "no buffer", totals[_EVENTS.name])]
    risks = sorted((_RISK, *_MORE_RISKS), key=lambda arm: -arm.risk_bp)
    ours += [spot("our events, buffer by risk", f"risk {arm.risk_bp / 100:g} %", totals[arm.name]) for arm in risks]
    polled = [spot("polling every 5 minutes, fixed buffer", f"buffer {n}", totals[f"buffer {n}"]) for n in _BUFFERS]
    return ours + polled


def _result(totals: Mapping[str, Total], told: Mapping[int, _Told], seeds: str, seconds: float, chart: Path | None) -> Result:
    worst, ours = totals[_WORST], totals[_RISK.name]
    units, left = worst.sum("sync"), ours.sum("sync")
    below, lost = 1 - left / max(1, units), ours.lost_share
    why = sum((Counter(one.why) for one in told.values()), Counter[str]())
    did = sum((Counter(one.did) for one in told.values()), Counter[str]())
    figures: dict[str, Any] = {"seeds": seeds, "seconds": round(seconds), "channels": ", ".join(CHANNELS)}
    figures |= {name: _line(totals[name]) for name in (*_POLLED, _EVENTS.name, _RISK.name)}
    figures |= {
        "(e): where the rest comes from, units": ", ".join(f"{name} {n}" for name, n in sorted(why.items())) or "there is none",
        "(e): by which days, seed: units": ", ".join(
            f"{seed}: {one.days[_RISK.name].sync}" for seed, one in sorted(told.items()) if one.days[_RISK.name].sync
        )
        or "none",
        "webhooks of (d) and (e): sent, lost, late": f"{did['deliveries']}, {did['lost']}, {did['late']}",
        "their loss and delay": f"{LOST:.0%} never come, {LATE:.0%} after 30 to 120 s, the others after 0.5 s (p95 1.3 s)",
        "modelled: seconds from a micro-batch's begin to its first write, and of a request": f"{BATCH_S:g}, {REQUEST_S:g}",
        "micro-batches, sweeps": f"{did['batches']}, {did['sweeps']}",
        "the frontier of buffer risk against lost sales": str(chart.name if chart else "not drawn"),
    }
    some = [_RISK.name, *(_slower(seconds).name for seconds in _SLOWER_S)]
    figures |= {f"the charted days, {name}": _line(Total(totals[name].days[:_CHARTED])) for name in some}
    figures |= {f"frontier, {s.kind}: {s.name}": f"oversold {s.per_10k:.1f}, lost {s.lost:.2%}" for s in _frontier(totals)}
    return Result(
        "oversell",
        figures,
        (
            Target("units oversold by polling every 30 minutes", units, f">= {_UNITS}", units >= _UNITS),
            Target("(e): oversold units below that, share", round(below, 5), f">= {_BELOW}", below >= _BELOW),
            Target("(e): sales lost on contested SKUs, share", round(lost, 5), f"<= {_LOST}", lost <= _LOST),
        ),
    )


def _line(total: Total) -> str:
    low, high = total.interval
    return (
        f"{total.per_10k:.1f} units oversold for 10,000 orders (95 %: {low:.1f} to {high:.1f}), "
        f"{total.sum('sync')} units by sync and {total.sum('shelf')} by the shelf of {total.sum('orders')} orders, "
        f"{total.sum('cancelled')} orders cancelled, {total.lost_share:.2%} of contested sales lost"
    )
