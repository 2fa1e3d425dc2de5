"""Every row of a file is loaded, or rejected with its reason and its place in the file."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from invbi_pipeline.channels.protocol import Reading
from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.errors import ConfigError
from invbi_pipeline_tests.channels.files.exports import channel

COLUMNS = {"listing_key": "code", "quantity": "qty"}


def stock(folder: Path, text: str, **source: Any) -> Reading:
    (folder / "stock.csv").write_text(text)
    files = {"stock": {"path": "stock.csv", "columns": COLUMNS, **source}}
    return asyncio.run(channel(folder, files).read(Dataset.STOCK))


def reasons(reading: Reading) -> list[tuple[int, str]]:
    assert reading.rejected is not None
    return list(reading.rejected.select("row_number", "reason").iter_rows())


def test_unusable_rows_are_rejected_with_their_place_and_reason(tmp_path: Path) -> None:
    reading = stock(tmp_path, "code,qty\nA,1\n,2\n#REF!,3\nB\nC,4,5\nA,1\n\ncode,qty\nD,\n")
    assert reading.frames["stock"].select("listing_key", "state", "quantity", "row_number").rows() == [
        ("A", "known", "1", 2),
        ("D", "unknown", None, 10),
    ]
    assert reasons(reading) == [
        (3, "blank listing_key"),
        (4, "broken cell in listing_key: #REF!"),
        (5, "wrong number of fields: 1, the header has 2"),
        (6, "wrong number of fields: 3, the header has 2"),
        (7, "duplicate: repeats another row in every mapped column"),
        (9, "the header row again"),
    ]


def test_one_code_with_two_numbers_keeps_both_rows(tmp_path: Path) -> None:
    reading = stock(tmp_path, "code,qty\nA,0\nA,23\n")
    assert reading.frames["stock"]["quantity"].to_list() == ["0", "23"]
    assert reasons(reading) == []


def test_keep_last_rejects_the_rows_it_replaces(tmp_path: Path) -> None:
    reading = stock(tmp_path, "code,qty\nA,0\nB,1\nA,23\nA,23\n", keep_last=True)
    assert reading.frames["stock"].select("listing_key", "quantity").rows() == [("B", "1"), ("A", "23")]
    assert [row for row, _ in reasons(reading)] == [2, 4]


def test_words_for_a_quantity_become_states_and_blank_is_never_zero(tmp_path: Path) -> None:
    reading = stock(tmp_path, "code,qty\nA,untracked\nB,\nC,2.5\nD,-3.0\n")
    rows = reading.frames["stock"].select("state", "quantity").rows()
    assert rows == [("untracked", None), ("unknown", None), ("known", "2.5"), ("known", "-3")]


def test_the_header_is_found_below_titles_and_other_tables_and_all_their_rows_are_told(tmp_path: Path) -> None:
    text = "Stock of 1 July,\nname,size\nx,M\n9,code,qty\n1,A,4\n2,B,5\n3,total,end\n4,9,9\n"
    reading = stock(tmp_path, text, header="auto", until="end")
    assert reading.frames["stock"]["listing_key"].to_list() == ["A", "B"]
    above, below = "outside the table: above its header row", "outside the table: below its last row"
    assert reasons(reading) == [(2, above), (3, above), (7, below), (8, below)]


def test_rows_to_skip_are_counted_in_row_numbers(tmp_path: Path) -> None:
    reading = stock(tmp_path, "a,b\nc,d\ncode,qty\nA,1\n", skip_rows=2)
    assert reading.frames["stock"]["row_number"].to_list() == [4]


def test_a_file_without_a_header_is_mapped_by_position(tmp_path: Path) -> None:
    reading = stock(tmp_path, "A,x,7\n", header="none", columns={"listing_key": "1", "quantity": "3"})
    assert reading.frames["stock"].select("listing_key", "quantity").rows() == [("A", "7")]


def test_payload_holds_the_mapped_columns_only(tmp_path: Path) -> None:
    reading = stock(tmp_path, "code,customer,qty\nA,Jane Roe,1\n,Jane Roe,2\nB,Jane Roe\n")
    assert reading.rejected is not None
    held = [*reading.frames["stock"]["payload"], *reading.rejected["payload"]]
    assert held[0] == '{"code":"A","qty":"1"}'
    assert not any("Jane" in text for text in held)


def test_of_several_files_the_newest_is_read_unless_all_are_asked_for(tmp_path: Path) -> None:
    import os

    for day in (1, 2):
        (tmp_path / f"stock-{day}.csv").write_text(f"code,qty\nA{day},{day}\n,{day}\n")
        os.utime(tmp_path / f"stock-{day}.csv", (day * 86_400, day * 86_400))
    source = {"path": "stock-*.csv", "columns": COLUMNS}
    newest = asyncio.run(channel(tmp_path, {"stock": source}).read(Dataset.STOCK))
    every = asyncio.run(channel(tmp_path, {"stock": {**source, "all_matches": True}}).read(Dataset.STOCK))
    assert newest.frames["stock"]["listing_key"].to_list() == ["A2"]
    assert newest.platform_time.timestamp() == 2 * 86_400
    assert every.frames["stock"]["listing_key"].to_list() == ["A1", "A2"]
    assert every.rejected is not None
    assert every.rejected["payload"].to_list()[0] == '{"code":null,"qty":"1","(file)":"stock-1.csv"}'


def test_an_unchanged_file_gives_the_same_cursor_and_the_same_rows(tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text("code,qty\nA,1\n")
    erp = channel(tmp_path, {"stock": {"path": "stock.csv", "columns": COLUMNS}})
    first = asyncio.run(erp.read(Dataset.STOCK))
    again = asyncio.run(erp.read(Dataset.STOCK, first.cursor))
    (tmp_path / "stock.csv").write_text("code,qty\nA,2\n")
    changed = asyncio.run(erp.read(Dataset.STOCK, first.cursor))
    assert again.full
    assert (again.cursor, again.frames["stock"].rows()) == (first.cursor, first.frames["stock"].rows())
    assert changed.cursor != first.cursor


def test_the_export_time_is_the_newest_as_of(tmp_path: Path) -> None:
    text = "code,qty,at\nA,1,2026-06-30 22:00\nB,1,2026-06-30 23:15\n"
    reading = stock(tmp_path, text, columns={**COLUMNS, "as_of": "at"}, timezone="Europe/London")
    assert reading.platform_time.isoformat() == "2026-06-30T22:15:00+00:00"


def test_a_wrong_mapping_names_every_problem_at_once(tmp_path: Path) -> None:
    source = {"path": "x", "columns": {"listing_key": "a", "qty": "b"}, "status": {"x": "shipped"}, "timezone": "Mars"}
    with pytest.raises(ConfigError) as caught:
        channel(tmp_path, {"stock": source})
    told = [f"{where}: {what}" for where, what, _ in caught.value.problems]
    assert told == [
        "systems.erp.files.stock.columns: 'qty' is not a column of stock",
        "systems.erp.files.stock.columns: 'quantity' is not mapped",
        "systems.erp.files.stock.status.'x': 'shipped' is not one of our words",
        "systems.erp.files.stock.timezone: 'Mars' is not a time zone",
    ]
