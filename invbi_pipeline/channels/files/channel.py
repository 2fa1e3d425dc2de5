"""The channel `files`: read-only, one `FileSource` a dataset, every row of every file accounted for."""

import asyncio
import glob
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from invbi_pipeline.channels.files import frames
from invbi_pipeline.channels.files.rows import COLUMNS, NAMED, WORDS, Rows, judged, named
from invbi_pipeline.channels.files.tables import REJECTED, read_table
from invbi_pipeline.channels.protocol import Clock, Event, Facts, Health, Reading, Write, WriteOutcome, WriteResult
from invbi_pipeline.config import FileSource, SystemConfig
from invbi_pipeline.config.sections import time_zones
from invbi_pipeline.domain.words import Basis, Dataset
from invbi_pipeline.errors import ConfigError, InvbiError, Refused, Unreachable

__all__ = ["FACTS", "FilesChannel"]

# Nobody publishes facts of an unknown exporter: the floors are what a careful merchant would assume of a scheduled export, and
# `order_lag_s`, `read_lag_s` and `visibility_lag_s` of the system replace them.
FACTS: Final = Facts(
    platform="files",
    datasets=frozenset({Dataset.LISTINGS, Dataset.STOCK, Dataset.ORDERS, Dataset.MOVEMENTS}),
    basis=Basis.NET,
    per_location=True,
    writes=frozenset(),
    write_batch=1,
    compare_and_set=False,
    version_is_ordered=False,
    bulk_above=0,  # a file is always read whole
    limits=(),
    overlap=timedelta(0),
    order_lag=timedelta(minutes=15),
    read_lag=timedelta(0),
    visibility_lag=timedelta(0),
    secrets={},
)


@dataclass(frozen=True, slots=True)
class _Loaded:
    rows: Rows
    cursor: str
    exported_at: datetime


