"""Systems that do not answer, or not with the truth, and rows that were refused."""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.candidates import plural
from invbi_pipeline.domain.findings.inputs import FindingInputs, among, told
from invbi_pipeline.domain.words import FeedVerdict

__all__ = ["SKEW_S", "feeds"]

SKEW_S: Final = 120.0  # seconds between a system's clock and ours that are worth a word
_REASONS: Final = 3  # of the reasons for refused rows, how many the sentence names
_SHOWN: Final = 200  # characters of a reason that a sentence can bear

_VERDICTS: Final = {
    FeedVerdict.UNREACHABLE: ("system_unreachable", "{} has not answered{}{}."),
    FeedVerdict.STALE: ("feed_stale", "{} has answered with old data{}{}."),
    FeedVerdict.TRUNCATED: ("feed_truncated", "{} sent only part of its data{}{}."),
    FeedVerdict.MASS_ZERO: ("feed_mass_zero", "{} says that far too many numbers are gone at once{}{}."),
}


def feeds(inputs: FindingInputs, now: datetime) -> pl.DataFrame:
    """Return `system_unreachable`, `feed_stale`, `feed_truncated`, `feed_mass_zero`, `bad_rows` and `clock_skew` as TOLD.

    The units of a system that is not believed are all that it shows: nobody watches them now.
    """
    blind = inputs.feeds.filter(pl.col("verdict") != FeedVerdict.BELIEVED)
    rows = blind.join(_at_risk(blind, inputs), on="system", how="left")
    since = pl.when(pl.col("blind_since").is_null()).then(pl.lit("")).otherwise(
        pl.format(" since {} ({} min)", pl.col("blind_since").dt.strftime("%H:%M UTC"), _minutes(now))
    )  # fmt: skip
    reason = pl.col("reason").fill_null("").str.strip_chars_end(".").str.slice(0, _SHOWN)
    why = pl.when(reason == "").then(pl.lit("")).otherwise(pl.format(": {}", reason))
    evidence = ("verdict", "reason", "blind_since", "stock_read_at", "orders_complete_to", "points")
    said = [
        told(rows.filter(pl.col("verdict") == verdict), code, pl.format(sentence, "system", since, why), *evidence)
        for verdict, (code, sentence) in _VERDICTS.items()
    ]
    return pl.concat([*said, _refused(inputs.quarantine), _skewed(inputs.feeds)])


def _at_risk(blind: pl.DataFrame, inputs: FindingInputs) -> pl.DataFrame:
    """The units that each of these systems shows, and what of them has a price is worth; null where nothing has one."""
    listing = ("system", "listing_key")
    shown = among(inputs.points, blind, "system").filter(pl.col("reported") > 0)
    prices = among(inputs.values.select(*listing, "price"), shown, *listing).unique(listing, keep="any")
    worth = pl.col("reported") * pl.col("price")
    return (
        shown.join(prices, on=listing, how="left")
        .group_by("system")
        .agg(
            units=pl.col("reported").sum(),
            money=pl.when(pl.col("price").is_not_null().any()).then(worth.sum().round(2)),
            points=pl.len(),
        )
    )


def _refused(quarantine: pl.DataFrame) -> pl.DataFrame:
    """One row a system: how many rows of each dataset were refused, and mostly why."""
    by_reason = (
        quarantine.filter(pl.col("rows") > 0)
        .group_by("system", "dataset", "reason")
        .agg(pl.col("rows").sum())
        .sort("system", "rows", "dataset", "reason", descending=[False, True, False, False])
    )
    rows = by_reason.group_by("system", maintain_order=True).agg(
        refused=pl.col("rows").sum(),
        datasets=pl.col("dataset").unique().sort(),
        reasons=pl.struct("dataset", "reason", "rows"),
        top=pl.format("{} × {} ({})", "rows", pl.col("reason").str.slice(0, _SHOWN), "dataset").head(_REASONS).str.join("; "),
        others=pl.col("rows").slice(_REASONS).sum(),
    )
    more = pl.when(pl.col("others") > 0).then(pl.format("; {} for other reasons", "others")).otherwise(pl.lit(""))
    said = (plural("refused", "row", "rows"), "system", plural("refused", "was", "were"))
    cause = pl.format("{} {} of {} {} refused: {}{}.", "refused", *said, "top", more)
    return told(rows, "bad_rows", cause, "refused", "datasets", "reasons")


def _skewed(feeds_now: pl.DataFrame) -> pl.DataFrame:
    rows = feeds_now.filter(pl.col("clock_skew_s").abs() > SKEW_S)
    way = pl.when(pl.col("clock_skew_s") > 0).then(pl.lit("ahead of")).otherwise(pl.lit("behind"))
    minutes = (pl.col("clock_skew_s").abs() / 60).round(0).cast(pl.Int64())
    return told(rows, "clock_skew", pl.format("The clock of {} is {} min {} ours.", "system", minutes, way), "clock_skew_s")


def _minutes(now: datetime) -> pl.Expr:
    return (pl.lit(now) - pl.col("blind_since")).dt.total_minutes()
