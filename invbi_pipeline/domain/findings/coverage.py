"""Which findings this run may call over: only those whose subject was looked at well enough to see them, had they lasted."""

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.corrections.guards import held_by
from invbi_pipeline.domain.findings.holds import newest
from invbi_pipeline.domain.findings.inputs import FindingInputs, of_point
from invbi_pipeline.domain.findings.phantom import doubted
from invbi_pipeline.domain.findings.pushes import IN_FLIGHT, outcomes, right
from invbi_pipeline.domain.frames import Schema
from invbi_pipeline.domain.words import CorrectionState, FeedVerdict, PointState

__all__ = ["BY_A_CORRECTION", "OVER", "over"]

OVER: Final[Schema] = {
    "finding_id": pl.String(),
    "resolution": pl.String(),
    "proven": pl.Boolean(),  # one look is enough: a correction was read back, a system or a person said so
}
NO_LONGER_SEEN: Final = "no longer seen"
CORRECTED: Final = "corrected by invbi"
RELEASED: Final = "corrected by invbi, released by a person"
MAPPED: Final = "mapped by a person"
GONE: Final = "its system is no longer configured"

_OF_POINT: Final = (
    "oversell_risk", "undersell", "channel_stockout", "drift", "duplicate_event", "frozen_listing", "second_writer",
    "ghost_location",
)  # fmt: skip
_OF_VERDICT: Final = ("system_unreachable", "feed_stale", "feed_truncated", "feed_mass_zero")
_OF_PUSH: Final = ("push_failed", "push_unverified", "push_mismatched")
BY_A_CORRECTION: Final = (*_OF_POINT, *_OF_PUSH, "push_held")  # what one that was read back puts an end to
_APART: Final = (*BY_A_CORRECTION, *_OF_VERDICT, "oversold", "clock_skew", "bad_rows", "ledger_untied")
_OF_NOBODY: Final = ("unmapped_listing", "near_miss_sku", "ambiguous_mapping", "variant_missing")  # listings without a sku
_SAID: Final = ("map", "person")  # how a mapping came to be: a row of the map, or an acceptance
_NOT_COMPARED: Final = (PointState.UNMAPPED, PointState.UNTRACKED, PointState.COUNTED)  # by a person's or the platform's word
_FORGOTTEN: Final = timedelta(hours=24)  # refused rows of a feed that tells each change once are news for a day


def over(previous: pl.DataFrame, inputs: FindingInputs, now: datetime) -> pl.DataFrame:
    """Return OVER: of the findings known so far (FINDINGS), those this run may resolve unless it sees them, and in what words.

    A point's trouble needs a judged look at that point and no push in flight; a system's needs its word; a listing's or a shelf's
    needs that its system is believed; a push's needs a newer outcome. An end is `proven` where a correction sent since it opened
    was read back, the system is believed again, its rows came in whole or are old news, a person or the platform took the number
    out of comparison, or a listing that belonged to nothing is mapped. What a correction sent since the look that found it had
    mended before it was told of stays open for two runs, as other numbers of the same cause may be told of by then.
    """
    found = previous.select(
        "finding_id", "code", "system", "listing_key", "location", "sku", "opened_at", "last_seen", "evidence"
    )
    rules = [
        _points(found, inputs),
        _pushes(found, inputs),
        _systems(found, inputs.feeds),
        _shelves(found, inputs),
        _refused(found, inputs.batches, now),
        _mapped(found, inputs.mappings),
    ]
    ids = pl.concat([rule.select("finding_id") for rule in rules]).unique()
    covered = found.join(ids, on="finding_id", how="semi").join(_mended(inputs.corrections), on=of_point(), how="left")
    # a number lowered at the first look is told of once it is read back: both of these times are the platform's
    first = pl.col("evidence").str.json_path_match("$.found_at")
    found_at = first.str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
    by_one = pl.col("code").is_in(BY_A_CORRECTION)
    since = by_one & (pl.col("mended_at") >= pl.col("opened_at")).fill_null(value=False)
    by_us = since | (by_one & (pl.col("sent_at") >= found_at).fill_null(value=False))
    told = pl.col("finding_id").is_in(_by_word(found, inputs)["finding_id"].implode()) | (pl.col("code") == "bad_rows")
    mapped = _mapped(found, inputs.mappings.filter(pl.col("how").is_in(_SAID)))
    said = covered.select(
        "finding_id",
        resolution=pl.when(by_us & pl.col("released"))
        .then(pl.lit(RELEASED))
        .when(by_us)
        .then(pl.lit(CORRECTED))
        .when(pl.col("finding_id").is_in(mapped["finding_id"].implode()))
        .then(pl.lit(MAPPED))
        .otherwise(pl.lit(NO_LONGER_SEEN)),
        proven=since | told,
    )
    return pl.concat([said, _unconfigured(found, inputs.feeds).join(said, on="finding_id", how="anti")]).sort("finding_id")


