"""What will happen when: people's doings, which a freeze stops, and machines' work, which goes on."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

__all__ = ["Agenda"]

Doing = Callable[[], object]


@dataclass(slots=True)
class Agenda:
    """A queue in order of time; what is due at the same moment happens in the order it was written down."""

    frozen: bool = False
    _queue: list[tuple[datetime, int, bool, Doing]] = field(default_factory=list)
    _written: int = 0

    def people(self, at: datetime, doing: Doing) -> None:
        """Somebody will do this then, unless the world is frozen."""
        self._write(at, False, doing)

    def machine(self, at: datetime, doing: Doing) -> None:
        """A program, or the end of an outage: happens even in a frozen world."""
        self._write(at, True, doing)

    def _write(self, at: datetime, machine: bool, doing: Doing) -> None:
        self._written += 1
        heapq.heappush(self._queue, (at, self._written, machine, doing))

    def due(self, until: datetime) -> tuple[datetime, Doing] | None:
        """Take the next thing that happens up to `until` (inclusive), or None."""
        while self._queue and self._queue[0][0] <= until:
            at, _, machine, doing = heapq.heappop(self._queue)
            if machine or not self.frozen:
                return at, doing
        return None

    def machines_waiting(self) -> int:
        """Return how many machines' jobs are still to come."""
        return sum(machine for _, _, machine, _ in self._queue)
