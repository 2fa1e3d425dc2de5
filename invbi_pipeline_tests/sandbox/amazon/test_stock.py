from invbi_pipeline.sandbox.contract import ItemSpec
from invbi_pipeline_tests.sandbox.amazon.seller import PLACE, Seller


def test_only_stock_in_amazons_warehouses_is_summarised(seller: Seller) -> None:
    (row,) = seller.stock()["payload"]["inventorySummaries"]
    assert (row["sellerSku"], row["totalQuantity"], row["inventoryDetails"]["fulfillableQuantity"]) == (seller.lamp, 7, 7)


def test_an_order_reserves_units_until_amazon_ships_them(seller: Seller) -> None:
    order = seller.buy(seller.lamp, 2)
    (row,) = seller.stock()["payload"]["inventorySummaries"]
    details = row["inventoryDetails"]
    assert (details["fulfillableQuantity"], details["reservedQuantity"]["pendingCustomerOrderQuantity"]) == (5, 2)
    assert row["totalQuantity"] == 7  # which is not what can be sold
    seller.account.fulfil(order)
    (row,) = seller.stock()["payload"]["inventorySummaries"]
    assert (row["totalQuantity"], row["inventoryDetails"]["reservedQuantity"]["totalReservedQuantity"]) == (5, 0)


def test_details_come_only_when_they_are_asked_for(seller: Seller) -> None:
    (row,) = seller.stock(details="false")["payload"]["inventorySummaries"]
    assert "inventoryDetails" not in row


def test_a_start_time_and_skus_narrow_the_list(seller: Seller) -> None:
    seller.account.wire.enforce_limits = False
    assert seller.stock(startDateTime=seller.clock.now().isoformat())["payload"]["inventorySummaries"] == []
    assert seller.stock(sellerSkus=seller.cup)["payload"]["inventorySummaries"] == []
    asked = {"granularityType": "Marketplace", "granularityId": PLACE, "marketplaceIds": PLACE}
    many = ",".join(f"S{index}" for index in range(51))
    answer = seller.get_wrongly("/fba/inventory/v1/summaries", sellerSkus=many, **asked)
    assert answer.json()["errors"][0]["code"] == "InvalidInput"


def test_a_next_token_dies_after_thirty_seconds(seller: Seller) -> None:
    seller.account.wire.enforce_limits = False
    for index in range(60):
        key = seller.account.add_item(ItemSpec(f"F{index}", "", "Fan", "F", {}, 5.0, "GBP", platform_fulfilled=True))
        seller.account.stock(key, "AMAZON_EU", 1)
    first = seller.stock()
    token = first["pagination"]["nextToken"]
    second = seller.stock(nextToken=token)
    assert len(first["payload"]["inventorySummaries"]) + len(second["payload"]["inventorySummaries"]) == 61
    seller.clock.pass_s(31)
    assert seller.stock(nextToken=token)["errors"][0]["code"] == "InvalidInput"


def test_a_return_to_amazon_can_be_sold_again_and_damage_cannot(seller: Seller) -> None:
    order = seller.buy(seller.lamp, 2)
    seller.account.fulfil(order)
    seller.account.refund(order, seller.lamp, 1, "AMAZON_EU")
    seller.account.adjust(seller.lamp, "AMAZON_EU", -3, "damage")
    (row,) = seller.stock()["payload"]["inventorySummaries"]
    details = row["inventoryDetails"]
    assert (details["fulfillableQuantity"], details["unfulfillableQuantity"]["totalUnfulfillableQuantity"]) == (3, 3)