def _by_word(found: pl.DataFrame, inputs: FindingInputs) -> pl.DataFrame:
    """Findings that a word ends: of systems that are believed, of numbers that are compared no more."""
    verdicts = found.filter(pl.col("code").is_in(_OF_VERDICT)).join(_believed(inputs.feeds), on="system", how="semi")
    apart = inputs.points.filter(pl.col("state").is_in([str(state) for state in _NOT_COMPARED]))
    numbers = found.filter(pl.col("code").is_in(_OF_POINT)).join(apart, on=of_point(), how="semi")
    return pl.concat([verdicts, numbers, _mapped(found, inputs.mappings)])


def _mapped(found: pl.DataFrame, mappings: pl.DataFrame) -> pl.DataFrame:
    """Listings that belonged to nothing, or perhaps to several, and are mapped now: by a person's word, or a key of their own."""
    held = mappings.filter(pl.col("valid_to").is_null())
    return found.filter(pl.col("code").is_in(_OF_NOBODY)).join(held, on=["system", "listing_key"], how="semi")


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
    return pl.concat([mine.join(known, on=key, how="semi"), _holds(found.filter(pl.col("code") == "push_held"), inputs)])


def _holds(held: pl.DataFrame, inputs: FindingInputs) -> pl.DataFrame:
    """A hold ends where what was held, or a later correction of the point, is held no more, or where none is wanted: by a number
    that is right, or compared no more. That a run planned nothing, for want of orders or of an answer, is no end. A channel's
    hold ends by a believed read.
    """
    key = of_point()
    of_channel = (pl.col("listing_key") == "") & (pl.col("sku") == "")
    wanted = inputs.corrections.filter(pl.col("state") != CorrectionState.SUPERSEDED)
    since = pl.col("evidence").str.json_path_match("$.planned_at").str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
    later = newest(wanted).filter(pl.col("state") != CorrectionState.HELD).select(*key, then=pl.coalesce("sent_at", "planned_at"))
    freed = held.select(*key, since=since).join(later, on=key).filter(pl.col("then") >= pl.col("since")).select(key)
    apart = inputs.points.filter(pl.col("state").is_in([str(state) for state in (*_NOT_COMPARED, PointState.UNOFFERED)]))
    believed = _believed(inputs.feeds)
    gone = held.join(inputs.points, on=key, how="anti").join(believed, on="system", how="semi")
    ended = pl.concat([freed, right(inputs.points).select(key), apart.select(key), gone.select(key)]).unique()
    of_points = held.filter(~of_channel).join(ended, on=key, how="semi")
    return pl.concat([of_points, held.filter(of_channel).join(believed, on="system", how="semi")])


def _systems(found: pl.DataFrame, feeds: pl.DataFrame) -> pl.DataFrame:
    verdicts = found.filter(pl.col("code").is_in(_OF_VERDICT)).join(feeds, on="system", how="semi")
    clocks = feeds.filter(pl.col("clock_skew_s").is_not_null())
    return pl.concat([verdicts, found.filter(pl.col("code") == "clock_skew").join(clocks, on="system", how="semi")])


def _shelves(found: pl.DataFrame, inputs: FindingInputs) -> pl.DataFrame:
    """Identity, shelves and ledgers, by the word of their system; pools, where every owner could be read."""
    rest = found.filter(~pl.col("code").is_in(_APART)).join(doubted(inputs), on=["code", "location", "sku"], how="anti")
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
    return strangers.select("finding_id", resolution=pl.lit(GONE), proven=pl.lit(value=True))


def _believed(feeds: pl.DataFrame) -> pl.DataFrame:
    return feeds.filter(pl.col("verdict") == FeedVerdict.BELIEVED)


def _mended(corrections: pl.DataFrame) -> pl.DataFrame:
    """When the newest correction of each point that was read back had been sent (`mended_at` by our clock, not that of the read;
    `sent_at` by the platform's), and whether it was `released` by a person: one that a guard holds is sent by nobody else's word.
    """
    verified = corrections.filter(pl.col("state") == CorrectionState.VERIFIED).sort("sent_at", "correction_id")
    held = verified.with_columns(released=held_by().list.len() > 0)
    sent = pl.coalesce("send_ended_at", "verified_at")
    return held.group_by(of_point()).agg(
        mended_at=sent.max(), sent_at=pl.col("sent_at").max(), released=pl.col("released").last()
    )
