"""What is printed: nothing a platform says moves the terminal, breaks a table or runs in a spreadsheet."""

import csv
import io
import json

import polars as pl
import pytest
from rich.console import Console

from invbi_pipeline.cli import output
from invbi_pipeline.cli.output import Format, emit, plain, report_error, say
from invbi_pipeline.errors import ConfigError

Printed = pytest.CaptureFixture[str]

HARMFUL = ["\x1b[31m", "\x1b]0;title\x07", "\x00", "\x9b2J", "\u202e", "\u2066", "\r", "\u200b", "\ud800"]


def _csv(frame: pl.DataFrame, printed: Printed) -> list[list[str]]:
    emit(frame, Format.CSV)
    return list(csv.reader(io.StringIO(printed.readouterr().out)))


@pytest.mark.parametrize("text", HARMFUL, ids=ascii)
def test_a_character_that_moves_the_terminal_is_spelled_out_in_a_cell_and_a_heading(text: str, capsys: Printed) -> None:
    emit(pl.DataFrame({"a": ["x"], f"b{text.replace(chr(0xD800), '')}": [text.replace(chr(0xD800), "")]}), Format.TABLE)
    shown = capsys.readouterr().out + plain(text)
    assert text[0] not in shown
    assert ascii(text[0])[1:-1] in shown


def test_line_breaks_tabs_and_letters_of_any_script_stay() -> None:
    assert plain("caf\u00e9 \u0645\u0646\n\t\U0001f600") == "caf\u00e9 \u0645\u0646\n\t\U0001f600"


def test_mark_up_in_a_heading_a_title_and_a_cell_is_text(capsys: Printed) -> None:
    emit(pl.DataFrame({"[/]": ["[bold]x[/]"], ":x:": [":smile:"]}), Format.TABLE, title="[/red]")
    shown = capsys.readouterr().out
    for text in ("[/]", "[bold]x[/]", ":x:", ":smile:", "[/red]"):
        assert text in shown


def test_a_sentence_and_an_error_are_harmless_too(capsys: Printed) -> None:
    say("[/]\x1b[2J")
    report_error(ConfigError("\x1b]0;x\x07", [("[/]", "\u202e", "\x9b")]))
    shown = capsys.readouterr().err
    assert "[/]\\x1b[2J" in shown
    assert not set(shown) & {"\x1b", "\x07", "\u202e", "\x9b"}


@pytest.mark.parametrize("text", ["=1+1", "+cmd|x", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1"], ids=ascii)
def test_a_formula_is_text_in_csv_and_so_is_its_heading(text: str, capsys: Printed) -> None:
    assert _csv(pl.DataFrame({text: [text, None], "n": [1, 2]}), capsys) == [["'" + text, "n"], ["'" + text, "1"], ["", "2"]]


def test_numbers_stay_numbers_in_csv(capsys: Printed) -> None:
    frame = pl.DataFrame({"n": [-5], "f": [-1.5], "text": ["-5"], "signed": ["+1.25"], "none": [None]})
    assert _csv(frame, capsys)[1] == ["-5", "-1.5", "-5", "+1.25", ""]


def test_lists_and_structs_are_written_to_csv_as_json(capsys: Printed) -> None:
    row = _csv(pl.DataFrame({"many": [["=a", "b"]], "parts": [{"x": 1}]}), capsys)[1]
    assert [json.loads(cell) for cell in row] == [["=a", "b"], {"x": 1}]


def test_json_is_left_as_it_is(capsys: Printed) -> None:
    emit(pl.DataFrame({"=a": ["=1+1"]}), Format.JSON)
    assert json.loads(capsys.readouterr().out) == {"=a": "=1+1"}


def test_a_table_cut_at_the_query_says_that_there_are_more_and_not_how_many(capsys: Printed) -> None:
    emit(pl.DataFrame({"n": [1, 2, 3]}), Format.TABLE, limit=2, whole=False)
    assert "... there are more" in capsys.readouterr().out


def test_a_long_whole_number_has_separators_as_one_with_decimals_has_and_a_year_has_none(capsys: Printed) -> None:
    emit(pl.DataFrame({"units": [1234567, 2026], "money": [1234567.5, 2.0]}), Format.TABLE)
    shown = capsys.readouterr().out
    assert "1,234,567 " in shown
    assert "1,234,567.50" in shown
    assert " 2026 " in shown


@pytest.mark.parametrize("width", [80, 60, 40, 20])
def test_a_number_is_whole_on_any_screen_and_what_has_words_folds(
    width: int, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "out", Console(width=width, highlight=False, soft_wrap=True, emoji=False))
    waits = "changed share, zeroed share, change units"
    emit(pl.DataFrame({"system": ["amazon_eu"], "waits_for": [waits], "units": [1234567], "money (EUR)": [1.5e9]}), Format.TABLE)
    shown = capsys.readouterr().out
    assert "1,234,567  1,500,000,000.00" in shown
    assert all(word in shown for word in ("system", "waits", "units"))
    assert waits not in shown
    assert max(map(len, shown.splitlines())) <= max(width, 44)
