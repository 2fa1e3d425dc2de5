"""Replaying looks: each change has its own bracket, and only events of that bracket explain it."""

from typing import Any

from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline_tests.domain.findings.causes.drifted import LOWERED, causes, told
from invbi_pipeline_tests.domain.findings.facts import at, corrections, earlier, effects, feeds, points


def _looks(*numbers: tuple[float, int]) -> list[dict[str, Any]]:
    return [{"observed_at": at(minute), "quantity": quantity} for minute, quantity in numbers]


def test_an_order_applied_twice_and_a_later_hand_are_two_causes() -> None:
    looks = earlier(*_looks((5, 10), (10, 8), (15, 6)))
    later = {**LOWERED, "found_at": at(10), "observed_at": at(15)}
    inputs = FindingInputs(points=points(later), effects=effects({"stamped_at": at(7)}), earlier=looks)
    assert causes(inputs) == [("duplicate", -1, ["o1"]), ("foreign", -2, [])]
    assert told(inputs)["sentence"].count("unit") == 2


def test_an_order_of_one_bracket_does_not_explain_the_change_of_another() -> None:
    looks = earlier(*_looks((5, 10), (7, 9), (10, 6)))
    inputs = FindingInputs(points=points(LOWERED), effects=effects({"stamped_at": at(6), "units": -1}), earlier=looks)
    assert causes(inputs) == [("foreign", -3, [])]
    assert told(inputs)["bracket_from"].startswith("2026-01-05T09:07")


def test_a_look_that_says_nothing_new_narrows_the_bracket_by_the_last_agreement() -> None:
    looks = earlier(*_looks((-300, 5), (10, 2)))
    assert told(FindingInputs(points=points(LOWERED), earlier=looks))["bracket_from"].startswith("2026-01-05T09:05")


def test_a_push_that_took_effect_between_two_looks_is_no_step_of_its_own() -> None:
    looks = earlier(*_looks((5, 11), (7, 11), (9, 10), (15, 8)))
    sent = corrections({"shown": 11, "target": 10, "sent_at": at(6)})
    sold = effects({"order_id": "o2", "stamped_at": at(12)})
    late = {**LOWERED, "found": -1, "found_since": at(9), "found_at": at(15), "observed_at": at(15)}
    slow = feeds({"order_lag_s": 300})
    inputs = FindingInputs(points=points(late), effects=sold, earlier=looks, corrections=sent, feeds=slow)
    assert causes(inputs) == [("duplicate", -1, ["o2"])]


def test_units_withheld_for_sales_that_never_came_are_looked_for_before_the_push_that_withheld_them() -> None:
    held = {**LOWERED, "found_how": "withheld", "found_since": at(16), "found_at": at(12), "observed_at": at(20)}
    looks = earlier(*_looks((5, 10), (10, 6), (16, 5)))
    sent = corrections({"sent_at": at(12), "to_qty": 5, "target": 5})
    sold = effects({"units": -3, "stamped_at": at(9)}, {"effect_id": "y", "order_id": "o2", "units": 2, "stamped_at": at(9)})
    inputs = FindingInputs(points=points(held), effects=sold, earlier=looks, corrections=sent)
    assert causes(inputs) == [("duplicate", -3, ["o1"])]


def test_units_withheld_that_no_look_dates_are_told_as_such() -> None:
    held = {**LOWERED, "found_how": "withheld", "found_since": at(16), "found_at": at(12)}
    inputs = FindingInputs(points=points(held))
    assert causes(inputs) == [("withheld", -3, [])]
    assert "sales that we expected since 09:12 UTC never arrived" in told(inputs)["sentence"]


def test_looks_that_do_not_add_up_leave_one_step_from_the_last_agreement() -> None:
    looks = earlier(*_looks((5, 10), (10, 9)))
    said = told(FindingInputs(points=points(LOWERED), earlier=looks))
    assert [one["units"] for one in said["causes"]] == [-3]
