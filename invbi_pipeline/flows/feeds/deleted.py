"""Listings that were deleted, where the platform's feed of changes does not name them: a successor makes us ask for them."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import polars as pl

from invbi_pipeline.channels.protocol import Forgetful, Reading
from invbi_pipeline.domain.frames import WALL
from invbi_pipeline.domain.words import ListingStatus
from invbi_pipeline.store.warehouse import Warehouse

__all__ = ["Known", "with_deleted"]

_KNOWN: Final = """
SELECT rows.* EXCLUDE (payload) FROM raw.listings AS rows JOIN raw.batches AS batches ON rows.batch_id = batches.batch_id
WHERE batches.verdict = 'believed' AND rows.system IN (SELECT unnest($systems))
QUALIFY row_number() OVER (PARTITION BY rows.system, rows.listing_key ORDER BY batches.platform_time DESC, batches.seq DESC) = 1
"""


class Known:
    """The listings of these systems that were known before they are read; asked for when somebody first needs them, once."""

    def __init__(self, warehouse: Warehouse, systems: Iterable[str]) -> None:
        self._warehouse = warehouse
        self._systems = list(systems)
        self._rows: pl.DataFrame | None = None

    def of(self, system: str) -> pl.DataFrame:
        """Return the newest row of each listing of one system, without payloads."""
        if self._rows is None:
            self._rows = self._warehouse.query(_KNOWN, {"systems": self._systems})
        return self._rows.filter(pl.col("system") == system)


async def with_deleted(known: Known, system: str, channel: Forgetful, reading: Reading) -> Reading:
    """Return a reading of listings with a row more, of status deleted, for each that it replaces and the platform has no longer.

    Only those are asked for whose raw SKU a listing of this reading has under another key: they were deleted and made anew, or
    they are duplicates. That a page does not show a listing never makes it deleted.
    """
    listed = reading.frames["listings"]
    codes = listed.filter(pl.col("raw_sku") != "").select("raw_sku").unique()
    if codes.is_empty():
        return reading
    before = await asyncio.to_thread(known.of, system)
    alive = before.filter(pl.col("status") != ListingStatus.DELETED)
    asked = alive.join(codes, on="raw_sku", how="semi").join(listed, on="listing_key", how="anti")
    gone = await channel.gone(sorted(asked["listing_key"].to_list())) if asked.height else frozenset()
    if not gone:
        return reading
    said = pl.struct(id="listing_key", node=pl.lit(None, pl.String)).struct.json_encode()
    rows = asked.filter(pl.col("listing_key").is_in(sorted(gone))).with_columns(
        status=pl.lit(str(ListingStatus.DELETED)), updated_at=pl.lit(reading.platform_time.isoformat()), payload=said
    )
    deleted = rows.select(pl.col(name).cast(pl.String) for name in (*WALL["listings"], "payload"))
    return replace(reading, frames={**reading.frames, "listings": pl.concat([listed, deleted], how="diagonal")})
