from datetime import timedelta

import pytest

from invbi_pipeline_tests.sandbox.square.till import Till


def test_a_variation_that_was_never_counted_is_absent_not_zero(till: Till) -> None:
    assert {row["quantity"] for row in till.counts()} == {"10", "5"}
    assert till.count(till.large, till.soho) is None
    assert till.account.number(till.large, till.soho) is None


def test_a_till_sale_lowers_the_count_and_leaves_an_adjustment_with_its_order(till: Till) -> None:
    order = till.sell(3)
    assert till.count(till.small, till.soho) == "7"
    (change,) = till.changes()
    assert change["adjustment"]["transaction_id"] == order
    assert (change["adjustment"]["from_state"], change["adjustment"]["to_state"]) == ("IN_STOCK", "SOLD")


def test_counts_come_newest_first_and_updated_after_is_exclusive(till: Till) -> None:
    till.clock.pass_s(10)
    till.sell()
    rows = till.counts()
    assert [row["location_id"] for row in rows] == [till.soho, till.leeds]
    assert till.counts(updated_after=rows[0]["calculated_at"]) == []
    assert till.counts(updated_after=rows[1]["calculated_at"]) == rows[:1]


def test_a_count_stamped_before_a_later_sale_does_not_wipe_that_sale(till: Till) -> None:
    measured = till.clock.now()
    till.clock.pass_s(30)
    till.sell(2)
    till.clock.pass_s(30)
    till.set_count(12, at=measured)
    assert till.count(till.small, till.soho) == "10"


def test_a_count_stamped_after_a_sale_wipes_it(till: Till) -> None:
    till.sell(2)
    till.clock.pass_s(1)
    till.set_count(12)
    assert till.count(till.small, till.soho) == "12"


def test_a_sale_that_occurred_before_a_count_and_arrives_after_it_changes_nothing(till: Till) -> None:
    earlier = till.clock.now() - timedelta(minutes=5)
    till.account.count(till.small, till.soho, 9)
    adjustment = {"from_state": "IN_STOCK", "to_state": "SOLD", "quantity": "1", "occurred_at": earlier.isoformat()}
    adjustment |= {"catalog_object_id": till.small, "location_id": till.soho, "reference_id": "web/1"}
    body = {"idempotency_key": "late", "changes": [{"type": "ADJUSTMENT", "adjustment": adjustment}]}
    assert till.post("/inventory/changes/batch-create", body).json()["counts"][0]["quantity"] == "9"
    assert [c.get("adjustment", {}).get("reference_id") for c in till.changes()] == ["web/1", None]  # by occurred_at


@pytest.mark.parametrize("minutes", [-24 * 60 - 1, 1])
def test_occurred_at_must_lie_within_the_last_day_and_not_in_the_future(till: Till, minutes: int) -> None:
    answer = till.set_count(3, at=till.clock.now() + timedelta(minutes=minutes))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "INVALID_TIME")
    assert till.count(till.small, till.soho) == "10"


def test_the_same_key_with_the_same_body_gives_the_first_answer_and_moves_nothing(till: Till) -> None:
    adjustment = {"from_state": "IN_STOCK", "to_state": "SOLD", "quantity": "2", "occurred_at": till.clock.now().isoformat()}
    adjustment |= {"catalog_object_id": till.small, "location_id": till.soho}
    body = {"idempotency_key": "k", "changes": [{"type": "ADJUSTMENT", "adjustment": adjustment}]}
    first = till.post("/inventory/changes/batch-create", body)
    assert till.post("/inventory/changes/batch-create", body).json() == first.json()
    assert till.count(till.small, till.soho) == "8"


def test_the_same_key_with_another_body_is_refused(till: Till) -> None:
    at = till.clock.now()
    till.set_count(4, at=at)
    answer = till.set_count(6, at=at)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "IDEMPOTENCY_KEY_REUSED")
    assert till.count(till.small, till.soho) == "4"


def test_an_unchanged_count_is_ignored_unless_asked_for(till: Till) -> None:
    assert till.set_count(10, key="a").json()["changes"] == []
    assert len(till.set_count(10, key="b", ignore_unchanged_counts=False).json()["changes"]) == 1


def test_one_bad_change_fails_the_whole_call(till: Till) -> None:
    count = {"location_id": till.soho, "state": "IN_STOCK", "quantity": "1", "occurred_at": till.clock.now().isoformat()}
    keys = (till.small, "NOWHERE")
    changes = [{"type": "PHYSICAL_COUNT", "physical_count": {**count, "catalog_object_id": key}} for key in keys]
    answer = till.post("/inventory/changes/batch-create", {"idempotency_key": "k", "changes": changes})
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"]) == (404, "NOT_FOUND")
    assert error["field"] == "changes[1].physical_count.catalog_object_id"
    assert till.count(till.small, till.soho) == "10"


