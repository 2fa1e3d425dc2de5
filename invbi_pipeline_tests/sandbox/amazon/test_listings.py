import pytest

from invbi_pipeline.sandbox.contract import ItemSpec
from invbi_pipeline_tests.sandbox.amazon.seller import Seller


def test_a_merchants_listing_states_its_number_and_one_in_amazons_hands_does_not(seller: Seller) -> None:
    assert seller.listing(seller.mug)["fulfillmentAvailability"] == [{"fulfillmentChannelCode": "DEFAULT", "quantity": 10}]
    assert seller.listing(seller.lamp)["fulfillmentAvailability"] == [{"fulfillmentChannelCode": "AMAZON_EU"}]
    assert seller.account.number(seller.lamp, "AMAZON_EU") == 7


def test_the_number_falls_with_a_pending_order_rises_when_it_is_cancelled_and_never_on_a_return(seller: Seller) -> None:
    first = seller.buy(seller.mug, 3, paid=False)
    assert seller.quantity(seller.mug) == 7
    seller.account.cancel(first)
    second = seller.buy(seller.mug, 2)
    seller.account.fulfil(second)
    seller.account.refund(second, seller.mug, 2, "")
    assert seller.quantity(seller.mug) == 8


def test_a_patch_is_accepted_first_and_applied_after_the_visibility_lag(seller: Seller) -> None:
    seller.account.wire.visibility_lag_s = 120
    assert seller.patch(seller.mug, 6)["status"] == "ACCEPTED"
    assert (seller.quantity(seller.mug), seller.account.number(seller.mug, "")) == (10, 6)
    seller.clock.pass_s(120)
    assert seller.quantity(seller.mug) == 6


def test_a_quantity_that_is_applied_late_overwrites_what_was_sold_meanwhile(seller: Seller) -> None:
    seller.account.wire.visibility_lag_s = 120
    seller.patch(seller.mug, 6)
    seller.buy(seller.mug, 2)
    assert seller.quantity(seller.mug) == 8
    seller.clock.pass_s(120)
    assert seller.quantity(seller.mug) == 6


def test_a_preview_judges_and_applies_nothing(seller: Seller) -> None:
    assert seller.patch(seller.mug, 6, mode="VALIDATION_PREVIEW")["status"] == "VALID"
    assert seller.quantity(seller.mug) == 10
    invalid = seller.patch(seller.mug, -6, mode="VALIDATION_PREVIEW")
    assert (invalid["status"], invalid["issues"][0]["severity"]) == ("INVALID", "ERROR")


def test_merge_keeps_the_handling_time_and_replace_loses_it(seller: Seller) -> None:
    seller.patch(seller.mug, 6)
    (stock,) = seller.listing(seller.mug)["attributes"]["fulfillment_availability"]
    assert stock["lead_time_to_ship_max_days"] == 2
    seller.patch(seller.mug, 5, op="replace")
    (stock,) = seller.listing(seller.mug)["attributes"]["fulfillment_availability"]
    assert "lead_time_to_ship_max_days" not in stock
    assert [sku for sku, _ in seller.account.lead_time_resets] == [seller.mug]


def test_writing_a_quantity_to_a_listing_in_amazons_hands_converts_it(seller: Seller) -> None:
    seller.patch(seller.lamp, 3)
    assert seller.listing(seller.lamp)["fulfillmentAvailability"] == [{"fulfillmentChannelCode": "DEFAULT", "quantity": 3}]
    assert [sku for sku, _ in seller.account.conversions] == [seller.lamp]
    assert seller.stock()["payload"]["inventorySummaries"][0]["sellerSku"] == seller.lamp  # stranded, still there


@pytest.mark.parametrize("quantity", [-1, 2.5, "3", True])
def test_a_quantity_is_a_whole_number_that_is_not_negative(seller: Seller, quantity: object) -> None:
    assert seller.patch(seller.mug, quantity)["status"] == "INVALID"
    assert seller.quantity(seller.mug) == 10


def test_an_unknown_or_closed_listing_takes_no_quantity(seller: Seller) -> None:
    assert seller.patch("NOWHERE", 1)["issues"][0]["code"] == "13013"
    seller.account.set_status(seller.cup, "inactive")
    assert seller.patch(seller.cup, 1)["status"] == "INVALID"
    assert seller.listing(seller.cup)["summaries"][0]["status"] == []


