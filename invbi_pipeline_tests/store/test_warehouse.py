"""The warehouse: short transactions, bounded waits, a read copy, and tables that cannot drift from their frames."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from invbi_pipeline.domain import frames
from invbi_pipeline.domain.frames import POINTS, empty
from invbi_pipeline.errors import ConfigError, StoreBusy
from invbi_pipeline.store.recon import save_points, save_run
from invbi_pipeline.store.tables import TABLES
from invbi_pipeline.store.warehouse import Warehouse

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse.duckdb", wait_s=0.3)


def _kits(sku: str = "A") -> pl.DataFrame:
    return pl.DataFrame({"kit_sku": ["K"], "sku": [sku], "quantity": [2]}, schema=dict(frames.KITS))


@pytest.mark.parametrize("table", sorted(TABLES))
def test_every_table_gives_back_a_frame_of_its_contract(warehouse: Warehouse, table: str) -> None:
    assert dict(warehouse.read(table).schema) == dict(TABLES[table])


def test_rows_come_back_as_they_went_in_with_their_times_in_utc(warehouse: Warehouse) -> None:
    row = {"run_id": "r", "system": "till", "listing_key": "k", "location": "", "raw": -3, "judged": True, "observed_at": NOW}
    points = pl.DataFrame([row], schema=dict(POINTS))

    warehouse.append("recon.points", points)

    assert warehouse.read("recon.points").equals(points)


def test_a_step_that_fails_leaves_nothing_behind(warehouse: Warehouse) -> None:
    def step() -> None:
        with warehouse.open() as database:
            database.append("truth.kits", _kits())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        step()

    assert warehouse.read("truth.kits").is_empty()


def test_a_block_inside_another_joins_its_transaction(warehouse: Warehouse) -> None:
    def step() -> None:
        with warehouse.open() as outer:
            outer.append("truth.kits", _kits("A"))
            warehouse.append("truth.kits", _kits("B"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        step()

    assert warehouse.read("truth.kits").is_empty()


def test_a_frame_that_breaks_the_contract_is_refused(warehouse: Warehouse) -> None:
    wrong = _kits().with_columns(pl.col("quantity").cast(pl.Float64))

    with pytest.raises(pl.exceptions.SchemaError, match="quantity is Float64"):
        warehouse.append("truth.kits", wrong)


def test_replace_upsert_and_replace_where_change_what_they_say(warehouse: Warehouse) -> None:
    both = pl.concat([_kits("A"), _kits("B")])
    with warehouse.open() as database:
        database.replace("truth.kits", both)
        database.upsert("truth.kits", _kits("B").with_columns(quantity=pl.lit(5, pl.Int64)), ["kit_sku", "sku"])
        database.replace_where("truth.kits", _kits("C"), "sku = $sku", {"sku": "A"})

    assert warehouse.read("truth.kits").sort("sku").rows() == [("K", "B", 5), ("K", "C", 2)]


def test_a_file_held_by_another_process_is_waited_for_and_its_holder_named(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    hold = f"import duckdb; c = duckdb.connect({str(path)!r}); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        waits: list[float] = []

        def wait(seconds: float) -> None:
            waits.append(seconds)
            time.sleep(seconds)

        with pytest.raises(StoreBusy, match=rf"process {other.pid}\).*gave up after 2 s"):
            Warehouse(path, 2, sleep=wait).query("SELECT 1")  # so long that a slow machine's first try is not its last

        other.communicate("\n")
    assert waits


def test_on_a_full_disk_a_step_leaves_nothing_behind_and_the_next_one_finds_room(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    step = f"""
import resource, signal
import polars as pl
from invbi_pipeline.errors import StoreBusy
from invbi_pipeline.store.warehouse import Warehouse
warehouse = Warehouse({str(path)!r})
rows = pl.select(kit_sku=pl.int_range(200_000).cast(pl.String), sku=pl.lit("A"), quantity=pl.lit(1, pl.Int64))
warehouse.append("truth.kits", rows.head(1))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (warehouse.path.stat().st_size, -1))
try:
    warehouse.append("truth.kits", rows)
except StoreBusy as busy:
    print(busy)
resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
warehouse.append("truth.kits", rows.tail(1))
"""
    done = subprocess.run([sys.executable, "-c", step], capture_output=True, text=True, check=True)

    assert "make room on its disk" in done.stdout
    assert Warehouse(path).read("truth.kits")["kit_sku"].to_list() == ["0", "199999"]


def test_a_step_of_another_thread_is_waited_for(warehouse: Warehouse) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def long_step() -> None:
        with warehouse.open():
            inside.set()
            go_on.wait(5)

    other = threading.Thread(target=long_step)
    other.start()
    inside.wait(5)
    with pytest.raises(StoreBusy, match="Another step of this process"):
        warehouse.query("SELECT 1")
    go_on.set()
    other.join()

    assert warehouse.query("SELECT 1 AS n")["n"].to_list() == [1]


def test_readers_keep_the_copy_they_opened_while_a_new_one_takes_its_place(warehouse: Warehouse) -> None:
    warehouse.append("truth.kits", _kits("old"))
    reader = duckdb.connect(str(warehouse.export()), read_only=True)
    warehouse.replace("truth.kits", _kits("new"))

    warehouse.export()

    assert reader.execute("SELECT sku FROM truth.kits").fetchall() == [("old",)]
    reader.close()
    assert warehouse.query_copy("SELECT sku FROM truth.kits")["sku"].to_list() == ["new"]


def test_the_read_copy_can_be_read_while_somebody_writes(warehouse: Warehouse) -> None:
    warehouse.append("truth.kits", _kits())
    warehouse.export()

    with warehouse.open() as database:
        database.replace("truth.kits", empty(frames.KITS))
        assert warehouse.query_copy("SELECT count(*) AS n FROM truth.kits")["n"].to_list() == [1]


def test_without_a_read_copy_the_next_command_is_named(warehouse: Warehouse) -> None:
    with pytest.raises(ConfigError, match="no read copy") as trouble:
        warehouse.query_copy("SELECT 1")

    assert "invbi run" in trouble.value.problems[0][2]


@pytest.fixture
def copied(warehouse: Warehouse) -> Warehouse:
    warehouse.append("truth.kits", _kits())
    warehouse.export()
    return warehouse


@pytest.mark.parametrize(
    "sql",
    [
        "COPY truth.kits TO 'kits.csv'",
        "EXPORT DATABASE 'there'",
        "CHECKPOINT",
        "INSTALL httpfs",
        "ATTACH 'other.duckdb'",
        "SET threads = 1",
        "DELETE FROM truth.kits",
        "SELECT 1; SELECT 2",
        "SELECT 1; COPY truth.kits TO 'kits.csv'",
        "-- nothing",
        "",
    ],
)
def test_anything_but_one_select_is_refused_on_the_copy(copied: Warehouse, sql: str) -> None:
    with pytest.raises(ConfigError, match="The query is not run") as trouble:
        copied.query_copy(sql)
    assert "exactly one SELECT" in trouble.value.problems[0][1]


@pytest.mark.parametrize("sql", ["SELECT 1 AS n;", "WITH a AS (SELECT 1) FROM a", "VALUES (1)", "DESCRIBE truth.kits"])
def test_whatever_is_one_select_is_run_on_the_copy(copied: Warehouse, sql: str) -> None:
    assert copied.query_copy(sql).height > 0


@pytest.mark.parametrize("call", ["read_csv('{0}')", "read_text('{0}')", "glob('{0}*')", "'{0}'", "beside"])
def test_a_query_of_the_copy_reads_nothing_else(copied: Warehouse, tmp_path: Path, call: str) -> None:
    beside = pl.DataFrame({"a": [1]})
    (tmp_path / "other.csv").write_text(f"a\n{beside.height}\n")

    with pytest.raises(duckdb.Error, match=r"disabled by configuration|does not exist"):
        copied.query_copy(f"SELECT * FROM {call.format(tmp_path / 'other.csv')}")


def test_a_query_of_the_copy_returns_no_more_rows_than_asked_for(copied: Warehouse) -> None:
    assert copied.query_copy("SELECT i FROM range(1000000000000) AS made(i)", limit=3)["i"].to_list() == [0, 1, 2]


def test_several_threads_query_the_copy_at_once_in_utc(copied: Warehouse) -> None:
    def ask(_: int) -> str:
        return str(copied.query_copy("SELECT current_setting('TimeZone') AS zone")["zone"][0])

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(ask, range(12))) == {"UTC"}


@pytest.mark.parametrize("made", ["a file", "a folder"])
def test_a_warehouse_that_cannot_be_opened_is_named_with_what_to_do(tmp_path: Path, made: str) -> None:
    path = tmp_path / "warehouse.duckdb"
    path.write_text("not a database" * 1000) if made == "a file" else path.mkdir()
    with pytest.raises(ConfigError, match="cannot be opened for writing") as trouble:
        Warehouse(path).query("SELECT 1")
    assert trouble.value.problems[0][0] == "data_dir, store.warehouse"


def test_a_warehouse_below_a_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(ConfigError, match="cannot be opened for writing"):
        Warehouse(tmp_path / "state" / "warehouse.duckdb").query("SELECT 1")


def test_a_broken_copy_and_a_copy_that_cannot_be_written_are_named(copied: Warehouse) -> None:
    copied.read_copy.write_text("not a database" * 1000)
    with pytest.raises(ConfigError, match="cannot be read"):
        copied.query_copy("SELECT 1")
    copied.read_copy.unlink()
    copied.read_copy.mkdir()
    with pytest.raises(ConfigError, match="cannot be written"):
        copied.export()


def test_a_column_that_a_frame_gained_is_added_to_an_old_file(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as old:
        old.execute("CREATE SCHEMA truth; CREATE TABLE truth.kits (kit_sku VARCHAR, sku VARCHAR)")
        old.execute("INSERT INTO truth.kits VALUES ('K', 'A')")

    assert Warehouse(path).read("truth.kits").rows() == [("K", "A", None)]


def test_a_column_of_another_type_stops_the_work_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as old:
        old.execute("CREATE SCHEMA truth; CREATE TABLE truth.kits (kit_sku VARCHAR, sku VARCHAR, quantity VARCHAR)")

    with pytest.raises(ConfigError, match=r"truth\.kits\.quantity is VARCHAR"):
        Warehouse(path).read("truth.kits")


def test_intervals_and_sums_come_back_as_plain_numbers(warehouse: Warehouse) -> None:
    found = warehouse.query("SELECT INTERVAL 90 SECOND AS a, sum(x) AS b FROM (VALUES (1::BIGINT), (2)) AS t(x)")

    assert found.rows() == [(90.0, 3)]


def test_only_points_that_changed_are_written_to_the_changes(warehouse: Warehouse) -> None:
    def points(run: str, reported: int, keys: str) -> pl.DataFrame:
        rows = [{"run_id": run, "system": "s", "listing_key": k, "location": "", "reported": reported} for k in keys]
        return pl.DataFrame([{**r, "reported": 1} if r["listing_key"] == "a" else r for r in rows], schema=dict(POINTS))

    with warehouse.open() as database:
        assert save_points(database, points("r1", 5, "ab"), NOW) == 2
        assert save_points(database, points("r2", 5, "ab"), NOW) == 0
        assert save_points(database, points("r3", 6, "ab"), NOW) == 1
        assert save_points(database, points("r4", 6, "a"), NOW) == 1

    changes = warehouse.read("recon.point_changes").select("run_id", "listing_key", "reported")
    assert changes.rows() == [("r1", "a", 1), ("r1", "b", 5), ("r3", "b", 6), ("r4", "b", None)]


def test_a_run_has_one_row_however_often_it_is_saved(warehouse: Warehouse) -> None:
    with warehouse.open() as database:
        save_run(database, "r", NOW, None, "{}", None)
        save_run(database, "r", NOW, NOW + timedelta(seconds=9), '{"comparable": 2, "agreed": 1}', 0)

    assert warehouse.query("SELECT run_id, exit_code FROM recon.runs").rows() == [("r", 0)]


@pytest.mark.parametrize("limit", [None, 1])
def test_columns_of_one_name_are_numbered(warehouse: Warehouse, limit: int | None) -> None:
    with warehouse.open() as database:
        found = database.query("SELECT 1 AS a, 2 AS a, 3 AS b", limit=limit)

    assert found.rows(named=True) == [{"a": 1, "a_1": 2, "b": 3}]
