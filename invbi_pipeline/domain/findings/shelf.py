"""Ghost places: a channel that offers, on top of what it may, the goods of a place it may not ship from."""

import math
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.inputs import TOLD, FindingInputs, subject, told
from invbi_pipeline.domain.findings.listings import is_frozen
from invbi_pipeline.domain.findings.numbers import lasting
from invbi_pipeline.domain.frames import POINT_KEY, Schema, empty, fit
from invbi_pipeline.domain.frames import UTC as UTC_TYPE
from invbi_pipeline.domain.words import FindingState

__all__ = ["ghosts"]

_AT_LEAST: Final = 3  # listings whose numbers say the same: one could be anybody's hand
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BY_CHANCE: Final = 5e-3  # how likely so many numbers may agree with a place by accident
_PAUSE: Final = timedelta(seconds=15)  # a program sets its numbers in one go: a longer pause ends its sitting
_CHANNEL: Final = ("system", "ghost", "sitting")
_FOUND: Final[Schema] = {
    **dict.fromkeys(POINT_KEY, pl.String()),
    "ghost": pl.String(),  # the place
    "sitting": UTC_TYPE,
    "changed_at": UTC_TYPE,
    "units": pl.Int64(),
    "listings": pl.Int64(),  # how many agree with it
}


def ghosts(inputs: FindingInputs) -> pl.DataFrame:
    """Return `ghost_location`, one row a point, as TOLD: its drift makes it exactly its offer and an excluded place's goods.

    Looked at are numbers with a drift that counts (two judged looks, or the one that our push left), and those that two looks
    found above their offer without one (so it was before anybody looked). Where another push of ours was just on its way, the
    drift is measured from a number that nobody saw: then all that is above the offer may be the place's, too. A single one
    proves nothing, small numbers being alike: a place is named where at least three listings of a channel, changed in one
    sitting, agree with it in one run, and so many would by accident less than five times in a thousand; and from then on
    for each that was changed in the same sitting and agrees. The chance of one accident is the share of the place's skus that
    hold just so many; the tail of their Poisson law is bounded from above (for m > l: P(X >= m) <= e^-l l^m / m! /
    (1 - l / (m + 1)), with Stirling's m! >= sqrt(2 pi m) (m / e)^m).
    """
    there = _of_excluded(inputs)
    if there.is_empty():
        return empty(TOLD)
    apart = lasting(inputs.points).select(POINT_KEY).with_columns(stays=pl.lit(value=True))
    drifted = pl.col("found") > 0
    excesses = pl.concat_list(pl.when(drifted).then("found"), pl.when(drifted | pl.col("stays")).then("gap"))
    points = (
        _with_told(inputs)
        .filter(~is_frozen())  # nobody changed its number
        .join(_told_frozen(inputs.known), on=list(POINT_KEY), how="anti")
        .join(apart, on=list(POINT_KEY), how="left")
        .with_columns(excess=excesses.list.unique())
        .explode("excess")
        .filter(pl.col("excess") > 0)
        .join(_changed(inputs), on=[*POINT_KEY, "found_at"], how="left")
        .with_columns(changed_at=pl.coalesce("changed_at", "told_changed_at", "found_at", pl.lit(_LONG_AGO).cast(UTC_TYPE)))
        .join(inputs.offers.filter(pl.col("units") == 1), on=list(POINT_KEY), how="semi")
    )
    points = _with_sitting(points)
    named = [_in_known_sitting(points, there, inputs.known)]
    points = points.join(named[0], on=list(POINT_KEY), how="anti")
    while (found := _agreeing(points, there)).height:  # what one place explains says nothing for or against the next
        named.append(found)
        points = points.join(found, on=list(POINT_KEY), how="anti")
    told_of = pl.concat(named).join(inputs.points, on=list(POINT_KEY))
    said = pl.format(
        "{} showed {} too many: just what lies at {}, from where it may not ship. So did {} of its listings at once.",
        *(subject(), "units", "ghost", "listings"),
    )
    evidence = ("reported", "offer", "ghost", "listings", "changed_at", "found_since", "found_at")
    return told(told_of, "ghost_location", said, *evidence)


def _with_told(inputs: FindingInputs) -> pl.DataFrame:
    """Return POINTS with `told_changed_at`, and with the drift that an open finding tells of where the point has none any more.

    What our own push puts right drifts for one run only, and the numbers of one sitting need not be judged in the same run. A
    drift that a place was named for is told of no more.
    """
    said, code = pl.col("evidence").str.json_path_match, pl.col("code")
    named = inputs.known.filter(code == "ghost_location").group_by(POINT_KEY).agg(named_at=pl.col("last_seen").max())
    drifts = (
        inputs.known.filter((code == "drift") & (pl.col("state") != FindingState.RESOLVED))
        .join(named, on=list(POINT_KEY), how="left")
        .filter((pl.col("named_at") < pl.col("opened_at")).fill_null(value=True))
        .sort("last_seen")
        .unique(POINT_KEY, keep="last", maintain_order=True)  # a listing may have been another sku before
        .select(
            *POINT_KEY,
            told=said("$.found").cast(pl.Int64, strict=False),
            told_at=said("$.found_at").str.to_datetime(time_unit="us", time_zone="UTC", strict=False),
            told_changed_at=said("$.causes[0].at").str.to_datetime(time_unit="us", time_zone="UTC", strict=False),
        )
    )
    if drifts.is_empty():
        return inputs.points.with_columns(told_changed_at=pl.lit(None, UTC_TYPE))
    stands = pl.col("told").is_null() | (pl.col("found") != 0)
    return inputs.points.join(drifts, on=list(POINT_KEY), how="left").with_columns(
        found=pl.when(stands).then("found").otherwise("told"),
        found_at=pl.when(stands).then("found_at").otherwise("told_at"),
        told_changed_at=pl.when(stands).then(pl.lit(None, UTC_TYPE)).otherwise("told_changed_at"),
    )


