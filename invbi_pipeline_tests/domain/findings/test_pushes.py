import json
from typing import Any

import pytest

from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline_tests.domain.findings.facts import at, corrections, evidence, feeds, found, one, points

WRONG = {"reported": 8, "state": "push_due", "gap_looks": 1}
UNSENT = {"sent_at": None, "send_ended_at": None, "verified_at": None}


def _told(correction: dict[str, Any], point: dict[str, Any] = WRONG) -> list[str]:
    inputs = FindingInputs(points=points(point), corrections=corrections(correction), feeds=feeds({}))
    return found(inputs)["code"].to_list()


def test_a_held_correction_waits_for_a_person_with_the_guards_reasons() -> None:
    guard = '{"age": "pass", "size": "the change of 3 \\"units\\" is too large.", "mode": "approve", "paused": "web is paused"}'
    held = corrections({**UNSENT, "state": "held", "guard": guard})
    row = one(FindingInputs(points=points(WRONG), corrections=held), "push_held")
    assert evidence(row)["holds"] == ['the change of 3 "units" is too large.', "web is paused"]
    assert row["cause"].startswith("The correction of MUG-RED on web (soho) to 5 is held: the change of 3")
    assert row["units"] == 3


@pytest.mark.parametrize("guard", ["first_look", "two_looks", "feed", "owner_age"])
def test_what_waits_for_a_feed_or_a_second_look_waits_for_no_person_unless_it_has_waited_long(guard: str) -> None:
    held = {**UNSENT, "state": "held", "guard": json.dumps({"paused": "pass", "mode": "is approve", guard: "waits"})}
    assert _told(held) == []
    assert _told({**held, "planned_at": at(-60)}) == ["push_held"]
    assert _told({**held, "guard": json.dumps({guard: "waits", "change_units": "very large"})}) == ["push_held"]


@pytest.mark.parametrize("state", ["rejected", "dead"])
def test_a_refused_correction_is_told_with_the_platforms_answer(state: str) -> None:
    refused = corrections({"state": state, "answered": "INVALID_ITEM: not stocked here.", "verified_at": None})
    row = one(FindingInputs(points=points(WRONG), corrections=refused), "push_failed")
    assert row["cause"].endswith("INVALID_ITEM: not stocked here.")
    assert row["units"] == 3


def test_a_refused_correction_is_no_trouble_once_the_number_is_right() -> None:
    assert _told({"state": "rejected"}, {"reported": 5}) == []
    assert _told({"state": "rejected"}, {"reported": 5, "judged": False}) == ["push_failed"]


def test_a_refused_booking_is_trouble_whatever_the_owners_number() -> None:
    booking = {"kind": "post", "to_qty": -2, "target": None, "movement_ref": "amazon/o1/1/s", "state": "rejected"}
    assert _told(booking, {"state": "counted"}) == ["push_failed"]


def test_a_newer_verified_correction_ends_an_older_refusal() -> None:
    both = corrections({"correction_id": "c0", "state": "rejected", "sent_at": at(5)}, {})
    assert found(FindingInputs(points=points(WRONG), corrections=both, feeds=feeds({}))).is_empty()


def test_an_accepted_correction_is_unverified_only_after_the_visibility_lag() -> None:
    accepted = {"state": "accepted", "verified_at": None}
    assert _told(accepted) == ["push_unverified"]
    assert _told({**accepted, "sent_at": at(29.5), "send_ended_at": at(29.5)}) == []


def test_a_push_that_never_landed_is_unverified() -> None:
    assert _told({"state": "superseded", "verified_at": None, "read_back": 8}) == ["push_unverified"]


def test_a_plan_that_a_newer_one_replaced_before_it_was_sent_is_nothing() -> None:
    assert _told({**UNSENT, "state": "superseded"}) == []


def test_a_push_after_which_something_else_is_read_is_mismatched() -> None:
    inputs = FindingInputs(corrections=corrections({"state": "mismatched", "read_back": 14, "verified_at": None}))
    assert one(inputs, "push_mismatched")["cause"].endswith("was accepted, and the channel shows 14.")


@pytest.mark.parametrize("state", ["planned", "approved", "sending", "verified"])
def test_a_correction_on_its_way_is_no_finding(state: str) -> None:
    assert _told({"state": state}) == []


def test_a_push_after_which_the_very_same_wrong_number_is_read_was_lost() -> None:
    assert _told({"state": "mismatched", "read_back": 8, "verified_at": None}) == ["push_unverified"]


def test_a_push_whose_number_is_read_is_not_unverified_because_its_flight_goes_on() -> None:
    assert _told({"state": "accepted", "verified_at": None}, {"reported": 5, "in_flight": 1}) == []
