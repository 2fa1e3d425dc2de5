"""What orders, movements and listings become, and what a read-only system answers to the rest of the protocol."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from invbi_pipeline.channels.protocol import Reading, Write, WriteResult
from invbi_pipeline.domain.frames import WALL
from invbi_pipeline.domain.words import CorrectionKind, Dataset
from invbi_pipeline.errors import Refused
from invbi_pipeline_tests.channels.files.exports import channel

ORDERS = {"order_id": "order", "listing_key": "code", "quantity": "qty", "state": "status", "ordered_at": "day"}
WORDS = {"Placed": "pending", "Sent": "fulfilled", "Void": "cancelled"}


def read(folder: Path, dataset: str, text: str, columns: dict[str, str], **source: Any) -> Reading:
    (folder / "rows.csv").write_text(text)
    files = {dataset: {"path": "rows.csv", "columns": columns, **source}}
    return asyncio.run(channel(folder, files).read(Dataset(dataset)))


def test_orders_give_lines_effects_and_shipments(tmp_path: Path) -> None:
    text = "order,code,qty,status,day\n1,A,2,Sent,7/1/2026\n1,B,1, void ,7/1/2026\n2,A,0,Void,7/2/2026\n3,A,1,Placed,7/2/2026\n"
    frames = read(tmp_path, "orders", text, ORDERS, status=WORDS, date_format="%m/%d/%Y").frames
    lines = frames["order_lines"].select("order_id", "line_id", "state", "quantity", "open_quantity")
    assert lines.rows() == [
        ("1", "A", "fulfilled", "2", "0"),
        ("1", "B", "cancelled", "0", "0"),
        ("2", "A", "cancelled", "0", "0"),
        ("3", "A", "pending", "1", "1"),
    ]
    effects = [("1/A/sale", "-2"), ("1/B/sale", "-1"), ("3/A/sale", "-1"), ("1/B/cancel", "1")]
    assert frames["effects"].select("effect_id", "units").rows() == effects
    assert frames["movements"].select("movement_id", "units", "kind").rows() == [("1/A/shipped", "-2", "sale")]
    assert set(frames["effects"]["stamped_at"]) == {f"2026-07-0{day}T00:00:00.000000+00:00" for day in (1, 2)}


def test_a_repeated_code_in_one_order_is_a_line_of_its_own(tmp_path: Path) -> None:
    text = "order,code,qty,status,day\n1,A,2,Sent,2026-07-01\n1,A,1,Sent,2026-07-01\n1,A,1,Sent,2026-07-01\n"
    reading = read(tmp_path, "orders", text, ORDERS, status=WORDS)
    assert reading.frames["order_lines"]["line_id"].to_list() == ["A", "A#2"]
    assert reading.rejected is not None
    assert reading.rejected["row_number"].to_list() == [4]


def test_lines_told_apart_by_their_number_alone_are_told_of(tmp_path: Path) -> None:
    text = "order,code,qty,status,day,changed\n1,A,2,Placed,2026-07-01,2026-07-01\n1,A,3,Placed,2026-07-01,2026-07-02\n"
    columns = {**ORDERS, "updated_at": "changed"}
    [warning] = read(tmp_path, "orders", text, columns, status=WORDS).warnings
    assert warning.startswith("1 order line repeats the code of another line of its order")
    assert read(tmp_path, "orders", text, columns, status=WORDS, keep_last=True).warnings == ()


def test_units_shipped_in_parts_are_movements_of_their_own(tmp_path: Path) -> None:
    columns = {**ORDERS, "open_quantity": "open", "updated_at": "changed"}
    text = "order,code,qty,status,day,open,changed\n1,A,3,Placed,2026-07-01,1,2026-07-02\n"
    movements = read(tmp_path, "orders", text, columns, status=WORDS).frames["movements"]
    assert movements.select("movement_id", "units").rows() == [("1/A/shipped/1", "-1"), ("1/A/shipped/2", "-1")]
    assert movements["occurred_at"].to_list() == ["2026-07-02T00:00:00.000000+00:00"] * 2


def test_units_that_contradict_each_other_or_are_absurdly_many_are_refused_before_they_are_taken_apart(tmp_path: Path) -> None:
    columns = {**ORDERS, "open_quantity": "open"}
    lines = "1,A,100001,Sent,D,0", "2,A,2,Placed,D,5", "3,A,2,Sent,D,2", "4,A,2,Void,D,2"
    rows = [line.replace("D", "2026-07-01") for line in lines]
    reading = read(tmp_path, "orders", "\n".join(("order,code,qty,status,day,open", *rows)), columns, status=WORDS)
    assert reading.frames["order_lines"]["order_id"].to_list() == ["4"]
    assert reading.rejected is not None
    assert list(reading.rejected.select("row_number", "reason").iter_rows()) == [
        (2, "quantity: more than 100,000 units in one line"),
        (3, "open_quantity: more than was ordered"),
        (4, "open_quantity: above 0, and the line is fulfilled"),
    ]


def test_an_unknown_status_is_told_and_nothing_is_guessed(tmp_path: Path) -> None:
    text = "order,code,qty,status,day\n1,A,2,Teleported,2026-07-01\n"
    reading = read(tmp_path, "orders", text, ORDERS, status=WORDS)
    assert reading.frames["order_lines"].is_empty()
    assert reading.rejected is not None
    assert reading.rejected["reason"].to_list() == ["unknown state: Teleported"]


def test_the_price_of_a_line_is_its_amount_over_its_units(tmp_path: Path) -> None:
    text = "order,code,qty,status,day,amt\n1,A,2,Sent,2026-07-01,13\n2,A,0,Void,2026-07-01,5\n"
    lines = read(tmp_path, "orders", text, {**ORDERS, "amount": "amt"}, status=WORDS).frames["order_lines"]
    assert lines["price"].to_list() == ["6.5", None]


def test_movements_without_ids_keep_their_repeats_and_their_ids_at_the_next_export(tmp_path: Path) -> None:
    columns = {"listing_key": "code", "kind": "kind", "units": "units", "occurred_at": "at"}
    rows = "A,Sale,-1,2026-07-01\nA,Sale,-1,2026-07-01\n"
    first = read(tmp_path, "movements", "code,kind,units,at\n" + rows, columns).frames["movements"]
    longer = read(tmp_path, "movements", "code,kind,units,at\nB,Sale,-1,2026-07-01\n" + rows, columns).frames["movements"]
    assert first["movement_id"].n_unique() == 2
    assert set(first["movement_id"]) < set(longer["movement_id"])


def test_listings_nobody_exports_are_those_that_stock_and_orders_name(tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text("code,at,qty\nA,soho,1\nA,leeds,1\nB,soho,1\nB,soho,9\n")
    (tmp_path / "orders.csv").write_text("order,code,qty,status,day\n1,A,2,Sent,2026-07-01\n2,C,2,Sent,2026-07-01\n")
    stock = {"path": "stock.csv", "columns": {"listing_key": "code", "location_key": "at", "quantity": "qty"}}
    erp = channel(tmp_path, {"stock": stock, "orders": {"path": "orders.csv", "columns": ORDERS, "status": WORDS}})
    listings = asyncio.run(erp.read(Dataset.LISTINGS)).frames["listings"]
    assert listings.select("listing_key", "raw_sku", "status").rows() == [
        ("A", "A", "active"),
        ("B", "B", "active"),
        ("B", "B", "active"),  # one code, two numbers in one place: identity has to see it
        ("C", "C", "active"),
    ]


def test_frames_have_the_columns_of_the_wall(tmp_path: Path) -> None:
    text = "order,code,qty,status,day\n1,A,2,Sent,2026-07-01\n"
    for name, frame in read(tmp_path, "orders", text, ORDERS, status=WORDS).frames.items():
        assert frame.columns == [*WALL[name], "payload", "row_number"]
        assert set(frame.drop("row_number").schema.values()) == {pl.String()}


def test_nothing_can_be_written_and_no_webhook_comes(tmp_path: Path) -> None:
    erp = channel(tmp_path, {"stock": {"path": "x", "columns": {"listing_key": "c", "quantity": "q"}}})
    write = Write("c1", CorrectionKind.SET, "A", "", 3, None, "k", occurred_at=datetime(2026, 7, 1, tzinfo=UTC))

    async def results() -> list[WriteResult]:
        return [result async for result in erp.write([write])]

    assert [(r.correction_id, r.outcome, r.code) for r in asyncio.run(results())] == [("c1", "rejected", "read_only")]
    with pytest.raises(Refused):
        erp.parse_event({}, b"{}", "")


def test_read_back_returns_the_points_asked_for(tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text("code,qty\nA,1\nB,2\n")
    erp = channel(tmp_path, {"stock": {"path": "stock.csv", "columns": {"listing_key": "code", "quantity": "qty"}}})
    reading = asyncio.run(erp.read_back([("B", "")]))
    assert reading.frames["stock"].select("listing_key", "quantity").rows() == [("B", "2")]
    assert not reading.full


def test_check_says_which_file_is_missing_and_how_many_listings_the_others_name(tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text("code,qty\nA,1\n")
    stock = {"path": "stock.csv", "columns": {"listing_key": "code", "quantity": "qty"}}
    good = asyncio.run(channel(tmp_path, {"stock": stock}).check())
    bad = asyncio.run(channel(tmp_path, {"stock": {**stock, "path": "gone.csv"}}).check())
    assert (good.ok, good.listings) == (True, 1)
    assert not bad.ok
    assert "gone.csv" in bad.rows[0][2]
