"""Writing inventory: compare-and-set, idempotency, all or nothing, and the wire's faults."""

from typing import Any

import pytest

from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline_tests.sandbox.shopify.shopkit import Shop, item_gid, location_gid, new_shop

SET = """mutation($in: InventorySetQuantitiesInput!, $key: String!) { inventorySetQuantities(input: $in) @idempotent(key: $key) {
  inventoryAdjustmentGroup { id reason referenceDocumentUri createdAt
    changes { name delta quantityAfterChange item { id } location { id } } }
  userErrors { field message code } } }"""
ADJUST = """mutation($in: InventoryAdjustQuantitiesInput!, $key: String!) {
  inventoryAdjustQuantities(input: $in) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id changes { name delta } } userErrors { field message code } } }"""


def _row(shop: Shop, quantity: int, compare: int | None = None, item: int = 0, location: int = 0) -> dict[str, Any]:
    return {
        "inventoryItemId": item_gid(shop.items[item]),
        "locationId": location_gid(shop.locations[location]),
        "quantity": quantity,
        "changeFromQuantity": compare,
    }


def _set(shop: Shop, *rows: dict[str, Any], key: str = "k1", **changes: Any) -> Any:
    wanted = {"name": "available", "reason": "correction", "quantities": list(rows)} | changes
    return shop.ask(SET, **{"in": wanted, "key": key})["inventorySetQuantities"]


def _delta(shop: Shop, delta: int, compare: int | None = None) -> dict[str, Any]:
    row = _row(shop, 0, compare)
    del row["quantity"]
    return row | {"delta": delta}


def _codes(answer: Any) -> list[tuple[str, str]]:
    return [(error["code"], ".".join(error["field"] or [])) for error in answer["userErrors"]]


def test_a_set_whose_compare_holds_changes_available_and_on_hand() -> None:
    shop = new_shop()
    shop.account.order([Line(shop.items[0], 2)], shop.locations[0])
    answer = _set(shop, _row(shop, 5, compare=8), referenceDocumentUri="invbi://run/1")
    assert answer["userErrors"] == []
    changes = answer["inventoryAdjustmentGroup"]["changes"]
    assert [(c["name"], c["delta"], c["quantityAfterChange"]) for c in changes] == [
        ("available", -3, None),
        ("on_hand", -3, None),
    ]
    assert shop.states() == {"available": 5, "committed": 2, "on_hand": 7}


def test_a_stale_compare_changes_nothing() -> None:
    shop = new_shop()
    answer = _set(shop, _row(shop, 5, compare=9), _row(shop, 1, compare=10, item=1))
    assert _codes(answer) == [("CHANGE_FROM_QUANTITY_STALE", "input.quantities.0.changeFromQuantity")]
    assert answer["inventoryAdjustmentGroup"] is None
    assert (shop.available(0), shop.available(1)) == (10, 10)


def test_setting_on_hand_keeps_what_is_committed() -> None:
    shop = new_shop()
    shop.account.order([Line(shop.items[0], 2)], shop.locations[0])
    _set(shop, _row(shop, 20, compare=10), name="on_hand")
    assert shop.states() == {"available": 18, "committed": 2, "on_hand": 20}


def test_setting_the_same_number_is_a_no_op() -> None:
    shop = new_shop()
    assert _set(shop, _row(shop, 10))["inventoryAdjustmentGroup"]["changes"] == []


def test_the_idempotency_directive_is_mandatory_and_says_so_inside_http_200() -> None:
    shop = new_shop()
    query = SET.replace("@idempotent(key: $key)", "").replace(", $key: String!", "")
    wanted = {"name": "available", "reason": "correction", "quantities": [_row(shop, 5)]}
    answer = shop.post(query, {"in": wanted})
    assert answer.status_code == 200
    assert answer.json()["data"] == {"inventorySetQuantities": None}
    error = answer.json()["errors"][0]
    assert error["message"] == "The @idempotent directive is required for this mutation but was not provided."
    assert error["extensions"]["code"] == "BAD_REQUEST"
    assert error["path"] == ["inventorySetQuantities"]


