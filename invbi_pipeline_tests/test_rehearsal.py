"""What tests are told of a rehearsal: which request a platform would carry out a second time."""

import json
from collections.abc import Callable

import httpx
import pytest

from invbi_pipeline_tests.rehearsal import refused, repeated


def _posted(key: str, reference: str = "shopify/order-1") -> httpx.Request:
    row = {"catalog_object_id": "LAMP", "location_id": "SOHO", "quantity": "1", "reference_id": reference}
    body = {"idempotency_key": key, "changes": [{"type": "ADJUSTMENT", "adjustment": row}]}
    return httpx.Request("POST", "http://door/till/v2/inventory/changes/batch-create", content=json.dumps(body).encode())


def _set(key: str, quantity: int) -> httpx.Request:
    row = {"inventoryItemId": "LAMP", "locationId": "SOHO", "quantity": quantity, "changeFromQuantity": 5}
    body = {"query": "mutation { inventorySetQuantities }", "variables": {"input": {"quantities": [row]}, "key": key}}
    return httpx.Request("POST", "http://door/shop/graphql.json", content=json.dumps(body).encode())


@pytest.mark.parametrize("sent", [_posted, lambda key: _set(key, 4)], ids=["post", "set"])
def test_a_request_sent_again_under_its_key_is_one_and_under_another_key_two(sent: Callable[[str], httpx.Request]) -> None:
    assert repeated([sent("k1"), sent("k1")]) == []
    assert len(repeated([sent("k1"), sent("k2")])) == 1


def test_another_movement_and_another_number_are_no_repetition() -> None:
    assert repeated([_posted("k1"), _posted("k2", "shopify/order-2")]) == []
    assert repeated([_set("k1", 4), _set("k2", 3), _set("k3", 4)]) == []


def test_a_batch_that_shopify_refused_did_nothing() -> None:
    stale = b'{"data":{"set":{"group":null,"userErrors":[{"code":"CHANGE_FROM_QUANTITY_STALE"}]}}}'
    assert refused(stale)
    assert not refused(b'{"data":{"set":{"group":{"id":"1"},"userErrors":[]}}}')
    assert not refused(stale[:-20]), "an answer that was cut short may be one of a batch that was carried out"
