"""The configuration: every mistake at once, named so that a person can mend it, and every key on the page."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from invbi_pipeline import config
from invbi_pipeline.channels.files.rows import COLUMNS, NAMED
from invbi_pipeline.config import Secret, load_config
from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]


def write(folder: Path, text: str) -> Path:
    path = folder / "invbi.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_sample_configuration_is_valid() -> None:
    assert set(load_config(ROOT / "data/sample/invbi.toml").systems) == {"till", "shop", "amazon", "wms"}


def test_every_mistake_is_named_at_once_with_its_key(tmp_path: Path) -> None:
    path = write(
        tmp_path, '[business]\nname = "x"\ncurency = "GBP"\n[systems.a]\nplatform = "square"\nroles = ["sels"]\nmode = "now"\n'
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    wheres = " ".join(where for where, _, _ in caught.value.problems)
    assert len(caught.value.problems) == 3
    assert all(key in wheres for key in ("business.curency", "systems.a.roles.0", "systems.a.mode"))
    assert all(mend for _, _, mend in caught.value.problems)


def test_a_location_counted_by_nobody_is_refused(tmp_path: Path) -> None:
    system = '[systems.a]\nplatform = "square"\nroles = ["sells"]\n'
    text = f'[business]\nname = "x"\n{system}[locations.l]\nkind = "store"\ncounted_by = "a"\n'
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    assert "has not the role 'counts'" in caught.value.problems[0][1]


def test_two_numbers_for_one_shelf_are_refused(tmp_path: Path) -> None:
    system = '[systems.a]\nplatform = "square"\nroles = ["counts"]\nlocations = { L1 = "soho", L2 = "soho" }\n'
    text = f'[business]\nname = "x"\n{system}[locations.soho]\nkind = "store"\ncounted_by = "a"\n'
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    where, what, _ = caught.value.problems[0]
    assert (where.endswith("systems.a.locations.'L2'"), what) == (True, "'L1' is 'soho' already")


MISFITS = """
[business]
name = "x"
[systems.a]
platform = "shopfy"
roles = ["sells"]
sells_from = ["mars"]
[systems.b]
platform = "amazon"
roles = []
[systems.c]
platform = "shopify"
roles = ["counts"]
[locations.soho]
kind = "store"
counted_by = "nobody"
[guards.channels.shpo]
max_change_units = 5
"""


def test_names_that_do_not_fit_together_are_one_error_each_with_file_and_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has 8 errors") as caught:
        load_config(write(tmp_path, MISFITS))
    assert [where.removeprefix(f"{tmp_path / 'invbi.toml'}: ") for where, _, _ in caught.value.problems] == [
        "locations.soho.counted_by",
        "systems.a.platform",
        "systems.a.sells_from",
        "systems.b.account",
        "systems.b.marketplace",
        "systems.b.roles",
        "systems.c.account",
        "guards.channels.shpo",
    ]
    assert all(what and mend for _, what, mend in caught.value.problems)


@pytest.mark.parametrize("address", ["", "not a url", "ftp://x.test", "https://", "https://x:y", "x.myshopify.com", "http://a b"])
def test_an_address_that_is_none_is_refused_and_not_repeated(tmp_path: Path, address: str) -> None:
    text = f'[business]\nname = "x"\n[systems.a]\nplatform = "square"\nroles = ["sells"]\nbase_url = "{address}"\n'
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    ((where, what, mend),) = caught.value.problems
    assert where.endswith("systems.a.base_url")
    assert "https://" in what
    assert len(address) < 9 or address not in what + mend


@pytest.mark.parametrize("account", ["my shop", "https://x.myshopify.com", "x"])
def test_a_shop_called_by_its_account_needs_a_host_name(tmp_path: Path, account: str) -> None:
    text = f'[business]\nname = "x"\n[systems.a]\nplatform = "shopify"\nroles = ["sells"]\naccount = "{account}"\n'
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    assert caught.value.problems[0][0].endswith("systems.a.account")


def test_a_places_time_zone_is_one(tmp_path: Path) -> None:
    system = '[systems.a]\nplatform = "square"\nroles = ["counts"]\n'
    text = f'[business]\nname = "x"\n{system}[locations.l]\nkind = "store"\ncounted_by = "a"\ntimezone = "Europe/Lundon"\n'
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    assert caught.value.problems[0][0].endswith("locations.l.timezone")


@pytest.mark.parametrize("text", ["[business\n", "\x00"])
def test_a_file_that_is_no_toml_is_refused_with_the_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config(write(tmp_path, text))


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "none.toml")
    assert "invbi init" in caught.value.problems[0][2]


def test_a_missing_secret_is_named_and_a_present_one_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = Secret(env="SOME_TOKEN")
    with pytest.raises(ConfigError, match="SOME_TOKEN"):
        secret.read()
    monkeypatch.setenv("SOME_TOKEN", "hush")
    assert secret.read() == "hush"
    assert "hush" not in repr(secret)


def models() -> Iterator[type[BaseModel]]:
    for value in vars(config).values():
        if isinstance(value, type) and issubclass(value, BaseModel) and value.__module__ == config.__name__:
            yield value


def test_the_page_of_configuration_names_every_key() -> None:
    page = (ROOT / "data/CONFIGURATION.md").read_text(encoding="utf-8")
    keys = {name for model in models() for name in model.model_fields} - {"path", "env", "channels", "policies", "store"}
    assert {key for key in keys if key not in page} == set()


@pytest.mark.parametrize("dataset", COLUMNS)
def test_the_page_of_configuration_lists_every_column_a_mapping_may_name(dataset: Dataset) -> None:
    page = (ROOT / "data/CONFIGURATION.md").read_text(encoding="utf-8")
    table = page.partition(f"\n| `{dataset}` |")[2].partition("\n\n")[0]
    first = "".join(row.split("|")[1] for row in table.splitlines()[2:])
    assert set(re.findall(r"`(\w+)`", first)) == COLUMNS[dataset]
    assert set(re.findall(r"\*\*`(\w+)`\*\*", first)) == set(NAMED[dataset])
