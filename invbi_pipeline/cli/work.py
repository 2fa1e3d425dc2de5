"""`invbi run`."""

import asyncio
import json
import sys
from pathlib import Path

import polars as pl
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from invbi_pipeline.cli.output import Exit, Format, emit, err, out, plain, say
from invbi_pipeline.cli.plans import print_corrections
from invbi_pipeline.cli.reading import at_or_above
from invbi_pipeline.config import load_config
from invbi_pipeline.domain.words import CorrectionState, FindingState, Severity
from invbi_pipeline.flows.context import open_context
from invbi_pipeline.flows.run import RunResult, run

__all__ = ["Bars", "print_run", "run_run"]


class Bars:
    """Progress bars on standard error, one a system; silent where nobody watches."""

    def __init__(self) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bars = Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Bars":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._tasks[what], completed=done, total=total)


def run_run(path: Path, *, dry_run: bool, fail_on: Severity | None, fmt: Format) -> int:
    """Do the whole loop once and say what came of it."""
    config = load_config(path)

    async def work(bars: Bars) -> tuple[RunResult, pl.DataFrame]:
        async with open_context(config, progress=bars) as ctx:
            result = await run(ctx, dry_run=dry_run)
            return result, ctx.warehouse.read("recon.findings")

    with Bars() as bars:
        result, findings = asyncio.run(work(bars))
    if dry_run and fmt is Format.CSV:
        emit(result.planned.corrections, fmt)
    else:
        print_run(result, fmt, with_plan=dry_run)
    if dry_run and fmt is Format.TABLE:
        out.print("\nWould be sent" if result.planned.corrections.height else "\nNothing would be sent.")
        print_corrections(result.planned.corrections, 50)
    worst = findings.filter(pl.col("state") != FindingState.RESOLVED)["severity"].to_list()
    failed = fail_on is not None and bool(set(worst) & set(at_or_above(fail_on)))
    return _exit(result, findings_failed=failed)


def _exit(result: RunResult, *, findings_failed: bool) -> int:
    """Return the first that holds of: held by a guard, a system out of reach, findings."""
    if result.held:
        return Exit.HELD
    if result.ingested.not_reconciled or result.pushed.troubles:
        return Exit.PARTLY
    return Exit.FINDINGS if findings_failed else Exit.DONE


def print_run(result: RunResult, fmt: Format, *, with_plan: bool = False) -> None:
    """Print a run: one JSON line (`with_plan`: with every correction in it), or what a person wants to know."""
    if fmt is not Format.TABLE:
        plan = {"corrections": result.planned.corrections.to_dicts()} if with_plan else {}
        sys.stdout.write(json.dumps({**_plain(result), **plan}, default=str) + "\n")
        return
    for name, one in result.ingested.systems.items():
        mark = "ok" if one.status == "ok" else one.status
        rows, asked = "row " if one.rows == 1 else "rows", "request " if one.requests == 1 else "requests"
        read = f"{one.rows:>7,} {rows}  {one.quarantined:>4} set aside  {one.requests:>4} {asked}  {one.seconds:6.1f} s"
        out.print(f"{plain(name):<14} {mark:<12} {read}")
        for noted in filter(None, (one.reason, *one.warnings)):
            say(f"{'':<14} {noted}")
    after = result.after
    parity = (
        "nothing to compare" if after.parity is None else f"{after.parity:.1%} of {after.comparable:,} comparable numbers agree"
    )
    out.print(f"parity         {parity}")
    out.print(f"points         {_counts(after.states)}")
    out.print(f"open findings  {_counts(result.findings)}")
    ended = {outcome: n for outcome, n in after.flights.items() if outcome != "still"}
    flying = f"; still on their way: {after.flights['still']:,}" if after.flights.get("still") else ""
    out.print(
        f"corrections    {_counts(result.planned.states)}; sent {result.pushed.sent}; pushes ended: {_counts(ended)}{flying}"
    )
    for system, trouble in result.pushed.troubles.items():
        say(f"push to {system} stopped: {trouble}")
    for place in result.published.places:
        out.print(f"published      {plain(str(place))}")
    for what, trouble in result.published.troubles.items():
        say(f"the {what} was not written: {trouble}")
    if result.planned.states.get(CorrectionState.HELD):
        say("Some corrections are held by a guard: `invbi plan` shows which and why.")
    if result.pushed.outcomes["paused"]:
        say("Sending is paused: `invbi plan` says by whom, `invbi resume` lets it go on.")


def _counts(counts: object) -> str:
    assert hasattr(counts, "items")
    return ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items(), key=lambda kv: -kv[1])) or "none"


def _plain(result: RunResult) -> dict[str, object]:
    return {
        "run_id": result.run_id,
        "started_at": result.started_at,
        "systems": {name: one.status for name, one in result.ingested.systems.items()},
        "warnings": {name: one.warnings for name, one in result.ingested.systems.items() if one.warnings},
        "points": dict(result.after.states),
        "comparable": result.after.comparable,
        "agreed": result.after.agreed,
        "parity": result.after.parity,
        "findings": dict(result.findings),
        "planned": dict(result.planned.states),
        "sent": result.pushed.sent,
        "flights": dict(result.after.flights),
        "published": list(result.published.places),
    }
