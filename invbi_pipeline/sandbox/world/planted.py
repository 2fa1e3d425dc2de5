"""What was planted, under which label: known to the world alone."""

from dataclasses import dataclass, field
from datetime import datetime

__all__ = ["Planted"]


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
    detail: dict[str, str] = field(default_factory=dict)
