"""`invbi plan`, `invbi approve` and `invbi push`: what waits, who releases it, and sending it."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import polars as pl

from invbi_pipeline.cli.output import Exit, Format, emit, out, plain, say
from invbi_pipeline.cli.reading import open_warehouse
from invbi_pipeline.cli.who import account
from invbi_pipeline.config import Config, load_config
from invbi_pipeline.domain.corrections.guards import GUARDS, holding
from invbi_pipeline.domain.findings import CATALOGUE
from invbi_pipeline.domain.words import CorrectionState, Mode
from invbi_pipeline.errors import ConfigError, StoreBusy
from invbi_pipeline.flows.context import Context, SystemClock, open_context, open_stores
from invbi_pipeline.flows.corrections.correct import note_corrections, note_stores
from invbi_pipeline.flows.corrections.prove import push_and_prove
from invbi_pipeline.flows.corrections.push import PushResult, recover
from invbi_pipeline.flows.corrections.waiting import Wish, groups, meant, waiting, waits_for
from invbi_pipeline.store.state import State

__all__ = ["known_systems", "print_corrections", "run_approve", "run_plan", "run_push", "state_of", "tell_of_pauses"]


@contextmanager
def state_of(config: Config) -> Iterator[State]:
    """Open the state store for as long as the block lasts."""
    _, state = open_stores(config)
    try:
        yield state
    finally:
        state.close()


def known_systems(config: Config, named: Sequence[str]) -> list[str]:
    """Return the systems that were named. Raises `ConfigError` for one that there is not."""
    if unknown := sorted(set(named) - set(config.systems)):
        expected = f"one of {', '.join(config.systems)}"
        raise ConfigError(f"No system is called {unknown[0]!r}.", [("--system", expected, "correct its spelling")])
    return list(named)


def print_corrections(corrections: pl.DataFrame, limit: int = 0) -> None:
    """Print corrections as a person reads them: largest risk first, each with its reason and with what holds it."""
    ordered = corrections.sort("money_at_risk", "units_at_risk", descending=True, nulls_last=True)
    for row in (ordered.head(limit) if limit else ordered).iter_rows(named=True):
        for line in _told(row):
            out.print(line)
    if limit and corrections.height > limit:
        out.print(f"... {corrections.height - limit} more; --limit 0 shows all, --format csv writes them for a spreadsheet")


def _told(row: Mapping[str, object]) -> Iterator[str]:
    place = f" @ {row['location']}" if row["location"] else ""
    change = f"{row['from_qty']} -> {row['to_qty']}" if row["from_qty"] is not None else f"{row['to_qty']:+d}"
    units, money = row["units_at_risk"], row["money_at_risk"]
    risk = f"{units} unit{'s' * (units != 1)}" + (f", {money:,.2f}" if money else "")
    subject = plain(f"{row['sku'] or row['listing_key']} on {row['system']}{place}")
    yield f"[bold]{row['state']:<9}[/] {row['kind']} [bold]{change}[/]  {subject}  ({risk})  {row['correction_id']}"
    yield f"          {plain(str(row['reason'] or ''))}"
    if row.get("finding_code"):
        yield f"          mends {plain(str(row['finding_code']).replace('_', ' '))}: {plain(str(row['finding'] or ''))}"
    if row.get("bridge"):
        yield f"          {plain(str(row['bridge']))}"
    held = "a person released it, held by" if row["state"] == CorrectionState.APPROVED else "held by"
    for name, why in holding(str(row["guard"] or "")).items():
        yield f"          {held} {plain(name.replace('_', ' '))}: {plain(why)}"


def run_plan(path: Path, *, limit: int, fmt: Format) -> int:
    """Print what waits, held or not. Raises `ConfigError` when there has been no run yet, as `run_approve` does."""
    config, warehouse = open_warehouse(path)
    with state_of(config) as state:
        rows = waiting(state, warehouse)
        if fmt is Format.TABLE:
            tell_of_pauses(state)
    if fmt is Format.TABLE:
        _print_plan(rows, config.business.currency, limit)
    else:
        emit(rows, fmt)
    return Exit.HELD if (rows["state"] == CorrectionState.HELD).any() else Exit.DONE


def _print_plan(rows: pl.DataFrame, currency: str, limit: int) -> None:
    if rows.is_empty():
        out.print("Nothing waits to be sent.")
        return
    told = groups(rows)
    out.print(f"{rows.height} correction{'s' * (rows.height != 1)} wait{'s' * (rows.height == 1)}\n")
    emit(told.rename({"money": f"money ({currency})"}), Format.TABLE)
    left = limit or rows.height
    by_group = rows.with_columns(waits_for=waits_for())
    for system, waits in told.select("system", "waits_for").iter_rows():
        mine = by_group.filter((pl.col("system") == system) & (pl.col("waits_for") == waits))
        if left > 0:
            out.print(f"\n[bold]{plain(system)}: {plain(waits)}[/]")
            print_corrections(mine.head(left))
        left -= mine.height
    if left < 0:
        out.print(f"... {-left} more; --limit 0 shows all, --format csv writes them for a spreadsheet")


def tell_of_pauses(state: State) -> None:
    """Say what is paused, by whom and why."""
    for row in state.pauses().sort("scope").iter_rows(named=True):
        what = f"to {row['scope']}" if row["scope"] else "of everything"
        note = f": {row['reason']}" if row["reason"] else ""
        say(f"Sending {what} is paused by {row['who']} since {row['at']:%Y-%m-%d %H:%M} UTC{note}")


def run_approve(path: Path, wish: Wish, *, everything: bool, refuse: bool, dry_run: bool, by: str, note: str, fmt: Format) -> int:
    """Approve, or refuse, what a person means by `wish`, or all that waits; `dry_run` only lists it."""
    if everything == (wish != Wish()):
        expected = "ids, --system, --code, --guard, --max-units or --max-money; or --all alone"
        raise ConfigError("Say which corrections.", [("approve", expected, "see `invbi plan` for what waits")])
    config, warehouse = open_warehouse(path)
    wish = _checked(config, wish)
    with state_of(config) as state:
        rows = waiting(state, warehouse)
        _refuse_unknown(wish.ids, rows if refuse else rows.filter(pl.col("state") != CorrectionState.APPROVED))
        observing = [name for name, one in config.systems.items() if one.mode is Mode.OBSERVE]
        found = meant(rows, wish, observing, releasing=not refuse)
        word = "refuse" if refuse else "approve"
        if dry_run and fmt is not Format.TABLE:
            emit(found.chosen, fmt)
        elif dry_run:
            out.print(f"would {word} {found.chosen.height}")
            print_corrections(found.chosen)
        else:
            now, decide = SystemClock().now(), state.outbox.refuse if refuse else state.outbox.approve
            done = decide(found.chosen["correction_id"].to_list(), account(by), now, note)
            with suppress(StoreBusy):  # a run is under way: it notes what was decided when it ends
                note_stores(warehouse, state, now)
            say(f"{word}d {len(done)}" + ("" if refuse or not done else "; `invbi push` or the next run sends them"))
        for why, count in found.left_out.items():
            say(f"left out {count}: {why}")
        if not refuse and not dry_run:
            tell_of_pauses(state)
    return Exit.DONE


def _checked(config: Config, wish: Wish) -> Wish:
    """Return the wish with guards as they are called in the code. Raises `ConfigError` for words that are none."""
    known_systems(config, wish.systems)
    if unknown := sorted(set(wish.codes) - set(CATALOGUE)):
        mend = "see `invbi findings` for those that are open"
        raise ConfigError(f"No finding has the code {unknown[0]!r}.", [("--code", "a code of the catalogue", mend)])
    guards = [name.strip().replace(" ", "_") for name in wish.guards]
    if unknown := sorted(set(guards) - set(GUARDS)):
        known = ", ".join(name.replace("_", " ") for name in GUARDS)
        raise ConfigError(f"No guard is called {unknown[0]!r}.", [("--guard", f"one of {known}", "correct its spelling")])
    return wish._replace(guards=guards)


def _refuse_unknown(ids: Sequence[str], rows: pl.DataFrame) -> None:
    if unknown := sorted(set(ids) - set(rows["correction_id"].to_list())):
        problem = (unknown[0], "an id that `invbi plan` shows", "it may have been released, sent or withdrawn: look again")
        raise ConfigError(f"{unknown[0]} does not wait for a person.", [problem])


def run_push(path: Path, *, systems: Sequence[str] | None, dry_run: bool, fmt: Format) -> int:
    """Send what is approved and prove it. Nothing is sent to a system in mode observe."""
    config = load_config(path)
    named = known_systems(config, systems or ())
    sending = [name for name in named or config.systems if config.systems[name].mode is not Mode.OBSERVE]

    async def work() -> PushResult:
        async with open_context(config) as ctx:
            ready = ctx.state.outbox.in_state(CorrectionState.APPROVED).filter(pl.col("system").is_in(sending))
            if dry_run:
                print_corrections(ready) if fmt is Format.TABLE else emit(ready, fmt)
                return PushResult()
            tell_of_pauses(ctx.state)
            return await _send(ctx, sending)

    result = asyncio.run(work())
    if not dry_run:
        say(f"sent {result.sent}" + (f": {_counts(result.outcomes)}" if result.outcomes else ""))
    if old := result.outcomes["aged"]:
        say(f"{old} raise{'s' * (old != 1)} not sent: the stock behind was read too long ago; `invbi run` decides anew")
    for system, trouble in result.troubles.items():
        say(f"push to {system} stopped: {trouble}")
    if result.outcomes["paused"] or result.outcomes["mode"] or result.outcomes["aged"]:
        return Exit.HELD
    return Exit.PARTLY if result.troubles else Exit.DONE


async def _send(ctx: Context, systems: Sequence[str]) -> PushResult:
    began = ctx.clock.now()
    recover(ctx)
    result, _ = await push_and_prove(ctx, ctx.new_id(), systems)
    note_corrections(ctx, began)
    if result.sent:
        ctx.warehouse.export()
    return result


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items(), key=lambda one: -one[1]))
