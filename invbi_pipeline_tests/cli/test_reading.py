"""`invbi findings`, `plan`, `query` and `explain`: what stands in the warehouse, for people and for programs."""

import asyncio
import random
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from invbi_pipeline.cli.explained import bridge_lines, not_yet_judged
from invbi_pipeline.cli.plans import _send
from invbi_pipeline.cli.reading import print_findings
from invbi_pipeline.config import load_config
from invbi_pipeline.domain.frames import CORRECTIONS, FINDINGS, QUARANTINE
from invbi_pipeline.flows.accounts.bridge import Line
from invbi_pipeline.flows.accounts.explain import ExplainedPoint, _makes, _whole
from invbi_pipeline.store.warehouse import Warehouse
from invbi_pipeline_tests.cli.typed import invbi
from invbi_pipeline_tests.dashboard.example import NOW
from invbi_pipeline_tests.flows.small_shop import SmallShop, small_shop
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


@pytest.mark.parametrize(("option", "near"), [("--code", "drift"), ("--system", "erp")])
def test_a_code_or_a_system_that_there_is_not_is_refused_with_those_there_are(config: Path, option: str, near: str) -> None:
    said = invbi("findings", "--config", config, option, "drft")
    assert said.code == 2
    assert near in said.err


def test_a_page_of_the_books_that_cannot_be_written_is_named(config: Path, tmp_path: Path) -> None:
    page = tmp_path / "nowhere" / "books.html"
    said = invbi("explain", "--tie-out", "2026-03", "--out", page, "--config", config)
    assert said.code == 2
    assert "--out" in said.err
    assert "books.html" in said.err


def test_findings_as_a_table_say_why_and_what_to_do(config: Path, warehouse: Warehouse) -> None:
    said = invbi("findings", "--config", config)
    row = warehouse.read("recon.findings").filter(pl.col("code") == "near_miss_sku").row(0, named=True)
    for word in (*row["cause"].split()[:2], *row["suggested_action"].split()[:2]):
        assert word in said.out


def test_a_finding_that_has_ended_advises_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    ended = {
        "severity": "high",
        "code": "oversell_risk",
        "cause": "It was lowered.",
        "finding_id": "f1",
        "suggested_action": "Do it.",
    }
    rows = [{**ended, "state": "resolved"}, {**ended, "state": "open", "suggested_action": ""}, {**ended, "state": "open"}]
    print_findings(
        pl.DataFrame(rows).with_columns(pl.lit(None).alias(name) for name in FINDINGS if name not in ended | {"state": 1})
    )
    assert capsys.readouterr().out.count("To mend it") == 1


def test_the_plan_comes_back_whole_as_json_and_as_csv(config: Path) -> None:
    said = invbi("plan", "--config", config, "--format", "json")
    rows = invbi("plan", "--config", config, "--format", "csv").table()
    states = {row["state"] for row in rows}
    assert "planned" in states <= {"planned", "held"}
    assert said.code == (4 if "held" in states else 0)
    assert [row["correction_id"] for row in rows] == [row["correction_id"] for row in said.lines()]
    assert set(rows[0]) == {*CORRECTIONS, "held_by", "finding_code", "finding", "bridge"}
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
    assert f"{row['unexplained']:+d}  unexplained" in said.out
    assert f"offer - expected = pending {row['pending']}" in said.out
    assert re.search(rf"= +{row['gap']}  gap", said.out)
    assert re.search(rf"= +{row['offer']}  offer", said.out)
    assert "  pool" in said.out


def test_explain_shows_a_percentage_as_it_was_set(config: Path, warehouse: Warehouse) -> None:
    offers = warehouse.read("truth.offers").filter((pl.col("system") == "amazon_uk") & (pl.col("buffer") > 0))
    said = invbi("explain", offers["sku"][0], "--config", config)
    assert f"-{offers['buffer'][0]}  buffer  (10 % rounded up; policy: channel=amazon_uk)" in said.out


@pytest.mark.parametrize("seed", range(4))
def test_every_sum_of_explain_can_be_added_up_again_and_is_what_was_decided(
    seed: int, config: Path, warehouse: Warehouse
) -> None:
    stand = {(sku, place): (n, give) for sku, place, n, give in warehouse.query(_STAND).iter_rows()}
    points = warehouse.read("recon.points")
    skus = warehouse.query("SELECT DISTINCT sku FROM recon.points WHERE sku <> '' ORDER BY sku")["sku"].to_list()
    kits = warehouse.query("SELECT DISTINCT kit_sku FROM truth.kits ORDER BY 1")["kit_sku"].to_list()
    packs = warehouse.query("SELECT DISTINCT sku FROM truth.offers WHERE units > 1 ORDER BY 1")["sku"].to_list()
    dice = random.Random(seed)
    for sku in {*dice.sample(skus, 3), dice.choice(kits), *packs[:1]}:
        (told,) = invbi("explain", sku, "--config", config, "--format", "json").lines()
        sums = {bridge["title"]: added_up(bridge["lines"]) for bridge in told["bridges"]}
        for row in told["positions"] + told["components"]:
            here = sums[f"{row['sku']} at {row['location']}"]
            assert (here["on hand"], here["available"]) == stand[row["sku"], row["location"]]
        for row in points.filter((pl.col("sku") == sku) & pl.col("gap").is_not_null()).iter_rows(named=True):
            where = f"{row['system']}{' @ ' + row['location'] if row['location'] else ''}, listing {row['listing_key']}"
            assert sums[f"Comparison on {where}"]["gap"] == row["gap"]
            assert sums[f"Offer on {where}"]["offer"] == row["offer"]


