"""Decisions: which sku a person said a listing is, or is not. A journal: a run reads it and never writes it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

import polars as pl
from sqlalchemy import Connection, insert, select

from invbi_pipeline.domain.frames import DECISIONS
from invbi_pipeline.domain.words import Decision
from invbi_pipeline.store.state_tables import MAPPING_DECISIONS

__all__ = ["Decisions"]


class Decisions:
    """What people decided, in the order in which they did. Each method is one transaction that `begin` opens."""

    def __init__(self, begin: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._begin = begin

    def decide(
        self,
        system: str,
        listing_key: str,
        sku: str,
        decision: Decision,
        who: str,
        at: datetime,
        units: int = 1,
        since: datetime | None = None,
    ) -> None:
        """Keep that `who` said that the listing is (`units` of), or is not, this sku, where told only since a time."""
        row = {
            "system": system,
            "listing_key": listing_key,
            "sku": sku,
            "units": units,
            "decision": str(decision),
            "who": who,
            "decided_at": at,
            "since": since,
        }
        with self._begin() as db:
            db.execute(insert(MAPPING_DECISIONS), [row])

    def all(self) -> pl.DataFrame:
        """Return DECISIONS, oldest first."""
        chosen = select(*(MAPPING_DECISIONS.c[name] for name in DECISIONS)).order_by(MAPPING_DECISIONS.c.seq)
        with self._begin() as db:
            return pl.DataFrame([dict(row) for row in db.execute(chosen).mappings()], schema=dict(DECISIONS))
