"""Webhook subscriptions and deliveries, signed as Shopify signs them.

X-Shopify-Hmac-Sha256 is base64(HMAC-SHA256(client secret, raw body)); the other headers are not signed. A delivery that
fails is tried again up to 8 times within 4 hours with the same body, then dropped; a subscription whose deliveries failed all
that time is deleted (https://shopify.dev/docs/apps/build/webhooks/verify-deliveries, .../troubleshooting-webhooks).
"""

import base64
import hashlib
import hmac
import json
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from graphql import GraphQLResolveInfo

from invbi_pipeline.sandbox.shopify.catalogue import gid, iso
from invbi_pipeline.sandbox.shopify.context import connection
from invbi_pipeline.sandbox.shopify.paging import Page
from invbi_pipeline.sandbox.shopify.payloads import body_of
from invbi_pipeline.sandbox.shopify.shop import Shop

__all__ = ["API_VERSION", "HookDesk"]

API_VERSION = "2026-07"
_RETRIES_AFTER = tuple(timedelta(minutes=minutes) for minutes in (1, 3, 8, 20, 45, 90, 150, 240))


@dataclass(slots=True)
class _Subscription:
    id: int
    topic: str  # as the API's enum: ORDERS_CREATE
    uri: str
    format: str
    created_at: datetime
    updated_at: datetime
    include_fields: tuple[str, ...] = ()
    filter: str = ""
    taken_at: datetime | None = None  # the world's time of the last delivery that somebody took


@dataclass(slots=True)
class _Delivery:
    subscription: int
    address: str
    headers: Mapping[str, str]
    body: bytes
    first_at: datetime  # the world's time
    attempts: int = 1


