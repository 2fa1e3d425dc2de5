"""Candidates: what the truth half noticed, in the columns from which findings are made."""

from collections.abc import Iterable
from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import CANDIDATES, empty

__all__ = ["candidates", "nothing", "plural", "together"]

_NOTHING: Final = empty(CANDIDATES).lazy()


def nothing() -> pl.LazyFrame:
    """Return CANDIDATES without a row: for whoever sees at once that there is nothing to tell."""
    return _NOTHING


def together(told: Iterable[pl.LazyFrame]) -> pl.LazyFrame:
    """Return all that was told as one frame; what is `nothing` costs nothing."""
    some = [each for each in told if each is not _NOTHING]
    return pl.concat(some) if some else _NOTHING


def plural(count: str | pl.Expr, one: str, many: str) -> pl.Expr:
    """Return the word that a sentence needs beside a number: `one` for 1, else `many`."""
    number = pl.col(count) if isinstance(count, str) else count
    return pl.when(number.abs() == 1).then(pl.lit(one)).otherwise(pl.lit(many))


def candidates(frame: pl.LazyFrame, code: str | pl.Expr, cause: pl.Expr, evidence: dict[str, pl.Expr]) -> pl.LazyFrame:
    """Return CANDIDATES with one row for each row of `frame`.

    Columns of CANDIDATES that `frame` has (system, listing_key, location, sku, units) are taken over; the others are empty, and
    `units` null. `evidence` becomes a JSON object. The frame is worked out here: mostly there is nothing to tell.
    """
    rows = frame.collect()
    if rows.is_empty():
        return _NOTHING
    has = set(rows.columns)
    said = {
        "code": pl.lit(code) if isinstance(code, str) else code,
        "cause": cause,
        "evidence": pl.struct([said.alias(name) for name, said in evidence.items()]).struct.json_encode(),
        **{name: pl.col(name) for name in ("system", "listing_key", "location", "sku", "units") if name in has},
    }
    return rows.lazy().select(
        said.get(name, pl.lit("" if name != "units" else None)).cast(kind).alias(name) for name, kind in CANDIDATES.items()
    )
