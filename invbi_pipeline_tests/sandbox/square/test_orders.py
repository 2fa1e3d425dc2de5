import json

from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline_tests.sandbox.square.till import Till


def test_a_till_order_is_completed_at_once(till: Till) -> None:
    order_id = till.sell(2)
    (order,) = till.orders()
    assert (order["id"], order["state"], order["closed_at"]) == (order_id, "COMPLETED", order["updated_at"])
    assert order["line_items"][0]["quantity"] == "2"


def test_an_order_to_be_shipped_lowers_the_count_when_it_is_shipped(till: Till) -> None:
    order_id = till.account.order([Line(till.small, 3)], till.soho)
    assert till.count(till.small, till.soho) == "10"
    till.clock.pass_s(60)
    till.account.fulfil(order_id, {till.small: 2})
    assert till.count(till.small, till.soho) == "8"
    assert till.orders()[0]["state"] == "OPEN"
    till.account.fulfil(order_id)
    assert till.count(till.small, till.soho) == "7"
    assert till.orders()[0]["state"] == "COMPLETED"


def test_an_edited_order_ships_its_new_quantity_and_a_cancelled_one_nothing(till: Till) -> None:
    edited = till.account.order([Line(till.small, 3)], till.soho)
    till.account.edit(edited, till.small, 1)
    till.account.fulfil(edited)
    cancelled = till.account.order([Line(till.small, 3)], till.soho)
    till.account.cancel(cancelled)
    assert till.count(till.small, till.soho) == "9"
    assert {order["id"]: order["state"] for order in till.orders()} == {edited: "COMPLETED", cancelled: "CANCELED"}


def test_a_return_is_an_order_of_its_own_and_its_restock_carries_the_refund(till: Till) -> None:
    order_id = till.sell(2)
    line_uid = till.orders()[0]["line_items"][0]["uid"]
    till.clock.pass_s(60)
    refund_id = till.account.refund(order_id, till.small, 1, till.soho)
    given = till.orders()[-1]
    assert given["returns"][0]["source_order_id"] == order_id
    assert given["returns"][0]["return_line_items"][0]["source_line_item_uid"] == line_uid
    assert given["refunds"][0]["id"] == refund_id
    assert till.changes()[-1]["adjustment"]["refund_id"] == refund_id
    assert till.count(till.small, till.soho) == "9"


def test_a_return_without_restock_moves_no_stock(till: Till) -> None:
    till.account.refund(till.sell(2), till.small, 2, None)
    assert till.count(till.small, till.soho) == "8"


def test_a_time_filter_needs_the_field_it_sorts_by(till: Till) -> None:
    window = {"start_at": "2026-09-01T00:00:00Z"}
    query = {"filter": {"date_time_filter": {"updated_at": window}}, "sort": {"sort_field": "CREATED_AT"}}
    answer = till.post("/orders/search", {"location_ids": [till.soho], "query": query})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "query.sort.sort_field")


def test_a_search_names_one_to_ten_locations(till: Till) -> None:
    none = till.post("/orders/search", {"query": {}})
    assert none.json()["errors"][0]["code"] == "MISSING_REQUIRED_PARAMETER"
    many = till.post("/orders/search", {"location_ids": [till.soho] * 11})
    assert many.json()["errors"][0]["code"] == "ARRAY_LENGTH_TOO_LONG"


def test_a_time_range_holds_both_its_ends(till: Till) -> None:
    till.sell()
    (order,) = till.orders()
    assert len(till.orders(start_at=order["updated_at"], end_at=order["updated_at"])) == 1


def test_a_search_is_paged_and_entries_are_thin(till: Till) -> None:
    made = {till.sell() for _ in range(3)}
    body = {"location_ids": [till.soho], "limit": 2, "return_entries": True}
    first = till.post("/orders/search", body).json()
    second = till.post("/orders/search", {**body, "cursor": first["cursor"]}).json()
    assert {entry["order_id"] for entry in first["order_entries"] + second["order_entries"]} == made
    assert "cursor" not in second


def test_a_late_order_and_its_adjustment_become_readable_after_the_lag_with_their_old_times(till: Till) -> None:
    till.account.wire.order_lag_s = 120
    order_id = till.sell()
    happened = till.clock.now()
    assert till.orders() == []
    assert till.changes() == []
    assert till.count(till.small, till.soho) == "9"  # the number knows before the feed
    till.clock.pass_s(120)
    (order,) = till.orders()
    assert (order["id"], order["updated_at"][:19]) == (order_id, happened.isoformat()[:19])
    assert till.changes()[0]["adjustment"]["created_at"] == order["updated_at"]


def test_orders_are_fetched_by_id_and_unknown_ids_left_out(till: Till) -> None:
    order_id = till.sell()
    answer = till.post("/orders/batch-retrieve", {"order_ids": [order_id, "NOWHERE"]})
    assert [order["id"] for order in answer.json()["orders"]] == [order_id]


def test_orders_hold_a_buyers_fields_and_the_stock_never_does(till: Till) -> None:
    till.account.order([Line(till.small, 1)], till.soho)
    assert "Private Person 1" in json.dumps(till.orders())
    assert "rivate" not in json.dumps([till.changes(), till.counts()])


def test_what_an_order_moved_is_named_by_the_changes_that_the_feed_shows(till: Till) -> None:
    order_id = till.sell(3)
    till.clock.pass_s(60)
    till.account.refund(order_id, till.small, 1, till.soho)
    moved = till.account.moved(order_id)
    assert [(each.location_key, each.units) for each in moved] == [(till.soho, -3), (till.soho, 1)]
    assert [each.movement_id for each in moved] == [change["adjustment"]["id"] for change in till.changes()]
