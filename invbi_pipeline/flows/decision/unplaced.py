"""Stock at places that nobody mapped to a location of ours: it counts nowhere, so it is told of."""

import polars as pl

from invbi_pipeline.domain.findings.inputs import REFUSED
from invbi_pipeline.domain.frames import fit
from invbi_pipeline.store.warehouse import Database

__all__ = ["as_refused", "unplaced"]

_UNPLACED = """
    SELECT system, location_key, count(*) AS rows FROM staging.stg_observations
    WHERE location = 'unmapped:' || location_key AND quantity > 0 GROUP BY ALL ORDER BY ALL
"""


def unplaced(db: Database) -> pl.DataFrame:
    """Return system, location_key, rows of the places that hold stock and that the configuration does not name."""
    return db.query(_UNPLACED)


def as_refused(places: pl.DataFrame) -> pl.DataFrame:
    """Return what `unplaced` found as REFUSED: rows that were read and could not be used, with why and what mends it."""
    why = pl.format("stock at {}, which is no location of ours: name it in systems.{}.locations", "location_key", "system")
    of_no_one = dict.fromkeys(("listing_key", "sku"), pl.lit(None, pl.String))
    return fit(places.with_columns(dataset=pl.lit("stock"), reason=why, **of_no_one), REFUSED)
