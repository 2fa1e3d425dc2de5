"""The input of `bench decide`: the floor's own numbers, and parts that can be decided apart."""

import importlib.util
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import invbi_pipeline
from invbi_pipeline.cli.bench import decide_input
from invbi_pipeline.cli.bench.decide_input import NOW, drawn, parts, write
from invbi_pipeline.cli.bench.two_way import pandas, polars
from invbi_pipeline.domain.decision import decide

GENERATOR = Path(invbi_pipeline.__file__).parents[2] / "shared" / "bench" / "generate.py"


def test_the_floor_s_files_are_those_of_its_own_generator(tmp_path: Path) -> None:
    if not GENERATOR.is_file():
        pytest.skip(f"{GENERATOR} is not here")
    spec = importlib.util.spec_from_file_location("generate", GENERATOR)
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    generate.main(100, tmp_path / "theirs")
    write(100, tmp_path)
    for name in ("anchors", "movements", "listings"):
        ours, theirs = (pl.read_parquet(tmp_path / side / f"{name}.parquet") for side in ("floor", "theirs"))
        assert_frame_equal(ours, theirs)


def test_the_two_way_part_comes_to_the_same_in_polars_and_pandas(tmp_path: Path) -> None:
    write(200, tmp_path)
    assert polars(str(tmp_path / "floor")) == pandas(str(tmp_path / "floor"))


def test_plain_listings_are_offered_what_the_floor_expects() -> None:
    base = drawn(300)
    found = decide(next(parts(base, 300)), NOW, "r", "EUR")
    units = pl.concat([base["anchors"].select("sku", units="on_hand"), base["movements"].select("sku", "units")])
    stock = units.group_by("sku").agg(pl.col("units").sum(), least=pl.col("units").sum())
    quiet = found.truth.positions.group_by("sku").agg(owed=pl.col("reserved").sum(), low=pl.col("on_hand").min()).filter(
        (pl.col("owed") == 0) & (pl.col("low") >= 0)
    )  # fmt: skip
    code = pl.lit("SKU-") + pl.col("sku").cast(pl.String).str.zfill(7)
    should = base["listings"].join(stock, on="sku").select(
        system=pl.format("c{}", "channel"), listing_key=code, should=(pl.col("units") - pl.col("buffer")).clip(0)
    )  # fmt: skip
    unheld = found.truth.offers.filter((pl.col("held_nowhere") == 0) & (pl.col("units") == 1))
    both = unheld.join(quiet, on="sku", how="semi").join(should, on=["system", "listing_key"])
    assert both.height > 1_000
    assert both.filter(pl.col("offer") != pl.col("should")).is_empty()


@pytest.mark.slow
def test_parts_decided_apart_come_to_what_they_come_to_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decide_input, "_PER_PART", 100)
    base = drawn(300)
    apart = [decide(part, NOW, "r", "EUR") for part in parts(base, 300)]
    monkeypatch.setattr(decide_input, "_PER_PART", 300)
    together = decide(next(parts(base, 300)), NOW, "r", "EUR")
    assert len(apart) == 3
    for one, several in (
        (together.points.points, [d.points.points for d in apart]),
        (together.findings, [d.findings for d in apart]),
        (together.plan, [d.plan for d in apart]),
        (together.truth.offers, [d.truth.offers for d in apart]),
    ):
        assert_frame_equal(one, pl.concat(several), check_row_order=False)
