"""Bulk queries: their life, their file, and what they refuse."""

import json
from typing import Any

import pytest

from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline_tests.sandbox.shopify.shopkit import BASE, Shop, new_shop

RUN = """mutation($q: String!, $g: Boolean = false) { bulkOperationRunQuery(query: $q, groupObjects: $g) {
  bulkOperation { id status url } userErrors { field message code } } }"""
LOOK = "query($i: ID!) { bulkOperation(id: $i) { status url objectCount rootObjectCount fileSize completedAt errorCode } }"
LEVELS = """{ inventoryItems { edges { node { id sku inventoryLevels { edges { node { id location { id }
  quantities(names: ["available"]) { name quantity } } } } } } } }"""


def _run(shop: Shop, query: str, group: bool = False) -> str:
    answer = shop.ask(RUN, q=query, g=group)["bulkOperationRunQuery"]
    assert answer["userErrors"] == []
    assert answer["bulkOperation"]["status"] == "CREATED"
    return str(answer["bulkOperation"]["id"])


def _file(shop: Shop, operation: str) -> list[dict[str, Any]]:
    shop.clock.pass_s(60)
    done = shop.ask(LOOK, i=operation)["bulkOperation"]
    assert done["status"] == "COMPLETED"
    text = shop.call("GET", done["url"].removeprefix(BASE)).text
    rows = [json.loads(line) for line in text.splitlines()]
    assert done["objectCount"] == str(len(rows))
    return rows


def test_a_bulk_query_runs_for_a_while_and_then_has_a_file_of_all_rows() -> None:
    shop = new_shop(items=300)
    operation = _run(shop, LEVELS)
    shop.clock.pass_s(0.5)
    assert shop.ask(LOOK, i=operation)["bulkOperation"]["status"] == "RUNNING"
    rows = _file(shop, operation)
    items = {row["id"] for row in rows if "sku" in row}
    levels = [row for row in rows if "__parentId" in row]
    assert (len(items), len(levels)) == (300, 600)
    assert {row["__parentId"] for row in levels} == items
    assert levels[0]["quantities"] == [{"name": "available", "quantity": 10}]


def test_children_follow_their_parents_only_when_grouped() -> None:
    shop = new_shop(items=2)
    apart = ["__parentId" in row for row in _file(shop, _run(shop, LEVELS))]
    together = ["__parentId" in row for row in _file(shop, _run(shop, LEVELS, group=True))]
    assert apart == [False, False, True, True, True, True]
    assert together == [False, True, True, False, True, True]


def test_orders_with_their_lines_come_by_bulk_without_a_page_size() -> None:
    shop = new_shop()
    for _ in range(60):
        shop.account.order([Line(shop.items[0], 1), Line(shop.items[1], 1)], shop.locations[0])
    query = """{ orders { edges { node { id fulfillmentOrders { edges { node { id lineItems { edges { node { id } } } } } }
        lineItems { edges { node { id sku } } } } } } }"""
    rows = _file(shop, _run(shop, query))
    assert sum("__parentId" not in row for row in rows) == 60
    assert len(rows) == 60 + 120 + 60 + 120


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ shop { id } }", "at least one connection"),
        ("{ orders { edges { node { id refunds { id refundLineItems { edges { node { id } } } } } } } }", "within a list field"),
        ("{ nothing { id } }", "nothing"),
        ("{ orders {", "Syntax Error"),
        (
            "{ products { edges { node { id variants { edges { node { id inventoryItem { inventoryLevels { edges { node { id "
            "item { variants { edges { node { id } } } } } } } } } } } } } } }",
            "nesting depth",
        ),
    ],
)
def test_what_bulk_cannot_do_is_refused_at_once(query: str, message: str) -> None:
    answer = new_shop().ask(RUN, q=query)["bulkOperationRunQuery"]
    assert answer["bulkOperation"] is None
    assert answer["userErrors"][0]["code"] == "INVALID"
    assert message in answer["userErrors"][0]["message"]


def test_a_sixth_operation_waits_for_one_of_five_to_end() -> None:
    shop = new_shop()
    for _ in range(5):
        _run(shop, LEVELS)
    answer = shop.ask(RUN, q=LEVELS)["bulkOperationRunQuery"]
    assert answer["userErrors"][0]["code"] == "OPERATION_IN_PROGRESS"
    shop.clock.pass_s(60)
    _run(shop, LEVELS)


def test_a_query_that_finds_nothing_has_no_file() -> None:
    shop = new_shop()
    operation = _run(shop, "{ orders { edges { node { id } } } }")
    shop.clock.pass_s(60)
    done = shop.ask(LOOK, i=operation)["bulkOperation"]
    assert (done["status"], done["url"], done["objectCount"]) == ("COMPLETED", None, "0")


def test_a_cancelled_operation_never_completes() -> None:
    shop = new_shop()
    operation = _run(shop, LEVELS)
    cancel = "mutation($i: ID!) { bulkOperationCancel(id: $i) { bulkOperation { status } userErrors { message } } }"
    assert shop.ask(cancel, i=operation)["bulkOperationCancel"]["bulkOperation"]["status"] == "CANCELED"
    shop.clock.pass_s(60)
    assert shop.ask(LOOK, i=operation)["bulkOperation"]["status"] == "CANCELED"


def test_a_finished_operation_is_announced_once() -> None:
    shop = new_shop()
    shop.subscribe("BULK_OPERATIONS_FINISH")
    operation = _run(shop, LEVELS)
    shop.account.tick()
    assert shop.delivered == []
    shop.clock.pass_s(60)
    shop.account.tick()
    shop.account.tick()
    assert [json.loads(body)["admin_graphql_api_id"] for _, _, body in shop.delivered] == [operation]


def test_a_file_needs_its_own_address() -> None:
    assert new_shop().call("GET", "/bulk/1/guess.jsonl").status_code == 404