@dataclass(slots=True)
class HookDesk:
    """Keeps the subscriptions, and tells each of what happened. `deliver` raises ConnectionError when nobody took it."""

    shop: Shop
    rng: random.Random
    secret: str
    deliver: Callable[[str, Mapping[str, str], bytes], None] | None = None
    subscriptions: dict[int, _Subscription] = field(default_factory=dict)
    waiting: list[_Delivery] = field(default_factory=list)

    def create(self, info: GraphQLResolveInfo, **args: Any) -> dict[str, Any]:
        """Answer webhookSubscriptionCreate."""
        topic: str = args["topic"]
        wanted: Mapping[str, Any] = args["webhookSubscription"]
        uri = wanted.get("uri") or wanted.get("callbackUrl") or ""
        if urlsplit(uri).scheme not in {"https", "http"}:
            return _refused(["webhookSubscription", "callbackUrl"], "Address is invalid")
        if any(known.topic == topic and known.uri == uri for known in self.subscriptions.values()):
            return _refused(["webhookSubscription", "callbackUrl"], "Address for this topic has already been taken")
        number, now = self.shop.next_id(), self.shop.now()
        made = self.subscriptions[number] = _Subscription(number, topic, uri, wanted.get("format") or "JSON", now, now)
        self._set(made, wanted)
        return {"webhookSubscription": self._describe(self.subscriptions[number]), "userErrors": []}

    def update(self, info: GraphQLResolveInfo, **args: Any) -> dict[str, Any]:
        """Answer webhookSubscriptionUpdate: what is named is changed, the rest stays."""
        number = args["id"].rpartition("/")[2]
        known = self.subscriptions.get(int(number)) if number.isdigit() else None
        if known is None:
            return _refused(["id"], "Webhook subscription does not exist")
        wanted: Mapping[str, Any] = args["webhookSubscription"]
        known.uri = wanted.get("uri") or wanted.get("callbackUrl") or known.uri
        known.format = wanted.get("format") or known.format
        self._set(known, wanted)
        known.updated_at = self.shop.now()
        return {"webhookSubscription": self._describe(known), "userErrors": []}

    @staticmethod
    def _set(known: _Subscription, wanted: Mapping[str, Any]) -> None:
        if wanted.get("includeFields") is not None:
            known.include_fields = tuple(wanted["includeFields"])
        if wanted.get("filter") is not None:
            known.filter = wanted["filter"]

    def delete(self, info: GraphQLResolveInfo, **args: Any) -> dict[str, Any]:
        """Answer webhookSubscriptionDelete."""
        number = args["id"].rpartition("/")[2]
        if not number.isdigit() or self.subscriptions.pop(int(number), None) is None:
            message = "Webhook subscription does not exist"
            return {"deletedWebhookSubscriptionId": None, "userErrors": [{"field": ["id"], "message": message}]}
        return {"deletedWebhookSubscriptionId": args["id"], "userErrors": []}

    def find(self, global_id: str) -> dict[str, Any] | None:
        """Return a subscription as the API shows it."""
        number = global_id.rpartition("/")[2]
        known = self.subscriptions.get(int(number)) if number.isdigit() else None
        return self._describe(known) if known else None

    def listed(self, info: GraphQLResolveInfo, **args: Any) -> Page:
        """Answer webhookSubscriptions."""
        topics: Sequence[str] | None = args.get("topics")
        uri = args.get("uri") or args.get("callbackUrl")
        rows = [
            self._describe(known)
            for known in self.subscriptions.values()
            if (not topics or known.topic in topics) and (not uri or known.uri == uri)
        ]
        return connection(info, rows, lambda row: (row["id"],), args, {})

    def happened(self, topic: str, subject: object) -> None:
        """Send what happened to everyone who asked for this topic ("orders/create")."""
        name = topic.replace("/", "_").upper()
        wanted = [known for known in self.subscriptions.values() if known.topic == name]
        if not wanted or self.shop.wire.drop_webhooks or self.deliver is None:
            return
        whole = body_of(subject)
        event = self._uuid()
        for known in wanted:
            fields = known.include_fields
            shown = {key: value for key, value in whole.items() if not fields or key in fields}
            body = json.dumps(shown, separators=(",", ":")).encode()
            headers = self._headers(topic, event, body)
            self._send(_Delivery(known.id, known.uri, headers, body, self.shop.world.now(), 0))

    def tick(self) -> None:
        """Try again what nobody took, when it is due."""
        now = self.shop.world.now()
        due, self.waiting = self.waiting, []
        for delivery in due:
            if delivery.attempts > len(_RETRIES_AFTER):
                self._give_up(delivery)
                continue
            if now >= delivery.first_at + _RETRIES_AFTER[delivery.attempts - 1]:
                self._send(delivery)
            else:
                self.waiting.append(delivery)

    def _give_up(self, delivery: _Delivery) -> None:
        """Drop a delivery: only a later read shows what it told. Where nothing else was taken meanwhile, nobody is there."""
        known = self.subscriptions.get(delivery.subscription)
        if known is not None and (known.taken_at is None or known.taken_at < delivery.first_at):
            del self.subscriptions[known.id]

    def _send(self, delivery: _Delivery) -> None:
        if self.deliver is None:
            return
        delivery.attempts += 1
        try:
            self.deliver(delivery.address, delivery.headers, delivery.body)
        except ConnectionError:
            self.waiting.append(delivery)
        else:
            if (known := self.subscriptions.get(delivery.subscription)) is not None:
                known.taken_at = self.shop.world.now()

    def _headers(self, topic: str, event: str, body: bytes) -> dict[str, str]:
        signature = base64.b64encode(hmac.new(self.secret.encode(), body, hashlib.sha256).digest()).decode()
        return {
            "Content-Type": "application/json",
            "X-Shopify-Topic": topic,
            "X-Shopify-Hmac-Sha256": signature,
            "X-Shopify-Shop-Domain": self.shop.domain,
            "X-Shopify-API-Version": API_VERSION,
            "X-Shopify-Webhook-Id": self._uuid(),
            "X-Shopify-Event-Id": event,
            "X-Shopify-Triggered-At": self.shop.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%f000Z"),
        }

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def _describe(self, known: _Subscription) -> dict[str, Any]:
        return {
            "__typename": "WebhookSubscription",
            "id": gid("WebhookSubscription", known.id),
            "legacyResourceId": str(known.id),
            "topic": known.topic,
            "uri": known.uri,
            "callbackUrl": known.uri,
            "format": known.format,
            "filter": known.filter or None,
            "includeFields": list(known.include_fields),
            "createdAt": iso(known.created_at),
            "updatedAt": iso(known.updated_at),
            "apiVersion": {"handle": API_VERSION, "displayName": API_VERSION, "supported": True},
        }


def _refused(field_: list[str], message: str) -> dict[str, Any]:
    return {"webhookSubscription": None, "userErrors": [{"field": field_, "message": message}]}
