"""What a push must hold back for sales nobody has seen yet, and the value to send (design.md section 2, rule 6; section 3).

A withheld unit is explained by an effect that arrives after the push was planned and was stamped before the read behind that
push ended: only such an effect can be the one whose mark that read bore. (One stamped later but before the send lowers the
offer by itself; were it taken for the withheld one, the unseen sale could be sold twice.)
"""

from typing import Final

import polars as pl

from invbi_pipeline.domain.frames.schema import INT, UTC, Schema, empty
from invbi_pipeline.domain.points.numbering import NUMBER
from invbi_pipeline.domain.words import Basis

__all__ = ["known_sums", "remaining", "values"]

_REMAINING: Final[Schema] = {"pid": NUMBER, "rank": INT, "remaining": INT, "until": UTC, "known_from": UTC}


def known_sums(windows: pl.DataFrame, effects: pl.DataFrame) -> pl.DataFrame:
    """Return `windows` (`wid`, `pid`, `known_from`, `known_to`) with `sum_now`: units of the known effects stamped within."""
    if windows.is_empty() or effects.is_empty():
        return windows.with_columns(sum_now=pl.lit(0, pl.Int64))
    at = pl.col("stamped_at")
    sums = (
        effects.lazy()
        .select("pid", "units", "stamped_at")
        .join(windows.lazy().select("wid", "pid", "known_from", "known_to"), on="pid")
        .filter((at > pl.col("known_from")) & (at <= pl.col("known_to")))
        .group_by("wid")
        .agg(sum_now=pl.col("units").sum())
        .collect()
    )
    return windows.join(sums, on="wid", how="left").with_columns(pl.col("sum_now").fill_null(0))


def remaining(bases: pl.DataFrame, flying: pl.DataFrame, effects: pl.DataFrame) -> pl.DataFrame:
    """Return, for the base (rank 0; `bases` of all points) and each flight that withheld units, how many are not yet explained.

    Columns: `pid`, `rank`, `remaining`, `until`, `known_from`.
    """
    columns = ("pid", "withheld", "known_from", "known_to", "known_units")
    holders = pl.concat(
        [
            bases.with_row_index("pid")
            .filter(pl.col("withheld") > 0)
            .select(*columns, pl.lit(0, pl.Int64).alias("rank"), pl.col("withheld_until").alias("until")),
            flying.filter(pl.col("withheld") > 0).select(*columns, "rank", pl.col("sent_at").alias("until")),
        ]
    )
    if holders.is_empty():
        return empty(_REMAINING)
    arrived = pl.col("sum_now") - pl.col("known_units")
    return (
        known_sums(holders.with_row_index("wid"), effects)
        .with_columns(
            remaining=pl.min_horizontal(pl.max_horizontal(pl.col("withheld") + arrived, pl.lit(0, pl.Int64)), pl.col("withheld"))
        )
        .select(*_REMAINING)
    )


def values(points: pl.DataFrame) -> pl.DataFrame:
    """Return `points` with `withhold`, `target` and `send`: what a push now would hold back, show and send.

    `points`: `offer_raw`; `withheld` (of earlier pushes); `u` (unexplained that the base has not taken in, 0 where the look
    was not compared); `confirmed`; `standing`; `waits_for_landing` (a push newer than the number read is in flight);
    `flying` (any push is); `may_lower`, `may_raise`; `basis`, `own_open`, `reserved`; `seen`.
    """
    zero = pl.lit(0, pl.Int64)
    confirmed = pl.min_horizontal("confirmed", zero)
    unseen = pl.when(pl.col("u") < 0).then(pl.max_horizontal(confirmed - pl.col("u"), zero)).otherwise(zero)
    total = (
        pl.when("waits_for_landing").then(pl.max_horizontal("withheld", unseen)).otherwise(pl.col("withheld") + unseen)
    )  # the push in flight was planned from the same unseen units: they are not withheld twice
    wanted = pl.max_horizontal(pl.col("offer_raw") - pl.col("withhold"), zero)
    # a number that fits neither the base nor a push in flight: whether that push landed cannot be known, the lower number wins
    torn = pl.col("flying") & (unseen > pl.when("waits_for_landing").then("withheld").otherwise(zero))
    wanted = pl.when(torn).then(pl.min_horizontal(wanted, pl.max_horizontal("seen", zero))).otherwise(wanted)
    lower = pl.col("may_lower") & (wanted < pl.col("standing"))
    higher = pl.col("may_raise") & (wanted > pl.col("standing")) & ~pl.col("flying")
    own = pl.min_horizontal(pl.col("own_open") + pl.col("withhold"), pl.max_horizontal("reserved", zero))
    gross = pl.when(pl.col("basis") == Basis.GROSS.value).then(own).otherwise(zero)
    return (
        points.with_columns(withhold=total)
        .with_columns(target=pl.when(pl.col("offer_raw").is_not_null() & (lower | higher)).then(wanted))
        .with_columns(send=pl.col("target") + gross)
    )
