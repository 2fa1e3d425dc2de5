import csv
from pathlib import Path

import pytest

from invbi_pipeline.config import Secret, load_config
from invbi_pipeline.domain.words import Absorbs, Mode
from invbi_pipeline.sandbox import presets
from invbi_pipeline_tests.sandbox.world.memory import build

PRESETS = ["till_master", "shopify_hub", "erp_master"]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("preset", PRESETS)
def test_the_configuration_is_valid_and_names_every_system_and_place(preset: str, tmp_path: Path) -> None:
    world = build(tmp_path, preset)
    config = load_config(presets.write_config(world, tmp_path))
    assert list(config.systems) == list(world.business.systems)
    assert list(config.locations) == list(world.business.places)
    assert {system.mode for system in config.systems.values()} == {Mode.AUTO}


def test_each_system_says_how_it_learns_of_the_others(tmp_path: Path) -> None:
    config = load_config(presets.write_config(build(tmp_path), tmp_path))
    absorbs = {name: system.absorbs for name, system in config.systems.items() if system.counts}
    assert absorbs == {"till": Absorbs.WRITEBACK, "erp": Absorbs.IMPORTED, "amazon_uk": Absorbs.OWN}


def test_locations_are_the_platforms_own_keys(tmp_path: Path) -> None:
    world = build(tmp_path)
    config = load_config(presets.write_config(world, tmp_path))
    assert config.systems["shopify_uk"].locations == world.business.systems["shopify_uk"].place_of
    assert config.systems["amazon_uk"].locations == {"AMAZON_EU": "amazon_fc"}


def test_secrets_are_named_in_the_file_and_nowhere_written(tmp_path: Path) -> None:
    world = build(tmp_path)
    path = presets.write_config(world, tmp_path)
    values = presets.secrets(world)
    written = "".join(file.read_text(encoding="utf-8") for file in tmp_path.rglob("*") if file.is_file())
    assert not [name for name, value in values.items() if value in written]
    config = load_config(path)
    named = {s.env for system in config.systems.values() for s in system.secrets.values() if isinstance(s, Secret)}
    assert config.publish.sheets is not None
    assert {*named, config.publish.sheets.credentials.env} == set(values)


def test_the_map_holds_the_listings_that_are_written_otherwise_and_the_packs(tmp_path: Path) -> None:
    world = build(tmp_path, skus=300)
    presets.write_config(world, tmp_path)
    rows = _rows(tmp_path / "sku_map.csv")
    assert {row["system"] for row in rows} == set(world.business.systems)
    assert "6" in {row["units"] for row in rows}
    for row in rows:
        listing = world.business.systems[row["system"]].listings[row["listing_key"]]
        assert (listing.raw_sku != row["sku"]) or listing.units != 1
        assert not listing.planted


def test_kits_prices_and_policies_are_written_in_full(tmp_path: Path) -> None:
    world = build(tmp_path)
    presets.write_config(world, tmp_path)
    catalogue = world.business.catalogue
    assert len(_rows(tmp_path / "kits.csv")) == sum(len(kit.components) for kit in catalogue.kits.values())
    assert {row["sku"] for row in _rows(tmp_path / "prices.csv")} == {*catalogue.products, *catalogue.kits}
    names = {row["name"] for row in _rows(tmp_path / "policies.csv")}
    assert names >= {
        "buffer",
        "buffer_pct_bp",
        "threshold",
        "max_offer",
        "min_offer",
        "share_bp",
        "backorder_limit",
        "safety_stock",
    }


def test_the_exports_are_found_from_a_folder_elsewhere(tmp_path: Path) -> None:
    world = build(tmp_path / "world")
    config = load_config(presets.write_config(world, tmp_path / "shop" / "deep"))
    for source in config.systems["erp"].files.values():
        assert (config.folder / source.path).is_file()