class FilesChannel:
    """A system whose numbers arrive as files in a folder.

    `folder` is where relative paths start. Raises `ConfigError`, with every problem at once, when a source maps columns or
    words that its dataset does not know, or leaves out one it cannot do without.
    """

    def __init__(self, system: str, system_config: SystemConfig, folder: Path, clock: Clock) -> None:
        self.system = system
        self._sources = {Dataset(name): source for name, source in system_config.files.items()}
        problems = [p for dataset, source in self._sources.items() for p in _problems(system, dataset, source)]
        if problems:
            raise ConfigError(f"The files of system {system} cannot be read as configured.", problems)
        self._folder = folder
        self._clock = clock
        self._loaded: dict[Dataset, _Loaded] = {}
        readable = set(self._sources)
        if readable & {Dataset.STOCK, Dataset.ORDERS}:
            readable.add(Dataset.LISTINGS)
        stock = self._sources.get(Dataset.STOCK)
        placed = stock is not None and "location_key" in {*stock.columns, *stock.constants}
        self.facts = replace(FACTS, datasets=frozenset(readable), basis=system_config.basis, per_location=placed)

    async def check(self) -> Health:
        """Read every configured file; say which cannot be read and how many listings they name."""
        rows, listings = [], None
        for dataset in sorted(self.facts.datasets):
            try:
                reading = await self.read(dataset)
            except InvbiError as trouble:
                rows.append((f"files: {dataset}", False, str(trouble)))
                continue
            noted = f" ({'; '.join(reading.warnings)})" if reading.warnings else ""
            rows.append((f"files: {dataset}{noted}", True, ""))
            if dataset is Dataset.LISTINGS:
                listings = reading.frames["listings"]["listing_key"].n_unique()
        return Health(self.system, tuple(rows), listings=listings)

    async def read(self, dataset: Dataset, since: str = "") -> Reading:
        """Read one dataset, always whole; an unchanged file gives the cursor it gave before.

        Raises `Unreachable` when the file is missing or still being written, `BadAnswer` when it cannot be read.
        """
        began = self._clock.now()
        if dataset not in self.facts.datasets:
            raise Refused(
                f"System {self.system} exports no {dataset}: its configuration names no file for it.", code="no_such_dataset"
            )
        if dataset in self._sources:
            loaded = await asyncio.to_thread(self._load, dataset)
            made = _FRAMES[dataset](loaded.rows.good, self.system)
            self._loaded.pop(dataset, None)  # what derives listings from it is read before it; it is most of the memory
            parts = [loaded]
        else:  # listings that nobody exports are what the stock report and the orders name
            sources = {d: await asyncio.to_thread(self._load, d) for d in (Dataset.STOCK, Dataset.ORDERS) if d in self._sources}
            good = {d: loaded.rows.good for d, loaded in sources.items()}
            made = {"listings": frames.derived_listings(self.system, good.get(Dataset.STOCK), good.get(Dataset.ORDERS))}
            parts = list(sources.values())
        rejected = parts[0].rows.rejected if dataset in self._sources else pl.DataFrame(schema=REJECTED)
        return Reading(
            dataset=dataset,
            frames=made,
            cursor="+".join(part.cursor for part in parts),
            full=True,
            complete=True,
            began_at=began,
            ended_at=self._clock.now(),
            platform_time=min(part.exported_at for part in parts),
            warnings=self._warnings(dataset, made),
            rejected=rejected.select(pl.lit(dataset.value).alias("dataset"), *REJECTED),
        )

    async def read_back(self, points: Sequence[tuple[str, str]]) -> Reading:
        """The stock of these points as the newest export has it."""
        reading = await self.read(Dataset.STOCK)
        wanted = pl.DataFrame(list(points), schema={"listing_key": pl.String, "location_key": pl.String}, orient="row")
        stock = reading.frames["stock"].join(wanted, on=["listing_key", "location_key"], how="semi", maintain_order="left")
        return replace(reading, frames={"stock": stock}, full=False, rejected=None)

    async def write(self, writes: Sequence[Write]) -> AsyncIterator[WriteResult]:
        """Refuse every correction: an export cannot be written to."""
        for write in writes:
            yield WriteResult(
                write.correction_id,
                WriteOutcome.REJECTED,
                None,
                code="read_only",
                message=f"System {self.system} only exports files; enter this change in it by hand.",
            )

    def parse_event(self, headers: Mapping[str, str], body: bytes, url: str) -> Event:
        """Refuse: files send no webhooks."""
        raise Refused(f"System {self.system} reads files and accepts no webhooks.", code="no_webhooks")

    async def aclose(self) -> None:
        """Forget what was read."""
        self._loaded.clear()

    def _warnings(self, dataset: Dataset, made: Mapping[str, pl.DataFrame]) -> tuple[str, ...]:
        source = self._sources.get(dataset)
        if dataset is not Dataset.ORDERS or source is None:
            return ()
        told = []
        if not {"updated_at", "cancelled_at", "as_of"} & set(source.columns):
            told.append("this export does not date its cancellations and shipments: they bear the time of their order")
        if "line_id" not in source.columns and (twice := frames.taken_apart(made["order_lines"])):
            lines = "1 order line repeats" if twice == 1 else f"{twice:,} order lines repeat"
            whose = "its" if twice == 1 else "their"
            mend = "each holds units of its own; where a line was only changed, map line_id or set keep_last"
            told.append(f"{lines} the code of another line of {whose} order: {mend}")
        return tuple(told)

    def _load(self, dataset: Dataset) -> _Loaded:
        """Read and judge a dataset's files, or take them from memory where nothing changed on disk."""
        source = self._sources[dataset]
        contents = {path: _content(path) for path in self._matches(dataset, source)}
        cursor = ",".join(f"{digest}@{mtime}" for _, digest, mtime in contents.values())
        before = self._loaded.get(dataset)
        if before is not None and before.cursor == cursor:
            return before
        frames_, outside = [], []
        for path, (content, _, _) in contents.items():
            table = read_table(path, content, source)
            file = path.name if len(contents) > 1 else ""
            frames_.append(named(table, source, file))
            outside.append(_with_file(table.rejected, file))
        frame = pl.concat(frames_)
        rows = judged(frame, source, dataset)
        rows.rejected = pl.concat([rows.rejected, *outside]).sort("row_number", maintain_order=True)
        written_at = datetime.fromtimestamp(max(mtime for _, _, mtime in contents.values()) / 1e9, UTC)
        loaded = _Loaded(rows, cursor, _exported_at(frame) or written_at)
        self._loaded[dataset] = loaded
        return loaded

    def _matches(self, dataset: Dataset, source: FileSource) -> list[Path]:
        """The files to read, oldest first."""
        pattern = str(self._folder / source.path)
        found = [Path(pattern)] if Path(pattern).is_file() else [Path(p) for p in glob.glob(pattern) if Path(p).is_file()]
        if not found:
            raise Unreachable(
                f"System {self.system} has no file {source.path} for {dataset}. The last good data stay; export it again."
            )
        found.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
        return found if source.all_matches else found[-1:]


