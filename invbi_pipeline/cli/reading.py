"""`invbi findings`, `invbi explain` and `invbi query`: what stands in the warehouse, in words. Nothing is called."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import polars as pl

from invbi_pipeline.cli.explained import (
    mended_since,
    not_yet_judged,
    print_refused,
    print_shelves,
    print_unplaced,
    told_point,
)
from invbi_pipeline.cli.output import Exit, Format, emit, out, plain
from invbi_pipeline.config import Config, load_config
from invbi_pipeline.domain.declared import sells_from
from invbi_pipeline.domain.findings import CATALOGUE
from invbi_pipeline.domain.words import CorrectionState, FindingState, LocationKind, Severity
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.flows.accounts.bridge import bridges
from invbi_pipeline.flows.accounts.explain import Explanation, explain
from invbi_pipeline.store.warehouse import Warehouse

__all__ = ["at_or_above", "open_warehouse", "print_findings", "run_explain", "run_findings", "run_query"]

_NOT_TOGETHER: Final = (  # of `explain`: ways to ask that exclude each other
    ("--at", "--since"), ("SKU", "--tie-out"), ("--at", "--tie-out"), ("--since", "--tie-out"),
)  # fmt: skip
_RANK = [Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL]


def open_warehouse(path: Path) -> tuple[Config, Warehouse]:
    """Load the configuration and open its warehouse. Raises `ConfigError` when there has been no run yet."""
    config = load_config(path)
    file = config.data / config.store.warehouse
    if not file.exists():
        raise ConfigError(f"There is no warehouse {file} yet.", [(str(file), "a finished run", "run `invbi run` first")])
    return config, Warehouse(file, config.store.wait_s)


def at_or_above(severity: Severity) -> list[str]:
    """Return this severity and every worse one."""
    return [str(s) for s in _RANK[_RANK.index(severity) :]]


def run_findings(
    path: Path,
    *,
    code: str,
    severity: Severity | None,
    system: str,
    state: FindingState | None,
    owner: str,
    limit: int,
    fmt: Format,
) -> int:
    """List findings, most severe first."""
    config, warehouse = open_warehouse(path)
    _refuse(config, code, system)
    found = warehouse.read("recon.findings")
    found = found.filter(pl.col("state") == str(state) if state else pl.col("state") != FindingState.RESOLVED)
    if code:
        found = found.filter(pl.col("code") == code)
    if system:
        found = found.filter(pl.col("system") == system)
    if owner:
        found = found.filter(pl.col("owner") == owner)
    if severity:
        found = found.filter(pl.col("severity").is_in(at_or_above(severity)))
    rank = pl.col("severity").replace_strict({str(s): n for n, s in enumerate(_RANK)}, default=-1, return_dtype=pl.Int64)
    found = found.sort(rank, "money", "units", "finding_id", descending=[True, True, True, False], nulls_last=True)
    if fmt is Format.TABLE:
        none = "No finding is like that." if code or system or owner or state or severity else "Nothing is wrong."
        out.print(f"{found.height} finding{'s' * (found.height != 1)}\n" if found.height else none)
        print_findings(found if not limit else found.head(limit))
        if found.filter(pl.col("code") == "oversold").select("sku").is_duplicated().any():
            out.print("An oversold SKU is listed once per channel; the dashboard counts its units once.")
        if limit and found.height > limit:
            out.print(f"... {found.height - limit} more; --limit 0 shows all, --format csv writes them for a spreadsheet")
    else:
        emit(found, fmt)
    return Exit.DONE


def _refuse(config: Config, code: str, system: str) -> None:
    """Refuse a code or a system that there is not: an empty list would say that all is well."""
    if code and code not in CATALOGUE:
        near = get_close_matches(code, CATALOGUE, n=3) or sorted(CATALOGUE)
        raise ConfigError(f"No finding is called {code!r}.", [("--code", "a code of the catalogue", f"use {', '.join(near)}")])
    if system and system not in config.systems:
        mend = f"use one of: {', '.join(config.systems)}"
        raise ConfigError(f"No system is called {system!r}.", [("--system", "a system of the configuration", mend)])


def print_findings(found: pl.DataFrame) -> None:
    """Print each as a person reads it: what and where, how much, why, and what to do."""
    for row in found.iter_rows(named=True):
        thing = row["sku"] or row["listing_key"]
        place = f" @ {row['location']}" if row["location"] else ""
        where = " on ".join(filter(None, (thing, f"{row['system'] or ''}{place}")))
        size = "" if row["units"] is None else f"  {row['units']:,} unit{'s' * (abs(row['units']) != 1)}"
        worth = f", {row['currency']} {row['money']:,.2f}" if row["money"] else ""
        out.print(f"[bold]{row['severity']:<8}[/] [bold]{row['code'].replace('_', ' ')}[/]  {plain(where)}{size}{worth}")
        out.print(f"         {plain(row['cause'] or '')}")
        mended = mended_since(row)
        if mended:
            out.print(f"         Since then: {mended}.")
        elif row["suggested_action"] and row["state"] != FindingState.RESOLVED:
            out.print(f"         To mend it: {plain(row['suggested_action'])}")
        out.print(f"         {plain(', '.join(_case(row)))}")


def _case(row: Mapping[str, Any]) -> Iterator[str]:
    """Tell how a finding stands: its state, its owner, when it is due, the note, and the id by which to speak of it."""
    yield row["state"] + (f" by {row['acknowledged_by']}" if row["state"] == FindingState.ACKNOWLEDGED else "")
    yield f"owner {row['owner'] or 'nobody'}"
    if row["due_at"]:
        yield f"due {row['due_at']:%Y-%m-%d %H:%M} UTC"
    if row["note"]:
        yield f"note: {row['note']}"
    yield f"id {row['finding_id']}"


def run_query(path: Path, sql: str, *, limit: int, fmt: Format) -> int:
    """Run one SELECT on the readers' copy."""
    import duckdb

    _, warehouse = open_warehouse(path)
    try:
        # one row more than is shown tells that there are more
        found = warehouse.query_copy(sql, limit=limit + 1 if limit and fmt is Format.TABLE else None)
    except duckdb.Error as trouble:
        said = str(trouble).strip()
        raise ConfigError(
            "The query cannot be run.", [("sql", said, "correct it; recon.points, recon.findings and mart.* are there")]
        ) from trouble
    emit(found, fmt, limit=limit or None, whole=False)
    return Exit.DONE


