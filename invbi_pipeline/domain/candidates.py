"""Candidates: what the truth half noticed, in the columns from which findings are made."""

import polars as pl

from invbi_pipeline.domain.frames import CANDIDATES

__all__ = ["candidates"]


def candidates(frame: pl.LazyFrame, code: str | pl.Expr, cause: pl.Expr, evidence: dict[str, pl.Expr]) -> pl.LazyFrame:
    """Return CANDIDATES with one row for each row of `frame`.

    Columns of CANDIDATES that `frame` has (system, listing_key, location, sku, units) are taken over; the others are empty, and
    `units` null. `evidence` becomes a JSON object.
    """
    has = set(frame.collect_schema().names())
    said = {
        "code": pl.lit(code) if isinstance(code, str) else code,
        "cause": cause,
        "evidence": pl.struct([said.alias(name) for name, said in evidence.items()]).struct.json_encode(),
        **{name: pl.col(name) for name in ("system", "listing_key", "location", "sku", "units") if name in has},
    }
    return frame.select(
        said.get(name, pl.lit("" if name != "units" else None)).cast(kind).alias(name) for name, kind in CANDIDATES.items()
    )
