"""The warehouse: one DuckDB file, opened for one short transaction at a time.

DuckDB lets one process write and, while it does, no other process read. So a connection is opened for one step, waits no
longer than told, and is closed again; people and other programs read a copy that `export` replaces atomically.
Within a process, steps of several threads take turns.
"""

import errno
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from invbi_pipeline.domain.frames import Schema, fit
from invbi_pipeline.errors import ConfigError, StoreBusy
from invbi_pipeline.store.tables import DUCKDB_TYPES, RAW, SCHEMAS, TABLES, create_table

__all__ = ["Database", "Warehouse"]

Params = Mapping[str, Any] | Sequence[Any] | None

_HOLDER: Final = re.compile(r"lock is held in (?P<program>\S+) \(PID (?P<pid>\d+)\)(?: by user (?P<user>\w+))?")
_TABLES_HERE: Final = """
    SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_catalog() AND NOT internal ORDER BY ALL
"""
_ALL_ROWS: Final = 2**62
# DuckDB says in the system's words why a file cannot be written; these pass when somebody makes room, or mends the disk.
_OF_THE_DISK: Final = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS))
_ROWS_AT_ONCE: Final = 50_000  # of a frame on its way in: bounds the copies that are made for it
_TURN: Final = threading.RLock()  # DuckDB's file lock is per process: threads of ours queue here
# a reader of the copy sees the copy, and nothing beside it
_READER: Final[dict[str, str | bool | int | float | list[str]]] = {
    "enable_external_access": False,
    "python_enable_replacements": False,
}
_OPENS_READER: Final = threading.Lock()  # readers of one process share its settings: the first sets them, then they are locked


class Database:
    """An open transaction on the warehouse. Frames go in and out by column name; times are UTC."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def execute(self, sql: str, params: Params = None) -> None:
        """Run a statement that returns nothing."""
        self._connection.execute(sql, params)

    def query(self, sql: str, params: Params = None, limit: int | None = None) -> pl.DataFrame:
        """Run one SELECT and return its rows, at most `limit`. `params` fill `?` (a sequence) or `$name` (a mapping).

        A column whose name is repeated is numbered: a, a_1. Whole numbers come back as Int64, times as UTC; an interval,
        which frames have no type for, as its seconds. Raises
        duckdb's own errors, `InvalidInputException` for a text that returns no rows.
        """
        found: duckdb.DuckDBPyRelation | None = self._connection.sql(sql, params=params)
        if found is None:
            raise duckdb.InvalidInputException("This returns no rows: write one SELECT.")
        repeated = len({name.casefold() for name in found.columns}) < len(found.columns)
        if limit is not None or repeated:  # DuckDB names the columns of a part a, a_1, a_2; a frame cannot repeat a name
            found = found.limit(_ALL_ROWS if limit is None else limit)
        columns = [_plain(name, str(kind)) for name, kind in zip(found.columns, found.types, strict=True)]
        made = pl.from_arrow(found.project(", ".join(columns)).to_arrow_table())
        assert isinstance(made, pl.DataFrame)
        return made

    def exists(self, table: str) -> bool:
        """Say whether there is a table or view called "schema.table"."""
        schema, name = table.split(".")
        sql = "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?"
        return bool(self._connection.execute(sql, [schema, name]).fetchall())

    def count(self, table: str) -> int:
        """Return how many rows `table` has."""
        return int(self._connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])

    def read(self, table: str) -> pl.DataFrame:
        """Return every row of one table of the registry, in its frame's column order."""
        return self.pick(table, TABLES[table])

    def pick(self, table: str, schema: Schema, key: Mapping[str, Any] | None = None) -> pl.DataFrame:
        """Return the columns of `schema`, so typed, of any table or view: every row, or those whose columns equal `key`."""
        columns = ", ".join(f'"{column}"' for column in schema)
        where = " AND ".join(f'"{column}" = ${column}' for column in key or ())
        return fit(self.query(f"SELECT {columns} FROM {table}" + (f" WHERE {where}" if where else ""), key), schema)

    def matching(self, table: str, key: Mapping[str, Any]) -> pl.DataFrame:
        """Return the rows of one table of the registry whose columns equal those of `key`."""
        return self.pick(table, TABLES[table], key)

    def append(self, table: str, frame: pl.DataFrame) -> int:
        """Add rows, matched by column name; columns the frame lacks are null. Return how many.

        Raises `pl.exceptions.SchemaError` when a column of the registry has another type in the frame, or the table has
        not that column: a wrong frame never reaches the file.
        """
        _fits(table, frame)
        names = ", ".join(f'"{column}"' for column in frame.columns)
        for part in frame.iter_slices(_ROWS_AT_ONCE) if frame.height else ():
            self._connection.register("_incoming", part)
            try:
                self._connection.execute(f"INSERT INTO {table} BY NAME SELECT {names} FROM _incoming")
            finally:
                self._connection.unregister("_incoming")
        return frame.height

    def replace(self, table: str, frame: pl.DataFrame) -> int:
        """Make `frame` the whole content of `table`. Return how many rows."""
        _fits(table, frame)
        self._connection.execute(f"DELETE FROM {table}")
        return self.append(table, frame)

    def replace_where(self, table: str, frame: pl.DataFrame, where: str, params: Params = None) -> int:
        """Take out the rows that `where` finds and put `frame` in their place. Return how many came in."""
        _fits(table, frame)
        self._connection.execute(f"DELETE FROM {table} WHERE {where}", params)
        return self.append(table, frame)

    def renew(self, table: str, frame: pl.DataFrame, of: pl.DataFrame) -> int:
        """Take out the rows that are of one of `of` (its columns are a key) and put `frame` in their place. Return how many."""
        _fits(table, frame)
        same = " AND ".join(f'old."{key}" IS NOT DISTINCT FROM gone."{key}"' for key in of.columns)
        self._connection.register("_gone", of)
        try:
            self._connection.execute(f"DELETE FROM {table} AS old USING _gone AS gone WHERE {same}")
        finally:
            self._connection.unregister("_gone")
        return self.append(table, frame)

    def upsert(self, table: str, frame: pl.DataFrame, keys: Sequence[str]) -> int:
        """Put each row in, in place of the row that has the same `keys`. Return how many came in."""
        _fits(table, frame)
        if frame.height:
            same = " AND ".join(f'old."{key}" IS NOT DISTINCT FROM new."{key}"' for key in keys)
            self._connection.register("_newer", frame.select(keys))
            try:
                self._connection.execute(f"DELETE FROM {table} AS old USING _newer AS new WHERE {same}")
            finally:
                self._connection.unregister("_newer")
        return self.append(table, frame)


