"""Listings: one number each, merchant-fulfilled (DEFAULT) or, read-only to the seller, in Amazon's warehouses (AMAZON_*).

A merchant's quantity falls when an order is placed, paid or not, rises when it is cancelled, and never on a return. Kept raw:
below zero where more was ordered than was there; Amazon shows no less than 0.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime

from invbi_pipeline.domain.words import ListingStatus

__all__ = ["MERCHANT", "Listing", "PendingQuantity"]

MERCHANT = "DEFAULT"


@dataclass(frozen=True, slots=True)
class PendingQuantity:
    """An accepted quantity that is not applied yet."""

    due: datetime
    channel: str
    quantity: int | None
    lead_time_days: int | None
    keeps_lead_time: bool  # merge does; replace resets what it does not name


@dataclass(slots=True)
class Listing:
    sku: str
    asin: str
    fnsku: str
    title: str
    barcode: str
    price_cents: int
    currency: str
    tracked: bool
    channel: str  # DEFAULT or AMAZON_EU and its like
    created_at: datetime
    updated_at: datetime
    status: ListingStatus = ListingStatus.ACTIVE
    quantity: int | None = None  # merchant's units
    lead_time_days: int | None = 2
    fulfillable: int | None = None  # units in Amazon's warehouses; None: never sent any
    reserved: int = 0
    unfulfillable: int = 0
    pending: list[PendingQuantity] = field(default_factory=list)
    _times: list[datetime] = field(default_factory=list)
    _history: list[tuple[int | None, int | None, int]] = field(default_factory=list)

    @property
    def by_merchant(self) -> bool:
        return self.channel == MERCHANT

    @property
    def buyable(self) -> bool:
        return self.status is ListingStatus.ACTIVE

    def record(self, at: datetime) -> None:
        """Remember the numbers as they stand from this moment on."""
        self.updated_at = at
        self._times.append(at)
        self._history.append((self.quantity, self.fulfillable, self.reserved))

    def as_of(self, moment: datetime) -> tuple[int | None, int | None, int]:
        """Return (quantity, fulfillable, reserved) as they stood at a moment."""
        index = bisect_right(self._times, moment)
        return self._history[index - 1] if index else (None, None, 0)

    def move(self, units: int, at: datetime) -> None:
        """Add units (of either fulfilment) and remember it."""
        if self.by_merchant:
            self.quantity = None if self.quantity is None else self.quantity + units
        else:
            self.fulfillable = (self.fulfillable or 0) + units
        self.record(at)

    def settle(self, now: datetime) -> list[PendingQuantity]:
        """Apply the accepted quantities that have come due, in order; return them."""
        due = sorted((each for each in self.pending if each.due <= now), key=lambda each: each.due)
        self.pending = [each for each in self.pending if each.due > now]
        for each in due:
            self.channel = each.channel
            self.quantity = each.quantity
            if each.lead_time_days is not None or not each.keeps_lead_time:
                self.lead_time_days = each.lead_time_days
            self.record(each.due)
        return due
