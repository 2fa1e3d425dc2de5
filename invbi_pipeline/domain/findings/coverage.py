"""Which findings this run may call over: only those whose subject was looked at well enough to see them, had they lasted."""

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.inputs import FindingInputs, of_point
from invbi_pipeline.domain.findings.pushes import IN_FLIGHT, outcomes, right
from invbi_pipeline.domain.frames import Schema
from invbi_pipeline.domain.words import CorrectionState, FeedVerdict, PointState

__all__ = ["OVER", "over"]

OVER: Final[Schema] = {"finding_id": pl.String(), "resolution": pl.String()}
NO_LONGER_SEEN: Final = "no longer seen"
CORRECTED: Final = "corrected by invbi"
GONE: Final = "its system is no longer configured"

_OF_POINT: Final = (
    "oversell_risk", "undersell", "channel_stockout", "drift", "duplicate_event", "frozen_listing", "second_writer",
)  # fmt: skip
_OF_VERDICT: Final = ("system_unreachable", "feed_stale", "feed_truncated", "feed_mass_zero")
_OF_PUSH: Final = ("push_failed", "push_unverified", "push_mismatched")
_APART: Final = (*_OF_POINT, *_OF_VERDICT, *_OF_PUSH, "push_held", "oversold", "clock_skew", "bad_rows", "ledger_untied")
_NOT_COMPARED: Final = (PointState.UNMAPPED, PointState.UNTRACKED, PointState.COUNTED)  # by a person's or the platform's word
_FORGOTTEN: Final = timedelta(hours=24)  # refused rows of a feed that tells each change once are news for a day


def over(previous: pl.DataFrame, inputs: FindingInputs, now: datetime) -> pl.DataFrame:
    """Return OVER: of the findings known so far (FINDINGS), those this run may resolve unless it sees them, and in what words.

    A point's trouble needs a judged look at that point and no push in flight; a system's needs its word; a listing's or a shelf's
    needs that its system is believed; a push's needs a newer outcome.
    """
    found = previous.select(
        "finding_id", "code", "system", "listing_key", "location", "sku", "first_seen", "last_seen", "evidence"
    )
    rules = [
        _points(found, inputs),
        _pushes(found, inputs),
        _systems(found, inputs.feeds),
        _shelves(found, inputs),
        _refused(found, inputs.batches, now),
    ]
    ids = pl.concat([rule.select("finding_id") for rule in rules]).unique()
    covered = found.join(ids, on="finding_id", how="semi").join(_mended(inputs.corrections), on=of_point(), how="left")
    mended = (pl.col("verified_at") >= pl.col("first_seen")).fill_null(value=False)
    by_us = pl.col("code").is_in([*_OF_POINT, *_OF_PUSH, "push_held"]) & mended
    said = covered.select("finding_id", resolution=pl.when(by_us).then(pl.lit(CORRECTED)).otherwise(pl.lit(NO_LONGER_SEEN)))
    return pl.concat([said, _unconfigured(found, inputs.feeds).join(said, on="finding_id", how="anti")]).sort("finding_id")


def _points(found: pl.DataFrame, inputs: FindingInputs) -> pl.DataFrame:
    """Points that were looked at, that are compared no more, or that are gone although their system is believed."""
    mine, key = found.filter(pl.col("code").is_in(_OF_POINT)), of_point()
    known = inputs.points.select(*key)
    looked = inputs.points.filter(
        (pl.col("covered") & (pl.col("in_flight") == 0)) | pl.col("state").is_in([str(state) for state in _NOT_COMPARED])
    )
    gone = mine.join(known, on=key, how="anti").join(_believed(inputs.feeds), on="system", how="semi")
    return pl.concat([mine.join(looked, on=key, how="semi"), gone])


