"""Amazon's notifications: hints from a queue about what changed.

They arrive in an SQS queue that only Amazon may write to, so the queue's policy is the proof of where they come from; delivered
at least once and in no order. Some types write their keys PascalCase and some camelCase, in the envelope and in the payload.
https://developer-docs.amazon.com/sp-api/docs/notifications-api-v1-use-case-guide, and the schemas of the types beside its models.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from invbi_pipeline.channels.protocol import Event
from invbi_pipeline.channels.wall import iso
from invbi_pipeline.errors import BadAnswer

__all__ = ["TOPICS", "parse_notification"]

# What invbi subscribes to, and in which version of its payload (the types' published schemas). ORDER_STATUS_CHANGE and
# MFN_ORDER_STATUS_CHANGE, which older guides name, became ORDER_CHANGE.
TOPICS: Final[Mapping[str, str]] = {
    "ORDER_CHANGE": "1.0",
    "LISTINGS_ITEM_MFN_QUANTITY_CHANGE": "1.0",
    "FBA_INVENTORY_AVAILABILITY_CHANGES": "1.0",
    "FEED_PROCESSING_FINISHED": "2020-09-04",
}
_LISTING: Final = frozenset({"sku", "sellersku"})
_ORDER: Final = frozenset({"amazonorderid"})


def parse_notification(system: str, body: str) -> Event:
    """Say which listings (seller SKUs) or orders a message is about. Raises `BadAnswer` when it is no notification."""
    try:
        said = json.loads(body)
        envelope = {name.lower(): value for name, value in said.items()}
        about = {name.lower(): value for name, value in envelope["notificationmetadata"].items()}
        topic, delivery = str(envelope["notificationtype"]), str(about["notificationid"])
        happened = iso(envelope.get("eventtime"))
        at = datetime.fromisoformat(happened) if happened else None
        named = list(_named(envelope.get("payload")))
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as broken:
        raise BadAnswer(f"{system}: a message of the queue is no notification of Amazon's.") from broken
    listings = dict.fromkeys(value for name, value in named if name in _LISTING)
    orders = dict.fromkeys(value for name, value in named if name in _ORDER)
    return Event(system, delivery, topic, tuple(listings), tuple(orders), at)


def _named(payload: object) -> Iterator[tuple[str, str]]:
    """Yield every non-empty text of a payload with its key in lower case, however deep it lies."""
    if isinstance(payload, Mapping):
        for name, value in payload.items():
            if isinstance(value, str) and value:
                yield str(name).lower(), value
            else:
                yield from _named(value)
    elif isinstance(payload, list):
        for value in payload:
            yield from _named(value)
