"""Row numbers of points: the order of the keys, and frames that meet by them."""

import polars as pl
import pytest

from invbi_pipeline.domain.points.numbering import Numbering, put, spread

KEY = ("system", "item")
KEYS = pl.DataFrame({"system": ["web", "till", "web"], "item": ["b", "c", "a"]})


def test_numbers_follow_the_order_of_the_keys() -> None:
    numbers = Numbering.of(KEY, KEYS)
    assert numbers.number(KEYS).to_list() == [2, 0, 1]
    assert numbers.keys().rows() == [("till", "c"), ("web", "a"), ("web", "b")]


def test_a_key_of_many_frames_has_one_number() -> None:
    assert len(Numbering.of(KEY, KEYS, KEYS.head(1))) == 3


def test_keys_that_nobody_numbered_have_no_number() -> None:
    strangers = pl.DataFrame({"system": ["web", "app", "till"], "item": ["c", "a", "z"]})
    assert Numbering.of(KEY, KEYS).number(strangers).to_list() == [None, None, None]


def test_many_systems_that_share_no_item_are_numbered_alike() -> None:
    many = pl.DataFrame({"system": [f"s{n:04}" for n in range(2_000)], "item": [f"i{n:04}" for n in range(2_000)]})
    numbers = Numbering.of(KEY, many)
    assert len(numbers.numbers) == 0, "these have too many places for a table"
    assert numbers.number(many.reverse()).to_list() == list(range(1_999, -1, -1))
    assert numbers.keys().equals(many)


def test_the_beginnings_of_keys_are_numbered_by_the_same_names() -> None:
    short, of_keys = Numbering.of(KEY, KEYS).beginnings(1)
    assert short.keys()["system"].to_list() == ["till", "web"]
    assert of_keys.to_list() == [0, 1, 1]


@pytest.mark.parametrize(
    ("number", "said"), [([2, 0], ["b", None, "a"]), ([1, 1], [None, "b", None]), ([None, 2], [None, None, "b"])]
)
def test_some_rows_are_spread_over_all_and_of_several_the_last_holds(number: list[int | None], said: list[str | None]) -> None:
    some = pl.DataFrame({"said": ["a", "b"]})
    assert spread(some, pl.Series(number, dtype=pl.UInt32), 3)["said"].to_list() == said


def test_rows_are_put_in_the_place_of_theirs() -> None:
    every = pl.DataFrame({"pid": [0, 1, 2], "said": ["a", "b", "c"]}, schema_overrides={"pid": pl.UInt32})
    some = pl.DataFrame({"said": ["C", "A"], "pid": [2, 0]}, schema_overrides={"pid": pl.UInt32})
    assert put(every, some)["said"].to_list() == ["A", "b", "C"]
