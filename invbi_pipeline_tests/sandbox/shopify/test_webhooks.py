"""Webhooks: who is told what, signed how, and what becomes of a delivery nobody takes."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline_tests.sandbox.shopify.shopkit import SECRETS, new_shop
from invbi_pipeline_tests.shared import shared


def test_a_delivery_is_signed_over_its_raw_body_and_names_shop_topic_and_version() -> None:
    shop = new_shop()
    shop.subscribe("ORDERS_CREATE")
    shop.account.order([Line(shop.items[0], 1)])
    [(address, headers, body)] = shop.delivered
    assert address == "https://hooks.example/in"
    signature = base64.b64encode(hmac.new(SECRETS["webhook_secret"].encode(), body, hashlib.sha256).digest()).decode()
    assert headers["X-Shopify-Hmac-Sha256"] == signature
    assert headers["X-Shopify-Topic"] == "orders/create"
    assert headers["X-Shopify-Shop-Domain"] == "shopify-uk.myshopify.com"
    assert headers["X-Shopify-API-Version"] == "2026-07"
    assert headers["X-Shopify-Webhook-Id"] != headers["X-Shopify-Event-Id"]


def test_a_level_update_tells_available_and_nothing_of_the_shelf() -> None:
    shop = new_shop()
    shop.subscribe("INVENTORY_LEVELS_UPDATE")
    shop.account.type_over(shop.items[0], shop.locations[1], 4)
    body = json.loads(shop.delivered[0][2])
    assert (body["inventory_item_id"], body["location_id"]) == (int(shop.items[0]), int(shop.locations[1]))
    assert body["available"] == 4
    assert "on_hand" not in body


def test_each_act_reaches_the_topics_it_belongs_to() -> None:
    shop = new_shop()
    topics = ["ORDERS_UPDATED", "ORDERS_CANCELLED", "ORDERS_EDITED", "ORDERS_FULFILLED", "REFUNDS_CREATE", "FULFILLMENTS_CREATE"]
    for topic in topics:
        shop.subscribe(topic)
    order = shop.account.order([Line(shop.items[0], 2)], shop.locations[0])
    shop.account.edit(order, shop.items[0], 1)
    shop.account.fulfil(order)
    shop.account.refund(order, shop.items[0], 1, None)
    shop.account.cancel(shop.account.order([Line(shop.items[0], 1)], shop.locations[0]))
    heard = [headers["X-Shopify-Topic"] for _, headers, _ in shop.delivered]
    assert heard == [
        "refunds/create",
        "orders/edited",
        "orders/updated",
        "fulfillments/create",
        "orders/fulfilled",
        "orders/updated",
        "refunds/create",
        "orders/updated",
        "orders/cancelled",
        "refunds/create",
        "orders/updated",
    ]


def test_bodies_carry_the_buyer_as_the_real_ones_do() -> None:
    shop = new_shop()
    shop.subscribe("ORDERS_CREATE")
    shop.account.order([Line(shop.items[0], 1)])
    body = json.loads(shop.delivered[0][2])
    assert body["customer"]["email"] == body["email"]
    assert body["shipping_address"]["phone"]


def test_bodies_have_the_fields_of_the_published_samples_that_speak_of_stock() -> None:
    shop = new_shop()
    for topic in ("ORDERS_CREATE", "REFUNDS_CREATE", "INVENTORY_LEVELS_UPDATE", "FULFILLMENTS_CREATE"):
        shop.subscribe(topic)
    order = shop.account.order([Line(shop.items[0], 1)], shop.locations[0])
    shop.account.fulfil(order)
    shop.account.refund(order, shop.items[0], 1, shop.locations[0])
    bodies = {headers["X-Shopify-Topic"]: json.loads(body) for _, headers, body in shop.delivered}
    refund = json.loads(shared("data/payloads/shopify/refund.json").read_text())["refund"]
    assert set(refund) <= set(bodies["refunds/create"])
    assert {"quantity", "line_item_id", "line_item"} <= set(bodies["refunds/create"]["refund_line_items"][0])
    level = json.loads(shared("data/payloads/shopify/inventory_level.json").read_text())["inventory_level"]
    assert set(level) <= set(bodies["inventory_levels/update"])
    order_sample = json.loads(shared("data/payloads/shopify/order.json").read_text())
    lines = order_sample.get("order", order_sample)["line_items"][0]
    needed = {"id", "sku", "quantity", "variant_id", "product_id", "title", "price"}
    assert needed <= set(lines)
    assert needed <= set(bodies["orders/create"]["line_items"][0])


def test_a_delivery_nobody_takes_is_tried_again_with_the_same_body_and_given_up_after_four_hours() -> None:
    shop = new_shop()
    tried: list[tuple[str, bytes]] = []

    def refuse(address: str, headers: Mapping[str, str], body: bytes) -> None:
        tried.append((headers["X-Shopify-Webhook-Id"], body))
        raise ConnectionError

    shop.account.on_webhook(refuse)
    shop.subscribe("ORDERS_CREATE")
    shop.account.order([Line(shop.items[0], 1)])
    for _ in range(400):
        shop.clock.pass_s(60)
        shop.account.tick()
    assert len(tried) == 9
    assert len(set(tried)) == 1


def test_dropped_webhooks_are_never_sent() -> None:
    shop = new_shop()
    shop.subscribe("ORDERS_CREATE")
    shop.account.wire.drop_webhooks = True
    shop.account.order([Line(shop.items[0], 1)])
    assert shop.delivered == []


def test_subscriptions_are_listed_refused_twice_and_deleted() -> None:
    shop = new_shop()
    shop.subscribe("ORDERS_CREATE")
    again = """mutation { webhookSubscriptionCreate(
        topic: ORDERS_CREATE, webhookSubscription: {uri: "https://hooks.example/in"}) { userErrors { message } } }"""
    assert shop.ask(again)["webhookSubscriptionCreate"]["userErrors"][0]["message"].endswith("already been taken")
    listed = shop.ask("{ webhookSubscriptions(first: 5) { nodes { id topic uri } } }")["webhookSubscriptions"]["nodes"]
    assert [row["topic"] for row in listed] == ["ORDERS_CREATE"]
    shop.ask("mutation($i: ID!) { webhookSubscriptionDelete(id: $i) { deletedWebhookSubscriptionId } }", i=listed[0]["id"])
    assert shop.ask("{ webhookSubscriptions(first: 5) { nodes { id } } }")["webhookSubscriptions"]["nodes"] == []
