"""`invbi run`, `invbi plan` and `invbi push`."""

import asyncio
import getpass
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import polars as pl
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from invbi_pipeline.cli.output import Exit, Format, emit, err, out, plain, say
from invbi_pipeline.cli.reading import at_or_above, open_warehouse
from invbi_pipeline.config import load_config
from invbi_pipeline.domain.guards import holding
from invbi_pipeline.domain.words import CorrectionState, FindingState, Severity
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.flows.context import Context, SystemClock, open_context, open_stores
from invbi_pipeline.flows.prove import prove
from invbi_pipeline.flows.push import PushResult, push, recover
from invbi_pipeline.flows.run import RunResult, run

__all__ = ["Bars", "print_corrections", "print_run", "run_approve", "run_plan", "run_push", "run_run"]

_WAITING = (CorrectionState.PLANNED, CorrectionState.HELD, CorrectionState.APPROVED)


class Bars:
    """Progress bars on standard error, one a system; silent where nobody watches."""

    def __init__(self) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bars = Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
        self._tasks: dict[str, int] = {}

    def __enter__(self) -> "Bars":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._tasks[what], completed=done, total=total)  # type: ignore[arg-type]  # TaskID is an int by another name


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
    if result.planned.states.get(CorrectionState.HELD):
        return Exit.HELD
    if result.ingested.out_of_reach or result.pushed.troubles:
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
        read = f"{one.rows:>7,} rows  {one.quarantined:>4} set aside  {one.requests:>4} requests  {one.seconds:6.1f} s"
        out.print(f"{plain(name):<14} {mark:<12} {read}")
        if one.reason:
            say(f"{'':<14} {one.reason}")
    after = result.after
    parity = (
        "nothing to compare" if after.parity is None else f"{after.parity:.1%} of {after.comparable:,} comparable numbers agree"
    )
    out.print(f"parity         {parity}")
    out.print(f"points         {_counts(after.states)}")
    out.print(f"open findings  {_counts(result.findings)}")
    out.print(
        f"corrections    {_counts(result.planned.states)}; sent {result.pushed.sent}; flights ended: {_counts(after.flights)}"
    )
    for system, trouble in result.pushed.troubles.items():
        say(f"push to {system} stopped: {trouble}")
    for place in result.published.places:
        out.print(f"published      {plain(str(place))}")
    for what, trouble in result.published.troubles.items():
        say(f"the {what} was not written: {trouble}")
    if result.planned.states.get(CorrectionState.HELD):
        say("Some corrections are held by a guard: `invbi plan` shows which and why.")


def _counts(counts: object) -> str:
    assert hasattr(counts, "items")
    return ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items(), key=lambda kv: -kv[1])) or "none"


def _plain(result: RunResult) -> dict[str, object]:
    return {
        "run_id": result.run_id,
        "started_at": result.started_at,
        "systems": {name: one.status for name, one in result.ingested.systems.items()},
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


def print_corrections(corrections: pl.DataFrame, limit: int = 0) -> None:
    """Print corrections as a person reads them: largest risk first, each with its reason and with what holds it."""
    ordered = corrections.sort("money_at_risk", "units_at_risk", descending=True, nulls_last=True)
    for row in (ordered.head(limit) if limit else ordered).iter_rows(named=True):
        place = f" @ {row['location']}" if row["location"] else ""
        change = f"{row['from_qty']} -> {row['to_qty']}" if row["from_qty"] is not None else f"{row['to_qty']:+d}"
        risk = f"{row['units_at_risk']} units" + (f", {row['money_at_risk']:,.2f}" if row["money_at_risk"] else "")
        subject = plain(f"{row['sku'] or row['listing_key']} on {row['system']}{place}")
        out.print(f"[bold]{row['state']:<9}[/] {row['kind']} [bold]{change}[/]  {subject}  ({risk})  {row['correction_id']}")
        out.print(f"          {plain(row['reason'] or '')}")
        for name, why in holding(row["guard"]).items():
            out.print(f"          held by {plain(name.replace('_', ' '))}: {plain(why)}")
    if limit and corrections.height > limit:
        out.print(f"... {corrections.height - limit} more; --limit 0 shows all, --format csv writes them for a spreadsheet")


def run_plan(path: Path, *, limit: int, fmt: Format) -> int:
    """Print what waits, held or not. Raises `ConfigError` when there has been no run yet, as `run_approve` does."""
    config, _ = open_warehouse(path)
    _, state = open_stores(config)
    try:
        waiting = state.outbox.in_state(*_WAITING)
    finally:
        state.close()
    if fmt is Format.TABLE:
        out.print(f"{waiting.height} corrections wait\n" if waiting.height else "Nothing waits to be sent.")
        print_corrections(waiting, limit)
    else:
        emit(waiting, fmt)
    return Exit.HELD if (waiting["state"] == CorrectionState.HELD).any() else Exit.DONE


def run_approve(path: Path, ids: Sequence[str], *, everything: bool, note: str) -> int:
    """Approve what a person names, or all that waits; who it was is the account they are logged in with."""
    if everything == bool(ids):
        what = "Name corrections, or all of them."
        raise ConfigError(what, [("approve", "ids or --all, and not both", "see `invbi plan` for the ids")])
    config, _ = open_warehouse(path)
    _, state = open_stores(config)
    try:
        waiting = state.outbox.in_state(CorrectionState.PLANNED, CorrectionState.HELD)["correction_id"].to_list()
        if unknown := sorted(set(ids) - set(waiting)):
            problem = (unknown[0], "an id that `invbi plan` shows", "it may have been sent or withdrawn: look again")
            raise ConfigError(f"{unknown[0]} does not wait for a person.", [problem])
        done = state.outbox.approve(waiting if everything else list(ids), getpass.getuser(), SystemClock().now(), note)
    finally:
        state.close()
    say(f"approved {len(done)}; `invbi push` sends them")
    return Exit.DONE


def run_push(path: Path, *, systems: Sequence[str] | None, dry_run: bool, fmt: Format) -> int:
    """Send what is approved and prove it."""
    config = load_config(path)

    async def work() -> PushResult:
        async with open_context(config) as ctx:
            waiting = _approved(ctx, systems)
            if dry_run:
                if fmt is Format.TABLE:
                    print_corrections(waiting)
                else:
                    emit(waiting, fmt)
                return PushResult()
            recover(ctx)
            result = await push(ctx, systems)
            if result.sent:
                await prove(ctx, ctx.new_id())
                ctx.warehouse.export()
            return result

    result = asyncio.run(work())
    if not dry_run:
        say(f"sent {result.sent}: {_counts(result.outcomes)}")
    for system, trouble in result.troubles.items():
        say(f"push to {system} stopped: {trouble}")
    return Exit.PARTLY if result.troubles else Exit.DONE


def _approved(ctx: Context, systems: Sequence[str] | None) -> pl.DataFrame:
    if unknown := sorted(set(systems or ()) - set(ctx.config.systems)):
        known = ", ".join(ctx.config.systems)
        raise ConfigError(f"No system is called {unknown[0]!r}.", [("--system", f"one of {known}", "correct its spelling")])
    waiting = ctx.state.outbox.in_state(CorrectionState.APPROVED)
    return waiting if systems is None else waiting.filter(pl.col("system").is_in(list(systems)))
