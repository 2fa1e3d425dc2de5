"""Staging, row by row: what the models of `dbt_like_sql/staging` make of all reads, made of the reads before and a few more.

A batch rebuilds every staged row from every read; the event process has no time for that. Both must come to the same rows: the
platform's own clock orders the reads (a later one wins, of two at the same time the one that landed last), the newest change of
an order line wins however late its read came in, a listing that one read gave with several codes has a row for each, and a point
that the newest full sweep of stock does not list is unknown, never 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Final, NamedTuple, Protocol

import polars as pl

from invbi_pipeline.domain.frames import UTC, Schema, empty
from invbi_pipeline.domain.indexed import Keyed
from invbi_pipeline.domain.truth import STAGED
from invbi_pipeline.domain.words import Dataset, Quantity

__all__ = ["ROWS_OF", "SAID", "SWEEPS", "TOLD_AT", "Landed", "Read", "Restaged", "Staged", "read_of", "restage"]

TOLD_AT: Final = "told_at"  # the platform's time of the read that said a row
# The wall frame that each staged frame is made of, and what makes two rows of it the same row.
ROWS_OF: Final[Mapping[str, str]] = {
    "listings": "listings",
    "order_lines": "order_lines",
    "movements": "movements",
    "effects": "effects",
    "returns": "returns",
    "observations": "stock",
}
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "listings": ("system", "listing_key"),
    "order_lines": ("system", "order_id", "line_id"),
    "movements": ("system", "movement_id", "listing_key"),
    "effects": ("system", "effect_id"),
    "returns": ("system", "event_id", "listing_key"),
    "observations": ("system", "listing_key", "location_key"),
}
# The staged rows with what orders them: the platform's time of the read that said so.
SAID: Final[Mapping[str, Schema]] = {
    **{name: {**STAGED[name], TOLD_AT: UTC} for name in ROWS_OF if name != "observations"},
    "observations": {**STAGED["observations"], "location_key": pl.String(), TOLD_AT: UTC},
}
SWEEPS: Final[Schema] = {  # one row a system: the newest sweep of its stock, and the platform's time of the newest full one
    "system": pl.String(),
    "observed_at": UTC,
    "read_began_at": UTC,
    "read_ended_at": UTC,
    "full_at": UTC,
}
# By which of these the rows that a read may change are looked up.
_NAMED_BY: Final[Mapping[str, str]] = {name: key[1] for name, key in _KEYS.items()}
_BEFORE_ALL: Final = -(2**62)  # microseconds: a change without a time is older than any other
_READ_TIMES: Final = ("observed_at", "read_began_at", "read_ended_at")


class Read(NamedTuple):
    """One believed read of one dataset: typed rows by wall frame, each with `row_number`, and the clocks of the read."""

    system: str
    batch_id: str
    sweeps_stock: bool  # it is the whole stock of the system, or what changed of it; else only what was asked for
    full: bool
    began_at: datetime
    ended_at: datetime
    platform_time: datetime
    rows: Mapping[str, pl.DataFrame]


class Landed(Protocol):
    """What staging needs of a batch as it lands (`store.landing.Batch`)."""

    @property
    def system(self) -> str: ...
    @property
    def dataset(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def batch_id(self) -> str: ...
    @property
    def full(self) -> bool: ...
    @property
    def began_at(self) -> datetime: ...
    @property
    def ended_at(self) -> datetime: ...
    @property
    def platform_time(self) -> datetime | None: ...
    @property
    def said(self) -> Mapping[str, pl.DataFrame]: ...


def read_of(batch: Landed) -> Read:
    """Return a batch that was answered as staging sees it. Raises `ValueError` for one that never was."""
    if batch.platform_time is None:
        raise ValueError(f"batch {batch.batch_id} was never answered: there is nothing to stage")
    sweeps = batch.dataset == Dataset.STOCK and batch.scope == "sweep"
    times = (batch.began_at, batch.ended_at, batch.platform_time)
    return Read(batch.system, batch.batch_id, sweeps, batch.full, *times, batch.said)


class Restaged(NamedTuple):
    """The staged rows after some reads, and by frame the rows that are new or other than before (`decision.GIVEN`).

    A number that was read again is such a row even where it stands as it stood: the look itself is news. What a sweep says by
    not listing a point, that its number still stands at the time of the sweep, is in `said` alone.
    """

    said: dict[str, pl.DataFrame]
    sweeps: pl.DataFrame
    changes: dict[str, pl.DataFrame]


def restage(said: Mapping[str, pl.DataFrame], sweeps: pl.DataFrame, places: pl.DataFrame, reads: Sequence[Read]) -> Restaged:
    """Stage reads, in the order they landed in, after all those that `said` (SAID by frame) and `sweeps` (SWEEPS) were made of.

    `places` says which location each location key is: system, location_key, location. Putting a row in its place costs as much
    as there are staged rows (`Staged` has those of a read in reach), so that the reads are put together first. A sweep of stock
    speaks of what it does not list, too: it is staged by itself. Raises `ValueError` where it is not.
    """
    sweep = next((read for read in reads if read.sweeps_stock), None)
    if sweep is not None and len(reads) > 1:
        raise ValueError("a sweep of stock is staged by itself")
    after, changes = dict(said), dict[str, pl.DataFrame]()
    if sweep is not None:
        sweeps = _swept(sweeps, sweep)
    for name in ROWS_OF:
        made = [rows for read in reads if (rows := _made(name, read, sweeps, places)).height]
        if made:
            together = reduce(lambda before, rows: _put(before, rows, name)[0], made)
            after[name], changes[name] = _put(after[name], together, name)
    if sweep is not None:
        after["observations"], gone = _stands(after["observations"], sweeps, sweep)
        known = changes.get("observations", gone.clear())
        changes["observations"] = pl.concat([known.join(gone, on=["system", "listing_key", "location"], how="anti"), gone])
    return Restaged(after, sweeps, {name: rows for name, rows in changes.items() if rows.height})


@dataclass(frozen=True, slots=True)
class Staged:
    """The staged rows of one system, in reach: a read is put in its place without looking through those it does not name."""

    frames: Mapping[str, Keyed]

    @classmethod
    def of(cls, said: Mapping[str, pl.DataFrame]) -> "Staged":
        """Have these rows (SAID by frame; what is left out is empty) in reach."""
        return cls({name: Keyed.of(said.get(name, empty(SAID[name])), column) for name, column in _NAMED_BY.items()})

    def every(self, name: str) -> pl.DataFrame:
        """Return all rows of a frame of SAID."""
        return self.frames[name].every()

    def observed(self, listing_keys: Sequence[str]) -> pl.DataFrame:
        """Return the observations of these listings: SAID."""
        return self.frames["observations"].rows(pl.Series(listing_keys, dtype=pl.String).unique())

    def restage(self, sweeps: pl.DataFrame, places: pl.DataFrame, reads: Sequence[Read]) -> tuple["Staged", Restaged]:
        """Stage reads of the system: `restage`, of which only the rows that the reads may change are returned as `said`."""
        if any(read.sweeps_stock for read in reads):  # it speaks of all
            now = restage({name: self.every(name) for name in self.frames}, sweeps, places, reads)
            return Staged.of(now.said), now
        named = {name: self._named(name, reads) for name in self.frames}
        near = {name: self.frames[name].rows(values) for name, values in named.items()}
        now = restage(near, sweeps, places, reads)
        after = {name: held.put(named[name], now.said[name]) if len(named[name]) else held for name, held in self.frames.items()}
        return Staged(after), now

    def _named(self, name: str, reads: Sequence[Read]) -> pl.Series:
        column = _NAMED_BY[name]
        rows = [rows[column] for read in reads if (rows := read.rows.get(ROWS_OF[name])) is not None]
        return pl.concat([pl.Series(column, [], dtype=pl.String), *rows]).unique()


def _made(name: str, read: Read, sweeps: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of one read as SAID has them."""
    rows = read.rows.get(ROWS_OF[name])
    if rows is None or rows.is_empty():
        return empty(SAID[name])
    fresh = _placed(rows, places).with_columns(pl.lit(read.platform_time).cast(UTC).alias(TOLD_AT))
    return _observed(fresh, sweeps, read) if name == "observations" else _last(fresh, name)


