"""`invbi findings ack`, `assign`, `note`, `show`: what people say of findings."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl
import typer

from invbi_pipeline.cli.output import Exit, Format, emit, out, plain, say
from invbi_pipeline.cli.plans import state_of
from invbi_pipeline.cli.reading import open_warehouse, print_findings
from invbi_pipeline.cli.who import account
from invbi_pipeline.domain.frames import FINDINGS
from invbi_pipeline.domain.words import FindingState, Said
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.flows.context import SystemClock
from invbi_pipeline.flows.decision import case

__all__ = ["run_ack", "run_assign", "run_note", "run_show"]

_LONGEST_NOTE: Final = 2_000  # characters: a list of findings can still be read


def run_ack(path: Path, ids: Sequence[str], *, code: str, system: str, by: str, yes: bool) -> int:
    """Acknowledge findings that are not over."""
    return _tell(path, ids, {Said.ACKNOWLEDGED: ""}, "acknowledged", code=code, system=system, by=by, yes=yes)


def run_assign(path: Path, ids: Sequence[str], *, to: str, due: str, code: str, system: str, by: str, yes: bool) -> int:
    """Give findings an owner and, where it is named, a due time."""
    if not to.strip():
        raise ConfigError("Name who shall look after it.", [("--to", "a name", "add --to NAME")])
    config, _ = open_warehouse(path)
    words = {Said.OWNER: to.strip()}
    if due:
        until = _until(due, config.business.zone)
        if until < SystemClock().now():
            raise ConfigError(f"{due} is over already.", [("--due", "a day or a time that is to come", "correct it")])
        words[Said.DUE] = until.isoformat()
    return _tell(path, ids, words, f"assigned to {to.strip()}", code=code, system=system, by=by, yes=yes)


def run_note(path: Path, ids: Sequence[str], text: str, *, code: str, system: str, by: str, yes: bool) -> int:
    """Write a note on findings."""
    if not text.strip():
        raise ConfigError("The note is empty.", [("note", "some words", "write what others should know")])
    if len(text.strip()) > _LONGEST_NOTE:
        expected = f"at most {_LONGEST_NOTE:,} characters"
        raise ConfigError(f"The note has {len(text.strip()):,} characters.", [("note", expected, "shorten it, or name a page")])
    return _tell(path, ids, {Said.NOTE: text.strip()}, "noted", code=code, system=system, by=by, yes=yes)


def run_show(path: Path, finding_id: str, fmt: Format) -> int:
    """Print one finding with its evidence and all that was said of it."""
    config, _ = open_warehouse(path)
    with state_of(config) as state:
        found = case.named(case.known_findings(state), [finding_id], changing=False).select(FINDINGS.keys())
        said = state.cases.said(found["finding_id"].item())
    row = found.row(0, named=True)
    if fmt is Format.JSON:
        whole = {**row, "evidence": _parsed(row["evidence"]), "said": said.drop("finding_id").to_dicts()}
        sys.stdout.write(json.dumps(whole, default=str, ensure_ascii=False) + "\n")
    elif fmt is Format.CSV:
        emit(found, fmt)
    else:
        print_findings(found)
        _print_life(row, config.business.zone)
        _print_said(said, config.business.zone)
    return Exit.DONE


def _tell(
    path: Path, ids: Sequence[str], words: Mapping[Said, str], done: str, *, code: str, system: str, by: str, yes: bool
) -> int:
    if bool(ids) == bool(code or system):
        expected = "ids, or --code or --system, and not both"
        raise ConfigError("Name findings, or which kind of them.", [("findings", expected, "see `invbi findings` for the ids")])
    config, warehouse = open_warehouse(path)
    with state_of(config) as state:
        known = case.known_findings(state)
        chosen = case.named(known, ids) if ids else case.open_ones(known, code, system)
        _refuse(chosen, acknowledging=Said.ACKNOWLEDGED in words)
        if not ids and not yes:
            _ask(chosen.height, done)
        who = account(by)
        shown = case.say(state, warehouse, chosen["finding_id"].to_list(), words, who, SystemClock().now())
    say(f"{done}: {_count(chosen.height)}" + ("" if shown else "; a run is under way, the lists show it when it ends"))
    return Exit.DONE


def _refuse(chosen: pl.DataFrame, *, acknowledging: bool) -> None:
    if chosen.is_empty():
        problem = ("--code, --system", "a code and a system of an open finding", "look again: `invbi findings` lists them")
        raise ConfigError("No open finding is meant by that.", [problem])
    over = chosen.filter(pl.col("state") == FindingState.RESOLVED)["finding_id"].to_list()
    if acknowledging and over:
        mend = "leave it out; if it comes back it is listed again"
        raise ConfigError(f"{over[0]} is over already. Nothing was changed.", [(one, "a finding not over", mend) for one in over])


def _ask(count: int, done: str) -> None:
    """Let a person agree to a change of many; without one at the keyboard nothing is changed."""
    if not sys.stdin.isatty():
        raise ConfigError(f"{_count(count)} would be {done}. Nothing was changed.", [("--yes", "a confirmation", "add --yes")])
    typer.confirm(f"{_count(count)} will be {done}. Go on?", abort=True, err=True)


def _count(count: int) -> str:
    return f"{count:,} finding{'s' * (count != 1)}"


def _until(text: str, zone: ZoneInfo) -> datetime:
    """Read a day as its end in the business's zone, a time without an offset as one of that zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as trouble:
        raise ConfigError(
            f"{text!r} is not a date.", [("--due", "e.g. 2026-03-05 or 2026-03-05T12:00", "correct it")]
        ) from trouble
    if len(text) <= len("2026-03-05"):
        at += timedelta(hours=23, minutes=59)
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(ZoneInfo("UTC"))


