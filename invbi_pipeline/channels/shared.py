"""What the processes of one installation share about a system: what its budgets have spent, and whether it may be written to.

`Alone` is for a process that shares nothing; `store.budgets` keeps both in the state store.
"""

from typing import Final, Protocol

__all__ = ["UNSPENT", "Alone", "Ledger", "Memory", "Shared", "Spent"]

Spent = tuple[int, str]
"""What one operation has spent and learnt: (reserved until, learnt).

Reserved until: microseconds of the epoch at which its bucket is full again (GCRA's theoretical arrival time). Learnt: JSON, what
was found out of a limit that nobody publishes; empty: nothing yet."""

UNSPENT: Final[Spent] = (0, "")


class Ledger(Protocol):
    """One operation's `Spent`, changed by compare-and-swap alone, so that no two processes spend the same units."""

    def read(self) -> Spent: ...

    def swap(self, old: Spent, new: Spent) -> bool:
        """Replace `old` by `new`; False when somebody else changed it since."""
        ...


class Shared(Protocol):
    """What is shared, by system."""

    def ledger(self, system: str, operation: str) -> Ledger: ...

    def paused(self, system: str) -> bool:
        """Say whether nothing may be sent that changes a number of this system."""
        ...


class Memory:
    """A ledger of this process alone."""

    def __init__(self) -> None:
        self._spent = UNSPENT

    def read(self) -> Spent:
        """Return what was spent."""
        return self._spent

    def swap(self, old: Spent, new: Spent) -> bool:
        """Replace what was spent."""
        if self._spent != old:
            return False
        self._spent = new
        return True


class Alone:
    """Nothing is shared and nothing is paused."""

    def ledger(self, system: str, operation: str) -> Ledger:
        """Return a new ledger in memory."""
        return Memory()

    def paused(self, system: str) -> bool:
        """Say no."""
        return False
