"""A channel that answers from a script: the protocol's smallest honest speaker, on a clock that tests turn."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from invbi_pipeline.channels.protocol import Event, Facts, Health, Reading, Write, WriteOutcome, WriteResult
from invbi_pipeline.domain.frames import WALL
from invbi_pipeline.domain.words import Basis, Dataset
from invbi_pipeline.errors import Refused

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
DATASETS = (Dataset.LISTINGS, Dataset.STOCK, Dataset.ORDERS)


class TurnedClock:
    """A clock that stands still until it is turned."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def wall(name: str, system: str, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return a wall frame of text from rows that name only what matters."""
    columns = [*WALL[name], "payload"]
    defaults = {
        "system": system,
        "payload": "{}",
        "location_key": "",
        "status": "active",
        "fulfilment": "merchant",
        "state": "known",
    }
    texts = [{c: _text(row.get(c, defaults.get(c))) for c in columns} for row in rows]
    return pl.DataFrame(texts, schema=dict.fromkeys(columns, pl.String()))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.isoformat() if isinstance(value, datetime) else str(value)


class ScriptedChannel:
    """Says `frames` (wall frame -> rows) until told otherwise; `trouble` is raised by the dataset it names."""

    def __init__(self, system: str, clock: TurnedClock, datasets: Sequence[Dataset] = DATASETS) -> None:
        self.system = system
        self.clock = clock
        self.frames: dict[str, list[dict[str, Any]]] = {}
        self.trouble: dict[Dataset, Exception] = {}
        self.full = True
        self.complete = True
        self.asked: list[tuple[str, str]] = []
        self.facts = Facts(
            platform="square",
            datasets=frozenset(datasets),
            basis=Basis.NET,
            per_location=True,
            writes=frozenset(),
            write_batch=1,
            compare_and_set=False,
            version_is_ordered=True,
            bulk_above=10**9,
            limits=(),
            overlap=timedelta(0),
            order_lag=timedelta(seconds=60),
            read_lag=timedelta(seconds=5),
            visibility_lag=timedelta(seconds=60),
            secrets={},
        )

    async def read(self, dataset: Dataset, since: str = "") -> Reading:
        self.asked.append((str(dataset), since))
        if dataset in self.trouble:
            raise self.trouble[dataset]
        names = ("order_lines", "effects", "movements") if dataset is Dataset.ORDERS else (str(dataset),)
        frames = {name: wall(name, self.system, self.frames.get(name, [])) for name in names}
        now = self.clock.now()
        return Reading(dataset, frames, now.isoformat(), self.full, self.complete, now, now, now, requests=1)

    async def read_back(self, points: Sequence[tuple[str, str]]) -> Reading:
        rows = [row for row in self.frames["stock"] if (row["listing_key"], row.get("location_key", "")) in set(points)]
        now = self.clock.now()
        return Reading(Dataset.STOCK, {"stock": wall("stock", self.system, rows)}, "", False, True, now, now, now, requests=1)

    async def check(self) -> Health:
        return Health(self.system, ())

    async def write(self, writes: Sequence[Write]) -> AsyncIterator[WriteResult]:
        for write in writes:
            yield WriteResult(write.correction_id, WriteOutcome.REJECTED, None)

    def parse_event(self, headers: Mapping[str, str], body: bytes, url: str) -> Event:
        raise Refused(f"{self.system} sends no events")

    async def aclose(self) -> None:
        return None
