"""What to count next, ranked by the money a count is expected to save."""

from typing import Final

import polars as pl

from invbi_pipeline.dashboard.model import Column, Tab

__all__ = ["count_tab"]

_MOST: Final = 200  # shelves: more than anybody counts in a day
_LEAST: Final = 0.02  # probability; below it a count would find what the record says


def count_tab(shelves: pl.DataFrame, currency: str) -> Tab:
    """Return the shelves (TO_COUNT) that are most worth a count; what is unpriced comes last."""
    columns = [
        Column("location", "Place", width=12),
        Column("sku", "SKU", width=20),
        Column("units", "Record says", "int", 8),
        Column("probability", "Empty?", "percent", 9),
        Column("money", f"A count saves ({currency})", "money", 13),
        Column("at_stake", f"At stake ({currency})", "money", 13),
        Column("silent_days", "Days silent", "hours", 9),
        Column("a_week", "Sales a week", "hours", 9),
        Column("failed_picks", "Failed picks", "int", 8),
        Column("last_count_at", "Last count", "time", 17),
        Column("system", "Counted in", width=13),
    ]
    rows = (
        shelves.filter(pl.col("probability") >= _LEAST)
        .with_columns(a_week=pl.col("rate") * 7)
        .sort("money", "probability", "location", "sku", descending=[True, True, False, False], nulls_last=True)
        .head(_MOST)
    )
    note = "What a count is expected to save: the chance that the shelf is empty, times its goods at cost and four weeks' margin."
    return Tab("To count", columns, rows.select([c.key for c in columns]), note)