class Warehouse:
    """The warehouse at `path`. Every wait is at most `wait_s` seconds; `sleep` is how it waits.

    `open` is one transaction: it commits when its block ends and rolls back when the block raises. A block opened inside
    another of the same thread joins it.
    """

    def __init__(self, path: Path | str, wait_s: float = 20.0, sleep: Callable[[float], None] = time.sleep) -> None:
        self.path = Path(path)
        self.wait_s = wait_s
        self._sleep = sleep
        self._mine = threading.local()
        self._made = False

    @property
    def read_copy(self) -> Path:
        """Where `export` puts the copy that readers open."""
        return self.path.with_suffix(f".read{self.path.suffix}")

    @contextmanager
    def open(self) -> Iterator[Database]:
        """Open for one step. Raises `StoreBusy`: another process (named) keeps the file for longer, or the disk is full."""
        outer: Database | None = getattr(self._mine, "database", None)
        if outer is not None:
            yield outer
            return
        with self.held():
            yield from self._step(self._mine.connection)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the file over several steps that follow one another without a wait: each is still a transaction of its own.

        Opening and closing the file costs more than a small step does. Raises `StoreBusy` as `open` does.
        """
        if getattr(self._mine, "connection", None) is not None:
            yield
            return
        if not _TURN.acquire(timeout=self.wait_s):
            raise StoreBusy(
                f"Another step of this process kept {self.path} for more than {self.wait_s:g} s. Nothing was changed."
            )
        try:
            with _room_for(self.path):
                connection = self._mine.connection = self._connect()
                try:
                    yield
                finally:
                    self._mine.connection = None
                    connection.close()
        finally:
            _TURN.release()

    def _step(self, connection: duckdb.DuckDBPyConnection) -> Iterator[Database]:
        database = Database(connection)
        connection.begin()
        try:
            if not self._made:
                _make_tables(database)
            self._mine.database = database
            yield database
        except BaseException:
            connection.rollback()
            raise
        finally:
            self._mine.database = None
        connection.commit()
        self._made = True

    def query(self, sql: str, params: Params = None) -> pl.DataFrame:
        """Run one SELECT in a step of its own."""
        with self.open() as database:
            return database.query(sql, params)

    def read(self, table: str) -> pl.DataFrame:
        """Return every row of one table of the registry."""
        with self.open() as database:
            return database.read(table)

    def exists(self, table: str) -> bool:
        with self.open() as database:
            return database.exists(table)

    def append(self, table: str, frame: pl.DataFrame) -> int:
        with self.open() as database:
            return database.append(table, frame)

    def replace(self, table: str, frame: pl.DataFrame) -> int:
        with self.open() as database:
            return database.replace(table, frame)

    def replace_where(self, table: str, frame: pl.DataFrame, where: str, params: Params = None) -> int:
        with self.open() as database:
            return database.replace_where(table, frame, where, params)

    def export(self) -> Path:
        """Write the copy that readers open and put it in place of the old one at once. Return its path.

        A reader that has the old copy open goes on reading it. Payloads are null in it: they are most of the bytes, and
        the copy is for people.
        """
        if getattr(self._mine, "database", None) is not None:
            raise RuntimeError("export() copies what is committed: call it outside of an open step")
        fresh = self.path.with_suffix(f".{os.getpid()}.new")
        with _TURN, _told_of(self.read_copy, "written", "make its folder writable, with room for a second warehouse"):
            fresh.unlink(missing_ok=True)
            connection = self._connect()
            try:
                tables = connection.execute(_TABLES_HERE).fetchall()
                # a transaction a table: nobody sees the copy before it is whole, and one over all of them takes 200 MB more
                connection.execute(f"ATTACH '{_quoted(fresh)}' AS reader")
                for schema, table in tables:
                    columns = "* REPLACE (CAST(NULL AS VARCHAR) AS payload)" if f"{schema}.{table}" in RAW else "*"
                    connection.execute(f"CREATE SCHEMA IF NOT EXISTS reader.{schema}")
                    connection.execute(f"CREATE TABLE reader.{schema}.{table} AS SELECT {columns} FROM {schema}.{table}")
                connection.execute("CHECKPOINT reader")
                connection.execute("DETACH reader")
            finally:
                connection.close()
            fresh.replace(self.read_copy)
        return self.read_copy

    def query_copy(self, sql: str, params: Params = None, limit: int | None = None) -> pl.DataFrame:
        """Run one SELECT on the read copy, beside whoever writes, and return at most `limit` rows.

        It sees the copy alone: no file, no network, no variable of Python's. Raises `ConfigError` when there is no copy yet, it
        cannot be opened, or `sql` is anything but one SELECT; duckdb's own errors for a SELECT that cannot be run.
        """
        if not self.read_copy.exists():
            what = f"There is no read copy {self.read_copy} yet."
            raise ConfigError(what, [(str(self.read_copy), "a finished run", "run `invbi run` first")])
        _refuse_all_but_one_select(sql)
        connection = self._connect_reader()
        try:
            return Database(connection).query(sql, params, limit)
        finally:
            connection.close()

    def _connect_reader(self) -> duckdb.DuckDBPyConnection:
        with _OPENS_READER, _told_of(self.read_copy, "read", "move it away and run `invbi run`, which writes it again"):
            connection = duckdb.connect(str(self.read_copy), read_only=True, config=_READER)
            if connection.execute("SELECT NOT current_setting('lock_configuration')").fetchall()[0][0]:
                connection.execute("SET GLOBAL TimeZone = 'UTC'")
                connection.execute("SET lock_configuration = true")
            return connection

    def _connect(self) -> duckdb.DuckDBPyConnection:
        attempts = Retrying(
            retry=retry_if_exception(_is_held),
            stop=stop_after_delay(self.wait_s),
            wait=wait_random_exponential(multiplier=0.02, max=0.5),
            sleep=self._sleep,
            retry_error_callback=self._busy,
        )
        with _told_of(self.path, "opened for writing", "make the file and its folder writable, or set another data_dir"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection: duckdb.DuckDBPyConnection = attempts(duckdb.connect, str(self.path))
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET GLOBAL allocator_background_threads = true")  # what a step freed goes back at once
            return connection

    def _busy(self, state: RetryCallState) -> duckdb.DuckDBPyConnection:
        error = state.outcome.exception() if state.outcome else None
        holder = _HOLDER.search(str(error))
        who = f"{Path(holder['program']).name} (process {holder['pid']})" if holder else "another process"
        raise StoreBusy(
            f"{self.path} is held by {who}; gave up after {self.wait_s:g} s. Nothing was changed. "
            f"Wait for it to end and run again, or read {self.read_copy.name} instead."
        ) from error


@contextmanager
def _room_for(path: Path) -> Iterator[None]:
    """Say of a file that the disk takes nothing of that it has to wait: `StoreBusy`."""
    try:
        yield
    except duckdb.Error as trouble:
        of_the_disk = [said for said in _OF_THE_DISK if said in str(trouble)]
        if not of_the_disk:
            raise
        what = f"{path} cannot be written: {of_the_disk[0]}. Nothing was changed; make room on its disk and run again."
        raise StoreBusy(what) from trouble


@contextmanager
def _told_of(path: Path, what: str, mend: str) -> Iterator[None]:
    """Say of a file that the system or DuckDB refuses that it cannot be `what`, and how to mend it."""
    try:
        with _room_for(path):
            yield
    except (OSError, duckdb.IOException) as trouble:
        said = trouble.strerror if isinstance(trouble, OSError) else str(trouble)
        raise ConfigError(f"{path} cannot be {what}: {said}", [("data_dir, store.warehouse", str(path), mend)]) from trouble


def _refuse_all_but_one_select(sql: str) -> None:
    kinds = [statement.type for statement in duckdb.extract_statements(sql)]
    if kinds != [duckdb.StatementType.SELECT]:
        wrong = next((kind.name for kind in kinds if kind is not duckdb.StatementType.SELECT), "")
        said = f"{wrong} is not a SELECT" if wrong else f"expected one statement, found {len(kinds)}"
        mend = "write one SELECT; recon.points, recon.findings and mart.* are there"
        raise ConfigError(f"The query is not run: {said}.", [("sql", "exactly one SELECT, which changes nothing", mend)])


def _is_held(error: BaseException) -> bool:
    return isinstance(error, duckdb.IOException) and "lock on file" in str(error)


def _plain(name: str, kind: str) -> str:
    column = '"' + name.replace('"', '""') + '"'
    if kind == "INTERVAL":
        return f"epoch({column}) AS {column}"
    whole = kind in {"HUGEINT", "UHUGEINT", "INTEGER", "UINTEGER", "UBIGINT", "SMALLINT", "TINYINT"}
    return f"CAST({column} AS BIGINT) AS {column}" if whole else column


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _fits(table: str, frame: pl.DataFrame) -> None:
    schema = TABLES.get(table)
    if schema is None:
        return
    wrong = [f"{column} is {kind}" for column, kind in frame.schema.items() if schema.get(column) != kind]
    if wrong:
        raise pl.exceptions.SchemaError(f"a frame for {table} does not fit its contract: {', '.join(wrong)}")


def _make_tables(database: Database) -> None:
    """Create what is missing. A column that a frame has gained is added; a column whose type differs stops the work."""
    there = database.query(
        "SELECT table_schema || '.' || table_name AS name, column_name, data_type FROM information_schema.columns"
    ).rows_by_key("name")
    for schema in SCHEMAS:
        database.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for name, columns in TABLES.items():
        if name not in there:
            database.execute(create_table(name, columns))
            continue
        have = dict(there[name])
        for column, kind in columns.items():
            if column not in have:
                database.execute(f'ALTER TABLE {name} ADD COLUMN "{column}" {DUCKDB_TYPES[kind]}')
            elif have[column] != DUCKDB_TYPES[kind]:
                raise ConfigError(
                    f"{name}.{column} is {have[column]} in this warehouse and {DUCKDB_TYPES[kind]} in this version of invbi.",
                    [(f"{name}.{column}", f"type {DUCKDB_TYPES[kind]}", "move the warehouse file away and run again")],
                )
