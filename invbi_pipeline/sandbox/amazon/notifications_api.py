"""Notifications API v1: destinations, which are the application's, and subscriptions, which are the seller's."""

import re
from typing import Any

from invbi_pipeline.sandbox.amazon.notifications import TYPES, Destination, Notifications, Subscription
from invbi_pipeline.sandbox.amazon.params import Params
from invbi_pipeline.sandbox.amazon.refusals import AmazonRefusal, bad_input, not_found

__all__ = ["GRANTLESS", "NotificationsApi"]

GRANTLESS = frozenset({"getDestinations", "createDestination", "deleteSubscriptionById"})
_ARN = re.compile(r"arn:aws:sqs:\S+:\S+:\S+")  # SqsResource.arn


class NotificationsApi:
    """Handlers; each returns the answer's body or raises `AmazonRefusal`."""

    def __init__(self, desk: Notifications) -> None:
        self._desk = desk

    def destinations(self) -> dict[str, Any]:
        """GET /destinations."""
        return {"payload": [_destination(each) for each in self._desk.destinations.values()]}

    def create_destination(self, body: object) -> dict[str, Any]:
        """POST /destinations: of a queue, once."""
        wanted = body if isinstance(body, dict) else {}
        arn = ((wanted.get("resourceSpecification") or {}).get("sqs") or {}).get("arn")
        if not wanted.get("name") or not isinstance(arn, str) or not _ARN.fullmatch(arn):
            raise bad_input("The sandbox takes a name and an SQS queue's ARN.")
        if any(known.arn == arn for known in self._desk.destinations.values()):
            raise AmazonRefusal(409, "Conflict", "Conflict", "A destination with this resource exists already.")
        made = Destination(self._desk.new_id(), str(wanted["name"]), arn)
        self._desk.destinations[made.id] = made
        return {"payload": _destination(made)}

    def get(self, kind: str, params: Params) -> dict[str, Any]:
        """GET /subscriptions/{notificationType}."""
        params.only("payloadVersion")
        found = self._desk.of_type(_known(kind))
        if found is None or params.text("payloadVersion") not in ("", TYPES[kind]):
            raise not_found("The seller has no such subscription.")
        return {"payload": _subscription(found)}

    def create(self, kind: str, body: object) -> dict[str, Any]:
        """POST /subscriptions/{notificationType}."""
        wanted = body if isinstance(body, dict) else {}
        if wanted.get("payloadVersion") != TYPES[_known(kind)] or set(wanted) - {"payloadVersion", "destinationId"}:
            raise bad_input(f"The sandbox sends {kind} in version {TYPES[kind]}, unfiltered.")
        if wanted.get("destinationId") not in self._desk.destinations:
            raise bad_input("destinationId is unknown.")
        if self._desk.of_type(kind) is not None:
            raise AmazonRefusal(409, "Conflict", "Conflict", "A subscription of this type exists already.")
        made = Subscription(self._desk.new_id(), kind, wanted["destinationId"])
        self._desk.subscriptions[made.id] = made
        return {"payload": _subscription(made)}

    def delete(self, kind: str, subscription_id: str) -> dict[str, Any]:
        """DELETE /subscriptions/{notificationType}/{subscriptionId}."""
        found = self._desk.subscriptions.get(subscription_id)
        if found is None or found.type != kind:
            raise not_found("The application has no such subscription.")
        del self._desk.subscriptions[subscription_id]
        return {}


def _known(kind: str) -> str:
    if kind not in TYPES:
        raise bad_input(f"{kind} is no notification type of the sandbox.")
    return kind


def _destination(each: Destination) -> dict[str, Any]:
    return {"destinationId": each.id, "name": each.name, "resource": {"sqs": {"arn": each.arn}}}


def _subscription(each: Subscription) -> dict[str, Any]:
    return {"subscriptionId": each.id, "payloadVersion": TYPES[each.type], "destinationId": each.destination}
