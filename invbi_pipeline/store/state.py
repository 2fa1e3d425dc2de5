"""The state: what must survive a crash to the last acknowledged event (SQLAlchemy; SQLite in WAL mode by default).

Cursors, findings' lives, breakers, pauses and small marks are methods of `State`; webhook deliveries live in `State.inbox`
(`store.inbox`), corrections in `State.outbox` (`store.outbox`), what people said of findings in `State.cases` (`store.cases`)
and of listings in `State.decisions` (`store.decisions`), rate budgets in `State.budgets` (`store.budgets`). Every method is one
transaction.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl
from sqlalchemy import Connection, Engine, create_engine, delete, event, inspect, select, text, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InternalError, InvalidRequestError, NoSuchModuleError, OperationalError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from invbi_pipeline.domain.frames import UTC
from invbi_pipeline.errors import ConfigError, StoreBusy
from invbi_pipeline.store.budgets import Budgets
from invbi_pipeline.store.cases import Cases
from invbi_pipeline.store.decisions import Decisions
from invbi_pipeline.store.inbox import Inbox
from invbi_pipeline.store.outbox import Outbox
from invbi_pipeline.store.rows import from_json, inserting, put, to_json
from invbi_pipeline.store.state_tables import BREAKERS, CURSORS, LIVES, META, PAUSES

__all__ = ["BREAKER_ROWS", "PAUSE_ROWS", "Cursor", "State", "open_state"]

_DATABASES: Final = ("sqlite", "postgresql")
# What SQLite says of a file that it could use otherwise, by its primary result code (sqlite.org/rescode.html).
_HELD, _FULL = "is held by another process. Nothing was changed; run again.", "cannot be written: its disk"
_SQLITE_WAITS: Final = {
    sqlite3.SQLITE_BUSY: _HELD,
    sqlite3.SQLITE_LOCKED: _HELD,
    sqlite3.SQLITE_FULL: f"{_FULL} is full. Nothing was changed; make room and run again.",
    sqlite3.SQLITE_IOERR: f"{_FULL} fails, or is full. Nothing was changed; make room, look after the disk, and run again.",
}
_PRIMARY: Final = 0xFF  # of an extended result code
_HEAD: Final = "0005"  # the newest version in migrations/

BREAKER_ROWS: Final = {"system": pl.String(), "failures": pl.Int64(), "blind_since": UTC, "reason": pl.String()}
PAUSE_ROWS: Final = {
    "scope": pl.String(),
    "who": pl.String(),
    "reason": pl.String(),
    "at": UTC,
    "by_machine": pl.Boolean(),
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where reading one dataset goes on, the batch it came with, and when everything was last read (our clock)."""

    cursor: str = ""
    batch_id: str = ""
    full_at: datetime | None = None


