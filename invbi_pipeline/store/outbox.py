"""The outbox: every correction from the intent to the proof. What is to be sent is stored here before anything is sent.

States: planned, held, approved, sending, accepted, verified | rejected, ambiguous, mismatched, superseded, dead.
A correction moves only along `MOVES`, by compare-and-set on its state, so that two workers never send the same one.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Final

import polars as pl
from sqlalchemy import Connection, RowMapping, Select, func, insert, or_, select, update

from invbi_pipeline.domain.frames import CORRECTIONS, POSTED
from invbi_pipeline.domain.words import CorrectionKind, CorrectionState
from invbi_pipeline.store.rows import from_json, put, to_json
from invbi_pipeline.store.state_tables import APPROVALS, OUTBOX

__all__ = ["FLYING", "MOVES", "UNSENT", "Outbox"]

S = CorrectionState

MOVES: Final[Mapping[str, frozenset[str]]] = {
    S.PLANNED: frozenset({S.HELD, S.APPROVED, S.SENDING, S.SUPERSEDED, S.DEAD}),
    S.HELD: frozenset({S.PLANNED, S.APPROVED, S.SUPERSEDED, S.DEAD}),
    S.APPROVED: frozenset({S.HELD, S.SENDING, S.SUPERSEDED, S.DEAD}),
    # back to where it was: the channel says that nothing moved and it may be sent again
    S.SENDING: frozenset({S.ACCEPTED, S.REJECTED, S.AMBIGUOUS, S.PLANNED, S.APPROVED, S.SUPERSEDED, S.DEAD}),
    S.ACCEPTED: frozenset({S.VERIFIED, S.MISMATCHED, S.AMBIGUOUS, S.SUPERSEDED, S.DEAD}),
    S.AMBIGUOUS: frozenset({S.ACCEPTED, S.VERIFIED, S.MISMATCHED, S.REJECTED, S.PLANNED, S.APPROVED, S.SUPERSEDED, S.DEAD}),
    S.REJECTED: frozenset({S.DEAD, S.SUPERSEDED}),
    S.MISMATCHED: frozenset({S.SUPERSEDED}),
    S.VERIFIED: frozenset(),
    S.SUPERSEDED: frozenset(),
    S.DEAD: frozenset(),
}
UNSENT: Final = (S.PLANNED, S.HELD, S.APPROVED)
FLYING: Final = (S.SENDING, S.ACCEPTED, S.AMBIGUOUS)

_POINT: Final = (OUTBOX.c.system, OUTBOX.c.listing_key, OUTBOX.c.location)
_KEYED: Final = (
    "correction_id",
    "idempotency_key",
    "run_id",
    "kind",
    "system",
    "listing_key",
    "location",
    "movement_ref",
    "state",
)


class Outbox:
    """Corrections by state. Each method is one transaction of the state store that `begin` opens."""

    def __init__(self, begin: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._begin = begin

    def intend(self, corrections: pl.DataFrame, at: datetime) -> list[str]:
        """Store corrections (CORRECTIONS; `state` planned, held or approved) and return the ids that are new.

        One whose idempotency key is known already is not stored twice: planned or held, it takes the newer verdicts (and stays
        the same correction); superseded before it was sent, it lives again; else it is left as it is. An unsent older `set` of
        the same point is superseded.
        """
        new: list[str] = []
        rows = corrections.select("planned_at", *_KEYED).iter_rows(named=True)
        with self._begin() as db:
            for row, body in zip(rows, to_json(corrections), strict=True):
                values = {**row, "movement_ref": row["movement_ref"] or "", "moved_at": at, "body": body}
                values["planned_at"] = row["planned_at"] or at
                if _store(db, values, at):
                    new.append(row["correction_id"])
        return new

    def advance(self, correction_id: str, from_states: str | Sequence[str], to_state: str, at: datetime, **fields: Any) -> bool:
        """Move one correction on if it is still in `from_states`; `fields` are CORRECTIONS columns to set with it.

        Return False when it was not there any more: somebody else moved it. Raises `ValueError` for a move that is none.
        """
        return bool(self.advance_all([(correction_id, fields)], from_states, to_state, at))

    def advance_all(
        self, moves: Iterable[tuple[str, Mapping[str, Any]]], from_states: str | Sequence[str], to_state: str, at: datetime
    ) -> list[str]:
        """Move several on in one transaction: (correction_id, fields) each. Return the ids that moved."""
        before = [from_states] if isinstance(from_states, str) else list(from_states)
        if wrong := [state for state in before if to_state not in MOVES[state]]:
            raise ValueError(f"a correction never goes from {wrong[0]} to {to_state}")
        moved: list[str] = []
        with self._begin() as db:
            for correction_id, fields in moves:
                chosen = select(OUTBOX.c.body).where(OUTBOX.c.correction_id == correction_id, OUTBOX.c.state.in_(before))
                body = db.execute(chosen.with_for_update()).scalar()
                if body is not None and _move(db, correction_id, body, before, to_state, at, fields):
                    moved.append(correction_id)
        return moved

    def withdraw(self, at: datetime, systems: Sequence[str], keep: Iterable[str] = ()) -> list[str]:
        """Supersede what is unsent of these systems, but for the ids to `keep`. Return the ids superseded."""
        kept = set(keep)
        with self._begin() as db:
            chosen = select(OUTBOX.c.correction_id, OUTBOX.c.body).where(OUTBOX.c.system.in_(systems), OUTBOX.c.state.in_(UNSENT))
            rows = [(str(name), str(body)) for name, body in db.execute(chosen).all() if name not in kept]
            return [name for name, body in rows if _move(db, name, body, UNSENT, S.SUPERSEDED, at, {})]

    def in_state(self, *states: str, system: str = "", run_id: str = "") -> pl.DataFrame:
        """Return CORRECTIONS in these states (all states when none is named), oldest first."""
        chosen = select(OUTBOX.c.body)
        if states:
            chosen = chosen.where(OUTBOX.c.state.in_(states))
        if system:
            chosen = chosen.where(OUTBOX.c.system == system)
        if run_id:
            chosen = chosen.where(OUTBOX.c.run_id == run_id)
        return self._rows(chosen)

    def by_id(self, correction_ids: Sequence[str]) -> pl.DataFrame:
        """Return these CORRECTIONS."""
        return self._rows(select(OUTBOX.c.body).where(OUTBOX.c.correction_id.in_(correction_ids)))

    def open_flights(self) -> pl.DataFrame:
        """Return CORRECTIONS that are sending, accepted or ambiguous: pushes whose end is not known."""
        return self.in_state(*FLYING)

    def changed_since(self, at: datetime) -> pl.DataFrame:
        """Return CORRECTIONS whose state changed at or after `at` (our clock)."""
        return self._rows(select(OUTBOX.c.body).where(OUTBOX.c.moved_at >= at))

    def posted(self) -> pl.DataFrame:
        """Return POSTED: the movements we booked, or may have booked, in a counting system."""
        rows = self._rows(
            select(OUTBOX.c.body).where(OUTBOX.c.kind == CorrectionKind.POST, OUTBOX.c.state.in_([*FLYING, S.VERIFIED]))
        )
        return rows.rename({"to_qty": "units"}).select(POSTED.keys())

    def counts(self, run_id: str = "") -> dict[str, int]:
        """Return how many corrections are in each state, of one run or of all."""
        chosen = select(OUTBOX.c.state, func.count()).group_by(OUTBOX.c.state)
        with self._begin() as db:
            return {row[0]: row[1] for row in db.execute(chosen.where(OUTBOX.c.run_id == run_id) if run_id else chosen)}

    def approve(self, correction_ids: Sequence[str], who: str, at: datetime, note: str = "") -> list[str]:
        """Let a person approve what is planned or held. Return the ids that were."""
        return self._decide(correction_ids, who, "approved", S.APPROVED, at, note)

    def refuse(self, correction_ids: Sequence[str], who: str, at: datetime, note: str = "") -> list[str]:
        """Let a person refuse what is planned, held or approved. Return the ids that were."""
        return self._decide(correction_ids, who, "refused", S.DEAD, at, note)

    def _decide(self, ids: Sequence[str], who: str, decision: str, to_state: str, at: datetime, note: str) -> list[str]:
        before = [state for state in UNSENT if to_state in MOVES[state]]
        with self._begin() as db:
            chosen = select(OUTBOX.c.correction_id, OUTBOX.c.body)
            found = db.execute(chosen.where(OUTBOX.c.correction_id.in_(ids), OUTBOX.c.state.in_(before))).all()
            rows = [(str(name), str(body)) for name, body in found]
            for correction_id, body in rows:
                _move(db, correction_id, body, before, to_state, at, {})
                put(db, APPROVALS, {"correction_id": correction_id}, {"who": who, "decision": decision, "at": at, "note": note})
        return [row[0] for row in rows]

    def _rows(self, chosen: Select[Any]) -> pl.DataFrame:
        with self._begin() as db:
            bodies: Sequence[str] = db.execute(chosen.order_by(OUTBOX.c.planned_at, OUTBOX.c.correction_id)).scalars().all()
        return from_json(bodies, CORRECTIONS)


def _store(db: Connection, values: dict[str, Any], at: datetime) -> bool:
    known = select(OUTBOX).where(
        or_(OUTBOX.c.idempotency_key == values["idempotency_key"], OUTBOX.c.correction_id == values["correction_id"])
    )
    old = db.execute(known).mappings().first()
    if old is not None and old["state"] in (S.PLANNED, S.HELD):
        _refresh(db, old, values, at)
        return False
    if old is not None and not _never_sent(old):
        return False
    if values["kind"] == CorrectionKind.SET:
        same = [column == values[column.name] for column in _POINT]
        unsent = select(OUTBOX.c.correction_id, OUTBOX.c.body).where(
            *same, OUTBOX.c.kind == CorrectionKind.SET, OUTBOX.c.state.in_(UNSENT)
        )
        for correction_id, body in db.execute(unsent).all():
            _move(db, str(correction_id), str(body), UNSENT, S.SUPERSEDED, at, {})
    if old is None:
        db.execute(insert(OUTBOX).values(**values))
    else:
        db.execute(update(OUTBOX).where(OUTBOX.c.idempotency_key == old["idempotency_key"]).values(**values))
    return True


def _refresh(db: Connection, old: RowMapping, values: Mapping[str, Any], at: datetime) -> None:
    """Give an unsent correction its newer verdicts; it keeps its id, its run and when it was first planned."""
    kept = {name: value for name, value in json.loads(old["body"]).items() if name in ("correction_id", "run_id", "planned_at")}
    body = json.dumps({**json.loads(values["body"]), **kept})
    moved_at = at if old["state"] != values["state"] else old["moved_at"]
    mine = OUTBOX.c.correction_id == old["correction_id"]
    db.execute(update(OUTBOX).where(mine).values(state=values["state"], moved_at=moved_at, body=body))


def _never_sent(row: RowMapping) -> bool:
    return row["state"] == S.SUPERSEDED and json.loads(row["body"])["sent_at"] is None


def _move(
    db: Connection, correction_id: str, body: str, before: Sequence[str], to_state: str, at: datetime, fields: Mapping[str, Any]
) -> bool:
    """Compare-and-set on the state; the body keeps in step."""
    if unknown := set(fields) - set(CORRECTIONS):
        raise ValueError(f"corrections have no column {sorted(unknown)[0]!r}")
    plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}
    values = {"state": to_state, "moved_at": at, "body": json.dumps({**json.loads(body), **plain, "state": to_state})}
    found = db.execute(update(OUTBOX).where(OUTBOX.c.correction_id == correction_id, OUTBOX.c.state.in_(before)).values(**values))
    return bool(found.rowcount)
