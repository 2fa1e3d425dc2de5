"""Landing: what one read returned goes through the wall and into `raw`, `raw.batches` and `quarantine`, as one transaction."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

import polars as pl

from invbi_pipeline.domain.frames import QUARANTINE, UTC, WALL, empty, fit
from invbi_pipeline.domain.words import Dataset, FeedVerdict, Quantity
from invbi_pipeline.store.tables import BATCHES
from invbi_pipeline.store.walls import parse
from invbi_pipeline.store.warehouse import Database

__all__ = ["POINTS", "SWEEP", "Batch", "Read", "failed_batch", "land", "landed", "prepare"]

SWEEP: Final = "sweep"  # the whole dataset, or what changed of it
POINTS: Final = "points"  # only the listings that were asked for

# The wall frame that a dataset is named after; the others of the same read are called "<dataset>.<frame>" in quarantine.
_CHIEF: Final[Mapping[str, str]] = {Dataset.ORDERS: "order_lines"}


class Read(Protocol):
    """What landing needs of a channel's reading (`channels.protocol.Reading`)."""

    @property
    def dataset(self) -> Dataset: ...
    @property
    def frames(self) -> Mapping[str, pl.DataFrame]: ...
    @property
    def cursor(self) -> str: ...
    @property
    def full(self) -> bool: ...
    @property
    def complete(self) -> bool: ...
    @property
    def began_at(self) -> datetime: ...
    @property
    def ended_at(self) -> datetime: ...
    @property
    def platform_time(self) -> datetime: ...
    @property
    def requests(self) -> int: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...
    @property
    def rejected(self) -> pl.DataFrame | None: ...


@dataclass(frozen=True, slots=True)
class Batch:
    """A read that passed the wall: typed rows by wall frame, what was put aside, and its verdict once there is one."""

    batch_id: str
    run_id: str
    system: str
    dataset: str
    scope: str
    began_at: datetime
    ended_at: datetime
    platform_time: datetime | None  # null: it was never answered
    cursor: str = ""
    full: bool = False
    complete: bool = False
    requests: int = 0
    warnings: tuple[str, ...] = ()
    rows: Mapping[str, pl.DataFrame] = field(default_factory=dict)  # wall frame -> its typed columns, payload, row_number
    quarantine: pl.DataFrame = field(default_factory=lambda: empty(QUARANTINE))
    verdict: str = FeedVerdict.BELIEVED
    reason: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def landed(self) -> int:
        """How many rows passed the wall, in all frames."""
        return sum(frame.height for frame in self.rows.values())

    @property
    def said(self) -> Mapping[str, pl.DataFrame]:
        """The rows by wall frame, and in stock the points whose number was refused: they are unknown now.

        Without that word the number before it would stand.
        """
        unknown = self._unknown()
        return {**self.rows, "stock": pl.concat([self.frame("stock"), unknown])} if unknown.height else self.rows

    def _unknown(self) -> pl.DataFrame:
        """One row of stock a refused row that names its listing, of whose point this read has no good one."""
        point, good = ["system", "listing_key", "location_key"], self.frame("stock")
        refused = self.quarantine.filter((pl.col("dataset") == Dataset.STOCK) & pl.col("listing_key").is_not_null())
        told = refused.join(good, on=point, how="anti").select(
            *point, "row_number", state=pl.lit(str(Quantity.UNKNOWN)), version=pl.lit("")
        )
        return pl.concat([good.clear(), told], how="diagonal")

    @property
    def believed(self) -> bool:
        return self.verdict == FeedVerdict.BELIEVED

    def frame(self, name: str) -> pl.DataFrame:
        """Return the typed rows of one wall frame; none when the read had no such frame."""
        found = self.rows.get(name)
        return found if found is not None else empty({**WALL[name], "payload": pl.String(), "row_number": pl.Int64()})


def prepare(reading: Read, system: str, run_id: str, batch_id: str, scope: str = SWEEP) -> Batch:
    """Take a read through the wall: typed rows, and in quarantine what breaks a rule or what the channel itself put aside."""
    dataset = str(reading.dataset)
    chief = _CHIEF.get(dataset, dataset)
    latest = max(reading.ended_at, reading.platform_time)  # a platform whose clock is ahead is told of as such
    parsed = {
        name: parse(name, frame, batch_id, system, dataset if name == chief else f"{dataset}.{name}", latest)
        for name, frame in reading.frames.items()
    }
    aside = [one.quarantine for one in parsed.values()]
    if reading.rejected is not None and reading.rejected.height:
        named = reading.rejected.with_columns(pl.lit(batch_id).alias("batch_id"), pl.lit(system).alias("system"))
        aside.append(fit(pl.concat([empty(QUARANTINE), named], how="diagonal_relaxed"), QUARANTINE))
    return Batch(
        batch_id=batch_id,
        run_id=run_id,
        system=system,
        dataset=dataset,
        scope=scope,
        began_at=reading.began_at,
        ended_at=reading.ended_at,
        platform_time=reading.platform_time,
        cursor=reading.cursor,
        full=reading.full,
        complete=reading.complete,
        requests=reading.requests,
        warnings=reading.warnings,
        rows={name: _once(one.rows, name == chief, reading.frames[name]) for name, one in parsed.items()},
        quarantine=pl.concat(aside) if aside else empty(QUARANTINE),
    )


