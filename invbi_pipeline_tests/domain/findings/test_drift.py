from typing import Any

from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline_tests.domain.findings.facts import KEY, at, corrections, effects, evidence, found, one, points

LOWERED: dict[str, Any] = {
    "reported": 2, "state": "drifted", "unexplained": -3, "confirmed": -3, "gap_looks": 2,
    "found": -3, "found_how": "confirmed", "found_since": at(5), "found_at": at(10),
}  # fmt: skip


def test_a_number_that_nothing_explains_was_changed_by_somebody_else() -> None:
    row = one(FindingInputs(points=points(LOWERED)), "drift")
    said = "Somebody or another program lowered MUG-RED on web (soho) by 3 between 09:05 and 09:10; no order explains it."
    assert (row["cause"], row["units"], row["severity"]) == (said, 3, "high")
    assert (evidence(row)["how"], evidence(row)["remainder"]) == ("foreign", 0)


def test_a_sentence_names_the_day_where_it_is_not_today() -> None:
    row = one(FindingInputs(points=points({**LOWERED, "found_since": at(-24 * 60)})), "drift")
    assert "between 4 Jan 09:00 and 09:10" in row["cause"]


def test_a_change_equal_to_an_order_of_its_window_is_that_order_applied_twice() -> None:
    sold = effects({"units": -2}, {"effect_id": "o1/2/sale", "units": -1, "line_id": "2"}, {"effect_id": "x", "order_id": "x"})
    inputs = FindingInputs(points=points(LOWERED), effects=sold)
    twice = one(inputs, "duplicate_event")
    assert (evidence(twice)["order_id"], evidence(twice)["event_units"], twice["units"]) == ("o1", -3, 3)
    assert "the sale o1 of 09:07 seems to have been applied twice" in one(inputs, "drift")["cause"]


def test_an_order_of_other_units_another_window_or_another_point_explains_nothing() -> None:
    sold = effects(
        {"units": -2},
        {"effect_id": "b", "order_id": "b", "units": -3, "stamped_at": at(2)},
        {"effect_id": "c", "order_id": "c", "units": -3, "listing_key": "L2"},
        {"effect_id": "d", "order_id": "d", "units": 3},
    )
    inputs = FindingInputs(points=points(LOWERED), effects=sold)
    assert found(inputs).filter(code="duplicate_event").is_empty()
    assert evidence(one(inputs, "drift"))["how"] == "foreign"


def test_two_locations_that_changed_by_as_much_either_way_were_a_move() -> None:
    raised = {**LOWERED, "location": "leeds", "reported": 8, "unexplained": 3, "confirmed": 3, "found": 3}
    told = found(FindingInputs(points=points(LOWERED, raised))).filter(code="drift")
    assert [evidence(row)["other"] for row in told.iter_rows(named=True)] == ["soho", "leeds"]
    assert "leeds changed by as much the other way" in told["cause"][1]


def test_a_push_that_never_landed_explains_the_number_it_would_have_set() -> None:
    lost = corrections({"state": "superseded", "from_qty": 2, "shown": 2, "target": 5, "sent_at": at(8)})
    row = one(FindingInputs(points=points(LOWERED), corrections=lost), "drift")
    assert row["cause"] == "MUG-RED on web (soho) is 3 lower than it should be: our correction of 09:08 never took effect."


def test_units_withheld_as_sales_that_never_came_are_told_as_such() -> None:
    row = one(FindingInputs(points=points({**LOWERED, "found_how": "withheld"}), effects=effects({"units": -3})), "drift")
    assert "sales that we expected since 09:10 never arrived" in row["cause"]


def test_a_change_that_our_own_push_wiped_is_still_told() -> None:
    wiped = {"found": 3, "found_how": "taken", "found_since": at(5), "found_at": at(10)}
    told = found(FindingInputs(points=points(wiped)))
    assert told.select("code", "units").rows() == [("drift", 3)]


def test_nothing_found_is_no_drift_whatever_is_unexplained() -> None:
    late_order = {"reported": 4, "state": "drifted", "unexplained": -1, "judged": False}
    assert found(FindingInputs(points=points(late_order, {**KEY, "listing_key": "L2"}), effects=effects({}))).is_empty()


def test_an_order_that_did_not_move_a_number_that_stands_was_not_applied() -> None:
    stands = {**LOWERED, "reported": 8, "unexplained": 3, "confirmed": 3, "found": 3, "stuck": 1}
    inputs = FindingInputs(points=points(stands), effects=effects({"units": -3}))
    assert one(inputs, "drift")["cause"].endswith("is 3 higher than it should be: the sale o1 of 09:07 was not applied.")
    assert found(inputs).filter(code="duplicate_event").is_empty()


def test_the_number_of_a_frozen_listing_did_not_drift() -> None:
    codes = found(FindingInputs(points=points({**LOWERED, "stuck": 2})))["code"].to_list()
    assert "frozen_listing" in codes
    assert "drift" not in codes


def test_a_refused_push_planned_from_the_look_that_saw_the_change_explains_nothing() -> None:
    refused = corrections({"state": "rejected", "from_qty": 2, "shown": 2, "target": 5, "sent_at": at(10), "verified_at": None})
    row = one(FindingInputs(points=points(LOWERED), corrections=refused), "drift")
    assert evidence(row)["how"] == "foreign"
