"""Webhooks of a Square account: verified by URL and body, and about what."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

import pytest

from invbi_pipeline.channels.protocol import Event
from invbi_pipeline.channels.square.events import parse
from invbi_pipeline.errors import Refused
from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline_tests.channels.square.till import SECRETS, till
from invbi_pipeline_tests.shared import shared

URL = "https://shop.example/hooks/till"
Delivery = tuple[str, Mapping[str, str], bytes]


def deliveries() -> tuple[list[Delivery], str, str]:
    """What one till sale tells its subscriber; the order's id and the variation's."""
    shop = till()
    sent: list[Delivery] = []
    shop.account.on_webhook(lambda *delivery: sent.append(delivery))
    shop.account._store.webhooks.subscribe("all", URL, frozenset({"inventory.count.updated", "order.created"}))
    order = shop.account.order([Line(shop.keys[0], 1)], shop.places[0], pos=True)
    shop.account.tick()
    return sent, order, shop.keys[0]


def test_a_sale_tells_of_its_listing_and_of_its_order() -> None:
    sent, order, listing = deliveries()
    events = {event.topic: event for url, headers, body in sent for event in [till().channel.parse_event(headers, body, url)]}
    assert events["inventory.count.updated"].listing_keys == (listing,)
    assert events["order.created"].order_ids == (order,)
    assert len({event.delivery_id for event in events.values()}) == 2
    assert events["order.created"].occurred_at is not None


def test_another_address_body_or_signature_is_refused() -> None:
    (url, headers, body), *_ = deliveries()[0]
    channel = till().channel
    for wrong in ((headers, body, url + "/"), (headers, body + b" ", url), ({}, body, url)):
        with pytest.raises(Refused, match="signature"):
            channel.parse_event(*wrong)


@pytest.mark.parametrize("name", ["inventory.count.updated", "order.created", "order.updated", "refund.created"])
def test_the_platforms_own_samples_are_understood(name: str) -> None:
    event = parsed(json.loads(shared(f"data/payloads/square/{name}.event.json").read_text()))
    assert event.topic == name
    assert event.listing_keys or event.order_ids


@pytest.mark.parametrize(
    ("topic", "held", "orders"),
    [
        ("order.fulfillment.updated", {"order_fulfillment_updated": {"order_id": "O1", "version": 3, "state": "OPEN"}}, ("O1",)),
        ("refund.updated", {"refund": {"id": "R1", "order_id": "O1", "status": "COMPLETED"}}, ("O1",)),
        ("catalog.version.updated", {"catalog_version": {"updated_at": "2026-07-01T12:00:00Z"}}, ()),
    ],
)
def test_topics_that_name_an_order_or_nothing_are_understood(topic: str, held: object, orders: tuple[str, ...]) -> None:
    event = parsed({"type": topic, "event_id": "e-1", "created_at": "2026-07-01T12:00:00Z", "data": {"object": held}})
    assert (event.topic, event.order_ids, event.listing_keys) == (topic, orders, ())


def parsed(said: object) -> Event:
    """Parse a delivery with this body, signed as Square signs."""
    body = json.dumps(said).encode()
    signature = base64.b64encode(hmac.new(SECRETS["webhook_key"].encode(), URL.encode() + body, hashlib.sha256).digest())
    return parse("till", SECRETS["webhook_key"], {"X-Square-HmacSha256-Signature": signature.decode()}, body, URL)
