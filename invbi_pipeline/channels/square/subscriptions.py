"""Which webhooks Square sends us: one subscription for all event types, and the key that it signs with.

A subscription is the application's, not the seller's: only the application's personal access token may look at it
(https://developer.squareup.com/docs/webhooks/webhook-subscriptions-api). Square makes the signature key; it is compared with
ours and never shown.
"""

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from invbi_pipeline.channels.protocol import Standing, Subscription
from invbi_pipeline.channels.square.api import Json, SquareApi
from invbi_pipeline.channels.square.facts import SQUARE_VERSION
from invbi_pipeline.errors import BadAnswer, Refused

__all__ = ["TOPICS", "subscriptions"]

TOPICS: Final = (
    "inventory.count.updated",
    "order.created",
    "order.updated",
    "order.fulfillment.updated",
    "refund.created",
    "refund.updated",
    "catalog.version.updated",
)
_PATH: Final = "/v2/webhooks/subscriptions"
_KEY: Final = "signature key"
_PERSONAL: Final = (
    "Square's webhooks are looked at with the application's personal access token only; with another, make the subscription in "
    "Square's Developer Console (Webhooks, Subscriptions)."
)


async def subscriptions(api: SquareApi, key: str, address: str, now: datetime, *, mend: bool) -> Sequence[Subscription]:
    """Compare the subscription for an address with `TOPICS`, and its key with `key` (`Announcing.subscriptions`).

    Raises `Refused` when the token is not the application's own.
    """
    try:
        held = await _held(api, address)
        before = set(held.get("event_types") or ()) if held is not None and held.get("enabled") else set()
        done = None
        if mend and not before.issuperset(TOPICS):
            done = Standing.MADE if held is None else Standing.MENDED
            held = await (_made(api, address, now) if held is None else _put_right(api, held))
        found = [_one(topic, before, held, done) for topic in TOPICS]
        return found if held is None else [*found, await _key(api, key, str(held["id"]))]
    except Refused as refusal:
        if refusal.code == "unauthorised":
            raise Refused(f"{api.http.system}: {_PERSONAL}", code=refusal.code) from refusal
        raise


def _one(topic: str, before: set[str], held: Mapping[str, Any] | None, done: Standing | None) -> Subscription:
    if topic in before:
        return Subscription(topic, Standing.KEPT)
    if done is not None:
        return Subscription(topic, done)
    why = "Square does not send it" if held is None or held.get("enabled") else "Square has switched the subscription off"
    return Subscription(topic, Standing.LACKING, f"{why}: `invbi check --register` puts that right")


async def _key(api: SquareApi, key: str, subscription_id: str) -> Subscription:
    """Compare the key that Square signs with to ours; only one subscription asked for by id shows it."""
    said = await api.call("subscription", "GET", f"{_PATH}/{subscription_id}")
    theirs = str((said.get("subscription") or {}).get("signature_key") or "")
    api.http.hide(theirs)
    if key and hmac.compare_digest(key.encode(), theirs.encode()):
        return Subscription(_KEY, Standing.KEPT)
    what = "it is not the one that Square signs with" if key else "none is configured"
    mend = "copy it from Square's Developer Console (Webhooks, Subscriptions) into the variable of secrets.webhook_key"
    return Subscription(_KEY, Standing.LACKING, f"{what}: {mend}")


async def _held(api: SquareApi, address: str) -> Json | None:
    """Return the subscription for this address, also one that is switched off; the one that is on where there are several."""
    mine: list[Json] = []
    cursor = ""
    while True:
        asked = {"include_disabled": "true", **({"cursor": cursor} if cursor else {})}
        page = await api.call("subscriptions", "GET", _PATH, params=asked)
        mine += [each for each in page.get("subscriptions") or () if each.get("notification_url") == address]
        if (cursor := str(page.get("cursor") or "")) == "":
            return max(mine, key=lambda each: bool(each.get("enabled")), default=None)


async def _made(api: SquareApi, address: str, now: datetime) -> Json:
    wanted = {
        "name": f"invbi {api.http.system}"[:64],
        "event_types": list(TOPICS),
        "notification_url": address,
        "api_version": SQUARE_VERSION,
    }
    key = sha256(f"{address} {now.isoformat()}".encode()).hexdigest()[:45]
    return _subscription(await api.call("subscribe", "POST", _PATH, {"idempotency_key": key, "subscription": wanted}))


async def _put_right(api: SquareApi, held: Mapping[str, Any]) -> Json:
    types = sorted({*(held.get("event_types") or ()), *TOPICS})
    wanted = {"enabled": True, "event_types": types}
    return _subscription(await api.call("subscribe", "PUT", f"{_PATH}/{held['id']}", {"subscription": wanted}))


def _subscription(said: Mapping[str, Any]) -> Json:
    made = said.get("subscription")
    if not isinstance(made, dict) or not made.get("id"):
        raise BadAnswer("Square's answer to a subscription lacks the subscription.")
    return made
