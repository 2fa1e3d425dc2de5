import polars as pl
import pytest

from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline_tests.domain.findings.causes.drifted import LOWERED, RAISED, causes, told
from invbi_pipeline_tests.domain.findings.facts import at, earlier, effects, found, points


def test_an_order_of_other_units_another_window_or_another_point_explains_nothing() -> None:
    sold = effects(
        {"units": -2},
        {"effect_id": "b", "order_id": "b", "units": -3, "stamped_at": at(2)},
        {"effect_id": "c", "order_id": "c", "units": -3, "listing_key": "L2"},
    )
    assert causes(FindingInputs(points=points(LOWERED), effects=sold)) == [("foreign", -3, [])]


def test_an_order_that_did_not_move_a_number_that_stands_was_not_applied() -> None:
    looks = earlier({"observed_at": at(5), "quantity": 8}, {"observed_at": at(10), "quantity": 8})
    inputs = FindingInputs(points=points(RAISED), effects=effects({"units": -3}), earlier=looks)
    assert causes(inputs) == [("unapplied", 3, ["o1"])]
    assert "3 units: order o1 of 09:07 UTC was not applied" in told(inputs)["sentence"]


def test_a_number_that_was_raised_after_the_order_that_lowered_it_was_raised_by_a_hand() -> None:
    looks = earlier({"observed_at": at(5), "quantity": 8}, {"observed_at": at(10), "quantity": 8, "changed_at": at(9)})
    inputs = FindingInputs(points=points(RAISED), effects=effects({"units": -3}), earlier=looks)
    assert causes(inputs) == [("foreign", 3, [])]


def test_a_refund_that_the_number_does_not_show_was_not_restocked() -> None:
    back = effects({"effect_id": "r1/1/restock", "kind": "return", "units": 3, "order_id": "1043", "stamped_at": at(8)})
    inputs = FindingInputs(points=points(LOWERED), effects=back)
    assert causes(inputs) == [("one_leg", -3, ["1043"])]
    assert "3 units: return 1043, refunded at 09:08 UTC, was not restocked." in told(inputs)["sentence"]


def test_of_equal_orders_the_one_of_the_moment_at_which_the_number_changed_was_applied_twice() -> None:
    sold = effects({"units": -3}, {"effect_id": "b", "order_id": "o2", "units": -3, "stamped_at": at(9)})
    looks = earlier({"observed_at": at(5), "quantity": 14}, {"observed_at": at(10), "quantity": 5, "changed_at": at(9)})
    inputs = FindingInputs(points=points(LOWERED), effects=sold, earlier=looks)
    assert causes(inputs) == [("duplicate", -3, ["o2"])]


def test_where_nothing_tells_equal_orders_apart_none_is_named_and_both_are_said() -> None:
    sold = effects({"units": -3}, {"effect_id": "b", "order_id": "o2", "units": -3, "stamped_at": at(9)})
    inputs = FindingInputs(points=points(LOWERED), effects=sold)
    assert causes(inputs) == [("duplicate", -3, [])]
    assert told(inputs)["alternatives"] == ["o1", "o2"]
    assert "one of the orders o1, o2 was applied twice" in told(inputs)["sentence"]


@pytest.mark.parametrize("orders", [20, 60])
def test_one_of_many_equal_orders_is_no_evidence(orders: int) -> None:
    sold = effects(*({"effect_id": f"e{n}", "order_id": f"o{n}", "units": -3} for n in range(orders)))
    assert causes(FindingInputs(points=points(LOWERED), effects=sold)) == [("foreign", -3, [])]


def test_a_change_at_a_moment_without_an_event_was_a_hand_even_where_two_orders_would_fit() -> None:
    sold = effects({"units": -1}, {"effect_id": "b", "order_id": "o2", "units": -2, "stamped_at": at(7)})
    looks = earlier({"observed_at": at(5), "quantity": 8}, {"observed_at": at(10), "quantity": 2, "changed_at": at(9)})
    assert causes(FindingInputs(points=points(LOWERED), effects=sold, earlier=looks)) == [("foreign", -3, [])]


def test_two_orders_that_were_each_applied_twice_add_up() -> None:
    sold = effects({"units": -1}, {"effect_id": "b", "order_id": "o2", "units": -2, "stamped_at": at(7)})
    looks = earlier({"observed_at": at(5), "quantity": 8}, {"observed_at": at(10), "quantity": 2, "changed_at": at(7)})
    inputs = FindingInputs(points=points(LOWERED), effects=sold, earlier=looks)
    assert sorted(causes(inputs)) == [("duplicate", -2, ["o2"]), ("duplicate", -1, ["o1"])]
    assert told(inputs)["remainder"] == 0


def test_only_events_of_one_cause_stand_under_its_verb_and_each_once() -> None:
    """A return that may have been applied twice is no order that was."""
    twice = {"units": 3, "kind": "return", "stamped_at": at(8)}
    back = effects({**twice, "effect_id": "a", "order_id": "1043"}, {**twice, "effect_id": "b", "order_id": "1044"})
    sold = effects({"units": -3}, {"effect_id": "c", "order_id": "o2", "units": -3, "stamped_at": at(9)})
    said = told(FindingInputs(points=points(LOWERED), effects=pl.concat([back, sold])))
    assert said["alternatives"] == ["o1", "o2"]
    assert {(one["cause"], *one["events"]) for one in said["also"]} <= {("one_leg", "1043"), ("one_leg", "1044")}
    assert said["also"]


def test_where_other_events_fit_exactly_as_well_none_is_told_as_applied_twice() -> None:
    """Of these four the first two, or the last two, come to as much."""
    units = {"o1": -1, "o2": -2, "o3": -4, "o4": 1}
    sold = effects(*({"effect_id": order, "order_id": order, "units": n} for order, n in units.items()))
    inputs = FindingInputs(points=points(LOWERED), effects=sold)
    assert {one["events"][0] for one in told(inputs)["also"]} >= {"o3", "o4"}
    assert "probably order o1 of 09:07 UTC was applied twice" in told(inputs)["sentence"]
    assert "duplicate_event" not in found(inputs)["code"].to_list()
