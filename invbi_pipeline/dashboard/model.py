"""The dashboard as data: what the numbers are and how they are to be read. Renderers decide only how it looks.

Colour never stands alone: every state has a sign and a word too.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

import polars as pl

from invbi_pipeline.domain.frames import UTC, Schema, empty
from invbi_pipeline.domain.words import PointState

__all__ = [
    "CANCELLATIONS",
    "CHANNELS",
    "CORRECTIONS_TAB",
    "COVER",
    "DAILY",
    "FINDINGS_TAB",
    "HISTORY",
    "MATRIX",
    "SALES",
    "SIGNS",
    "TO_COUNT",
    "UNSEEN",
    "Business",
    "Column",
    "Dashboard",
    "DashboardInputs",
    "Figure",
    "Sign",
    "Tab",
    "Todo",
    "Tone",
    "clean",
    "marked",
    "percent",
    "readable",
    "words",
    "written",
]

# Control characters (a line break and a tab may stay), zero-width ones and those that turn the reading order.
UNSEEN: Final = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
_UNSEEN_MARK: Final = "\ufffd"

_text, _int, _money = pl.String(), pl.Int64(), pl.Float64()

# What `flows.publish` reads from the marts, one frame each.
HISTORY: Final[Schema] = {"run_id": _text, "ended_at": UTC, "comparable": _int, "agreed": _int}
CHANNELS: Final[Schema] = {
    "system": _text,
    "platform": _text,
    "mode": _text,
    "verdict": _text,
    "reason": _text,
    "read_at": UTC,  # our clock at the newest believed stock read
    "order_lag_s": _int,
    "points": _int,
    "comparable": _int,
    "agreed": _int,
}
MATRIX: Final[Schema] = {  # one row a point
    "sku": _text,
    "title": _text,
    "system": _text,
    "location": _text,
    "listing_key": _text,
    "reported": _int,
    "offer": _int,
    "gap": _int,
    "state": _text,
}
FINDINGS_TAB: Final[Schema] = {
    "finding_id": _text,
    "severity": _text,
    "code": _text,
    "system": _text,
    "location": _text,
    "sku": _text,
    "listing_key": _text,
    "title": _text,
    "units": _int,
    "money": _money,
    "cause": _text,
    "suggested_action": _text,
    "first_seen": UTC,
    "state": _text,
    "owner": _text,
    "due_at": UTC,
    "note": _text,
}
CORRECTIONS_TAB: Final[Schema] = {
    "planned_at": UTC,
    "system": _text,
    "location": _text,
    "sku": _text,
    "listing_key": _text,
    "kind": _text,
    "from_qty": _int,
    "to_qty": _int,
    "state": _text,
    "reason": _text,
    "guard": _text,
    "verified_at": UTC,
}

SALES: Final[Schema] = {  # one row a business day and channel
    "day": pl.Date(),
    "system": _text,
    "orders": _int,
    "units_sold": _int,
    "revenue": _money,  # null: unpriced
    "unpriced_units": _int,
    "units_shown": _int,  # at the end of the day; null while nobody looked
}
COVER: Final[Schema] = {  # one row a sku
    "sku": _text,
    "title": _text,
    "abc_class": _text,  # A | B | C | unpriced
    "on_hand": _int,  # null: not known
    "units_sold": _int,
    "revenue": _money,
    "daily_rate": _money,
    "days_of_cover": _money,  # null: no sale, so no end is seen
    "tied_up": _money,  # null: unpriced
    "unpriced_units": _int,
    "moves": _text,  # fast | steady | slow | still | out | none | unknown
    "last_sale_at": UTC,
}
CANCELLATIONS: Final[Schema] = {
    "system": _text,
    "cancel_rate": _money,
    "seller_caused_rate": _money,
    "limit_rate": _money,  # null: the platform publishes none
    "verdict": _text,
}
DAILY: Final[Schema] = {
    "day": pl.Date(),
    "parity": _money,
    "discrepancy_units": _int,
    "counts": _int,
    "record_accuracy": _money,
    "lag_p95_s": _money,
    "findings_opened": _int,
    "resolved_by_machine": _int,
    "resolved_by_people": _int,
    "resolved_by_itself": _int,
}

TO_COUNT: Final[Schema] = {  # one row a shelf of ours; see `domain.phantom.COUNT_LIST`
    "location": _text,
    "sku": _text,
    "system": _text,
    "units": _int,
    "probability": _money,
    "money": _money,  # null: unpriced
    "at_stake": _money,  # null: unpriced
    "silent_days": _money,
    "rate": _money,  # sales a day
    "failed_picks": _int,
    "last_count_at": UTC,
}


class Tone(StrEnum):
    """What a reader should feel: renderers choose a colour of sufficient contrast for it."""

    GOOD = "good"
    WATCH = "watch"
    BAD = "bad"
    PLAIN = "plain"


class Sign(NamedTuple):
    """How a state is written: a mark that survives black-and-white print, a word, a tone."""

    mark: str
    word: str
    tone: Tone


SIGNS: Final[Mapping[str, Sign]] = {
    PointState.AGREED: Sign("✓", "agrees", Tone.GOOD),
    PointState.CONVERGED: Sign("✓", "agrees (both moved)", Tone.GOOD),
    PointState.COUNTED: Sign("•", "counted here", Tone.PLAIN),
    PointState.PUSH_DUE: Sign("→", "push due", Tone.WATCH),
    PointState.FIRST_LOOK: Sign("?", "first look", Tone.WATCH),
    PointState.DRIFTED: Sign("≠", "drifted", Tone.BAD),
    PointState.DIVERGED: Sign("≠", "diverged", Tone.BAD),
    PointState.UNKNOWN: Sign("–", "unknown", Tone.PLAIN),
    PointState.UNTRACKED: Sign("–", "untracked", Tone.PLAIN),
    PointState.UNMAPPED: Sign("!", "unmapped", Tone.BAD),
    PointState.UNOFFERED: Sign("–", "not offered", Tone.PLAIN),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the overview with its unit and the sentence that says how to read it."""

    label: str
    value: str
    note: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Todo:
    """One thing to do, most pressing first; `anchor` is the finding it leads to."""

    text: str
    action: str
    severity: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a tab: its key in the frame, its heading, what it holds, its width in characters."""

    key: str
    heading: str
    kind: str = "text"  # text | code | int | money | hours (a tenth) | percent | time | state
    width: int = 14


@dataclass(frozen=True, slots=True)
class Tab:
    """A table that people filter: columns and rows, headers frozen."""

    title: str
    columns: Sequence[Column]
    rows: pl.DataFrame
    note: str = ""


class DashboardInputs(NamedTuple):
    """Frames with the schemas named in this module, read from the marts."""

    history: pl.DataFrame
    channels: pl.DataFrame
    matrix: pl.DataFrame
    findings: pl.DataFrame
    corrections: pl.DataFrame
    sales: pl.DataFrame = empty(SALES)
    cover: pl.DataFrame = empty(COVER)
    cancellations: pl.DataFrame = empty(CANCELLATIONS)
    daily: pl.DataFrame = empty(DAILY)
    to_count: pl.DataFrame = empty(TO_COUNT)


@dataclass(frozen=True, slots=True)
class Business:
    """What a merchant wants on one screen: figures, short tables, and the rows of two charts."""

    figures: Sequence[Figure]
    classes: Tab  # best sellers and the rest
    tables: Sequence[Tab]
    sales: pl.DataFrame  # day, system, revenue, units_sold
    moves: pl.DataFrame  # moves, skus, units, tied_up


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Everything a renderer needs."""

    title: str
    currency: str
    generated_at: datetime
    figures: Sequence[Figure]
    todos: Sequence[Todo]
    history: pl.DataFrame  # ended_at, parity (share 0..1), comparable, agreed
    codes: pl.DataFrame  # code, severity, open, units, money, oldest_hours
    channels: pl.DataFrame  # system, platform, mode, parity, points, age_s, order_lag_s, verdict, reason
    states: pl.DataFrame  # state, points
    parity: Tab
    exceptions: Tab
    corrections: Tab
    business: Business
    stock: Tab
    counts: Tab


