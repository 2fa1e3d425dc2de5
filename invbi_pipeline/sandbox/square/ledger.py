"""The inventory ledger: every change, and the count each (variation, location) has by adding them up.

Square orders changes by `occurred_at`, not by arrival: a physical count is absolute at its own moment, and what occurred after
it is added to it, whenever it came in (developer.squareup.com/docs/inventory-api/how-it-works). A pair that was never
counted or adjusted has no count at all, which is not 0.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

__all__ = ["COUNT", "Change", "Ledger", "Level", "State"]

COUNT = "PHYSICAL_COUNT"
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class State(StrEnum):
    """The inventory states that this account uses, of Square's InventoryState."""

    IN_STOCK = "IN_STOCK"
    SOLD = "SOLD"
    WASTE = "WASTE"
    NONE = "NONE"
    UNLINKED_RETURN = "UNLINKED_RETURN"
    IN_TRANSIT = "IN_TRANSIT"
    RETURNED_BY_CUSTOMER = "RETURNED_BY_CUSTOMER"


@dataclass(slots=True)
class Change:
    """One physical count or adjustment. Times are the world's; quantities are whole units."""

    id: str
    variation: str
    location: str
    quantity: int
    occurred_at: datetime
    recorded_at: datetime
    sequence: int
    from_state: State | None  # None: a physical count
    to_state: State
    visible_at: datetime  # an accepted write shows this late
    product: str = "SQUARE_POS"  # the source application's Product
    reference: str = ""
    order_id: str = ""
    refund_id: str = ""
    receipt_id: str = ""
    price_cents: int = 0
    applied: bool = True  # False: recorded, and the frozen count did not move

    @property
    def is_count(self) -> bool:
        return self.from_state is None

    @property
    def delta(self) -> int:
        """What an adjustment adds to the units in stock."""
        return self.quantity * ((self.to_state is State.IN_STOCK) - (self.from_state is State.IN_STOCK))

    @property
    def order(self) -> tuple[datetime, int]:
        return self.occurred_at, self.sequence


@dataclass(slots=True)
class Level:
    """The count of one variation at one location: an opening number and the changes in the order they occurred."""

    variation: str
    location: str
    opening: int
    calculated_at: datetime
    quantity: int = field(init=False)
    wasted: int = 0
    opened_at: datetime = field(init=False)
    changes: list[Change] = field(default_factory=list)
    settled_at: datetime = _LONG_AGO  # from then on nothing accepted is still invisible

    def __post_init__(self) -> None:
        self.quantity = self.opening
        self.opened_at = self.calculated_at

    def add(self, change: Change) -> None:
        """Put a change at its place in time and count again."""
        late = bool(self.changes) and change.order < self.changes[-1].order
        if late:
            insort(self.changes, change, key=lambda each: each.order)
        else:
            self.changes.append(change)
        if not change.applied:
            return
        self.settled_at = max(self.settled_at, change.visible_at)
        self.calculated_at = change.recorded_at
        if change.to_state is State.WASTE:
            self.wasted += change.quantity
        if late:
            self.quantity = self._added_up(self.changes)
        else:
            self.quantity = change.quantity if change.is_count else self.quantity + change.delta

    def at(self, moment: datetime) -> int:
        """Return the units in stock by the changes that occurred up to a moment."""
        return self._added_up(self.changes[: bisect_right(self.changes, moment, key=lambda each: each.occurred_at)])

    def seen(self, now: datetime, as_of: datetime | None = None) -> tuple[int, datetime] | None:
        """Return (quantity, calculated_at) as the API shows them now, or showed them then; None: nothing yet."""
        if as_of is None and self.settled_at <= now:
            return self.quantity, self.calculated_at
        if as_of is not None and as_of < self.opened_at:
            return None
        shown = [c for c in self.changes if c.visible_at <= now and (as_of is None or c.recorded_at <= as_of) and c.applied]
        return self._added_up(shown), max((change.recorded_at for change in shown), default=self.opened_at)

    def _added_up(self, changes: list[Change]) -> int:
        quantity = self.opening
        for change in changes:
            if change.applied:
                quantity = change.quantity if change.is_count else quantity + change.delta
        return quantity


class Ledger:
    """All levels and, in the order they were recorded, all changes."""

    def __init__(self) -> None:
        self.levels: dict[tuple[str, str], Level] = {}
        self.changes: list[Change] = []

    def open(self, variation: str, location: str, quantity: int | None, now: datetime) -> None:
        """Set an opening number that leaves no change behind; None forgets the pair."""
        self.levels.pop((variation, location), None)
        if quantity is not None:
            self.levels[variation, location] = Level(variation, location, quantity, now)

    def level(self, variation: str, location: str, now: datetime) -> Level:
        """Return the pair's level; one never counted starts from zero."""
        key = (variation, location)
        if key not in self.levels:
            self.levels[key] = Level(variation, location, 0, now)
        return self.levels[key]

    def record(self, change: Change) -> None:
        """Add a change to the history and to its level."""
        self.changes.append(change)
        self.level(change.variation, change.location, change.recorded_at).add(change)

    def recorded(self, after: datetime | None, before: datetime | None) -> Iterator[Change]:
        """Yield the changes received after and strictly before these moments."""
        start = bisect_right(self.changes, after, key=lambda change: change.recorded_at) if after else 0
        for change in self.changes[start:]:
            if before is not None and change.recorded_at >= before:
                return
            yield change
