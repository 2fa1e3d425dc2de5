"""What a history knows beyond its reads: the looks that findings rest on, our own pushes, and when returns happened."""

from datetime import UTC, datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.ledger.replay import aligned
from invbi_pipeline.domain.ledger.tieout import ENTRIES, MARKS, MOVES, entries, steady
from invbi_pipeline.flows.accounts.history import placed, told_by_us, trusted

SHELF: Final = {"system": "web", "location": "", "sku": "MUG", "listing_key": "L1"}
POINT: Final = {"system": "web", "location": "", "listing_key": "L1"}


def at(minute: float) -> datetime:
    return datetime(2026, 11, 2, 9, int(minute), round(minute % 1 * 60), tzinfo=UTC)


def read(minute: float, number: int, lag: float = 2.0) -> dict[str, object]:
    doubt = {"doubt_from": at(minute - lag), "doubt_to": at(minute + 0.5)}
    return {**SHELF, "at": at(minute), "number": number, "counted": False, **doubt}


def frame(schema: dict[str, pl.DataType], *rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=dict(schema))


def jumps(marks: pl.DataFrame, *pushes: float) -> list[int]:
    """What the number did that nothing tells of, where our pushes went out at these minutes."""
    sets = frame(dict(MOVES), *({**SHELF, "at": at(minute), "units": 0} for minute in pushes)).lazy()
    moves = frame(dict(MOVES)).lazy()
    return entries(steady(marks.lazy(), sets), moves).filter(pl.col("kind") == "unexplained").collect()["units"].to_list()


def test_a_number_that_our_push_mended_right_after_the_one_look_that_saw_it_parted() -> None:
    marks = frame(dict(MARKS), read(5, 5), read(10, 8), {**read(10.25, 5, 0), "counted": True}, read(15, 5))
    assert jumps(marks, 10.25) == []
    looks = pl.DataFrame([{**POINT, "look_at": at(10)}], schema_overrides={"look_at": MARKS["at"]})
    assert jumps(trusted(marks, looks), 10.25) == [3]


def entry(**given: object) -> dict[str, object]:
    usually = {**SHELF, "at": at(10), "since": at(5), "kind": "unexplained", "units": -7, "movement_id": "", "order_id": ""}
    return {**usually, "number": 3, "origin": "unexplained 9:10", **given}


def test_a_change_to_just_what_we_sent_is_our_push_although_its_proof_never_came() -> None:
    schema = {**ENTRIES, "number": pl.Int64(), "origin": pl.String()}
    shown = frame(schema, entry(), entry(number=4, at=at(20), since=at(15)), entry(kind="sale", at=at(8)))
    sent = pl.DataFrame([{**POINT, "sent_at": at(n), "to_qty": 3} for n in (7, 17)], schema_overrides={"sent_at": MARKS["at"]})
    assert told_by_us(shown, sent)["kind"].to_list() == ["count", "unexplained", "sale"]
    assert told_by_us(shown, sent.clear())["kind"].to_list() == ["unexplained", "unexplained", "sale"]


def test_a_return_stands_where_the_goods_came_back_and_not_where_it_was_booked() -> None:
    schema = {**ENTRIES, "number": pl.Int64(), "origin": pl.String()}
    owner = frame(schema, entry(kind="sale", origin="o1", at=at(1)), entry(kind="return", origin="o2", at=at(50), units=1))
    channel = frame(schema, entry(kind="sale", origin="o3", at=at(30)))
    rows = aligned(owner.lazy(), channel.lazy()).collect()
    assert rows["origin"].to_list() == ["o1", "o3", "o2"]
    back = pl.DataFrame([{"origin": "o2", "happened_at": at(20)}], schema_overrides={"happened_at": MARKS["at"]})
    moved = placed(rows, back)
    assert moved.select("origin", "at").rows() == [("o1", at(1)), ("o2", at(20)), ("o3", at(30))]
    assert moved["owner_at"].to_list() == [at(1), at(50), None]
