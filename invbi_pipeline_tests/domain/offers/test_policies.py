"""Policies: the narrowest row wins, dated before undated, whatever their order."""

from typing import Any

import polars as pl
import pytest

from invbi_pipeline.domain.offers.policies import BUFFERS, book_of, crossing, problems, resolve
from invbi_pipeline_tests.domain.small_world import NOW, at, frame

TARGET = {"channel": "web", "location": "shop", "category": "tees", "sku": "A"}
SKU, CATEGORY, LOCATION, CHANNEL = ({s: TARGET[s]} for s in ("sku", "category", "location", "channel"))


def won(*rows: dict[str, Any], names: tuple[str, ...] = ("buffer",)) -> dict[str, Any]:
    """Return what holds for TARGET, of rows given in their order and in the opposite one."""
    target = pl.LazyFrame([TARGET])
    one, other = (
        resolve(target, book_of(frame("policies", *({"name": "buffer", **row} for row in order)), NOW), names)
        .collect()
        .row(0, named=True)
        for order in (rows, rows[::-1])
    )
    assert one == other
    return one


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (SKU, {**CATEGORY, **LOCATION, **CHANNEL}),
        (CATEGORY, {**LOCATION, **CHANNEL}),
        (LOCATION, CHANNEL),
        (CHANNEL, {}),
        ({**SKU, **CHANNEL}, SKU),
    ],
)
def test_the_narrower_row_wins(narrow: dict[str, str], wide: dict[str, str]) -> None:
    assert won({**narrow, "value": 1}, {**wide, "value": 2})["buffer"] == 1


def test_a_row_of_something_else_is_passed_over_and_the_default_says_nothing() -> None:
    row = won({"sku": "B", "value": 1}, {"channel": "other", "value": 2})
    assert (row["buffer"], row["where_buffer"]) == (0, "")


def test_of_two_equally_narrow_rows_the_dated_one_wins_while_it_holds() -> None:
    sale = {**CHANNEL, "value": 9, "valid_from": at(-1), "valid_to": at(1)}
    assert won(sale, {**CHANNEL, "value": 2})["where_buffer"] == "channel=web dated"
    over = {**sale, "valid_to": NOW}
    assert won(over, {**CHANNEL, "value": 2})["buffer"] == 2


def test_a_dated_row_does_not_beat_a_narrower_one() -> None:
    assert won({"value": 9, "valid_from": at(-1)}, {**SKU, "value": 2})["buffer"] == 2


def test_a_percentage_and_a_number_are_one_buffer_of_which_the_narrower_holds() -> None:
    row = won({"value": 3}, {**SKU, "name": "buffer_pct_bp", "value": 500})
    assert (row["buffer"], row["buffer_pct_bp"], row["where_buffer"]) == (None, 500, "sku=A")


@pytest.mark.parametrize("name", BUFFERS)
def test_of_all_ways_to_say_a_buffer_one_holds(name: str) -> None:
    row = won({**SKU, "name": name, "value": 7}, *({"name": other, "value": 5} for other in BUFFERS))
    assert {other: row[other] for other in BUFFERS} == {**dict.fromkeys(BUFFERS), name: 7}


def test_of_two_dated_rows_the_one_within_the_other_holds() -> None:
    sale, hour = {"value": 1, "valid_from": at(-9), "valid_to": at(9)}, {"value": 2, "valid_from": at(-1), "valid_to": at(1)}
    assert won(sale, hour)["buffer"] == 2
    assert won(sale, {**hour, "valid_from": at(-9)})["buffer"] == 2
    assert won(sale, {**hour, "valid_to": at(9)})["buffer"] == 2


DAYS = [(None, None), (None, 2), (None, 4), (1, None), (3, None), (1, 3), (2, 4), (1, 2), (2, 3), (1, 4)]


@pytest.mark.parametrize("one", DAYS)
@pytest.mark.parametrize("two", DAYS)
def test_rows_cross_where_both_hold_for_a_while_and_neither_lies_within_the_other(
    one: tuple[int | None, int | None], two: tuple[int | None, int | None]
) -> None:
    def days(of: tuple[int | None, int | None]) -> set[int]:
        return set(range(-5 if of[0] is None else of[0], 9 if of[1] is None else of[1]))

    rows = [
        {"name": "buffer", "value": n, "valid_from": a and at(24 * a), "valid_to": b and at(24 * b)}
        for n, (a, b) in enumerate((one, two))
    ]
    found = crossing(frame("policies", *rows).with_row_index("row")).collect()
    assert found.height == (bool(days(one) & days(two)) and not days(one) <= days(two) and not days(two) <= days(one))


@pytest.mark.parametrize("same", [{"value": 1}, {"value": 2, "sku": "B"}, {"value": 2, "name": "threshold"}])
def test_rows_that_agree_or_are_of_other_things_cross_nothing(same: dict[str, Any]) -> None:
    rows = {"name": "buffer", "value": 1, "valid_to": at(9)}, {"name": "buffer", **same, "valid_from": at(1)}
    assert crossing(frame("policies", *rows).with_row_index("row")).collect().is_empty()


def test_what_cannot_be_meant_is_named_and_passed_over() -> None:
    rows: list[dict[str, Any]] = [
        {"name": "bufer", "value": 1},
        {"name": "share_bp", "value": 10_001},
        {"name": "buffer", "value": None},
        {"name": "buffer", "value": 1, "valid_from": at(1), "valid_to": at(0)},
    ]
    reasons = problems(frame("policies", *rows, {"name": "buffer", "value": 4})).collect()["reason"].to_list()
    assert len(reasons) == 4
    assert reasons[0].startswith("no policy is called bufer; expected one of share_bp, ")  # by name
    assert won(*rows, {"value": 4})["buffer"] == 4
