"""What people do with orders, and what it does to the numbers."""

import pytest

from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline_tests.sandbox.shopify.shopkit import new_shop

ORDER = """query($id: ID!) { order(id: $id) { name cancelledAt edited displayFinancialStatus displayFulfillmentStatus
  sourceName retailLocation { id }
  lineItems(first: 9) { nodes { id quantity currentQuantity unfulfilledQuantity } }
  fulfillmentOrders(first: 9) { nodes { status assignedLocation { location { name } }
    lineItems(first: 9) { nodes { totalQuantity remainingQuantity } } } }
  fulfillments(first: 9) { location { name } fulfillmentLineItems(first: 9) { nodes { quantity } } }
  refunds(first: 9) { refundLineItems(first: 9) { nodes { quantity restockType location { name } } } }
  agreements(first: 9) { nodes { reason happenedAt sales(first: 9) { nodes { quantity actionType } } } } } }"""


def _gid(order: str) -> str:
    return f"gid://shopify/Order/{order}"


def test_an_online_order_commits_units_and_shipping_them_takes_them_off_the_shelf() -> None:
    shop = new_shop()
    order = shop.account.order([Line(shop.items[0], 3)], shop.locations[0])
    assert shop.states() == {"available": 7, "committed": 3, "on_hand": 10}
    shop.account.fulfil(order, {shop.items[0]: 1})
    assert shop.states() == {"available": 7, "committed": 2, "on_hand": 9}
    shop.account.fulfil(order)
    assert shop.states() == {"available": 7, "committed": 0, "on_hand": 7}
    shown = shop.ask(ORDER, id=_gid(order))["order"]
    assert [f["fulfillmentLineItems"]["nodes"][0]["quantity"] for f in shown["fulfillments"]] == [1, 2]
    assert shown["displayFulfillmentStatus"] == "FULFILLED"


def test_a_sale_over_the_counter_is_sold_and_handed_over_at_once() -> None:
    shop = new_shop()
    order = shop.account.order([Line(shop.items[0], 2)], shop.locations[1], pos=True)
    assert shop.states(location=1) == {"available": 8, "committed": 0, "on_hand": 8}
    shown = shop.ask(ORDER, id=_gid(order))["order"]
    assert shown["sourceName"] == "pos"
    assert shown["retailLocation"]["id"].endswith(shop.locations[1])
    assert shown["fulfillments"][0]["location"]["name"] == "Soho"
    assert shown["lineItems"]["nodes"][0]["unfulfilledQuantity"] == 0


def test_a_cancelled_order_gives_its_units_back_and_a_refund_says_so() -> None:
    shop = new_shop()
    order = shop.account.order([Line(shop.items[0], 3)], shop.locations[0], paid=False)
    shop.account.cancel(order)
    assert shop.states() == {"available": 10, "committed": 0, "on_hand": 10}
    shown = shop.ask(ORDER, id=_gid(order))["order"]
    assert shown["cancelledAt"] == "2026-09-01T09:00:00Z"
    assert shown["displayFinancialStatus"] == "VOIDED"
    line = shown["refunds"][0]["refundLineItems"]["nodes"][0]
    assert (line["quantity"], line["restockType"], line["location"]["name"]) == (3, "CANCEL", "Warehouse")
    assert shown["lineItems"]["nodes"][0] | {"id": ""} == {
        "id": "",
        "quantity": 3,
        "currentQuantity": 0,
        "unfulfilledQuantity": 0,
    }


def test_cancelling_the_rest_of_a_partly_shipped_order_does_not_cancel_the_order() -> None:
    shop = new_shop()
    order = shop.account.order([Line(shop.items[0], 3)], shop.locations[0])
    shop.account.fulfil(order, {shop.items[0]: 1})
    shop.account.cancel(order)
    shown = shop.ask(ORDER, id=_gid(order))["order"]
    assert shown["cancelledAt"] is None
    assert shop.states() == {"available": 9, "committed": 0, "on_hand": 9}


def test_a_cancel_without_restock_leaves_the_units_unsellable() -> None:
    shop = new_shop()
    order = shop.account.order([Line(shop.items[0], 3)], shop.locations[0])
    shop.account.cancel(order, restock=False)
    assert shop.states() == {"available": 7, "committed": 0, "on_hand": 7}


