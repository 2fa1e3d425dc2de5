"""Which notifications Amazon writes to a queue: the queue is named as a destination once, each type is subscribed to it.

A destination is the application's, a subscription the seller's; of one type and payload version a seller has one
(https://developer-docs.amazon.com/sp-api/docs/notifications-api-v1-use-case-guide).
"""

from collections.abc import Sequence

from invbi_pipeline.channels.amazon.api import AmazonApi
from invbi_pipeline.channels.amazon.notifications import TOPICS
from invbi_pipeline.channels.protocol import Standing, Subscription
from invbi_pipeline.errors import BadAnswer, InvbiError

__all__ = ["subscriptions"]


async def subscriptions(api: AmazonApi, arn: str, *, mend: bool) -> Sequence[Subscription]:
    """Compare the seller's subscriptions that go to a queue with `TOPICS` (`Announcing.subscriptions`).

    A type that Amazon refuses is lacking, and no other suffers by it. One that goes to another queue is taken from there: of a
    type a seller has one subscription.
    """
    destination = await _destination(api, arn, make=mend)
    return [await _one(api, topic, version, destination, mend=mend) for topic, version in TOPICS.items()]


async def _destination(api: AmazonApi, arn: str, *, make: bool) -> str:
    """Return the id under which a queue is known; empty where it is not, and is not to be made."""
    for known in await api.destinations():
        if ((known.get("resource") or {}).get("sqs") or {}).get("arn") == arn:
            return str(known["destinationId"])
    if not make:
        return ""
    made = await api.create_destination(f"invbi {arn.rpartition(':')[2]}"[:256], arn)
    if not made.get("destinationId"):
        raise BadAnswer("Amazon's answer to a new destination lacks its id.")
    return str(made["destinationId"])


async def _one(api: AmazonApi, topic: str, version: str, destination: str, *, mend: bool) -> Subscription:
    try:
        held = await api.subscription(topic, version)
        if held is not None and held.get("destinationId") == destination:
            return Subscription(topic, Standing.KEPT)
        if not mend:
            trouble = "Amazon does not send it" if held is None else "Amazon sends it to another queue"
            return Subscription(topic, Standing.LACKING, f"{trouble}: `invbi check --register` puts that right")
        if held is not None:
            await api.unsubscribe(topic, str(held["subscriptionId"]))
        await api.subscribe(topic, version, destination)
    except InvbiError as refusal:  # it may have been done all the same: the next look sees what came of it
        return Subscription(topic, Standing.LACKING, str(refusal))
    return Subscription(topic, Standing.MADE if held is None else Standing.MENDED)
