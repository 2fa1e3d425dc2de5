"""Selling days."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from invbi_pipeline.domain.phantom.clock import clock, selling_days

_BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
_NOW = _BEGIN + timedelta(days=28)


def _sales(*days: float, waited: bool = False) -> pl.LazyFrame:
    at = [_BEGIN, *(_BEGIN + timedelta(days=day) for day in days)]
    return pl.LazyFrame({"location": "soho", "kind": ["receipt", *["sale"] * len(days)], "at": at, "waited": waited})


def _between(hours: pl.LazyFrame, begin: float, end: float) -> float:
    moments = pl.LazyFrame({"location": ["soho"] * 2, "at": [_BEGIN + timedelta(days=day) for day in (begin, end)]})
    told = selling_days(moments, hours, "at", "days").collect()["days"]
    return float(told[1] - told[0])


def test_a_whole_history_has_as_many_selling_days_as_days() -> None:
    hours = clock(_sales(*[n / 7 for n in range(1, 190)]), _NOW)

    assert _between(hours, 0, 28) == pytest.approx(28.0, abs=0.05)


def test_a_busy_day_is_longer_than_a_quiet_one() -> None:
    hours = clock(_sales(*[5.4] * 80, 6.4), _NOW)

    assert _between(hours, 5, 6) > 4 * _between(hours, 6, 7)


def test_where_nothing_was_ever_sold_time_passes_evenly() -> None:
    hours = clock(_sales(), _NOW)

    assert _between(hours, 3, 4) == pytest.approx(_between(hours, 20, 21))


def test_what_was_ordered_before_moves_no_clock() -> None:
    hours = clock(_sales(*[5.4] * 80, waited=True), _NOW)

    assert _between(hours, 5, 6) == pytest.approx(_between(hours, 6, 7))
