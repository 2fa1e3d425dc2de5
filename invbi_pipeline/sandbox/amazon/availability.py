"""Writing a quantity: the patch of /attributes/fulfillment_availability, the same in a PATCH call and in a feed's message."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from invbi_pipeline.domain.words import ListingStatus
from invbi_pipeline.sandbox.amazon.listings import MERCHANT, PendingQuantity
from invbi_pipeline.sandbox.amazon.store import Store

__all__ = ["Issue", "accept_patches", "check_patches"]

PATH = "/attributes/fulfillment_availability"
PRODUCT_TYPE = "PRODUCT"
_OPERATIONS = ("add", "replace", "merge", "delete")


@dataclass(frozen=True, slots=True)
class Issue:
    """Why Amazon does not take a submission."""

    code: str
    message: str
    category: str
    attribute: str = "fulfillment_availability"

    def render(self) -> dict[str, Any]:
        """Return the Issue object of the Listings Items model."""
        content = {"code": self.code, "message": self.message, "severity": "ERROR"}
        return {**content, "attributeNames": [self.attribute], "categories": [self.category]}


def check_patches(store: Store, sku: str, product_type: str, patches: Sequence[Mapping[str, Any]]) -> list[Issue]:
    """Return what is wrong with the patches for this SKU; nothing: they would be accepted."""
    listing = store.listing(sku)
    if listing is None:
        return [Issue("13013", "This SKU does not exist in the Amazon catalog.", "INVALID_ATTRIBUTE", "sku")]
    if product_type != PRODUCT_TYPE:
        return [Issue("90000900", f"The product type {product_type} is not the listing's.", "INVALID_ATTRIBUTE", "product_type")]
    if sku in store.wire.reject_writes:
        return [Issue("99300", "This listing cannot be changed at the moment.", "QUALIFICATION_REQUIRED")]
    if listing.status is ListingStatus.INACTIVE:
        return [Issue("18294", "This listing is closed. Relist it before you change its quantity.", "INVALID_ATTRIBUTE")]
    return [issue for patch in patches for issue in _patch_issues(store, patch)]


def accept_patches(store: Store, sku: str, patches: Sequence[Mapping[str, Any]]) -> None:
    """Accept checked patches: each is applied a visibility lag later, over whatever happens until then."""
    listing = store.listings[sku]
    due = store.times.now() + timedelta(seconds=store.wire.visibility_lag_s)
    for patch in patches:
        if patch["op"] == "delete":
            store.accept(listing, PendingQuantity(due, listing.channel, None, None, keeps_lead_time=True))
            continue
        for value in patch["value"]:
            merge = patch["op"] == "merge"
            quantity = value.get("quantity", listing.quantity if merge else None)
            channel = value["fulfillment_channel_code"]
            lead_time = value.get("lead_time_to_ship_max_days")
            store.accept(listing, PendingQuantity(due, channel, quantity, lead_time, keeps_lead_time=merge))


def _patch_issues(store: Store, patch: Mapping[str, Any]) -> list[Issue]:
    if patch.get("op") not in _OPERATIONS or patch.get("path") != PATH:
        return [Issue("90000900", f"The sandbox patches {PATH} only.", "INVALID_ATTRIBUTE", str(patch.get("path")))]
    if patch["op"] == "delete":
        return []
    values = patch.get("value")
    if not isinstance(values, list) or not values or not all(isinstance(value, dict) for value in values):
        return [Issue("90220", "'value' is required but not supplied.", "MISSING_ATTRIBUTE")]
    return [issue for value in values for issue in _value_issues(store, value)]


def _value_issues(store: Store, value: Mapping[str, Any]) -> list[Issue]:
    channel = value.get("fulfillment_channel_code")
    if channel not in (MERCHANT, store.marketplace.fulfilment_code):
        return [Issue("90244", f"'{channel}' is not a fulfillment channel code.", "INVALID_ATTRIBUTE")]
    quantity = value.get("quantity")
    whole = isinstance(quantity, int) and not isinstance(quantity, bool) and quantity >= 0
    if quantity is not None and not whole:
        return [Issue("90248", "'quantity' must be a whole number that is not negative.", "INVALID_ATTRIBUTE")]
    if channel != MERCHANT and quantity is not None:
        return [Issue("90248", "The quantity of stock that Amazon fulfils cannot be set.", "INVALID_ATTRIBUTE")]
    return []
