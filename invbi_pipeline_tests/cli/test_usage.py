"""Wrong words, wrong configuration, missing secrets: exit 2, with what, where, and how to mend it."""

import errno
import re
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from invbi_pipeline_tests.cli.typed import invbi
from invbi_pipeline_tests.sandbox.serving import serving

WRONG = """
data_dir = "state"
[business]
name = "x"
currency = "pounds"
timezone = "Europe/Lundon"
[locations.soho]
kind = "shop"
counted_by = "till"
[systems.till]
platform = "square"
roles = ["count"]
tokn = "x"
"""
TWO_SHOPS = """
[business]
name = "x"
[systems.till]
platform = "square"
roles = ["sells"]
base_url = "{address}/till"
secrets.token = {{ env = "NO_SUCH_TILL_TOKEN" }}
[systems.shop]
platform = "shopify"
roles = ["sells"]
base_url = "{address}/shop"
secrets.token = {{ env = "NO_SUCH_SHOP_TOKEN" }}
"""
ONE_FILE = """
[business]
name = "x"
[systems.erp]
platform = "files"
roles = ["sells"]
files.stock = { path = "stock.csv", columns = { listing_key = "code", quantity = "stock" } }
"""


def _written(folder: Path, text: str) -> Path:
    path = folder / "invbi.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "words",
    [
        ["rnu"],
        ["run", "--fast"],
        ["run", "--fail-on", "terrible"],
        ["findings", "--format", "xml"],
        ["explain"],
        ["query"],
        ["sandbox", "--port", "70000"],
        ["demo", "--skus", "many"],
    ],
    ids=" ".join,
)
def test_words_that_are_none_exit_2_and_name_the_word(words: list[str]) -> None:
    said = invbi(*words)
    assert said.code == 2
    told = re.sub(r"[│\s]+", " ", said.err)
    assert words[-1] in told or "Missing argument" in told or f"Invalid value for '{words[-2]}'" in told
    assert "Traceback" not in said.err


def test_every_error_of_a_configuration_is_told_at_once(tmp_path: Path) -> None:
    said = invbi("run", "--config", _written(tmp_path, WRONG))
    assert said.code == 2
    for key in ("business.currency", "business.timezone", "locations.soho.kind", "systems.till.roles", "systems.till.tokn"):
        assert key in said.err, key
    assert str(tmp_path / "invbi.toml") in said.err
    assert said.err.count("to mend it") >= 5
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("command", ["run", "check", "findings", "plan", "push"])
def test_a_configuration_that_is_not_there_is_named(command: str, tmp_path: Path) -> None:
    said = invbi(command, "--config", tmp_path / "none.toml")
    assert said.code == 2
    assert "none.toml" in said.err
    assert "invbi init" in said.err


def test_broken_toml_is_told_with_its_line(tmp_path: Path) -> None:
    said = invbi("run", "--config", _written(tmp_path, "[business\nname = 1\n"))
    assert said.code == 2
    assert "line 1" in said.err


@pytest.mark.parametrize("words", [["run"], ["run", "--dry-run"], ["check"], ["push"]], ids=" ".join)
def test_missing_secrets_are_named_before_anything_is_called(words: list[str], tmp_path: Path) -> None:
    called: list[str] = []

    async def listening(scope: Scope, receive: Receive, send: Send) -> None:
        called.append(scope["path"])
        await PlainTextResponse("")(scope, receive, send)

    with serving(listening) as address:
        said = invbi(*words, "--config", _written(tmp_path, TWO_SHOPS.format(address=address)))
    assert said.code == 2
    assert "NO_SUCH_TILL_TOKEN" in said.err
    assert "NO_SUCH_SHOP_TOKEN" in said.err
    assert called == []
    assert not (tmp_path / "state.db").exists()


@pytest.mark.parametrize(
    "words",
    [["findings"], ["explain", "A-1"], ["query", "select 1"], ["plan"], ["approve", "--all"], ["accept", "a", "b"]],
    ids=" ".join,
)
def test_asking_before_the_first_run_says_to_run_first(words: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    assert invbi("init", folder).code == 0
    said = invbi(*words, "--config", folder / "invbi.toml")
    assert said.code == 2
    assert "invbi run" in said.err


@pytest.mark.parametrize("words", [["init"], ["demo", "--folder"], ["sandbox", "--port", "0", "--folder"]], ids=" ".join)
def test_a_folder_that_cannot_be_written_is_named(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file" / "below", Path("/proc/nowhere")):
        said = invbi(*words, folder)
        assert said.code == 2
        assert str(folder) in said.err
        assert "to mend it" in said.err


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = invbi("run", "--config", _written(tmp_path, f'data_dir = "file/below"\n{ONE_FILE}'))
    assert said.code == 2
    assert "data_dir" in said.err
    assert "Traceback" not in said.err


def test_check_advises_only_on_what_is_not_well(tmp_path: Path) -> None:
    rows = invbi("check", "--format", "json", "--config", _written(tmp_path, ONE_FILE)).lines()
    assert rows
    assert all((row["ok"] == "yes") == (row["to_do"] == "") for row in rows)


def test_ctrl_c_ends_with_130_and_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.copyfile", pressed)
    said = invbi("init", tmp_path)
    assert said.code == 130
    assert "Stopped" in said.err
    assert "Traceback" not in said.err


def test_a_disk_without_room_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    said = invbi("init", tmp_path)
    assert said.code == 2
    assert "No space left" in said.err


def test_init_never_writes_over_a_file(tmp_path: Path) -> None:
    assert invbi("init", tmp_path).code == 0
    (tmp_path / "invbi.toml").write_text("# mine\n")
    said = invbi("init", tmp_path)
    assert said.code == 2
    assert "--force" in said.err
    assert (tmp_path / "invbi.toml").read_text() == "# mine\n"


def test_an_unknown_preset_is_answered_with_those_there_are() -> None:
    said = invbi("demo", "--preset", "corner_shop")
    assert said.code == 2
    assert "till_master" in said.err


@pytest.mark.parametrize(
    ("words", "mended"),
    [
        (["nosuch"], "detect"),
        (["phantom", "--preset", "nosuch"], "till_master"),
        (["detect", "--seeds", "5..2"], "11..14"),
        (["decide", "--seeds", "1..2"], "detect or oversell or phantom"),
        (["oversell", "--preset", "till_master"], "detect or phantom"),
        (["push", "--rate", "5"], "only with live"),
        (["demo", "--skus", "2000"], "only with decide"),
    ],
    ids=lambda said: " ".join(said) if isinstance(said, list) else "",
)
def test_a_bench_that_cannot_be_run_as_asked_is_refused_before_it_begins(words: list[str], mended: str) -> None:
    said = invbi("bench", *words)
    assert said.code == 2
    assert mended in " ".join(said.err.split())
    assert "measuring" not in said.err


def test_a_demo_never_starts_in_a_folder_that_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("x")
    said = invbi("demo", "--folder", tmp_path)
    assert said.code == 2
    assert list(tmp_path.iterdir()) == [tmp_path / "kept.txt"]


def test_a_policy_file_that_cannot_be_read_is_named_with_its_row(tmp_path: Path) -> None:
    assert invbi("init", tmp_path).code == 0
    policies = next(tmp_path.glob("*polic*.csv"))
    header = policies.read_text().splitlines()[0]
    policies.write_text(f"{header}\n{',' * (header.count(',') - 1)}buffer,many\n")
    said = invbi("check", "--config", tmp_path / "invbi.toml")
    assert said.code == 2
    assert policies.name in said.err
