"""Candidates: one row for each thing noticed, and nothing where nothing was."""

import polars as pl

from invbi_pipeline.domain.candidates import candidates, nothing, together
from invbi_pipeline.domain.frames import CANDIDATES

_NOTICED = pl.LazyFrame({"system": ["web"], "sku": ["A"], "units": [3]})


def told(frame: pl.LazyFrame) -> pl.LazyFrame:
    return candidates(frame, "negative_on_hand", pl.format("{} of {}", "units", "sku"), {"sku": pl.col("sku")})


def test_a_row_says_what_was_noticed_of_what_and_the_rest_is_empty() -> None:
    row = told(_NOTICED).collect().row(0, named=True)
    assert (row["code"], row["system"], row["sku"], row["units"], row["cause"]) == ("negative_on_hand", "web", "A", 3, "3 of A")
    assert (row["listing_key"], row["location"], row["evidence"]) == ("", "", '{"sku":"A"}')


def test_where_no_row_was_noticed_nothing_is_told() -> None:
    assert told(_NOTICED.filter(pl.col("units") > 3)) is nothing()


def test_what_was_told_is_one_frame_whatever_stands_beside_it() -> None:
    every = together([nothing(), told(_NOTICED), nothing()]).collect()
    assert (every.height, dict(every.schema)) == (1, dict(CANDIDATES))
    assert together([nothing()]).collect().is_empty()
