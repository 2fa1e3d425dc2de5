"""The state of the simulated retailer: its clock, catalogue, systems, shelves, orders and policies. It decides nothing."""

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from invbi_pipeline.domain.words import LocationKind
from invbi_pipeline.sandbox.world.agenda import Agenda
from invbi_pipeline.sandbox.world.catalogue import Catalogue
from invbi_pipeline.sandbox.world.clock import VirtualClock
from invbi_pipeline.sandbox.world.demand import Stream
from invbi_pipeline.sandbox.world.faults.planted import Planted
from invbi_pipeline.sandbox.world.laws import CALM, Laws
from invbi_pipeline.sandbox.world.orders import OrderBook
from invbi_pipeline.sandbox.world.places import Listing, Place, System
from invbi_pipeline.sandbox.world.policy import Policies
from invbi_pipeline.sandbox.world.shelves import Shelves

__all__ = ["Business", "Trace"]


class Trace:
    """A running hash of everything that happened: two worlds of one seed have the same."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.events = 0

    def note(self, at: datetime, *what: object) -> None:
        """Remember that something happened."""
        self.events += 1
        self._hash.update("|".join((at.isoformat(), *map(str, what), "\n")).encode())

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


@dataclass(slots=True)
class Business:
    """Everything the parts of the world share."""

    preset: str
    seed: int
    clock: VirtualClock
    catalogue: Catalogue
    places: dict[str, Place]
    systems: dict[str, System]
    policies: Policies
    folder: Path
    base_url: str
    currency: str = "GBP"
    laws: Laws = CALM
    streams: list[Stream] = field(default_factory=list)
    shelves: Shelves = field(default_factory=Shelves)
    orders: OrderBook = field(default_factory=OrderBook)
    agenda: Agenda = field(default_factory=Agenda)
    trace: Trace = field(default_factory=Trace)
    touched: dict[str, None] = field(default_factory=dict)  # skus whose position may have changed since the last sync
    went_live_at: datetime | None = None  # when the former integration was switched off
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)  # system -> purpose -> value
    natural: list[Planted] = field(default_factory=list)  # facts of the catalogue that ordinary life made true

    def rng(self, part: str) -> random.Random:
        """Return the dice of one part of the world; the same seed gives the same dice."""
        return random.Random(f"{self.seed}/{self.preset}/{part}")

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def after(self, **delay: float) -> datetime:
        """Return the moment so long from now."""
        return self.now + timedelta(**delay)

    def note(self, *what: object) -> None:
        self.trace.note(self.now, *what)

    def owner(self, place: str) -> System:
        """Return the system that counts a place."""
        return self.systems[self.places[place].owner]

    def counted(self, place: str, sku: str) -> Listing | None:
        """Return the listing under which a place's owner keeps the count of a sku, if it lists it."""
        by_platform = self.places[place].kind is LocationKind.PLATFORM
        return self.owner(place).single(sku, by_platform)

    def contents(self, listing: Listing) -> Mapping[str, int]:
        """Return the products in one unit of a listing; nothing for what is in no catalogue."""
        inside = self.catalogue.explode(listing.sku)
        return inside if listing.units == 1 else {sku: each * listing.units for sku, each in inside.items()}

    def channels(self) -> list[System]:
        """Return the systems that sell."""
        return [system for system in self.systems.values() if system.sells]

    def offered_at(self, system: System) -> bool:
        """Say whether the system's merchant-fulfilled numbers are offers, not counts."""
        return system.sells and not any(place in system.counts for place in system.sells_from)
