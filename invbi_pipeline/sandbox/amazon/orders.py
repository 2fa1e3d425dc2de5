"""Orders, kept as versions so that a late feed can show the order as it stood then.

Buyers' fields are invented, and every one of them holds the word "Private", so that a test can prove that none gets further than
it should. They come only with BUYER and RECIPIENT, but for a gift message, which rides on FULFILLMENT.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

__all__ = ["Order", "OrderLine", "Package", "Version"]

States = Callable[[datetime], str]


@dataclass(frozen=True, slots=True)
class OrderLine:
    item_id: str
    sku: str
    asin: str
    title: str
    ordered: int
    price_cents: int


@dataclass(frozen=True, slots=True)
class Package:
    id: str
    at: datetime
    units: Mapping[str, int]  # item id -> units


@dataclass(frozen=True, slots=True)
class Version:
    """An order as it stood from a moment on. `cancelled` units are in none of fulfilled and unfulfilled."""

    at: datetime
    paid: bool
    fulfilled: Mapping[str, int]
    cancelled: Mapping[str, int]
    packages: tuple[Package, ...] = ()


@dataclass(slots=True)
class Order:
    """One order with all its versions, oldest first. The units ordered never change; what is cancelled is counted apart."""

    id: str
    created_at: datetime
    lines: tuple[OrderLine, ...]
    by_amazon: bool
    currency: str
    marketplace: tuple[str, str]  # id, name
    buyer: int  # which invented buyer
    versions: list[Version]

    @property
    def now(self) -> Version:
        return self.versions[-1]

    def seen(self, until: datetime) -> Version | None:
        """Return the version that was the newest at a moment; None: there was none yet."""
        return next((version for version in reversed(self.versions) if version.at <= until), None)

    def change(self, at: datetime, **values: Any) -> None:
        """Add a version that differs in these fields."""
        self.versions.append(replace(self.now, at=at, **values))

    def open_units(self, version: Version | None = None) -> dict[str, int]:
        """Return the units of each item that are neither shipped nor cancelled."""
        at = version or self.now
        return {x.item_id: x.ordered - at.fulfilled.get(x.item_id, 0) - at.cancelled.get(x.item_id, 0) for x in self.lines}

    def status(self, version: Version) -> str:
        """Return the FulfillmentStatus."""
        waiting, shipped = sum(self.open_units(version).values()), sum(version.fulfilled.values())
        if not waiting:
            return "SHIPPED" if shipped else "CANCELLED"
        if not version.paid:
            return "PENDING"
        return "PARTIALLY_SHIPPED" if shipped else "UNSHIPPED"

    def render(self, version: Version, included: frozenset[str], state: States) -> dict[str, Any]:
        """Return the model's Order with the data sets that were asked for."""
        pending = self.status(version) == "PENDING"
        made: dict[str, Any] = {
            "orderId": self.id,
            "createdTime": state(self.created_at),
            "lastUpdatedTime": state(version.at),
            "programs": [],
            "salesChannel": {
                "channelName": "AMAZON",
                "marketplaceId": self.marketplace[0],
                "marketplaceName": self.marketplace[1],
            },
            "orderItems": [self._item(line, version, included, pending=pending) for line in self.lines],
        }
        if "FULFILLMENT" in included:
            made["fulfillment"] = {
                "fulfillmentStatus": self.status(version),
                "fulfilledBy": "AMAZON" if self.by_amazon else "MERCHANT",
                "fulfillmentServiceLevel": "STANDARD",
            }
        if "BUYER" in included:
            made["buyer"] = {"buyerName": f"Private Person {self.buyer}", "buyerEmail": f"Private.{self.buyer}@example.com"}
        if "RECIPIENT" in included and not pending:
            made["recipient"] = {"deliveryAddress": self._address()}
        if "PROCEEDS" in included and not pending:
            made["proceeds"] = {"grandTotal": self._money(sum(line.ordered * line.price_cents for line in self.lines))}
        if "PAYMENT" in included and not pending:
            made["payment"] = {"paymentExecutions": [{"paymentMethod": "CREDIT_CARD", "cardBrand": "Private Visa"}]}
        if "PACKAGES" in included and not self.by_amazon:
            made["packages"] = [_package(package, state) for package in version.packages]
        return made

    def _item(self, line: OrderLine, version: Version, included: frozenset[str], *, pending: bool) -> dict[str, Any]:
        product: dict[str, Any] = {"asin": line.asin, "title": line.title, "sellerSku": line.sku}
        if not pending:  # a pending order hides its prices
            product["price"] = {"unitPrice": self._money(line.price_cents)}
        made: dict[str, Any] = {"orderItemId": line.item_id, "quantityOrdered": line.ordered, "product": product}
        if "FULFILLMENT" in included:
            fulfilled = version.fulfilled.get(line.item_id, 0)
            waiting = self.open_units(version)[line.item_id]
            gift = {"giftOption": {"giftMessage": f"Private wishes to {self.buyer}", "giftWrapLevel": "CLASSIC"}}
            with_gift = {"packing": gift} if self.buyer % 3 == 0 else {}
            made["fulfillment"] = {"quantityFulfilled": fulfilled, "quantityUnfulfilled": waiting, **with_gift}
        if "CANCELLATION" in included and version.cancelled.get(line.item_id):
            made["cancellation"] = {"cancellationExecution": {"cancelledBy": "BUYER", "cancelReason": "No longer needed"}}
        if "PROCEEDS" in included and not pending:
            made["proceeds"] = {"proceedsTotal": self._money(line.ordered * line.price_cents)}
        return made

    def _address(self) -> dict[str, str]:
        return {
            "name": f"Private Person {self.buyer}",
            "addressLine1": f"{self.buyer} Private Street",
            "city": "Private Town",
            "postalCode": "PRIVATE",
            "countryCode": "GB",
            "phone": f"Private 0{self.buyer}",
            "addressType": "RESIDENTIAL",
        }

    def _money(self, cents: int) -> dict[str, str]:
        return {"amount": f"{cents / 100:.2f}", "currencyCode": self.currency}


def _package(package: Package, state: States) -> dict[str, Any]:
    return {
        "packageReferenceId": package.id,
        "createdTime": state(package.at),
        "packageStatus": {"status": "SHIPPED"},
        "carrier": "Royal Mail",
        "shipTime": state(package.at),
        "packageItems": [{"orderItemId": item, "quantity": units} for item, units in package.units.items()],
    }
