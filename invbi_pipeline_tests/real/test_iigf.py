"""One seller's real reports through the whole run: ingest and identity, with every row accounted for.

The counts are those of the profile of the files, which was counted independently. Nothing is written to anybody.
"""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from invbi_pipeline.store.warehouse import Warehouse
from invbi_pipeline_tests.shared import shared

pytestmark = pytest.mark.slow  # a run on the real files

_CONFIG = Path(__file__).with_name("iigf.toml")
_ROOT = Path(__file__).parents[2]
_IN_OWN_PROCESS = r"""
import atexit, pathlib, re, sys
import invbi_pipeline.cli as cli

config, told = sys.argv[1:]

@atexit.register
def tell_peak():
    pathlib.Path(told).write_text(re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])

sys.argv = ["invbi", "run", "--config", config]
cli.main()
"""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What `invbi run` left behind, and what it printed."""

    warehouse: Warehouse
    code: int
    printed: str
    seconds: float
    megabytes: float


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Reconciled:
    """`invbi run --config iigf.toml`, its state kept in a folder of the test's own."""
    folder = tmp_path_factory.mktemp("iigf")
    data = shared("data/iigf")
    text = _CONFIG.read_text(encoding="utf-8")
    text = re.sub(r'^data_dir = ".*"$', f'data_dir = "{folder}"', text, flags=re.MULTILINE)
    (folder / "iigf.toml").write_text(text.replace("../../../shared/data/iigf", str(data)), encoding="utf-8")
    peak, began = folder / "peak.txt", time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _IN_OWN_PROCESS, str(folder / "iigf.toml"), str(peak)],
        capture_output=True,
        text=True,
        cwd=_ROOT,
        env=dict(os.environ),
        timeout=600,
        check=False,
    )
    took = time.perf_counter() - began
    # its own word: what the system counts for a child begins with what this process held when it started it
    megabytes = int(peak.read_text()) / 1024
    print(f"invbi run on the real files: {took:.1f} s, {megabytes:.0f} MB")
    return Reconciled(Warehouse(folder / "warehouse.duckdb"), done.returncode, done.stdout + done.stderr, took, megabytes)


def _findings(run: Reconciled, system: str) -> pl.DataFrame:
    return run.warehouse.read("recon.findings").filter(pl.col("system") == system)


def _count(run: Reconciled, sql: str) -> int:
    return int(run.warehouse.query(sql).item())


def test_the_run_ends_with_first_looks_held_for_a_person_and_nothing_sent(run: Reconciled) -> None:
    assert run.code == 4, run.printed
    assert "sent 0" in run.printed
    assert set(run.warehouse.read("recon.corrections")["state"]) == {"held"}


def test_the_run_stays_within_its_memory(run: Reconciled) -> None:
    assert run.megabytes < 1_024  # measured 820-870 MiB alone, of which the imports are 330


def test_every_row_of_the_stock_report_is_loaded_or_set_aside_with_its_reason(run: Reconciled) -> None:
    loaded = _count(run, "SELECT count(DISTINCT row_number) FROM raw.stock WHERE system = 'warehouse_report'")
    aside = Counter(_aside(run, "warehouse_report"))
    assert aside == {"blank listing_key": 83, "broken cell in listing_key: #REF!": 15}
    assert loaded + aside.total() == 9_271
    assert _count(run, "SELECT count(DISTINCT listing_key) FROM raw.stock WHERE system = 'warehouse_report'") == 9_169
    assert _count(run, "SELECT sum(quantity) FROM raw.stock WHERE system = 'warehouse_report'") == 242_369


def test_every_row_of_the_marketplace_is_loaded_or_a_duplicate(run: Reconciled) -> None:
    loaded = _count(run, "SELECT count(DISTINCT row_number) FROM raw.order_lines WHERE system = 'amazon_in'")
    aside = Counter(_aside(run, "amazon_in"))
    assert aside == {"duplicate: repeats another row in every mapped column": 6}
    assert loaded + aside.total() == 128_975
    assert _count(run, "SELECT count(DISTINCT order_id) FROM raw.order_lines WHERE system = 'amazon_in'") == 120_378
    assert _count(run, "SELECT count(DISTINCT listing_key) FROM raw.order_lines WHERE system = 'amazon_in'") == 7_195


