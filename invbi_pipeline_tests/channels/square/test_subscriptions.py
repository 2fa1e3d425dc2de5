"""What Square is asked to tell, by the words of its published model: made, kept, put right, and the key compared."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping

import httpx
import pytest

from invbi_pipeline.channels.protocol import Standing, Subscription
from invbi_pipeline.channels.square import SquareChannel
from invbi_pipeline.channels.square.subscriptions import TOPICS
from invbi_pipeline.config import SystemConfig
from invbi_pipeline.errors import Refused
from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline_tests.channels.square.till import SECRETS, Till, till
from invbi_pipeline_tests.openapi import OpenApi
from invbi_pipeline_tests.shared import shared

ADDRESS = "https://hooks.example/invbi/webhooks/till"


def looked(shop: Till, *, mend: bool = False, channel: SquareChannel | None = None) -> list[Subscription]:
    return list(asyncio.run((channel or shop.channel).subscriptions(ADDRESS, mend=mend)))


def standings(found: list[Subscription]) -> Counter[str]:
    return Counter(str(one.standing) for one in found)


def other(shop: Till, **secrets: str) -> SquareChannel:
    """Return a channel to the same till that knows other secrets."""
    config = SystemConfig.model_validate({"platform": "square", "roles": ["sells"], "base_url": "http://till"})
    transport = httpx.ASGITransport(shop.account.app)
    return SquareChannel("till", config, {**SECRETS, **secrets}, clock=shop.clock, rng=random.Random(1), transport=transport)


def test_one_subscription_is_made_for_every_topic_and_then_kept() -> None:
    shop = till()
    assert standings(looked(shop)) == {Standing.LACKING: len(TOPICS)}
    assert standings(looked(shop, mend=True)) == {Standing.MADE: len(TOPICS), Standing.KEPT: 1}
    assert standings(looked(shop, mend=True)) == {Standing.KEPT: len(TOPICS) + 1}
    (made,) = shop.account._store.webhooks.subscriptions.values()
    assert (made.url, made.event_types) == (ADDRESS, frozenset(TOPICS))


def test_what_is_sent_and_answered_is_of_the_published_model() -> None:
    shop = till()
    looked(shop, mend=True)
    shop.account._store.webhooks.subscriptions.popitem()[1].enabled = False
    looked(shop, mend=True)
    model = OpenApi(shared("specs/square/api.json"))
    for answer in shop.recorder.answers:
        model.check(answer)
    assert {answer.request.method for answer in shop.recorder.answers} == {"GET", "POST"}


def test_a_subscription_that_was_switched_off_or_lacks_a_topic_is_put_right_and_keeps_what_else_it_tells() -> None:
    shop = till()
    looked(shop, mend=True)
    (made,) = shop.account._store.webhooks.subscriptions.values()
    made.enabled, made.event_types = False, frozenset({"order.created", "location.created"})
    assert {one.to_do.partition(":")[0] for one in looked(shop) if one.to_do} == {"Square has switched the subscription off"}
    assert standings(looked(shop, mend=True)) == {Standing.MENDED: len(TOPICS), Standing.KEPT: 1}
    assert (made.enabled, made.event_types) == (True, frozenset({*TOPICS, "location.created"}))


def test_square_switches_off_what_nobody_took_for_three_weeks() -> None:
    def nobody(address: str, headers: Mapping[str, str], body: bytes) -> None:
        raise ConnectionError

    shop = till()
    looked(shop, mend=True)
    shop.account.on_webhook(nobody)
    for _ in range(23):
        shop.account.order([Line(shop.keys[0], 1)], shop.places[0], pos=True)
        shop.clock.pass_by(days=1)
        shop.account.tick()
    assert standings(looked(shop))[Standing.LACKING] == len(TOPICS)
    assert standings(looked(shop, mend=True))[Standing.MENDED] == len(TOPICS)


@pytest.mark.parametrize("ours", ["another-key", ""])
def test_a_key_that_square_does_not_sign_with_is_told_and_neither_is_shown(ours: str) -> None:
    shop = till()
    (row,) = [one for one in looked(shop, mend=True, channel=other(shop, webhook_key=ours)) if one.standing is Standing.LACKING]
    assert row.topic == "signature key"
    assert "Developer Console" in row.to_do
    assert SECRETS["webhook_key"] not in row.to_do
    assert not ours or ours not in row.to_do


def test_a_sellers_token_is_told_that_the_applications_own_is_needed() -> None:
    shop = till()
    with pytest.raises(Refused, match="personal access token"):
        looked(shop, channel=other(shop, token="sellers-own"))


def test_what_the_till_then_tells_is_understood() -> None:
    shop = till()
    looked(shop, mend=True)
    sent: list[tuple[Mapping[str, str], bytes]] = []
    shop.account.on_webhook(lambda address, headers, body: sent.append((headers, body)))
    order = shop.account.order([Line(shop.keys[0], 1)], shop.places[0], pos=True)
    shop.account.refund(order, shop.keys[0], 1, shop.places[0])
    shop.clock.pass_by(minutes=5)
    shop.account.tick()
    events = [shop.channel.parse_event(headers, body, ADDRESS) for headers, body in sent]
    assert {one.topic for one in events} >= {"order.created", "inventory.count.updated", "refund.created"}
    assert order in {name for one in events for name in one.order_ids}
    assert {name for one in events for name in one.listing_keys} == {shop.keys[0]}
