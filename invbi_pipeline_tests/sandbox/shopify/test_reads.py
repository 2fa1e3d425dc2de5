"""Reading: paging, searching, points, and what lags and faults make of it."""

from datetime import timedelta

import pytest

from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline_tests.sandbox.shopify.shopkit import SECRETS, location_gid, new_shop

ITEMS = """query($first: Int!, $after: String, $query: String) { inventoryItems(first: $first, after: $after, query: $query) {
  nodes { id sku } pageInfo { hasNextPage endCursor } } }"""
ORDERS = (
    """query($query: String) { orders(first: 50, sortKey: UPDATED_AT, query: $query) { nodes { name updatedAt cancelledAt } } }"""
)


def test_pages_follow_on_without_gap_or_repeat_even_when_an_item_goes_away() -> None:
    shop = new_shop(items=7)
    first = shop.ask(ITEMS, first=3)["inventoryItems"]
    shop.account.set_status(shop.items[2], "deleted")
    rest = shop.ask(ITEMS, first=10, after=first["pageInfo"]["endCursor"])["inventoryItems"]
    assert [row["sku"] for row in first["nodes"] + rest["nodes"]] == [f"TEE-{n}" for n in range(7)]
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)


@pytest.mark.parametrize("arguments", ["", "(first: 251)", "(first: 0)", '(first: 1, after: "nonsense")'])
def test_a_connection_needs_a_page_size_within_bounds_and_a_real_cursor(arguments: str) -> None:
    answer = new_shop().post("{ inventoryItems" + arguments + " { nodes { id } } }").json()
    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_reversed_orders_come_newest_first() -> None:
    shop = new_shop()
    for _ in range(3):
        shop.account.order([Line(shop.items[0], 1)])
        shop.clock.pass_s(60)
    query = """query($after: String) { orders(first: 2, after: $after, sortKey: UPDATED_AT, reverse: true) {
        edges { cursor node { name } } } }"""
    page = shop.ask(query)["orders"]["edges"]
    assert [edge["node"]["name"] for edge in page] == ["#1003", "#1002"]
    assert [edge["node"]["name"] for edge in shop.ask(query, after=page[-1]["cursor"])["orders"]["edges"]] == ["#1001"]


@pytest.mark.parametrize(
    ("query", "skus"),
    [
        ("sku:TEE-1", ["TEE-1"]),
        ("sku:'TEE-1' OR sku:tee-2", ["TEE-1", "TEE-2"]),
        ("sku:TEE* -sku:TEE-0", ["TEE-1", "TEE-2"]),
        ("(sku:TEE-0 OR sku:TEE-2) AND NOT sku:TEE-2", ["TEE-0"]),
        ("updated_at:>='2026-09-01T09:01:00Z'", ["TEE-1"]),
        ("TEE-2", ["TEE-2"]),
    ],
)
def test_items_can_be_searched(query: str, skus: list[str]) -> None:
    shop = new_shop()
    shop.clock.pass_s(60)
    shop.account.rename(shop.items[1], barcode="new")
    assert [row["sku"] for row in shop.ask(ITEMS, first=9, query=query)["inventoryItems"]["nodes"]] == skus


def test_an_unknown_filter_is_ignored_and_only_a_warning_says_so() -> None:
    shop = new_shop(items=1)
    query = '{ inventoryItems(first: 1) { nodes { inventoryLevels(first: 9, query: "location_id:1") { nodes { id } } } } }'
    answer = shop.post(query).json()
    assert len(answer["data"]["inventoryItems"]["nodes"][0]["inventoryLevels"]["nodes"]) == 2
    assert answer["extensions"]["search"][0]["warnings"][0]["code"] == "invalid_field"


def test_changed_levels_of_a_location_can_be_asked_for() -> None:
    shop = new_shop()
    shop.clock.pass_s(60)
    shop.account.type_over(shop.items[1], shop.locations[0], 4)
    query = """query($l: ID!) { location(id: $l) {
        inventoryLevels(first: 9, query: "updated_at:>='2026-09-01T09:01:00Z'") { nodes { item { sku } } } } }"""
    rows = shop.ask(query, l=location_gid(shop.locations[0]))["location"]["inventoryLevels"]["nodes"]
    assert [row["item"]["sku"] for row in rows] == ["TEE-1"]


def test_closed_and_cancelled_orders_are_listed_unless_a_status_is_asked_for() -> None:
    shop = new_shop()
    shop.account.fulfil(shop.account.order([Line(shop.items[0], 1)]))
    shop.account.cancel(shop.account.order([Line(shop.items[0], 1)]))
    shop.account.order([Line(shop.items[0], 1)])
    assert len(shop.ask(ORDERS)["orders"]["nodes"]) == 3
    assert [row["name"] for row in shop.ask(ORDERS, query="status:open")["orders"]["nodes"]] == ["#1003"]


def test_orders_become_readable_after_their_lag_and_their_changes_likewise() -> None:
    shop = new_shop()
    shop.account.wire.order_lag_s = 300
    order = shop.account.order([Line(shop.items[0], 1)])
    assert shop.ask(ORDERS)["orders"]["nodes"] == []
    shop.clock.pass_s(300)
    assert len(shop.ask(ORDERS)["orders"]["nodes"]) == 1
    shop.account.cancel(order)
    assert shop.ask(ORDERS)["orders"]["nodes"][0]["cancelledAt"] is None
    shop.clock.pass_s(300)
    assert shop.ask(ORDERS)["orders"]["nodes"][0]["cancelledAt"] == "2026-09-01T09:05:00Z"


