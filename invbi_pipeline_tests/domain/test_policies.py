"""Policies: the narrowest row wins, dated before undated, whatever their order."""

from typing import Any

import polars as pl
import pytest

from invbi_pipeline.domain.policies import problems, resolve
from invbi_pipeline_tests.domain.small_world import NOW, at, frame

TARGET = {"channel": "web", "location": "shop", "category": "tees", "sku": "A"}
SKU, CATEGORY, LOCATION, CHANNEL = ({s: TARGET[s]} for s in ("sku", "category", "location", "channel"))


def won(*rows: dict[str, Any], names: tuple[str, ...] = ("buffer",)) -> dict[str, Any]:
    """Return what holds for TARGET, of rows given in their order and in the opposite one."""
    target = pl.LazyFrame([TARGET])
    one, other = (
        resolve(target, frame("policies", *({"name": "buffer", **row} for row in order)), names, NOW).collect().row(0, named=True)
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
