"""What a feed's health is judged on: a few figures of each batch beside what is known already. Pure; one row a batch.

Shares are basis points. A figure is null where it says nothing (no history, too few points): it is then not judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Final

import polars as pl

from invbi_pipeline.config import GuardConfig
from invbi_pipeline.domain.frames import UTC
from invbi_pipeline.domain.identity.codes import SPELLINGS, spelling
from invbi_pipeline.domain.words import Dataset, Quantity
from invbi_pipeline.store.landing import Batch

__all__ = ["METRICS", "History", "Metrics", "measure", "newest_change"]

FULL: Final = 10_000  # basis points

# A number that goes back in the platform's own time is old data; a few may do so while its replicas settle.
_REGRESSED_LIMIT: Final = 100
_REGRESSED_ROWS: Final = 3
# Listings whose own effects fell into the time since the last read must be among what changed; fewer prove nothing.
_ECHO_LISTINGS: Final = 20
_ALL_ZERO_POINTS: Final = 4  # in a small shop only all of its points at once are judged; three may be three shoppers
_FEW_KEYS: Final = 10  # of fewer keys only the loss of all is judged
_LEAST_KEYS: Final = 3  # and of fewer than these nothing
_QUIET_AT_LEAST: Final = timedelta(hours=6)
_CLOCK_SET: Final = timedelta(seconds=30)  # more than the way of an answer
_EXPORTS: Final = 3  # with different times, before their rhythm is known

METRICS: Final[Mapping[str, pl.DataType]] = {
    "batch_id": pl.String(),
    "system": pl.String(),
    "dataset": pl.String(),
    "complete": pl.Int64(),  # 1: paging reached its end
    "rows": pl.Int64(),  # that passed the wall, chief frame
    "quarantined": pl.Int64(),
    "expected_rows": pl.Int64(),  # of the last believed full read; at a first read of stock, one for each listing
    "volume_bp": pl.Int64(),
    "volume_floor_bp": pl.Int64(),
    "known_keys": pl.Int64(),  # listings that had a number above 0 before
    "named_keys": pl.Int64(),  # of those, in this full read
    "new_keys": pl.Int64(),  # in this full read, and without a number before
    "key_example": pl.String(),  # a new key beside the one that it may be, as the reason says it
    "named_bp": pl.Int64(),
    "named_floor_bp": pl.Int64(),
    "echo_bp": pl.Int64(),  # listings whose own effects moved them since the last read and that this read names
    "echo_floor_bp": pl.Int64(),
    "missing_bp": pl.Int64(),  # points that had a number above 0 and now have none
    "missing_limit_bp": pl.Int64(),
    "above_zero": pl.Int64(),  # points that had a number above 0 before
    "zeroed": pl.Int64(),  # of those, now 0, below, or untracked
    "zeroed_bp": pl.Int64(),
    "zeroed_limit_bp": pl.Int64(),
    "regressed_bp": pl.Int64(),  # numbers older than what was read before
    "regressed_limit_bp": pl.Int64(),
    "silent_s": pl.Int64(),  # since the newest change it told of, while another system moved
    "silent_limit_s": pl.Int64(),
    "lag_s": pl.Int64(),  # longest way of an effect into its first read
    "skew_s": pl.Float64(),  # its clock at the answer less ours
    "newest_change": UTC,
    "export_at": UTC,  # the one time that all of its numbers bear: that of an export, not of their changes
}


@dataclass(frozen=True, slots=True)
class History:
    """What is known of one system before this run."""

    full_rows: Mapping[str, int]  # dataset -> rows of its last believed full read (chief frame)
    stock_read_at: datetime | None  # platform's clock at the last believed stock sweep
    orders_read_at: datetime | None
    newest_change: datetime | None  # platform's clock
    longest_silence: timedelta | None  # between two of its own changes lately; null: it has no rhythm that is known
    others_moved_at: datetime | None  # newest change of any other system, on our clock
    exports: Sequence[datetime]  # distinct `export_at` of its believed stock reads lately, in order
    skew: timedelta  # the farthest its clock was from ours today
    listings: int  # known, not deleted
    observations: pl.DataFrame  # system, listing_key, location_key, quantity (known only), changed_at, listed
    known_effects: pl.DataFrame  # effect_id
    was_blind: bool


@dataclass(slots=True)
class Metrics:
    """One row of METRICS."""

    batch_id: str
    system: str
    dataset: str
    complete: int
    rows: int
    quarantined: int
    expected_rows: int | None = None
    volume_bp: int | None = None
    volume_floor_bp: int | None = None
    known_keys: int | None = None
    named_keys: int | None = None
    new_keys: int | None = None
    key_example: str = ""
    named_bp: int | None = None
    named_floor_bp: int | None = None
    echo_bp: int | None = None
    echo_floor_bp: int | None = None
    missing_bp: int | None = None
    missing_limit_bp: int | None = None
    above_zero: int | None = None
    zeroed: int | None = None
    zeroed_bp: int | None = None
    zeroed_limit_bp: int | None = None
    regressed_bp: int | None = None
    regressed_limit_bp: int | None = None
    silent_s: int | None = None
    silent_limit_s: int | None = None
    lag_s: int | None = None
    skew_s: float | None = None
    newest_change: datetime | None = None
    export_at: datetime | None = None

    def row(self) -> dict[str, object]:
        return asdict(self)


def measure(batches: Sequence[Batch], history: History, guards: GuardConfig, max_age_s: float) -> list[Metrics]:
    """Measure the answered batches of one system's run against its history."""
    return [_measure(batch, batches, history, guards, max_age_s) for batch in batches]