def test_every_row_of_the_second_ledger_is_loaded_or_set_aside_with_its_reason(run: Reconciled) -> None:
    loaded = _count(run, "SELECT count(DISTINCT row_number) FROM raw.stock WHERE system = 'second_ledger'")
    aside = Counter(_aside(run, "second_ledger"))
    outside = aside.pop("outside the table: above its header row")
    assert outside + loaded + aside.total() == outside + 17_756  # the fourth of the stacked tables
    assert aside["blank listing_key"] == 17
    assert all(reason.startswith(("blank", "duplicate")) for reason in aside)


def _aside(run: Reconciled, system: str) -> list[str]:
    rows = run.warehouse.read("quarantine.rows").filter(pl.col("system") == system)
    assert rows["batch_id"].is_not_null().all()
    assert (rows["row_number"] > 0).all()
    assert rows["row_number"].is_unique().all()
    return rows["reason"].to_list()


def test_four_codes_of_the_stock_report_have_conflicting_stock(run: Reconciled) -> None:
    conflicts = _findings(run, "warehouse_report").filter(pl.col("code") == "duplicate_sku")
    assert conflicts.height == 4
    (one,) = conflicts.filter(pl.col("listing_key") == "PJNE3404-KR-4XL")["cause"]
    assert "0 and 23" in one


def test_each_of_the_578_order_codes_the_stock_report_lacks_has_one_finding(run: Reconciled) -> None:
    identity = _findings(run, "amazon_in").filter(pl.col("code").is_in(["unmapped_listing", "variant_missing", "near_miss_sku"]))
    assert identity.height == 578
    assert identity["listing_key"].n_unique() == 578
    stocked = set(run.warehouse.query("SELECT listing_key FROM raw.stock WHERE system = 'warehouse_report'")["listing_key"])
    ordered = set(run.warehouse.query("SELECT listing_key FROM raw.order_lines WHERE system = 'amazon_in'")["listing_key"])
    assert set(identity["listing_key"]) == ordered - stocked


def test_a_code_whose_style_is_in_stock_is_a_missing_variant_unless_it_is_only_written_otherwise(run: Reconciled) -> None:
    codes = Counter(_findings(run, "amazon_in")["code"])
    assert (codes["variant_missing"], codes["unmapped_listing"], codes["near_miss_sku"]) == (511, 65, 2)


def test_two_order_codes_are_suggested_by_case_or_space(run: Reconciled) -> None:
    near = _findings(run, "amazon_in").filter(pl.col("code") == "near_miss_sku")
    assert dict(near.select("listing_key", "sku").iter_rows()) == {
        "JNE3435-KR-XXXL": "JNE3435-KR-XXxL",
        "SET397-KR-NP  -M": "SET397-KR-NP-M",
    }
    assert near["cause"].str.contains("case or space", literal=True).all()


def test_nothing_is_mapped_but_what_is_written_the_same(run: Reconciled) -> None:
    mapped = run.warehouse.query("SELECT system, listing_key, sku, units FROM truth.mappings")
    assert mapped.filter(pl.col("listing_key") != pl.col("sku")).is_empty()
    assert mapped.filter(pl.col("system") == "amazon_in")["listing_key"].n_unique() == 6_617
    assert set(mapped["units"]) == {1}


def test_no_suggestion_goes_by_likeness_alone(run: Reconciled) -> None:
    """Neighbouring sizes are one letter apart: what is suggested differs in case, space or separators only."""
    near = run.warehouse.read("recon.findings").filter(pl.col("code") == "near_miss_sku")
    plain = [pl.col(name).str.to_lowercase().str.replace_all(r"[^a-z0-9]", "") for name in ("listing_key", "sku")]
    assert near.filter(plain[0] != plain[1]).is_empty()


def test_the_second_ledgers_numbers_are_compared_and_their_differences_only_shown(run: Reconciled) -> None:
    points = run.warehouse.read("recon.points").filter((pl.col("system") == "second_ledger") & pl.col("gap").is_not_null())
    assert points.height > 4_000
    assert Counter(points["state"]) == {"first_look": points.height}


def test_no_customer_of_the_files_is_kept(run: Reconciled) -> None:
    tables = run.warehouse.query("SELECT schema_name || '.' || table_name AS name FROM duckdb_tables() WHERE NOT internal")[
        "name"
    ]
    for table in tables:
        texts = run.warehouse.query(f"FROM {table}").select(pl.col(pl.String))
        held = texts.select(pl.all().str.contains("(?i)mumbai|postal-code|bengaluru").any()).unpivot()
        assert held.filter(pl.col("value").cast(pl.Boolean))["variable"].to_list() == [], table