def test_a_deleted_listing_is_not_found(seller: Seller) -> None:
    seller.account.set_status(seller.cup, "deleted")
    assert seller.listing(seller.cup)["errors"][0]["code"] == "NotFound"
    assert seller.search()["numberOfResults"] == 2


def test_frozen_swallowed_and_rejected_writes(seller: Seller) -> None:
    wire = seller.account.wire
    wire.frozen.add(seller.mug)
    before = seller.listing(seller.mug)
    assert seller.patch(seller.mug, 1)["status"] == "ACCEPTED"
    seller.buy(seller.mug)
    assert seller.listing(seller.mug) == before
    wire.swallow_writes.add(seller.cup)
    assert seller.patch(seller.cup, 1)["status"] == "ACCEPTED"
    assert seller.quantity(seller.cup) == 4
    wire.reject_writes.add(seller.cup)
    assert seller.patch(seller.cup, 1)["status"] == "INVALID"


def test_a_search_is_paged_and_finds_by_sku_and_by_the_time_of_the_last_change(seller: Seller) -> None:
    first = seller.search(pageSize="2")
    second = seller.search(pageSize="2", pageToken=first["pagination"]["nextToken"])
    assert (first["numberOfResults"], len(first["items"]), len(second["items"])) == (3, 2, 1)
    assert "pagination" not in second
    assert [x["sku"] for x in seller.search(identifiers=seller.cup, identifiersType="SKU")["items"]] == [seller.cup]
    seller.clock.pass_s(10)
    now = seller.clock.now().isoformat()
    seller.buy(seller.cup)
    assert [x["sku"] for x in seller.search(lastUpdatedAfter=now)["items"]] == [seller.cup]


def test_a_search_goes_no_deeper_than_a_thousand_listings(seller: Seller) -> None:
    for index in range(1_100):
        seller.account.add_item(ItemSpec(f"S{index}", "", "Sock", "S", {}, 1.0, "GBP"))
    seller.account.wire.enforce_limits = False
    seller.asking.model = None
    page = seller.search(pageSize="20")
    seen = len(page["items"])
    while "pagination" in page:
        page = seller.search(pageSize="20", pageToken=page["pagination"]["nextToken"])
        seen += len(page["items"])
    assert (page["numberOfResults"], seen) == (1_103, 1_000)


def test_wrong_parameters_are_named(seller: Seller) -> None:
    path = "/listings/2021-08-01/items/A2SELLER"
    for params in ({}, {"marketplaceIds": "ELSEWHERE"}, {"marketplaceIds": "A1F83G8C2ARO7P", "pageSize": "21"}):
        answer = seller.get_wrongly(path, **params)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "InvalidInput")


def test_planted_reads_lie_as_they_are_told(seller: Seller) -> None:
    wire = seller.account.wire
    wire.stale_since = seller.clock.now()
    seller.clock.pass_s(5)
    seller.buy(seller.mug, 4)
    assert seller.quantity(seller.mug) == 10
    wire.stale_since = None
    wire.mass_zero = True
    assert seller.quantity(seller.mug) == 0
    wire.mass_zero = False
    wire.untracked_all = True
    assert seller.quantity(seller.mug) is None


def test_a_renamed_sku_is_a_new_listing_of_the_same_product(seller: Seller) -> None:
    asin = seller.listing(seller.cup)["summaries"][0]["asin"]
    seller.account.rename(seller.cup, sku="CUP-2B")
    assert seller.listing("CUP-2B")["summaries"][0]["asin"] == asin
    assert seller.quantity("CUP-2B") == 4
    assert "errors" in seller.listing(seller.cup)


def test_a_deleted_sku_that_is_listed_again_is_a_new_product_page(seller: Seller) -> None:
    asin = seller.listing(seller.cup)["summaries"][0]["asin"]
    seller.account.set_status(seller.cup, "deleted")
    assert seller.account.number(seller.cup, "") is None
    seller.account.add_item(ItemSpec(seller.cup, "", "Cup", "C", {}, 4.0, "GBP"))
    assert seller.listing(seller.cup)["summaries"][0]["asin"] != asin
    assert seller.quantity(seller.cup) is None
