"""What a shop is asked to tell: made, kept, put right, and missed when the shop has deleted it."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping

import httpx

from invbi_pipeline.channels.protocol import Announcing, Standing, Subscription
from invbi_pipeline.channels.redact import is_personal
from invbi_pipeline.channels.shopify.subscriptions import TOPICS
from invbi_pipeline_tests.channels.shopify.conftest import Shop

ADDRESS = "https://hooks.example/invbi/webhooks/shopify_uk"


def looked(shop: Shop, *, mend: bool = False, address: str = ADDRESS) -> list[Subscription]:
    assert isinstance(shop.channel, Announcing)
    return list(asyncio.run(shop.channel.subscriptions(address, mend=mend)))


def standings(found: list[Subscription]) -> Counter[str]:
    return Counter(str(one.standing) for one in found)


def test_what_is_lacking_is_told_with_the_way_to_mend_it_and_nothing_is_made(shop: Shop) -> None:
    found = looked(shop)
    assert standings(found) == {Standing.LACKING: len(TOPICS)}
    assert all("invbi check --register" in one.to_do for one in found)
    assert standings(looked(shop)) == {Standing.LACKING: len(TOPICS)}


def test_every_topic_is_made_once_and_then_kept(shop: Shop) -> None:
    assert standings(looked(shop, mend=True)) == {Standing.MADE: len(TOPICS)}
    assert standings(looked(shop, mend=True)) == {Standing.KEPT: len(TOPICS)}
    assert standings(looked(shop)) == {Standing.KEPT: len(TOPICS)}


def test_subscriptions_for_another_address_are_nobody_s_business(shop: Shop) -> None:
    shop.subscribe("ORDERS_CREATE")
    looked(shop, mend=True)
    held = shop.account._office.hooks.subscriptions.values()
    assert [(one.topic, one.include_fields) for one in held if one.uri != ADDRESS] == [("ORDERS_CREATE", ())]
    assert sum(one.uri == ADDRESS for one in held) == len(TOPICS)


def test_a_filter_and_other_fields_are_put_right(shop: Shop) -> None:
    looked(shop, mend=True)
    orders, levels = (
        next(one for one in shop.account._office.hooks.subscriptions.values() if one.topic == topic)
        for topic in ("ORDERS_CREATE", "INVENTORY_LEVELS_UPDATE")
    )
    orders.include_fields, levels.filter = ("name",), "available:0"
    wrong = {one.topic: one.to_do.split(":")[0] for one in looked(shop) if one.to_do}
    assert wrong == {
        "ORDERS_CREATE": "it is sent with other fields",
        "INVENTORY_LEVELS_UPDATE": "a filter withholds some of it",
    }
    assert standings(looked(shop, mend=True))[Standing.MENDED] == 2
    assert standings(looked(shop)) == {Standing.KEPT: len(TOPICS)}


def test_a_shop_that_nobody_answered_for_four_hours_has_deleted_what_failed_and_it_is_made_anew(shop: Shop) -> None:
    def nobody(address: str, headers: Mapping[str, str], body: bytes) -> None:
        raise ConnectionError

    looked(shop, mend=True)
    shop.account.on_webhook(nobody)
    shop.sell(shop.item("A"))
    for _ in range(30):
        shop.clock.pass_s(600)
        shop.account.tick()
    gone = {one.topic for one in looked(shop) if one.standing is Standing.LACKING}
    assert gone == {"ORDERS_CREATE", "ORDERS_UPDATED", "INVENTORY_LEVELS_UPDATE"} & gone
    assert "ORDERS_CREATE" in gone
    assert {one.topic for one in looked(shop, mend=True) if one.standing is Standing.MADE} == gone


def test_a_subscription_that_somebody_took_a_delivery_of_meanwhile_stays(shop: Shop) -> None:
    refused: list[bytes] = []

    def moody(address: str, headers: Mapping[str, str], body: bytes) -> None:
        refused.extend([] if refused else [body])
        if body == refused[0]:
            raise ConnectionError

    key = shop.item("A")
    looked(shop, mend=True)
    shop.account.on_webhook(moody)
    shop.sell(key)
    for _ in range(30):
        shop.clock.pass_s(600)
        shop.sell(key)
        shop.account.tick()
    assert standings(looked(shop)) == {Standing.KEPT: len(TOPICS)}


def test_what_is_sent_of_an_order_names_it_and_nothing_of_its_buyer(shop: Shop) -> None:
    sent: list[tuple[Mapping[str, str], bytes]] = []
    key = shop.item("A")
    looked(shop, mend=True)
    shop.account.on_webhook(lambda address, headers, body: sent.append((headers, body)))
    order = shop.sell(key, 2, at=shop.soho)
    shop.account.edit(order, key, 1)
    shop.account.fulfil(order)
    shop.account.refund(order, key, 1, shop.soho)
    events = [shop.channel.parse_event(headers, body, ADDRESS) for headers, body in sent]
    assert {one.topic.partition("/")[0] for one in events} == {"orders", "fulfillments", "refunds", "inventory_levels"}
    assert "orders/edited" in {one.topic for one in events}
    assert {name for one in events for name in one.order_ids} == {order}
    assert all(one.order_ids or one.listing_keys for one in events)
    assert not [name for _, body in sent for name in json.loads(body) if is_personal(name)]


def test_no_buyer_s_address_is_in_why_a_subscription_was_refused(shop: Shop) -> None:
    class Refusing(httpx.AsyncBaseTransport):
        inner = shop.wire.inner

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if b"webhookSubscriptionCreate" not in request.content:
                return await self.inner.handle_async_request(request)
            error = {"field": None, "message": "Ask jane@doe.com."}
            return httpx.Response(200, json={"data": {"webhookSubscriptionCreate": {"userErrors": [error]}}})

    shop.wire.inner = Refusing()
    told = " ".join(one.to_do for one in looked(shop, mend=True))
    assert "Ask [e-mail]." in told
    assert "jane" not in told
