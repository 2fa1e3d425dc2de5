"""Shelves that are probably empty although the record says some, where a count is worth its while."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.inputs import FindingInputs, told
from invbi_pipeline.domain.words import MovementKind, Severity

__all__ = ["DOUBTED", "LIKELY", "WORTH", "doubted", "phantoms"]

LIKELY: Final = 0.7  # empty at seven of ten: of fewer a count mostly finds what the record says
DOUBTED: Final = 0.25  # a shelf once told stays told while it is as likely empty as this, so that nothing flaps
WORTH: Final = 5.0  # reporting currency: what ten minutes of somebody who counts cost; a lesser stake is not worth them
_HIGH, _MEDIUM = 500.0, 50.0  # at stake, reporting currency
_SIGNS: Final = {  # how a sentence names the last sign of goods
    str(MovementKind.SALE): "the last sale",
    str(MovementKind.COUNT): "the last count",
    str(MovementKind.DAMAGE): "the last unit was booked as damaged",
}


def phantoms(inputs: FindingInputs) -> pl.DataFrame:
    """Return TOLD of `phantom_stock`: `units` is what the record says, `money` what a count is expected to save.

    An unpriced shelf is told whatever it may be worth, with the catalogue's severity.
    """
    worth = pl.col("money").is_null() | (pl.col("money") >= WORTH)
    rows = inputs.phantoms.filter((pl.col("probability") >= LIKELY) & worth)
    stake = pl.col("at_stake")
    severity = (
        pl.when(stake >= _HIGH)
        .then(pl.lit(str(Severity.HIGH)))
        .when(stake >= _MEDIUM)
        .then(pl.lit(str(Severity.MEDIUM)))
        .when(stake.is_not_null())
        .then(pl.lit(str(Severity.LOW)))
    )
    return told(
        rows.with_columns(severity=severity),
        "phantom_stock",
        _cause(),
        pl.col("probability").round(3),
        pl.col("silent_days").round(1),
        pl.col("rate").round(4),
        pl.col("prior").round(4),
        *("last_sign", "last_sign_at", "sales", "counts", "last_count_at", "found_none", "failed_picks", "damages", "at_stake"),
    )


def doubted(inputs: FindingInputs) -> pl.DataFrame:
    """Return code, location, sku of the shelves whose doubt has not ended: neither counted, nor sold from, nor thought full."""
    still = inputs.phantoms.filter(pl.col("probability") >= DOUBTED)
    return still.select("location", "sku", code=pl.lit("phantom_stock"))


def _cause() -> pl.Expr:
    since = pl.col("last_sign").replace_strict(_SIGNS, default="goods last came or went")
    ago = (
        pl.when(pl.col("last_sign").is_null())
        .then(pl.lit("Nothing was seen of it"))
        .otherwise(pl.format("It has been silent since {} on {}", since, pl.col("last_sign_at").dt.strftime("%d %b")))
    )
    usual = pl.format("{} days without a sale, where it sells {} a week", _whole("silent_days"), _tenth(pl.col("rate") * 7))
    failed = (
        pl.when(pl.col("failed_picks") > 0)
        .then(pl.format(", and {} order lines were cancelled", "failed_picks"))
        .otherwise(pl.lit(""))
    )
    return pl.format(
        "The record says {} of {} in {}, and the shelf is probably empty ({} %). {}: {}{}.",
        "units", "sku", "location", _whole(pl.col("probability") * 100), ago, usual, failed,
    )  # fmt: skip


def _whole(number: str | pl.Expr) -> pl.Expr:
    return (pl.col(number) if isinstance(number, str) else number).round(0).cast(pl.Int64())


def _tenth(number: pl.Expr) -> pl.Expr:
    return number.round(1)
