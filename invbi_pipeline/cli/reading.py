"""`invbi findings`, `invbi explain` and `invbi query`: what stands in the warehouse, in words. Nothing is called."""

import json
import sys
from pathlib import Path
from typing import Any

import polars as pl
from rich.markup import escape

from invbi_pipeline.cli.output import Exit, Format, emit, out
from invbi_pipeline.config import Config, load_config
from invbi_pipeline.domain.words import FindingState, Severity
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.flows.explain import ExplainedPoint, Explanation, explain
from invbi_pipeline.store.warehouse import Warehouse

__all__ = ["at_or_above", "open_warehouse", "run_explain", "run_findings", "run_query"]

_RANK = [Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL]
_DEDUCTIONS = ("threshold", "share_bp", "buffer", "backorder_limit", "min_offer", "max_offer", "held_nowhere")


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
    path: Path, *, code: str, severity: Severity | None, system: str, state: FindingState | None, limit: int, fmt: Format
) -> int:
    """List findings, most severe first."""
    _, warehouse = open_warehouse(path)
    found = warehouse.read("recon.findings")
    found = found.filter(pl.col("state") == str(state) if state else pl.col("state") != FindingState.RESOLVED)
    if code:
        found = found.filter(pl.col("code") == code)
    if system:
        found = found.filter(pl.col("system") == system)
    if severity:
        found = found.filter(pl.col("severity").is_in(at_or_above(severity)))
    rank = pl.col("severity").replace_strict({str(s): n for n, s in enumerate(_RANK)}, default=-1, return_dtype=pl.Int64)
    found = found.sort(rank, "money", "units", "finding_id", descending=[True, True, True, False], nulls_last=True)
    if fmt is Format.TABLE:
        out.print(f"{found.height} findings\n" if found.height else "Nothing is wrong.")
        _print_findings(found if not limit else found.head(limit))
        if limit and found.height > limit:
            out.print(f"... {found.height - limit} more; --limit 0 shows all, --format csv writes them for a spreadsheet")
    else:
        emit(found, fmt)
    return Exit.DONE


def _print_findings(found: pl.DataFrame) -> None:
    """Print each as a person reads it: what and where, how much, why, and what to do."""
    for row in found.iter_rows(named=True):
        thing = row["sku"] or row["listing_key"]
        place = f" @ {row['location']}" if row["location"] else ""
        where = " on ".join(filter(None, (thing, f"{row['system'] or ''}{place}")))
        size = "" if row["units"] is None else f"  {row['units']:,} units"
        worth = f", {row['currency']} {row['money']:,.2f}" if row["money"] else ""
        out.print(f"[bold]{row['severity']:<8}[/] [bold]{row['code'].replace('_', ' ')}[/]  {escape(where)}{size}{worth}")
        out.print(f"         {escape(row['cause'] or '')}")
        out.print(f"         To mend it: {escape(row['suggested_action'] or '-')}")


def run_query(path: Path, sql: str, *, limit: int, fmt: Format) -> int:
    """Run one SELECT on the readers' copy."""
    import duckdb

    _, warehouse = open_warehouse(path)
    try:
        found = warehouse.query_copy(sql)
    except duckdb.Error as trouble:
        said = str(trouble).strip()
        raise ConfigError(
            "The query cannot be run.", [("sql", said, "correct it; recon.points, recon.findings and mart.* are there")]
        ) from trouble
    emit(found, fmt, limit=limit or None)
    return Exit.DONE


