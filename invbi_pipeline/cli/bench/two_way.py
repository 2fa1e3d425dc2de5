"""The two-way part of the decision's input, by others: sum the ledger, join, compare. Run as a process of its own.

usage: python two_way.py {polars|pandas|datacompy} FOLDER        prints rows that differ, the sum of differences, and seconds

`polars` is the floor: the same query as `shared/bench/floor.py`. This file imports nothing of ours, so that datacompy, whose
releases pin an older Polars, can run it in an environment of its own.
"""

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polars import LazyFrame


def polars(folder: str) -> tuple[int, int]:
    """Return how many listings differ from what their ledger says, and by how many units in sum."""
    import polars as pl

    stock = _stock(folder).group_by("sku").agg(pl.col("units").sum())
    gap = pl.col("reported") - (pl.col("units") - pl.col("buffer")).clip(0)
    found = (
        pl.scan_parquet(f"{folder}/listings.parquet")
        .join(stock, on="sku", how="left")
        .select(gap=gap)
        .filter(pl.col("gap") != 0)
        .select(rows=pl.len(), total=pl.col("gap").sum())
        .collect(engine="streaming")
    )
    rows, total = found.row(0)
    return rows, total


def pandas(folder: str) -> tuple[int, int]:
    """The same in pandas."""
    import pandas as pd

    anchors = pd.read_parquet(f"{folder}/anchors.parquet").rename(columns={"on_hand": "units"})
    moves = pd.read_parquet(f"{folder}/movements.parquet")
    stock = pd.concat([anchors[["sku", "units"]], moves[["sku", "units"]]]).groupby("sku").units.sum().reset_index()
    rows = pd.read_parquet(f"{folder}/listings.parquet").merge(stock, on="sku", how="left")
    gap = rows.reported - (rows.units - rows.buffer).clip(lower=0)
    gap = gap[gap != 0]
    return len(gap), int(gap.sum())


def datacompy(folder: str) -> tuple[int, int]:
    """The same comparison by datacompy with Polars: the table of what should be shown against that of what is."""
    import polars as pl
    from datacompy import PolarsCompare  # of its own environment

    stock = _stock(folder).group_by("sku").agg(pl.col("units").sum())
    listings = pl.scan_parquet(f"{folder}/listings.parquet").join(stock, on="sku", how="left").collect()
    key = ["sku", "channel"]
    should = listings.select(*key, number=(pl.col("units") - pl.col("buffer")).clip(0))
    shows = listings.select(*key, number="reported")
    compared = PolarsCompare(shows, should, join_columns=key, df1_name="shows", df2_name="should")
    different = compared.intersect_rows.filter(pl.col("number_shows") != pl.col("number_should"))
    return different.height, int((different["number_shows"] - different["number_should"]).sum())


def _stock(folder: str) -> "LazyFrame":
    import polars as pl

    named = (("anchors", "on_hand"), ("movements", "units"))
    frames = [pl.scan_parquet(f"{folder}/{name}.parquet").select("sku", units=pl.col(c).cast(pl.Int64)) for name, c in named]
    return pl.concat(frames)


if __name__ == "__main__":
    began = time.perf_counter()
    print(*{"polars": polars, "pandas": pandas, "datacompy": datacompy}[sys.argv[1]](sys.argv[2]), time.perf_counter() - began)
