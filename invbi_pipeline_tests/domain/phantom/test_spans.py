"""A shelf's history, cut at its events."""

from typing import Any

import polars as pl

from invbi_pipeline.domain.frames import UTC
from invbi_pipeline.domain.phantom.clock import clock
from invbi_pipeline.domain.phantom.happened import HAPPENED
from invbi_pipeline.domain.phantom.spans import Ahead, spans
from invbi_pipeline_tests.domain.phantom.shop import NOW, days_ago

DAY = 0.05  # a few sales bend the clock of the place a little


def _event(days: float, kind: str, units: int | None = -1, counted: int | None = None) -> dict[str, Any]:
    return {"location": "soho", "sku": "A", "at": days_ago(days), "kind": kind, "units": units, "counted": counted,
            "waited": False}  # fmt: skip


def _spans(*events: dict[str, Any], record: int = 3) -> pl.DataFrame:
    known = pl.DataFrame(events, schema=dict(HAPPENED)).lazy()
    shelves = pl.LazyFrame({"shelf": [0], "location": ["soho"], "sku": ["A"], "units": [record]})
    until = pl.LazyFrame({"location": ["soho"], "until": [NOW]}, schema={"location": pl.String(), "until": UTC})
    return spans(known, shelves, clock(known, NOW), until).collect()


def test_what_the_record_said_is_reckoned_back_from_today() -> None:
    rows = _spans(_event(14.0, "receipt", 2), _event(7.0, "sale", -2), record=0)

    assert (rows["stocked"] > 0).to_list() == [False, True, False]


def test_a_first_count_of_none_is_not_a_loss_where_nobody_says_what_it_changed() -> None:
    rows = _spans(_event(14.0, "sale"), _event(7.0, "count", None, 0), record=0)

    assert (rows["found_none"].sum(), rows["none_unsaid"].sum()) == (0, 1)


def test_a_first_count_of_none_is_a_loss_where_the_owner_says_that_it_took_some_away() -> None:
    rows = _spans(_event(14.0, "sale"), _event(7.0, "count", -4, 0), record=0)

    assert (rows["found_none"].sum(), rows["none_unsaid"].sum()) == (1, 0)


def test_a_later_count_of_none_is_judged_by_what_the_earlier_one_left() -> None:
    lost = _spans(_event(21.0, "count", None, 4), _event(14.0, "sale"), _event(7.0, "count", None, 0), record=0)
    sold = _spans(_event(21.0, "count", None, 1), _event(14.0, "sale"), _event(7.0, "count", None, 0), record=0)

    assert (lost["found_none"].sum(), lost["none_rightly"].sum()) == (1, 0)
    assert (sold["found_none"].sum(), sold["none_rightly"].sum()) == (0, 1)


def test_what_a_count_found_missing_is_told_in_units() -> None:
    rows = _spans(_event(21.0, "count", None, 5), _event(14.0, "sale"), _event(7.0, "count", None, 3))

    assert rows["found_less"].sum() == 1


def test_many_units_missing_at_once_are_a_loss_and_no_units_gone_astray() -> None:
    rows = _spans(_event(21.0, "count", None, 30), _event(14.0, "sale"), _event(7.0, "count", None, 3))

    assert (rows["found_part"].sum(), rows["found_less"].sum()) == (1, 0)


def test_the_silence_before_a_count_that_found_none_is_no_exposure_and_not_todays_silence() -> None:
    rows = _spans(_event(21.0, "count", None, 4), _event(14.0, "sale"), _event(7.0, "count", None, 0), record=0)

    assert rows["ahead"].to_list() == [Ahead.SIGN, Ahead.SIGN, Ahead.NONE_FOUND, Ahead.NOTHING]


def test_two_events_at_one_moment_leave_the_silence_after_them_whole() -> None:
    rows = _spans(_event(14.0, "sale"), _event(7.0, "sale"), _event(7.0, "sale"))

    assert rows["ahead"].to_list()[-1] == Ahead.NOTHING
    assert abs(rows["stocked"][-1] - 7) < DAY


def test_a_silence_that_an_arrival_ended_is_hidden() -> None:
    rows = _spans(_event(21.0, "sale"), _event(7.0, "receipt", 2), _event(3.5, "sale"))

    assert [round(days) for days in rows["hidden"]] == [0, 14, 0, 0]
