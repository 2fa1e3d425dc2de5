"""`invbi explain --at`, `--since` and `--tie-out`: how a SKU stood, where its numbers parted, and whether the books tie out."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

import polars as pl

from invbi_pipeline.cli.explained import bridge_lines
from invbi_pipeline.cli.output import Exit, Format, emit, out, plain
from invbi_pipeline.config import Config
from invbi_pipeline.domain.ledger.tieout import KINDS, TieOut
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.flows.accounts.bridge import shelf_lines
from invbi_pipeline.flows.accounts.history import Course, History, history
from invbi_pipeline.flows.accounts.replay import Past, Replayed, moment, replayed
from invbi_pipeline.flows.accounts.tieout import period_of, tie_out
from invbi_pipeline.store.warehouse import Warehouse

__all__ = ["run_at", "run_since", "run_tie_out"]

_MOST_EVENTS: Final = 40
_COLUMNS: Final = ("on_hand", "reserved", "undecided", "available")


def run_at(config: Config, warehouse: Warehouse, sku: str, said: str, fmt: Format) -> int:
    """Print a SKU as it stood at a time: as it was known then, and as it is known now."""
    found = replayed(warehouse, config, sku, moment(said, config, "--at"))
    if fmt is Format.JSON:
        sys.stdout.write(json.dumps(_plain(found), default=str, ensure_ascii=False) + "\n")
    elif fmt is Format.CSV:
        emit(found.numbers, fmt)
    else:
        _print_replayed(found)
    return Exit.DONE


def _print_replayed(found: Replayed) -> None:
    out.print(f"[bold]{plain(found.sku)}[/] at {found.at:%Y-%m-%d %H:%M:%S} UTC; today's policies and SKU map\n")
    key = ["sku", "location"]
    now = found.now.positions.select(*key, *(pl.col(c).alias(f"{c}_now") for c in _COLUMNS))
    both = found.then.positions.select(*key, *(pl.col(c).alias(f"{c}_then") for c in _COLUMNS))
    both = both.join(now, on=key, how="full", coalesce=True).sort(key)
    shown = [f"{c}_{when}" for c in _COLUMNS for when in ("then", "now") if c != "undecided" or (both[f"{c}_{when}"] != 0).any()]
    emit(both.select(*key, *shown), Format.TABLE, title="Where its units lay: as known then, and as known now")
    for title, lines in shelf_lines(found.now.positions, found.now.shelves, found.now.outside, found.now.reservations):
        out.print()
        out.print(f"[bold]{plain(title)}, as known now[/]")
        for line in bridge_lines(lines):
            out.print(f"  {line}")
    out.print()
    columns = ["system", "location", "listing_key", "state", "reported", "expected", "offer", "unexplained", "changed_at"]
    emit(found.numbers.select(columns), Format.TABLE, title="What each number was, as the last run before compared it")
    out.print()
    columns = ["system", "location", "listing_key", "read", "read_at", "effects", "late", "stood"]
    emit(
        found.numbers.select(columns),
        Format.TABLE,
        title="What it showed then, as known now: read + effects; late: arrived since",
    )
    out.print()
    if found.late.height:
        emit(found.late, Format.TABLE, title="Movements from before that arrived later")
    else:
        out.print("No movement from before arrived later.")


def _plain(found: Replayed) -> dict[str, Any]:
    def frames(past: Past) -> dict[str, Any]:
        return {field.name: getattr(past, field.name).to_dicts() for field in fields(past)}

    told = {"sku": found.sku, "at": found.at.isoformat(), "as_known_then": frames(found.then), "as_known_now": frames(found.now)}
    now = found.now
    lines = shelf_lines(now.positions, now.shelves, now.outside, now.reservations)
    bridges = [{"title": title, "lines": [asdict(line) for line in told_lines]} for title, told_lines in lines]
    return {**told, "numbers": found.numbers.to_dicts(), "arrived_later": found.late.to_dicts(), "bridges": bridges}


def run_since(config: Config, warehouse: Warehouse, sku: str, said: str, fmt: Format) -> int:
    """Print the histories of a SKU's numbers beside their owners' books, and the first event at which each parted."""
    found = history(warehouse, config, sku, moment(said, config, "--since"))
    if fmt is Format.JSON:
        sys.stdout.write(json.dumps(_told(found), default=str, ensure_ascii=False) + "\n")
    elif fmt is Format.CSV:
        frames = [c.rows.with_columns(system=pl.lit(c.system), listing_key=pl.lit(c.listing_key)) for c in found.courses]
        emit(pl.concat(frames) if frames else pl.DataFrame(), fmt)
    else:
        _print_history(found)
    return Exit.DONE


def _told(found: History) -> dict[str, Any]:
    courses = [
        {
            "system": course.system,
            "listing_key": course.listing_key,
            "location": course.location,
            "reads": course.reads,
            "diverged": course.parted is not None,
            "first_event": course.parted[0] if course.parted else None,
            "how": course.parted[1] if course.parted else None,
            "unexplained": course.jumps.to_dicts(),
            "not_judged": course.waiting,
            "events": course.rows.to_dicts(),
        }
        for course in found.courses
    ]
    return {"sku": found.sku, "since": found.since.isoformat(), "numbers": courses, "owners_unexplained": found.owners.to_dicts()}


def _print_history(found: History) -> None:
    out.print(f"[bold]{plain(found.sku)}[/] since {found.since:%Y-%m-%d %H:%M:%S} UTC\n")
    for course in found.courses:
        where = f"{course.system}{' @ ' + course.location if course.location else ''}"
        out.print(f"[bold]{plain(where)}[/]  listing {plain(course.listing_key)}: {plain(_verdict(course, found))}")
        if course.parted is not None:
            emit(_events(course), Format.TABLE, limit=_MOST_EVENTS)
            out.print()
    for row in found.owners.iter_rows(named=True):
        what = f"{row['system']} @ {row['location']}: the owner's own number of {row['sku']} moved by {row['units']:+d}"
        out.print(plain(f"{what} between {row['since']:%H:%M:%S} and {row['at']:%Y-%m-%d %H:%M:%S}; no movement tells of it"))
    if found.owners.is_empty():
        out.print("The owners' own numbers did nothing that their movements do not tell.")


def _verdict(course: Course, found: History) -> str:
    since = f"{found.since:%Y-%m-%d %H:%M:%S}"
    waits = f"; {_reads(course.waiting)} not judged before the order feed has passed" if course.waiting else ""
    if course.parted is None:
        read = f"({_reads(course.reads)})" if course.reads else "(it was not read since)"
        return f"no divergence since {since} {read}{waits}"
    first = course.jumps.row(0, named=True)
    event, how = course.parted
    what = f"{event} {how}" if event else how
    between = f"between {first['since']:%Y-%m-%d %H:%M:%S} and {first['at']:%Y-%m-%d %H:%M:%S}"
    more = f"; {course.jumps.height - 1} more since" if course.jumps.height > 1 else ""
    return f"diverged by {first['units']:+d} {between}: {what}{more}{waits}"


def _reads(count: int) -> str:
    return f"{count:,} read{'s' * (count != 1)}"


def _events(course: Course) -> pl.DataFrame:
    """Return the aligned events as a table, the first diverging one marked."""
    event = course.parted[0] if course.parted else ""
    first = course.jumps["at"][0]
    mark = (pl.col("origin") == event) if event else (pl.col("channel_kind") == "unexplained") & (pl.col("channel_at") == first)
    what = pl.when((pl.col("channel_kind") == "count").fill_null(value=False)).then(pl.lit("our push")).otherwise("what")
    origin = pl.when(pl.col("origin").str.contains(" ")).then(pl.lit("")).otherwise("origin")
    return course.rows.select(
        pl.when(mark.fill_null(value=False)).then(pl.lit(">>")).otherwise(pl.lit("")).alias("first"),
        "at",
        what.alias("what"),
        origin.alias("origin"),
        "owner_place",
        pl.col("owner_units").alias("owner"),
        pl.col("owner_number").alias("its_number"),
        pl.col("channel_units").alias("channel"),
        pl.col("channel_number").alias("channel_number"),
    )


def run_tie_out(config: Config, warehouse: Warehouse, said: str, *, location: str, to: Path | None, fmt: Format) -> int:
    """Print, or write as a page to be signed, whether each counting system's book ties out over a day or a month."""
    if to is not None and (to.is_dir() or not to.parent.is_dir()):
        raise ConfigError(f"{to} cannot be written.", [("--out", "a file in a folder that is there", "name another")])
    told = tie_out(warehouse, config, period_of(said), [location] if location else [])
    if to is not None:
        from invbi_pipeline.dashboard.tieout import write_tieout

        write_tieout(told, to)
        if fmt is Format.TABLE:
            out.print(f"{plain(str(to))}: {told.places.height} place{'s' * (told.places.height != 1)}, {told.period.name}")
    if fmt is not Format.TABLE:
        emit(told.skus, fmt)
        return Exit.DONE
    out.print(
        f"[bold]{plain(told.business)}[/]: stock tie-out {told.period.name}, as known at {told.known_at:%Y-%m-%d %H:%M:%S} UTC\n"
    )
    moved = [kind for kind in KINDS if (told.totals[kind] != 0).any() or kind == "unexplained"]
    emit(told.totals.select("system", "location", "opening", *moved, "closing"), Format.TABLE, title="Units")
    out.print()
    money = [pl.col(f"money_of_{c}").alias(c) for c in ("opening", *moved, "closing")]
    emit(told.totals.select("system", "location", *money, "uncosted"), Format.TABLE, title=f"At cost, {told.currency}")
    for line in (*_to_know(told), *_remainder(told)):
        out.print(line)
    return Exit.DONE


