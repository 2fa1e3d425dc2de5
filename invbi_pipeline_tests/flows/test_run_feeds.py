"""An owner's feed that is cut, empty or all zero, within a run: told, not believed, and nobody is raised or zeroed by it."""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from invbi_pipeline.config import load_config
from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.flows.context import open_stores
from invbi_pipeline.flows.run import RunResult
from invbi_pipeline.store.warehouse import Warehouse
from invbi_pipeline_tests.rehearsal import STEP_S, Rehearsal, rehearsal

pytestmark = pytest.mark.slow  # a world is lived through for each broken feed

_WENT = ("approved", "sending", "accepted", "verified", "mismatched", "ambiguous")


def _wire(system: str, fault: str, value: object) -> Callable[[Rehearsal], None]:
    def turn(stage: Rehearsal) -> None:
        setattr(stage.world.business.systems[system].account.wire, fault, value)

    return turn


def _nothing(stage: Rehearsal) -> None:
    """The export itself is well; a file is spoilt afterwards."""


def _header_only(path: Path) -> None:
    path.write_text(path.read_text().splitlines()[0] + "\n")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@dataclass(frozen=True)
class Case:
    """One way in which an owner's feed breaks, and the finding it must come to."""

    owner: str
    turn: Callable[[Rehearsal], None]
    spoil: Callable[[Path], None] | None
    code: str
    heal: Callable[[Rehearsal], None]