def _pushes(found: pl.DataFrame, inputs: FindingInputs) -> pl.DataFrame:
    """A push's trouble ends by the outcome of a newer one, or by a number that is right: never because it is long ago."""
    key = of_point()
    flying = inputs.corrections.filter(pl.col("state").is_in(IN_FLIGHT))
    mine = found.filter(pl.col("code").is_in(_OF_PUSH)).join(flying, on=key, how="anti")
    known = pl.concat([outcomes(inputs.corrections).select(key), right(inputs.points).select(key)])
    return pl.concat([mine.join(known, on=key, how="semi"), found.filter(pl.col("code") == "push_held")])


def _systems(found: pl.DataFrame, feeds: pl.DataFrame) -> pl.DataFrame:
    verdicts = found.filter(pl.col("code").is_in(_OF_VERDICT)).join(feeds, on="system", how="semi")
    clocks = feeds.filter(pl.col("clock_skew_s").is_not_null())
    return pl.concat([verdicts, found.filter(pl.col("code") == "clock_skew").join(clocks, on="system", how="semi")])


def _shelves(found: pl.DataFrame, inputs: FindingInputs) -> pl.DataFrame:
    """Identity, shelves and ledgers, by the word of their system; pools, where every owner could be read."""
    rest = found.filter(~pl.col("code").is_in(_APART))
    nobodys = rest.filter(pl.col("system") == "")
    believed = _believed(inputs.feeds)
    read_past = believed.filter(
        (pl.col("orders_complete_to") >= pl.col("stock_read_at")) | pl.col("orders_complete_to").is_null()
    )
    ledgers = found.filter(pl.col("code") == "ledger_untied").join(read_past, on="system", how="semi")
    pools = inputs.offers.filter(pl.col("pool").is_not_null() & ~pl.col("falling_only").fill_null(value=False))
    oversold = found.filter(pl.col("code") == "oversold")
    skus = inputs.positions.filter(pl.col("on_hand").is_not_null())
    return pl.concat(
        [
            rest.join(believed, on="system", how="semi"),
            nobodys,
            ledgers,
            oversold.join(pools, on=["system", "sku"], how="semi"),
            oversold.join(inputs.offers, on=["system", "sku"], how="anti").join(believed, on="system", how="semi"),
            oversold.filter(pl.col("system") == "").join(skus, on="sku", how="semi"),
        ]
    )


def _refused(found: pl.DataFrame, batches: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Refused rows are over once every dataset they came in was read again in full, or after a day."""
    mine = found.filter(pl.col("code") == "bad_rows").with_columns(
        dataset=pl.col("evidence").str.json_path_match("$.datasets").str.json_decode(pl.List(pl.String()))
    )
    read = batches.filter(pl.col("is_full") & (pl.col("verdict") != FeedVerdict.UNREACHABLE)).select("system", "dataset").unique()
    each = mine.explode("dataset").join(read.with_columns(again=pl.lit(True)), on=["system", "dataset"], how="left")
    again = each.group_by("finding_id").agg(pl.col("again").fill_null(value=False).all()).filter("again")
    return mine.filter(pl.col("finding_id").is_in(again["finding_id"].implode()) | (pl.col("last_seen") + _FORGOTTEN <= now))


def _unconfigured(found: pl.DataFrame, feeds: pl.DataFrame) -> pl.DataFrame:
    if feeds.is_empty():
        return pl.DataFrame(schema=dict(OVER))
    strangers = found.filter(pl.col("system") != "").join(feeds, on="system", how="anti")
    return strangers.select("finding_id", resolution=pl.lit(GONE))


def _believed(feeds: pl.DataFrame) -> pl.DataFrame:
    return feeds.filter(pl.col("verdict") == FeedVerdict.BELIEVED)


def _mended(corrections: pl.DataFrame) -> pl.DataFrame:
    """When a correction of each point was last verified."""
    verified = corrections.filter(pl.col("state") == CorrectionState.VERIFIED)
    return verified.group_by(of_point()).agg(pl.col("verified_at").max())
