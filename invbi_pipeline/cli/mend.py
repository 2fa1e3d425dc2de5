"""`invbi undo` and `invbi replay`: plans that a person asks for."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import polars as pl

from invbi_pipeline.cli.output import Exit, Format, emit, out, plain, say
from invbi_pipeline.cli.plans import known_systems, print_corrections, state_of
from invbi_pipeline.cli.reading import open_warehouse
from invbi_pipeline.config import Config
from invbi_pipeline.domain.words import CorrectionState
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.flows.context import Context, open_context
from invbi_pipeline.flows.corrections.correct import note_corrections
from invbi_pipeline.flows.corrections.dead_letters import chosen, dead_letters, replay
from invbi_pipeline.flows.corrections.undo import undo, what_landed

__all__ = ["run_replay", "run_undo"]

_T = TypeVar("_T")
_SENTENCES: Final = ("message", "detail", "note")  # where platforms, and we, say in words what was wrong
_MOST_REASON: Final = 200  # characters of a reason in a list for people


def run_undo(path: Path, run_id: str, *, dry_run: bool, fmt: Format) -> int:
    """Plan to take back what a run changed; print it, and what is left alone with the reason."""
    config, _ = open_warehouse(path)
    with state_of(config) as state:
        what_landed(state, run_id)  # a run that is not known is told before anybody is called
    found = _done(config, lambda ctx: undo(ctx, run_id, dry_run=dry_run), noting=not dry_run)
    if fmt is Format.JSON:
        whole = {"run_id": found.run_id, "corrections": found.corrections.to_dicts(), "kept": found.kept.to_dicts()}
        sys.stdout.write(json.dumps(whole, default=str, ensure_ascii=False) + "\n")
    elif fmt is Format.CSV:
        emit(found.corrections, fmt)
    else:
        out.print(
            f"{found.corrections.height} changes of run {plain(found.run_id)} {'would be' if dry_run else 'are'} taken back"
        )
        print_corrections(found.corrections)
        if found.kept.height:
            out.print(f"\n{found.kept.height} left alone")
            emit(found.kept.select("correction_id", "system", "location", "sku", "from_qty", "to_qty", "why"), fmt)
    return _next(found.corrections, dry_run=dry_run)


def run_replay(path: Path, ids: Sequence[str], *, systems: Sequence[str], everything: bool, dry_run: bool, fmt: Format) -> int:
    """List dead letters, or put those that are meant back into a plan."""
    if everything and (ids or systems):
        raise ConfigError("Say which dead letters.", [("replay", "ids, --system, or --all alone", "leave --all out")])
    config, _ = open_warehouse(path)
    known_systems(config, systems)
    with state_of(config) as state:
        letters = dead_letters(state)
        meant = chosen(letters, ids, systems)
        refused = state.outbox.decided(letters["correction_id"].to_list()).filter(pl.col("decision") == "refused")
    if not (ids or systems or everything):
        return _list(letters, refused, fmt)
    if meant.is_empty():
        say("No dead letter is like that: nothing is planned.")
        return Exit.DONE
    found = _done(config, lambda ctx: replay(ctx, meant, dry_run=dry_run), noting=not dry_run)
    if fmt is Format.TABLE:
        out.print(f"{found.planned.height} of {meant.height} {'would be' if dry_run else 'are'} planned again")
        print_corrections(found.planned)
        for name in found.unwanted["correction_id"]:
            say(f"{name} is not wanted any more: as it stands, that number is not to be changed")
    else:
        emit(found.planned, fmt)
    return _next(found.planned, dry_run=dry_run)


def _list(letters: pl.DataFrame, refused: pl.DataFrame, fmt: Format) -> int:
    by = pl.format("refused by {}: {}", "who", "note").str.strip_chars_end(": ")
    told = letters.join(refused.select("correction_id", by=by), on="correction_id", how="left")
    told = told.with_columns(why=pl.coalesce("by", "answered")).drop("by")
    if fmt is not Format.TABLE:
        emit(told, fmt)
        return Exit.DONE
    if letters.is_empty():
        out.print("There is no dead letter.")
        return Exit.DONE
    out.print(f"{told.height} dead letter{'s' * (told.height != 1)}\n")
    for row in told.iter_rows(named=True):
        for line in _told(row):
            out.print(line)
    say("`invbi replay ID` puts one back into a plan; --system or --all puts back many (what a person refused: by its id alone).")
    return Exit.DONE


def _told(row: Mapping[str, Any]) -> Iterator[str]:
    """One dead letter for people: what was to change and when it was sent, then why it was not to be."""
    place = f" @ {row['location']}" if row["location"] else ""
    change = f"{row['from_qty']} -> {row['to_qty']}" if row["from_qty"] is not None else f"{row['to_qty']:+d}"
    subject = plain(f"{row['sku'] or row['listing_key']} on {row['system']}{place}")
    sent = f"sent {row['sent_at']:%Y-%m-%d %H:%M} UTC" if row["sent_at"] else "not sent"
    yield f"[bold]{row['state']:<9}[/] {row['kind']} [bold]{change}[/]  {subject}  ({sent})  {row['correction_id']}"
    yield f"          {plain(_reason(row['why'] or ''))}"


def _reason(said: str) -> str:
    """Return what a platform answered as one line of words; the whole answer is in JSON and CSV."""
    try:
        sentences = list(dict.fromkeys(_sentences(json.loads(said))))
    except ValueError:  # plain words
        sentences = []
    words = " ".join(("; ".join(sentences) or said).split())
    return f"{words[:_MOST_REASON]} ..." if len(words) > _MOST_REASON else words or "it did not say why"


def _sentences(answer: object) -> Iterator[str]:
    """Yield what stands under the names of `_SENTENCES`, at any depth."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            if name in _SENTENCES and isinstance(value, str) and value:
                yield value
            else:
                yield from _sentences(value)
    elif isinstance(answer, list):
        for value in answer:
            yield from _sentences(value)


def _done(config: Config, work: Callable[[Context], Awaitable[_T]], *, noting: bool) -> _T:
    async def all_of_it() -> _T:
        async with open_context(config) as ctx:
            began = ctx.clock.now()
            found = await work(ctx)
            if noting:
                note_corrections(ctx, began)
                ctx.warehouse.export()
            return found

    return asyncio.run(all_of_it())


def _next(planned: pl.DataFrame, *, dry_run: bool) -> int:
    states = planned["state"].to_list()
    if dry_run or not states:
        return Exit.DONE
    if CorrectionState.APPROVED in states:
        say("`invbi push` sends what is approved.")
    if CorrectionState.PLANNED in states or CorrectionState.HELD in states:
        say("`invbi approve` releases what waits.")
    return Exit.HELD if CorrectionState.HELD in states else Exit.DONE