CASES = {
    "erp, half of its rows": Case(
        "erp", _wire("erp", "truncate_share", 0.6), None, "feed_truncated", _wire("erp", "truncate_share", 0.0)
    ),
    "erp, all zero": Case("erp", _wire("erp", "mass_zero", True), None, "feed_mass_zero", _wire("erp", "mass_zero", False)),
    "erp, a header alone": Case("erp", _nothing, _header_only, "feed_truncated", _nothing),
    "erp, a file of no bytes": Case("erp", _nothing, _empty, "feed_truncated", _nothing),
    "till, half of its rows": Case(
        "till", _wire("till", "truncate_share", 0.6), None, "feed_truncated", _wire("till", "truncate_share", 0.0)
    ),
    "till, all zero": Case("till", _wire("till", "mass_zero", True), None, "feed_mass_zero", _wire("till", "mass_zero", False)),
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A retailer that has been looked at, with nothing wrong and nobody about. The ERP's stock is read from a file beside it."""
    with rehearsal(tmp_path_factory.mktemp("feeds"), skus=40, history_days=3, faults=False) as stage:
        stage.run()
        stage.world.freeze()
        stage.world.advance(3600)
        stage.run()
        yield stage


@dataclass(frozen=True)
class Broken:
    case: Case
    run: RunResult
    shelves: tuple[pl.DataFrame, pl.DataFrame]  # truth.positions of what it counts, before and while
    findings: pl.DataFrame
    healed: RunResult
    findings_after: pl.DataFrame


@pytest.fixture(scope="module", params=list(CASES.values()), ids=list(CASES))
def broken(request: pytest.FixtureRequest, stage: Rehearsal) -> Broken:
    case: Case = request.param
    warehouse = Warehouse(stage.folder / "warehouse.duckdb")

    def shelves() -> pl.DataFrame:
        places = [name for name, place in stage.config.locations.items() if place.counted_by == case.owner]
        rows = warehouse.read("truth.positions").filter(pl.col("location").is_in(places))
        return rows.select("location", "sku", "on_hand").sort("location", "sku")

    def findings() -> pl.DataFrame:
        return warehouse.read("recon.findings").filter(pl.col("state") != "resolved")

    stage.damage("warehouse", -3)  # goods came in: something would be raised
    stage.export()
    stage.run()
    before = shelves()
    case.turn(stage)
    stage.world.advance(STEP_S)
    stage.export()
    _read_anew(stage, case.owner)
    if case.spoil is not None:
        case.spoil(stage.folder / "erp" / "stock.csv")
    run = stage.run()
    while_broken, told = shelves(), findings()
    case.heal(stage)
    stage.export()
    stage.run(wait_s=STEP_S)
    healed = stage.run(wait_s=STEP_S)
    return Broken(case, run, (before, while_broken), told, healed, findings())


def _read_anew(stage: Rehearsal, system: str) -> None:
    """Let the next sweep ask for everything, as it does once a day, not for what has changed."""
    _, state = open_stores(stage.config)
    state.forget_cursor(system, Dataset.STOCK)
    state.close()


def test_the_feed_is_not_believed_and_a_finding_says_so(broken: Broken) -> None:
    mine = broken.findings.filter((pl.col("system") == broken.case.owner) & (pl.col("code") == broken.case.code))
    assert mine.height == 1, broken.run.ingested.systems[broken.case.owner]
    assert mine["severity"][0] == "critical"
    assert broken.run.ingested.systems[broken.case.owner].status in ("unbelieved", "broken")


def test_the_last_good_numbers_stay(broken: Broken) -> None:
    before, during = broken.shelves
    assert before.filter(pl.col("on_hand") > 0).height > 10
    assert during.equals(before)


def test_nothing_is_raised_and_nothing_is_emptied(broken: Broken) -> None:
    went = broken.run.planned.corrections.filter((pl.col("kind") == "set") & pl.col("state").is_in(_WENT))
    assert went.filter(pl.col("to_qty") > pl.col("from_qty")).is_empty()
    assert went.filter(pl.col("to_qty") == 0).is_empty()


def test_the_other_systems_go_on(broken: Broken) -> None:
    others = {name: one.status for name, one in broken.run.ingested.systems.items() if name != broken.case.owner}
    assert set(others.values()) == {"ok"}
    assert set(broken.run.ingested.not_reconciled) <= {broken.case.owner}


def test_the_finding_ends_when_the_feed_is_well_again(broken: Broken) -> None:
    assert broken.healed.ingested.systems[broken.case.owner].status == "ok"
    codes = broken.findings_after.filter(pl.col("system") == broken.case.owner)["code"]
    assert broken.case.code not in codes.to_list()


@pytest.mark.parametrize("form", ["gzip", "parquet"])
def test_a_file_cut_in_two_keeps_the_last_good_numbers(form: str, tmp_path: Path) -> None:
    with rehearsal(tmp_path, skus=30, history_days=1, faults=False) as stage:
        stage.world.freeze()
        packed = stage.folder / "erp" / {"gzip": "stock.csv.gz", "parquet": "stock.parquet"}[form]
        text = stage.path.read_text().replace("erp/stock.csv", f"erp/{packed.name}")
        if form == "parquet":
            at = text.index(packed.name)
            text = text[:at] + text[at:].replace('format = "csv"', 'format = "parquet"', 1)
        stage.path.write_text(text)
        stage.config = load_config(stage.path)
        _pack(stage.folder / "erp" / "stock.csv", packed)
        stage.run()
        held = _warehouse_stock(stage)
        stage.damage("warehouse", 3)
        stage.world.advance(STEP_S)
        _pack(stage.folder / "erp" / "stock.csv", packed)
        _half(packed)
        cut = stage.run()

        assert held.height > 10
        assert _warehouse_stock(stage).equals(held)
        assert cut.ingested.systems["erp"].status != "ok"
        assert cut.ingested.systems["erp"].reason
        assert {one.status for name, one in cut.ingested.systems.items() if name != "erp"} == {"ok"}
        assert cut.findings["feed_truncated"] == 1
        assert cut.planned.corrections.filter(pl.col("kind") == "set").is_empty()


def _pack(plain: Path, packed: Path) -> None:
    if packed.suffix == ".gz":
        packed.write_bytes(gzip.compress(plain.read_bytes()))
    else:
        pl.read_csv(plain, infer_schema=False).write_parquet(packed)


def _warehouse_stock(stage: Rehearsal) -> pl.DataFrame:
    rows = Warehouse(stage.folder / "warehouse.duckdb").read("truth.positions").filter(pl.col("location") == "warehouse")
    return rows.select("sku", "on_hand").sort("sku")
