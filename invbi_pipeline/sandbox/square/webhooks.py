"""Webhook subscriptions and deliveries, signed as Square signs: base64(HMAC-SHA256(key, notification URL + raw body))."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from invbi_pipeline.sandbox.contract import Wire
from invbi_pipeline.sandbox.square.times import Ids, Times

__all__ = ["EVENT_TYPES", "Subscription", "Webhooks"]

Deliver = Callable[[str, Mapping[str, str], bytes], None]
EVENT_TYPES = frozenset(
    {
        *("inventory.count.updated", "catalog.version.updated", "location.created", "location.updated"),
        *("order.created", "order.updated", "order.fulfillment.updated", "refund.created", "refund.updated"),
    }
)

_RETRY_S = 60.0  # doubled at each attempt; the sandbox's own pace
_GIVE_UP = timedelta(hours=24)  # developer.squareup.com/docs/webhooks/step4manage
_DISABLED_AFTER = timedelta(weeks=3)  # of nothing but failures; the same page


@dataclass(slots=True)
class _Delivery:
    subscription: str
    due: datetime
    url: str
    headers: dict[str, str]
    body: bytes
    first_at: datetime
    failures: int = 0


@dataclass(slots=True)
class Subscription:
    id: str
    name: str
    url: str
    event_types: frozenset[str]
    created_at: datetime
    updated_at: datetime
    enabled: bool = True
    failing_since: datetime | None = None  # nobody took a delivery from then on


class Webhooks:
    """Who wants to know what, and what is still to be told."""

    def __init__(self, times: Times, ids: Ids, wire: Wire, merchant: str, key: str) -> None:
        self._times = times
        self._ids = ids
        self._wire = wire
        self._merchant = merchant
        self._key = key
        self._deliver: Deliver | None = None
        self._waiting: list[_Delivery] = []
        self.subscriptions: dict[str, Subscription] = {}

    def connect(self, deliver: Deliver) -> None:
        """Set the function that carries a delivery to its address."""
        self._deliver = deliver

    def subscribe(self, name: str, url: str, event_types: frozenset[str]) -> Subscription:
        """Add a subscription; its signature key is the account's configured one."""
        now = self._times.now()
        made = Subscription(f"wbhk_{self._ids.long().lower()}", name, url, event_types, now, now)
        self.subscriptions[made.id] = made
        return made

    def wanted(self, event_type: str) -> bool:
        """Say whether anybody listens to this type, so that nobody writes events for no one."""
        return any(s.enabled and event_type in s.event_types for s in self.subscriptions.values())

    def announce(self, event_type: str, kind: str, object_id: str, content: Mapping[str, Any], due: datetime) -> None:
        """Queue an event for every subscriber; it is sent when it is due."""
        if self._wire.drop_webhooks:
            return
        for subscription in self.subscriptions.values():
            if not (subscription.enabled and event_type in subscription.event_types):
                continue
            event = {
                "merchant_id": self._merchant,
                "type": event_type,
                "event_id": self._ids.long().lower(),
                "created_at": self._times.state(self._times.now()),
                "data": {"type": kind, "id": object_id, "object": content},
            }
            body = json.dumps(event, separators=(",", ":")).encode()
            headers = {
                "content-type": "application/json",
                "user-agent": "Square Connect v2",
                "x-square-hmacsha256-signature": self._signature(subscription.url, body),
            }
            self._waiting.append(_Delivery(subscription.id, due, subscription.url, headers, body, due))
        self.flush()

    def flush(self) -> None:
        """Send what is due; what nobody took is sent again, at growing distances, for a day."""
        if self._deliver is None or not self._waiting:
            return
        now = self._times.now()
        ready = [each for each in self._waiting if each.due <= now]
        self._waiting = [each for each in self._waiting if each.due > now]
        for delivery in ready:
            try:
                self._deliver(delivery.url, delivery.headers, delivery.body)
            except ConnectionError:
                self._try_later(delivery, now)
                self._failed(delivery.subscription, now)
            else:
                if (known := self.subscriptions.get(delivery.subscription)) is not None:
                    known.failing_since = None

    def _try_later(self, delivery: _Delivery, now: datetime) -> None:
        delivery.due = now + timedelta(seconds=_RETRY_S * 2**delivery.failures)
        delivery.failures += 1
        delivery.headers["square-retry-number"] = str(delivery.failures)
        if delivery.due - delivery.first_at <= _GIVE_UP:
            self._waiting.append(delivery)

    def _failed(self, subscription: str, now: datetime) -> None:
        known = self.subscriptions.get(subscription)
        if known is not None:
            known.failing_since = known.failing_since or now
            known.enabled = known.enabled and now - known.failing_since < _DISABLED_AFTER

    def render(self, subscription: Subscription, *, with_key: bool) -> dict[str, Any]:
        """Return Square's WebhookSubscription object; lists leave the key out."""
        return {
            "id": subscription.id,
            "name": subscription.name,
            "enabled": subscription.enabled,
            "event_types": sorted(subscription.event_types),
            "notification_url": subscription.url,
            "api_version": "2026-05-20",
            "created_at": self._times.state(subscription.created_at),
            "updated_at": self._times.state(subscription.updated_at),
            **({"signature_key": self._key} if with_key else {}),
        }

    def _signature(self, url: str, body: bytes) -> str:
        return base64.b64encode(hmac.new(self._key.encode(), url.encode() + body, hashlib.sha256).digest()).decode()