def test_change_from_quantity_is_mandatory_though_the_schema_calls_it_optional() -> None:
    shop = new_shop()
    row = _row(shop, 5)
    del row["changeFromQuantity"]
    answer = shop.post(SET, {"in": {"name": "available", "reason": "correction", "quantities": [row]}, "key": "k"}).json()
    assert answer["errors"][0]["extensions"]["code"] == "INVALID_FIELD_ARGUMENTS"
    assert shop.available() == 10


def test_the_shape_of_older_versions_is_an_invalid_variable() -> None:
    shop = new_shop()
    row = {key: value for key, value in _row(shop, 5).items() if key != "changeFromQuantity"} | {"compareQuantity": 10}
    answer = shop.post(SET, {"in": {"name": "available", "reason": "correction", "quantities": [row]}, "key": "k"}).json()
    details = answer["errors"][0]["extensions"]
    assert details["code"] == "INVALID_VARIABLE"
    assert details["problems"] == [
        {
            "path": ["quantities", 0, "compareQuantity"],
            "explanation": "Field is not defined on InventoryQuantityInput",
        }
    ]


def test_the_same_key_and_input_get_the_earlier_answer_and_nothing_happens_again() -> None:
    shop = new_shop()
    wanted = {"name": "available", "reason": "other", "changes": [_delta(shop, -3)]}
    first = shop.ask(ADJUST, **{"in": wanted, "key": "once"})
    again = shop.ask(ADJUST, **{"in": wanted, "key": "once"})
    assert first == again
    assert shop.available() == 7


def test_the_same_key_with_another_input_is_a_mismatch() -> None:
    shop = new_shop()
    _set(shop, _row(shop, 5), key="k")
    assert _codes(_set(shop, _row(shop, 6), key="k")) == [("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "")]


def test_a_key_whose_attempt_failed_needs_a_successor() -> None:
    shop = new_shop()
    _set(shop, _row(shop, 5, compare=1), key="k")
    assert _codes(_set(shop, _row(shop, 5, compare=1), key="k")) == [("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", "")]


def test_a_key_is_forgotten_after_a_day() -> None:
    shop = new_shop()
    _set(shop, _row(shop, 5), key="k")
    shop.clock.pass_s(24 * 3600)
    assert _set(shop, _row(shop, 6), key="k")["userErrors"] == []


def test_more_than_250_entries_are_refused() -> None:
    shop = new_shop()
    wanted = {"name": "available", "reason": "correction", "quantities": [_row(shop, 5)] * 251}
    answer = shop.post(SET, {"in": wanted, "key": "k"}).json()
    assert answer["errors"][0]["extensions"]["code"] == "MAX_INPUT_SIZE_EXCEEDED"


def test_one_bad_entry_sinks_the_whole_batch_and_is_named_by_its_index() -> None:
    shop = new_shop()
    shop.account.wire.reject_writes.add(shop.items[2])
    rows = [_row(shop, 1), _row(shop, 2), _row(shop, 3, item=2), _row(shop, 4, item=1) | {"locationId": location_gid("1")}]
    assert _codes(_set(shop, *rows)) == [
        ("NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR", "input.quantities.1"),
        ("NON_MUTABLE_INVENTORY_ITEM", "input.quantities.2.inventoryItemId"),
        ("INVALID_LOCATION", "input.quantities.3.locationId"),
    ]
    assert shop.available() == 10


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"reason": "because"}, "INVALID_REASON"),
        ({"name": "committed"}, "INVALID_NAME"),
        ({"referenceDocumentUri": "no uri"}, "INVALID_REFERENCE_DOCUMENT"),
    ],
)
def test_wrong_headers_of_a_set_are_user_errors(changes: dict[str, str], code: str) -> None:
    shop = new_shop()
    assert _codes(_set(shop, _row(shop, 5), **changes))[0][0] == code