def newest_change(batches: Sequence[Batch]) -> datetime | None:
    """Return the newest time at which anything in these batches says that it changed; the platform's clock."""
    found = [frame[c].max() for b in batches for frame in b.rows.values() for c in frame.columns if frame.schema[c] == UTC]
    times = [at for at in found if isinstance(at, datetime)]
    return max(times, default=None)


def _measure(batch: Batch, all_of_it: Sequence[Batch], history: History, guards: GuardConfig, max_age_s: float) -> Metrics:
    chief = batch.frame("order_lines" if batch.dataset == Dataset.ORDERS else batch.dataset)
    made = Metrics(batch.batch_id, batch.system, batch.dataset, int(batch.complete), chief.height, batch.quarantine.height)
    made.newest_change = newest_change([batch])
    if batch.platform_time is not None:
        made.skew_s = (batch.platform_time - batch.began_at).total_seconds()
    if batch.full and batch.dataset in (Dataset.STOCK, Dataset.LISTINGS, Dataset.LOCATIONS):
        _volume(made, batch, all_of_it, history, guards)
    if batch.full and batch.dataset in (Dataset.STOCK, Dataset.LISTINGS):
        _keys(made, batch, history, guards)
    if batch.dataset == Dataset.STOCK:
        made.export_at = _export_at(batch)
        _numbers(made, batch, history, guards)
        _echo(made, batch, all_of_it, history, guards)
        _silence(made, batch, all_of_it, history, max_age_s)
    if batch.dataset == Dataset.ORDERS:
        _lag(made, batch, history, timedelta(seconds=max_age_s))
    return made


def _volume(made: Metrics, batch: Batch, all_of_it: Sequence[Batch], history: History, guards: GuardConfig) -> None:
    before = history.full_rows.get(batch.dataset)
    if before:
        made.expected_rows, made.volume_floor_bp = before, guards.feed_min_volume_bp
        made.volume_bp = made.rows * FULL // before
    elif batch.dataset == Dataset.STOCK:
        read = [b.frame("listings").filter(pl.col("status") == "active")["listing_key"].n_unique() for b in all_of_it]
        listed = max(history.listings, *read)
        if listed:  # nothing to compare with yet: half of what will be asked later
            made.expected_rows, made.volume_floor_bp = listed, guards.feed_min_volume_bp // 2
            made.volume_bp = batch.frame("stock")["listing_key"].n_unique() * FULL // listed


def _keys(made: Metrics, batch: Batch, history: History, guards: GuardConfig) -> None:
    """A read may have as many rows as ever and know none of the old keys: a spreadsheet took the codes for numbers."""
    listed = pl.lit(value=True) if batch.dataset == Dataset.STOCK else pl.col("listed")  # a list may leave things out: as before
    before = history.observations.filter((pl.col("quantity") > 0) & listed).select("listing_key").unique()
    now = batch.frame(batch.dataset).select("listing_key").unique()
    named = before.join(now, on="listing_key", how="semi").height
    if now.is_empty() or before.height < (_FEW_KEYS if named else _LEAST_KEYS):
        return
    new = now.join(history.observations, on="listing_key", how="anti")
    made.known_keys, made.named_keys, made.new_keys = before.height, named, new.height
    made.named_bp, made.named_floor_bp = named * FULL // before.height, guards.feed_min_volume_bp
    if made.named_bp < made.named_floor_bp:
        made.key_example = _key_example(before.join(now, on="listing_key", how="anti"), new)


def _key_example(gone: pl.DataFrame, new: pl.DataFrame) -> str:
    """Show what happened to the keys by one of them: beside the old one that it is in another spelling, where there is one."""
    bare = pl.col("listing_key").str.strip_chars().str.replace(r"\.0+$", "")
    alike = spelling(bare, len(SPELLINGS) - 1).alias("alike")
    both = new.select("listing_key", alike).join(gone.select(pl.col("listing_key").alias("old"), alike), on="alike")
    if both.height:
        found, old = both.sort("old").select("listing_key", "old").row(0)
        return f"; e.g. {found!r} for {old!r}"
    return f"; e.g. {new['listing_key'].min()!r}" if new.height else ""


