from typing import Any

from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline_tests.domain.findings.causes.drifted import LOWERED, RAISED, causes, told
from invbi_pipeline_tests.domain.findings.facts import at, earlier, effects, points


def _changed(before: int, after: int, **where: Any) -> list[dict[str, Any]]:
    return [
        {"observed_at": at(5), "quantity": before, **where},
        {"observed_at": at(10), "quantity": after, "changed_at": at(7), **where},
    ]


def test_two_locations_that_changed_by_as_much_either_way_were_a_move() -> None:
    inputs = FindingInputs(points=points(LOWERED, {**RAISED, "location": "leeds"}))
    assert causes(inputs) == [("moved", -3, [])]
    assert causes(inputs, location="leeds") == [("moved", 3, [])]
    assert "3 units: they went to leeds without an order" in told(inputs)["sentence"]


def test_units_moved_to_a_place_that_was_put_right_since_are_a_move_still() -> None:
    right = {"location": "leeds"}
    looks = earlier(*_changed(5, 2), *_changed(5, 8, **right), {"observed_at": at(16), "quantity": 5, **right})
    assert causes(FindingInputs(points=points(LOWERED, right), earlier=looks)) == [("moved", -3, [])]


def test_an_order_of_one_item_that_moved_another_was_booked_on_the_wrong_one() -> None:
    other = {"listing_key": "L2"}
    looks = earlier(*_changed(8, 8), *_changed(5, 2, **other))
    both = points(RAISED, {**LOWERED, **other, "sku": "MUG-BLUE"})
    inputs = FindingInputs(points=both, effects=effects({"units": -3}), earlier=looks)
    assert causes(inputs) == [("swapped", 3, ["o1"])]
    assert causes(inputs, "L2") == [("swapped", -3, ["o1"])]
    assert "order o1 of 09:07 UTC was booked on the wrong item: compare with MUG-BLUE" in told(inputs)["sentence"]


def test_a_number_that_was_typed_over_before_an_order_came_was_not_changed_by_it() -> None:
    other = {"listing_key": "L2"}
    looks = earlier(*_changed(8, 8), *_changed(5, 2, **other))
    both = points(RAISED, {**LOWERED, **other, "sku": "MUG-BLUE"})
    late = effects({"units": -3, "stamped_at": at(7.05)})  # three seconds after the other number changed
    assert causes(FindingInputs(points=both, effects=late, earlier=looks)) == [("unapplied", 3, ["o1"])]


def test_two_items_that_merely_changed_by_as_much_either_way_prove_nothing() -> None:
    both = points(RAISED, {**LOWERED, "listing_key": "L2", "sku": "MUG-BLUE"})
    assert causes(FindingInputs(points=both)) == [("foreign", 3, [])]


def test_an_item_that_was_taken_for_another_had_an_order_of_its_own_of_as_many_units_at_another_moment() -> None:
    other = {"listing_key": "L2"}
    looks = earlier(*_changed(8, 8), *_changed(8, 2, **other))
    both = points(RAISED, {**LOWERED, **other, "sku": "MUG-BLUE"})
    own = {**other, "effect_id": "own", "order_id": "o2", "units": -3, "stamped_at": at(6)}
    inputs = FindingInputs(points=both, effects=effects({"units": -3}, own), earlier=looks)
    assert causes(inputs, "L2") == [("swapped", -3, ["o1"])]


def test_where_one_side_of_a_swap_is_sure_of_it_the_other_tells_the_same() -> None:
    """The other's number wandered on, so that by itself it only knows of an order of its own that was not applied."""
    other = {"listing_key": "L2"}
    wandered = [(0, 9, 0), (5, 5, 4), (10, 8, 7), (12, 9, 11.5)]
    looks = [{"observed_at": at(n), "quantity": said, "changed_at": at(then), **other} for n, said, then in wandered]
    stood = [{"observed_at": at(5), "quantity": 2}, {"observed_at": at(10), "quantity": 2}]
    raised = {**RAISED, **other, "sku": "MUG-BLUE", "found_since": at(0), "found_at": at(12)}
    back = {"effect_id": "c1", "kind": "cancel", "units": 3}
    sold = {**other, "effect_id": "own", "order_id": "o2", "units": -3, "stamped_at": at(3)}
    inputs = FindingInputs(points=points(LOWERED, raised), effects=effects(back, sold), earlier=earlier(*stood, *looks))
    assert causes(inputs) == [("swapped", -3, ["o1"])]
    assert causes(inputs, "L2") == [("swapped", 3, ["o1"])]
    assert "compare with MUG-RED" in told(inputs, "L2")["sentence"]


def test_units_that_went_to_another_location_are_not_those_of_an_order_of_another_item_that_was_not_applied() -> None:
    other, there = {"listing_key": "L2", "sku": "MUG-BLUE"}, {"listing_key": "L2", "sku": "MUG-BLUE", "location": "leeds"}
    looks = [*_changed(8, 8), *_changed(5, 2, listing_key="L2"), *_changed(5, 8, listing_key="L2", location="leeds")]
    both = points(RAISED, {**LOWERED, **other}, there)  # what came to leeds has been put right since
    inputs = FindingInputs(points=both, effects=effects({"units": -3}), earlier=earlier(*looks))
    assert causes(inputs) == [("unapplied", 3, ["o1"])]
    assert causes(inputs, "L2") == [("moved", -3, [])]
    assert "MUG-BLUE" not in told(inputs)["sentence"]


def test_an_order_that_was_applied_twice_is_not_another_items_that_was_not_applied() -> None:
    other = {"listing_key": "L2"}
    looks = earlier(*_changed(8, 8), *_changed(8, 2, **other))
    both = points(RAISED, {**LOWERED, **other, "sku": "MUG-BLUE"})
    own = {**other, "effect_id": "own", "order_id": "o2", "units": -3}
    inputs = FindingInputs(points=both, effects=effects({"units": -3}, own), earlier=looks)
    assert causes(inputs) == [("unapplied", 3, ["o1"])]
    assert causes(inputs, "L2") == [("duplicate", -3, ["o2"])]


def test_one_order_that_was_booked_on_the_wrong_item_explains_its_units_there_once() -> None:
    """Of as many units twice: first they went to another location, then came the order."""
    other, there = {"listing_key": "L2"}, {"listing_key": "L2", "location": "leeds"}
    fell = {"observed_at": at(15), "quantity": 2, "changed_at": at(12), **other}
    stood = [{"observed_at": at(n), "quantity": 8} for n in (10, 15)]
    looks = earlier(*stood, *_changed(8, 5, **other), fell, *_changed(5, 8, **there))
    lowered = {**LOWERED, **other, "sku": "MUG-BLUE", "found": -6, "unexplained": -6, "confirmed": -6, "found_at": at(15)}
    raised = {**RAISED, "found_since": at(10), "found_at": at(15)}
    both = points(raised, lowered, {**there, "sku": "MUG-BLUE"})
    inputs = FindingInputs(points=both, effects=effects({"units": -3, "stamped_at": at(12)}), earlier=looks)
    assert causes(inputs) == [("swapped", 3, ["o1"])]
    assert causes(inputs, "L2") == [("moved", -3, []), ("swapped", -3, ["o1"])]
