"""What each listing should show now, judged from the record alone, in plain Python: the arithmetic of design.md section 3.

The record knows the owners' book numbers with every movement that has happened (`Shelves.book`), open orders and policies. It
does not know what is physically on a shelf. Nothing here is shared with invbi, so that the two can disagree.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from invbi_pipeline.domain.words import ListingStatus
from invbi_pipeline.sandbox.world.business import Business
from invbi_pipeline.sandbox.world.faults.planted import Planted
from invbi_pipeline.sandbox.world.places import Listing, System

__all__ = ["Excluded", "Point", "Truth"]


@dataclass(frozen=True, slots=True)
class Point:
    """One number of a channel that a push could mend. Units are listing units; below 0 shows as 0."""

    system: str
    listing_key: str
    location_key: str
    location: str
    sku: str
    should: int
    shown: int

    @property
    def agrees(self) -> bool:
        return self.should == self.shown


@dataclass(frozen=True, slots=True)
class Excluded:
    """A listing whose number a push cannot or must not mend, and the label of the fault that makes it so."""

    system: str
    listing_key: str
    label: str


class Truth:
    """Judges the business as it stands at the moment of asking."""

    def __init__(self, business: Business) -> None:
        self._business = business

    def on_hand(self, place: str, sku: str) -> int | None:
        """Return what the record says lies there; None where the owner does not list the sku."""
        return self._business.shelves.book.get((place, sku))

    def available(self, channel: str, place: str, sku: str) -> int:
        """Return what of one sku may be promised from one place, safety stock withheld; below 0 where too much is promised."""
        book = self.on_hand(place, sku)
        reserved = self._business.shelves.reserved[place, sku]
        if book is None:
            return -reserved
        free = max(0, book) - reserved
        safety = self._policy("safety_stock", channel, place, sku)
        if safety is None:
            safety = self._business.places[place].safety_stock
        return free - min(safety, max(0, free))

    def should(self, system: System, listing: Listing) -> dict[str, int]:
        """Return the number each location key of a listing should show, in listing units."""
        contents = self._business.contents(listing)
        parts: dict[str, int] = {}
        for place in system.sells_from:
            if self._policy("sellable", system.name, place, listing.sku) == 0 or not contents:
                parts[place] = 0
                continue
            parts[place] = min(self.available(system.name, place, sku) // each for sku, each in contents.items())
        offer = self._offer(system.name, listing, sum(parts.values()))
        if not system.per_location:
            return {"": offer}
        return {system.key_of[place]: units for place, units in _split(parts, offer).items()}

    def _offer(self, channel: str, listing: Listing, pool_in_listings: int) -> int:
        """Apply the channel's policies to a pool; they count skus (or kits), so that a pack's is turned back."""

        def policy(name: str) -> int | None:
            return self._policy(name, channel, "", listing.sku)

        pool = pool_in_listings * listing.units - (policy("threshold") or 0)
        share = policy("share_bp")
        base = pool if share is None or pool < 0 else pool * share // 10_000
        percent = -(-max(0, base) * (policy("buffer_pct_bp") or 0) // 10_000)
        sellable = max(0, base - (policy("buffer") or 0) - percent + (policy("backorder_limit") or 0))
        offer = sellable // listing.units
        if offer < (policy("min_offer") or 0):
            offer = 0
        most = policy("max_offer")
        return offer if most is None else min(offer, most)

    def _policy(self, name: str, channel: str, place: str, sku: str) -> int | None:
        return self._business.policies.value(name, self._business.now, channel, place, sku)

    def correctable(self, planted: list[Planted]) -> tuple[list[Point], list[Excluded]]:
        """Return every point a push could mend, and every listing that a planted fault takes out of that list."""
        labels = {(p.system, key): p.label for p in planted if not p.mendable for key in (p.listing_key, *p.other_keys) if key}
        points: list[Point] = []
        excluded = [Excluded(system, key, label) for (system, key), label in labels.items()]
        for system in self._business.channels():
            if not self._business.offered_at(system):
                continue
            for listing in system.listings.values():
                if not self._mendable(listing) or (system.name, listing.key) in labels:
                    continue
                for location_key, units in self.should(system, listing).items():
                    shown = system.account.number(listing.key, location_key)
                    if shown is not None:
                        place = system.place_of.get(location_key, system.default_place)
                        points.append(Point(system.name, listing.key, location_key, place, listing.sku, units, max(0, shown)))
        return points, excluded

    def _mendable(self, listing: Listing) -> bool:
        return listing.mapped and not listing.platform_fulfilled and listing.status is ListingStatus.ACTIVE


def _split(parts: Mapping[str, int], offer: int) -> dict[str, int]:
    """Split an offer over places: what is withheld is taken from the fullest first; what is missing elsewhere, too.

    Ties go by the place's name. An offer above all that lies there (a backorder) is added to the fullest.
    """
    split = {place: max(0, units) for place, units in parts.items()}
    order = sorted(split, key=lambda place: (-split[place], place))
    surplus = sum(split.values()) - offer
    for place in order:
        if surplus > 0:
            taken = min(surplus, split[place])
            split[place] -= taken
            surplus -= taken
    if surplus < 0 and order:
        split[order[0]] -= surplus
    return split