_STAND = "SELECT sku, location, coalesce(on_hand, 0), available FROM truth.positions"


def added_up(lines: list[dict[str, Any]]) -> dict[str, int]:
    """Return every sum, reckoned anew from the amounts before it; each must be what is printed."""
    at, sums = 0, {}
    for line in lines:
        at += 0 if line["is_sum"] else line["units"]
        if line["is_sum"]:
            assert line["units"] == at, lines
            sums[line["what"]] = at
    return sums


def test_what_is_printed_of_many_alike_still_adds_up() -> None:
    lines = [Line("anchor", 40), *(Line("reserved", -1, f"order {n}") for n in range(30)), Line("free", 10, is_sum=True)]
    said = list(bridge_lines(lines))
    amounts = [int(line.split()[0]) for line in said[:-1]]
    assert len(said) < 20
    assert sum(amounts) == 10
    assert "reserved: 18 more" in said[-2]


def test_explain_shows_what_a_kit_is_made_of_and_how_many_can_be_made_in_each_place(config: Path, warehouse: Warehouse) -> None:
    kit = warehouse.query("SELECT kit_sku FROM truth.kits ORDER BY kit_sku LIMIT 1").item()
    (told,) = invbi("explain", kit, "--config", config, "--format", "json").lines()
    parts = warehouse.read("truth.kits").filter(pl.col("kit_sku") == kit)
    assert {part["sku"]: part["quantity"] for part in told["components"]} == dict(parts.select("sku", "quantity").iter_rows())
    for made in told["makes"]:
        here = [part["available"] // part["quantity"] for part in told["components"] if part["location"] == made["location"]]
        assert made["kits"] == (min(here) if len(here) == parts.height else 0)
    assert "How many can be made there" in invbi("explain", kit, "--config", config).out


def test_explain_names_the_cycle_that_a_kit_is_in_or_leads_into(tmp_path: Path) -> None:
    (tmp_path / "kits.csv").write_text("kit_sku,component_sku,quantity\nA,B,1\nB,A,1\nOVER,B,1\n")
    with small_shop(tmp_path, 'kits = "kits.csv"\n', skus=1) as shop:
        for key in ("B", "OVER"):
            shop.shop.frames["listings"].append({"listing_key": key, "raw_sku": key, "title": key})
            shop.shop.frames["stock"].append({"listing_key": key, "location_key": "1", "quantity": 3})
        shop.run()
        over, within = (invbi("explain", key, "--config", shop.path).out for key in ("OVER", "B"))
    assert "not offered: the kit OVER contains the kits A, B, which contain each other" in over
    assert "not offered: the kits A, B contain each other" in within
    assert "kit cycle" in within.partition("What is wrong")[2]
    assert "never counted" not in over + within


def test_a_tie_out_on_the_terminal_says_what_was_not_read_and_what_has_no_cost(tmp_path: Path) -> None:
    with small_shop(tmp_path, skus=2) as shop:
        said = invbi("explain", "--tie-out", "2026-03", "--config", shop.path)
    told = " ".join(said.out.split())
    assert said.code == 0
    assert "till @ soho: First read 02 Mar 2026 09:05: what lies before is reckoned back" in told
    assert "till @ soho: Not over, or not read to its end" in told
    assert "1 SKU has no cost: its units are counted, its money is not." in told
    assert "what was before it cannot show" in told
    assert "nothing remains" not in told


def pushed(shop: SmallShop) -> str:
    """Release what waits, send it two minutes after the run as `invbi push` does, and return what explain says then."""
    ids = shop.corrections("planned", "held")["correction_id"].to_list()
    shop.ctx.state.outbox.approve(ids, "ana", shop.clock.now())
    shop.clock.at += timedelta(minutes=2)
    assert asyncio.run(_send(shop.ctx, ["shop"])).sent == 1
    return invbi("explain", "k0", "--config", shop.path).out


def test_what_a_push_has_mended_is_told_with_its_proof_until_a_run_closes_it(tmp_path: Path) -> None:
    with small_shop(tmp_path) as shop:
        shop.reload('mode = "auto"', 'mode = "approve"')
        shop.lies("k0", 6)
        shop.run()
        shop.run()
        wrong = invbi("explain", "k0", "--config", shop.path).out
        then = pushed(shop)
        (told,) = invbi("explain", "k0", "--config", shop.path, "--format", "json").lines()
        proof = f"corrected and verified at {shop.clock.at:%Y-%m-%d %H:%M} UTC, read back 6"
        shop.run()
        closed = invbi("explain", "k0", "--config", shop.path).out
    assert "oversell risk" in wrong.partition("What is wrong")[2]
    assert "To mend it" in wrong
    last = then.partition("What was wrong when a run last looked")[2]
    assert f"Since then: {proof}; the next run closes it, unless it sees it again" in last
    assert "To mend it" not in last
    assert "What is wrong" not in then
    assert [row["mended_by"] for row in told["findings"]] == shop.corrections("verified")["correction_id"].to_list()
    assert "Nothing is wrong with it." in closed


def test_what_a_push_has_changed_and_nothing_has_proved_yet_is_still_wrong(tmp_path: Path) -> None:
    with small_shop(tmp_path) as shop:
        shop.reload('mode = "auto"', 'mode = "approve"')
        shop.edited("k0", 14)
        shop.run()
        shop.run()
        then = pushed(shop)  # what it shows is what both sides last agreed on: whether that is the push, the orders will tell
    wrong = then.partition("What is wrong")[2]
    assert wrong.count(f"Since then: corrected at {shop.clock.at:%Y-%m-%d %H:%M} UTC, and not verified yet") == 2


@pytest.mark.slow
def test_what_comes_back_after_a_push_stands_and_is_over_only_when_two_runs_miss_it(tmp_path: Path) -> None:
    with small_shop(tmp_path) as shop:
        shop.reload('mode = "auto"', 'mode = "approve"')
        for shelf in (6, 3):
            shop.lies("k0", shelf)
            shop.run()
            shop.run()
            wrong = invbi("explain", "k0", "--config", shop.path).out
            then = pushed(shop)
            shop.run()
        missed = invbi("explain", "k0", "--config", shop.path).out
    assert "Since then" not in wrong.partition("What is wrong")[2]
    assert "it had come back before, so two runs must not see it" in then
    assert "Nothing is wrong with it." not in missed


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


def test_explain_names_the_rows_of_a_code_that_were_refused(config: Path, warehouse: Warehouse) -> None:
    newest = warehouse.query("SELECT batch_id, system, dataset FROM raw.batches ORDER BY seq DESC LIMIT 1").row(0, named=True)
    row = {**newest, "row_number": 7, "reason": "quantity: not a number", "payload": '{"sku":"=1+1","qty":"many"}'}
    warehouse.append("quarantine.rows", pl.DataFrame([row], schema=dict(QUARANTINE)))

    said = invbi("explain", "=1+1", "--config", config)

    assert said.code == 0
    assert f"row 7 of {newest['system']}'s {newest['dataset']}: quantity: not a number" in " ".join(said.out.split())
    assert "Nothing is wrong" not in said.out
    assert "No SKU" in invbi("explain", "=1+2", "--config", config).err


def test_explain_names_the_refused_row_that_left_a_number_unknown_however_many_reads_came_since(
    config: Path, warehouse: Warehouse
) -> None:
    point = warehouse.query(
        "SELECT system, listing_key, location_key, batch_id, sku FROM staging.stg_observations JOIN truth.mappings m "
        "USING (system, listing_key) WHERE system = 'shopify_uk' AND m.valid_to IS NULL ORDER BY ALL LIMIT 1"
    ).row(0, named=True)
    key = {name: value for name, value in point.items() if name != "sku"}
    told = {"dataset": "stock", "row_number": 3, "reason": "quantity: number too large", "payload": '{"item":{"id":"gid://1"}}'}
    warehouse.append("quarantine.rows", pl.DataFrame([{**key, **told}], schema=dict(QUARANTINE)))
    with warehouse.open() as db:
        db.execute(
            "UPDATE staging.stg_observations SET state = 'unknown' WHERE system = $system AND listing_key = $listing_key "
            "AND location_key = $location_key AND batch_id = $batch_id",
            key,
        )

    said = " ".join(invbi("explain", point["sku"], "--config", config).out.split())

    assert f"row 3 of shopify_uk's stock (listing {point['listing_key']}): quantity: number too large" in said


def test_a_query_that_names_a_column_twice_numbers_it(config: Path) -> None:
    said = invbi("query", "SELECT 1 AS a, 2 AS a", "--config", config, "--format", "csv")
    assert said.table() == [{"a": "1", "a_1": "2"}]


@pytest.mark.parametrize(
    ("typed", "clash"),
    [(["A", "--at", "2026-01-01", "--since", "2026-01-01"], "--at with --since"), (["A", "--tie-out", "2026-01"], "SKU with")],
)
def test_what_cannot_be_asked_together_is_named_as_a_pair(typed: list[str], clash: str, config: Path) -> None:
    said = invbi("explain", *typed, "--config", config)
    assert (said.code, clash in said.err) == (2, True)


def test_no_kit_can_be_made_of_what_is_promised_already() -> None:
    components = pl.DataFrame({"sku": ["A"], "location": ["a"], "kits": [-1]})
    assert _whole(_makes(components)).rows() == [("a", 0)]
