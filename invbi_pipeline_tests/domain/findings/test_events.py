from datetime import timedelta

import polars as pl

from invbi_pipeline.domain.findings import FindingInputs, seen
from invbi_pipeline_tests.domain.findings.facts import (
    NOW,
    at,
    deliveries,
    evidence,
    found,
    mappings,
    movements,
    one,
    orders,
    systems,
)

LATE = NOW + timedelta(hours=5)
BOOKED = {
    "system": "erp", "listing_key": "E1", "units": -2, "order_id": "o1", "reference": "web/o1/1/f1", "occurred_at": at(9),
}  # fmt: skip
LISTED = mappings({}, {"system": "erp", "listing_key": "E1"})


def _missed(inputs: FindingInputs) -> list[str]:
    told = seen(inputs, LATE, "r1", "GBP").filter(pl.col("code") == "missed_event")
    return [name for row in told.iter_rows(named=True) for name in evidence(row)["orders"]]


def test_an_order_of_which_no_webhook_spoke_is_told_once_the_platform_has_given_up() -> None:
    inputs = FindingInputs(orders=orders({}, {"order_id": "o2", "listing_key": "L2"}), systems=systems({}),
                           deliveries=deliveries({"order_ids": ["o2"], "received_at": at(7)}, {}))  # fmt: skip
    assert _missed(inputs) == ["o1"]
    assert found(inputs).is_empty()


def test_a_webhook_about_the_listing_of_an_order_speaks_of_it_too() -> None:
    inputs = FindingInputs(
        orders=orders({}), systems=systems({}), deliveries=deliveries({}, {"listing_keys": ["L1"], "received_at": at(8)})
    )
    assert _missed(inputs) == []


def test_nothing_is_missed_where_no_webhook_ever_came_or_before_the_first_one() -> None:
    assert _missed(FindingInputs(orders=orders({}), systems=systems({}))) == []
    assert _missed(FindingInputs(orders=orders({}), systems=systems({}), deliveries=deliveries({"received_at": at(20)}))) == []


def test_a_shipment_that_the_owner_booked_twice_is_told_of_its_shelf() -> None:
    booked = movements({**BOOKED, "movement_id": "m1"}, {**BOOKED, "movement_id": "m2"})
    row = one(FindingInputs(movements=booked, mappings=LISTED), "duplicate_event")
    assert (row["system"], row["sku"], row["location"], row["units"]) == ("erp", "MUG-RED", "soho", 2)
    assert evidence(row)["movements"] == ["m1", "m2"]
    assert row["suggested_action"].startswith("Take the second booking out of the books of erp")


def test_a_shipment_that_was_booked_in_parts_or_taken_back_is_booked_once() -> None:
    shipped = {"movement_id": "o1/1/f1", "units": -4, "order_id": "o1"}
    parts = movements(shipped, {**BOOKED, "movement_id": "m1"}, {**BOOKED, "movement_id": "m2"})
    back = movements(*({**BOOKED, "movement_id": f"m{n}", "units": units} for n, units in enumerate((-2, 2))))
    assert found(FindingInputs(movements=parts, mappings=LISTED)).is_empty()
    assert found(FindingInputs(movements=back, mappings=LISTED)).is_empty()
