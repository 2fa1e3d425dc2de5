"""Which webhooks a shop sends us: what is asked for, whether it stands, and how it is put right.

Shopify deletes a subscription made by the API when its deliveries keep failing, so nobody may rely on having made it once
(https://shopify.dev/docs/apps/build/webhooks/troubleshooting-webhooks). Only the fields that a hint needs are asked for where a
body would hold a buyer (https://shopify.dev/docs/apps/build/webhooks/customize/modify-payloads).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from invbi_pipeline.channels.protocol import Standing, Subscription
from invbi_pipeline.channels.shopify.api import Api
from invbi_pipeline.channels.shopify.documents import SUBSCRIBE, SUBSCRIPTIONS, UPDATE_SUBSCRIPTION
from invbi_pipeline.errors import BadAnswer, InvbiError, Refused

__all__ = ["TOPICS", "subscriptions"]

_ORDER: Final = ("id", "created_at", "updated_at")
_OF_ORDER: Final = ("id", "order_id", "created_at", "updated_at")
_WHOLE: Final = ()

# Topic -> the fields of its body that are sent; none named: all of them.
TOPICS: Final[Mapping[str, tuple[str, ...]]] = {
    "ORDERS_CREATE": _ORDER,
    "ORDERS_UPDATED": _ORDER,
    "ORDERS_EDITED": ("order_edit",),
    "ORDERS_CANCELLED": _ORDER,
    "FULFILLMENTS_CREATE": _OF_ORDER,
    "FULFILLMENTS_UPDATE": _OF_ORDER,
    "REFUNDS_CREATE": _OF_ORDER,
    "RETURNS_APPROVE": _WHOLE,
    "RETURNS_CLOSE": _WHOLE,
    "RETURNS_CANCEL": _WHOLE,
    "RETURNS_PROCESS": _WHOLE,
    "RETURNS_UPDATE": _WHOLE,
    "INVENTORY_LEVELS_UPDATE": _WHOLE,
    "INVENTORY_LEVELS_CONNECT": _WHOLE,
    "INVENTORY_LEVELS_DISCONNECT": _WHOLE,
    "PRODUCTS_CREATE": _WHOLE,
    "PRODUCTS_UPDATE": _WHOLE,
    "PRODUCTS_DELETE": _WHOLE,
    "LOCATIONS_CREATE": _WHOLE,
    "LOCATIONS_UPDATE": _WHOLE,
    "LOCATIONS_ACTIVATE": _WHOLE,
    "LOCATIONS_DEACTIVATE": _WHOLE,
}


async def subscriptions(api: Api, address: str, *, mend: bool) -> Sequence[Subscription]:
    """Compare the shop's subscriptions for an address with `TOPICS` (`Announcing.subscriptions`).

    A topic that the shop refuses (an app without `read_returns` may not hear of returns) is lacking, and no other suffers by it.
    """
    held: dict[str, Mapping[str, Any]] = {}
    async for page in api.all_nodes(SUBSCRIPTIONS, ["webhookSubscriptions"], {"uri": address}):
        held |= {node["topic"]: node for node in page.data["nodes"]}
    return [await _one(api, address, topic, held.get(topic), mend=mend) for topic in TOPICS]


async def _one(api: Api, address: str, topic: str, held: Mapping[str, Any] | None, *, mend: bool) -> Subscription:
    trouble = "the shop does not send it" if held is None else _wrong(topic, held)
    if not trouble:
        return Subscription(topic, Standing.KEPT)
    if not mend:
        return Subscription(topic, Standing.LACKING, f"{trouble}: `invbi check --register` puts that right")
    wanted = {"uri": address, "format": "JSON", "includeFields": list(TOPICS[topic])}
    try:
        if held is None:
            made = await api.run(SUBSCRIBE, {"topic": topic, "wanted": wanted}, changes=True)
            _raise_refusal(made.data.get("webhookSubscriptionCreate"))
            return Subscription(topic, Standing.MADE)
        changed = {"id": held["id"], "wanted": {**wanted, "filter": ""}}
        _raise_refusal((await api.run(UPDATE_SUBSCRIPTION, changed, changes=True)).data.get("webhookSubscriptionUpdate"))
    except InvbiError as refusal:  # it may have been done all the same: the next look sees what came of it
        return Subscription(topic, Standing.LACKING, api.http.redact(str(refusal)))
    return Subscription(topic, Standing.MENDED)


def _wrong(topic: str, held: Mapping[str, Any]) -> str:
    """Say what of a subscription would keep events from being understood; empty: nothing."""
    sent = set(held.get("includeFields") or ())
    if held.get("format") != "JSON":
        return "it is not sent as JSON"
    if held.get("filter"):
        return "a filter withholds some of it"
    return "" if sent == set(TOPICS[topic]) else "it is sent with other fields"


def _raise_refusal(payload: object) -> None:
    if not isinstance(payload, Mapping):
        raise BadAnswer("Shopify's answer to a subscription lacks what its schema promises.")
    if errors := payload.get("userErrors"):
        said = "; ".join(str(error.get("message") or "refused") for error in errors)
        raise Refused(f"Shopify refused the subscription: {said}. The app may lack a permission.", code="user_error")