def test_an_item_that_is_not_stocked_there_must_be_activated_first() -> None:
    shop = new_shop()
    shop.account.stock(shop.items[0], shop.locations[1], None)
    assert _codes(_set(shop, _row(shop, 5, location=1)))[0][0] == "ITEM_NOT_STOCKED_AT_LOCATION"
    activate = """mutation($i: ID!, $l: ID!) { inventoryActivate(inventoryItemId: $i, locationId: $l, available: 4)
        @idempotent(key: "a") { inventoryLevel { id isActive } userErrors { field message } } }"""
    answer = shop.ask(activate, i=item_gid(shop.items[0]), l=location_gid(shop.locations[1]))
    assert answer["inventoryActivate"]["inventoryLevel"]["isActive"] is True
    assert shop.available(location=1) == 4


def test_a_negative_available_passes_and_a_negative_on_hand_does_not() -> None:
    shop = new_shop()
    assert _set(shop, _row(shop, -2), key="1")["userErrors"] == []
    assert _codes(_set(shop, _row(shop, -2), key="2", name="on_hand"))[0][0] == "INVALID_QUANTITY_NEGATIVE"


def test_an_adjustment_moves_by_its_delta_and_compares_too() -> None:
    shop = new_shop()
    wanted = {"name": "available", "reason": "other", "changes": [_delta(shop, -3, compare=10)]}
    assert shop.ask(ADJUST, **{"in": wanted, "key": "1"})["inventoryAdjustQuantities"]["userErrors"] == []
    assert shop.available() == 7
    assert (
        _codes(shop.ask(ADJUST, **{"in": wanted, "key": "2"})["inventoryAdjustQuantities"])[0][0] == "CHANGE_FROM_QUANTITY_STALE"
    )


def test_states_other_than_available_need_a_ledger_document() -> None:
    shop = new_shop()
    wanted: dict[str, Any] = {"name": "damaged", "reason": "damaged", "changes": [_delta(shop, 2)]}
    refused = shop.ask(ADJUST, **{"in": wanted, "key": "1"})["inventoryAdjustQuantities"]
    assert _codes(refused)[0][0] == "INVALID_QUANTITY_DOCUMENT"
    wanted["changes"][0]["ledgerDocumentUri"] = "invbi://damage/1"
    shop.ask(ADJUST, **{"in": wanted, "key": "2"})
    assert shop.states() == {"available": 10, "committed": 0, "on_hand": 12}


def test_an_accepted_write_becomes_readable_after_the_visibility_lag() -> None:
    shop = new_shop()
    shop.account.wire.visibility_lag_s = 60
    _set(shop, _row(shop, 5))
    assert (shop.available(), shop.account.number(shop.items[0], shop.locations[0])) == (10, 5)
    shop.account.order([Line(shop.items[0], 1)], shop.locations[0])
    assert shop.available() == 9
    shop.clock.pass_s(60)
    assert shop.available() == 4


def test_frozen_and_swallowed_writes_are_accepted_and_do_nothing() -> None:
    shop = new_shop()
    shop.account.wire.frozen.add(shop.items[0])
    shop.account.wire.swallow_writes.add(shop.items[1])
    assert _set(shop, _row(shop, 5), _row(shop, 5, item=1), key="1")["userErrors"] == []
    assert (shop.available(0), shop.available(1)) == (10, 10)
    _set(shop, _row(shop, 5), _row(shop, 5, item=1), key="2")
    assert (shop.available(0), shop.available(1)) == (10, 5)


@pytest.mark.parametrize(
    ("fault", "status", "after"),
    [
        ("500", 500, 10),
        ("429", 429, 10),
        ("200_errors", 200, 10),
        ("500_after", 500, 5),
        ("timeout_after", 504, 5),
        ("cut", 200, 5),
    ],
)
def test_planted_faults_hit_before_or_after_the_effect(fault: str, status: int, after: int) -> None:
    shop = new_shop()
    shop.account.wire.fail_next.append(fault)
    answer = shop.post(SET, {"in": {"name": "available", "reason": "correction", "quantities": [_row(shop, 5)]}, "key": "k"})
    assert answer.status_code == status
    assert shop.available() == after
