"""Places, the systems that know them, and what each system lists."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from invbi_pipeline.domain.words import Absorbs, ListingStatus, LocationKind
from invbi_pipeline.sandbox.contract import Account

__all__ = ["Listing", "Place", "System"]


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere with shelves; `owner` is the system that counts it."""

    name: str
    kind: LocationKind
    owner: str
    safety_stock: int = 0


@dataclass(slots=True)
class Listing:
    """What one system calls a sku, as the people who typed it in know it."""

    system: str
    key: str  # the platform's own
    raw_sku: str
    sku: str  # what is in the box: a master sku, a kit's sku, or something that is in no catalogue
    units: int = 1  # a pack of so many
    mapped: bool = True  # exactly: by the same sku, or by the merchant's map
    platform_fulfilled: bool = False
    price: float = 0.0
    popularity: float = 0.0
    status: ListingStatus = ListingStatus.ACTIVE
    in_demand: bool = True  # shoppers find it
    planted: bool = False  # made by a fault


@dataclass(slots=True)
class System:
    """One account and its part in the business."""

    name: str
    account: Account
    currency: str = "GBP"
    counts: tuple[str, ...] = ()
    sells: bool = True
    absorbs: Absorbs = Absorbs.OWN
    per_location: bool = True
    sells_from: tuple[str, ...] = ()
    default_place: str = ""
    place_of: dict[str, str] = field(default_factory=dict)  # location key -> place
    key_of: dict[str, str] = field(default_factory=dict)  # place -> location key
    listings: dict[str, Listing] = field(default_factory=dict)
    by_sku: dict[str, list[Listing]] = field(default_factory=dict)

    @property
    def platform(self) -> str:
        return self.account.platform

    def add(self, listing: Listing) -> Listing:
        """Remember a listing."""
        self.listings[listing.key] = listing
        self.by_sku.setdefault(listing.sku, []).append(listing)
        return listing

    def forget(self, listing: Listing) -> None:
        """The platform has it no more."""
        del self.listings[listing.key]
        self.by_sku[listing.sku].remove(listing)

    def single(self, sku: str, by_platform: bool = False) -> Listing | None:
        """Return the listing under which this system knows single units of a sku, if it lists it."""
        for listing in self.by_sku.get(sku, ()):
            if listing.units == 1 and listing.platform_fulfilled == by_platform and not listing.planted:
                return listing
        return None

    def points(self, listing: Listing) -> Sequence[str]:
        """Return the location keys at which a merchant-fulfilled listing has a number of its own."""
        return [self.key_of[place] for place in self.sells_from] if self.per_location else [""]

    def number(self, listing: Listing, place: str) -> int:
        """Return what a shopper could buy at a place, 0 where nothing is stocked."""
        return self.account.number(listing.key, self.key_of.get(place, "")) or 0
