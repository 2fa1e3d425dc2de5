"""Systems that do not answer or refuse us, within a whole run: the others are done, theirs is left as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import polars as pl
import pytest

from invbi_pipeline.flows.run import RunResult, exit_code
from invbi_pipeline.store.warehouse import Warehouse
from invbi_pipeline_tests.rehearsal import STEP_S, Fuse, Rehearsal, rehearsal

pytestmark = pytest.mark.slow  # a run for each way in which each system fails

_KEY = ["system", "listing_key", "location"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A retailer that has been looked at once, with nothing wrong and nobody about."""
    with rehearsal(tmp_path_factory.mktemp("outages"), skus=30, history_days=3, faults=False) as stage:
        stage.run()
        stage.world.freeze()
        stage.world.advance(3600)
        stage.run()
        yield stage


@contextmanager
def _wire(stage: Rehearsal, system: str, fault: str) -> Iterator[None]:
    """Turn a wire fault on, and off again; a file-exporting system writes (or removes) its files at once."""
    wire = stage.world.business.systems[system].account.wire
    setattr(wire, fault, True)
    stage.export()
    yield
    setattr(wire, fault, False)
    stage.export()


@dataclass(frozen=True)
class Blind:
    """Two runs while one system is away, after goods were written off everywhere; then one when it is back."""

    system: str
    first: RunResult
    second: RunResult
    healed: RunResult
    before: pl.DataFrame  # its observations
    during: pl.DataFrame
    findings: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]  # after each run
    written: int
    corrections: pl.DataFrame
    asked: int


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("shopify_uk", "down"), marks=pytest.mark.slow),
        ("till", "refuse"),
        ("erp", "down"),
        pytest.param(("amazon_uk", "refuse"), marks=pytest.mark.slow),
    ],
    ids="-".join,
)
def blind(request: pytest.FixtureRequest, stage: Rehearsal) -> Blind:
    system, fault = request.param
    warehouse = Warehouse(stage.folder / "warehouse.duckdb")

    def seen() -> pl.DataFrame:
        sql = "SELECT * FROM staging.stg_observations WHERE system = $s ORDER BY ALL"
        return warehouse.query(sql, {"s": system}).drop("batch_id", strict=False)

    def found() -> pl.DataFrame:
        return warehouse.read("recon.findings").filter(pl.col("state") != "resolved")

    before = seen()
    with _wire(stage, system, fault):
        stage.damage("warehouse", 2)
        stage.damage("soho", 2)
        stage.world.advance(STEP_S)
        sent = len(stage.wire.writes())
        first = stage.run()
        after_first, during = found(), seen()
        written = sum(f"/{system}/" in request.url.path for request in stage.wire.writes()[sent:])
        asked = len(stage.wire.requests)
        second = stage.run(wait_s=STEP_S)
        asked = len(stage.wire.requests) - asked
        after_second = found()
        corrections = warehouse.read("recon.corrections").filter(pl.col("run_id").is_in([first.run_id, second.run_id]))
    for _ in range(3):
        healed = stage.run(wait_s=STEP_S)
    findings = (after_first, after_second, found())
    return Blind(system, first, second, healed, before, during, findings, written, corrections, asked)


def test_the_run_is_partly_done(blind: Blind) -> None:
    assert blind.first.ingested.not_reconciled == (blind.system,)
    assert exit_code(blind.first.ingested, {}) == 3
    assert blind.first.ingested.systems[blind.system].reason


def test_the_others_are_read_and_corrected(blind: Blind) -> None:
    others = {name: one.status for name, one in blind.first.ingested.systems.items() if name != blind.system}
    assert set(others.values()) == {"ok"}
    assert blind.first.pushed.sent > 0
    assert not blind.first.pushed.troubles


def test_a_finding_says_since_when_it_is_out_of_reach(blind: Blind) -> None:
    mine = [f.filter((pl.col("code") == "system_unreachable") & (pl.col("system") == blind.system)) for f in blind.findings]
    assert [f.height for f in mine] == [1, 1, 0]
    first, second = mine[0].row(0, named=True), mine[1].row(0, named=True)
    assert first["finding_id"] == second["finding_id"]
    assert first["first_seen"] == second["first_seen"] < second["last_seen"]
    assert blind.system in second["cause"]


def test_nothing_of_it_is_overwritten(blind: Blind) -> None:
    assert blind.before.height > 0
    assert blind.during.equals(blind.before)
    assert blind.written == 0


def test_no_offer_rises_while_an_owner_is_out_of_reach(blind: Blind) -> None:
    raised = blind.corrections.filter((pl.col("kind") == "set") & (pl.col("to_qty") > pl.col("from_qty")))
    assert raised.filter(pl.col("state").is_in(["approved", "sending", "accepted", "verified"])).is_empty()


def test_when_it_is_back_everything_is_done(blind: Blind, stage: Rehearsal) -> None:
    assert blind.healed.ingested.not_reconciled == ()
    points, _ = stage.world.correctable()
    assert [point for point in points if not point.agrees] == []


def test_a_platform_that_shows_nothing_but_zeros_after_our_writes_proves_nothing(stage: Rehearsal) -> None:
    wire, warehouse = stage.world.business.systems["shopify_uk"].account.wire, Warehouse(stage.folder / "warehouse.duckdb")
    above = "SELECT count(*) AS n FROM staging.stg_observations WHERE system = 'shopify_uk' AND quantity > 0"
    before = warehouse.query(above)["n"][0]

    def zeros_after_a_write(nth: int, step: str) -> bool:
        wire.mass_zero |= step == "write: carried out"
        return False

    stage.damage("warehouse", 1)
    stage.world.advance(120)
    stage.wire.fuse = Fuse(zeros_after_a_write)
    result = stage.run()
    turned, wire.mass_zero, stage.wire.fuse = wire.mass_zero, False, Fuse()
    assert turned
    assert result.pushed.sent
    assert warehouse.query(above)["n"][0] >= before / 2
