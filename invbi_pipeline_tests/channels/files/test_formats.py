"""Every format gives the same rows, as text."""

import asyncio
import gzip
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.errors import BadAnswer, Unreachable
from invbi_pipeline_tests.channels.files.exports import channel

COLUMNS = {"listing_key": "code", "quantity": "qty"}
ROWS = [("00123", 5), ("5012345678900", 0)]
CSV = "code,qty\n00123,5\n5012345678900,0\n"


def as_xlsx(path: Path) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("Stock")
        sheet.write_row(0, 0, ["code", "qty"])
        sheet.write_string(1, 0, "00123")
        sheet.write_number(1, 1, 5)
        sheet.write_number(2, 0, 5012345678900)
        sheet.write_number(2, 1, 0)


WRITERS: dict[str, Callable[[Path], object]] = {
    "a.csv": lambda path: path.write_text(CSV),
    "a.csv.gz": lambda path: path.write_bytes(gzip.compress(CSV.encode())),
    "mark.csv": lambda path: path.write_text(CSV, encoding="utf-8-sig"),
    "unicode.txt": lambda path: path.write_text(CSV.replace(",", "\t"), encoding="utf-16"),
    "semicolons.csv": lambda path: path.write_text(CSV.replace(",", ";")),
    "a.tsv": lambda path: path.write_text(CSV.replace(",", "\t")),
    "a.xlsx": as_xlsx,
    "a.jsonl": lambda path: path.write_text('{"code": "00123", "qty": 5}\n{"code": 5012345678900, "qty": 0}\n'),
    "a.parquet": lambda path: pl.DataFrame(ROWS, schema=["code", "qty"], orient="row").write_parquet(path),
    "floats.parquet": lambda path: pl.DataFrame(ROWS, schema={"code": pl.String, "qty": pl.Float64}, orient="row").write_parquet(
        path
    ),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_keeps_codes_of_digits_as_text(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name)
    reading = asyncio.run(channel(tmp_path, {"stock": {"path": name, "columns": COLUMNS}}).read(Dataset.STOCK))
    stock = reading.frames["stock"]
    assert stock["listing_key"].to_list() == ["00123", "5012345678900"]
    assert stock["quantity"].to_list() == ["5", "0"]
    assert all(dtype == pl.String for column, dtype in stock.schema.items() if column != "row_number")


def test_digits_lost_to_a_float_are_kept_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("code,qty\n5.01235E+12,3\n")
    reading = asyncio.run(channel(tmp_path, {"stock": {"path": "a.csv", "columns": COLUMNS}}).read(Dataset.STOCK))
    assert reading.frames["stock"]["listing_key"].to_list() == ["5.01235E+12"]


def test_a_missing_file_is_out_of_reach(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"stock-\*\.csv"):
        asyncio.run(channel(tmp_path, {"stock": {"path": "stock-*.csv", "columns": COLUMNS}}).read(Dataset.STOCK))


BROKEN = {
    "cut.csv.gz": (gzip.compress(CSV.encode() * 50)[:-20], "cut or broken gzip"),
    "cut.parquet": (b"PAR1 and then nothing", "Parquet"),
    "cut.xlsx": (b"PK\x03\x04 and then nothing", "workbook"),
    "empty.csv": (b"", "is empty"),
    "page.csv": (b"<html>Please sign in</html>", "no header row that names 'code', 'qty'"),
    "other.csv": (b"code,amount\nA,1\n", "no header row that names 'qty'"),
    "latin.csv": ("code,qty\nCAFÉ,1\n".encode("latin-1"), "is not utf-8 text"),
    "quote.csv": (b'code,qty\n"A,1\n' + b"B,2\n" * 300_000, "cut inside a quoted field"),
    "twice.csv": (b"code,qty,qty\nA,1,2\n", "2 columns called 'qty'"),
    "page.jsonl": (b"<html>\n", "no line that names"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_says_what_is_wrong_with_it(name: str, tmp_path: Path) -> None:
    content, said = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadAnswer, match=said):
        asyncio.run(channel(tmp_path, {"stock": {"path": name, "columns": COLUMNS}}).read(Dataset.STOCK))
