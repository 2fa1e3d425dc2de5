"""`invbi demo`: the whole loop on an emulated retailer, scored against what its world knows and invbi does not.

The world lives in a process of its own; invbi talks to it over HTTP like to any platform. Its control door is used only to move
time, to freeze it at the end, and to compare what was planted with what was found.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
from rich.markup import escape

from invbi_pipeline.cli.output import Exit, Format, emit, out, say
from invbi_pipeline.cli.work import Bars
from invbi_pipeline.cli.world import Sandbox, WorldClock, sandbox_process
from invbi_pipeline.config import load_config
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.flows.context import Context, open_context
from invbi_pipeline.flows.feeds.health import warm_up
from invbi_pipeline.flows.feeds.ingest import data_docs
from invbi_pipeline.flows.run import RunResult, run

__all__ = ["Story", "play", "run_demo"]

_STEP_S: Final = 300  # the schedule's five minutes, in the world's time
_LAGS_S: Final = 3600  # after the freeze: longer than any order, booking or visibility lag of the presets
_RUNS_TO_QUIET: Final = 3
_MOST_RUNS: Final = 40
_RIPENING_S: Final = 1800  # what is planted as a habit (a second writer's) has so long to show itself; then it is no fact


@dataclass(slots=True)
class Story:
    """What happened: every run, and what the world said at the end."""

    runs: list[RunResult] = field(default_factory=list)
    quiet_after: int = 0  # runs after the freeze of which the last still sent something
    last_planned: int = 0  # corrections that the run after these planned
    truth: Mapping[str, Any] = field(default_factory=dict)
    found: dict[str, int] = field(default_factory=dict)
    corrections: dict[str, int] = field(default_factory=dict)
    findings: dict[str, int] = field(default_factory=dict)
    docs: str = ""


def run_demo(*, seed: int, skus: int, preset: str, folder: Path | None, fmt: Format) -> int:
    """Play the demo and print what came of it; exit 0 when the loop closed as it must."""
    from invbi_pipeline.sandbox.presets import PRESETS

    if preset not in PRESETS:
        raise ConfigError(
            f"There is no preset {preset!r}.", [("--preset", f"one of {', '.join(PRESETS)}", "correct its spelling")]
        )
    home = (folder or Path("data/demo") / f"{preset}-{seed}-{time.strftime('%Y%m%d-%H%M%S')}").resolve()
    if folder is not None and home.exists() and any(home.iterdir()):
        raise ConfigError(
            f"{home} is not empty.", [("--folder", "a new or empty folder", "name another; each demo starts afresh")]
        )
    say(f"Building a retailer with {skus:,} SKUs and 30 days of history in {home} ...")
    began = time.perf_counter()
    with ThreadPoolExecutor(1) as beside:
        beside.submit(warm_up)  # it takes seconds, which the building of the world takes too
        with sandbox_process(preset=preset, seed=seed, skus=skus, folder=home) as sandbox:
            say(f"It lives at {sandbox.address}. Reading it for the first time ...")
            os.environ.update(sandbox.secrets())
            story = asyncio.run(play(sandbox, say if fmt is Format.TABLE else _quietly))
            figures = _figures(story, seed=seed, skus=skus, seconds=time.perf_counter() - began)
        if fmt is Format.TABLE:
            _tell(story, figures, home)
    sys.stdout.write(json.dumps(figures, default=str) + "\n") if fmt is Format.JSON else None
    return Exit.DONE if _closed(story) else Exit.FINDINGS


def _quietly(text: str) -> None:
    del text


async def play(sandbox: Sandbox, tell: Any = _quietly) -> Story:
    """Run invbi every five minutes of the world's time until its planted faults have happened, freeze it, and run until quiet."""
    config = load_config(sandbox.config)
    clock, story = WorldClock(sandbox), Story()
    ends = sandbox.get("clock")["plan_ends"]
    until = datetime.fromisoformat(ends) if ends else clock.now() + timedelta(seconds=6 * _STEP_S)
    try:
        with Bars() as bars:
            async with open_context(config, clock=clock, progress=bars) as ctx:
                while True:
                    await _look(ctx, story, tell, publishing=not story.runs)
                    if _happened(sandbox, clock.now(), until) or len(story.runs) >= _MOST_RUNS:
                        break
                    await clock.sleep(_STEP_S)
                sandbox.post("freeze")
                tell("The world is frozen; its lags pass ...")
                await clock.sleep(_LAGS_S)
                await _settle(ctx, story, tell)
                story.docs = data_docs(ctx, story.runs[-1].run_id)
                story.truth = {**sandbox.get("truth"), "planted_rows": sandbox.get("planted")["planted"]}
                story.corrections = ctx.state.outbox.counts()
                findings = ctx.warehouse.read("recon.findings")
                story.findings = dict(Counter(findings.filter(pl.col("state") != "resolved")["code"].to_list()))
                story.found = _found(story.truth["planted_rows"], findings)
    finally:
        await clock.aclose()
    return story


