"""Steps: what stands beside each other, and what is in order, is so by position or by search alike."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from invbi_pipeline.domain import steps
from invbi_pipeline.domain.steps import alike, any_row, beside, numbers, ordered

KEY = ["system", "listing_key"]


def _frame(keys: list[tuple[str | None, str]], **more: list[int]) -> pl.DataFrame:
    return pl.DataFrame(keys, schema=dict.fromkeys(KEY, pl.String), orient="row").with_columns(
        pl.Series(name, values, dtype=pl.Int64) for name, values in more.items()
    )


@pytest.mark.parametrize("keys", [[("a", "1"), ("a", "2"), ("b", "1")], [("b", "1"), ("a", "2"), ("a", "1")], [("a", "2")], []])
def test_rows_of_one_key_stand_beside_each_other_in_the_order_of_the_left(keys: list[tuple[str | None, str]]) -> None:
    left = _frame([("a", "1"), ("a", "2"), ("b", "1")], units=[1, 2, 3])
    right = _frame(keys, offer=[*range(len(keys))])

    assert_frame_equal(beside(left, right, KEY), left.join(right, on=KEY, how="left", maintain_order="left"))


def test_a_key_that_is_unknown_meets_no_other() -> None:
    unknown = _frame([(None, "1")], units=[1])

    assert beside(unknown, unknown.rename({"units": "offer"}), KEY)["offer"].to_list() == [None]


row = st.tuples(st.sampled_from(["b", "a", "", None]), st.sampled_from(["2", "10", "é"]), *[st.integers(-2, 2) | st.none()] * 3)
COLUMNS = {"system": pl.String(), "listing_key": pl.String(), **dict.fromkeys(("units", "sold", "left"), pl.Int64())}


@settings(max_examples=80)
@given(rows=st.lists(row, max_size=12), count=st.integers(1, 5), sorted_before=st.booleans(), largest=st.sampled_from([1, 2**63]))
def test_rows_are_in_order_however_many_there_are(
    rows: list[tuple[str | None, str, int | None]], count: int, largest: int, *, sorted_before: bool
) -> None:
    frame = pl.DataFrame(rows, schema=COLUMNS, orient="row").with_row_index("row")
    by = [*COLUMNS][:count]
    usual = frame.sort(by, maintain_order=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "_MANY", 0)
        patch.setattr(steps, "_LARGEST", largest)

        found = ordered(usual if sorted_before else frame, *by)

    assert_frame_equal(found, usual)


def test_rows_in_the_order_of_their_first_column_alone_are_sorted_by_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "_MANY", 0)
    frame = _frame([("a", "2"), ("a", "1"), ("b", "1")])

    assert ordered(frame, *KEY)["listing_key"].to_list() == ["1", "2", "1"]


def test_numbers_of_values_that_lie_far_apart_stay_in_their_order() -> None:
    far = 2**40
    frame = pl.DataFrame({"units": [-far, far, -far, far], "sold": [far, -far, -far, far]})

    assert numbers(frame, "units", "sold").rank("dense").to_list() == [2, 3, 1, 4]


@given(rows=st.lists(row, max_size=12))
def test_numbers_are_equal_where_rows_are_and_in_their_order(rows: list[tuple[str | None, str, int | None]]) -> None:
    frame = pl.DataFrame(rows, schema=COLUMNS, orient="row")

    found = frame.with_columns(number=numbers(frame, *COLUMNS)).unique().sort([*COLUMNS])["number"]

    assert found.to_list() == sorted(set(found))


@given(rows=st.lists(row, max_size=12))
def test_rows_that_are_alike_are_among_those_that_may_be(rows: list[tuple[str | None, str, int | None]]) -> None:
    frame = pl.DataFrame(rows, schema=COLUMNS, orient="row")

    found = frame.select(may=alike(KEY), are=pl.struct(KEY).is_duplicated())

    assert found.filter(pl.col("are") & ~pl.col("may")).is_empty()


def test_whether_there_is_any_row_is_known_of_a_frame_with_and_without_one() -> None:
    frame = pl.LazyFrame({"n": [1, 2]})
    assert any_row(frame)
    assert not any_row(frame.filter(pl.col("n") > 2))
