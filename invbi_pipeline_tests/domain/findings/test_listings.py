from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline_tests.domain.findings.facts import corrections, found, one, points


def test_a_number_that_left_two_of_our_pushes_has_a_second_writer() -> None:
    row = one(FindingInputs(points=points({"returns": 2, "reported": 9, "unexplained": 4, "judged": False})), "second_writer")
    assert (row["units"], row["severity"]) == (4, "high")
    assert row["cause"] == "After 2 of our corrections somebody or another program set MUG-RED on web (soho) again."


def test_one_change_after_a_push_is_no_second_writer_and_one_that_did_not_show_is_not_frozen() -> None:
    assert found(FindingInputs(points=points({"returns": 1, "stuck": 1}))).is_empty()


def test_a_number_that_two_changes_did_not_move_is_frozen() -> None:
    row = one(FindingInputs(points=points({"stuck": 2, "unexplained": 2})), "frozen_listing")
    assert row["cause"] == "MUG-RED on web (soho) still shows 5: 2 changes since then were not applied."


def test_a_listing_off_sale_that_may_be_sold_is_told_once() -> None:
    row = one(
        FindingInputs(points=points({"status": "inactive"}, {"status": "inactive", "location": "leeds"})), "listing_inactive"
    )
    assert (row["location"], row["units"]) == ("", 10)


def test_a_listing_off_sale_with_nothing_to_sell_is_told_only_where_a_correction_waits() -> None:
    off = points({"status": "inactive", "offer": 0, "reported": 0})
    assert found(FindingInputs(points=off)).is_empty()
    waits = corrections({"state": "planned", "sent_at": None})
    assert found(FindingInputs(points=off, corrections=waits))["code"].to_list() == ["listing_inactive"]
