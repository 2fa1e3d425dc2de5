"""Row numbers: every point has one, in the order of the keys, and by them frames meet without a search.

By position: a frame *of all points* has one row for each, in the order of their numbers (`pid`), null where a point has nothing
of that kind. Such frames are put side by side, and a row number looks a row up. A frame *of some points* has the column `pid`;
it is `spread` over all, or `put` in the place of theirs. What is rare (pushes in flight, looks that wait, units withheld) stays
a frame of some points until the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

import polars as pl

__all__ = ["NUMBER", "Numbering", "put", "spread", "twice", "with_ids"]

_ROOMY: Final = 16  # so many places for each row are looked up in a table; more in a join
NUMBER: Final = pl.UInt32()


@dataclass(frozen=True, slots=True)
class Numbering:
    """The number of each key: how many distinct ones come before it.

    A key's *place* is its rank among all combinations of the `names` met in each of its columns; `taken` holds the places that
    are a key's, in order, and `numbers` for each place the number of its key (empty where there are too many places).
    """

    key: tuple[str, ...]
    names: tuple[pl.Enum, ...]
    taken: pl.Series
    numbers: pl.Series

    @classmethod
    def of(cls, key: Sequence[str], *frames: pl.DataFrame) -> "Numbering":
        """Number the keys of all these frames; no part of a key is null."""
        met = (pl.concat([frame[column].unique() for frame in frames]).unique().sort() for column in key)
        names = tuple(pl.Enum(each) for each in met)
        return cls._of_places(tuple(key), names, pl.concat([_places(frame, key, names) for frame in frames]))

    @classmethod
    def _of_places(cls, key: tuple[str, ...], names: tuple[pl.Enum, ...], places: pl.Series) -> "Numbering":
        room = prod(len(name.categories) for name in names)
        if room > _ROOMY * (len(places) + 1_000):
            return cls(key, names, places.unique().sort(), pl.Series(dtype=NUMBER))
        taken = pl.Series([False]).new_from_index(0, room).scatter(places, True).arg_true()
        numbers = _nobody(room).scatter(taken, _rows(len(taken)))
        return cls(key, names, taken.cast(pl.Int64), numbers)

    def __len__(self) -> int:
        """Return how many keys there are."""
        return len(self.taken)

    def number(self, frame: pl.DataFrame) -> pl.Series:
        """Return the number of the key of each row; null where it is not one of them."""
        if frame.is_empty():
            return pl.Series("pid", [], dtype=NUMBER)
        return self._at(_places(frame, self.key, self.names))

    def beginnings(self, columns: int) -> tuple["Numbering", pl.Series]:
        """Return the numbering of the first `columns` of the keys, and the number in it of each key."""
        rest = prod(len(name.categories) for name in self.names[columns:])
        places = self.taken // max(1, rest)
        short = Numbering._of_places(self.key[:columns], self.names[:columns], places)
        return short, short._at(places)

    def keys(self) -> pl.DataFrame:
        """Return the keys in order, one row each."""
        left, columns = self.taken, []
        for column, name in zip(reversed(self.key), reversed(self.names), strict=True):
            size = max(1, len(name.categories))
            columns.append(name.categories.gather(left % size).alias(column))
            left //= size
        return pl.DataFrame(columns[::-1])

    def _at(self, places: pl.Series) -> pl.Series:
        if len(self.numbers):
            return self.numbers[places.cast(NUMBER)].alias("pid")
        known = pl.DataFrame({"place": self.taken, "pid": _rows(len(self))})
        return places.to_frame("place").join(known, on="place", how="left", maintain_order="left")["pid"]


def with_ids(frame: pl.DataFrame, pid: pl.Series) -> pl.DataFrame:
    """Return `frame` with the point's row number `pid`; rows of points that do not exist now are left out."""
    numbered = frame.hstack([pid])
    return numbered.filter(pl.col("pid").is_not_null()) if pid.null_count() else numbered


def spread(some: pl.DataFrame, number: pl.Series, count: int) -> pl.DataFrame:
    """Return `count` rows: each the row of `some` whose `number` it is, of several the last; null where there is none."""
    if some.is_empty():
        return some[_nobody(count)]
    rows = _rows(some.height)
    if some.height == count and not number.null_count() and (number == rows).all():
        return some
    if number.null_count():
        known = number.is_not_null()
        number, rows = number.filter(known), rows.filter(known)
    where = _nobody(count).scatter(number, rows)
    if not (where[number] == rows).all():
        last = pl.DataFrame({"number": number, "row": rows}).group_by("number").agg(pl.col("row").max())
        where = _nobody(count).scatter(last["number"], last["row"])
    return some[where]


def put(every: pl.DataFrame, some: pl.DataFrame) -> pl.DataFrame:
    """Return `every` (of all points) with the rows of `some` (`pid`, and the columns of `every`) in the place of theirs."""
    if some.is_empty():
        return every
    rows = _rows(every.height + some.height)
    where = rows.head(every.height).scatter(some["pid"], rows.tail(some.height))
    return pl.concat([every, some.select(every.columns)])[where]


def twice(number: pl.Series) -> bool:
    """Say whether a number appears twice; null is none."""
    return bool(number.drop_nulls().is_duplicated().any())


def _places(frame: pl.DataFrame, key: Sequence[str], names: Sequence[pl.Enum]) -> pl.Series:
    place = pl.lit(0, pl.Int64)
    for column, name in zip(key, names, strict=True):
        place = place * len(name.categories) + pl.col(column).cast(name, strict=False).to_physical().cast(pl.Int64)
    return frame.select(place=place).to_series()


def _nobody(count: int) -> pl.Series:
    """So many numbers of no row (`pl.repeat` would begin a query for them)."""
    return pl.Series([None], dtype=NUMBER).new_from_index(0, count)


def _rows(count: int) -> pl.Series:
    return pl.int_range(count, dtype=NUMBER, eager=True)
