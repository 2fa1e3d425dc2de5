"""Clocks that differ, and orders that are told later than ever: the whole loop, judged by the world."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from invbi_pipeline_tests.flows.test_run_every_step import completed, looked_at, work
from invbi_pipeline_tests.rehearsal import STEP_S, Rehearsal

pytestmark = pytest.mark.slow  # a world is lived through for each

_SKEW_S = 600.0
_LATE_S = 900.0
_TURNS = 2


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Rehearsal]:
    """A small retailer that has been looked at, with nothing wrong and nobody about."""
    with looked_at(tmp_path, "till_master") as stage:
        yield stage


@pytest.mark.parametrize("skews", [(_SKEW_S, -_SKEW_S), (-_SKEW_S, _SKEW_S)], ids=["ahead and behind", "behind and ahead"])
def test_clocks_that_are_ten_minutes_wrong_change_nothing(stage: Rehearsal, skews: tuple[float, float]) -> None:
    for n, system in enumerate(stage.world.business.systems.values()):
        system.account.wire.clock_skew_s = skews[n % 2]
    stage.run(wait_s=STEP_S)
    for _ in range(_TURNS):
        wrote = len(stage.wire.requests)
        work(stage)
        completed(stage, wrote)


def test_orders_that_are_suddenly_told_a_quarter_of_an_hour_late_are_never_promised_again(stage: Rehearsal) -> None:
    for system in stage.world.business.systems.values():
        system.account.wire.order_lag_s = _LATE_S
    promised: list[tuple[object, ...]] = []
    wrote = len(stage.wire.requests)
    for turn in range(4):
        stage.sell("shopify_uk", "soho", pos=True, skip=turn)
        stage.sell("amazon_uk", "warehouse", skip=turn)
        promised += _too_much(stage, stage.run(wait_s=STEP_S).planned.corrections)
    completed(stage, wrote)
    assert promised == []


def _too_much(stage: Rehearsal, planned: pl.DataFrame) -> list[tuple[object, ...]]:
    """The raises that are released to be sent although not so much is there."""
    should = {(p.system, p.listing_key, p.location if p.location_key else ""): p.should for p in stage.world.correctable()[0]}
    sent = planned.filter((pl.col("state") == "approved") & (pl.col("to_qty") > pl.col("from_qty")))
    rows = sent.select("system", "listing_key", "location", "from_qty", "to_qty").rows()
    return [row for row in rows if row[4] > should.get(row[:3], 0)]
