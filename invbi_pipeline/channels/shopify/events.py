"""Shopify's webhooks: whose they are is proven by a signature over the raw body, what they say is only a hint.

https://shopify.dev/docs/apps/build/webhooks/verify-deliveries: base64 of HMAC-SHA256 with the client secret; after a rotation
the oldest unrevoked secret signs for up to an hour, so all are tried. Headers are not signed: the shop's name in them proves
nothing by itself, but an app's one secret signs for every shop that installed it, so a foreign name is refused.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from invbi_pipeline.channels.protocol import Event
from invbi_pipeline.errors import BadAnswer, ConfigError, Refused

__all__ = ["parse_event"]

_ORDER_ITSELF: Final = "orders/"
_ORDER_NAMED: Final = ("refunds/", "fulfillments/", "returns/")
_ID_DIGITS: Final = 20  # an unsigned number of 64 bits


def parse_event(system: str, account: str, secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> Event:
    """Verify a delivery and say which listings or orders it is about.

    `account`, where it is a domain, is the only shop whose deliveries are taken. `extra` holds `location_key` and `available`
    of an inventory level. Raises `ConfigError` when no secret is configured, `Refused` on a wrong signature or another shop's
    delivery, `BadAnswer` when a signed body is no JSON object, or not of its topic's shape.
    """
    if not secrets:
        where = f"systems.{system}.secrets.webhook_secret"
        raise ConfigError(f"{where} is not set: no webhook can be verified.", [(where, "a secret", "name its variable")])
    lower = {name.lower(): value for name, value in headers.items()}
    given = lower.get("x-shopify-hmac-sha256", "").encode()
    # every secret is tried, so that the time it takes does not tell which one fits
    fits = [hmac.compare_digest(base64.b64encode(hmac.digest(key.encode(), body, hashlib.sha256)), given) for key in secrets]
    if not any(fits):
        raise Refused(f"{system}: a webhook's signature is wrong; it was thrown away.", code="bad_signature")
    shop = lower.get("x-shopify-shop-domain", "")
    if "." in account and shop and shop.lower() != account.lower():
        raise Refused(f"{system}: a webhook is of another shop; it was thrown away.", code="other_shop")
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as broken:
        raise BadAnswer(f"{system}: a signed webhook is no JSON.") from broken
    if not isinstance(said, dict):
        raise BadAnswer(f"{system}: a signed webhook is no JSON object.")
    topic = lower.get("x-shopify-topic", "")
    try:
        listings, orders, extra = _about(topic, said)
    except (AttributeError, TypeError) as odd:
        raise BadAnswer(f"{system}: a signed webhook is not of its topic's shape.") from odd
    changed = said.get("updated_at") or said.get("created_at") or lower.get("x-shopify-triggered-at")
    return Event(system, lower.get("x-shopify-webhook-id", ""), topic, listings, orders, _moment(changed), extra)


def _about(topic: str, said: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, Any]]:
    if topic.startswith("inventory_levels/"):
        extra = {"location_key": str(said.get("location_id", "")), "available": said.get("available")}
        return _ids(said.get("inventory_item_id")), (), extra
    if topic.startswith("inventory_items/"):
        return _ids(said.get("id")), (), {}
    if topic.startswith("products/"):
        variants = said.get("variants") or []
        return _ids(*(variant.get("inventory_item_id") for variant in variants)), (), {}
    if topic == "orders/edited":  # its body wraps the edit
        return (), _ids((said.get("order_edit") or said).get("order_id")), {}
    if topic.startswith(_ORDER_ITSELF):
        return (), _ids(said.get("id")), {}
    if topic.startswith(_ORDER_NAMED):
        return (), _ids(_order_of(said)), {}
    return (), (), {}


def _order_of(said: Mapping[str, Any]) -> object:
    """Return the id of the order that a fulfilment, a refund or a return is of; returns hold it inside `order`."""
    inside = said.get("order")
    return said.get("order_id") or (inside.get("id") if isinstance(inside, Mapping) else None)


def _ids(*values: object) -> tuple[str, ...]:
    """Return what is an id of Shopify's, a number; one that is none would spoil each request that asks for it beside others."""
    numbers = (str(value) for value in values if value and isinstance(value, int | str))
    return tuple(one for one in numbers if one.isascii() and one.isdecimal() and len(one) <= _ID_DIGITS)


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