def run_explain(path: Path, sku: str, fmt: Format) -> int:
    """Print what made a SKU's numbers what they are."""
    _, warehouse = open_warehouse(path)
    found = explain(warehouse, sku)
    if fmt is Format.JSON:
        sys.stdout.write(json.dumps(_plain(found), default=str, ensure_ascii=False) + "\n")
        return Exit.DONE
    if fmt is Format.CSV:
        emit(pl.DataFrame([dict(p.point) for p in found.points], infer_schema_length=None), fmt)
        return Exit.DONE
    out.print(f"[bold]{escape(found.sku)}[/] {escape(found.title)}\n")
    told = [name for name in ("unavailable", "safety_stock", "undecided") if (found.positions[name] != 0).any()]
    shelf = found.positions.select("location", "on_hand", "reserved", *told, "available", "anchored_at")
    emit(shelf, fmt, title="Where its units lie")
    if found.reservations.height:
        out.print()
        emit(
            found.reservations.select("system", "order_id", "location", "units", "ordered_at", "evidence"),
            fmt,
            title="Promised",
            limit=20,
        )
    for point in found.points:
        out.print()
        _print_point(point)
    out.print()
    if found.findings.height:
        out.print("What is wrong")
        _print_findings(found.findings)
    else:
        out.print("Nothing is wrong with it.")
    return Exit.DONE


def _print_point(explained: ExplainedPoint) -> None:
    point, offer = explained.point, explained.offer
    where = f"{point['system']}{' @ ' + point['location'] if point['location'] else ''}"
    out.print(f"[bold]{escape(where)}[/]  listing {escape(str(point['listing_key']))}  [bold]{point['state']}[/]")
    if point["base"] is not None:
        since = point["expected"] - point["base"]
        effects = explained.effects
        if not effects.height or int(effects["units"].sum()) != since:  # compared with a push in flight, or with 0 for less
            effects = effects.clear()
        why, version = explained.base.get("why", ""), explained.base.get("version") or "-"
        known = f"base {point['base']} ({why}, version {escape(str(version))})"
        out.print(f"  {known}, events since {since:+d}: expected {point['expected']}")
        out.print(
            f"  reported {point['reported']} - expected {point['expected']} = unexplained {point['unexplained']};"
            f" offer {point['offer']} - expected {point['expected']} = pending {point['pending']}; gap {point['gap']}"
        )
        for effect in effects.tail(10).iter_rows(named=True):
            order = escape(str(effect["order_id"] or "-"))
            out.print(f"    {effect['stamped_at']:%Y-%m-%d %H:%M:%S}  {effect['kind']:<8} {effect['units']:+d}  order {order}")
    else:
        out.print(f"  reported {point['reported']}: not compared")
    if offer:
        out.print(f"  pool {offer['pool']}" + "".join(_deduction(name, offer, explained) for name in _DEDUCTIONS))
        here = f", {offer['offer']} of it at {point['location']}" if point["location"] else ""
        pack = f" / {offer['units']} a listing" if offer["units"] and offer["units"] > 1 else ""
        out.print(f"  sellable {offer['sellable']}{pack}{here}: offer {offer['offer']}")
    for row in explained.corrections.head(5).iter_rows(named=True):
        proof = f", read back {row['read_back']}" if row["read_back"] is not None else ""
        change = f"{row['kind']} {row['from_qty']} -> {row['to_qty']}: {row['state']}{proof}"
        out.print(f"  {row['planned_at']:%Y-%m-%d %H:%M} {change}. {escape(row['reason'] or '')}")


def _deduction(name: str, offer: Any, explained: ExplainedPoint) -> str:
    value = offer.get(name)
    neutral = {"share_bp": 10_000, "max_offer": None}.get(name, 0)
    if value is None or value == neutral:
        return ""
    who = explained.policy.get(name, "")
    return f", {name.replace('_', ' ')} {value}" + (f" ({escape(str(who))})" if who else "")


def _plain(found: Explanation) -> dict[str, Any]:
    return {
        "sku": found.sku,
        "title": found.title,
        "positions": found.positions.to_dicts(),
        "reservations": found.reservations.to_dicts(),
        "points": [
            {
                **p.point,
                "base_detail": dict(p.base),
                "offer_detail": {**p.offer, "policy": dict(p.policy)},
                "events_since": p.effects.to_dicts(),
                "corrections": p.corrections.to_dicts(),
            }
            for p in found.points
        ],
        "findings": found.findings.to_dicts(),
    }
