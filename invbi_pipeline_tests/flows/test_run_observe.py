"""Observe, the mode a retailer starts in: nothing is ever sent, and every gap that two judged looks saw is a finding."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
import pytest

from invbi_pipeline.config import load_config
from invbi_pipeline.flows.run import RunResult
from invbi_pipeline.store.warehouse import Warehouse
from invbi_pipeline_tests.rehearsal import STEP_S, Rehearsal, rehearsal


@dataclass(frozen=True, slots=True)
class Observed:
    """A retailer that holds back three units more of everything on one channel, looked at four times in mode observe."""

    stage: Rehearsal
    runs: tuple[RunResult, ...]


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    with rehearsal(tmp_path_factory.mktemp("observe"), skus=30, history_days=3, faults=False) as stage:
        stage.path.write_text(stage.path.read_text().replace('mode = "auto"', 'mode = "observe"'))
        stage.config = load_config(stage.path)
        stage.run()
        stage.world.freeze()
        policies = stage.folder / "policies.csv"
        policies.write_text(policies.read_text().replace("amazon_uk,,,,,,threshold,1", "amazon_uk,,,,,,threshold,4"))
        yield Observed(stage, tuple(stage.run(wait_s=STEP_S) for _ in range(4)))


def test_nothing_is_sent(observed: Observed) -> None:
    assert observed.stage.wire.writes() == []
    assert all(set(run.planned.states) == {"planned"} for run in observed.runs)


def test_every_gap_is_a_finding_once_two_judged_looks_saw_it(observed: Observed) -> None:
    warehouse = Warehouse(observed.stage.folder / "warehouse.duckdb")
    gaps = warehouse.read("recon.points").filter(pl.col("gap") > 0)
    told = warehouse.read("recon.findings").filter((pl.col("code") == "oversell_risk") & (pl.col("state") == "open"))
    assert gaps.filter(pl.col("system") == "amazon_uk").height > 3
    assert set(told["listing_key"]) == set(gaps["listing_key"])
    assert told["units"].sum() == gaps["gap"].sum()


def test_none_is_told_at_the_first_look_at_it(observed: Observed) -> None:
    assert observed.runs[0].findings["oversell_risk"] == 0


def test_what_could_be_oversold_now_is_kept_for_every_sku_that_a_channel_shows(observed: Observed) -> None:
    warehouse = Warehouse(observed.stage.folder / "warehouse.duckdb")
    exposure = warehouse.read("recon.exposure")
    amazon = warehouse.query(
        "SELECT DISTINCT sku FROM recon.points WHERE system = 'amazon_uk' AND status = 'active' AND fulfilment = 'merchant' "
        "AND reported > 0 AND sku NOT IN (SELECT kit_sku FROM truth.kits)"
    )
    assert set(amazon["sku"]) <= set(exposure["sku"])
    assert exposure.filter(pl.col("exposed") > 0).height > 3
    assert exposure["exposed"].to_list() == [max(0, s - max(0, p)) for s, p in exposure.select("shown", "pool").iter_rows()]
    assert exposure.filter((pl.col("exposed") > 0) & (pl.col("money") <= 0)).is_empty()
