"""The Webhook Subscriptions API."""

from collections.abc import Mapping
from typing import Any

from invbi_pipeline.sandbox.square.refusals import check_shape, invalid
from invbi_pipeline.sandbox.square.store import Store
from invbi_pipeline.sandbox.square.webhooks import EVENT_TYPES, Subscription

__all__ = ["WebhooksApi"]

_PAGE = 100  # ListWebhookSubscriptions: "the default value of 100 is also the maximum"
_SUBSCRIPTION = {"name": str, "enabled": bool, "event_types": [str], "notification_url": str, "api_version": str}


class WebhooksApi:
    """Handlers of /v2/webhooks/subscriptions."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._made: dict[str, str] = {}

    def list(self, params: Mapping[str, str]) -> dict[str, Any]:
        """GET: the subscriptions, those that are switched off only where asked for; without their keys."""
        hooks = self._store.webhooks
        limit, first = params.get("limit", "100"), params.get("cursor", "0")
        if not (limit.isdecimal() and 1 <= int(limit) <= _PAGE and first.isdecimal()):
            raise invalid("INVALID_VALUE", "limit or cursor is wrong.", "limit")
        every = [each for each in hooks.subscriptions.values() if each.enabled or params.get("include_disabled") == "true"]
        last = int(first) + int(limit)
        shown = [hooks.render(each, with_key=False) for each in every[int(first) : last]]
        return {"subscriptions": shown, **({"cursor": str(last)} if last < len(every) else {})}

    def create(self, body: object) -> dict[str, Any]:
        """POST: subscribe; the answer holds the signature key."""
        request = check_shape(body, {"idempotency_key": str, "subscription": _SUBSCRIPTION})
        asked = request.get("subscription") or {}
        for name in ("notification_url", "event_types"):
            if not asked.get(name):
                raise invalid("MISSING_REQUIRED_PARAMETER", "Missing required parameter.", f"subscription.{name}")
        _check_types(asked["event_types"])
        key = request.get("idempotency_key") or ""
        hooks = self._store.webhooks
        if not (key and key in self._made):
            made = hooks.subscribe(asked.get("name") or "", asked["notification_url"], frozenset(asked["event_types"]))
            self._made[key] = made.id
            return {"subscription": hooks.render(made, with_key=True)}
        return {"subscription": hooks.render(self._subscription(self._made[key]), with_key=True)}

    def get(self, subscription_id: str) -> dict[str, Any]:
        """GET one, with its key."""
        return {"subscription": self._store.webhooks.render(self._subscription(subscription_id), with_key=True)}

    def update(self, subscription_id: str, body: object) -> dict[str, Any]:
        """PUT: change name, address, types, or switch it on and off."""
        asked: Mapping[str, Any] = check_shape(body, {"subscription": _SUBSCRIPTION}).get("subscription") or {}
        found = self._subscription(subscription_id)
        if asked.get("event_types"):
            _check_types(asked["event_types"])
            found.event_types = frozenset(asked["event_types"])
        found.name = asked.get("name") or found.name
        found.url = asked.get("notification_url") or found.url
        found.enabled = found.enabled if asked.get("enabled") is None else bool(asked["enabled"])
        found.failing_since = None
        found.updated_at = self._store.times.now()
        return {"subscription": self._store.webhooks.render(found, with_key=False)}

    def delete(self, subscription_id: str) -> dict[str, Any]:
        """DELETE."""
        del self._store.webhooks.subscriptions[self._subscription(subscription_id).id]
        return {}

    def _subscription(self, subscription_id: str) -> Subscription:
        found = self._store.webhooks.subscriptions.get(subscription_id)
        if found is None:
            raise invalid("NOT_FOUND", f"Webhook subscription `{subscription_id}` not found.", status=404)
        return found


def _check_types(event_types: list[str]) -> None:
    unknown = sorted(set(event_types) - EVENT_TYPES)
    if unknown:
        raise invalid("INVALID_ARRAY_VALUE", f"`{unknown[0]}` is not an event type of the sandbox.", "subscription.event_types")
