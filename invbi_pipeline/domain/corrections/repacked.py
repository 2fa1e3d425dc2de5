"""Repacked: listings whose units of measure changed, and that were not written to since.

A pack of six that becomes a single shows six times as much after the next push. Whether the new number of units is right, only a
person can say: the first push after it waits for one.
"""

from typing import Final

import polars as pl

from invbi_pipeline.domain.identity.versions import held_once

__all__ = ["REPACKED", "repacked_listings"]

_LISTING: Final = ["system", "listing_key"]
REPACKED: Final = {"system": pl.String(), "listing_key": pl.String(), "repacked": pl.String()}  # "6 to 1"


def repacked_listings(mappings: pl.DataFrame, landed: pl.DataFrame) -> pl.DataFrame:
    """Return REPACKED: the listings whose last mapping was of other units than the present one.

    `mappings`: MAPPINGS with their history; `landed`: CORRECTIONS that changed a number, or may have: one sent since the present
    mapping began was released by a person, and ends the wait.
    """
    ended = mappings.filter(pl.col("valid_to").is_not_null() & held_once())
    if ended.is_empty():
        return pl.DataFrame(schema=REPACKED)
    last = ended.sort("valid_to").unique(_LISTING, keep="last").select(*_LISTING, before="units")
    held = mappings.filter(pl.col("valid_to").is_null()).join(last, on=_LISTING)
    changed = held.filter(pl.col("units") != pl.col("before"))
    sent = landed.group_by(_LISTING).agg(written_at=pl.col("sent_at").max())
    waiting = changed.join(sent, on=_LISTING, how="left").filter(
        ~(pl.col("written_at") >= pl.col("valid_from")).fill_null(value=False)
    )
    return waiting.select(*_LISTING, repacked=pl.format("{} to {}", "before", "units")).unique(_LISTING).sort(_LISTING)
