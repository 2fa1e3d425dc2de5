from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline_tests.domain.findings.causes.drifted import LOWERED, causes, told
from invbi_pipeline_tests.domain.findings.facts import at, corrections, earlier, points


def test_a_push_that_never_landed_explains_the_number_it_would_have_set() -> None:
    lost = corrections({"state": "superseded", "from_qty": 2, "shown": 2, "target": 5, "sent_at": at(8)})
    inputs = FindingInputs(points=points(LOWERED), corrections=lost)
    assert causes(inputs) == [("push", -3, ["c1"])]
    assert "3 units: our correction of 09:08 UTC never took effect" in told(inputs)["sentence"]


def test_a_refused_push_planned_from_the_look_that_saw_the_change_explains_nothing() -> None:
    refused = corrections({"state": "rejected", "from_qty": 2, "shown": 2, "target": 5, "sent_at": at(10), "verified_at": None})
    assert causes(FindingInputs(points=points(LOWERED), corrections=refused)) == [("foreign", -3, [])]


def test_a_number_that_went_back_in_time_with_its_own_time_of_change_is_stale() -> None:
    looks = earlier(
        {"observed_at": at(0), "quantity": 2, "changed_at": at(-1)},
        {"observed_at": at(5), "quantity": 5, "changed_at": at(4)},
        {"observed_at": at(10), "quantity": 2, "changed_at": at(-1)},
    )
    assert causes(FindingInputs(points=points(LOWERED), earlier=looks)) == [("stale", -3, [])]


def test_a_number_that_is_merely_one_it_had_before_is_not_stale() -> None:
    looks = earlier(
        {"observed_at": at(0), "quantity": 2, "changed_at": at(-1)},
        {"observed_at": at(5), "quantity": 5, "changed_at": at(4)},
        {"observed_at": at(10), "quantity": 2, "changed_at": at(8)},
    )
    assert causes(FindingInputs(points=points(LOWERED), earlier=looks)) == [("foreign", -3, [])]


def test_a_hand_that_came_back_after_two_of_our_pushes_is_a_second_writer() -> None:
    assert causes(FindingInputs(points=points({**LOWERED, "returns": 2}))) == [("second_writer", -3, [])]
