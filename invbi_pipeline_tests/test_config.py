"""The configuration: every mistake at once, named so that a person can mend it, and every key on the page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from invbi_pipeline import config
from invbi_pipeline.config import Secret, load_config
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
    assert "'L2': 'L1' is 'soho' already" in caught.value.problems[0][1]


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
