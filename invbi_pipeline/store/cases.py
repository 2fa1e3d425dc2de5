"""Cases: what people said of findings, who and when. A journal of its own: a run reads it and never writes it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime

import polars as pl
from sqlalchemy import Connection, insert, select

from invbi_pipeline.domain.frames import SAID
from invbi_pipeline.domain.words import Said
from invbi_pipeline.store.state_tables import SAYINGS

__all__ = ["Cases"]


class Cases:
    """What was said, in the order in which it was said. Each method is one transaction that `begin` opens."""

    def __init__(self, begin: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._begin = begin

    def say(self, finding_ids: Sequence[str], kind: Said, value: str, who: str, at: datetime) -> None:
        """Keep what `who` said of these findings, all or none."""
        rows = [
            {"finding_id": name, "kind": str(kind), "value": value, "who": who, "at": at} for name in dict.fromkeys(finding_ids)
        ]
        with self._begin() as db:
            if rows:
                db.execute(insert(SAYINGS), rows)

    def said(self, finding_id: str = "") -> pl.DataFrame:
        """Return SAID of one finding or of all, oldest first."""
        chosen = select(*(SAYINGS.c[name] for name in SAID)).order_by(SAYINGS.c.seq)
        if finding_id:
            chosen = chosen.where(SAYINGS.c.finding_id == finding_id)
        with self._begin() as db:
            return pl.DataFrame([dict(row) for row in db.execute(chosen).mappings()], schema=dict(SAID))
