"""Faults that people make on paper and in barcodes."""

from pathlib import Path

import pytest

from invbi_pipeline.sandbox.world.configuration import write_config
from invbi_pipeline.sandbox.world.faults.kit import NoVictimError
from invbi_pipeline.sandbox.world.faults.papers import Papers
from invbi_pipeline.sandbox.world.world import World
from invbi_pipeline_tests.sandbox.world.memory import build

LABELS = (
    "unmapped_listing", "unlisted_sku", "duplicate_sku", "ambiguous_mapping", "near_miss_sku", "barcode_conflict",
    "invalid_barcode", "variant_missing", "relisted", "kit_unresolved", "kit_cycle", "pack_mismatch",
)  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    built = build(tmp_path, skus=120, history_days=2, calm=True)
    write_config(built, tmp_path)
    return built


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["till_master", "shopify_hub", "erp_master"])
def test_each_fault_of_identity_can_be_planted_five_times_in_a_world_of_300_skus(preset: str, tmp_path: Path) -> None:
    world = build(tmp_path, preset, skus=300, history_days=1, calm=True)
    write_config(world, tmp_path)
    made = [world.planter.plant(label).label for _ in range(5) for label in LABELS]
    assert made == [*LABELS] * 5


def test_a_set_in_a_cycle_stands_in_the_list_of_kits(world: World, tmp_path: Path) -> None:
    planted = world.planter.plant("kit_cycle")
    pairs = {(row["kit_sku"], row["component_sku"]) for row in Papers(tmp_path).rows("kits")}
    assert {(planted.sku, planted.detail["through"]), (planted.detail["through"], planted.sku)} <= pairs


def test_a_wish_that_nobody_fulfilled_names_a_sku_that_the_channel_could_sell(world: World, tmp_path: Path) -> None:
    planted = world.planter.plant("unlisted_sku")
    assert not world.business.systems[planted.system].by_sku.get(planted.sku)
    assert (planted.units or 0) > 0
    assert [row["sku"] for row in Papers(tmp_path).rows("policies") if row["name"] == "listed"] == [planted.sku]


def test_a_pack_taken_for_singles_is_a_number_or_a_row_of_the_map(world: World, tmp_path: Path) -> None:
    planted = world.planter.plant("pack_mismatch")
    rows = [row for row in Papers(tmp_path).rows("sku_map") if row["listing_key"] == planted.listing_key]
    assert (rows[0]["units"] == "1") == (planted.detail["how"] == "map")


def test_a_paper_that_nobody_has_written_cannot_be_edited(tmp_path: Path) -> None:
    with pytest.raises(NoVictimError, match=r"kits\.csv"):
        Papers(tmp_path).rows("kits")
