"""What the pages say is so: every command line is one that invbi takes, every link leads somewhere, every snippet is read."""

import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup

from invbi_pipeline.cli import main
from invbi_pipeline.cli.output import Exit
from invbi_pipeline.config import load_config
from invbi_pipeline.store.warehouse import Warehouse
from invbi_pipeline_tests.cli.typed import COMMANDS
from invbi_pipeline_tests.screenshots import LARGEST

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "data/README.md", "data/CONFIGURATION.md", "docs/serve.md")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """Return the fenced blocks of one language, whatever list they stand in."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [found[2] for found in re.finditer(rf"^( *)```{language}\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL)]


def lines() -> Iterator[str]:
    """Return the command lines of every page's shell blocks, without their comments."""
    for page in PAGES:
        for block in blocks(page, "sh"):
            yield from filter(None, (line.split("#")[0].strip() for line in block.splitlines()))


INVBI = [shlex.split(line)[1:] for line in lines() if shlex.split(line)[0] == ".venv/bin/invbi"]
MAKE = [shlex.split(line) for line in lines() if shlex.split(line)[0] == "make"]


def typed(command: str) -> list[str]:
    """Return the first line of the README that types this command."""
    return next(words for words in INVBI if words[0] == command)


def run(words: list[str], config: Path) -> int:
    """Run a line of the README on the shop beside `config` instead of `my-shop`."""
    known = {"my-shop": str(config.parent), "my-shop/invbi.toml": str(config)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["invbi", *(known.get(word, word) for word in words)])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0)


def test_every_command_line_is_make_or_invbi() -> None:
    assert len(INVBI) + len(MAKE) == len(list(lines()))
    assert INVBI
    assert MAKE


@pytest.mark.parametrize("words", INVBI, ids=" ".join)
def test_invbi_takes_each_command_line_of_the_pages(words: list[str]) -> None:
    command, rest = COMMANDS[words[0]], words[1:]
    if isinstance(command, TyperGroup) and rest and rest[0] in command.commands:
        command, rest = command.commands[rest[0]], rest[1:]
    command.make_context(words[0], list(rest))


@pytest.mark.parametrize("words", MAKE, ids=" ".join)
def test_make_knows_each_target_of_the_pages(words: list[str]) -> None:
    done = subprocess.run([*words, "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_table_of_commands_is_whole() -> None:
    rows = re.findall(r"^\| `([a-z]+)` \|", README, re.MULTILINE)
    assert rows == sorted(COMMANDS, key=rows.index)


def test_the_table_of_exit_codes_is_whole() -> None:
    codes = {value for name, value in vars(Exit).items() if name.isupper()}
    assert {int(code) for code in re.findall(r"^\| (\d) \|", README, re.MULTILINE)} == codes


def test_every_link_and_picture_of_the_pages_is_there() -> None:
    for page in PAGES:
        folder = (ROOT / page).parent
        for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", (ROOT / page).read_text(encoding="utf-8")):
            assert (folder / target).exists(), f"{page}: {target}"


def test_every_picture_opens_quickly() -> None:
    pictures = list((ROOT / "invbi_pipeline_tests" / "pictures").glob("*.png"))
    assert {path.name for path in pictures} == set(re.findall(r"pictures/([a-z-]+\.png)", README))
    assert [path.name for path in pictures if path.stat().st_size > LARGEST] == []


def test_a_heading_that_is_linked_to_is_there() -> None:
    for page, anchor in re.findall(r"\]\(([^)#]+\.md)#([^)]+)\)", README):
        headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_toml_snippet_is_toml() -> None:
    snippets = [snippet for page in PAGES for snippet in blocks(page, "toml")]
    snippets += re.findall(r"`(mode = [^`]+)`", README)
    assert [tomllib.loads(snippet)["mode"] for snippet in snippets if snippet.startswith("mode")] == [
        "observe",
        "approve",
        "auto",
    ]


def test_going_live_begins_as_the_readme_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "my-shop" / "invbi.toml"
    assert run(typed("init"), config) == Exit.DONE
    assert run(typed("check"), config) == Exit.USAGE
    assert "SQUARE_TOKEN" in capsys.readouterr().err


def test_the_query_of_the_readme_is_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "my-shop" / "invbi.toml"
    assert run(typed("init"), config) == Exit.DONE
    loaded = load_config(config)
    warehouse = Warehouse(loaded.data / loaded.store.warehouse)
    warehouse.read("recon.points")  # makes its tables
    warehouse.export()
    assert run(typed("query"), config) == Exit.DONE
    assert "system" in capsys.readouterr().out


def test_the_example_of_the_idea_is_right() -> None:
    text = " ".join(README.split())
    told = re.search(r"Base (\d+), the channel sold (\d+) since, it reports (\d+), and .*? only (\d+) may be offered", text)
    assert told is not None
    base, sold, reported, offer = map(int, told.groups())
    expected = base - sold
    assert f"expected {expected}, unexplained {reported - expected}, pending {offer - expected}" in text
    assert reported - offer == (reported - expected) - (offer - expected)
