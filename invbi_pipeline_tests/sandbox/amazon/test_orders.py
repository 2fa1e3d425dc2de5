import json
from datetime import timedelta
from typing import Any

import pytest

from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline_tests.sandbox.amazon.seller import Seller

_FULL = "FULFILLMENT,CANCELLATION,PACKAGES"


def _only(seller: Seller, included: str = _FULL) -> dict[str, Any]:
    (order,) = seller.orders(includedData=included)["orders"]
    found: dict[str, Any] = order
    return found


def _settled_status(seller: Seller) -> str:
    seller.clock.pass_s(120)
    status: str = _only(seller)["fulfillment"]["fulfillmentStatus"]
    return status


def test_an_order_is_readable_two_minutes_after_it_changed_and_the_end_is_echoed(seller: Seller) -> None:
    seller.buy(seller.mug)
    assert seller.orders()["orders"] == []
    seller.clock.pass_s(120)
    answer = seller.orders()
    assert len(answer["orders"]) == 1
    assert answer["lastUpdatedBefore"] == "2026-09-01T09:01:00Z"


def test_an_order_goes_from_pending_over_shipped_in_parts_to_shipped(seller: Seller) -> None:
    order = seller.buy(seller.mug, 3, paid=False)
    seen = [_settled_status(seller)]
    seller.account.pay(order)
    seen.append(_settled_status(seller))
    seller.account.fulfil(order, {seller.mug: 1})
    seen.append(_settled_status(seller))
    seller.account.fulfil(order)
    seen.append(_settled_status(seller))
    assert seen == ["PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED"]
    assert [package["packageItems"][0]["quantity"] for package in _only(seller)["packages"]] == [1, 2]


def test_what_is_cancelled_is_neither_fulfilled_nor_unfulfilled(seller: Seller) -> None:
    order = seller.buy(seller.mug, 5)
    seller.account.fulfil(order, {seller.mug: 2})
    seller.account.edit(order, seller.mug, 4)
    seller.account.cancel(order)
    seller.clock.pass_s(120)
    (item,) = _only(seller)["orderItems"]
    assert (item["quantityOrdered"], item["fulfillment"]["quantityFulfilled"], item["fulfillment"]["quantityUnfulfilled"]) == (
        5,
        2,
        0,
    )
    assert "cancellation" in item
    assert seller.quantity(seller.mug) == 8


def test_an_amazon_order_cannot_grow(seller: Seller) -> None:
    order = seller.buy(seller.mug, 2)
    with pytest.raises(ValueError, match="cannot grow"):
        seller.account.edit(order, seller.mug, 3)


def test_a_cancelled_order_says_so(seller: Seller) -> None:
    seller.account.cancel(seller.buy(seller.mug, 2))
    seller.clock.pass_s(120)
    assert _only(seller)["fulfillment"]["fulfillmentStatus"] == "CANCELLED"


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"lastUpdatedAfter": "2026-09-01T00:00:00Z", "createdAfter": "2026-09-01T00:00:00Z"},
        {"lastUpdatedAfter": "2026-09-01T00:00:00Z", "createdBefore": "2026-09-01T01:00:00Z"},
        {"lastUpdatedAfter": "2026-09-01T00:00:00Z", "lastUpdatedBefore": "2026-09-01T09:00:30Z"},
        {"lastUpdatedAfter": "2026-09-01T00:00:00Z", "maxResultsPerPage": "101"},
        {"lastUpdatedAfter": "yesterday"},
    ],
)
def test_a_wrong_window_is_refused(seller: Seller, params: dict[str, str]) -> None:
    answer = seller.get_wrongly("/orders/2026-01-01/orders", **params)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "InvalidInput")


def test_pages_follow_a_token_that_lives_a_day(seller: Seller) -> None:
    made = {seller.buy(seller.mug) for _ in range(3)}
    seller.clock.pass_s(120)
    first = seller.orders(maxResultsPerPage="2")
    token = first["pagination"]["nextToken"]
    seller.clock.pass_s(3_000)
    second = seller.orders(maxResultsPerPage="2", paginationToken=token)
    assert {order["orderId"] for order in first["orders"] + second["orders"]} == made
    assert second["lastUpdatedBefore"] == first["lastUpdatedBefore"]


def test_orders_are_filtered_by_who_fulfils_and_by_status(seller: Seller) -> None:
    mug, lamp = seller.buy(seller.mug), seller.buy(seller.lamp)
    seller.account.fulfil(mug)
    seller.clock.pass_s(120)
    assert [order["orderId"] for order in seller.orders(fulfilledBy="AMAZON")["orders"]] == [lamp]
    assert [order["orderId"] for order in seller.orders(fulfillmentStatuses="SHIPPED")["orders"]] == [mug]


def test_a_late_order_keeps_the_time_at_which_it_happened(seller: Seller) -> None:
    seller.account.wire.order_lag_s = 600
    order = seller.buy(seller.mug)
    happened = seller.clock.now()
    seller.clock.pass_s(300)
    assert seller.orders()["orders"] == []
    assert seller.get(f"/orders/2026-01-01/orders/{order}").status_code == 404
    seller.clock.pass_s(300)
    (found,) = seller.orders(after=happened - timedelta(seconds=1))["orders"]
    assert found["lastUpdatedTime"] == f"{happened:%Y-%m-%dT%H:%M:%SZ}"


def test_buyers_come_only_with_what_was_asked_for_but_a_gift_message_rides_on_fulfilment(seller: Seller) -> None:
    for _ in range(3):
        seller.buy(seller.mug)
    seller.clock.pass_s(120)
    assert "rivate" not in json.dumps(seller.orders(includedData="PROCEEDS,CANCELLATION,PACKAGES"))
    assert "Private Person" in json.dumps(seller.orders(includedData="BUYER"))
    assert "Private Street" in json.dumps(seller.orders(includedData="RECIPIENT"))
    assert json.dumps(seller.orders(includedData="FULFILLMENT")).count("Private wishes") == 1


def test_a_pending_order_hides_its_price(seller: Seller) -> None:
    seller.buy(seller.mug, paid=False)
    seller.clock.pass_s(120)
    assert "price" not in _only(seller)["orderItems"][0]["product"]


def test_a_mixed_order_is_not_one_order(seller: Seller) -> None:
    with pytest.raises(ValueError, match="splits"):
        seller.account.order([Line(seller.mug, 1), Line(seller.lamp, 1)])


def test_what_an_order_moved_is_named_by_its_packages(seller: Seller) -> None:
    order = seller.buy(seller.mug, 3)
    seller.account.fulfil(order, {seller.mug: 1})
    seller.account.fulfil(order)
    seller.clock.pass_s(120)
    found = _only(seller)
    item = found["orderItems"][0]["orderItemId"]
    moved = seller.account.moved(order)
    assert [each.movement_id for each in moved] == [f"{order}/{item}/{p['packageReferenceId']}" for p in found["packages"]]
    assert [each.units for each in moved] == [-1, -2]
