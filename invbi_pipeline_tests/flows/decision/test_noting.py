"""Findings are noted twice in a run: what stands is not worked out again, and what a push came to is told at once."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from invbi_pipeline.domain.words import FindingState
from invbi_pipeline.flows.decision.findings import note
from invbi_pipeline_tests.flows.small_shop import SmallShop, small_shop


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallShop]:
    monkeypatch.setenv("SMALL_SHOP_TOKEN", "x")
    with small_shop(tmp_path) as made:
        yield made


def test_where_nothing_was_sent_the_first_word_stands(shop: SmallShop) -> None:
    first = note(shop.ctx, "r9")
    kept = shop.ctx.warehouse.read("recon.findings")
    assert note(shop.ctx, "r9", first) is first
    assert shop.ctx.warehouse.read("recon.findings").equals(kept)


def test_what_was_sent_and_refused_since_is_told_beside_what_stands(shop: SmallShop) -> None:
    first = note(shop.ctx, "r9")
    shop.shop.refused = {"k1"}
    shop.lies("k1", 4)
    shop.run()
    again = note(shop.ctx, "r9", first)
    assert again.open["code"].to_list() == note(shop.ctx, "r9").open["code"].to_list()
    assert "push_failed" in again.open.filter(pl.col("state") != FindingState.RESOLVED)["code"].to_list()
