"""The physical truth, and beside it what the record would say if everything that happened had been booked.

Keys are (place, sku). Units are whole. `book` is the on-hand number of the owner's account plus every movement of another
system that has left or entered the shelf and is not in it yet; it exists only where the owner lists the sku.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Shelves"]

Spot = tuple[str, str]


@dataclass(slots=True)
class Shelves:
    """Units on shelves, in the record, and promised to open orders."""

    units: Counter[Spot] = field(default_factory=Counter)
    book: dict[Spot, int] = field(default_factory=dict)
    reserved: Counter[Spot] = field(default_factory=Counter)
    own: Counter[Spot] = field(default_factory=Counter)  # of the reserved: by orders on the owner's own platform
    foreign: Counter[Spot] = field(default_factory=Counter)  # every movement of other systems so far, signed
    moved: Counter[Spot] = field(default_factory=Counter)  # everything physical since the opening, signed

    def move(self, place: str, sku: str, units: int) -> None:
        """Units leave (negative) or enter a shelf."""
        self.units[place, sku] += units
        self.moved[place, sku] += units

    def enter(self, place: str, sku: str, units: int) -> None:
        """Units are booked, or will be: the record knows of them. A sku the owner does not list there has no record."""
        if (place, sku) in self.book:
            self.book[place, sku] += units

    def reserve(self, place: str, contents: Mapping[str, int], units: int, own: bool) -> None:
        """Promise (or, negative, release) so many times the contents of a listing."""
        for sku, each in contents.items():
            self.reserved[place, sku] += each * units
            if own:
                self.own[place, sku] += each * units

    def has(self, place: str, contents: Mapping[str, int], units: int) -> bool:
        """Say whether the shelf holds so many times the contents."""
        return all(self.units[place, sku] >= each * units for sku, each in contents.items())
