"""Notifications: who wants to hear of what, and the messages that are written to their queues.

The messages are those of the published schemas: PascalCase or camelCase, as each type has it. Delivered at least once and in no
order; what a queue does not take is written again later.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from invbi_pipeline.sandbox.amazon.listings import Listing
from invbi_pipeline.sandbox.amazon.orders import Order
from invbi_pipeline.sandbox.amazon.times import Times
from invbi_pipeline.sandbox.contract import Wire

__all__ = ["TYPES", "Destination", "Notifications", "Subscription"]

Deliver = Callable[[str, Mapping[str, str], bytes], None]
# Type -> the version of its payload.
TYPES: Mapping[str, str] = {
    "ORDER_CHANGE": "1.0",
    "LISTINGS_ITEM_MFN_QUANTITY_CHANGE": "1.0",
    "FBA_INVENTORY_AVAILABILITY_CHANGES": "1.0",
    "FEED_PROCESSING_FINISHED": "2020-09-04",
}
_RETRY = timedelta(seconds=60)  # the sandbox's own pace
_GIVE_UP = timedelta(days=4)
_STATUS = {
    "PENDING": "Pending",
    "UNSHIPPED": "Unshipped",
    "PARTIALLY_SHIPPED": "PartiallyShipped",
    "SHIPPED": "Shipped",
    "CANCELLED": "Canceled",
}


@dataclass(frozen=True, slots=True)
class Destination:
    id: str
    name: str
    arn: str


@dataclass(frozen=True, slots=True)
class Subscription:
    id: str
    type: str
    destination: str


@dataclass(slots=True)
class _Message:
    due: datetime
    first_at: datetime
    arn: str
    body: bytes


class Notifications:
    """Keeps destinations and subscriptions, and tells each of what happened."""

    def __init__(self, times: Times, rng: Random, wire: Wire, seller: str) -> None:
        self._times = times
        self._rng = rng
        self._wire = wire
        self._seller = seller
        self._waiting: list[_Message] = []
        self.deliver: Deliver | None = None
        self.destinations: dict[str, Destination] = {}
        self.subscriptions: dict[str, Subscription] = {}

    def new_id(self) -> str:
        """Return a new id."""
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def of_type(self, kind: str) -> Subscription | None:
        """Return the seller's subscription of a type."""
        return next((each for each in self.subscriptions.values() if each.type == kind), None)

    def order_changed(self, order: Order, marketplace: str) -> None:
        """Tell of an order that was placed, paid, shipped or cancelled; when the order feed shows it, not before."""
        version = order.now
        items = [
            {
                "OrderItemId": line.item_id,
                "SellerSKU": line.sku,
                "SupplySourceId": None,
                "Quantity": order.open_units()[line.item_id],
                "QuantityShipped": version.fulfilled.get(line.item_id, 0),
            }
            for line in order.lines
        ]
        summary = {
            "MarketplaceId": marketplace,
            "OrderStatus": _STATUS[order.status(version)],
            "PurchaseDate": self._times.state(order.created_at),
            "DestinationPostalCode": "PRIVATE",
            "FulfillmentType": "AFN" if order.by_amazon else "MFN",
            "OrderType": "StandardOrder",
            "NumberOfItemsShipped": sum(version.fulfilled.values()),
            "NumberOfItemsUnshipped": sum(order.open_units().values()),
            "OrderItems": items,
        }
        told = {
            "NotificationLevel": "OrderLevel",
            "SellerId": self._seller,
            "AmazonOrderId": order.id,
            "OrderChangeType": "OrderStatusChange",
            "OrderChangeTrigger": {"TimeOfOrderChange": self._times.state(version.at), "ChangeReason": "Order status changed"},
            "Summary": summary,
        }
        due = version.at + timedelta(seconds=self._wire.order_lag_s)
        self._tell("ORDER_CHANGE", {"OrderChangeNotification": told}, due)

    def quantity_changed(self, listing: Listing, marketplace: str) -> None:
        """Tell of a listing's number: the merchant's, or that of the units in Amazon's warehouses."""
        now = self._times.now()
        if listing.by_merchant:
            if listing.quantity is not None:
                shown = {"FulfillmentChannelCode": listing.channel, "Sku": listing.sku, "Quantity": max(0, listing.quantity)}
                self._tell("LISTINGS_ITEM_MFN_QUANTITY_CHANGE", {"SellerId": self._seller, **shown}, now)
            return
        held = {
            "InboundQuantityBreakdown": {"Working": 0, "Shipped": 0, "Receiving": 0},
            "Fulfillable": max(0, listing.fulfillable or 0),
            "Unfulfillable": listing.unfulfillable,
            "Researching": 0,
            "ReservedQuantityBreakdown": {
                "WarehouseProcessing": 0,
                "WarehouseTransfer": 0,
                "PendingCustomerOrder": listing.reserved,
            },
            "FutureSupplyBuyable": 0,
            "PendingCustomerOrderInTransit": 0,
        }
        place = {"MarketplaceId": marketplace, "ItemName": listing.title, "FulfillmentInventory": held, "Stores": []}
        told = {
            "SellerId": self._seller,
            "FNSKU": listing.fnsku,
            "ASIN": listing.asin,
            "SKU": listing.sku,
            "FulfillmentInventoryByMarketplace": [place],
        }
        self._tell("FBA_INVENTORY_AVAILABILITY_CHANGES", told, now)

    def feed_finished(self, feed: str, kind: str, status: str, result: str) -> None:
        """Tell that a feed was processed."""
        told = {
            "sellerId": self._seller,
            "accountId": f"amzn1.merchant.o.{self._seller}",
            "feedId": feed,
            "feedType": kind,
            "processingStatus": status,
            "resultFeedDocumentId": result,
        }
        self._tell("FEED_PROCESSING_FINISHED", {"feedProcessingFinishedNotification": told}, self._times.now())

    def flush(self) -> None:
        """Write what is due; what a queue does not take is tried again later."""
        if self.deliver is None or not self._waiting:
            return
        now = self._times.now()
        ready = [each for each in self._waiting if each.due <= now]
        self._waiting = [each for each in self._waiting if each.due > now]
        for message in ready:
            try:
                self.deliver(message.arn, {}, message.body)
            except ConnectionError:
                message.due = now + _RETRY
                if now - message.first_at <= _GIVE_UP:
                    self._waiting.append(message)

    def _tell(self, kind: str, payload: Mapping[str, Any], due: datetime) -> None:
        wanted = self.of_type(kind)
        if wanted is None or self._wire.drop_webhooks or self.deliver is None:
            return
        at, version = self._times.state(self._times.now()), TYPES[kind]
        about = {"ApplicationId": "amzn1.sellerapps.app.sandbox", "SubscriptionId": wanted.id}
        envelope = {
            "NotificationVersion": version,
            "NotificationType": kind,
            "PayloadVersion": version,
            "EventTime": at,
            "Payload": payload,
            "NotificationMetadata": {**about, "PublishTime": at, "NotificationId": self.new_id()},
        }
        shown = envelope if kind != "FEED_PROCESSING_FINISHED" else _camel_case(envelope)
        body = json.dumps(shown, separators=(",", ":")).encode()
        self._waiting.append(_Message(due, due, self.destinations[wanted.destination].arn, body))
        self.flush()


def _camel_case(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """Return an envelope with its own keys in camelCase, and its metadata's."""
    about = {name[0].lower() + name[1:]: value for name, value in envelope["NotificationMetadata"].items()}
    return {**{name[0].lower() + name[1:]: value for name, value in envelope.items()}, "notificationMetadata": about}