def _with_sitting(points: pl.DataFrame) -> pl.DataFrame:
    """Add `sitting`: when the first number of those was changed that follow each other on a channel without a pause."""
    ordered = points.sort("system", "changed_at")
    pause = pl.col("changed_at") - pl.col("changed_at").shift(1).over("system")
    first = pl.when((pause > _PAUSE).fill_null(value=True)).then("changed_at")
    return ordered.with_columns(sitting=first).with_columns(pl.col("sitting").forward_fill().over("system"))


def _told_frozen(known: pl.DataFrame) -> pl.DataFrame:
    """Return the keys of points that an open finding calls frozen: now and then a look alone cannot say so."""
    return known.filter((pl.col("code") == "frozen_listing") & (pl.col("state") != FindingState.RESOLVED)).select(POINT_KEY)


def _in_known_sitting(points: pl.DataFrame, there: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return `_FOUND` of the points that agree with a place that was named already, and were changed in the same sitting."""
    said = pl.col("evidence").str.json_path_match
    before = known.filter(pl.col("code") == "ghost_location").select(
        "system",
        ghost=said("$.ghost"),
        listings=said("$.listings").cast(pl.Int64, strict=False),
        then=said("$.changed_at").str.to_datetime(time_unit="us", time_zone="UTC", strict=False),
    )
    agree = points.join(there, on=["system", "sku"]).filter(pl.col("excess") == pl.col("available"))
    near = (pl.col("changed_at") - pl.col("then")).abs() <= _PAUSE
    one = agree.join(before, on=["system", "ghost"]).filter(near).unique(POINT_KEY, keep="first")
    return fit(one.with_columns(units="excess", listings=pl.col("listings") + 1), _FOUND)


def _changed(inputs: FindingInputs) -> pl.DataFrame:
    """Return a point's key, `found_at` and `changed_at`: when the platform says that the number of that look was set."""
    looks = inputs.earlier.select(*POINT_KEY, "changed_at", found_at="observed_at").drop_nulls("changed_at")
    return looks.unique([*POINT_KEY, "found_at"], keep="last", maintain_order=True)


def _agreeing(points: pl.DataFrame, there: pl.DataFrame) -> pl.DataFrame:
    """Return `_FOUND` of the points that agree with the place that explains most of each channel's, where it is no accident."""
    of = ["system", "ghost"]
    share = there.group_by(*of, "available").agg(n=pl.len())
    share = share.with_columns(chance=pl.col("n") / pl.col("n").sum().over(of))
    pairs = (
        points.join(there, on=["system", "sku"])
        .join(share.select(*of, "chance", excess="available"), on=[*of, "excess"], how="left")
        .with_columns(pl.col("chance").fill_null(0.0), agrees=pl.col("excess") == pl.col("available"))
    )
    points_of = pl.struct(POINT_KEY).filter("agrees").n_unique()
    told_by = pairs.group_by(_CHANNEL).agg(m=points_of.cast(pl.Float64), expected=pl.col("chance").sum())
    sure = (
        told_by.filter((pl.col("m") >= _AT_LEAST) & (pl.col("m") > pl.col("expected")) & (_tail() < _BY_CHANCE))
        .sort("m", "ghost", descending=[True, False])
        .unique(["system", "sitting"], keep="first", maintain_order=True)
    )
    agree = pairs.filter("agrees").join(sure, on=list(_CHANNEL)).unique(POINT_KEY, keep="first", maintain_order=True)
    return fit(agree.with_columns(units="excess", listings=pl.col("m").cast(pl.Int64)), _FOUND)


def _tail() -> pl.Expr:
    m, expected = pl.col("m"), pl.col("expected").clip(lower_bound=1e-9)
    factorial = (2 * math.pi * m).sqrt() * (m / math.e).pow(m)
    return (-expected).exp() * expected.pow(m) / factorial / (1 - expected / (m + 1))


def _of_excluded(inputs: FindingInputs) -> pl.DataFrame:
    """Return system, ghost (a place the channel may not ship from), sku, available (more than none)."""
    channels = inputs.systems.filter("sells").select("system", "sells_from")
    held = inputs.positions.filter(pl.col("available") > 0).select("sku", "available", ghost="location")
    mine = channels.explode("sells_from").select("system", ghost="sells_from")
    places = channels.select("system").join(held.select("ghost").unique(), how="cross")
    excluded = places.join(mine, on=["system", "ghost"], how="anti")
    return excluded.join(held, on="ghost").select("system", "sku", "available", "ghost")
