"""The state store: what must survive a crash."""

import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, event, inspect, text

from invbi_pipeline.domain.frames import FINDINGS
from invbi_pipeline.domain.words import Said
from invbi_pipeline.errors import ConfigError, StoreBusy
from invbi_pipeline.store import migrations
from invbi_pipeline.store.state import Cursor, State, open_state
from invbi_pipeline.store.state_tables import METADATA

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
URL = "sqlite:///state.db"


def test_the_migrations_make_exactly_the_tables_of_this_version(state: State) -> None:
    with state.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_what_was_kept_is_there_after_opening_again(tmp_path: Path) -> None:
    first = open_state(URL, tmp_path)
    first.set_cursor("till", "stock", Cursor("abc", "b1", NOW), NOW)
    first.close()

    assert open_state(URL, tmp_path).cursor("till", "stock") == Cursor("abc", "b1", NOW)


def test_a_store_of_a_newer_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    open_state(URL, tmp_path).close()
    with create_engine(f"sqlite:///{tmp_path / 'state.db'}").begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(ConfigError, match="version 9999"):
        open_state(URL, tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "garbage",
        "oracleish://u:hunter2@h/db",
        "sqlite+nope:///state.db",
        "postgresql://u:hunter2@h:port/db",
        "mysql://u:hunter2@h/db",
        "sqlite:////proc/nowhere/state.db",
    ],
)
def test_an_address_that_cannot_be_used_is_told_by_its_key_and_without_its_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as trouble:
        open_state(url, tmp_path)
    assert "store.state_url" in trouble.value.problems[0][0]
    assert "hunter2" not in f"{trouble.value} {trouble.value.problems}"


def test_a_driver_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(ConfigError, match="driver psycopg2 is not installed"):
        open_state("postgresql+psycopg2://u:hunter2@h/db", tmp_path)


def test_a_file_that_is_no_database_is_told_without_the_words_of_its_query(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_text("not a database" * 1000)
    with pytest.raises(ConfigError, match="not a database") as trouble:
        open_state(f"{URL}?timeout=7", tmp_path)
    assert "timeout" not in str(trouble.value)


def test_processes_that_open_a_new_store_at_once_all_find_its_tables(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, alembic.command; from invbi_pipeline.store.state import open_state\n"
        f"sys.stdin.read(); open_state({URL!r}, pathlib.Path(sys.argv[1])).cursors()"
    )
    words = [sys.executable, "-c", code, str(tmp_path)]
    with ExitStack() as stack:
        many = [stack.enter_context(subprocess.Popen(words, stdin=subprocess.PIPE)) for _ in range(4)]
        for one in many:
            assert one.stdin is not None
            one.stdin.close()  # each waits for this, so they start together
        assert [one.wait() for one in many] == [0, 0, 0, 0]


def test_a_locked_store_is_busy_not_broken(tmp_path: Path) -> None:
    state = open_state(URL, tmp_path, wait_s=0.01)
    engine = create_engine(f"sqlite:///{tmp_path / 'state.db'}")
    with engine.connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy, match="held by another process"):
            state.set_mark("a", "b")
        other.exec_driver_sql("ROLLBACK")
    engine.dispose()


def test_a_store_whose_disk_is_full_waits_for_room(tmp_path: Path) -> None:
    open_state(URL, tmp_path).close()
    room = {"pages": 1}  # as many as there are
    engine = create_engine(f"sqlite:///{tmp_path / 'state.db'}")
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {room['pages']}"))
    state = State(engine)

    with pytest.raises(StoreBusy, match="is full"):
        state.set_mark("a", "b" * 100_000)
    room["pages"] = 10_000
    state.set_mark("a", "c")

    assert state.mark("a") == "c"
    state.close()


