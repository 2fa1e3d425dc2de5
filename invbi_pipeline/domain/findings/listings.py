"""Listings that stopped listening, that somebody else writes, or that are off sale."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.candidates import plural
from invbi_pipeline.domain.findings.causes.pieces import LAG
from invbi_pipeline.domain.findings.causes.writers import TWICE, returns
from invbi_pipeline.domain.findings.feed import SKEW_S
from invbi_pipeline.domain.findings.inputs import FindingInputs, of_point, subject, told
from invbi_pipeline.domain.words import COMPARABLE, Basis, CorrectionState, Fulfilment, ListingStatus

__all__ = ["frozen", "inactive", "is_frozen", "second_writers", "with_unmoved"]

_WANTED: Final = [CorrectionState.PLANNED, CorrectionState.HELD, CorrectionState.APPROVED]


def second_writers(inputs: FindingInputs) -> pl.DataFrame:
    """Return `second_writer` as TOLD: after two of our pushes the number went its own way without an event.

    A frozen listing goes no way of its own.
    """
    again = returns(inputs).filter(pl.col("returns") >= TWICE)
    rows = inputs.points.drop("returns").filter(~is_frozen()).join(again, on=of_point())
    rows = rows.with_columns(units=pl.max_horizontal(pl.col("found").abs(), pl.col("unexplained").abs()))
    cause = pl.format("After {} of our corrections somebody or another program set {} again.", "returns", subject())
    return told(rows, "second_writer", cause, "returns", "reported", "expected", "offer", "found", "observed_at")


def is_frozen() -> pl.Expr:
    """Say of POINTS whether two or more changes that the platform took did not move the number."""
    return (pl.col("stuck") >= TWICE).fill_null(value=False)


def with_unmoved(inputs: FindingInputs) -> pl.DataFrame:
    """Return POINTS where `stuck` counts at least the events since the number last changed, as the platform says.

    While a push of ours is on its way nobody knows yet whether it will move the number, and any number between with and without
    it is explained; but events that the platform stamped after the number's last change, and before the look, never did. On a
    gross platform no order moves it, nor what shows none already; and where a clock was set back, an event may bear a later time
    than the change it made.
    """
    key = of_point()
    gross = inputs.systems.filter(pl.col("basis") == Basis.GROSS).select("system")
    back = inputs.clocks.filter(pl.col("set_back_s") > SKEW_S).select("system")
    comparable = pl.col("state").is_in([str(state) for state in COMPARABLE])
    hidden = comparable & (pl.col("in_flight") > 0) & (pl.col("reported") > 0)
    asked = inputs.points.filter((pl.col("found") != 0) | hidden).join(pl.concat([gross, back]), on="system", how="anti")
    wrong = asked.select(*key, found=pl.when(pl.col("found") != 0).then("found").otherwise(1))  # sales lower a number
    looks = inputs.earlier.join(wrong, on=key).drop_nulls("changed_at")
    last = looks.sort("observed_at").group_by(key, maintain_order=True).last().select(*key, "found", "changed_at", "observed_at")
    skipped = (
        last.join(inputs.effects.unique([*key, "effect_id"]), on=key)
        .filter(pl.col("stamped_at").is_between(pl.col("changed_at") + LAG, pl.col("observed_at") - LAG, closed="none"))
        .filter(pl.col("units").sign() == -pl.col("found").sign())
        .group_by(key)
        .agg(unmoved=pl.len().cast(pl.Int64))
    )
    return (
        inputs.points.join(skipped, on=key, how="left", maintain_order="left")
        .with_columns(stuck=pl.max_horizontal("stuck", "unmoved"))
        .drop("unmoved")
    )


def frozen(inputs: FindingInputs) -> pl.DataFrame:
    """Return `frozen_listing` as TOLD, one row a frozen point."""
    wrong = pl.when(pl.col("unexplained") != 0).then("unexplained").otherwise("gap")
    rows = inputs.points.filter(is_frozen()).with_columns(units=wrong.abs())
    stuck = plural("stuck", "change since then was", "changes since then were")
    cause = pl.format("{} still shows {}: {} {} not applied.", subject(), "reported", "stuck", stuck)
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
