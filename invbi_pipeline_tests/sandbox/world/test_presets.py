from pathlib import Path

import pytest

from invbi_pipeline.sandbox import presets
from invbi_pipeline.sandbox.world import VirtualClock, World


def _build(preset: str, folder: Path, seed: int = 2, skus: int = 60) -> World:
    return presets.build(preset, seed, skus, "http://127.0.0.1:1", folder, VirtualClock(), history_days=5)


@pytest.mark.parametrize("preset", list(presets.PRESETS))
def test_a_preset_stands_on_the_emulated_platforms_with_its_ledger_tied_out(preset: str, tmp_path: Path) -> None:
    world = _build(preset, tmp_path)
    points, _ = world.correctable()
    assert [point for point in points if not point.agrees] == []
    world.freeze()
    world.advance(3 * 3600)
    book = world.business.shelves.book
    assert [(spot, units) for spot, units in book.items() if world.goods.book_number(*spot) != units] == []


@pytest.mark.parametrize("preset", list(presets.PRESETS))
def test_a_day_of_every_preset_passes_on_the_emulated_platforms(preset: str, tmp_path: Path) -> None:
    world = _build(preset, tmp_path)
    world.advance(86_400)
    assert len(world.correctable()[0]) > 30


def test_the_emulated_platforms_make_the_same_world_of_the_same_seed(tmp_path: Path) -> None:
    first, second = (_build("till_master", tmp_path / str(n)) for n in range(2))
    assert first.digest == second.digest
    assert presets.secrets(first) == presets.secrets(second)


def test_each_preset_has_the_owners_that_its_name_says(tmp_path: Path) -> None:
    owners = {
        name: {place.name: place.owner for place in plan.places if place.name in ("warehouse", "soho")}
        for name, plan in presets.PRESETS.items()
    }
    assert owners == {
        "till_master": {"warehouse": "erp", "soho": "till"},
        "shopify_hub": {"warehouse": "shopify_uk", "soho": "shopify_uk"},
        "erp_master": {"warehouse": "erp", "soho": "erp"},
    }
