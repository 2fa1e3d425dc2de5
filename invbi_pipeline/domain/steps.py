"""Steps: where a lazy derivation is worked out, because several later steps stand on it, and how frames of one order meet.

By position: a frame is put in the order of its key once, and what is derived of it row by row keeps that order. Two frames of one
order then meet without a search (`beside`), and what is in order already is not sorted again (`ordered`). A join on three texts
costs thirty times as much as seeing that they are equal row by row, and a sort twenty times as much as seeing an order.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

__all__ = ["again", "alike", "any_row", "beside", "kept", "kept_all", "numbers", "ordered"]


def kept(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Work a frame out once. Without this each step above it would be planned, and partly run, again by every step after it."""
    return frame.collect().lazy()


def kept_all(frames: tuple[pl.LazyFrame, ...]) -> list[pl.LazyFrame]:
    """Work several frames out together."""
    return [frame.lazy() for frame in pl.collect_all(frames)]


def any_row(frame: pl.LazyFrame) -> bool:
    """Say whether a frame that was worked out has any row: what is rare is looked for before more is derived of it."""
    return not frame.first().collect().is_empty()


def beside(left: pl.DataFrame, right: pl.DataFrame, on: str | Sequence[str]) -> pl.DataFrame:
    """Return `left` with the columns of `right` where both have the same key, null where `right` has no such row.

    `right` has a key at most once, and shares no other column with `left`; the rows keep the order of `left`. Where both have the
    same keys in the same order they are put together by position, else joined; where `right` is empty nothing is looked up.
    """
    key = [on] if isinstance(on, str) else list(on)
    if right.is_empty():
        return left.with_columns(pl.lit(None, kind).alias(name) for name, kind in right.schema.items() if name not in key)
    if left.height == right.height and all((left[c] == right[c]).all(ignore_nulls=False) for c in key):
        return left.hstack(right.drop(key))
    return left.join(right, on=key, how="left", maintain_order="left")


def alike(by: Sequence[str]) -> pl.Expr:
    """Say which rows may have the same in these columns as another row: all that have, and by chance some that have not.

    Hashes tell it sooner than the columns themselves; whoever wants to know it for certain looks at these few.
    """
    return pl.sum_horizontal(pl.col(column).hash(seed) for seed, column in enumerate(by)).is_duplicated()


def again(by: Sequence[str]) -> pl.Expr:
    """Say of rows in the order of these columns whether the row before has the same in all of them."""
    return pl.all_horizontal(pl.col(column) == pl.col(column).shift() for column in by).fill_null(value=False)


def ordered(frame: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Return the frame sorted by these columns, ascending, nulls first; rows that are equal in them keep their order."""
    if frame.height < _MANY:
        return frame.sort(by, maintain_order=True) if frame.height > 1 else frame
    if _in_order(frame, by):
        return frame
    first = by[:_TELLING]
    rows = numbers(frame, *first).to_frame(_NUMBER).with_row_index(_ROW).sort(_NUMBER, maintain_order=True)
    return frame[rows[_ROW] if first == by else _with_ties_sorted(rows, frame, by)]


def _with_ties_sorted(rows: pl.DataFrame, frame: pl.DataFrame, by: Sequence[str]) -> pl.Series:
    """Return the order of the rows of `frame`: that of `rows`, and those with the same number by all columns."""
    same = rows.select(again([_NUMBER])).to_series()
    tied = (same | same.shift(-1, fill_value=False)).arg_true()
    few = rows[_ROW].gather(tied)
    return rows[_ROW].scatter(tied, frame[few].with_columns(few).sort(*by, _ROW)[_ROW])


def numbers(frame: pl.DataFrame, *by: str) -> pl.Series:
    """Return a whole number for each row: equal where rows are equal in these columns, and in the order of them, nulls first.

    One number is compared, grouped and sorted sooner than several texts.
    """
    number = _place(frame[by[0]])
    for column in by[1:]:
        place = _place(frame[column])
        if _end(number) * _end(place) > _LARGEST:  # far apart: as many numbers as there are values will do
            number, place = number.rank("dense").cast(pl.Int64), place.rank("dense").cast(pl.Int64)
        number = number * _end(place) + place
    return number


def _end(numbers_: pl.Series) -> int:
    return 1 + int(str(numbers_.max())) if numbers_.len() else 1


_MANY: Final = 1_000  # rows; fewer are sorted sooner than looked at
_LARGEST: Final = 2**63 - 1
_TELLING: Final = 3  # columns by which nearly all rows differ: what follows them is looked at where they do not
_NUMBER, _ROW = "number of the key", "row of the frame"


def _in_order(frame: pl.DataFrame, by: Sequence[str]) -> bool:
    falls = pl.lit(value=False)
    for column in reversed(by):
        here, before = pl.col(column), pl.col(column).shift()
        falls = (before > here) | ((before == here) & falls)
    return frame.select(known=pl.all_horizontal(pl.col(by).null_count() == 0), falls=falls.any()).row(0) == (True, False)


def _place(values: pl.Series) -> pl.Series:
    """Return for each value a number in their order, from 0; of texts the distinct ones alone are sorted."""
    if values.dtype == pl.String:
        distinct = pl.Enum(values.drop_nulls().unique().sort())
        return (values.cast(distinct).to_physical().cast(pl.Int64) + 1).fill_null(0)
    if values.dtype.is_integer() or values.dtype.is_temporal():
        whole = values.to_physical().cast(pl.Int64)
        return (whole - whole.min() + 1).fill_null(0)
    return values.rank("dense").cast(pl.Int64).fill_null(0)
