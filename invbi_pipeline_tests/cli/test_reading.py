"""`invbi findings`, `plan`, `query` and `explain`: what stands in the warehouse, for people and for programs."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from invbi_pipeline.config import load_config
from invbi_pipeline.domain.frames import CORRECTIONS, FINDINGS
from invbi_pipeline.store.warehouse import Warehouse
from invbi_pipeline_tests.cli.typed import invbi
from invbi_pipeline_tests.rehearsal import STEP_S, Rehearsal, rehearsal


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A retailer with planted faults, where every correction waits for a person."""
    with rehearsal(tmp_path_factory.mktemp("cli_reading"), skus=30, history_days=3) as stage:
        stage.path.write_text(stage.path.read_text().replace('mode = "auto"', 'mode = "approve"'))
        stage.config = load_config(stage.path)
        stage.run()
        stage.damage("warehouse", 2)
        stage.run(wait_s=STEP_S, publishing=True)
        yield stage


@pytest.fixture
def config(stage: Rehearsal) -> Path:
    return stage.path


@pytest.fixture
def warehouse(stage: Rehearsal) -> Warehouse:
    return Warehouse(stage.folder / "warehouse.duckdb")


def test_findings_come_back_whole_as_json_and_as_csv(config: Path, warehouse: Warehouse) -> None:
    known = set(warehouse.read("recon.findings").filter(pl.col("state") != "resolved")["finding_id"])
    said = invbi("findings", "--config", config, "--format", "json")
    rows = invbi("findings", "--config", config, "--format", "csv").table()
    assert said.code == 0
    assert len(known) > 3
    assert {row["finding_id"] for row in said.lines()} == {row["finding_id"] for row in rows} == known
    assert set(rows[0]) == set(FINDINGS) == set(said.lines()[0])
    assert [row["cause"] for row in rows] == [row["cause"] for row in said.lines()]


def test_findings_are_worst_first_and_can_be_narrowed(config: Path) -> None:
    rank = ["critical", "high", "medium", "low"]
    shown = [row["severity"] for row in invbi("findings", "--config", config, "--format", "json").lines()]
    assert shown == sorted(shown, key=rank.index)
    only = invbi("findings", "--config", config, "--format", "json", "--code", "duplicate_sku", "--severity", "high").lines()
    assert {row["code"] for row in only} == {"duplicate_sku"}
    assert invbi("findings", "--config", config, "--format", "json", "--code", "duplicate_sku", "--system", "erp").lines() == []


def test_findings_as_a_table_say_why_and_what_to_do(config: Path, warehouse: Warehouse) -> None:
    said = invbi("findings", "--config", config)
    row = warehouse.read("recon.findings").filter(pl.col("code") == "near_miss_sku").row(0, named=True)
    for word in (*row["cause"].split()[:2], *row["suggested_action"].split()[:2]):
        assert word in said.out


def test_the_plan_comes_back_whole_as_json_and_as_csv(config: Path) -> None:
    said = invbi("plan", "--config", config, "--format", "json")
    rows = invbi("plan", "--config", config, "--format", "csv").table()
    states = {row["state"] for row in rows}
    assert "planned" in states <= {"planned", "held"}
    assert said.code == (4 if "held" in states else 0)
    assert [row["correction_id"] for row in rows] == [row["correction_id"] for row in said.lines()]
    assert set(rows[0]) == set(CORRECTIONS)
    assert any(int(row["to_qty"]) < int(row["from_qty"]) for row in rows if row["kind"] == "set" and row["state"] == "planned")


def test_a_query_comes_back_as_json_and_as_csv(config: Path, warehouse: Warehouse) -> None:
    sql = "select system, listing_key, location, gap, observed_at from recon.points order by all"
    said = invbi("query", sql, "--config", config, "--format", "json")
    rows = invbi("query", sql, "--config", config, "--format", "csv").table()
    assert said.code == 0
    assert len(said.lines()) == len(rows) == warehouse.read("recon.points").height
    assert [row["gap"] if row["gap"] is not None else "" for row in said.lines()] == [
        int(row["gap"]) if row["gap"] else "" for row in rows
    ]


def test_a_query_never_shows_a_payload(config: Path) -> None:
    said = invbi("query", "select count(payload) as n from raw.order_lines", "--config", config, "--format", "json")
    assert said.lines() == [{"n": 0}]


@pytest.mark.parametrize(
    "sql", ["selekt 1", "select * from recon.nothing", "delete from recon.points", "select nothing from recon.points", ""]
)
def test_a_query_that_cannot_be_run_exits_2_and_says_why(sql: str, config: Path, warehouse: Warehouse) -> None:
    before = warehouse.read("recon.points").height
    said = invbi("query", sql, "--config", config)
    assert said.code == 2, said
    assert "The query cannot be run" in said.err
    assert warehouse.read("recon.points").height == before


def test_explain_tells_each_number_of_a_sku_with_its_deductions(config: Path, warehouse: Warehouse) -> None:
    points = warehouse.read("recon.points").filter(pl.col("gap") != 0)
    row = points.filter(pl.col("sku").is_not_null()).row(0, named=True)
    said = invbi("explain", row["sku"], "--config", config)
    assert said.code == 0
    assert f"unexplained {row['unexplained']}" in said.out
    assert f"pending {row['pending']}; gap {row['gap']}" in said.out
    assert f"offer {row['offer']}" in said.out
    assert "pool " in said.out


def test_explain_in_json_has_every_point_and_which_policy_won(config: Path, warehouse: Warehouse) -> None:
    offers = warehouse.read("truth.offers").filter((pl.col("system") == "amazon_uk") & (pl.col("buffer") > 0))
    sku = offers["sku"][0]
    (told,) = invbi("explain", sku, "--config", config, "--format", "json").lines()
    mine = warehouse.read("recon.points").filter(pl.col("sku") == sku)
    assert len(told["points"]) == mine.height
    (amazon,) = [point for point in told["points"] if point["system"] == "amazon_uk" and point["offer_detail"]]
    assert amazon["offer_detail"]["buffer"] > 0
    assert "amazon_uk" in str(amazon["offer_detail"]["policy"])


def test_a_listing_can_be_asked_for_by_its_own_key(config: Path, warehouse: Warehouse) -> None:
    row = warehouse.query("SELECT listing_key, sku FROM truth.mappings WHERE system = 'shopify_uk' AND units = 1 LIMIT 1").row(0)
    (told,) = invbi("explain", row[0], "--config", config, "--format", "json").lines()
    assert told["sku"] == row[1]


def test_an_unknown_sku_is_answered_with_near_ones(config: Path, warehouse: Warehouse) -> None:
    sku = warehouse.query("SELECT min(sku) AS sku FROM truth.mappings").item()
    said = invbi("explain", f"{sku}X", "--config", config)
    assert said.code == 2
    assert f"{sku}X" in said.err
    assert f"did you mean {sku}" in said.err
