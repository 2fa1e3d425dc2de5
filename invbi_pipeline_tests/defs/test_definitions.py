"""What Dagster loads: which configuration, what a mistake says, and that nothing is opened."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from invbi_pipeline import definitions
from invbi_pipeline.definitions import SAMPLE, build, config_path

_ROOT = Path(__file__).parents[2]


def test_a_new_clone_shows_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INVBI_CONFIG", raising=False)
    assert config_path() == SAMPLE


def test_the_configuration_of_this_folder_comes_before_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INVBI_CONFIG", raising=False)
    (tmp_path / "invbi.toml").touch()
    assert config_path() == tmp_path / "invbi.toml"


def test_the_one_that_is_named_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVBI_CONFIG", str(tmp_path / "other.toml"))
    assert config_path() == tmp_path / "other.toml"


def test_every_mistake_of_the_configuration_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "invbi.toml"
    path.write_text(
        '[business]\nname = "x"\nmood = "good"\n[systems.a]\nplatform = "square"\nroles = ["cooks"]\n', encoding="utf-8"
    )
    with pytest.raises(dg.DagsterInvalidDefinitionError) as trouble:
        build(path)
    assert "business.mood" in str(trouble.value)
    assert "systems.a.roles" in str(trouble.value)


def test_loading_opens_no_store_and_needs_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "invbi.toml"
    path.write_text(SAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr("socket.socket.connect", _no_network)
    dg.Definitions.validate_loadable(build(path))
    assert [file.name for file in tmp_path.iterdir()] == ["invbi.toml"]


def _no_network(*_: object) -> None:
    raise AssertionError("loading called somebody")


def test_the_module_offers_one_lazy_set_of_definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVBI_CONFIG", str(SAMPLE))
    assert isinstance(definitions.defs(), dg.Definitions)


@pytest.mark.slow
def test_dagster_itself_finds_nothing_wrong(tmp_path: Path) -> None:
    settings = {**os.environ, "DAGSTER_HOME": str(tmp_path), "INVBI_CONFIG": str(SAMPLE)}
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"]
    done = subprocess.run(command, cwd=_ROOT, env=settings, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