def _once(rows: pl.DataFrame, chief: bool, said: pl.DataFrame) -> pl.DataFrame:
    """A row of a file has one payload: it stands with the chief frame, and the others made of that row go without."""
    return rows if chief or "row_number" not in said.columns else rows.with_columns(payload=pl.lit(None, pl.String))


def failed_batch(
    system: str,
    dataset: str,
    run_id: str,
    batch_id: str,
    reason: str,
    at: datetime,
    verdict: FeedVerdict = FeedVerdict.UNREACHABLE,
) -> Batch:
    """Return the record of a read that got no usable answer: none at all, or (`verdict` truncated) one cut short."""
    return Batch(batch_id, run_id, system, dataset, SWEEP, at, at, None, verdict=verdict, reason=reason)


def land(database: Database, batches: Sequence[Batch], at: datetime) -> None:
    """Write the batches: rows, quarantine and records. `at` is our clock. Landing a batch id twice replaces it."""
    if not batches:
        return
    ids = [batch.batch_id for batch in batches]
    known = database.query("SELECT count(*) AS n FROM raw.batches WHERE batch_id IN (SELECT unnest($ids))", {"ids": ids})["n"][0]
    if known:
        for table in (*(f"raw.{name}" for name in WALL), "quarantine.rows", "raw.batches"):
            database.execute(f"DELETE FROM {table} WHERE batch_id IN (SELECT unnest($ids))", {"ids": ids})
    told = [(batch, batch.said) for batch in batches]
    for name, schema in WALL.items():
        parts = [
            said[name].with_columns(pl.lit(batch.batch_id).alias("batch_id"), pl.lit(at).cast(UTC).alias("landed_at"))
            for batch, said in told
            if name in said
        ]
        if parts:
            database.append(f"raw.{name}", pl.concat(parts).select(*schema, "payload", "batch_id", "row_number", "landed_at"))
    database.append("quarantine.rows", pl.concat([batch.quarantine for batch in batches]))
    first = database.query("SELECT coalesce(max(seq), 0) + 1 AS seq FROM raw.batches")["seq"][0]
    records = [_record(batch, first + n, at) for n, batch in enumerate(batches)]
    database.append("raw.batches", pl.DataFrame(records, schema=dict(BATCHES)))


def landed(database: Database, batch_ids: Sequence[str]) -> list[Batch]:
    """Return believed batches as they landed, in that order: their rows and clocks, without payload or quarantine."""
    chosen = {"ids": list(batch_ids)}
    columns = "batch_id, run_id, system, dataset, scope, began_at, ended_at, platform_time, cursor, is_full AS full, complete"
    said = database.query(
        f"SELECT {columns} FROM raw.batches WHERE batch_id IN (SELECT unnest($ids)) AND verdict = 'believed' ORDER BY seq", chosen
    )
    rows: dict[str, dict[str, pl.DataFrame]] = {batch_id: {} for batch_id in said["batch_id"]}
    for name, schema in WALL.items():
        found = database.query(f"SELECT * FROM raw.{name} WHERE batch_id IN (SELECT unnest($ids))", chosen)
        for (batch_id,), part in found.partition_by("batch_id", as_dict=True).items():
            if str(batch_id) in rows:
                rows[str(batch_id)][name] = part.select(*schema, "payload", "row_number")
    return [Batch(**row, rows=rows[row["batch_id"]]) for row in said.iter_rows(named=True)]


def _record(batch: Batch, seq: int, at: datetime) -> dict[str, object]:
    return {
        "batch_id": batch.batch_id,
        "seq": seq,
        "run_id": batch.run_id,
        "system": batch.system,
        "dataset": batch.dataset,
        "scope": batch.scope,
        "verdict": str(batch.verdict),
        "reason": batch.reason,
        "rows": batch.landed + batch.quarantine.height,
        "landed": batch.landed,
        "quarantined": batch.quarantine.height,
        "cursor": batch.cursor,
        "is_full": batch.full,
        "complete": batch.complete,
        "began_at": batch.began_at,
        "ended_at": batch.ended_at,
        "platform_time": batch.platform_time,
        "landed_at": at,
        "requests": batch.requests,
        "warnings": json.dumps(list(batch.warnings), ensure_ascii=False),
        "metrics": json.dumps(dict(batch.metrics), ensure_ascii=False, default=str),
        "pruned": False,
    }