@pytest.mark.parametrize(("restocked", "states"), [(True, (11, 11)), (False, (10, 10))])
def test_a_refund_moves_stock_only_where_the_goods_come_back(restocked: bool, states: tuple[int, int]) -> None:
    shop = new_shop()
    order = shop.account.order([Line(shop.items[0], 2)], shop.locations[0])
    shop.account.fulfil(order)
    shop.account.refund(order, shop.items[0], 1, shop.locations[1] if restocked else None)
    there = shop.states(location=1)
    assert (there["available"], there["on_hand"]) == states
    line = shop.ask(ORDER, id=_gid(order))["order"]["refunds"][0]["refundLineItems"]["nodes"][0]
    assert line["restockType"] == ("RETURN" if restocked else "NO_RESTOCK")


def test_an_edit_down_frees_units_and_an_edit_up_is_a_new_line() -> None:
    shop = new_shop()
    order = shop.account.order([Line(shop.items[0], 3)], shop.locations[0])
    shop.clock.pass_s(60)
    shop.account.edit(order, shop.items[0], 1)
    assert shop.states() == {"available": 9, "committed": 1, "on_hand": 10}
    shop.clock.pass_s(60)
    shop.account.edit(order, shop.items[0], 5)
    assert shop.states() == {"available": 5, "committed": 5, "on_hand": 10}
    shown = shop.ask(ORDER, id=_gid(order))["order"]
    assert [line["currentQuantity"] for line in shown["lineItems"]["nodes"]] == [1, 4]
    assert [(a["reason"], a["sales"]["nodes"][0]["quantity"]) for a in shown["agreements"]["nodes"]] == [
        ("ORDER", 3),
        ("ORDER_EDIT", -2),
        ("ORDER_EDIT", 4),
    ]
    assert shown["agreements"]["nodes"][2]["happenedAt"] == "2026-09-01T09:02:00Z"


def test_shipping_from_another_location_moves_the_commitment_there() -> None:
    shop = new_shop()
    order = shop.account.order([Line(shop.items[0], 4)], shop.locations[0])
    shop.account.fulfil(order, {shop.items[0]: 1}, shop.locations[1])
    assert shop.states(location=0) == {"available": 7, "committed": 3, "on_hand": 10}
    assert shop.states(location=1) == {"available": 9, "committed": 0, "on_hand": 9}
    orders = shop.ask(ORDER, id=_gid(order))["order"]["fulfillmentOrders"]["nodes"]
    assert [(o["assignedLocation"]["location"]["name"], o["status"]) for o in orders] == [
        ("Warehouse", "OPEN"),
        ("Soho", "CLOSED"),
    ]


def test_an_order_without_a_location_is_assigned_where_the_units_are() -> None:
    shop = new_shop(stock=2)
    shop.account.stock(shop.items[0], shop.locations[1], 50)
    shop.account.order([Line(shop.items[0], 5)])
    assert shop.account.number(shop.items[0], shop.locations[1]) == 45


def test_available_may_become_negative() -> None:
    shop = new_shop(stock=1)
    shop.account.order([Line(shop.items[0], 3)], shop.locations[0])
    assert shop.account.number(shop.items[0], shop.locations[0]) == -2


def test_a_count_enters_what_lies_there_with_the_committed_units() -> None:
    shop = new_shop()
    shop.account.order([Line(shop.items[0], 3)], shop.locations[0])
    shop.account.count(shop.items[0], shop.locations[0], 8)
    assert shop.states() == {"available": 5, "committed": 3, "on_hand": 8}


def test_the_same_seed_gives_the_same_shop_and_another_seed_other_ids() -> None:
    assert new_shop(seed=4).items == new_shop(seed=4).items
    assert not set(new_shop(seed=4).items) & set(new_shop(seed=5).items)


def test_a_status_belongs_to_the_one_listing_it_was_set_on() -> None:
    shop = new_shop()
    shop.account.set_status(shop.items[0], "inactive")
    query = "{ productVariants(first: 9) { nodes { sku product { status } } } }"
    rows = shop.ask(query)["productVariants"]["nodes"]
    assert {row["sku"]: row["product"]["status"] for row in rows} == {"TEE-0": "DRAFT", "TEE-1": "ACTIVE", "TEE-2": "ACTIVE"}


def test_a_deleted_listing_is_gone_by_id_and_from_lists() -> None:
    shop = new_shop()
    shop.account.set_status(shop.items[0], "deleted")
    item = f"gid://shopify/InventoryItem/{shop.items[0]}"
    data = shop.ask("query($i: ID!) { inventoryItem(id: $i) { id } inventoryItems(first: 9) { nodes { sku } } }", i=item)
    assert data["inventoryItem"] is None
    assert [row["sku"] for row in data["inventoryItems"]["nodes"]] == ["TEE-1", "TEE-2"]
