"""What the makers of findings look at, and the columns in which they tell what they saw."""

from typing import Final, NamedTuple

import polars as pl

from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain.candidates import candidates
from invbi_pipeline.domain.points.inputs import POINT_EFFECTS

__all__ = ["BATCHES", "REFUSED", "TOLD", "VALUES", "FindingInputs", "of_point", "subject", "told"]

VALUES: Final[f.Schema] = {  # `domain.money.unit_values`
    "system": pl.String(),
    "listing_key": pl.String(),
    "sku": pl.String(),
    "price": pl.Float64(),
}
REFUSED: Final[f.Schema] = {  # this run's quarantined rows, counted
    "system": pl.String(),
    "dataset": pl.String(),
    "reason": pl.String(),
    "rows": pl.Int64(),
}
BATCHES: Final[f.Schema] = {  # what is asked of this run's reads (`raw.batches`)
    "system": pl.String(),
    "dataset": pl.String(),
    "verdict": pl.String(),
    "is_full": pl.Boolean(),
}
TOLD: Final[f.Schema] = {
    **f.CANDIDATES,
    "severity": pl.String(),  # null: the catalogue's
    "money": pl.Float64(),  # null: units times the price
}


class FindingInputs(NamedTuple):
    """Everything that can be seen of what is wrong. A frame that is not given is empty; columns beyond these are welcome.

    `points` POINTS as they are now; `offers` OFFERS; `positions` POSITIONS; `reservations` RESERVATIONS; `candidates`
    CANDIDATES; `corrections` CORRECTIONS, those not ended and those of the last day; `feeds` FEEDS; `listings` of LISTINGS;
    `batches` this run's rows of `raw.batches`, of which `BATCHES` are asked; `quarantine` this run's `REFUSED`; `effects`
    POINT_EFFECTS, reaching back a day at least; `values` as `domain.money.unit_values` makes them, of which `VALUES` are asked;
    `systems` SYSTEMS.
    """

    points: pl.DataFrame = f.empty(f.POINTS)
    offers: pl.DataFrame = f.empty(f.OFFERS)
    positions: pl.DataFrame = f.empty(f.POSITIONS)
    reservations: pl.DataFrame = f.empty(f.RESERVATIONS)
    candidates: pl.DataFrame = f.empty(f.CANDIDATES)
    corrections: pl.DataFrame = f.empty(f.CORRECTIONS)
    feeds: pl.DataFrame = f.empty(f.FEEDS)
    listings: pl.DataFrame = f.empty(f.LISTINGS)
    batches: pl.DataFrame = f.empty(BATCHES)
    quarantine: pl.DataFrame = f.empty(REFUSED)
    effects: pl.DataFrame = f.empty(POINT_EFFECTS)
    values: pl.DataFrame = f.empty(VALUES)
    systems: pl.DataFrame = f.empty(f.SYSTEMS)


def told(frame: pl.DataFrame, code: str, cause: pl.Expr, *evidence: str | pl.Expr) -> pl.DataFrame:
    """Return `frame` as rows of `TOLD`: its columns of that schema are taken over, `evidence` becomes a JSON object."""
    said = {e if isinstance(e, str) else e.meta.output_name(): pl.col(e) if isinstance(e, str) else e for e in evidence}
    rows = candidates(frame.lazy(), code, cause, said).collect()
    more = (name for name in TOLD if name not in rows.columns)
    given = {name: frame[name] if name in frame.columns else pl.lit(None) for name in more}
    return rows.with_columns(**given).select(pl.col(name).cast(kind) for name, kind in TOLD.items())


def subject() -> pl.Expr:
    """Return how a sentence names a point: "MUG-RED on shopify_uk (soho)"."""
    name = pl.when(pl.col("sku").fill_null("") != "").then("sku").otherwise("listing_key")
    place = pl.when(pl.col("location") == "").then(pl.lit("")).otherwise(pl.format(" ({})", "location"))
    return pl.format("{} on {}{}", name, "system", place)


def of_point() -> list[str]:
    """Return the columns that are a point's key."""
    return list(f.POINT_KEY)
