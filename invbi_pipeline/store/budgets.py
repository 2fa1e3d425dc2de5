"""Rate budgets in the state store: several processes that talk to one system keep one budget, and one pause stops them all.

Each operation of a system is one row, changed by one `UPDATE ... WHERE it is still as I read it`; so no lock is held and none is
waited for, on SQLite as on PostgreSQL. A budget is no truth: a row that is lost costs one refusal by the platform.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, and_, bindparam, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from invbi_pipeline.store.state_tables import BUDGETS, PAUSES

__all__ = ["Budgets"]

_Begin = Callable[[], AbstractContextManager[Connection]]
_UNSPENT: Final = (0, "")

# Each request to a platform runs several of these: they are made once, and only their values change.
_MINE: Final = and_(BUDGETS.c.system == bindparam("of_system"), BUDGETS.c.operation == bindparam("of_operation"))
_SAME: Final = and_(BUDGETS.c.reserved_until == bindparam("old_until"), BUDGETS.c.learnt == bindparam("old_learnt"))
_READ: Final = select(BUDGETS.c.reserved_until, BUDGETS.c.learnt).where(_MINE)
_SWAP: Final = update(BUDGETS).where(_MINE, _SAME).values(reserved_until=bindparam("new_until"), learnt=bindparam("new_learnt"))
_PAUSED: Final = select(PAUSES.c.scope).where(or_(PAUSES.c.scope == "", PAUSES.c.scope == bindparam("of_system")))


class Budgets:
    """What the processes of one installation share about a system; `channels.shared.Shared` says what is asked of it."""

    def __init__(self, reading: _Begin, writing: _Begin) -> None:
        self._reading, self._writing = reading, writing

    def ledger(self, system: str, operation: str) -> "Row":
        """Return the row of one operation; it is made when something is first spent."""
        return Row(self._reading, self._writing, system, operation)

    def full_at(self, system: str) -> datetime | None:
        """Return when everything that was spent on a system has flowed back; None: nothing was ever spent."""
        with self._reading() as db:
            until = db.execute(select(func.max(BUDGETS.c.reserved_until)).where(BUDGETS.c.system == system)).scalar()
        return None if until is None else datetime.fromtimestamp(until / 1_000_000, UTC)

    def paused(self, system: str) -> bool:
        """Say whether this system, or everything, is paused."""
        with self._reading() as db:
            return db.execute(_PAUSED, {"of_system": system}).first() is not None


class Row:
    """One operation's budget."""

    def __init__(self, reading: _Begin, writing: _Begin, system: str, operation: str) -> None:
        self._reading, self._writing = reading, writing
        self._key = {"system": system, "operation": operation}
        self._mine = {"of_system": system, "of_operation": operation}

    def read(self) -> tuple[int, str]:
        """Return (reserved until, learnt)."""
        with self._reading() as db:
            row = db.execute(_READ, self._mine).first()
        return _UNSPENT if row is None else (int(row[0]), str(row[1]))

    def swap(self, old: tuple[int, str], new: tuple[int, str]) -> bool:
        """Replace `old` by `new`; False when another process changed it since."""
        values = {"old_until": old[0], "old_learnt": old[1], "new_until": new[0], "new_learnt": new[1]}
        with self._writing() as db:
            if db.execute(_SWAP, {**self._mine, **values}).rowcount:
                return True
        return old == _UNSPENT and self._made(new)

    def _made(self, new: tuple[int, str]) -> bool:
        """Make the row; False when it is there by now."""
        try:
            with self._writing() as db:
                db.execute(insert(BUDGETS), {**self._key, "reserved_until": new[0], "learnt": new[1]})
        except IntegrityError:
            return False
        return True
