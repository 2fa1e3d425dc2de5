"""Amazon's notifications: what each type is about, in either spelling of its keys."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from invbi_pipeline.channels.amazon.notifications import parse_notification
from invbi_pipeline.errors import BadAnswer

AT = "2026-11-20T14:30:00.109Z"


def _told(topic: str, payload: dict[str, Any]) -> str:
    about = {"NotificationId": "n-1", "SubscriptionId": "s-1"}
    return json.dumps({"NotificationType": topic, "EventTime": AT, "Payload": payload, "NotificationMetadata": about})


def test_an_order_s_change_names_the_order_and_what_was_bought() -> None:
    items = [{"SellerSKU": "NLS-1", "Quantity": 2}, {"SellerSKU": "NLS-2", "Quantity": 1}]
    body = _told("ORDER_CHANGE", {"OrderChangeNotification": {"AmazonOrderId": "903-1", "Summary": {"OrderItems": items}}})

    event = parse_notification("amazon_uk", body)

    assert (event.topic, event.delivery_id, event.order_ids) == ("ORDER_CHANGE", "n-1", ("903-1",))
    assert event.listing_keys == ("NLS-1", "NLS-2")
    assert event.occurred_at == datetime(2026, 11, 20, 14, 30, 0, 109_000, tzinfo=UTC)


@pytest.mark.parametrize("key", ["Sku", "SKU"])
def test_a_change_of_quantity_names_the_listing(key: str) -> None:
    event = parse_notification("amazon_uk", _told("LISTINGS_ITEM_MFN_QUANTITY_CHANGE", {"SellerId": "A1", key: "NLS-1"}))

    assert (event.listing_keys, event.order_ids) == (("NLS-1",), ())


def test_types_that_write_their_keys_in_camel_case_are_understood() -> None:
    finished = {"feedProcessingFinishedNotification": {"feedId": "5334", "processingStatus": "DONE"}}
    about = {"notificationId": "n-2"}
    said = {"notificationType": "FEED_PROCESSING_FINISHED", "eventTime": AT, "payload": finished, "notificationMetadata": about}

    event = parse_notification("amazon_uk", json.dumps(said))

    assert (event.topic, event.delivery_id, event.listing_keys) == ("FEED_PROCESSING_FINISHED", "n-2", ())


@pytest.mark.parametrize("body", ["", "hello", "[]", "{}", '{"NotificationType": "ORDER_CHANGE", "NotificationMetadata": 7}'])
def test_what_is_no_notification_is_a_bad_answer_that_quotes_none_of_it(body: str) -> None:
    with pytest.raises(BadAnswer, match="no notification") as trouble:
        parse_notification("amazon_uk", body)
    assert body == "" or body not in str(trouble.value)
