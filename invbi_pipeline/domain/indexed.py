"""Rows in reach: frames in which the rows of some families, or of some values, are found without reading the others.

What changes is put beside, and what it takes the place of is passed over: nothing is sorted again.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["Indexed", "Keyed", "Looked"]

_Numbers = npt.NDArray[np.int64]
_EVERYBODYS: Final = -1
_NOBODY: Final[_Numbers] = np.array([], dtype=np.int64)
_FEW: Final = 1_000  # rows beside a frame that cost little to look through
_SHARE: Final = 8  # of a frame, one in so many may stand beside it: then all are sorted again


@dataclass(frozen=True, slots=True)
class Indexed:
    """A frame sorted by family. `starts` holds each family's offset and, last, that of the rows which are everybody's.

    Which rows are meant is reckoned beside the frames, in arrays: of a few families that is a tenth of the work.
    """

    frame: pl.DataFrame
    starts: _Numbers
    fresh: pl.DataFrame  # the rows of families decided since
    whose: _Numbers  # the family of each of them; -1: everybody's
    stale: _Numbers  # those families

    @classmethod
    def of(cls, frame: pl.DataFrame, family: pl.Series, count: int) -> "Indexed":
        """Sort `frame` by the family of each row (null: everybody's); there are `count` families."""
        number = family.fill_null(count)
        order = number.arg_sort()
        starts = number.gather(order).search_sorted(pl.int_range(count + 1, eager=True), side="left")
        return cls(frame[order], starts.to_numpy().astype(np.int64), frame.clear(), _NOBODY, _NOBODY)

    def rows(self, chosen: pl.Series) -> pl.DataFrame:
        """Return the rows of the chosen families."""
        wanted = chosen.to_numpy()
        known = wanted[wanted < len(self.starts) - 1]
        known = known[~np.isin(known, self.stale)] if len(self.stale) else known
        parts = [np.arange(self.starts[one], self.starts[one + 1]) for one in known]
        old = self.frame[np.concatenate(parts)] if parts else self.frame.clear()
        since = np.flatnonzero(np.isin(self.whose, wanted))
        return pl.concat([old, self.fresh[since]]) if len(since) else old

    def everybodys(self) -> pl.DataFrame:
        """Return the rows of no family."""
        said = self.frame[int(self.starts[-1]) :]
        since = np.flatnonzero(self.whose == _EVERYBODYS)
        return pl.concat([said, self.fresh[since]]) if len(since) else said

    def moved_on(self, rows: pl.DataFrame, family: pl.Series, decided: pl.Series) -> "Indexed":
        """Put `rows`, of these families, in the place of all that the families `decided` had."""
        if self.frame.is_empty() and self.fresh.is_empty() and rows.is_empty():
            return self
        gone = decided.to_numpy()
        kept = np.flatnonzero(~np.isin(self.whose, gone))
        whose = np.concatenate([self.whose[kept], family.fill_null(_EVERYBODYS).to_numpy()])
        return replace(
            self, fresh=pl.concat([self.fresh[kept], rows]), whose=whose, stale=np.union1d(self.stale, gone).astype(np.int64)
        )


@dataclass(frozen=True, slots=True)
class Looked:
    """A frame in which the rows of some values of one text column are looked up without reading the others."""

    column: str
    frame: pl.DataFrame  # sorted by the column
    fresh: pl.DataFrame  # rows that came since

    @classmethod
    def of(cls, frame: pl.DataFrame, column: str) -> "Looked":
        """Sort `frame` by the column."""
        return cls(column, frame.sort(column), frame.clear())

    def rows(self, values: pl.Series) -> pl.DataFrame:
        """Return the rows that have one of these distinct values."""
        found = _found(self.frame, self.column, values)
        if self.fresh.is_empty():
            return found
        return pl.concat([found, self.fresh.filter(pl.col(self.column).is_in(values.implode()))])

    def every(self, gone: pl.Series) -> pl.DataFrame:
        """Return all rows but those of the families that are `gone`."""
        return pl.concat([self.frame.filter(~pl.col("family").is_in(gone.implode())), self.fresh])

    def moved_on(self, rows: pl.DataFrame, decided: pl.Series) -> "Looked":
        """Put `rows` beside those there are; of the families `decided` nothing older is read again (`Kept.gone`)."""
        others = self.fresh.filter(~pl.col("family").is_in(decided.implode()))
        return replace(self, fresh=pl.concat([others, rows.select(others.columns)]))


@dataclass(frozen=True, slots=True)
class Keyed:
    """A frame in which the rows of some values of one text column are looked up, and others put in their place.

    Rows of one value keep their order. What is put beside grows to a share of the frame, then all is sorted again.
    """

    column: str
    frame: pl.DataFrame  # sorted by the column
    fresh: pl.DataFrame  # rows that came since
    succeeded: pl.Series  # the values whose rows in `frame` those took the place of

    @classmethod
    def of(cls, frame: pl.DataFrame, column: str) -> "Keyed":
        """Sort `frame` by the column, which holds no null."""
        return cls(column, frame.sort(column, maintain_order=True), frame.clear(), pl.Series(column, [], dtype=pl.String))

    def rows(self, values: pl.Series) -> pl.DataFrame:
        """Return the rows that have one of these distinct values."""
        if self.succeeded.is_empty():
            return _found(self.frame, self.column, values)
        old = values.filter(~values.is_in(self.succeeded.implode()))
        return pl.concat([_found(self.frame, self.column, old), self.fresh.filter(self._one_of(values))])

    def every(self) -> pl.DataFrame:
        """Return all rows."""
        if self.succeeded.is_empty():
            return self.frame
        return pl.concat([self.frame.filter(~self._one_of(self.succeeded)), self.fresh])

    def put(self, values: pl.Series, rows: pl.DataFrame) -> "Keyed":
        """Put `rows`, all of which have one of these distinct values, in the place of all that have one."""
        fresh = pl.concat([self.fresh.filter(~self._one_of(values)), rows])
        after = replace(self, fresh=fresh, succeeded=pl.concat([self.succeeded, values]).unique())
        beside = fresh.height + after.succeeded.len()
        return Keyed.of(after.every(), self.column) if beside > max(_FEW, self.frame.height // _SHARE) else after

    def _one_of(self, values: pl.Series) -> pl.Expr:
        return pl.col(self.column).is_in(values.implode())


def _found(frame: pl.DataFrame, column: str, values: pl.Series) -> pl.DataFrame:
    """Return the rows of a frame sorted by a text column that have one of these distinct values in it."""
    names = frame[column]
    begins, ends = names.search_sorted(values, side="left"), names.search_sorted(values, side="right")
    return frame[pl.select(pl.int_ranges(begins, ends)).to_series().explode(empty_as_null=False)]
