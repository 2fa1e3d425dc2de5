"""Systems that do not answer, or not with the truth, and rows that were refused."""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.candidates import plural
from invbi_pipeline.domain.findings.catalogue import CATALOGUE
from invbi_pipeline.domain.findings.inputs import FindingInputs, among, told
from invbi_pipeline.domain.words import FeedVerdict

__all__ = ["SKEW_S", "feeds"]

SKEW_S: Final = 120.0  # seconds between a system's clock and ours that are worth a word
_REASONS: Final = 3  # of the reasons for refused rows, how many the sentence names
_SUBJECTS: Final = 10  # of the listings whose rows were refused, how many the evidence names
_SHOWN: Final = 200  # characters of a reason that a sentence can bear
_KEEP_UP: Final = "See that `invbi serve` runs and keeps up; its log says what holds it up."
_BOTH: Final = f"{CATALOGUE['feed_stale'].action} {_KEEP_UP}"

_VERDICTS: Final = {
    FeedVerdict.UNREACHABLE: ("system_unreachable", "{} has not answered{}{}."),
    FeedVerdict.STALE: ("feed_stale", "{} has answered with old data{}{}."),
    FeedVerdict.TRUNCATED: ("feed_truncated", "{} sent only part of its data{}{}."),
    FeedVerdict.MASS_ZERO: ("feed_mass_zero", "{} says that far too many numbers are gone at once{}{}."),
}


def feeds(inputs: FindingInputs, now: datetime) -> pl.DataFrame:
    """Return `system_unreachable`, `feed_stale`, `feed_truncated`, `feed_mass_zero`, `bad_rows` and `clock_skew` as TOLD.

    The units of a system that is not believed are all that it shows: nobody watches them now. What is known of a system is old,
    too, where it told of changes and nobody worked on them: that is a `feed_stale`, one with that of its answers. Of a system
    that does not answer nothing can be worked on, and only that is told.
    """
    blind = inputs.feeds.filter(pl.col("verdict") != FeedVerdict.BELIEVED)
    rows = blind.join(_at_risk(blind, inputs), on="system", how="left")
    since = pl.when(pl.col("blind_since").is_null()).then(pl.lit("")).otherwise(pl.format(" since {}", _ago("blind_since", now)))
    reason = pl.col("reason").fill_null("").str.strip_chars_end(".").str.slice(0, _SHOWN)
    why = pl.when(reason == "").then(pl.lit("")).otherwise(pl.format(": {}", reason))
    evidence = ("verdict", "reason", "blind_since", "stock_read_at", "orders_complete_to", "points")
    both = rows.filter(pl.col("verdict") == FeedVerdict.STALE).join(inputs.delays, on="system")
    rest = rows.join(both, on="system", how="anti")
    said = [
        told(rest.filter(pl.col("verdict") == verdict), code, pl.format(sentence, "system", since, why), *evidence)
        for verdict, (code, sentence) in _VERDICTS.items()
    ]
    stale, sentence = _VERDICTS[FeedVerdict.STALE]
    cause = pl.format(f"{sentence} {{}}", "system", since, why, _waited(now))
    said.append(told(both.with_columns(action=pl.lit(_BOTH)), stale, cause, *evidence, "waiting", "waiting_since"))
    return pl.concat([*said, _late(inputs, now), _refused(inputs.quarantine), _skewed(inputs.feeds)])


def _late(inputs: FindingInputs, now: datetime) -> pl.DataFrame:
    """`feed_stale` of the systems whose answers are not old: only what they announced."""
    said_already = [FeedVerdict.STALE.value, FeedVerdict.UNREACHABLE.value]
    rows = inputs.feeds.filter(~pl.col("verdict").is_in(said_already)).join(inputs.delays, on="system")
    return told(rows.with_columns(action=pl.lit(_KEEP_UP)), "feed_stale", _waited(now), "verdict", "waiting", "waiting_since")


def _waited(now: datetime) -> pl.Expr:
    return pl.format(
        "{} {} from {} had waited too long when this run began, the oldest since {}: what we knew of {} was that old.",
        "waiting",
        plural("waiting", "delivery", "deliveries"),
        "system",
        _ago("waiting_since", now),
        "system",
    )


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
    """One row a system: how many rows of each dataset were refused, mostly why, and of which listings."""
    some = quarantine.filter(pl.col("rows") > 0)
    by_reason = (
        some.group_by("system", "dataset", "reason")
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
    named = rows.join(_named(some), on="system", how="left", maintain_order="left")
    cause = pl.format("{} {} of {} {} refused: {}{}.{}", "refused", *said, "top", more, pl.col("whose").fill_null(""))
    return told(named, "bad_rows", cause, "refused", "datasets", "reasons", "listings", "listings_in_all")


def _named(refused: pl.DataFrame) -> pl.DataFrame:
    """Return by system the `listings` of refused rows, a few of them, how many there are in all, and a sentence on whose."""
    listings = refused.drop_nulls("listing_key").select("system", "listing_key", "sku").unique().sort(pl.all())
    by_system = listings.group_by("system", maintain_order=True).agg(
        listings=pl.struct("listing_key", "sku").head(_SUBJECTS),
        listings_in_all=pl.len(),
        first=pl.col("listing_key").first(),
        sku=pl.col("sku").first(),
        others=pl.len().cast(pl.Int64) - 1,
    )
    called = pl.when(pl.col("sku").is_null()).then("first").otherwise(pl.format("{} (SKU {})", "first", "sku"))
    others = pl.format(" and {} {}", "others", plural("others", "other", "others"))
    and_others = pl.when(pl.col("others") > 0).then(others).otherwise(pl.lit(""))
    whose = pl.format(" Concerns listing {}{}.", called, and_others)
    return by_system.select("system", "listings", "listings_in_all", whose=whose)


def _skewed(feeds_now: pl.DataFrame) -> pl.DataFrame:
    rows = feeds_now.filter(pl.col("clock_skew_s").abs() > SKEW_S)
    way = pl.when(pl.col("clock_skew_s") > 0).then(pl.lit("ahead of")).otherwise(pl.lit("behind"))
    minutes = (pl.col("clock_skew_s").abs() / 60).round(0).cast(pl.Int64())
    return told(rows, "clock_skew", pl.format("The clock of {} is {} min {} ours.", "system", minutes, way), "clock_skew_s")


def _ago(since: str, now: datetime) -> pl.Expr:
    return pl.format("{} ({} min)", pl.col(since).dt.strftime("%H:%M UTC"), (pl.lit(now) - pl.col(since)).dt.total_minutes())
