"""What `invbi map` and its commands do."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl

from invbi_pipeline.cli.output import Exit, Format, emit, out, plain, say
from invbi_pipeline.cli.reading import open_warehouse
from invbi_pipeline.cli.who import account
from invbi_pipeline.config import Config
from invbi_pipeline.domain.identity.mappings import KEY
from invbi_pipeline.domain.words import Decision
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.flows.accounts.replay import moment
from invbi_pipeline.flows.context import SystemClock, open_stores
from invbi_pipeline.flows.decision import mapping
from invbi_pipeline.store.state import State
from invbi_pipeline.store.warehouse import Warehouse

__all__ = ["run_accept", "run_map", "run_reject", "run_show_mapping"]


def run_map(path: Path, *, limit: int, fmt: Format) -> int:
    """List what is in doubt, what sold most first."""
    _, warehouse = open_warehouse(path)
    found = mapping.doubtful(warehouse)
    if fmt is not Format.TABLE:
        emit(found, fmt)
    elif found.is_empty():
        out.print("Every listing belongs to a SKU.")
    else:
        _print_doubts(found, limit)
    return Exit.DONE


def _print_doubts(found: pl.DataFrame, limit: int) -> None:
    """Print each listing as a person reads it: what and where, what it may be and why, and its finding's id."""
    listings = found.partition_by(*KEY, maintain_order=True)
    for maybe in listings[: limit or None]:
        row = maybe.row(0, named=True)
        title = f" ({row['title']})" if row["title"] else ""
        sold = f"  sold {row['sold_units']:,}" if row["sold_units"] else ""
        key = "" if row["code"] in (None, "", row["listing_key"]) else f"  {row['listing_key']}"
        out.print(
            f"[bold]{plain(row['code'] or row['listing_key'])}[/]{plain(title)} on {plain(row['system'])}{plain(key)}{sold}"
        )
        out.print(f"    {plain(row['doubt'].replace('_', ' '))}; finding {row['finding_id']}")
        for one in maybe.drop_nulls("sku").iter_rows(named=True):
            pack = f"{one['units']} x " if one["units"] > 1 else ""
            out.print(f"    may be {pack}[bold]{plain(one['sku'])}[/]: {plain(one['reason'])} ({one['confidence']:.0%})")
    if len(listings) > limit > 0:
        out.print(f"... {len(listings) - limit} more; --limit 0 shows all, --format csv writes them for a spreadsheet")
    out.print("\nTo say which SKU it is: invbi map accept SYSTEM LISTING SKU, or invbi map accept FINDING for the likeliest.")


def run_accept(path: Path, system: str, listing: str, sku: str, *, units: int | None, since: str, by: str) -> int:
    """Keep that a listing is a sku. Without a listing `system` is a finding's id, and its likeliest sku is accepted.

    It takes the place of what was accepted before, from the beginning, or from `since`, a time.
    """
    with _opened(path) as (config, warehouse, state):
        if not listing:
            said = mapping.suggested(warehouse, system)
        elif sku:
            said = mapping.Subject(system, mapping.listing_of(config, warehouse, system, listing), sku)
        else:
            raise ConfigError(
                "Which SKU it is was not said. Nothing was changed.",
                [("SKU", "a master SKU, or a kit's", "add it: invbi map accept SYSTEM LISTING SKU")],
            )
        said = replace(said, units=said.units if units is None else units, since=_since(since, config))
        mapping.decide(config, warehouse, state, said, Decision.ACCEPTED, account(by), SystemClock().now())
    say(f"{said.listing_key} on {said.system} is {said.units} x {said.sku}; the next run maps it so")
    return Exit.DONE


def run_reject(path: Path, system: str, listing: str, sku: str, *, since: str, by: str) -> int:
    """Keep that a listing is not a sku: that it never was, or is no more from `since`, a time."""
    with _opened(path) as (config, warehouse, state):
        key = mapping.listing_of(config, warehouse, system, listing)
        said = mapping.Subject(system, key, sku, since=_since(since, config))
        mapping.decide(config, warehouse, state, said, Decision.REJECTED, account(by), SystemClock().now())
    say(f"{said.listing_key} on {said.system} is not {said.sku}; the next run knows it")
    return Exit.DONE


def _since(said: str, config: Config) -> datetime | None:
    return moment(said, config, "--since") if said else None


def run_show_mapping(path: Path, listing: str, fmt: Format) -> int:
    """Print a listing's mappings in time, and who decided what. JSON and CSV have a row for each of both."""
    with _opened(path) as (_, warehouse, state):
        versions, decisions = mapping.history(warehouse, state, listing)
    if fmt is not Format.TABLE:
        emit(versions.join(decisions, on=["system", "listing_key", "sku", "units"], how="full", coalesce=True), fmt)
        return Exit.DONE
    if versions.is_empty():
        out.print(f"{plain(listing)} belongs to no SKU yet.")
    else:
        emit(versions, fmt, title="Mapped to")
    if decisions.height:
        out.print()
        emit(decisions, fmt, title="Decided")
    return Exit.DONE


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Config, Warehouse, State]]:
    config, warehouse = open_warehouse(path)
    _, state = open_stores(config)
    try:
        yield config, warehouse, state
    finally:
        state.close()
