"""The integration the retailer had before: it kept the channels' numbers in step, at night, until it was switched off."""

from invbi_pipeline.domain.words import ListingStatus
from invbi_pipeline.sandbox.world.business import Business
from invbi_pipeline.sandbox.world.places import Listing, System
from invbi_pipeline.sandbox.world.truth import Truth

__all__ = ["Legacy"]

_COUNTS_TO_SET = frozenset({"square"})  # platforms whose history would not add up if a number changed without a trace


class Legacy:
    """Sets channels' numbers to what they should show."""

    def __init__(self, business: Business, truth: Truth) -> None:
        self._business = business
        self._truth = truth
        self._holders: dict[str, list[tuple[System, Listing]]] = {}
        for system in business.channels():
            if business.offered_at(system):
                for listing in system.listings.values():
                    if not listing.platform_fulfilled:
                        for sku in business.contents(listing):
                            self._holders.setdefault(sku, []).append((system, listing))

    def sync(self) -> None:
        """Set every listing whose position may have changed since the last time."""
        done: set[tuple[str, str]] = set()
        for sku in self._business.touched:
            for system, listing in self._holders.get(sku, ()):
                if (system.name, listing.key) not in done:
                    done.add((system.name, listing.key))
                    self._set(system, listing)
        self._business.touched.clear()

    def sync_all(self) -> None:
        """Set every listing."""
        for holders in self._holders.values():
            for system, listing in holders:
                self._set(system, listing)
        self._business.touched.clear()

    def _set(self, system: System, listing: Listing) -> None:
        if listing.status is not ListingStatus.ACTIVE:
            return
        for location_key, units in self._truth.should(system, listing).items():
            if system.account.number(listing.key, location_key) == units:
                continue
            if system.platform in _COUNTS_TO_SET and system.account.number(listing.key, location_key) is not None:
                system.account.count(listing.key, location_key, units)
            else:
                system.account.stock(listing.key, location_key, units)
