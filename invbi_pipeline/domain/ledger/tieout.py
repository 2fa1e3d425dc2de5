"""The tie-out: per system, place and business day, opening + movements by kind = closing, and the remainder named.

It is of the counting system's own book: its numbers as they were read, and the movements it tells of. What its number did that
no movement tells is `unexplained`: derived from the readings each time, so that a late movement mends it, and never stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from invbi_pipeline.domain.frames.schema import FLAG, INT, TEXT, UTC, Schema
from invbi_pipeline.domain.words import MovementKind

__all__ = [
    "DAYS",
    "ENTRIES",
    "KINDS",
    "MARKS",
    "MOVES",
    "SHELF",
    "Period",
    "TieOut",
    "business_days",
    "daily",
    "entries",
    "lines",
    "steady",
    "tie_out",
    "untold",
]

SHELF: Final = ("system", "location", "sku", "listing_key")  # a line of the owner's book; its listing is of one sku
KINDS: Final = tuple(str(kind) for kind in MovementKind)  # in the order in which a person reads them; `unexplained` is last
_OPENING: Final = "opening"

MARKS: Final[Schema] = {  # the owner's number of a shelf as it stood at a time: a read of it, or a physical count
    "system": TEXT,
    "location": TEXT,
    "sku": TEXT,
    "listing_key": TEXT,
    "at": UTC,  # the owner's clock
    "number": INT,  # units of the sku
    "counted": FLAG,  # a count that does not say what difference it made
    "doubt_from": UTC,  # what moved after this ...
    "doubt_to": UTC,  # ... and up to this may or may not be in the number
}

MOVES: Final[Schema] = {  # what the owner says moved its number
    "system": TEXT,
    "location": TEXT,
    "sku": TEXT,
    "listing_key": TEXT,
    "at": UTC,  # when its number learnt of it
    "kind": TEXT,  # words.MovementKind
    "units": INT,  # signed, units of the sku
    "movement_id": TEXT,
    "order_id": TEXT,
}

ENTRIES: Final[Schema] = {**MOVES, "since": UTC}  # `since`, of what is derived: the mark before; it happened after that

DAYS: Final[Schema] = {  # a business day of a place: from `starts_at` to just before `ends_at`
    "location": TEXT,
    "day": pl.Date(),
    "starts_at": UTC,
    "ends_at": UTC,
}


@dataclass(frozen=True, slots=True)
class Period:
    """The business days from `first` to `last`, both included, as a person calls them."""

    name: str  # 2026-11 | 2026-11-20
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class TieOut:
    """A tie-out as it was known at a time. Frames are those of this module, by system and location.

    places: system, location, zone, day_ends, starts_at, ends_at, first_read, known_to (how far the owner's word reaches).
    totals: `lines` by place. days: `daily`. skus: `lines` by sku. remainder: `untold` with cost and findings.
    """

    business: str
    currency: str
    period: Period
    known_at: datetime  # our clock: when all of this was last read
    places: pl.DataFrame
    totals: pl.DataFrame
    days: pl.DataFrame
    skus: pl.DataFrame
    remainder: pl.DataFrame


def business_days(places: Mapping[str, tuple[ZoneInfo, time]], first: date, last: date) -> pl.DataFrame:
    """Return DAYS of each place from `first` to `last`, both included.

    `places` holds each place's time zone and the local time at which its day ends: until then it is still the day before. Where
    the clocks go back over that time the day starts at its first passing; where they leap over it, as if they had not leapt.
    """
    rows = [
        {"location": place, "day": day, "starts_at": _instant(day, ends, zone), "ends_at": _instant(day + _A_DAY, ends, zone)}
        for place, (zone, ends) in sorted(places.items())
        for day in (first + n * _A_DAY for n in range((last - first).days + 1))
    ]
    return pl.DataFrame(rows, schema=dict(DAYS))


_A_DAY: Final = timedelta(days=1)


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, tzinfo=zone).astimezone(ZoneInfo("UTC"))


def steady(marks: pl.LazyFrame, moves: pl.LazyFrame) -> pl.LazyFrame:
    """Return MARKS without the reads of which it is not sure what they contain, unless a shelf has no other.

    A movement stamped within a read's doubt may or may not be in its number: another read tells.
    """
    last = moves.select(*SHELF, moved_at="at").sort("moved_at")
    beside = marks.sort("doubt_to").join_asof(
        last, left_on="doubt_to", right_on="moved_at", by=list(SHELF), check_sortedness=False
    )
    unsure = ~pl.col("counted") & (pl.col("moved_at") > pl.col("doubt_from")).fill_null(value=False)
    return beside.filter(~unsure | unsure.all().over(SHELF)).select(*MARKS)


def entries(marks: pl.LazyFrame, moves: pl.LazyFrame) -> pl.LazyFrame:
    """Return ENTRIES: all that ever changed each shelf's number, so that their sum up to any time is the number at that time.

    `marks` is MARKS, `moves` is MOVES. The first mark is taken back by the movements before it: the `opening`, long ago. From
    one mark to the next, what the number did beyond its movements is the count's difference where the later one is a count that
    does not tell it, else unexplained; it bears the later mark's time. A movement at a mark's very time is in its number. Shelves
    without a mark have no number and no entries. Repeated marks count once.
    """
    key = [*SHELF, "at"]
    seen = marks.unique().group_by(key).agg(pl.col("number").min(), pl.col("counted").all())
    shelves = seen.select(SHELF).unique()
    mine = moves.join(shelves, on=SHELF, how="semi").select(*MOVES)
    steps = pl.concat(
        [mine.with_columns(mark=pl.lit(value=False)), seen.with_columns(mark=pl.lit(value=True))], how="diagonal_relaxed"
    ).sort(*key, "mark")
    moved = pl.col("units").fill_null(0).cum_sum().over(SHELF)
    at_marks = steps.with_columns(moved=moved).filter("mark").with_columns(rest=pl.col("number") - pl.col("moved"))
    derived = at_marks.with_columns(
        units=(pl.col("rest") - pl.col("rest").shift().over(SHELF)),
        since=pl.col("at").shift().over(SHELF),
    )
    first = derived.filter(pl.col("since").is_null()).select(
        *SHELF, at=pl.lit(_LONG_AGO).cast(UTC), kind=pl.lit(_OPENING), units="rest", since=pl.lit(None, UTC)
    )
    named = pl.when("counted").then(pl.lit(str(MovementKind.COUNT))).otherwise(pl.lit(str(MovementKind.UNEXPLAINED)))
    rest = derived.filter(pl.col("since").is_not_null() & (pl.col("units") != 0)).with_columns(kind=named)
    told = mine.with_columns(since=pl.lit(None, UTC))
    nobody = [pl.lit("").alias(name) for name in ("movement_id", "order_id")]
    derived_rows = [frame.with_columns(nobody) for frame in (first, rest)]
    return pl.concat([frame.select(*ENTRIES) for frame in (told, *derived_rows)])


_LONG_AGO: Final = datetime(1, 1, 1, tzinfo=ZoneInfo("UTC"))  # before any movement


def tie_out(ledger: pl.LazyFrame, days: pl.LazyFrame) -> pl.LazyFrame:
    """Return one row a (system, location, sku, day) on which its number moved, and for each shelf the first and the last day.

    Columns: the key, opening, one of each of `KINDS`, closing; units of the sku, signed. `ledger` is ENTRIES, `days` is DAYS:
    one unbroken span for each place. opening + the kinds = closing on every row, and closing is the next row's opening.
    """
    spans = days.group_by("location").agg(pl.col("starts_at").min(), pl.col("ends_at").max())
    within = ledger.join(spans, on="location").filter(pl.col("at") < pl.col("ends_at"))
    before = within.filter(pl.col("at") < pl.col("starts_at")).group_by(SHELF).agg(pl.col("units").sum())
    shelves = within.select(SHELF).unique()
    dated = (
        within.filter(pl.col("at") >= pl.col("starts_at"))
        .drop("starts_at", "ends_at")
        .sort("at")
        .join_asof(days.sort("starts_at"), left_on="at", right_on="starts_at", by="location", check_sortedness=False)
    )
    edges = days.group_by("location").agg(day=pl.concat_list(pl.col("day").min(), pl.col("day").max()).list.unique())
    empty = shelves.join(edges.explode("day"), on="location").select(*SHELF, "day")
    key = [*SHELF, "day"]
    sums = [pl.col("units").filter(pl.col("kind") == kind).sum().alias(kind) for kind in KINDS]
    moved = pl.concat([dated.select(*key, "kind", "units"), empty], how="diagonal").group_by(key).agg(sums)
    change = pl.sum_horizontal(KINDS)
    return (
        moved.join(before.rename({"units": "carried"}), on=SHELF, how="left")
        .sort(key)
        .with_columns(closing=pl.col("carried").fill_null(0) + change.cum_sum().over(SHELF, order_by="day"))
        .with_columns(opening=pl.col("closing") - change)
        .select(*key, "opening", *KINDS, "closing")
    )


_COLUMNS: Final = ("opening", *KINDS, "closing")


def lines(days: pl.LazyFrame, key: tuple[str, ...], costs: pl.LazyFrame) -> pl.LazyFrame:
    """Sum `tie_out` rows to one a `key` (of system, location, sku): opening, the kinds, closing, and each in money.

    `costs` is sku, cost (of one unit; null: unpriced). `money_of_...` is at cost, of what has one; `uncosted` is how many skus
    moved or lie there without one. The opening is the first day's and the closing the last day's of every shelf.
    """
    per_shelf = (
        days.sort("day")
        .group_by(SHELF, maintain_order=True)
        .agg(pl.col("opening").first(), *(pl.col(kind).sum() for kind in KINDS), pl.col("closing").last())
    )
    touched = pl.any_horizontal(pl.col(c) != 0 for c in _COLUMNS)
    return (
        per_shelf.join(costs.select("sku", "cost"), on="sku", how="left")
        .group_by(key)
        .agg(
            *(pl.col(c).sum() for c in _COLUMNS),
            *((pl.col(c) * pl.col("cost")).sum().round(2).alias(f"money_of_{c}") for c in _COLUMNS),
            uncosted=pl.col("sku").filter(pl.col("cost").is_null() & touched).n_unique().cast(pl.Int64),
        )
        .sort(key)
    )


def daily(days: pl.LazyFrame) -> pl.LazyFrame:
    """Sum `tie_out` rows to one a (system, location, day) on which anything moved, the first and the last day always."""
    place = ["system", "location"]
    change = pl.sum_horizontal(KINDS)
    carried = days.sort("day").group_by(SHELF, maintain_order=True).agg(pl.col("opening").first())
    opening = carried.group_by(place).agg(carried=pl.col("opening").sum())
    return (
        days.group_by(*place, "day")
        .agg(pl.col(kind).sum() for kind in KINDS)
        .join(opening, on=place)
        .sort(*place, "day")
        .with_columns(closing=pl.col("carried") + change.cum_sum().over(place, order_by="day"))
        .with_columns(opening=pl.col("closing") - change)
        .select(*place, "day", *_COLUMNS)
    )


def untold(ledger: pl.LazyFrame, days: pl.LazyFrame) -> pl.LazyFrame:
    """Return what the remainder of a span is made of: system, location, sku, since, at, units, one row a jump of a number."""
    spans = days.group_by("location").agg(pl.col("starts_at").min(), pl.col("ends_at").max())
    jumps = ledger.filter(pl.col("kind") == MovementKind.UNEXPLAINED).join(spans, on="location")
    within = jumps.filter((pl.col("at") >= pl.col("starts_at")) & (pl.col("at") < pl.col("ends_at")))
    return within.select(*SHELF, "since", "at", "units").sort("system", "location", "at", "sku")
