"""What was planted, under which label, and what only looks like a fault: known to the world alone."""

from dataclasses import dataclass, field
from datetime import datetime

__all__ = ["Decoy", "Planted"]


@dataclass(frozen=True, slots=True)
class Planted:
    """One planted fault. `label` is a code of the catalogue of findings; an empty selector means that it is not bound to one."""

    label: str
    system: str
    at: datetime
    listing_key: str = ""
    sku: str = ""
    location: str = ""
    location_key: str = ""
    units: int | None = None
    until: datetime | None = None
    other_keys: tuple[str, ...] = ()  # further listings of the system that it concerns
    mendable: bool = True  # a push can bring the number right again without a person
    cause: str = ""  # words.Cause: what an explanation of the change must say; empty: the label asks for none
    events: tuple[str, ...] = ()  # ids that such an explanation must name: orders, returns, transfers
    implies: tuple[str, ...] = ()  # codes that are true of the same subject because of it
    undetectable: str = ""  # why no observer could see it; said when it is planted
    ripe_at: datetime | None = None  # when the fact was complete, where it takes more than one event; null: see `ripens`
    ripens: bool = False  # it is a fact only once `ripe_at` is written down
    detail: dict[str, str] = field(default_factory=dict)

    def happened(self, now: datetime) -> bool:
        """Whether it is a fact by then."""
        return not self.ripens or (self.ripe_at is not None and self.ripe_at <= now)


@dataclass(frozen=True, slots=True)
class Decoy:
    """Something that looks like a fault and is none, by what happened (see `decoys`), and the number it happened to."""

    kind: str
    system: str
    at: datetime
    listing_key: str
    sku: str
    location: str = ""
