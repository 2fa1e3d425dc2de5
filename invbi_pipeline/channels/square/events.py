"""Square's webhooks: HMAC-SHA256 over the notification URL and the raw body.

Source: developer.squareup.com/docs/webhooks/step3validate.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from invbi_pipeline.channels.protocol import Event
from invbi_pipeline.channels.wall import iso
from invbi_pipeline.errors import Refused

__all__ = ["parse"]

_HEADER = "x-square-hmacsha256-signature"


def parse(system: str, key: str, headers: Mapping[str, str], body: bytes, url: str) -> Event:
    """Verify a delivery and say what it is about. Raises `Refused` on a bad signature or a body that is not an event."""
    given = {name.lower(): value for name, value in headers.items()}.get(_HEADER, "")
    expected = base64.b64encode(hmac.new(key.encode(), url.encode() + body, hashlib.sha256).digest()).decode()
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise Refused(f"{system}: the signature of a webhook is wrong; it was ignored.", code="bad_signature")
    try:
        said = json.loads(body)
        topic, delivery, held = str(said["type"]), str(said["event_id"]), said["data"]["object"]
        listings, orders = _subjects(held if isinstance(held, dict) else {})
        created = iso(said.get("created_at"))
        at = datetime.fromisoformat(created) if created else None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as trouble:
        raise Refused(f"{system}: a signed webhook is not an event of Square's; it was ignored.", code="bad_event") from trouble
    return Event(system, delivery, topic, listings, orders, at)


def _subjects(held: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    listings = [count.get("catalog_object_id") for count in held.get("inventory_counts") or ()]
    things = [thing for thing in held.values() if isinstance(thing, dict)]
    orders = [thing.get("order_id") for thing in things]
    return _texts(listings), _texts(orders)


def _texts(ids: Iterable[object]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for one in ids if isinstance(one, str) and one))