def _placed(rows: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Add `location` where rows have a location key."""
    if "location_key" not in rows.columns:
        return rows
    named = pl.coalesce("location", pl.format("unmapped:{}", "location_key"))
    mapped = pl.when(pl.col("location_key") == "").then(pl.lit("")).otherwise(named)
    return rows.join(places, on=["system", "location_key"], how="left", maintain_order="left").with_columns(location=mapped)


def _last(fresh: pl.DataFrame, name: str) -> pl.DataFrame:
    """Of the rows of one read that are the same row, the last: of order lines the newest change."""
    key = [*_KEYS[name], *(["raw_sku"] if name == "listings" else [])]
    order = ["updated_at", "row_number"] if name == "order_lines" else ["row_number"]
    ranked = fresh.sort(order, nulls_last=False, maintain_order=True)
    return ranked.unique(key, keep="last", maintain_order=True).select(SAID[name].keys())


def _put(said: pl.DataFrame, made: pl.DataFrame, name: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Put the rows of a read in the place of those they succeed; return all rows, and those that are other than before."""
    key = list(_KEYS[name])
    old = said.join(made.select(key).unique(), on=key, how="semi", nulls_equal=True)
    newer = made
    if old.height:
        was = [pl.col(TOLD_AT).max().alias("was_told")]
        if name == "order_lines":
            was.append(pl.col("updated_at").max().alias("was_updated"))
        known = made.join(old.group_by(key).agg(was), on=key, how="left", nulls_equal=True, maintain_order="left")
        overtaken = (pl.col("was_told") > pl.col(TOLD_AT)).fill_null(value=False)
        if name == "order_lines":
            overtaken = _updated("was_updated") > _updated("updated_at")
            overtaken |= (_updated("was_updated") == _updated("updated_at")) & (pl.col("was_told") > pl.col(TOLD_AT))
            overtaken = overtaken.fill_null(value=False) & pl.col("was_told").is_not_null()
        newer = known.filter(~overtaken).select(made.columns)
    others = said.join(newer.select(key).unique(), on=key, how="anti", nulls_equal=True)
    columns = list(STAGED[name])
    if name == "observations":
        return pl.concat([others, newer]), newer.select(columns)
    same = newer.select(columns).join(old.select(columns), on=columns, how="anti", nulls_equal=True)
    # rows of one key stand together: where one of them changed, all of them succeed
    keyed = [column for column in key if column in columns]
    return pl.concat([others, newer]), newer.select(columns).join(same.select(keyed).unique(), on=keyed, how="semi")


def _updated(column: str) -> pl.Expr:
    return pl.col(column).dt.epoch("us").fill_null(_BEFORE_ALL)


def _observed(fresh: pl.DataFrame, sweeps: pl.DataFrame, read: Read) -> pl.DataFrame:
    """The rows of a read of stock as OBSERVATIONS: one for each number that it gave of a point.

    What a newer full sweep did not list is one unknown point, however many numbers the older read gave of it.
    """
    mine = sweeps.filter(pl.col("system") == read.system).head(1)
    full_at = mine["full_at"][0] if mine.height else None
    absent = full_at is not None and read.platform_time < full_at
    each = [*_KEYS["observations"], *([] if absent else ["state", "quantity"])]
    once = fresh.sort("row_number", maintain_order=True).unique(each, keep="last", maintain_order=True)
    times = {"observed_at": read.platform_time, "read_began_at": read.began_at, "read_ended_at": read.ended_at}
    if mine.height and mine["observed_at"][0] > read.platform_time:
        times = {name: mine[name][0] for name in _READ_TIMES}
    typed = once.with_columns(
        *(pl.lit(at).cast(UTC).alias(name) for name, at in times.items()),
        batch_id=pl.lit(read.batch_id),
        quantity=pl.when(pl.col("state") == Quantity.KNOWN).then("quantity"),
    )
    return (_unknown(typed, pl.lit(value=True)) if absent else typed).select(SAID["observations"].keys())


def _unknown(rows: pl.DataFrame, absent: pl.Expr) -> pl.DataFrame:
    """Make unknown what a full sweep did not list."""
    return rows.with_columns(
        state=pl.when(absent).then(pl.lit(str(Quantity.UNKNOWN))).otherwise("state"),
        quantity=pl.when(~absent).then("quantity"),
        reserved=pl.when(~absent).then("reserved"),
        version=pl.when(absent).then(pl.lit("")).otherwise("version"),
        changed_at=pl.when(~absent).then("changed_at"),
    )


def _swept(sweeps: pl.DataFrame, read: Read) -> pl.DataFrame:
    """SWEEPS after one more sweep of a system's stock."""
    others, mine = sweeps.filter(pl.col("system") != read.system), sweeps.filter(pl.col("system") == read.system)
    full_at = mine["full_at"][0] if mine.height else None
    full_at = max(filter(None, (full_at, read.platform_time if read.full else None)), default=None)
    if mine.height and mine["observed_at"][0] > read.platform_time:
        return pl.concat([others, mine.with_columns(full_at=pl.lit(full_at).cast(UTC))])
    row = (read.system, read.platform_time, read.began_at, read.ended_at, full_at)
    return pl.concat([others, pl.DataFrame([row], schema=dict(SWEEPS), orient="row")])


def _stands(observations: pl.DataFrame, sweeps: pl.DataFrame, read: Read) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What a sweep did not list stands at the time of the sweep; what a full one did not list is unknown.

    Return all rows, and (OBSERVATIONS) those that became unknown by it.
    """
    system = read.system
    mine, theirs = sweeps.filter(pl.col("system") == system), observations.filter(pl.col("system") == system)
    earlier = pl.col("observed_at") < mine["observed_at"][0]
    moved = theirs.with_columns(
        pl.when(earlier).then(pl.lit(mine[name][0]).cast(UTC)).otherwise(name).alias(name) for name in _READ_TIMES
    )
    absent = (pl.col(TOLD_AT) < pl.lit(mine["full_at"][0]).cast(UTC)).fill_null(value=False)
    if read.full and mine["full_at"][0] == read.platform_time:  # of two reads at the same time the one that landed last counts
        absent |= (pl.col(TOLD_AT) == pl.lit(read.platform_time).cast(UTC)) & (pl.col("batch_id") != read.batch_id)
    lost = _unknown(moved.filter(absent), pl.lit(value=True)).unique(
        list(_KEYS["observations"]), keep="last", maintain_order=True
    )
    knew = theirs.filter(absent & (pl.col("state") != Quantity.UNKNOWN)).select(_KEYS["observations"]).unique()
    gone = lost.join(knew, on=list(_KEYS["observations"]), how="semi").select(STAGED["observations"].keys())
    return pl.concat([observations.filter(pl.col("system") != system), moved.filter(~absent), lost]), gone
