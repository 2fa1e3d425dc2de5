import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import pytest

from invbi_pipeline_tests.sandbox.square.till import Till

_URL = "https://shop.example/hooks/till"
_TYPES = ["inventory.count.updated", "order.created", "order.updated", "refund.created"]
Sent = list[tuple[str, Mapping[str, str], bytes]]


@pytest.fixture
def sent(till: Till) -> Sent:
    deliveries: Sent = []
    till.account.on_webhook(lambda url, headers, body: deliveries.append((url, headers, body)))
    subscription = {"name": "invbi", "event_types": _TYPES, "notification_url": _URL}
    answer = till.post("/webhooks/subscriptions", {"idempotency_key": "s", "subscription": subscription})
    assert answer.json()["subscription"]["signature_key"] == "hook"
    return deliveries


def _events(sent: Sent) -> list[dict[str, Any]]:
    return [json.loads(body) for _, _, body in sent]


def test_a_sale_tells_of_the_count_and_thinly_of_the_order(till: Till, sent: Sent) -> None:
    order_id = till.sell(4)
    count, order = _events(sent)
    assert count["data"]["object"]["inventory_counts"][0]["quantity"] == "6"
    assert order["type"] == "order.created"
    assert set(order["data"]["object"]["order_created"]) == {"order_id", "version", "location_id", "state", "created_at"}
    assert order["data"]["id"] == order_id


def test_the_signature_is_over_the_address_and_the_raw_body(till: Till, sent: Sent) -> None:
    till.sell()
    url, headers, body = sent[0]
    expected = base64.b64encode(hmac.new(b"hook", url.encode() + body, hashlib.sha256).digest()).decode()
    assert headers["x-square-hmacsha256-signature"] == expected
    assert url == _URL


def test_a_refund_is_announced_with_its_return_order(till: Till, sent: Sent) -> None:
    order_id = till.sell()
    refund_id = till.account.refund(order_id, till.small, 1, till.soho)
    assert [event["type"] for event in _events(sent)][-2:] == ["order.created", "refund.created"]
    assert _events(sent)[-1]["data"]["object"]["refund"]["id"] == refund_id


def test_dropped_webhooks_never_come(till: Till, sent: Sent) -> None:
    till.account.wire.drop_webhooks = True
    till.sell()
    till.account.wire.drop_webhooks = False
    till.account.tick()
    assert sent == []


def test_a_late_order_is_announced_when_it_is_readable(till: Till, sent: Sent) -> None:
    till.account.wire.order_lag_s = 60
    till.sell()
    assert sent == []
    till.clock.pass_s(60)
    till.account.tick()
    assert [event["type"] for event in _events(sent)] == ["inventory.count.updated", "order.created"]


def test_a_delivery_that_nobody_took_is_sent_again_later(till: Till, sent: Sent) -> None:
    attempts: list[str] = []

    def refuse(url: str, headers: Mapping[str, str], body: bytes) -> None:
        attempts.append(headers.get("square-retry-number", "0"))
        raise ConnectionError("nobody there")

    till.account.on_webhook(refuse)
    till.account.adjust(till.small, till.soho, 1, "receipt")
    for _ in range(3):
        till.clock.pass_s(90)
        till.account.tick()
    assert attempts == ["0", "1", "2"]
    till.clock.pass_s(48 * 3_600)
    till.account.tick()
    assert len(attempts) == 4
    till.clock.pass_s(48 * 3_600)
    till.account.tick()
    assert len(attempts) == 4


def test_a_disabled_subscription_hears_nothing_and_a_deleted_one_is_gone(till: Till, sent: Sent) -> None:
    (made,) = till.asking.ask("GET", "/v2/webhooks/subscriptions").json()["subscriptions"]
    path = f"/v2/webhooks/subscriptions/{made['id']}"
    assert till.asking.ask("PUT", path, json={"subscription": {"enabled": False}}).json()["subscription"]["enabled"] is False
    till.sell()
    assert sent == []
    assert till.asking.ask("DELETE", path).status_code == 200
    assert till.asking.ask("GET", path).status_code == 404
