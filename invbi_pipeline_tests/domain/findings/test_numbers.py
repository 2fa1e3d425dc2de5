from typing import Any

import pytest

from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline_tests.domain.findings.facts import (
    at,
    candidates,
    corrections,
    evidence,
    found,
    listings,
    mappings,
    one,
    points,
    systems,
    values,
)  # fmt: skip

HIGH = {"reported": 8, "state": "push_due", "gap_looks": 2}
LOW = {"reported": 2, "state": "push_due", "gap_looks": 2}
ZERO = {"reported": 0, "state": "drifted", "gap_looks": 2}


def test_a_number_above_the_offer_at_two_looks_is_an_oversell_risk_with_its_units_and_money() -> None:
    row = one(FindingInputs(points=points(HIGH), values=values({})), "oversell_risk")
    assert (row["units"], row["money"], row["severity"]) == (3, 7.5, "high")
    assert row["cause"] == "MUG-RED on web (soho) shows 8 where 5 may be sold."
    assert evidence(row)["gap"] == 3


def test_what_two_judged_looks_saw_is_told_although_the_order_feed_has_not_caught_up_with_the_present_one() -> None:
    assert one(FindingInputs(points=points({**HIGH, "judged": False})), "oversell_risk")["units"] == 3


def test_what_our_own_push_lowered_before_a_second_look_could_be_oversold_until_then() -> None:
    taken = {"found": 3, "found_how": "taken", "found_at": at(10)}
    pushes = corrections(
        {"sent_at": at(5), "shown": 12, "target": 9}, {"correction_id": "c2"}, {"correction_id": "c3", "sent_at": at(15)}
    )
    row = one(FindingInputs(points=points(taken), corrections=pushes), "oversell_risk")
    assert row["cause"] == "MUG-RED on web (soho) showed 8 where 5 could be sold, until it was lowered at 09:10 UTC."
    assert (row["units"], evidence(row)["correction_id"], row["suggested_action"]) == (3, "c2", "")


def test_a_lowered_number_that_two_looks_saw_is_told_as_it_stands() -> None:
    confirmed = {**HIGH, "reported": 9, "found": 4, "found_how": "taken", "found_at": at(10)}
    assert one(FindingInputs(points=points(confirmed), corrections=corrections({})), "oversell_risk")["units"] == 4


def test_an_oversell_risk_is_critical_where_nothing_may_be_sold() -> None:
    assert one(FindingInputs(points=points({**HIGH, "offer": 0})), "oversell_risk")["severity"] == "critical"


def test_what_has_no_price_is_unpriced() -> None:
    assert one(FindingInputs(points=points(HIGH)), "oversell_risk")["money"] is None


def test_a_number_below_the_offer_at_two_looks_is_an_undersell() -> None:
    assert one(FindingInputs(points=points(LOW)), "undersell")["units"] == 3


def test_an_undersell_within_the_tolerance_is_none() -> None:
    assert found(FindingInputs(points=points(LOW)), tolerance=3).is_empty()


@pytest.mark.parametrize(
    "decoy",
    [
        pytest.param({"gap_looks": 1}, id="its first look: a push is due"),
        pytest.param({"in_flight": 1}, id="a push is in flight"),
        pytest.param({"judged": False, "gap_looks": 1, "unexplained": 3}, id="an order may be late"),
        pytest.param({"judged": True, "gap_looks": 1, "unexplained": -1, "pending": -4}, id="it fell, and not far enough yet"),
        pytest.param({"state": "counted"}, id="a counted number"),
        pytest.param({"state": "unknown"}, id="an unknown number"),
        pytest.param({"state": "unmapped"}, id="an unmapped number"),
        pytest.param({"status": "inactive", "offer": 0}, id="a listing off sale"),
        pytest.param({"offer": 8}, id="a legal buffer or cap, in the offer already"),
        pytest.param({"first_look": True, "gap_looks": 1}, id="the first look of a new listing"),
    ],
)
def test_what_only_looks_wrong_is_no_finding(decoy: dict[str, Any]) -> None:
    assert found(FindingInputs(points=points({**HIGH, **decoy}))).is_empty()


def test_of_a_listing_whose_map_row_says_another_pack_its_number_is_not_judged() -> None:
    doubt = candidates({"code": "pack_mismatch"})
    assert found(FindingInputs(points=points(LOW), candidates=doubt))["code"].to_list() == ["pack_mismatch"]


def test_of_a_pack_whose_map_row_somebody_overwrote_no_number_is_told() -> None:
    was = mappings({"units": 6, "valid_to": at(5)}, {"units": 1})
    inputs = FindingInputs(points=points(LOW), mappings=was, listings=listings({"raw_sku": "MUG-RED-6PK", "title": "Mug"}))
    assert found(inputs)["code"].to_list() == ["pack_mismatch"]


def test_confirmed_drift_tells_of_its_gap_at_once() -> None:
    drifted = {"reported": 8, "state": "drifted", "gap_looks": 1, "confirmed": 3}
    assert one(FindingInputs(points=points(drifted)), "oversell_risk")["units"] == 3


def test_a_number_that_rose_by_itself_is_told_at_its_first_judged_look() -> None:
    astray = {"reported": 8, "state": "drifted", "gap_looks": 1, "unexplained": 3, "judged": True}
    assert one(FindingInputs(points=points(astray)), "oversell_risk")["units"] == 3


@pytest.mark.parametrize("reported", [2, 0])
def test_a_number_that_fell_at_one_judged_look_may_be_sales_that_are_not_told_yet(reported: int) -> None:
    astray = {"reported": reported, "state": "drifted", "gap_looks": 1, "unexplained": reported - 5, "judged": True}
    inputs = FindingInputs(points=points(astray, {"system": "amazon", "listing_key": "A1"}))
    assert found(inputs).is_empty()


def test_a_number_that_was_kept_low_for_sales_that_never_came_is_an_undersell() -> None:
    fell = {"reported": 2, "state": "push_due", "gap_looks": 1, "judged": False, "found": -3, "found_how": "withheld"}
    assert one(FindingInputs(points=points(fell)), "undersell")["units"] == 3


def test_a_channel_at_0_while_another_sells_the_sku_is_a_stockout_and_not_an_undersell_too() -> None:
    inputs = FindingInputs(points=points(ZERO, {"system": "amazon", "listing_key": "A1"}))
    row = one(inputs, "channel_stockout")
    assert row["cause"] == "MUG-RED on web (soho) shows none although 5 may be sold and amazon offers 5."
    assert found(inputs).height == 1


def test_a_number_of_0_is_an_undersell_where_the_channel_has_the_sku_elsewhere_or_nobody_sells_it() -> None:
    elsewhere = points(ZERO, {"location": "camden"}, {"system": "amazon", "listing_key": "A1"})
    assert found(FindingInputs(points=elsewhere))["code"].to_list() == ["undersell"]
    assert found(FindingInputs(points=points(ZERO)))["code"].to_list() == ["undersell"]


def test_a_channel_that_counts_the_stock_itself_sells_it_too() -> None:
    hub = {"system": "hub", "listing_key": "H1", "state": "counted"}
    inputs = FindingInputs(points=points(ZERO, hub), systems=systems({"system": "hub", "sells": True}))
    assert one(inputs, "channel_stockout")["cause"].endswith("and hub offers 5.")
    erp = FindingInputs(points=points(ZERO, hub), systems=systems({"system": "hub", "sells": False}))
    assert found(erp)["code"].to_list() == ["undersell"]
