from typing import Any

import pytest

from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline_tests.domain.findings.facts import (
    at,
    evidence,
    found,
    offers,
    one,
    points,
    positions,
    reservations,
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
        pytest.param({"judged": False, "gap_looks": 1}, id="an order may be late"),
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


def test_confirmed_drift_tells_of_its_gap_at_once() -> None:
    drifted = {"reported": 8, "state": "drifted", "gap_looks": 1, "confirmed": 3}
    assert one(FindingInputs(points=points(drifted)), "oversell_risk")["units"] == 3


def test_a_channel_at_0_while_another_sells_the_sku_is_a_stockout_and_not_an_undersell_too() -> None:
    inputs = FindingInputs(points=points(ZERO, {"system": "amazon", "listing_key": "A1"}))
    row = one(inputs, "channel_stockout")
    assert row["cause"] == "MUG-RED on web (soho) shows none although 5 may be sold and amazon offers 5."
    assert found(inputs).height == 1


def test_a_number_of_0_is_an_undersell_where_the_channel_has_the_sku_elsewhere_or_nobody_sells_it() -> None:
    elsewhere = points(ZERO, {"location": "camden"}, {"system": "amazon", "listing_key": "A1"})
    assert found(FindingInputs(points=elsewhere))["code"].to_list() == ["undersell"]
    assert found(FindingInputs(points=points(ZERO)))["code"].to_list() == ["undersell"]


def test_more_promises_than_units_is_oversold_once_a_channel_with_the_competing_orders() -> None:
    orders = reservations({"units": 4}, {"system": "amazon", "order_id": "o2", "units": 3, "ordered_at": at(2)})
    there = positions({"on_hand": 5, "free": -2, "available": -2}, {"location": "leeds", "free": 1, "available": 1})
    pools = offers({"pool": -2}, {"location": "camden", "pool": -2})
    row = one(FindingInputs(offers=pools, reservations=orders, positions=there, values=values({})), "oversold")
    assert (row["units"], row["money"], row["severity"], row["sku"], row["listing_key"]) == (2, 5.0, "critical", "MUG-RED", "")
    assert [order["order_id"] for order in evidence(row)["orders"]] == ["o2", "o1"]
    assert evidence(row)["could_ship"] == [{"location": "leeds", "available": 1}]
    assert row["cause"] == "7 units of MUG-RED are promised by 2 order lines, 2 more than web may ship."


def test_a_pool_below_0_because_of_a_threshold_is_not_oversold() -> None:
    inputs = FindingInputs(offers=offers({"pool": -5, "threshold": 10}), reservations=reservations({}), positions=positions({}))
    assert found(inputs).is_empty()


def test_orders_that_one_place_lacks_and_others_have_are_not_oversold() -> None:
    there = positions({"free": -2, "available": -2}, {"location": "leeds", "free": 9, "available": 9})
    assert found(FindingInputs(offers=offers({"pool": 7}), reservations=reservations({}), positions=there)).is_empty()


def test_a_sku_that_no_channel_lists_is_told_without_a_system() -> None:
    inputs = FindingInputs(positions=positions({"free": -1, "available": -1}), reservations=reservations({"units": 6}))
    assert (one(inputs, "oversold")["system"], one(inputs, "oversold")["units"]) == ("", 1)


def test_a_channel_that_counts_the_stock_itself_sells_it_too() -> None:
    hub = {"system": "hub", "listing_key": "H1", "state": "counted"}
    inputs = FindingInputs(points=points(ZERO, hub), systems=systems({"system": "hub", "sells": True}))
    assert one(inputs, "channel_stockout")["cause"].endswith("and hub offers 5.")
    erp = FindingInputs(points=points(ZERO, hub), systems=systems({"system": "hub", "sells": False}))
    assert found(erp)["code"].to_list() == ["undersell"]
