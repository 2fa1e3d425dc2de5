"""What the fault makers share: the choice of a victim that has no other fault, and the label written down."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from invbi_pipeline.domain.words import ListingStatus
from invbi_pipeline.sandbox.world.business import Business
from invbi_pipeline.sandbox.world.faults.planted import Planted
from invbi_pipeline.sandbox.world.goods import Goods
from invbi_pipeline.sandbox.world.places import Listing, System
from invbi_pipeline.sandbox.world.shoppers import Shoppers
from invbi_pipeline.sandbox.world.truth import Truth

__all__ = ["FaultKit", "NoVictimError", "Options", "Spot"]

Options = Mapping[str, str]
_TRIES = 400


class NoVictimError(LookupError):
    """Nothing in this world suits the fault that was asked for."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A number of a channel that is well and could be harmed."""

    system: System
    listing: Listing
    place: str
    location_key: str
    number: int


@dataclass(slots=True)
class FaultKit:
    business: Business
    goods: Goods
    shoppers: Shoppers
    truth: Truth
    rng: random.Random
    planted: list[Planted] = field(default_factory=list)
    _used: set[tuple[str, str]] = field(default_factory=set)  # (system, listing key)
    _used_skus: set[str] = field(default_factory=set)

    def write_down(self, planted: Planted) -> Planted:
        """Keep the label."""
        self.planted.append(planted)
        self._used.update((planted.system, key) for key in (planted.listing_key, *planted.other_keys))
        self._used_skus.add(planted.sku)
        return planted

    def ripen(self, planted: Planted) -> None:
        """Write down that the fact is complete now: the events it takes have happened."""
        for row, known in enumerate(self.planted):
            if known.ripe_at is None and replace(known, ripe_at=None) == planted:
                self.planted[row] = replace(known, ripe_at=self.business.now)

    def fresh(self, sku: str) -> bool:
        """Say whether no fault has this sku for its subject yet."""
        return sku not in self._used_skus

    def offering(self, options: Options) -> list[System]:
        """Return the systems whose numbers are offers, narrowed by the options."""
        name, platform = options.get("system", ""), options.get("platform", "")
        offered = [s for s in self.business.channels() if self.business.offered_at(s)]
        return [s for s in offered if name in ("", s.name) and platform in ("", s.platform)]

    def listing(self, options: Options, suits: Callable[[System, Listing], bool]) -> tuple[System, Listing]:
        """Return a healthy single listing of a channel that suits. Raises `NoVictimError`."""
        systems = self.offering(options)
        if not systems:
            raise NoVictimError("no such channel")
        for _ in range(_TRIES):
            system = self.rng.choice(systems)
            listing = self._pick(system, options)
            if listing is not None and self._healthy(system, listing, "overlap" in options) and suits(system, listing):
                return system, listing
        raise NoVictimError("no listing suits")

    def spot(self, options: Options, at_least: int, suits: Callable[[System, Listing], bool] = lambda s, listing: True) -> Spot:
        """Return a number of a healthy listing that shows at least so much. Raises `NoVictimError`."""

        def shows(system: System, listing: Listing) -> bool:
            return suits(system, listing) and any(system.number(listing, p) >= at_least for p in system.sells_from)

        system, listing = self.listing(options, shows)
        able = [place for place in system.sells_from if system.number(listing, place) >= at_least]
        place = self.rng.choice(able)
        return Spot(system, listing, place, system.key_of.get(place, ""), system.number(listing, place))

    def label(self, label: str, spot: Spot, units: int | None = None, mendable: bool = True, **detail: str) -> Planted:
        """Write a fault of one number down."""
        return self.write_down(self.planted_at(spot, label, units, mendable=mendable, detail=detail))

    def planted_at(self, spot: Spot, label: str, units: int | None, **more: Any) -> Planted:
        """Return a fault of the number at a spot, as it happens now; `more` are further fields of `Planted`."""
        here = (spot.listing.key, spot.listing.sku, spot.place, spot.location_key)
        return Planted(label, spot.system.name, self.business.now, *here, units, **more)

    def _pick(self, system: System, options: Options) -> Listing | None:
        if "listing_key" in options:
            return system.listings.get(options["listing_key"])
        if "sku" in options:
            return system.single(options["sku"])
        if "overlap" in options and self._used_skus:
            return system.single(self.rng.choice(sorted(self._used_skus)))
        return self.rng.choice(list(system.listings.values()))

    def _healthy(self, system: System, listing: Listing, overlap: bool) -> bool:
        return (
            listing.mapped
            and not listing.planted
            and listing.in_demand  # else it was just made: of a number that nobody has looked at yet none can say that it changed
            and not listing.platform_fulfilled
            and listing.units == 1
            and listing.status is ListingStatus.ACTIVE
            and listing.sku in self.business.catalogue.products
            and (overlap or listing.sku not in self._used_skus)
            and (system.name, listing.key) not in self._used
        )
