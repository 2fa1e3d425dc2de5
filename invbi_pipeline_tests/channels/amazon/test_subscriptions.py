"""What Amazon is asked to write to a queue, by the words of its published models, and what then arrives there."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping

import pytest
from jsonschema import Draft7Validator

from invbi_pipeline.channels.amazon.notifications import TOPICS, parse_notification
from invbi_pipeline.channels.protocol import Standing, Subscription
from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline_tests.channels.amazon.shop import Shop, set_to, shop
from invbi_pipeline_tests.openapi import OpenApi
from invbi_pipeline_tests.shared import shared

ARN = "arn:aws:sqs:eu-west-1:123456789012:invbi"
SCHEMAS = {
    "ORDER_CHANGE": "OrderChangeNotification",
    "LISTINGS_ITEM_MFN_QUANTITY_CHANGE": "ListingsItemMfnQuantityChange",
    "FBA_INVENTORY_AVAILABILITY_CHANGES": "FBAInventoryAvailabilityChangeNotification",
    "FEED_PROCESSING_FINISHED": "FeedProcessingFinishedNotification",
}


def looked(seller: Shop, arn: str = ARN, *, mend: bool = False) -> list[Subscription]:
    return list(asyncio.run(seller.channel.subscriptions(arn, mend=mend)))


def standings(found: list[Subscription]) -> Counter[str]:
    return Counter(str(one.standing) for one in found)


def heard(seller: Shop) -> list[tuple[str, bytes]]:
    """Subscribe, and return the list that what is written to the queue is added to."""
    written: list[tuple[str, bytes]] = []
    looked(seller, mend=True)
    seller.account.on_webhook(lambda arn, headers, body: written.append((arn, body)))
    return written


def test_a_queue_is_named_and_every_topic_made_once_and_then_kept() -> None:
    seller = shop()
    assert standings(looked(seller)) == {Standing.LACKING: len(TOPICS)}
    assert standings(looked(seller, mend=True)) == {Standing.MADE: len(TOPICS)}
    assert standings(looked(seller, mend=True)) == {Standing.KEPT: len(TOPICS)}
    assert len(seller.asked("destinations", "POST")) == 1


def test_what_goes_to_another_queue_is_told_and_brought_to_ours() -> None:
    seller = shop()
    looked(seller, f"{ARN}-old", mend=True)
    assert {one.to_do.partition(":")[0] for one in looked(seller)} == {"Amazon sends it to another queue"}
    assert standings(looked(seller, mend=True)) == {Standing.MENDED: len(TOPICS)}
    assert standings(looked(seller)) == {Standing.KEPT: len(TOPICS)}


def test_a_topic_that_amazon_has_dropped_is_made_anew() -> None:
    seller = shop()
    looked(seller, mend=True)
    del seller.account._store.notifications.subscriptions[next(iter(seller.account._store.notifications.subscriptions))]
    assert standings(looked(seller, mend=True)) == {Standing.MADE: 1, Standing.KEPT: len(TOPICS) - 1}


def test_what_is_sent_and_answered_is_of_the_published_model() -> None:
    seller = shop()
    looked(seller, f"{ARN}-old", mend=True)
    looked(seller, mend=True)
    model = OpenApi(shared("specs/amazon-sp-api/models/notifications-api-model"))
    spoken = [answer for answer in seller.recorder.answers if "/notifications/" in answer.request.url.path]
    for answer in spoken:
        model.check(answer)
    assert {answer.request.method for answer in spoken} == {"GET", "POST", "DELETE"}


def test_a_seller_s_token_is_not_the_application_s() -> None:
    seller = shop()
    looked(seller, mend=True)
    forms = [request.content.decode() for request in seller.asked("/auth/o2/token")]
    assert sorted("refresh_token" in form for form in forms) == [False, True]
    of_seller, of_application = (
        {request.headers["x-amz-access-token"] for request in seller.asked(word)} for word in ("subscriptions", "destinations")
    )
    assert of_seller.isdisjoint(of_application)


@pytest.mark.parametrize("topic", TOPICS)
def test_messages_are_those_of_the_published_schemas_and_name_what_they_are_about(topic: str) -> None:
    seller = shop()
    written = heard(seller)
    order = seller.account.order([Line("M-0", 1)])
    seller.account.order([Line("F-0", 1)])
    seller.account.fulfil(order)
    asyncio.run(seller.write(*(set_to(f"M-{n % 3}", 4) for n in range(3))))
    store = seller.account._store
    store.notifications.feed_finished("f-1", "JSON_LISTINGS_FEED", "DONE", "d-1")
    bodies = [json.loads(body) for arn, body in written if arn == ARN]
    mine = [said for said in bodies if topic in (said.get("NotificationType"), said.get("notificationType"))]
    schema = json.loads(shared(f"specs/amazon-sp-api/schemas/notifications/{SCHEMAS[topic]}.json").read_text(encoding="utf-8"))
    assert mine
    for said in mine:
        assert [error.message for error in Draft7Validator(schema).iter_errors(said)] == []
    events = [parse_notification("amazon_uk", json.dumps(said)) for said in mine]
    assert {event.topic for event in events} == {topic}
    assert topic == "FEED_PROCESSING_FINISHED" or all(event.listing_keys or event.order_ids for event in events)


def test_a_message_that_no_queue_takes_comes_later_and_a_late_order_is_told_when_it_can_be_read() -> None:
    def nobody(arn: str, headers: Mapping[str, str], body: bytes) -> None:
        raise ConnectionError

    seller = shop()
    written = heard(seller)
    seller.account.wire.order_lag_s = 300
    seller.account.order([Line("M-0", 1)])
    assert [json.loads(body)["NotificationType"] for _, body in written] == ["LISTINGS_ITEM_MFN_QUANTITY_CHANGE"]
    seller.clock.pass_by(seconds=300)
    seller.account.on_webhook(nobody)
    seller.account.tick()
    seller.account.on_webhook(lambda arn, headers, body: written.append((arn, body)))
    seller.clock.pass_by(seconds=120)
    seller.account.tick()
    assert json.loads(written[-1][1])["NotificationType"] == "ORDER_CHANGE"
    assert len(written) == 2