def _happened(sandbox: Sandbox, now: datetime, until: datetime) -> bool:
    late = until + timedelta(seconds=_RIPENING_S)
    return now >= late or (now >= until and not sandbox.get("clock")["ripening"])


async def _look(ctx: Context, story: Story, tell: Any, *, publishing: bool) -> RunResult:
    result = await run(ctx, publishing=publishing)
    story.runs.append(result)
    parity = "-" if result.before.parity is None else f"{result.before.parity:6.1%}"
    sent, seen = result.pushed.sent, sum(result.findings.values())
    tell(f"{result.started_at:%H:%M:%S}  parity as read {parity}  {seen:>4} open findings  {sent:>4} corrections sent")
    return result


async def _settle(ctx: Context, story: Story, tell: Any) -> None:
    """Run three times more, or until two in a row send nothing; then once more: that one must plan nothing.

    One that sends nothing proves little: a drift is only corrected once two looks at it were judged.
    """
    sent: list[int] = []
    while len(sent) < _RUNS_TO_QUIET and sent[-2:] != [0, 0]:
        result = await _look(ctx, story, tell, publishing=False)
        sent.append(result.pushed.sent)
        await ctx.clock.sleep(_STEP_S)
    story.quiet_after = max((n for n, units in enumerate(sent, 1) if units), default=0)
    last = await _look(ctx, story, tell, publishing=True)
    story.last_planned = sum(n for state, n in last.planned.states.items() if state != "held")


def _found(planted: Sequence[Mapping[str, Any]], findings: pl.DataFrame) -> dict[str, int]:
    """Count the planted faults that a finding of the same code names on the same subject (system, and sku or listing)."""
    seen = {(r["code"], r["system"], r["listing_key"]) for r in findings.iter_rows(named=True)}
    seen |= {(r["code"], r["system"], r["sku"]) for r in findings.iter_rows(named=True)}
    bare = {(r["code"], r["system"]) for r in findings.iter_rows(named=True)}
    found: Counter[str] = Counter()
    for row in planted:
        keys = [k for k in (row.get("listing_key"), row.get("sku")) if k]
        hit = any((row["label"], row["system"], key) in seen for key in keys) if keys else (row["label"], row["system"]) in bare
        found[row["label"]] += hit
    return dict(found)


def _closed(story: Story) -> bool:
    """Whether the loop closed: nothing planned after three runs, and every correctable point agrees, as the world says."""
    return not story.last_planned and story.truth["agree"] == story.truth["correctable"]


def _figures(story: Story, *, seed: int, skus: int, seconds: float) -> dict[str, Any]:
    first, last = story.runs[0], story.runs[-1]
    return {
        "seed": seed,
        "skus": skus,
        "points": dict(last.after.states),
        "parity_before": first.before.parity,
        "parity_after": last.after.parity,
        "correctable_by_world": story.truth["correctable"],
        "corrected": story.truth["agree"],
        "findings": story.findings,
        "corrections": story.corrections,
        "planted": story.truth["planted"],
        "found": story.found,
        "runs": len(story.runs),
        "runs_to_quiet": story.quiet_after,
        "planned_after_quiet": story.last_planned,
        "seconds": round(seconds, 1),
    }


def _tell(story: Story, figures: Mapping[str, Any], home: Path) -> None:
    last = story.runs[-1]
    out.print()
    before, after = _percent(figures["parity_before"]), _percent(figures["parity_after"])
    out.print(f"parity         {before} at the first look; {after} now, what only a person can mend being left")
    out.print(f"points         {', '.join(f'{s} {n:,}' for s, n in sorted(last.after.states.items(), key=lambda x: -x[1]))}")
    agree, correctable = figures["corrected"], figures["correctable_by_world"]
    out.print(f"the world says {agree:,} of {correctable:,} correctable numbers now show what they should")
    out.print(f"corrections    {', '.join(f'{s} {n:,}' for s, n in sorted(figures['corrections'].items())) or 'none'}")
    rows = [(label, n, story.found.get(label, 0)) for label, n in sorted(figures["planted"].items())]
    out.print()
    emit(pl.DataFrame(rows, schema=["planted", "times", "found"], orient="row"), Format.TABLE, title="What the world planted")
    out.print()
    for place in last.published.places:
        gone = "  (an emulated sheet: it ended with the demo)" if place.startswith("http") else ""
        out.print(f"dashboard      {place}{gone}")
    for what, trouble in last.published.troubles.items():
        out.print(f"[bold yellow]not written[/]    {escape(what)}: {escape(trouble)}")
    out.print(f"feed health    {story.docs}")
    out.print(f"look closer    invbi findings --config {home / 'invbi.toml'}")
    quiet = figures["runs_to_quiet"]
    runs = f"{quiet} run" + "s" * (quiet != 1)
    out.print(f"took           {figures['seconds']} s, {figures['runs']} runs; quiet after {runs} since the freeze")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"