class State:
    """The state store behind one engine.

    Raises `StoreBusy` when another process keeps it locked, its server is away or takes no changes, or its disk is full.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.outbox = Outbox(self.begin)
        self.cases = Cases(self.begin)
        self.decisions = Decisions(self.begin)
        self.budgets = Budgets(self._looking, self._alone)
        self.inbox = Inbox(self.begin)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open one transaction: committed at the end of the block, rolled back when it raises."""
        with self._busy_while_it_takes_nothing(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _busy_while_it_takes_nothing(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as trouble:
            if busy := _takes_nothing(trouble, self._engine):
                raise busy from trouble
            raise

    @contextmanager
    def _looking(self) -> Iterator[Connection]:
        """Open a connection on which every statement is committed by itself."""
        with self._busy_while_it_takes_nothing(), self._engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """As `_looking`, to change something; a power cut may take the last changes away."""
        sqlite = self._engine.dialect.name == "sqlite"
        with self._looking() as connection:
            if sqlite:
                connection.exec_driver_sql("PRAGMA synchronous=NORMAL")
            try:
                yield connection
            finally:
                if sqlite:
                    connection.exec_driver_sql("PRAGMA synchronous=FULL")

    def close(self) -> None:
        self._engine.dispose()

    # cursors

    def cursor(self, system: str, dataset: str) -> Cursor:
        """Return where reading goes on; a `Cursor` of empty text before the first read."""
        with self.begin() as db:
            row = db.execute(select(CURSORS).where(CURSORS.c.system == system, CURSORS.c.dataset == dataset)).mappings().first()
        return Cursor(row["cursor"], row["batch_id"], row["full_at"]) if row else Cursor()

    def cursors(self) -> dict[tuple[str, str], Cursor]:
        """Return every cursor by (system, dataset)."""
        with self.begin() as db:
            rows = db.execute(select(CURSORS)).mappings().all()
        return {(r["system"], r["dataset"]): Cursor(r["cursor"], r["batch_id"], r["full_at"]) for r in rows}

    def set_cursors(self, moved: Iterable[tuple[str, str, Cursor]], at: datetime) -> None:
        """Move cursors of (system, dataset), all or none, after their batches have landed."""
        with self.begin() as db:
            for system, dataset, cursor in moved:
                key = {"system": system, "dataset": dataset}
                kept = {"cursor": cursor.cursor, "batch_id": cursor.batch_id, "full_at": cursor.full_at, "moved_at": at}
                put(db, CURSORS, key, kept)

    def set_cursor(self, system: str, dataset: str, cursor: Cursor, at: datetime) -> None:
        self.set_cursors([(system, dataset, cursor)], at)

    def forget_cursor(self, system: str, dataset: str = "") -> None:
        """Read everything anew next time: of one dataset, or of the whole system."""
        where = [CURSORS.c.system == system, *([CURSORS.c.dataset == dataset] if dataset else [])]
        with self.begin() as db:
            db.execute(delete(CURSORS).where(*where))

    # finding lives

    def lives(self, schema: dict[str, pl.DataType], states: Sequence[str] = ()) -> pl.DataFrame:
        """Return the findings as they were last saved, with the columns of `schema` (LIVES); of these states only, if any."""
        chosen = select(LIVES.c.body).where(LIVES.c.state.in_(states)) if states else select(LIVES.c.body)
        with self.begin() as db:
            return from_json(db.execute(chosen).scalars().all(), schema)

    def save_lives(self, findings: pl.DataFrame) -> None:
        """Store findings (LIVES), each in place of what its id had."""
        bodies = to_json(findings)
        with self.begin() as db:
            for row, body in zip(
                findings.select("finding_id", "code", "state", "last_seen").iter_rows(named=True), bodies, strict=True
            ):
                key = {"finding_id": row.pop("finding_id")}
                put(db, LIVES, key, {**row, "body": body})

    # breakers

    def failed(self, system: str, reason: str, at: datetime) -> None:
        """Note that `system` could not be read; it is blind since the first time in a row."""
        with self.begin() as db:
            row = db.execute(select(BREAKERS).where(BREAKERS.c.system == system)).mappings().first()
            since, failures = (row["blind_since"], row["failures"]) if row else (at, 0)
            put(db, BREAKERS, {"system": system}, {"failures": failures + 1, "blind_since": since, "reason": reason})

    def recovered(self, systems: Iterable[str]) -> None:
        """Note that these systems were read."""
        with self.begin() as db:
            db.execute(delete(BREAKERS).where(BREAKERS.c.system.in_(list(systems))))

    def breakers(self) -> pl.DataFrame:
        """Return the systems that could not be read: system, failures (in a row), blind_since (our clock), reason."""
        with self.begin() as db:
            return pl.DataFrame([dict(r) for r in db.execute(select(BREAKERS)).mappings()], schema=BREAKER_ROWS)

    # pauses

    def pause(self, scope: str, who: str, reason: str, at: datetime, *, by_machine: bool = False) -> None:
        """Send nothing more to `scope`: a system, or everything when empty."""
        with self.begin() as db:
            put(db, PAUSES, {"scope": scope}, {"who": who, "reason": reason, "at": at, "by_machine": by_machine})

    def resume(self, scope: str) -> bool:
        """Take a pause away. Return False when there was none."""
        with self.begin() as db:
            return bool(db.execute(delete(PAUSES).where(PAUSES.c.scope == scope)).rowcount)

    def pauses(self) -> pl.DataFrame:
        """Return what is paused: scope (a system, or empty: everything), who, reason, at, by_machine."""
        with self.begin() as db:
            return pl.DataFrame([dict(r) for r in db.execute(select(PAUSES)).mappings()], schema=PAUSE_ROWS)

    # small marks

    def mark(self, key: str) -> str:
        """Return a small mark kept under `key`; empty when there is none."""
        with self.begin() as db:
            return str(db.execute(select(META.c.value).where(META.c.key == key)).scalar() or "")

    def set_mark(self, key: str, value: str) -> None:
        self.set_marks({key: value})

    def set_marks(self, values: Mapping[str, str]) -> None:
        """Keep several, all or none."""
        with self.begin() as db:
            for key, value in values.items():
                put(db, META, {"key": key}, {"value": value})

    def swap_mark(self, key: str, old: str, new: str) -> bool:
        """Replace the mark `old` (empty: none) by `new`; False, and nothing is done, when it is another one by now."""
        mine = META.c.key == key
        with self.begin() as db:
            if db.execute(update(META).where(mine, META.c.value == old).values(value=new)).rowcount:
                return True
            made = inserting(db, META).values(key=key, value=new).on_conflict_do_nothing() if old == "" else None
            return made is not None and bool(db.execute(made).rowcount)

    def marks(self, prefix: str) -> dict[str, str]:
        """Return every small mark whose key begins so, by the rest of its key."""
        chosen = select(META.c.key, META.c.value).where(META.c.key.startswith(prefix, autoescape=True))
        with self.begin() as db:
            return {str(key).removeprefix(prefix): str(value) for key, value in db.execute(chosen).all()}


def open_state(url: str, folder: Path, wait_s: float = 20.0) -> State:
    """Open the state store and bring its tables to this version. Several processes may do so at once.

    `url` is SQLAlchemy's; a relative SQLite path is relative to `folder`. Raises `ConfigError` when the address names no
    database that is known here, or the store was made by a newer invbi or cannot be opened, `StoreBusy` when another process
    holds it for longer than `wait_s` seconds.
    """
    engine = _engine(url, folder, wait_s)
    try:
        _migrate(engine, wait_s)
    except DBAPIError as trouble:
        if engine.dialect.name == "sqlite" and (busy := _takes_nothing(trouble, engine)):
            raise busy from trouble
        raise ConfigError(
            f"Cannot open the state store {_shown(engine.url)}: {trouble.orig}.",
            [("store.state_url", "a database that can be opened", "correct the address, or make the folder writable")],
        ) from trouble
    except InvalidRequestError as trouble:  # a driver that only works inside an event loop
        raise _wrong_address(f"its driver {engine.driver} cannot be used here", "name another driver") from trouble
    return State(engine)


def _engine(url: str, folder: Path, wait_s: float) -> Engine:
    try:
        where = make_url(url)
        if where.get_backend_name() not in _DATABASES:
            raise _wrong_address("invbi keeps its state in SQLite or PostgreSQL", "name one of them before ://")
        sqlite = where.get_backend_name() == "sqlite"
        if sqlite and where.database and where.database != ":memory:":
            where = where.set(database=str(folder / where.database))
            Path(str(where.database)).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(where, connect_args={"timeout": wait_s} if sqlite else {}, pool_pre_ping=not sqlite)
    except NoSuchModuleError as trouble:
        raise _wrong_address("it names a kind of database that is not known", "correct what stands before ://") from trouble
    except ImportError as trouble:
        mend = f"install {trouble.name} beside invbi, or name another driver before ://"
        raise _wrong_address(f"its driver {trouble.name} is not installed", mend) from trouble
    except (ArgumentError, ValueError) as trouble:  # whose text may hold a part of the password
        raise _wrong_address("it is not written as an address", "write dialect://user:password@host/database") from trouble
    except OSError as trouble:
        raise ConfigError(
            f"Cannot make the folder of the state store, {trouble.filename}: {trouble.strerror}.",
            [("data_dir, store.state_url", "a folder that can be written", "name another, or make it writable")],
        ) from trouble
    if sqlite:
        event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _takes_nothing(trouble: DBAPIError, engine: Engine) -> StoreBusy | None:
    """Return what to say of a store that will take something again by itself, or once there is room; None of any other trouble.

    The text of PostgreSQL may quote what was to be stored, and is not repeated.
    """
    where = f"The state store {_shown(engine.url)}"
    if engine.dialect.name == "postgresql":  # it restarts, say, or takes no changes until it has room again
        away = isinstance(trouble, OperationalError | InternalError)
        return StoreBusy(f"{where} does not answer, or takes no changes. Nothing was changed; run again.") if away else None
    why = _SQLITE_WAITS.get(getattr(trouble.orig, "sqlite_errorcode", 0) & _PRIMARY)
    return StoreBusy(f"{where} {why}") if why else None


def _wrong_address(what: str, mend: str) -> ConfigError:
    expected = "an address of SQLAlchemy's, e.g. sqlite:///state.db"
    return ConfigError(f"store.state_url cannot be used: {what}.", [("store.state_url", expected, mend)])


def _shown(url: URL) -> str:
    """Return an address as a message may name it: a password can stand in its query, too."""
    return url.set(query={}).render_as_string()


def _set_up_sqlite(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # an acknowledged delivery survives a power cut, not only a crash
    cursor.close()


def _migrate(engine: Engine, wait_s: float) -> None:
    """Bring the tables to this version; of several processes that find them missing, one makes them."""
    attempts = Retrying(
        retry=retry_if_exception(_lost_a_race),
        stop=stop_after_delay(wait_s),
        wait=wait_random_exponential(multiplier=0.02, max=0.5),
        reraise=True,
    )
    attempts(_migrate_once, engine)


def _lost_a_race(trouble: BaseException) -> bool:
    """Say whether another process was making the store: SQLite does not wait while a new file is put into WAL mode."""
    return isinstance(trouble, DBAPIError) and ("locked" in str(trouble.orig) or "already exists" in str(trouble.orig))


def _migrate_once(engine: Engine) -> None:
    with engine.begin() as connection:
        if _version(connection) == _HEAD:
            return
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":  # elsewhere the loser's tables "already exist", and it looks again
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        version = _version(connection)
        if version != _HEAD:
            _upgrade(connection, version)


def _version(connection: Connection) -> str:
    made = inspect(connection).has_table("alembic_version")
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "") if made else ""


def _upgrade(connection: Connection, version: str) -> None:
    from alembic import command
    from alembic.config import Config as AlembicConfig
    from alembic.util import CommandError

    config = AlembicConfig()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as trouble:
        raise ConfigError(
            f"The state store has version {version}, which this invbi does not know: {trouble}",
            [("store.state_url", f"version {_HEAD} or older", "install the newer invbi that made it")],
        ) from trouble
