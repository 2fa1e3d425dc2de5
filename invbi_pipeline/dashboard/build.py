"""From the marts' frames to the dashboard: its figures, its breakdowns and its tables."""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.dashboard.business import business, stock_tab
from invbi_pipeline.dashboard.counting import count_tab
from invbi_pipeline.dashboard.model import Dashboard, DashboardInputs, Figure, Tone, clean, percent, readable
from invbi_pipeline.dashboard.tabs import corrections_tab, exceptions_tab, parity_tab
from invbi_pipeline.dashboard.todos import todos
from invbi_pipeline.domain.frames import UTC
from invbi_pipeline.domain.words import COMPARABLE, Severity

__all__ = ["build"]

_RANK: Final = {Severity.CRITICAL: 0, Severity.HIGH: 1, Severity.MEDIUM: 2, Severity.LOW: 3}


def build(inputs: DashboardInputs, *, title: str, currency: str, now: datetime) -> Dashboard:
    """Return the dashboard of these frames at `now`.

    The parity rate is the share of comparable points (`COMPARABLE`) whose gap is 0; its denominator is shown by state.
    Money that cannot be known (unpriced) is counted apart, never as 0.
    """
    inputs = DashboardInputs(*map(readable, inputs))
    findings = _ranked(inputs.findings)
    return Dashboard(
        title=clean(title),
        currency=currency,
        generated_at=now,
        figures=_figures(inputs, findings, currency, now),
        todos=todos(findings, currency),
        history=inputs.history.sort("ended_at").select(
            "ended_at", "comparable", "agreed", parity=_share(pl.col("agreed"), pl.col("comparable"))
        ),
        codes=_codes(findings, now),
        channels=_channels(inputs.channels, now),
        states=inputs.matrix.group_by("state")
        .agg(points=pl.len().cast(pl.Int64))
        .sort("points", "state", descending=[True, False]),
        parity=parity_tab(inputs.matrix),
        exceptions=exceptions_tab(findings.drop("rank"), now),
        corrections=corrections_tab(inputs.corrections),
        business=business(inputs, currency),
        stock=stock_tab(inputs.cover, currency),
        counts=count_tab(inputs.to_count, currency),
    )


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then(part / whole)


def _ranked(findings: pl.DataFrame) -> pl.DataFrame:
    rank = pl.col("severity").replace_strict({str(k): v for k, v in _RANK.items()}, default=9, return_dtype=pl.Int8)
    return findings.with_columns(rank=rank).sort(
        "rank", "money", "units", "finding_id", descending=[False, True, True, False], nulls_last=True
    )


def _once(findings: pl.DataFrame) -> pl.DataFrame:
    """Blank the units and money of an oversold SKU on all channels but the one short of most: the same orders stand behind each.

    `mart_overview` counts by the same rule.
    """
    oversold = findings.filter((pl.col("code") == "oversold") & (pl.col("sku").fill_null("") != ""))
    order = ("units", "money", "finding_id")
    most = oversold.sort(order, descending=[True, True, False], nulls_last=True).unique("sku", keep="first", maintain_order=True)
    again = pl.col("finding_id").is_in(oversold.join(most, on="finding_id", how="anti")["finding_id"].to_list())
    return findings.with_columns(pl.when(~again).then(pl.col(name)).alias(name) for name in ("units", "money"))


def _figures(inputs: DashboardInputs, findings: pl.DataFrame, currency: str, now: datetime) -> list[Figure]:
    points = inputs.matrix.filter(pl.col("state").is_in([str(s) for s in COMPARABLE]))
    agreed = points.filter(pl.col("gap") == 0).height
    parity = agreed / points.height if points.height else None
    shown = findings.filter(pl.col("code") == "oversell_risk")
    sold = _once(findings.filter(pl.col("code") == "oversold"))
    under = findings.filter(pl.col("code").is_in(("undersell", "channel_stockout")))
    critical = findings.filter(pl.col("severity") == Severity.CRITICAL).height
    oldest = inputs.channels["read_at"].min()
    blind = inputs.channels.filter(pl.col("verdict") != "believed")
    age = max(0.0, (now - oldest).total_seconds() / 60) if isinstance(oldest, datetime) else None
    too_many = "shown beyond what may be sold"
    if sold.height:
        too_many = f"at risk: {_units(shown):,} shown and {_units(sold):,} sold beyond what there is"
    return [
        Figure(
            "Parity",
            percent(parity),
            f"{agreed:,} of {points.height:,} comparable numbers show what they should",
            Tone.PLAIN if parity is None else Tone.GOOD if parity >= 0.99 else Tone.WATCH if parity >= 0.95 else Tone.BAD,
        ),
        _risk("Oversell risk", pl.concat([shown, sold]), currency, too_many, Tone.BAD),
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


def _units(findings: pl.DataFrame) -> int:
    return int(findings["units"].sum() or 0)


def _risk(label: str, findings: pl.DataFrame, currency: str, what: str, tone: Tone) -> Figure:
    units = _units(findings)
    money = float(findings["money"].sum() or 0.0)
    unpriced = findings.filter(pl.col("money").is_null() & (pl.col("units") > 0)).height
    note = f"{currency} {money:,.0f} {what}" + (f", and {unpriced} unpriced" if unpriced else "")
    return Figure(label, f"{units:,} unit{'s' * (units != 1)}", note, tone if units else Tone.GOOD)


def _codes(findings: pl.DataFrame, now: datetime) -> pl.DataFrame:
    return (
        _once(findings)
        .group_by("code")
        .agg(
            pl.col("severity", "rank").first(),
            *(pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name) for name in ("units", "money")),
            open=pl.len().cast(pl.Int64),
            oldest_hours=((pl.lit(now).cast(UTC) - pl.col("first_seen").min()).dt.total_minutes() / 60),
        )
        .sort("rank", "open", "code", descending=[False, True, False])
        .select(_in_words("code"), "severity", "open", "units", "money", "oldest_hours")
    )


def _in_words(name: str) -> pl.Expr:
    return pl.col(name).str.replace_all("_", " ", literal=True)


def _channels(channels: pl.DataFrame, now: datetime) -> pl.DataFrame:
    return channels.sort("system").select(
        "system",
        "platform",
        "mode",
        "points",
        "comparable",
        _in_words("verdict"),
        "reason",
        "order_lag_s",
        parity=_share(pl.col("agreed"), pl.col("comparable")),
        age_s=(pl.lit(now).cast(UTC) - pl.col("read_at")).dt.total_seconds(),
    )
