"""What is true of the business at this moment, in the words of the catalogue: by what a finding may be called right.

Judged from the record and the accounts' own stores, without looking at what was planted.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from invbi_pipeline.domain.words import ListingStatus, LocationKind
from invbi_pipeline.sandbox.world.business import Business
from invbi_pipeline.sandbox.world.places import Listing, System
from invbi_pipeline.sandbox.world.truth import Truth

__all__ = ["Fact", "facts"]


@dataclass(frozen=True, slots=True)
class Fact:
    """A code of the catalogue that holds now; `units` by how much."""

    code: str
    system: str
    location: str
    listing_key: str
    sku: str
    units: int


def facts(business: Business, truth: Truth) -> list[Fact]:
    """Return every fact about numbers shown, promises and shelves that can be read off the world as it stands."""
    return [*_shown(business, truth), *_shelves(business), *_promised(business, truth)]


def _shown(business: Business, truth: Truth) -> Iterator[Fact]:
    for system in business.channels():
        if not business.offered_at(system):
            continue
        for listing in system.listings.values():
            if listing.mapped and not listing.platform_fulfilled:
                yield from _numbers(system, listing, truth)


def _numbers(system: System, listing: Listing, truth: Truth) -> Iterator[Fact]:
    for location_key, should in truth.should(system, listing).items():
        number = system.account.number(listing.key, location_key)
        if number is None:
            continue
        shown, place = max(0, number), system.place_of.get(location_key, "")

        def fact(code: str, units: int, place: str = place) -> Fact:
            return Fact(code, system.name, place, listing.key, listing.sku, units)

        if listing.status is not ListingStatus.ACTIVE:
            if should:
                yield fact("listing_inactive", should)
        elif shown > should:
            yield fact("oversell_risk", shown - should)
        elif shown < should:
            yield fact("undersell", should - shown)
            if not shown:
                yield fact("channel_stockout", should)


def _shelves(business: Business) -> Iterator[Fact]:
    for (place, sku), units in business.shelves.book.items():
        if units < 0 and business.places[place].kind is not LocationKind.PLATFORM:
            yield Fact("negative_on_hand", business.places[place].owner, place, "", sku, -units)


def _promised(business: Business, truth: Truth) -> Iterator[Fact]:
    for sku in {sku for (_, sku), units in business.shelves.reserved.items() if units > 0}:
        for system in business.channels():
            free = sum(max(0, truth.on_hand(p, sku) or 0) - business.shelves.reserved[p, sku] for p in system.sells_from)
            if free < 0:
                yield Fact("oversold", system.name, "", "", sku, -free)