def run_explain(
    path: Path, sku: str, fmt: Format, *, at: str = "", since: str = "", tie: str = "", location: str = "", to: Path | None = None
) -> int:
    """Print what made a SKU's numbers what they are: now, `at` a time or `since` one; or how the books of a period `tie` out."""
    asked_for = [option for option, said in (("SKU", sku), ("--tie-out", tie)) if said]
    said = {"SKU": sku, "--at": at, "--since": since, "--tie-out": tie, "--location": location, "--out": to}
    clash = [pair for pair in _NOT_TOGETHER if all(said[option] for option in pair)]
    lacks = [] if tie else [option for option in ("--location", "--out") if said[option]]
    if len(asked_for) != 1 or clash or lacks:
        mend = "write `invbi explain SKU`, with --at or --since if you like, or `invbi explain --tie-out 2026-11`"
        problems = [(f"{one} with {other}", "one of the two", mend) for one, other in clash]
        problems += [(option, "a period beside it", "add --tie-out 2026-11") for option in lacks]
        what = problems or [("explain", "a SKU, or a period to tie out", mend)]
        raise ConfigError("It is not clear what to explain.", what)
    config, warehouse = open_warehouse(path)
    if at or since or tie:
        from invbi_pipeline.cli import past

        if tie:
            return past.run_tie_out(config, warehouse, tie, location=location, to=to, fmt=fmt)
        return past.run_at(config, warehouse, sku, at, fmt) if at else past.run_since(config, warehouse, sku, since, fmt)
    places = {name: _sells_from(config, name) for name in config.systems}
    found = explain(warehouse, sku, places)
    if fmt is Format.JSON:
        sys.stdout.write(json.dumps(_plain(found), default=str, ensure_ascii=False) + "\n")
        return Exit.DONE
    if fmt is Format.CSV:
        emit(pl.DataFrame([dict(p.point) for p in found.points], infer_schema_length=None), fmt)
        return Exit.DONE
    out.print(f"[bold]{plain(found.sku or sku)}[/] {plain(found.title)}\n")
    print_shelves(found)
    stands = found.findings.filter(~_verified())
    named = {(row["system"], row["listing_key"]) for row in stands.iter_rows(named=True)}
    told = ("", "")
    for point in found.points:
        listing = (point.point["system"], point.point["listing_key"])
        out.print()
        for line in told_point(point, found, found=listing in named, above=listing == told):
            out.print(line)
        told = listing
    out.print()
    _print_wrong(found)
    return Exit.DONE


def _print_wrong(found: Explanation) -> None:
    """Print what is wrong with a SKU, what is not judged yet, and what of it counts nowhere."""
    waiting = [point for point in found.points if not_yet_judged(point)]
    stands, before = found.findings.filter(~_verified()), found.findings.filter(_verified())
    if stands.height:
        out.print("What is wrong")
        print_findings(stands)
    elif waiting:
        are = "is" if len(waiting) == 1 else "are"
        out.print(f"Nothing is found wrong with it so far; {len(waiting)} of its numbers {are} not judged yet.")
    elif found.refused.is_empty() and before.is_empty() and not any(point.unplaced for point in found.points):
        out.print("Nothing is wrong with it.")
    if before.height:
        if stands.height or waiting:
            out.print()
        out.print("What was wrong when a run last looked")
        print_findings(before)
    print_unplaced(found)
    print_refused(found.refused)


def _verified() -> pl.Expr:
    """Say of findings whether a correction was verified since they were last seen: they stand no more, and no run has said so."""
    return (pl.col("mended_state") == CorrectionState.VERIFIED).fill_null(value=False)


def _sells_from(config: Config, name: str) -> list[str]:
    """Return the places a channel may promise from; never from a platform's own warehouse."""
    own = {place for place, declared in config.locations.items() if declared.kind == LocationKind.PLATFORM}
    return [place for place in sells_from(config, name, config.systems[name]) if place not in own]


def _plain(found: Explanation) -> dict[str, Any]:
    return {
        "sku": found.sku,
        "title": found.title,
        "positions": found.positions.to_dicts(),
        "components": found.components.to_dicts(),
        "makes": found.makes.to_dicts(),
        "reservations": found.reservations.to_dicts(),
        "points": [
            {
                **p.point,
                "base_detail": dict(p.base),
                "offer_detail": {**p.offer, "policy": dict(p.policy), "places": dict(p.places)},
                "not_yet_judged": not_yet_judged(p),
                "unplaced": p.unplaced,
                "events_since": p.effects.to_dicts(),
                "corrections": p.corrections.to_dicts(),
                "trail": p.trail.to_dicts(),
            }
            for p in found.points
        ],
        "findings": found.findings.to_dicts(),
        "refused": found.refused.to_dicts(),
        "bridges": [asdict(bridge) for bridge in bridges(found)],
    }
