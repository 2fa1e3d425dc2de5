"""Listings that stopped listening, that somebody else writes, or that are off sale."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.inputs import FindingInputs, subject, told
from invbi_pipeline.domain.words import CorrectionState, Fulfilment, ListingStatus

__all__ = ["frozen", "inactive", "is_frozen", "second_writers"]

_TWICE: Final = 2
_WANTED: Final = [CorrectionState.PLANNED, CorrectionState.HELD, CorrectionState.APPROVED]


def second_writers(inputs: FindingInputs) -> pl.DataFrame:
    """Return `second_writer` as TOLD: after two of our verified pushes the number went its own way without an event."""
    rows = inputs.points.filter(pl.col("returns") >= _TWICE).with_columns(
        units=pl.max_horizontal(pl.col("found").abs(), pl.col("unexplained").abs())
    )
    cause = pl.format("After {} of our corrections somebody or another program set {} again.", "returns", subject())
    return told(rows, "second_writer", cause, "returns", "reported", "expected", "offer", "found", "observed_at")


def is_frozen() -> pl.Expr:
    """Say of POINTS whether two or more changes that the platform took did not move the number."""
    return (pl.col("stuck") >= _TWICE).fill_null(value=False)


def frozen(inputs: FindingInputs) -> pl.DataFrame:
    """Return `frozen_listing` as TOLD, one row a frozen point."""
    rows = inputs.points.filter(is_frozen()).with_columns(units=pl.coalesce(pl.col("unexplained"), pl.col("gap")).abs())
    cause = pl.format("{} still shows {}: {} changes since then were not applied.", subject(), "reported", "stuck")
    return told(rows, "frozen_listing", cause, "stuck", "version", "reported", "expected", "offer", "observed_at")


def inactive(inputs: FindingInputs) -> pl.DataFrame:
    """Return `listing_inactive` as TOLD, one row a listing off sale that should offer something, or waits for a correction."""
    wanted = inputs.corrections.filter(pl.col("state").is_in([str(s) for s in _WANTED])).select("system", "listing_key").unique()
    rows = (
        inputs.points.filter(
            (pl.col("status") == ListingStatus.INACTIVE)
            & (pl.col("fulfilment") == Fulfilment.MERCHANT)
            & pl.col("sku").is_not_null()
        )
        .join(wanted.with_columns(wanted=pl.lit(True)), on=["system", "listing_key"], how="left")
        .group_by("system", "listing_key", "sku")
        .agg(
            units=pl.col("offer").sum(),
            reported=pl.col("reported").sum(),
            wanted=pl.col("wanted").fill_null(False).any(),
        )
        .filter((pl.col("units") > 0) | pl.col("wanted"))
        .with_columns(location=pl.lit(""))
    )
    cause = pl.format("{} is off sale there; {} may be sold.", subject(), "units")
    return told(
        rows, "listing_inactive", cause, pl.col("units").alias("offer"), "reported", pl.col("wanted").alias("correction_waits")
    )