def _parsed(evidence: str | None) -> Any:
    try:
        return json.loads(evidence or "{}")
    except ValueError:
        return evidence


def _local(at: datetime | None, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z") if at else "-"


def _print_life(row: Mapping[str, Any], zone: ZoneInfo) -> None:
    first, last, opened = (_local(row[name], zone) for name in ("first_seen", "last_seen", "opened_at"))
    out.print("\n[bold]Its life[/]")
    out.print(f"  first seen {first}, open since {opened}, last seen {last}")
    if row["resolved_at"]:
        out.print(f"  over since {_local(row['resolved_at'], zone)}: {plain(row['resolution'] or '')}")
    evidence = _parsed(row["evidence"])
    if isinstance(evidence, dict) and evidence:
        out.print("\n[bold]Evidence[/]")
        for name, value in evidence.items():
            heading = plain(name.replace("_", " "))
            if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
                out.print(f"  {heading}:")
                for each in value:
                    out.print(f"    {plain(_words(each))}")
            else:
                out.print(f"  {heading}: {plain(_words(value))}")


def _words(value: Any) -> str:
    """Return what a JSON value says, for people; what is unknown or empty in an object is left out."""
    if isinstance(value, dict):
        told = {name: each for name, each in value.items() if each not in (None, "", [], {})}
        return ", ".join(f"{name.replace('_', ' ')} {_words(each)}" for name, each in told.items())
    if isinstance(value, list):
        return "; ".join(_words(each) for each in value) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return str(value)


def _print_said(said: pl.DataFrame, zone: ZoneInfo) -> None:
    out.print("\n[bold]What people said[/]" if said.height else "\nNobody has said anything of it yet.")
    for one in said.iter_rows(named=True):
        value = _local(datetime.fromisoformat(one["value"]), zone) if one["kind"] == Said.DUE else one["value"]
        out.print(f"  {_local(one['at'], zone)}  {plain(one['who'])}: {plain(' '.join(filter(None, (one['kind'], value))))}")
