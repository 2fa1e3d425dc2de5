"""`invbi findings`, `plan`, `query` and `explain`: what stands in the warehouse, for people and for programs."""

import random
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from invbi_pipeline.cli.explained import not_yet_judged, offer_lines
from invbi_pipeline.config import load_config
from invbi_pipeline.domain.declared import sells_from
from invbi_pipeline.domain.frames import CORRECTIONS, FINDINGS
from invbi_pipeline.flows.explain import ExplainedPoint, explain
from invbi_pipeline.store.warehouse import Warehouse
from invbi_pipeline_tests.cli.typed import invbi
from invbi_pipeline_tests.dashboard.example import NOW
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
    assert "The query " in said.err
    assert "to mend it" in said.err
    assert warehouse.read("recon.points").height == before


def test_explain_tells_each_number_of_a_sku_with_its_deductions(config: Path, warehouse: Warehouse) -> None:
    points = warehouse.read("recon.points").filter(pl.col("gap") != 0)
    row = points.filter(pl.col("sku").is_not_null()).row(0, named=True)
    said = invbi("explain", row["sku"], "--config", config)
    assert said.code == 0
    assert f"unexplained {row['unexplained']}" in said.out
    assert f"pending {row['pending']}; gap {row['gap']}" in said.out
    assert f"offer {row['offer']}" in said.out
    assert "= pool " in said.out


def test_explain_shows_a_percentage_as_it_was_set(config: Path, warehouse: Warehouse) -> None:
    offers = warehouse.read("truth.offers").filter((pl.col("system") == "amazon_uk") & (pl.col("buffer") > 0))
    said = invbi("explain", offers["sku"][0], "--config", config)
    assert f" - buffer {offers['buffer'][0]} (10 % rounded up, channel=amazon_uk)" in said.out


@pytest.mark.parametrize("seed", range(4))
def test_every_offer_of_explain_can_be_reckoned_by_hand(seed: int, config: Path, warehouse: Warehouse) -> None:
    settings = load_config(config)
    places = {name: sells_from(settings, name, system) for name, system in settings.systems.items()}
    offered = warehouse.read("truth.offers").drop_nulls("offer")
    told = [
        (point, offer_lines(point))
        for sku in random.Random(seed).sample(sorted(set(offered["sku"])), 5)
        for point in explain(warehouse, sku, places).points
        if point.offer
    ]
    assert len(told) >= 5
    for point, (pool, offer) in told:
        assert followed(pool) == point.offer["pool"], pool
        assert followed(offer) == point.offer["sellable"] // point.offer["units"], offer
        assert offer.endswith(f": offer {point.point['offer']}")


def followed(line: str) -> int:
    """Reckon a line of explain from left to right; each result it states must be right."""
    sums = re.sub(r"\([^()]*\)", "", line).split(";")[0].split(":")[0]
    first, *steps = re.findall(r"(?:([-+x/=]) )?(?:[a-z][a-z ]*)?(-?\d+)( %)?", sums)
    value = int(first[1])
    for sign, number, percent in steps:
        if sign == "=":
            assert value == int(number), line
        value = reckoned(value, sign, int(number), percent=bool(percent))
    return value


def reckoned(value: int, sign: str, number: int, *, percent: bool) -> int:
    match sign:
        case "-":
            return value - number
        case "+":
            return value + number
        case "x":
            return value * number // (100 if percent else 1)
        case "/":
            return value // number
        case _:
            return number


def test_explain_shows_what_a_kit_is_made_of_and_how_many_can_be_made_in_each_place(config: Path, warehouse: Warehouse) -> None:
    kit = warehouse.query("SELECT kit_sku FROM truth.kits ORDER BY kit_sku LIMIT 1").item()
    (told,) = invbi("explain", kit, "--config", config, "--format", "json").lines()
    parts = warehouse.read("truth.kits").filter(pl.col("kit_sku") == kit)
    assert {part["sku"]: part["quantity"] for part in told["components"]} == dict(parts.select("sku", "quantity").iter_rows())
    for made in told["makes"]:
        here = [part["available"] // part["quantity"] for part in told["components"] if part["location"] == made["location"]]
        assert made["kits"] == (min(here) if len(here) == parts.height else 0)
    assert "How many can be made there" in invbi("explain", kit, "--config", config).out


def test_explain_says_why_a_counted_number_is_not_offered(config: Path, warehouse: Warehouse) -> None:
    sku = warehouse.query("SELECT sku FROM recon.points WHERE state = 'counted' AND system = 'erp' LIMIT 1").item()
    said = invbi("explain", sku, "--config", config).out
    assert "not offered: erp counts warehouse itself" in said
    assert "None" not in said


def test_a_listing_that_is_mapped_to_nothing_is_explained_by_its_key(config: Path, warehouse: Warehouse) -> None:
    key = warehouse.query("SELECT listing_key FROM recon.findings WHERE code = 'unmapped_listing' LIMIT 1").item()
    said = invbi("explain", key, "--config", config)
    assert said.code == 0
    assert "not offered: the listing is mapped to no SKU" in said.out
    assert "unmapped listing" in said.out.partition("What is wrong")[2]


POINT = {"state": "drifted", "gap": -1, "unexplained": -1, "base": 5, "in_flight": 0, "complete": True, "confirmed": 0}


@pytest.mark.parametrize(
    ("said", "look", "why"),
    [
        ({}, {"looks": 1}, "one look only, two must agree"),
        ({"state": "first_look"}, {}, "first look, there is nothing to compare it with yet"),
        (
            {"complete": False, "observed_at": NOW, "complete_to": NOW - timedelta(minutes=2)},
            {},
            "order feed not complete up to 2026-03-02 12:00:00, only to 2026-03-02 11:58:00",
        ),
        ({"state": "agreed", "gap": 0, "unexplained": 0}, {}, ""),
    ],
)
def test_a_number_that_is_apart_says_why_it_is_not_judged_yet(said: dict[str, Any], look: dict[str, Any], why: str) -> None:
    nothing = pl.DataFrame()
    point = ExplainedPoint({**POINT, **said}, {}, {}, {}, nothing, nothing, {}, look, {})
    assert not_yet_judged(point) == why


def test_a_query_reads_no_more_than_it_shows(config: Path) -> None:
    sql = "select range as n from range(1_000_000_000_000)"
    said = invbi("query", sql, "--config", config, "--limit", 3)
    assert said.code == 0
    assert "there are more" in said.out


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
