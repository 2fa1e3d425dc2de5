from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline_tests.domain.findings.causes.drifted import LOWERED, causes, told
from invbi_pipeline_tests.domain.findings.facts import at, corrections, effects, mappings, movements, orders, points

LISTED = mappings({}, {"system": "erp", "listing_key": "E1"})
BOOKED = {"system": "erp", "listing_key": "E1", "movement_id": "m1", "units": -3, "order_id": "o9", "reference": "web/o9/1/1"}


def test_an_order_that_the_owner_booked_and_the_channel_does_not_tell() -> None:
    inputs = FindingInputs(points=points(LOWERED), movements=movements(BOOKED), mappings=LISTED)
    assert causes(inputs) == [("missing_order", -3, ["o9"])]
    assert "order o9 of 09:07 UTC is booked in erp, and the channel does not tell of it" in told(inputs)["sentence"]


def test_an_imported_order_that_its_own_channel_does_not_tell() -> None:
    copy = orders({"system": "erp", "listing_key": "E1", "order_id": "i1", "external_id": "o9", "quantity": 3})
    assert causes(FindingInputs(points=points(LOWERED), orders=copy, mappings=LISTED)) == [("missing_order", -3, ["o9"])]


def test_an_order_that_the_channel_tells_or_of_another_channel_or_place_is_not_missing() -> None:
    booked = movements(
        {**BOOKED, "order_id": "o1"},
        {**BOOKED, "movement_id": "m2", "reference": "shop/o9/1/1"},
        {**BOOKED, "movement_id": "m3", "location": "leeds"},
    )
    inputs = FindingInputs(points=points(LOWERED), movements=booked, orders=orders({"quantity": 3}), mappings=LISTED)
    assert causes(inputs) == [("foreign", -3, [])]


def test_a_platform_that_keeps_a_history_names_the_hand_itself() -> None:
    counted = movements({"movement_id": "count-7", "kind": "count", "units": None, "counted": 2, "occurred_at": at(8)})
    inputs = FindingInputs(points=points(LOWERED), movements=counted, effects=effects({"units": -3}))
    assert causes(inputs) == [("foreign", -3, ["count-7"])]


def test_a_movement_that_names_a_known_order_is_that_order_again() -> None:
    again = movements({"movement_id": "adj-8", "units": -3, "reference": "o1", "occurred_at": at(8)})
    inputs = FindingInputs(points=points(LOWERED), movements=again, effects=effects({"units": -1}))
    assert causes(inputs) == [("duplicate", -3, ["o1"])]


def test_what_we_sent_ourselves_is_nobodys_hand() -> None:
    ours = movements({"movement_id": "count-7", "kind": "count", "units": None, "counted": 2, "occurred_at": at(8)})
    sent = corrections({"sent_at": at(8), "to_qty": 2, "target": 2, "shown": 2})
    assert causes(FindingInputs(points=points(LOWERED), movements=ours, corrections=sent)) == [("foreign", -3, [])]
