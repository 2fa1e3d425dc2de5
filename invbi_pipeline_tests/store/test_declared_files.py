"""The CSV files that people keep: typed, and every mistake named by file, row and column."""

from pathlib import Path

import pytest

from invbi_pipeline.config import Config, load_config
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.store.declared_files import read_declared


def configured(folder: Path, **files: str) -> Config:
    named = "".join(f'{name} = "{name}.csv"\n' for name in files)
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    (folder / "invbi.toml").write_text(
        f'[business]\nname = "x"\n[systems.a]\nplatform = "square"\nroles = ["sells"]\n[policies]\n{named}', encoding="utf-8"
    )
    return load_config(folder / "invbi.toml")


def test_codes_made_of_digits_stay_text(tmp_path: Path) -> None:
    declared = read_declared(configured(tmp_path, sku_map="system,listing_key,sku,units\na,00123,007,6\n"))
    assert declared.sku_map.row(0) == ("a", "00123", "007", 6)


def test_a_map_without_units_means_one(tmp_path: Path) -> None:
    assert read_declared(configured(tmp_path, sku_map="system,listing_key,sku\na,x,y\n")).sku_map["units"].to_list() == [1]


def test_dates_of_a_flash_sale_are_times(tmp_path: Path) -> None:
    text = "channel,valid_from,valid_to,name,value\nshop,2026-11-27,2026-11-30T06:00:00Z,buffer,0\n"
    policies = read_declared(configured(tmp_path, policies=text)).policies
    assert [str(v) for v in policies.select("valid_from", "valid_to").row(0)] == [
        "2026-11-27 00:00:00+00:00",
        "2026-11-30 06:00:00+00:00",
    ]


def test_every_mistake_is_named_with_its_row_and_column(tmp_path: Path) -> None:
    wrong = configured(
        tmp_path, policies="name,value\nbufer,1\nbuffer,x\nshare_bp,20000\n", kits="kit_sku,component_sku,quantity\nk,c,0\n"
    )
    with pytest.raises(ConfigError) as caught:
        read_declared(wrong)
    wheres = [where for where, _, _ in caught.value.problems]
    assert [w.split("/")[-1] for w in wheres] == [
        "kits.csv: row 2, quantity",
        "policies.csv: row 2, name",
        "policies.csv: row 3, value",
        "policies.csv: row 4",
    ]


def test_an_unknown_column_is_not_ignored(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_declared(configured(tmp_path, prices="sku,prise\na,1\n"))
    assert "no column 'prise'" in caught.value.problems[0][1]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    config = configured(tmp_path, prices="sku\n")
    (tmp_path / "prices.csv").unlink()
    with pytest.raises(ConfigError) as caught:
        read_declared(config)
    assert "prices.csv" in caught.value.problems[0][0]