def _numbers(made: Metrics, batch: Batch, history: History, guards: GuardConfig) -> None:
    key = ["listing_key", "location_key"]
    now = batch.frame("stock").select(*key, "state", "quantity", pl.col("changed_at").alias("changed_now"))
    both = history.observations.join(now, on=key, how="inner")
    above = history.observations.filter(pl.col("quantity") > 0).select(key).unique().height
    fell = both.filter(pl.col("quantity") > 0)
    nothing = (pl.col("state") == Quantity.UNTRACKED) | ((pl.col("state") == Quantity.KNOWN) & (pl.col("quantity_right") <= 0))
    made.above_zero, made.zeroed = above, fell.filter(nothing).select(key).unique().height
    missing = fell.filter(pl.col("state") == Quantity.UNKNOWN).select(key).unique().height
    if above >= guards.min_points_for_share or (above >= _ALL_ZERO_POINTS and made.zeroed + missing >= above):
        made.zeroed_bp, made.zeroed_limit_bp = made.zeroed * FULL // above, guards.feed_max_zeroed_bp
        made.missing_bp, made.missing_limit_bp = missing * FULL // above, FULL - guards.feed_min_volume_bp
    elif history.observations.is_empty():
        known = now.filter(pl.col("state") == Quantity.KNOWN)
        if known.height >= guards.min_points_for_share and not (known["quantity"] > 0).any():
            made.zeroed, made.zeroed_bp, made.zeroed_limit_bp = known.height, FULL, guards.feed_max_zeroed_bp
    timed = both.drop_nulls(["changed_at", "changed_now"])
    turned = history.skew + _CLOCK_SET if history.skew > _CLOCK_SET else timedelta(0)  # a clock that was set dates otherwise
    older = timed.filter(pl.col("changed_now") < pl.col("changed_at") - turned).height
    if timed.height:
        made.regressed_bp = older * FULL // timed.height if older >= _REGRESSED_ROWS else 0
        made.regressed_limit_bp = _REGRESSED_LIMIT


def _echo(made: Metrics, batch: Batch, all_of_it: Sequence[Batch], history: History, guards: GuardConfig) -> None:
    """An incremental read that lacks what the same platform's order feed says it changed was cut short."""
    if batch.full or history.stock_read_at is None or batch.platform_time is None:
        return
    effects = pl.concat([b.frame("effects").select("listing_key", "stamped_at") for b in all_of_it])
    settled = batch.platform_time - (batch.platform_time - history.stock_read_at) / 4  # the newest may not be applied yet
    moved = effects.filter(pl.col("stamped_at").is_between(history.stock_read_at, settled, closed="right"))
    keys = moved.select("listing_key").unique()
    if keys.height >= _ECHO_LISTINGS:
        named = keys.join(batch.frame("stock"), on="listing_key", how="semi").height
        made.echo_bp, made.echo_floor_bp = named * FULL // keys.height, guards.feed_min_volume_bp


def _silence(made: Metrics, batch: Batch, all_of_it: Sequence[Batch], history: History, max_age_s: float) -> None:
    """How long ago its newest change was, counted to our clock: an export that stopped states an old time of its own."""
    if len(history.exports) >= _EXPORTS:
        rhythm = median((later - earlier).total_seconds() for earlier, later in pairwise(history.exports))
        newest = max([*history.exports, *([made.export_at] if made.export_at else [])])
        made.silent_s = round((batch.ended_at - newest).total_seconds())
        made.silent_limit_s = round(max(2 * rhythm, max_age_s))
        return
    told = [at for at in (newest_change(all_of_it), history.newest_change) if at is not None]
    usual = history.longest_silence
    if batch.platform_time is None or history.stock_read_at is None or history.others_moved_at is None or usual is None:
        return
    limit = max(2 * usual, timedelta(seconds=max_age_s), _QUIET_AT_LEAST)
    if batch.ended_at - history.others_moved_at < limit / 2:
        made.silent_s = round((batch.ended_at - max(told, default=batch.platform_time)).total_seconds())
        made.silent_limit_s = round(limit.total_seconds())


def _export_at(batch: Batch) -> datetime | None:
    stamps = batch.frame("stock")["changed_at"].unique()
    return stamps[0] if stamps.len() == 1 and batch.full else None


def _lag(made: Metrics, batch: Batch, history: History, away: timedelta) -> None:
    """Measure how late new effects are. Where nobody looked for so long, only what the look before could have shown is late."""
    before = history.orders_read_at
    if before is None or history.was_blind or batch.platform_time is None:
        return
    new = batch.frame("effects").join(history.known_effects, on="effect_id", how="anti")
    if new.height:
        reach = batch.platform_time if batch.platform_time - before <= away else before
        way = new.select((pl.lit(reach) - pl.col("stamped_at")).dt.total_seconds().max()).item()
        made.lag_s = max(0, int(way))
