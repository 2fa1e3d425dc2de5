import polars as pl

from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline_tests.domain.findings.facts import (
    at,
    corrections,
    earlier,
    effects,
    evidence,
    found,
    listings,
    mappings,
    one,
    points,
)


def test_a_pack_whose_map_row_changed_against_its_title_is_told_whatever_its_numbers_say() -> None:
    was = mappings({"units": 6, "valid_to": at(5)}, {"units": 1})
    inputs = FindingInputs(mappings=was, listings=listings({"raw_sku": "MUG-RED-6PK", "title": "Mug"}))
    assert evidence(one(inputs, "pack_mismatch"))["was"] == 6
    assert found(inputs._replace(listings=listings({"raw_sku": "MUG-RED", "title": "Mug"}))).is_empty()


def test_a_number_that_left_two_of_our_pushes_has_a_second_writer() -> None:
    row = one(FindingInputs(points=points({"returns": 2, "reported": 9, "unexplained": 4, "judged": False})), "second_writer")
    assert (row["units"], row["severity"]) == (4, "high")
    assert row["cause"] == "After 2 of our corrections somebody or another program set MUG-RED on web (soho) again."


def test_events_that_never_moved_a_number_tell_that_it_is_frozen_while_a_push_is_on_its_way() -> None:
    looks = earlier({"observed_at": at(20), "changed_at": at(1)})
    sold = effects({"stamped_at": at(7)}, {"effect_id": "o2/1/sale", "order_id": "o2", "stamped_at": at(9)})
    drifted = points({"found": 1, "found_how": "confirmed", "in_flight": 1})
    said = found(FindingInputs(points=drifted, earlier=looks, effects=sold))
    assert said["code"].to_list() == ["frozen_listing"]
    moved = looks.with_columns(changed_at=pl.lit(at(8)))
    assert "frozen_listing" not in found(FindingInputs(points=drifted, earlier=moved, effects=sold))["code"].to_list()


def test_events_since_a_number_last_changed_tell_that_it_is_frozen_though_pushes_on_their_way_explain_it() -> None:
    looks = earlier({"observed_at": at(20), "changed_at": at(1)})
    sold = effects({"stamped_at": at(7)}, {"effect_id": "o2/1/sale", "order_id": "o2", "stamped_at": at(9)})
    pushed = FindingInputs(points=points({"in_flight": 2, "state": "push_due", "offer": 3}), earlier=looks, effects=sold)
    assert one(pushed, "frozen_listing")["units"] == 2
    for quiet in ({"in_flight": 0}, {"in_flight": 2, "reported": 0}, {"in_flight": 2, "state": "unknown"}):
        assert found(pushed._replace(points=points(quiet))).is_empty()


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