_FRAMES: Final[Mapping[Dataset, Callable[[pl.DataFrame, str], dict[str, pl.DataFrame]]]] = {
    Dataset.LISTINGS: lambda rows, system: {"listings": frames.listings(rows, system)},
    Dataset.STOCK: lambda rows, system: {"stock": frames.stock(rows, system)},
    Dataset.ORDERS: frames.orders,
    Dataset.MOVEMENTS: lambda rows, system: {"movements": frames.movements(rows, system)},
}


def _content(path: Path) -> tuple[bytes, str, int]:
    """Bytes, fingerprint and change time; a file that changed while it was read is left for the next look."""
    try:
        before = path.stat().st_mtime_ns
        content = path.read_bytes()
        after = path.stat().st_mtime_ns
    except OSError as trouble:
        raise Unreachable(f"{path.name} cannot be read: {trouble.strerror}. The last good data stay.") from trouble
    if before != after:
        raise Unreachable(f"{path.name} is being written; it is read at the next look. The last good data stay.")
    return content, hashlib.sha256(content).hexdigest()[:16], after


def _with_file(rejected: pl.DataFrame, file: str) -> pl.DataFrame:
    if not file:
        return rejected
    named_file = pl.lit(', "(file)": ' + json.dumps(file) + "}")
    return rejected.with_columns(pl.concat_str(pl.col("payload").str.head(-1), named_file).alias("payload"))


def _exported_at(frame: pl.DataFrame) -> datetime | None:
    if "as_of" not in frame.columns:
        return None
    newest = frame["as_of"].str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", strict=False, time_unit="us", time_zone="UTC").max()
    return newest if isinstance(newest, datetime) else None


def _problems(system: str, dataset: Dataset, source: FileSource) -> list[tuple[str, str, str]]:
    where = f"systems.{system}.files.{dataset}"
    if dataset not in COLUMNS:
        expected = ", ".join(COLUMNS)
        return [(where, f"files hold no {dataset}; expected one of {expected}", "remove it")]
    given = {*source.columns, *source.constants}
    problems = [
        (f"{where}.columns", f"{column!r} is not a column of {dataset}", f"use one of {', '.join(sorted(COLUMNS[dataset]))}")
        for column in sorted(given - COLUMNS[dataset])
    ]
    problems += [
        (f"{where}.columns", f"{column!r} is not mapped", "map it to a header, or give it a constant")
        for column in NAMED[dataset]
        if column not in given
    ]
    ours = {word for (of, _), allowed in WORDS.items() if of is dataset for word in allowed}
    problems += [
        (f"{where}.status.{text!r}", f"{word!r} is not one of our words", f"use one of {', '.join(sorted(ours))}")
        for text, word in source.status.items()
        if word not in ours
    ]
    if source.timezone not in time_zones():
        problems.append((f"{where}.timezone", f"{source.timezone!r} is not a time zone", "use a name such as Europe/London"))
    return problems
