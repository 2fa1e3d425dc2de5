"""The inbox: webhook deliveries, on disk before they are acknowledged and marked once they were worked on."""

import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl
from sqlalchemy import Connection, bindparam, delete, func, or_, select, update

from invbi_pipeline.domain.frames import UTC
from invbi_pipeline.store.rows import inserting
from invbi_pipeline.store.state_tables import INBOX

__all__ = ["DELAY_ROWS", "DELIVERY_ROWS", "WORKED_ROWS", "Delivery", "Inbox"]

DELIVERY_ROWS: Final = {
    "system": pl.String(),
    "listing_keys": pl.List(pl.String()),
    "order_ids": pl.List(pl.String()),
    "received_at": UTC,
}
WORKED_ROWS: Final = {**DELIVERY_ROWS, "done_at": UTC}
DELAY_ROWS: Final = {"system": pl.String(), "waiting": pl.Int64(), "waiting_since": UTC}
_MOST_ASKED: Final = 500  # ids in one question


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook delivery that waits to be worked on."""

    system: str
    delivery_id: str
    topic: str
    received_at: datetime
    listing_keys: tuple[str, ...] = ()
    order_ids: tuple[str, ...] = ()
    occurred_at: datetime | None = None


class Inbox:
    """Deliveries by (system, delivery_id). Each method is one transaction of the state store that `begin` opens."""

    def __init__(self, begin: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._begin = begin

    def receive(self, deliveries: Sequence[Delivery]) -> list[bool]:
        """Store deliveries, all or none, before they are acknowledged; say of each whether it is new.

        One commit to disk (fsync) serves all of them, which is why a busy receiver hands over many at once.
        """
        rows = [_row(one) for one in deliveries]
        known: set[tuple[str, str]] = set()
        with self._begin() as db:
            insert = inserting(db, INBOX).on_conflict_do_nothing().returning(INBOX.c.system, INBOX.c.delivery_id)
            if rows:  # as parameters, not as values: the statement is then compiled once for all batches
                known.update((row.system, row.delivery_id) for row in db.execute(insert, rows))
        new = []
        for one in deliveries:  # of two with one id the first is the new one
            key = (one.system, one.delivery_id)
            new.append(key in known)
            known.discard(key)
        return new

    def waiting(self, limit: int = 1000, system: str = "") -> list[Delivery]:
        """Return deliveries not worked on yet, oldest first; of one system where one is named."""
        chosen = select(INBOX).where(INBOX.c.done_at.is_(None)).order_by(INBOX.c.received_at).limit(limit)
        chosen = chosen.where(INBOX.c.system == system) if system else chosen
        with self._begin() as db:
            rows = db.execute(chosen).mappings().all()
        return [_delivery(dict(row)) for row in rows]

    def newest(self) -> list[Delivery]:
        """Return of each system of which deliveries wait the newest of them, by system."""
        waits = INBOX.c.done_at.is_(None)
        named = select(INBOX.c.system).where(waits).distinct().order_by(INBOX.c.system)
        newest_first = select(INBOX).where(waits).order_by(INBOX.c.received_at.desc(), INBOX.c.delivery_id.desc()).limit(1)
        with self._begin() as db:
            systems: Sequence[str] = db.execute(named).scalars().all()
            rows = [db.execute(newest_first.where(INBOX.c.system == system)).mappings().first() for system in systems]
        return [_delivery(dict(row)) for row in rows if row is not None]  # none: it was done this moment

    def fresh(self, limit: int, known: Mapping[str, Container[str]]) -> list[Delivery]:
        """Return of each system named in `known` those of its `limit` oldest waiting deliveries whose ids are not known.

        Each system's come oldest first. Whoever asks again and again has most of them in hand: only the others are read whole.
        """
        with self._begin() as db:
            rows = [row for system, ids in known.items() for row in _fresh_of(db, system, limit, ids)]
        return [_delivery(row) for row in rows]

    def done(self, deliveries: Iterable[Delivery], at: datetime) -> None:
        """Mark deliveries as worked on."""
        mine = update(INBOX).where(INBOX.c.system == bindparam("s"), INBOX.c.delivery_id == bindparam("d")).values(done_at=at)
        if keys := [{"s": one.system, "d": one.delivery_id} for one in deliveries]:
            with self._begin() as db:
                db.execute(mine, keys)

    def held(self, system: str = "", since: datetime | None = None) -> pl.DataFrame:
        """Return DELIVERY_ROWS: the deliveries still known, worked on or not, with when they came (our clock).

        Of one system where one is named, and of those that came at `since` or later.
        """
        chosen = select(INBOX.c.system, INBOX.c.body, INBOX.c.received_at)
        chosen = chosen.where(INBOX.c.system == system) if system else chosen
        chosen = chosen if since is None else chosen.where(INBOX.c.received_at >= since)
        with self._begin() as db:
            rows = db.execute(chosen).mappings().all()
        said = [{**json.loads(row["body"]), "system": row["system"], "received_at": row["received_at"]} for row in rows]
        return pl.DataFrame(said, schema=DELIVERY_ROWS)

    def worked(self, after: datetime, until: datetime) -> pl.DataFrame:
        """Return WORKED_ROWS: the deliveries that were done later than `after`, and not later than `until`."""
        chosen = select(INBOX.c.system, INBOX.c.body, INBOX.c.received_at, INBOX.c.done_at)
        with self._begin() as db:
            rows = db.execute(chosen.where(INBOX.c.done_at > after, INBOX.c.done_at <= until)).mappings().all()
        said = [{**json.loads(row["body"]), **{name: row[name] for name in ("system", "received_at", "done_at")}} for row in rows]
        return pl.DataFrame(said, schema=WORKED_ROWS)

    def delayed(self, at: datetime, longer_than: timedelta) -> pl.DataFrame:
        """Return DELAY_ROWS: of each system how many deliveries had waited for longer than this `at` that time, and since when.

        What was done at that time or later waited then.
        """
        waited = (INBOX.c.received_at < at - longer_than, or_(INBOX.c.done_at.is_(None), INBOX.c.done_at >= at))
        counted = select(INBOX.c.system, func.count().label("waiting"), func.min(INBOX.c.received_at).label("waiting_since"))
        with self._begin() as db:
            rows = db.execute(counted.where(*waited).group_by(INBOX.c.system).order_by(INBOX.c.system)).mappings().all()
        return pl.DataFrame([dict(row) for row in rows], schema=DELAY_ROWS)

    def forget(self, before: datetime) -> int:
        """Drop deliveries worked on before this time (a platform's retry window must have passed). Return how many."""
        with self._begin() as db:
            return db.execute(delete(INBOX).where(INBOX.c.done_at < before)).rowcount


def _row(delivery: Delivery) -> dict[str, Any]:
    body = {
        "listing_keys": delivery.listing_keys,
        "order_ids": delivery.order_ids,
        "occurred_at": delivery.occurred_at.isoformat() if delivery.occurred_at else None,
    }
    return {
        "system": delivery.system,
        "delivery_id": delivery.delivery_id,
        "topic": delivery.topic,
        "body": json.dumps(body),
        "received_at": delivery.received_at,
        "done_at": None,
    }


def _fresh_of(db: Connection, system: str, limit: int, known: Container[str]) -> Iterator[Mapping[str, Any]]:
    mine = (INBOX.c.done_at.is_(None), INBOX.c.system == system)
    ids = select(INBOX.c.delivery_id).where(*mine).order_by(INBOX.c.received_at).limit(limit)
    found: Sequence[str] = db.execute(ids).scalars().all()
    new = [name for name in found if name not in known]
    for start in range(0, len(new), _MOST_ASKED):
        asked = select(INBOX).where(*mine, INBOX.c.delivery_id.in_(new[start : start + _MOST_ASKED]))
        yield from (dict(row) for row in db.execute(asked.order_by(INBOX.c.received_at)).mappings().all())


def _delivery(row: Mapping[str, Any]) -> Delivery:
    body = json.loads(row["body"])
    happened = body["occurred_at"]
    return Delivery(
        row["system"],
        row["delivery_id"],
        row["topic"],
        row["received_at"],
        tuple(body["listing_keys"]),
        tuple(body["order_ids"]),
        datetime.fromisoformat(happened) if happened else None,
    )
