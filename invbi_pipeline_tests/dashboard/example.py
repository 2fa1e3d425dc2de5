"""A small dashboard of every kind of row, for the renderers' tests."""

from datetime import UTC, date, datetime, timedelta

import polars as pl

from invbi_pipeline.dashboard.build import build
from invbi_pipeline.dashboard.model import (
    CANCELLATIONS,
    CHANNELS,
    CORRECTIONS_TAB,
    COVER,
    DAILY,
    FINDINGS_TAB,
    HISTORY,
    MATRIX,
    SALES,
    Dashboard,
    DashboardInputs,
)

__all__ = ["FORMULA", "NOW", "UNSEEN", "example_dashboard", "example_inputs"]

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FORMULA = '=HYPERLINK("http://evil.example","click")'
UNSEEN = "M\x1bug\x00\u202e"  # what moves a terminal's cursor, what a workbook refuses, what turns a line around


def example_inputs() -> DashboardInputs:
    """Two channels, five SKUs, three findings (one with a formula for a title), two corrections, three runs."""
    runs = [(f"r{i}", NOW - timedelta(minutes=5 * (3 - i)), 10, 7 + i) for i in range(3)]
    channels = [
        ("shopify_uk", "shopify", "auto", "believed", "", NOW - timedelta(seconds=40), 30, 6, 6, 5),
        ("amazon_uk", "amazon", "approve", "truncated", "read 12 of 400 rows", NOW - timedelta(hours=2), 120, 4, 4, 4),
    ]
    matrix = [
        ("MUG-RED", "Mug, red", "shopify_uk", "soho", "11", 5, 3, 2, "drifted"),
        ("MUG-RED", "Mug, red", "amazon_uk", "", "MUG-RED", 3, 3, 0, "agreed"),
        ("TEE-M", FORMULA, "shopify_uk", "soho", "12", 0, 4, -4, "push_due"),
        ("TEE-L", "Tee L", "shopify_uk", "soho", "13", None, 4, None, "unknown"),
        ("", "", "amazon_uk", "", "=1+1", 7, None, None, "unmapped"),
    ]
    findings = [
        (
            "f1",
            "high",
            "oversell_risk",
            "shopify_uk",
            "soho",
            "MUG-RED",
            "11",
            "Mug, red",
            2,
            19.0,
            "2 units too many.",
            "Lower it.",
            NOW,
            "open",
            "",
            NOW,
            "",
        ),
        (
            "f2",
            "high",
            "unmapped_listing",
            "amazon_uk",
            "",
            "",
            "=1+1",
            FORMULA,
            7,
            None,
            FORMULA,
            "Map it.",
            NOW,
            "open",
            "sam",
            NOW,
            "asked the buyer",
        ),
        (
            "f3",
            "medium",
            "undersell",
            "shopify_uk",
            "soho",
            "TEE-M",
            "12",
            "Tee",
            4,
            60.0,
            "4 held back.",
            "Raise it.",
            NOW,
            "open",
            "",
            NOW,
            "",
        ),
    ]
    corrections = [
        (NOW, "shopify_uk", "soho", "MUG-RED", "11", "set", 5, 3, "verified", "lower an oversell", "", NOW),
        (NOW, "shopify_uk", "soho", "TEE-M", "12", "set", 0, 4, "held", "raise", "first look", None),
    ]
    today = NOW.date()
    sales: list[tuple[date, str, int, int, float | None, int, int]] = [
        (today - timedelta(days=n), system, 4, 10 - n, price * (10 - n), 0, 100 + n)
        for n in range(10)
        for system, price in (("shopify_uk", 9.5), ("amazon_uk", 8.0))
    ]
    sales.append((today, "till", 1, 2, None, 2, 30))  # unpriced
    cover = [
        ("MUG-RED", "Mug, red", "A", 12, 56, 532.0, 2.0, 6.0, 48.0, 0, "fast", NOW),
        ("TEE-M", FORMULA, "B", 200, 28, 140.0, 1.0, 200.0, 900.0, 0, "slow", NOW),
        ("TEE-L", "Tee L", "C", 30, 0, 0.0, 0.0, None, None, 30, "still", None),
        ("CUP", "Cup", "unpriced", None, 3, None, 0.1, None, None, 0, "unknown", NOW),
    ]
    cancellations = [
        ("amazon_uk", 0.05, 0.03, 0.025, "over the limit"),
        ("shopify_uk", 0.01, 0.0, None, "no published limit"),
    ]
    daily = [
        (today - timedelta(days=1), 0.97, 9, 20, 0.9, 900.0, 5, 2, 1, 1),
        (today, 0.985, 4, 0, None, None, 1, 3, 0, 0),
    ]
    return DashboardInputs(
        history=pl.DataFrame(runs, schema={k: HISTORY[k] for k in ("run_id", "ended_at", "comparable", "agreed")}, orient="row"),
        channels=pl.DataFrame(channels, schema=dict(CHANNELS), orient="row"),
        matrix=pl.DataFrame(matrix, schema=dict(MATRIX), orient="row"),
        findings=pl.DataFrame(findings, schema=dict(FINDINGS_TAB), orient="row"),
        corrections=pl.DataFrame(corrections, schema=dict(CORRECTIONS_TAB), orient="row"),
        sales=pl.DataFrame(sales, schema=dict(SALES), orient="row"),
        cover=pl.DataFrame(cover, schema=dict(COVER), orient="row"),
        cancellations=pl.DataFrame(cancellations, schema=dict(CANCELLATIONS), orient="row"),
        daily=pl.DataFrame(daily, schema=dict(DAILY), orient="row"),
    )


def example_dashboard() -> Dashboard:
    """Return the dashboard of `example_inputs`."""
    return build(example_inputs(), title="Sandbox <b>Outfitters</b>", currency="GBP", now=NOW)
