"""The dashboard as data: what the numbers are and how they are to be read. Renderers decide only how it looks.

Colour never stands alone: every state has a sign and a word too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

import polars as pl

from invbi_pipeline.domain.frames import UTC, Schema
from invbi_pipeline.domain.words import COMPARABLE, PointState, Severity

__all__ = [
    "CHANNELS",
    "CORRECTIONS_TAB",
    "FINDINGS_TAB",
    "HISTORY",
    "MATRIX",
    "SIGNS",
    "Column",
    "Dashboard",
    "DashboardInputs",
    "Figure",
    "Sign",
    "Tab",
    "Todo",
    "Tone",
    "build",
]

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

_RANK: Final = {Severity.CRITICAL: 0, Severity.HIGH: 1, Severity.MEDIUM: 2, Severity.LOW: 3}


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
    kind: str = "text"  # text | int | money | time | percent | state
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


def build(inputs: DashboardInputs, *, title: str, currency: str, now: datetime) -> Dashboard:
    """Return the dashboard of these frames at `now`.

    The parity rate is the share of comparable points (`COMPARABLE`) whose gap is 0; its denominator is shown by state.
    Money that cannot be known (unpriced) is counted apart, never as 0.
    """
    findings = _ranked(inputs.findings)
    return Dashboard(
        title=title,
        currency=currency,
        generated_at=now,
        figures=_figures(inputs, findings, currency, now),
        todos=_todos(findings, currency),
        history=inputs.history.sort("ended_at").select(
            "ended_at", "comparable", "agreed", parity=_share(pl.col("agreed"), pl.col("comparable"))
        ),
        codes=_codes(findings, now),
        channels=_channels(inputs.channels, now),
        states=inputs.matrix.group_by("state")
        .agg(points=pl.len().cast(pl.Int64))
        .sort("points", "state", descending=[True, False]),
        parity=_parity_tab(inputs.matrix),
        exceptions=_exceptions_tab(findings, now),
        corrections=_corrections_tab(inputs.corrections),
    )


def _states(matrix: pl.DataFrame) -> pl.DataFrame:
    return matrix.group_by("state").agg(points=pl.len().cast(pl.Int64)).sort("points", "state", descending=[True, False])


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then(part / whole)


def _ranked(findings: pl.DataFrame) -> pl.DataFrame:
    rank = pl.col("severity").replace_strict({str(k): v for k, v in _RANK.items()}, default=9, return_dtype=pl.Int8)
    return findings.with_columns(rank=rank).sort(
        "rank", "money", "units", "finding_id", descending=[False, True, True, False], nulls_last=True
    )


def _figures(inputs: DashboardInputs, findings: pl.DataFrame, currency: str, now: datetime) -> list[Figure]:
    points = inputs.matrix.filter(pl.col("state").is_in([str(s) for s in COMPARABLE]))
    agreed = points.filter(pl.col("gap") == 0).height
    parity = agreed / points.height if points.height else None
    over = findings.filter(pl.col("code").is_in(("oversell_risk", "oversold")))
    under = findings.filter(pl.col("code").is_in(("undersell", "channel_stockout")))
    critical = findings.filter(pl.col("severity") == Severity.CRITICAL).height
    oldest = inputs.channels["read_at"].min()
    blind = inputs.channels.filter(pl.col("verdict") != "believed")
    age = (now - oldest).total_seconds() / 60 if isinstance(oldest, datetime) else None
    return [
        Figure(
            "Parity",
            "–" if parity is None else f"{parity:.1%}",
            f"{agreed:,} of {points.height:,} comparable numbers show what they should",
            Tone.PLAIN if parity is None else Tone.GOOD if parity >= 0.99 else Tone.WATCH if parity >= 0.95 else Tone.BAD,
        ),
        _risk("Oversell risk", over, currency, "shown beyond what may be sold", Tone.BAD),
        _risk("Undersell", under, currency, "held back from shoppers", Tone.WATCH),
        Figure(
            "Open findings",
            f"{findings.height:,}",
            f"{critical} critical" if critical else "none critical",
            Tone.BAD if critical else Tone.WATCH if findings.height else Tone.GOOD,
        ),
        Figure(
            "Oldest reading",
            "–" if age is None else f"{age:,.0f} min",
            f"{blind.height} of {inputs.channels.height} systems are not believed now"
            if blind.height
            else "every system answers",
            Tone.BAD if blind.height else Tone.GOOD,
        ),
    ]


def _risk(label: str, findings: pl.DataFrame, currency: str, what: str, tone: Tone) -> Figure:
    units = int(findings["units"].sum() or 0)
    money = float(findings["money"].sum() or 0.0)
    unpriced = findings.filter(pl.col("money").is_null() & (pl.col("units") > 0)).height
    note = f"{currency} {money:,.0f} {what}" + (f", and {unpriced} unpriced" if unpriced else "")
    return Figure(label, f"{units:,} units", note, tone if units else Tone.GOOD)


def _todos(findings: pl.DataFrame, currency: str, most: int = 5) -> list[Todo]:
    """One line a trouble that a person can act on; the same code on the same system is one line."""
    if findings.is_empty():
        return []
    groups = (
        findings.group_by("code", "system", maintain_order=True)
        .agg(
            pl.col("rank", "severity", "suggested_action", "finding_id", "cause").first(),
            pl.col("money", "units").sum(),
            n=pl.len(),
        )
        .sort("rank", "money", "units", descending=[False, True, True], nulls_last=True, maintain_order=True)
        .head(most)
    )
    todos = []
    for row in groups.iter_rows(named=True):
        where = f" on {row['system']}" if row["system"] else ""
        cost = f" ({currency} {row['money']:,.0f})" if row["money"] else ""
        text = row["cause"] if row["n"] == 1 and row["cause"] else f"{row['n']} × {row['code'].replace('_', ' ')}{where}{cost}"
        todos.append(Todo(text=text, action=row["suggested_action"] or "", severity=row["severity"], anchor=row["finding_id"]))
    return todos


def _codes(findings: pl.DataFrame, now: datetime) -> pl.DataFrame:
    return (
        findings.group_by("code")
        .agg(
            pl.col("severity", "rank").first(),
            pl.col("units", "money").sum(),
            open=pl.len().cast(pl.Int64),
            oldest_hours=((pl.lit(now).cast(UTC) - pl.col("first_seen").min()).dt.total_minutes() / 60),
        )
        .sort("rank", "open", "code", descending=[False, True, False])
        .select("code", "severity", "open", "units", "money", "oldest_hours")
    )


def _channels(channels: pl.DataFrame, now: datetime) -> pl.DataFrame:
    return channels.sort("system").select(
        "system",
        "platform",
        "mode",
        "points",
        "comparable",
        "verdict",
        "reason",
        "order_lag_s",
        parity=_share(pl.col("agreed"), pl.col("comparable")),
        age_s=(pl.lit(now).cast(UTC) - pl.col("read_at")).dt.total_seconds(),
    )


def _parity_tab(matrix: pl.DataFrame) -> Tab:
    """SKU by place-on-a-channel: shown, should be, state; the SKUs that are furthest apart come first."""
    marks = {str(k): f"{v.mark} {v.word}" for k, v in SIGNS.items()}
    where = pl.when(pl.col("location") == "").then("system").otherwise(pl.format("{} @ {}", "system", "location"))
    known = matrix.with_columns(
        where=where,
        state=pl.col("state").replace_strict(marks, default=pl.col("state")),
        apart=pl.col("gap").abs().fill_null(0),
    )
    places = sorted(known["where"].unique().to_list())
    wide = known.group_by("sku", "where").agg(
        pl.col("title").drop_nulls().first(),
        shown=pl.col("reported").sum(),
        should=pl.when(pl.col("offer").is_not_null().any()).then(pl.col("offer").sum()),
        state=pl.col("state").sort_by("apart", descending=True).first(),
        apart=pl.col("apart").sum(),
    )
    rows = wide.group_by("sku").agg(pl.col("title").drop_nulls().first(), apart=pl.col("apart").sum())
    columns = [Column("sku", "SKU", width=22), Column("title", "Title", width=34), Column("apart", "Units apart", "int", 11)]
    for place in places:
        part = wide.filter(pl.col("where") == place).select(
            "sku",
            pl.col("shown").alias(f"{place} shown"),
            pl.col("should").alias(f"{place} should"),
            pl.col("state").alias(f"{place} state"),
        )
        rows = rows.join(part, on="sku", how="left")
        columns += [
            Column(f"{place} shown", f"{place}: shown", "int", 10),
            Column(f"{place} should", f"{place}: should be", "int", 10),
            Column(f"{place} state", f"{place}: state", "state", 16),
        ]
    return Tab("Parity", columns, rows.sort("apart", "sku", descending=[True, False]), "Furthest apart first.")


def _exceptions_tab(findings: pl.DataFrame, now: datetime) -> Tab:
    rows = findings.with_columns(age_h=(pl.lit(now).cast(UTC) - pl.col("first_seen")).dt.total_minutes() / 60)
    columns = [
        Column("severity", "Severity", width=10),
        Column("code", "What", width=20),
        Column("system", "System", width=14),
        Column("location", "Place", width=12),
        Column("sku", "SKU", width=20),
        Column("listing_key", "Listing", width=18),
        Column("units", "Units", "int", 8),
        Column("money", "Money at risk", "money", 12),
        Column("cause", "Why", width=70),
        Column("suggested_action", "To mend it", width=46),
        Column("age_h", "Age (h)", "hours", 8),
        Column("state", "State", width=13),
        Column("owner", "Owner", width=12),
        Column("finding_id", "Id", width=14),
    ]
    return Tab("Exceptions", columns, rows.select([c.key for c in columns]), "Most severe first.")


def _corrections_tab(corrections: pl.DataFrame) -> Tab:
    columns = [
        Column("planned_at", "Planned", "time", 18),
        Column("system", "System", width=14),
        Column("location", "Place", width=12),
        Column("sku", "SKU", width=20),
        Column("listing_key", "Listing", width=18),
        Column("kind", "Kind", width=7),
        Column("from_qty", "From", "int", 8),
        Column("to_qty", "To", "int", 8),
        Column("state", "State", width=12),
        Column("reason", "Reason", width=60),
        Column("guard", "Held by", width=40),
        Column("verified_at", "Proved", "time", 18),
    ]
    rows = corrections.sort("planned_at", descending=True).select([c.key for c in columns])
    return Tab("Corrections", columns, rows, "Newest first. 'Proved' is when the number was read back.")
