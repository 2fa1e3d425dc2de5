"""The outbox: every correction from the intent to the proof. What is to be sent is stored here before anything is sent.

States: planned, held, approved, sending, accepted, verified | rejected, ambiguous, mismatched, superseded, dead.
A correction moves only along `MOVES`, by compare-and-set on its state, so that two workers never send the same one.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Final

import polars as pl
from sqlalchemy import Column, Connection, Select, bindparam, func, insert, select, update

from invbi_pipeline.domain.frames import CORRECTIONS, DECIDED, POSTED
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
_MOST_ASKED: Final = 500  # keys named in one question; beyond it all are read
FLYING: Final = (S.SENDING, S.ACCEPTED, S.AMBIGUOUS)

_MOVE: Final = (
    update(OUTBOX)
    .where(OUTBOX.c.correction_id == bindparam("mine"))
    .values(state=bindparam("new_state"), moved_at=bindparam("new_moved_at"), body=bindparam("new_body"))
)
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
        rows = corrections.select("planned_at", *_KEYED).iter_rows(named=True)
        with self._begin() as db:
            _lock(db)
            intents = _Intents(db, corrections, at)
            for row, body in zip(rows, to_json(corrections), strict=True):
                values = {**row, "movement_ref": row["movement_ref"] or "", "moved_at": at, "body": body}
                intents.take({**values, "planned_at": row["planned_at"] or at})
            return intents.write()

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
        wanted = dict(moves)
        if not wanted:
            return []
        with self._begin() as db:
            _lock(db)
            bodies: dict[str, str] = {}
            for ids in _parts(list(wanted)):
                mine = (OUTBOX.c.correction_id.in_(ids), OUTBOX.c.state.in_(before))
                chosen = select(OUTBOX.c.correction_id, OUTBOX.c.body).where(*mine).with_for_update()
                bodies |= {str(name): str(body) for name, body in db.execute(chosen)}
            moved = [name for name in wanted if name in bodies]
            if moved:
                db.execute(_MOVE, [_moved(name, bodies[name], to_state, at, wanted[name]) for name in moved])
        return moved

    def turn_away(self, correction_id: str, at: datetime, said: Mapping[str, Any], *, most: int | None) -> bool:
        """Take one back that was being sent and moved nothing: it is approved again, and remembers what it was told.

        `most`: it counts as an attempt in vain, and with so many it is dead instead; None: it was no fault of its own. Return
        whether it is dead. What was never sent keeps no time of sending.
        """
        before = (S.SENDING, S.AMBIGUOUS)
        mine = OUTBOX.c.correction_id == correction_id
        with self._begin() as db:
            row = db.execute(select(OUTBOX.c.body, OUTBOX.c.attempts).where(mine, OUTBOX.c.state.in_(before)).with_for_update())
            found = row.first()
            if found is None:
                return False
            attempts = int(found[1]) + (most is not None)
            dead = most is not None and attempts >= most
            kept = said if dead else {**said, "sent_at": None}
            if not _move(db, correction_id, str(found[0]), before, S.DEAD if dead else S.APPROVED, at, kept):
                return False
            db.execute(update(OUTBOX).where(mine).values(attempts=attempts))
        return dead

    def sent_since(self, system: str, since: datetime) -> pl.DataFrame:
        """Return the CORRECTIONS of a system that left the house at or after `since` (our clock), however they ended."""
        left = [state for state in S if state not in UNSENT]
        chosen = select(OUTBOX.c.body).where(OUTBOX.c.system == system, OUTBOX.c.state.in_(left), OUTBOX.c.moved_at >= since)
        return self._rows(chosen).filter(pl.col("sent_at") >= since)

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
        with self._begin() as db:
            mine = (OUTBOX.c.correction_id.in_(ids) for ids in _parts(correction_ids))
            asked = [select(OUTBOX.c.planned_at, OUTBOX.c.correction_id, OUTBOX.c.body).where(one) for one in mine]
            found = [row for chosen in asked for row in db.execute(chosen)]
        return from_json([str(row[2]) for row in sorted(found, key=lambda row: (row[0], row[1]))], CORRECTIONS)

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

    def decided(self, correction_ids: Sequence[str] | None = None, since: datetime | None = None) -> pl.DataFrame:
        """Return DECIDED: what people said of these corrections (all when None), since a time (our clock) if one is named."""
        every = select(APPROVALS) if since is None else select(APPROVALS).where(APPROVALS.c.at >= since)
        parts: list[Sequence[str] | None] = [None] if correction_ids is None else [*_parts(correction_ids)]
        with self._begin() as db:
            asked = [every if part is None else every.where(APPROVALS.c.correction_id.in_(part)) for part in parts]
            rows = [dict(row) for chosen in asked for row in db.execute(chosen).mappings()]
        return pl.DataFrame(rows, schema=dict(DECIDED))

    def landed_last(self, points: pl.DataFrame, states: Sequence[str]) -> pl.DataFrame:
        """Return the CORRECTIONS in these states at `points` (system, listing_key, location), sets and posts."""
        chosen = select(OUTBOX.c.body).where(OUTBOX.c.state.in_(states))
        if points.height <= _MOST_ASKED:
            keys = list(points.select("listing_key").unique().to_series())
            chosen = chosen.where(OUTBOX.c.listing_key.in_(keys))
        return self._rows(chosen).join(points, on=["system", "listing_key", "location"], how="semi")

    def unsent(self, things: pl.DataFrame) -> pl.DataFrame:
        """Return the CORRECTIONS of these listings (system, listing_key) that were not sent yet."""
        chosen = select(OUTBOX.c.body).where(OUTBOX.c.state.in_(UNSENT))
        if things.height <= _MOST_ASKED:
            chosen = chosen.where(OUTBOX.c.listing_key.in_(things["listing_key"].unique().to_list()))
        return self._rows(chosen).join(things, on=["system", "listing_key"], how="semi")

    def undoings(self) -> pl.DataFrame:
        """Return the CORRECTIONS that take another one back."""
        return self._rows(select(OUTBOX.c.body).where(OUTBOX.c.idempotency_key.startswith("undo|", autoescape=True)))

    def _rows(self, chosen: Select[Any]) -> pl.DataFrame:
        with self._begin() as db:
            bodies: Sequence[str] = db.execute(chosen.order_by(OUTBOX.c.planned_at, OUTBOX.c.correction_id)).scalars().all()
        return from_json(bodies, CORRECTIONS)


class _Intents:
    """The corrections of one plan on their way into the outbox, which nobody else changes meanwhile."""

    def __init__(self, db: Connection, corrections: pl.DataFrame, at: datetime) -> None:
        self._db = db
        self._at = at
        self._new: list[dict[str, Any]] = []
        self._again: list[dict[str, Any]] = []
        self._changed: list[dict[str, Any]] = []
        self._by_key: dict[str, Mapping[str, Any]] = {}
        self._by_id: dict[str, Mapping[str, Any]] = {}
        self._ask(OUTBOX.c.idempotency_key, corrections["idempotency_key"].to_list())
        unknown = corrections.filter(~pl.col("idempotency_key").is_in(list(self._by_key)))
        self._ask(OUTBOX.c.correction_id, unknown["correction_id"].to_list())
        self._unsent: dict[tuple[str, ...], list[tuple[str, str]]] = {}
        systems = corrections["system"].unique().to_list()
        sets = (OUTBOX.c.kind == CorrectionKind.SET, OUTBOX.c.state.in_(UNSENT), OUTBOX.c.system.in_(systems))
        for row in db.execute(select(*_POINT, OUTBOX.c.correction_id, OUTBOX.c.body).where(*sets)):
            self._unsent.setdefault((row[0], row[1], row[2]), []).append((row[3], row[4]))

    def take(self, values: dict[str, Any]) -> None:
        """Judge one intent by what is known of its key and of its point."""
        old = self._by_key.get(values["idempotency_key"]) or self._by_id.get(values["correction_id"])
        if old is not None and old["state"] in (S.PLANNED, S.HELD):
            self._changed.append(_refreshed(old, values, self._at))
            return
        if old is not None and not _never_sent(old):
            return
        if values["kind"] == CorrectionKind.SET:
            point = tuple(str(values[column.name]) for column in _POINT)
            for name, body in self._unsent.get(point, ()):
                self._changed.append(_moved(name, body, S.SUPERSEDED, self._at, {}))
            self._unsent[point] = [(values["correction_id"], values["body"])]
        (self._new if old is None else self._again).append(values)
        self._know(values)

    def write(self) -> list[str]:
        """Write all down; return the ids that are new or live again."""
        if self._new:
            self._db.execute(insert(OUTBOX), self._new)
        for values in self._again:
            mine = OUTBOX.c.idempotency_key == values["idempotency_key"]
            self._db.execute(update(OUTBOX).where(mine).values(**values))
        if self._changed:
            self._db.execute(_MOVE, self._changed)
        return [values["correction_id"] for values in (*self._new, *self._again)]

    def _ask(self, column: Column[Any], values: Sequence[str]) -> None:
        for some in _parts(values):
            for row in self._db.execute(select(OUTBOX).where(column.in_(some))).mappings():
                self._know(dict(row))

    def _know(self, row: Mapping[str, Any]) -> None:
        self._by_key[row["idempotency_key"]] = self._by_id[row["correction_id"]] = row


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    return (values[start : start + _MOST_ASKED] for start in range(0, len(values), _MOST_ASKED))


def _lock(db: Connection) -> None:
    """Let nobody else write until this transaction ends: SQLite takes its lock with the first change, not with a question."""
    db.execute(update(OUTBOX).where(OUTBOX.c.correction_id == "").values(attempts=0))


def _refreshed(old: Mapping[str, Any], values: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """Give an unsent correction its newer verdicts; it keeps its id, its run and when it was first planned."""
    kept = {name: value for name, value in json.loads(old["body"]).items() if name in ("correction_id", "run_id", "planned_at")}
    body = json.dumps({**json.loads(values["body"]), **kept})
    moved_at = at if old["state"] != values["state"] else old["moved_at"]
    return {"mine": old["correction_id"], "new_state": values["state"], "new_moved_at": moved_at, "new_body": body}


def _never_sent(row: Mapping[str, Any]) -> bool:
    return row["state"] == S.SUPERSEDED and json.loads(row["body"])["sent_at"] is None


def _move(
    db: Connection, correction_id: str, body: str, before: Sequence[str], to_state: str, at: datetime, fields: Mapping[str, Any]
) -> bool:
    """Compare-and-set on the state; the body keeps in step."""
    row = _moved(correction_id, body, to_state, at, fields)
    values = {"state": row["new_state"], "moved_at": row["new_moved_at"], "body": row["new_body"]}
    found = db.execute(update(OUTBOX).where(OUTBOX.c.correction_id == correction_id, OUTBOX.c.state.in_(before)).values(**values))
    return bool(found.rowcount)


def _moved(correction_id: str, body: str, to_state: str, at: datetime, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `_MOVE` writes: the state as a column and within the body."""
    if unknown := set(fields) - set(CORRECTIONS):
        raise ValueError(f"corrections have no column {sorted(unknown)[0]!r}")
    plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}
    after = json.dumps({**json.loads(body), **plain, "state": to_state})
    return {"mine": correction_id, "new_state": to_state, "new_moved_at": at, "new_body": after}
