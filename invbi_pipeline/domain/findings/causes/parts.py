"""Kits and packs: a platform that lowered what is inside, or counted one where there are several."""

import polars as pl

from invbi_pipeline.domain.findings.causes.pieces import PIECES, in_step, piece, step_key
from invbi_pipeline.domain.frames import empty
from invbi_pipeline.domain.words import Cause

__all__ = ["kits", "packs"]


def kits(steps: pl.DataFrame, effects: pl.DataFrame, mappings: pl.DataFrame, flat: pl.DataFrame) -> pl.DataFrame:
    """Return PIECES: a kit of the same system and place was sold, and the platform lowered this component by itself.

    `mappings`: MAPPINGS that hold; `flat`: KITS. Our offers lower the component, the platform's own number does not move.
    """
    if flat.is_empty() or steps.is_empty():
        return empty(PIECES)
    inside = mappings.select("system", "listing_key", kit_sku="sku", per="units").join(flat, on="kit_sku")
    mine = steps.join(mappings.select("system", "listing_key", each="units"), on=["system", "listing_key"], how="left")
    sold = (
        effects.join(inside, on=["system", "listing_key"])
        .rename({"listing_key": "other", "units": "sold"})
        .join(mine, on=["system", "location", "sku"])
        .filter(in_step() & (pl.col("other") != pl.col("listing_key")))
    )
    return _by_order(sold.with_columns(moved=pl.col("sold") * pl.col("per") * pl.col("quantity")), Cause.KIT)


def packs(steps: pl.DataFrame, events: pl.DataFrame, effects: pl.DataFrame, mappings: pl.DataFrame) -> pl.DataFrame:
    """Return PIECES: a sale of this pack was counted in single units; or a pack of the same sku lowered this number, too."""
    mine = steps.join(mappings.select("system", "listing_key", each="units"), on=["system", "listing_key"], how="left")
    packed = events.join(mine.select(*step_key(), "each"), on=step_key()).filter(pl.col("each") > 1)
    counted = piece(
        packed,
        Cause.PACK,
        units=pl.col("event_units") * (pl.col("each") - 1),
        events=pl.concat_list("origin"),
        kind=pl.col("kind"),
    )
    others = mappings.select("system", "sku", other="listing_key", per="units")
    sold = (
        effects.rename({"listing_key": "other", "units": "sold"})
        .join(others, on=["system", "other"])
        .join(mine, on=["system", "location", "sku"])
        .filter(in_step() & (pl.col("other") != pl.col("listing_key")) & (pl.col("per") != pl.col("each")))
    )
    return pl.concat([counted, _by_order(sold.with_columns(moved=pl.col("sold") * pl.col("per")), Cause.PACK)])


def _by_order(sold: pl.DataFrame, cause: Cause) -> pl.DataFrame:
    """One piece an order and step of what `moved` (units of the sku), in units of the listing."""
    origin = pl.when(pl.col("order_id").fill_null("") == "").then("effect_id").otherwise("order_id")
    grouped = (
        sold.group_by(*step_key(), "each", "other", "kind", origin=origin)
        .agg(moved=pl.col("moved").sum(), at=pl.col("stamped_at").max())
        .with_columns(each=pl.col("each").fill_null(1))
        .filter((pl.col("moved") != 0) & (pl.col("moved") % pl.col("each") == 0))
    )
    return piece(
        grouped,
        cause,
        units=pl.col("moved") // pl.col("each"),
        events=pl.concat_list("origin"),
        kind=pl.col("kind"),
        other=pl.col("other"),
    )
