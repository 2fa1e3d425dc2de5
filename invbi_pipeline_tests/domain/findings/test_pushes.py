import json
from typing import Any

import polars as pl
import pytest

from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline.domain.frames import LIVES, fit
from invbi_pipeline_tests.domain.findings.facts import at, corrections, evidence, feeds, found, one, points

WRONG = {"reported": 8, "state": "push_due", "gap_looks": 1}
UNSENT = {"sent_at": None, "send_ended_at": None, "verified_at": None}


def _told(correction: dict[str, Any], point: dict[str, Any] = WRONG) -> list[str]:
    inputs = FindingInputs(points=points(point), corrections=corrections(correction), feeds=feeds({}))
    return found(inputs)["code"].to_list()


def test_a_held_correction_waits_for_a_person_with_the_guards_reasons() -> None:
    guard = '{"age": "pass", "size": "the change of 3 \\"units\\" is too large.", "mode": "approve", "undone": "taken back"}'
    held = corrections({**UNSENT, "state": "held", "guard": guard})
    row = one(FindingInputs(points=points(WRONG), corrections=held), "push_held")
    assert evidence(row)["holds"] == ['the change of 3 "units" is too large.', "taken back"]
    assert row["cause"].startswith("The correction of MUG-RED on web (soho) to 5 is held: the change of 3")
    assert row["units"] == 3


def test_what_a_guard_says_of_a_whole_channel_is_one_finding_with_what_waits_and_how_to_release_it() -> None:
    share = json.dumps({"mode": "is auto", "changed_share": "the plan changes 3 of 4 numbers of this channel"})
    large = json.dumps({"changed_share": "the plan changes 3 of 4 numbers of this channel", "change_units": "very large"})
    waits = [
        {**UNSENT, "state": "held", "guard": large if n == 2 else share, "correction_id": f"c{n}", "listing_key": f"L{n}"}
        for n in range(3)
    ]
    told = found(FindingInputs(corrections=corrections(*waits)))
    assert told.select("code", "listing_key", "units").rows() == [("push_held", "", 9), ("push_held", "L2", 3)]
    assert told["cause"][0] == ("3 corrections of web (9 units) are held: the plan changes 3 of 4 numbers of this channel.")
    assert "`invbi approve --system web`" in told["suggested_action"][0]
    assert evidence(told.row(1, named=True))["guards"] == ["change_units"]


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


def test_a_push_whose_target_was_sold_from_since_has_been_seen() -> None:
    sold = {"base": 5, "expected": 4, "reported": 4, "offer": 6, "state": "push_due"}
    assert "push_unverified" not in _told({"state": "accepted", "verified_at": None}, sold)


def test_an_overwritten_push_that_was_called_over_is_not_told_of_a_later_gap() -> None:
    mismatched = {"state": "mismatched", "verified_at": None, "read_back": 7}
    inputs = FindingInputs(points=points(WRONG), corrections=corrections(mismatched), feeds=feeds({}))
    first = found(inputs).filter(pl.col("code") == "push_mismatched")
    assert first.height == 1
    over = first.with_columns(state=pl.lit("resolved"), resolved_at=pl.lit(at(20)), missed_run=pl.lit(None), returns=pl.lit(0))
    assert "push_mismatched" not in found(inputs._replace(known=fit(over, LIVES)))["code"].to_list()


def test_the_old_number_is_no_proof_while_a_cancellation_may_have_made_it_again() -> None:
    accepted, stands = {"state": "accepted", "verified_at": None}, {"reported": 8, "state": "push_due", "gap_looks": 1}
    slow = feeds({"order_lag_s": 1800})
    said = found(FindingInputs(points=points({**stands, "judged": False}), corrections=corrections(accepted), feeds=slow))
    assert "push_unverified" not in said["code"].to_list()
    assert "push_unverified" in _told(accepted, {**stands, "judged": False})  # every order would be known by now
    assert "push_unverified" in _told(accepted, stands)


def test_a_push_whose_number_orders_may_yet_explain_is_not_called_unseen() -> None:
    accepted = {"state": "accepted", "verified_at": None}
    sold = {"base": 5, "expected": 5, "reported": 2, "unexplained": -3, "state": "drifted", "judged": False}
    assert "push_unverified" not in _told(accepted, sold)
    assert "push_unverified" in _told(accepted, {**sold, "judged": True})