def test_stale_reads_answer_with_the_numbers_of_then() -> None:
    shop = new_shop()
    shop.account.type_over(shop.items[0], shop.locations[0], 8)
    shop.account.wire.stale_since = shop.clock.now() + timedelta(seconds=30)
    shop.clock.pass_s(60)
    shop.account.order([Line(shop.items[0], 3)], shop.locations[0])
    assert shop.available() == 8
    shop.account.wire.stale_since = None
    assert shop.available() == 5


def test_faults_of_the_feed_show_in_reads_and_never_in_the_store() -> None:
    shop = new_shop(items=40)
    shop.account.wire.truncate_share = 0.5
    shop.account.wire.mass_zero = shop.account.wire.untracked_all = True
    query = """{ inventoryItems(first: 50) { nodes { tracked inventoryLevels(first: 1) { nodes {
        quantities(names: ["available"]) { quantity } } } } pageInfo { hasNextPage } } }"""
    page = shop.ask(query)["inventoryItems"]
    assert 8 < len(page["nodes"]) < 32
    assert page["pageInfo"]["hasNextPage"] is False
    assert {row["tracked"] for row in page["nodes"]} == {False}
    assert {row["inventoryLevels"]["nodes"][0]["quantities"][0]["quantity"] for row in page["nodes"]} == {0}
    assert shop.account.number(shop.items[0], shop.locations[0]) == 10


def test_every_time_the_platform_states_is_skewed() -> None:
    shop = new_shop()
    shop.account.wire.clock_skew_s = -120
    shop.account.order([Line(shop.items[0], 1)])
    answer = shop.post(ORDERS)
    assert answer.json()["data"]["orders"]["nodes"][0]["updatedAt"] == "2026-09-01T08:58:00Z"
    assert answer.headers["date"] == "Tue, 01 Sep 2026 08:58:00 GMT"


def test_points_are_taken_and_come_back_on_the_worlds_clock() -> None:
    shop = new_shop(points_max=1000, points_rate=50)
    query = "{ inventoryItems(first: 250) { nodes { id variant { id } } } }"
    cost = shop.post(query).json()["extensions"]["cost"]
    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (502, 8)
    assert cost["throttleStatus"] == {"maximumAvailable": 1000, "currentlyAvailable": 992, "restoreRate": 50}
    shop.clock.pass_s(1)
    assert shop.post(query).json()["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 992


def test_a_query_beyond_the_points_left_is_throttled_inside_http_200() -> None:
    shop = new_shop(items=250, points_max=1000, points_rate=50)
    query = "{ inventoryItems(first: 250) { nodes { id variant { id } } } }"
    shop.post(query)
    answer = shop.post(query)
    assert answer.status_code == 200
    assert answer.json()["errors"][0]["extensions"]["code"] == "THROTTLED"
    shop.clock.pass_s(1)
    assert "errors" not in shop.post(query).json()


def test_one_query_may_cost_a_thousand_points_at_most() -> None:
    answer = new_shop().post("{ inventoryItems(first: 250) { nodes { inventoryLevels(first: 3) { nodes { id } } } } }").json()
    assert answer["errors"][0]["extensions"] | {"documentation": ""} == {
        "code": "MAX_COST_EXCEEDED",
        "cost": 1502,
        "maxCost": 1000,
        "documentation": "",
    }


def test_a_wrong_token_is_refused_in_shopifys_words() -> None:
    answer = new_shop().post("{ shop { id } }", token="wrong")
    assert answer.status_code == 401
    assert answer.json() == {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}


def test_a_refusing_shop_refuses_the_right_token_too() -> None:
    shop = new_shop()
    shop.account.wire.refuse = True
    assert shop.post("{ shop { id } }").status_code == 401


@pytest.mark.parametrize("path", ["/admin/api/2019-01/graphql.json", "/admin/api/2026-07/orders.json", "/nothing"])
def test_unknown_versions_and_paths_are_not_found(path: str) -> None:
    answer = new_shop().call("POST", path, json={}, headers={"X-Shopify-Access-Token": SECRETS["token"]})
    assert (answer.status_code, answer.json()) == (404, {"errors": "Not Found"})


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ shop { nothing } }", "undefinedField"),
        ("{ inventoryItems(first: 1, colour: 2) { nodes { id } } }", "argumentNotAccepted"),
        ("{ shop { ", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
def test_a_wrong_document_gets_errors_and_no_data(query: str, code: str) -> None:
    answer = new_shop().post(query)
    assert answer.status_code == 200
    assert answer.json()["errors"][0]["extensions"]["code"] == code
    assert "data" not in answer.json()


def test_a_body_that_is_no_json_or_has_no_query_is_a_bad_request() -> None:
    for content in (b"{", b"[]", b'{"query": 1}'):
        answer = new_shop().call(
            "POST", "/admin/api/2026-07/graphql.json", content=content, headers={"X-Shopify-Access-Token": SECRETS["token"]}
        )
        assert answer.status_code == 400


def test_buyers_personal_fields_are_there_for_whoever_asks() -> None:
    shop = new_shop()
    shop.account.order([Line(shop.items[0], 1)])
    data = shop.ask("{ orders(first: 1) { nodes { email customer { displayName } shippingAddress { address1 } } } }")
    assert data["orders"]["nodes"][0]["email"].endswith("@buyers.example")


def test_products_can_be_sorted_by_their_change() -> None:
    shop = new_shop(items=6)
    shop.clock.pass_s(60)
    shop.account.rename(shop.items[0], sku="TEE-0b")
    rows = shop.ask("{ products(first: 9, sortKey: UPDATED_AT) { nodes { title updatedAt } } }")["products"]["nodes"]
    assert [row["title"] for row in rows] == ["tee1", "tee0"]
