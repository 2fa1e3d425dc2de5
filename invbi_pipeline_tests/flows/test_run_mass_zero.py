"""An owner whose feed is empty, cut, all zero, untracked or another business's, in each way of owning: not one unit is pushed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.flows.context import open_stores
from invbi_pipeline.store.warehouse import Warehouse
from invbi_pipeline_tests.rehearsal import STEP_S, Rehearsal, rehearsal

pytestmark = pytest.mark.slow  # two runs for each way in which each owner fails

_OWNERS = [("till_master", "till"), ("erp_master", "erp"), ("shopify_hub", "shopify_uk")]
_GONE = ("feed_mass_zero", "feed_truncated", "feed_stale", "system_unreachable", "bad_rows")


@pytest.fixture(scope="module", params=_OWNERS, ids=[owner for _, owner in _OWNERS])
def owned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rehearsal, str]]:
    """A retailer that has been looked at, with nothing wrong and nobody about, and the name of who counts."""
    preset, owner = request.param
    with rehearsal(tmp_path_factory.mktemp(owner), preset, skus=40, history_days=1, faults=False) as stage:
        stage.run()
        stage.world.freeze()
        stage.world.advance(3600)
        stage.run()
        yield stage, owner


def _wire(fault: str, value: object, well: object) -> tuple[Callable[[Rehearsal, str], None], Callable[[Rehearsal, str], None]]:
    def turn(to: object) -> Callable[[Rehearsal, str], None]:
        return lambda stage, owner: setattr(stage.world.business.systems[owner].account.wire, fault, to)

    return turn(value), turn(well)


_WAYS = {
    "all zero": _wire("mass_zero", True, False),
    "untracked": _wire("untracked_all", True, False),
    "cut": _wire("truncate_share", 0.6, 0.0),
    "empty": _wire("truncate_share", 1.0, 0.0),
}


@pytest.mark.parametrize("way", list(_WAYS))
def test_an_owner_whose_numbers_are_gone_moves_no_number_and_a_finding_says_what_to_do(
    owned: tuple[Rehearsal, str], way: str
) -> None:
    stage, owner = owned
    fails, heals = _WAYS[way]
    before = stage.numbers()
    fails(stage, owner)
    for _ in range(2):
        _look_anew(stage, owner)
    findings = _open_findings(stage, owner)
    heals(stage, owner)
    _look_anew(stage, owner)
    stage.run(wait_s=STEP_S)

    assert stage.numbers() == before
    told = findings.filter(pl.col("code").is_in(_GONE) & (pl.col("severity") == "critical"))
    assert told.height == 1
    assert len(told["suggested_action"][0]) > 30
    assert owner in told["cause"][0]
    assert "nothing is corrected" in told["suggested_action"][0]
    assert _open_findings(stage, owner).filter(pl.col("code").is_in(_GONE)).is_empty()


def _anothers(stock: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Another business's: the same columns, and goods of which nobody here has heard."""
    return stock.with_columns(pl.format("X{}", pl.nth(0)).alias(stock.columns[0]))


def _shuffled(stock: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Another warehouse's: the same goods, and every number is another's."""
    quantity = next(name for name in stock.columns if stock[name].str.contains(r"^-?\d+$").all() and stock[name].n_unique() > 3)
    return stock.with_columns(pl.col(quantity).shuffle(seed=1))


@pytest.mark.parametrize("wrong", [_anothers, _shuffled])
def test_a_wrong_file_with_the_right_columns_moves_no_number(
    owned: tuple[Rehearsal, str], wrong: Callable[[pl.DataFrame, Path], pl.DataFrame]
) -> None:
    stage, owner = owned
    path = stage.folder / "erp" / "stock.csv"
    if owner != "erp":
        pytest.skip("only an ERP of files can be handed a wrong one")
    before, right = stage.numbers(), path.read_bytes()
    stage.world.advance(STEP_S)
    wrong(pl.read_csv(path, infer_schema=False), path).write_csv(path)
    result = stage.run()
    shown = stage.numbers()
    findings = _open_findings(stage, owner)
    path.write_bytes(right)
    stage.run(wait_s=STEP_S)
    stage.run(wait_s=STEP_S)

    moved = {point: (n, shown[point]) for point, n in before.items() if shown[point] != n}
    assert moved == {}, (result.planned.states, findings.select("code", "system", "cause").rows())
    assert stage.numbers() == before


def _look_anew(stage: Rehearsal, owner: str) -> None:
    """Look five minutes later; its sweep asks for everything, as it does once a day, not for what has changed."""
    stage.world.advance(STEP_S)
    stage.export()
    _, state = open_stores(stage.config)
    state.forget_cursor(owner, Dataset.STOCK)
    state.close()
    stage.run()


def _open_findings(stage: Rehearsal, owner: str) -> pl.DataFrame:
    rows = Warehouse(stage.folder / "warehouse.duckdb").read("recon.findings")
    return rows.filter((pl.col("state") != "resolved") & (pl.col("system") == owner))
