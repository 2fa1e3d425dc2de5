"""The merchant's policies as the world applies them: plain rows, the narrowest of which wins."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

__all__ = ["Policies", "Policy"]


@dataclass(frozen=True, slots=True)
class Policy:
    """One value. An empty selector means any; without dates it always holds (`valid_to` is exclusive)."""

    name: str
    value: int
    channel: str = ""
    location: str = ""
    sku: str = ""
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Say whether it is valid then."""
        return (self.valid_from is None or self.valid_from <= at) and (self.valid_to is None or at < self.valid_to)

    @property
    def narrowness(self) -> tuple[bool, bool, bool]:
        return bool(self.sku), bool(self.location), bool(self.channel)


class Policies:
    """All rows, asked by name and place of use."""

    def __init__(self, rows: Iterable[Policy] = ()) -> None:
        self.rows = list(rows)
        self._found: dict[tuple[str, str, str, str], list[Policy]] = {}

    def value(self, name: str, at: datetime, channel: str = "", location: str = "", sku: str = "") -> int | None:
        """Return the value of the narrowest row that holds, or None."""
        key = (name, channel, location, sku)
        rows = self._found.get(key)
        if rows is None:
            fitting = [
                row
                for row in self.rows
                if row.name == name and row.channel in ("", channel) and row.location in ("", location) and row.sku in ("", sku)
            ]
            rows = self._found[key] = sorted(fitting, key=lambda row: row.narrowness, reverse=True)
        for row in rows:
            if row.holds(at):
                return row.value
        return None