def _to_know(told: TieOut) -> Iterator[str]:
    """Yield what the page says beside the numbers of each place: what was not read, and what has no cost."""
    from invbi_pipeline.dashboard.tieout import statements

    notes = [f"  {one.system} @ {one.location}: {note}" for one in statements(told) for note in one.notes]
    if notes:
        yield from ("", "[bold]What to know[/]", *map(plain, notes))


def _remainder(told: TieOut) -> Iterator[str]:
    yield ""
    rows, places = told.remainder, told.places
    if rows.is_empty() and (places["first_read"] > places["starts_at"]).any():
        yield "Since the first read every movement of every number is told by a movement; what was before it cannot show."
        return
    if rows.is_empty():
        yield "Every movement of every number is told by a movement: nothing remains."
        return
    yield "[bold]What the remainder is made of[/]"
    for row in rows.head(_MOST_EVENTS).iter_rows(named=True):
        found = row["findings"] or "no finding yet"
        where = f"{row['system']} @ {row['location']}  {row['sku']}"
        when = f"{row['since']:%Y-%m-%d %H:%M:%S} to {row['at']:%Y-%m-%d %H:%M:%S} UTC"
        yield f"  {row['units']:>+6,}  {plain(where)}  {when}  {plain(found)}"
    if rows.height > _MOST_EVENTS:
        yield f"  ... {rows.height - _MOST_EVENTS} more; --out FILE.html and --format csv have them"