def test_more_than_a_hundred_changes_are_refused(till: Till) -> None:
    count = {"catalog_object_id": till.small, "location_id": till.soho, "state": "IN_STOCK", "quantity": "1"}
    change = {"type": "PHYSICAL_COUNT", "physical_count": {**count, "occurred_at": till.clock.now().isoformat()}}
    answer = till.post("/inventory/changes/batch-create", {"idempotency_key": "k", "changes": [change] * 101})
    assert answer.json()["errors"][0]["code"] == "ARRAY_LENGTH_TOO_LONG"


@pytest.mark.parametrize(("quantity", "code"), [("1.5", "INVALID_VALUE"), ("-1", "INVALID_VALUE"), (3, "EXPECTED_STRING")])
def test_quantities_are_decimal_strings_of_whole_units(till: Till, quantity: object, code: str) -> None:
    count = {"catalog_object_id": till.small, "location_id": till.soho, "state": "IN_STOCK", "quantity": quantity}
    change = {"type": "PHYSICAL_COUNT", "physical_count": {**count, "occurred_at": till.clock.now().isoformat()}}
    body = {"idempotency_key": "k", "changes": [change]}
    answer = till.post("/inventory/changes/batch-create", body, judge_request=False)
    assert answer.json()["errors"][0]["code"] == code


def test_damage_moves_units_to_waste_which_is_a_count_of_its_own(till: Till) -> None:
    till.account.adjust(till.small, till.soho, -2, "damage")
    found = till.counts(location_ids=[till.soho])
    assert {row["state"]: row["quantity"] for row in found} == {"IN_STOCK": "8", "WASTE": "2"}
    assert [row["state"] for row in till.counts(location_ids=[till.soho], states=["IN_STOCK"])] == ["IN_STOCK"]


def test_each_kind_of_movement_has_its_own_states(till: Till) -> None:
    for reason, delta in (("receipt", 6), ("transfer_out", -2), ("transfer_in", 2), ("adjustment", -1)):
        till.account.adjust(till.small, till.soho, delta, reason, reference=f"ref-{reason}")
        till.clock.pass_s(1)
    moved = [c["adjustment"] for c in till.changes(types=["ADJUSTMENT"])]
    assert [(m["from_state"], m["to_state"]) for m in moved] == [
        ("NONE", "IN_STOCK"),
        ("IN_STOCK", "IN_TRANSIT"),
        ("IN_TRANSIT", "IN_STOCK"),
        ("IN_STOCK", "NONE"),
    ]
    assert "goods_receipt_id" in moved[0]
    assert till.count(till.small, till.soho) == "15"


def test_a_hand_edit_is_a_physical_count_from_the_dashboard(till: Till) -> None:
    till.account.type_over(till.small, till.soho, 99)
    (change,) = till.changes()
    assert change["type"] == "PHYSICAL_COUNT"
    assert change["physical_count"]["source"]["product"] == "DASHBOARD"


def test_pages_end_with_the_last_row_and_a_cursor_lives_five_minutes(till: Till) -> None:
    first = till.post("/inventory/counts/batch-retrieve", {"limit": 1}).json()
    more = {"limit": 1, "cursor": first["cursor"]}
    second = till.post("/inventory/counts/batch-retrieve", more).json()
    assert "cursor" not in second
    assert {row["location_id"] for row in first["counts"] + second["counts"]} == {till.soho, till.leeds}
    till.clock.pass_s(301)
    answer = till.post("/inventory/counts/batch-retrieve", more)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "INVALID_CURSOR")


def test_a_cursor_belongs_to_its_query(till: Till) -> None:
    first = till.post("/inventory/counts/batch-retrieve", {"limit": 1}).json()
    other = {"limit": 1, "cursor": first["cursor"], "location_ids": [till.soho]}
    assert till.post("/inventory/counts/batch-retrieve", other).json()["errors"][0]["code"] == "INVALID_CURSOR"


def test_a_limit_beyond_a_thousand_and_an_unknown_field_are_refused(till: Till) -> None:
    too_many = till.post("/inventory/counts/batch-retrieve", {"limit": 1001}, judge_request=False)
    assert too_many.json()["errors"][0]["code"] == "VALUE_TOO_HIGH"
    unknown = till.post("/inventory/counts/batch-retrieve", {"colour": "red"}, judge_request=False)
    assert unknown.json()["errors"][0]["field"] == "colour"