def marked(state: str) -> str:
    """Return a point's state as people read it: its mark and its word."""
    sign = SIGNS.get(state)
    return f"{sign.mark} {sign.word}" if sign else state


def written(value: Any, column: Column, row: Mapping[str, Any]) -> Any:
    """Return a cell's value as it is written: a code in words; units whose money is not known are `unpriced`, never 0."""
    if column.kind == "code":
        return words(value or "")
    return "unpriced" if column.kind == "money" and value is None and row.get("units") else value


def clean(text: str) -> str:
    """Return text from outside as every renderer may show it: what is not seen or turns the reading order becomes a mark.

    A workbook refuses NUL, a terminal obeys ESC, and a browser lets a bidirectional override turn the line around.
    """
    return re.sub(UNSEEN, _UNSEEN_MARK, text)


def readable(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with `clean` text in every column."""
    return frame.with_columns(pl.col(pl.String).str.replace_all(UNSEEN, _UNSEEN_MARK))


def words(code: str) -> str:
    """Return a code of ours (a finding's, a verdict's, a state's) as people read it."""
    return code.replace("_", " ")


def percent(share: float | None) -> str:
    """Return a share to a tenth of a percent; 100.0% is written only when it is whole."""
    if share is None:
        return "–"
    return f"{share if share >= 1 else min(share, 0.999):.1%}"