@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
def test_a_server_that_takes_no_changes_for_a_while_is_busy(state: State) -> None:
    with state._engine.connect() as admin:
        name = admin.execute(text("SELECT current_database()")).scalar()
    for word, takes in (("on", False), ("off", True)):
        with state._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as admin:
            admin.execute(text("SET default_transaction_read_only = off"))
            admin.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {word}'))
        state._engine.dispose()  # what is connected already goes on as before
        if takes:
            state.set_mark("a", "b")
        else:
            with pytest.raises(StoreBusy, match="takes no changes"):
                state.set_mark("a", "b")
    assert state.mark("a") == "b"


def test_a_cursor_never_set_is_empty(state: State) -> None:
    assert state.cursor("till", "stock") == Cursor()


def test_forgetting_a_system_forgets_all_its_cursors_and_no_other(state: State) -> None:
    state.set_cursors([("till", "stock", Cursor("1")), ("till", "orders", Cursor("2")), ("erp", "stock", Cursor("3"))], NOW)

    state.forget_cursor("till")

    assert list(state.cursors()) == [("erp", "stock")]


def test_times_of_any_zone_come_back_in_utc(state: State) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5)))
    state.pause("till", "Ada", "stocktaking", there)

    assert state.pauses()["at"].to_list() == [NOW]


def test_a_time_without_a_zone_is_refused(state: State) -> None:
    with pytest.raises(Exception, match="has no time zone"):
        state.pause("till", "Ada", "stocktaking", NOW.replace(tzinfo=None))


def test_a_system_is_blind_since_its_first_failure_in_a_row(state: State) -> None:
    state.failed("till", "503", NOW)
    state.failed("till", "timeout", NOW + timedelta(minutes=5))

    assert state.breakers().rows() == [("till", 2, NOW, "timeout")]
    state.recovered(["till"])
    assert state.breakers().is_empty()


def test_a_pause_holds_until_it_is_taken_away(state: State) -> None:
    state.pause("", "Ada", "looks wrong", NOW)

    assert state.pauses().select("scope", "who", "by_machine").rows() == [("", "Ada", False)]
    assert [state.resume(""), state.resume("")] == [True, False]


def test_findings_keep_their_lives(state: State) -> None:
    row = {"finding_id": "f1", "code": "drift", "state": "open", "units": 3, "money": 9.5, "first_seen": NOW, "last_seen": NOW}
    found = pl.DataFrame([row], schema=dict(FINDINGS))
    state.save_lives(found)
    resolved = found.with_columns(state=pl.lit("resolved"))
    state.save_lives(resolved)

    assert state.lives(dict(FINDINGS)).equals(resolved)
    assert state.lives(dict(FINDINGS), ["open"]).is_empty()


def test_what_people_say_of_findings_is_kept_word_by_word(state: State) -> None:
    state.cases.say(["f1", "f2", "f1"], Said.OWNER, "Bo", "Ana", NOW)
    state.cases.say(["f1"], Said.NOTE, "rack 4", "Bo", NOW + timedelta(minutes=1))

    assert state.cases.said().select("finding_id", "kind", "value", "who").rows() == [
        ("f1", "owner", "Bo", "Ana"),
        ("f2", "owner", "Bo", "Ana"),
        ("f1", "note", "rack 4", "Bo"),
    ]
    assert state.cases.said("f2")["at"].to_list() == [NOW]


def test_a_store_of_the_first_version_gains_what_came_after(tmp_path: Path) -> None:
    open_state(URL, tmp_path).close()
    config = AlembicConfig()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    with create_engine(f"sqlite:///{tmp_path / 'state.db'}").begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        assert not inspect(connection).has_table("finding_sayings")

    assert open_state(URL, tmp_path).cases.said().is_empty()


def test_a_server_that_does_not_answer_is_a_store_that_is_busy_and_no_password_is_told() -> None:
    state = State(create_engine("postgresql+psycopg://invbi:hunter2@127.0.0.1:1/invbi"))
    with pytest.raises(StoreBusy, match="does not answer") as told:
        state.mark("x")
    assert "hunter2" not in str(told.value)
