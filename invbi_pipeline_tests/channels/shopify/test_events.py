import base64
import hashlib
import hmac
import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx
import pytest

from invbi_pipeline.channels.protocol import Event
from invbi_pipeline.channels.shopify import ShopifyChannel
from invbi_pipeline.config import SystemConfig
from invbi_pipeline.domain.words import Role
from invbi_pipeline.errors import BadAnswer, ConfigError, Refused
from invbi_pipeline_tests.channels.shopify.conftest import WEBHOOK_SECRET, Shop
from invbi_pipeline_tests.sandbox.serving import HandClock

LEVEL = {"inventory_item_id": 44, "location_id": 9, "available": -2, "updated_at": "2026-09-01T10:00:00+01:00"}


def channel(secrets: Mapping[str, str], account: str = "a.myshopify.com") -> ShopifyChannel:
    config = SystemConfig(platform="shopify", roles=(Role.SELLS,), account=account)
    transport = httpx.MockTransport(lambda request: httpx.Response(500))
    return ShopifyChannel("uk", config, {"token": "t", **secrets}, clock=HandClock(), rng=random.Random(1), transport=transport)


def signed(body: bytes, topic: str, secret: str = WEBHOOK_SECRET, shop: str = "a.myshopify.com") -> dict[str, str]:
    digest = hmac.digest(secret.encode(), body, hashlib.sha256)
    return {
        "x-shopify-topic": topic,
        "X-Shopify-Hmac-SHA256": base64.b64encode(digest).decode(),
        "X-Shopify-Shop-Domain": shop,
        "X-Shopify-Webhook-Id": "d-1",
    }


def event(topic: str, said: object) -> Event:
    body = json.dumps(said).encode()
    return channel({"webhook_secret": WEBHOOK_SECRET}).parse_event(signed(body, topic), body, "https://x.test/hook")


def test_a_level_is_a_hint_about_its_listing() -> None:
    found = event("inventory_levels/update", LEVEL)
    assert (found.delivery_id, found.topic, found.listing_keys) == ("d-1", "inventory_levels/update", ("44",))
    assert found.occurred_at == datetime(2026, 9, 1, 9, 0, tzinfo=UTC)
    assert found.extra == {"location_key": "9", "available": -2}


@pytest.mark.parametrize(
    ("topic", "said", "orders"),
    [
        ("orders/create", {"id": 7}, ("7",)),
        ("orders/cancelled", {"id": 7}, ("7",)),
        ("orders/edited", {"order_edit": {"order_id": 7}}, ("7",)),
        ("refunds/create", {"id": 1, "order_id": 7}, ("7",)),
        ("fulfillments/create", {"id": 1, "order_id": 7}, ("7",)),
        ("returns/approve", {"id": 1, "order": {"id": 7, "admin_graphql_api_id": "gid://shopify/Order/7"}}, ("7",)),
        ("locations/deactivate", {"id": 1, "active": False}, ()),
        ("app/uninstalled", {"id": 1}, ()),
    ],
)
def test_an_order_is_named_whatever_happened_to_it(topic: str, said: object, orders: tuple[str, ...]) -> None:
    assert event(topic, said).order_ids == orders


def test_a_product_names_the_listings_of_its_variants() -> None:
    assert event("products/update", {"id": 1, "variants": [{"inventory_item_id": 4}, {"inventory_item_id": 5}]}).listing_keys == (
        "4",
        "5",
    )


def test_a_changed_body_is_refused() -> None:
    body = json.dumps(LEVEL).encode()
    with pytest.raises(Refused, match="signature"):
        channel({"webhook_secret": WEBHOOK_SECRET}).parse_event(signed(body, "x"), body + b" ", "")


@pytest.mark.parametrize("headers", [{}, {"X-Shopify-Hmac-Sha256": ""}, {"X-Shopify-Hmac-Sha256": "nonsense é"}])
def test_a_missing_or_odd_signature_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Refused):
        channel({"webhook_secret": WEBHOOK_SECRET}).parse_event(headers, b"{}", "")


def test_the_old_secret_still_signs_after_a_rotation() -> None:
    rotated = channel({"webhook_secret": "new-one", "webhook_secret_old": WEBHOOK_SECRET})
    assert rotated.parse_event(signed(b'{"id": 7}', "orders/create"), b'{"id": 7}', "").order_ids == ("7",)


def test_another_shops_delivery_is_refused_although_the_apps_secret_signed_it() -> None:
    headers = signed(b"{}", "orders/create", shop="other.myshopify.com")
    with pytest.raises(Refused, match="another shop"):
        channel({"webhook_secret": WEBHOOK_SECRET}).parse_event(headers, b"{}", "")


def test_without_a_secret_nothing_is_believed_and_the_setting_is_named() -> None:
    with pytest.raises(ConfigError, match=r"systems\.uk\.secrets\.webhook_secret"):
        channel({}).parse_event(signed(b"{}", "orders/create"), b"{}", "")


@pytest.mark.parametrize("body", [b"[]", b"not json"])
def test_a_signed_body_that_is_no_object_is_a_bad_answer(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        channel({"webhook_secret": WEBHOOK_SECRET}).parse_event(signed(body, "orders/create"), body, "")


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("products/update", b'{"variants": "abc"}'),
        ("products/update", b'{"variants": [1]}'),
        ("orders/edited", b'{"order_edit": [1]}'),
        ("orders/create", b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
    ],
)
def test_a_signed_body_of_another_shape_is_a_bad_answer(topic: str, body: bytes) -> None:
    with pytest.raises(BadAnswer):
        channel({"webhook_secret": WEBHOOK_SECRET}).parse_event(signed(body, topic), body, "")


@pytest.mark.parametrize("odd", ["\ud800", "\0", "gid://shopify/Order/1", '1" OR status:any', {"a": 1}, 10**30, "7\n"])
def test_what_is_no_id_of_shopifys_is_not_asked_for(odd: object) -> None:
    assert event("orders/create", {"id": odd}).order_ids == ()


def test_a_time_beyond_the_calendar_is_none() -> None:
    assert event("orders/create", {"id": 7, "updated_at": "0001-01-01T00:00:00+14:00"}).occurred_at is None


def test_what_the_emulated_shop_delivers_is_understood(shop: Shop) -> None:
    delivered: list[tuple[str, Mapping[str, str], bytes]] = []
    shop.account.on_webhook(lambda address, headers, body: delivered.append((address, headers, body)))
    key = shop.item("A")
    for topic in ("INVENTORY_LEVELS_UPDATE", "ORDERS_CREATE"):
        shop.subscribe(topic)
    order = shop.sell(key, at=shop.soho)
    shop.account.tick()
    found = [shop.channel.parse_event(headers, body, address) for address, headers, body in delivered]
    assert {hint for one in found for hint in (*one.listing_keys, *one.order_ids)} == {key, order}
