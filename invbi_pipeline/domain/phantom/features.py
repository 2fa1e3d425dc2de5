"""What each shelf's history says of it: how long it has been silent, how it sold before, what counts found, failed picks."""

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import UTC, Schema
from invbi_pipeline.domain.phantom.clock import clock, selling_days
from invbi_pipeline.domain.phantom.fads import elsewhere
from invbi_pipeline.domain.phantom.spans import Ahead, spans
from invbi_pipeline.domain.steps import kept
from invbi_pipeline.domain.words import LocationKind, MovementKind

__all__ = ["FEATURES", "features", "habits"]

FEATURES: Final[Schema] = {  # one row a shelf whose record is known; days are selling days (`clock`)
    "location": pl.String(),
    "sku": pl.String(),
    "units": pl.Int64(),  # the record's
    "ilk": pl.String(),  # places of one kind that one system counts: what sells in one sells in the others
    "sellers": pl.String(),  # the channels that sell from it (`sellers`)
    "sales": pl.Int64(),  # sales seen; one of three units is one
    "sold": pl.Int64(),  # units in them
    "at_once": pl.Int64(),  # sales that nobody had ordered before: only these buyers are turned away by an empty shelf
    "exposed": pl.Float64(),  # days in stock in which they were seen, up to the last sign of goods
    "silent": pl.Float64(),  # days in stock since then
    "lost": pl.Float64(),  # days of silence in stock that a count ended which found none
    "hidden": pl.Float64(),  # the longest silence in stock that an arrival ended: a loss in it was never seen
    "silent_days": pl.Float64(),  # the same by the calendar
    "last_sign_at": UTC,  # the last sale, arrival, damage, or count that found some; null: none in the history
    "last_sign": pl.String(),  # what it was
    "counts": pl.Int64(),
    "last_count_at": UTC,
    "found_none": pl.Int64(),  # counts that found nothing where the record said some
    "found_packing": pl.Int64(),  # those of them that a picker made who looked for an order's goods
    "none_rightly": pl.Int64(),  # counts that found nothing where the record said none
    "none_unsaid": pl.Int64(),  # counts that found nothing where nobody knows what the record said before
    "found_less": pl.Int64(),  # units that counts found missing, few at a time
    "found_part": pl.Int64(),  # counts that found more missing: goods that came after a loss
    "uncounted": pl.Float64(),  # days since the last count, or since the history begins
    "failed_picks": pl.Int64(),  # order lines cancelled late, and not counted, since the last sign
    "silent_to_fail": pl.Float64(),  # days in stock from the last sign to the first of them; `silent` where there is none
    "failed_before": pl.Int64(),  # such lines in earlier silences that a count ended which found none
    "damages": pl.Int64(),  # units booked as damaged since the last count
    "elsewhere": pl.Int64(),  # sales of the sku at the other shelves in the days of `silent`,
    "elsewhere_usual": pl.Float64(),  # ... and in as many days on the average of the history
}

_SHELF: Final = ["location", "sku"]
_WHILE_PICKING: Final = timedelta(hours=1)  # a picker who finds nothing counts the shelf there and then
_CANCELS: Final = (1.0, 19.0)  # Beta: before any is seen, one order line in twenty ends so
_CLOSED_AFTER: Final = timedelta(days=3)  # a long weekend; without any sale for longer a place is closed, or its feed has ended
_COUNT: Final = str(MovementKind.COUNT)


def features(
    happened: pl.LazyFrame,
    picked: pl.LazyFrame,
    positions: pl.LazyFrame,
    sellers: pl.LazyFrame,
    places: pl.LazyFrame,
    now: datetime,
) -> pl.LazyFrame:
    """Return FEATURES at `now`, from HAPPENED, ended order lines (`happened.picks`), POSITIONS, `sellers` and PLACES.

    A platform's own warehouse is left out: nobody of ours can count there. Shelves whose record says none are in it: a count
    that finds a shelf empty makes its record say none, so that a place without them would seem to lose nothing.
    """
    known = happened.filter(pl.col("at") <= now)
    ours = places.filter(pl.col("kind") != LocationKind.PLATFORM).select(
        "location", ilk=pl.concat_str("counted_by", "kind", separator="/")
    )
    recorded = positions.drop_nulls("on_hand").select(*_SHELF, units="on_hand")
    shelves = kept(recorded.join(ours, on="location").with_row_index("shelf"))
    hours = kept(clock(known, now))
    until = kept(_open_until(known, now))
    history = spans(known, shelves, hours, until)
    told = history.group_by("shelf").agg(
        sales=pl.col("sale").sum().cast(pl.Int64()),
        sold=-pl.col("units").filter("sale").sum(),
        at_once=pl.col("at_once").sum().cast(pl.Int64()),
        stocked=pl.col("stocked").sum(),
        silent=pl.col("stocked").filter(pl.col("ahead") == Ahead.NOTHING).sum(),
        hidden=pl.col("hidden").max(),
        lost=pl.col("stocked").filter(pl.col("ahead") == Ahead.NONE_FOUND).sum(),
        last_sign_at=pl.col("at").filter("sign").max(),
        last_sign=pl.col("kind").filter("sign").last(),
        counts=pl.col("count").sum().cast(pl.Int64()),
        last_count_at=pl.col("at").filter("count").max(),
        found_none=pl.col("found_none").sum().cast(pl.Int64()),
        none_rightly=pl.col("none_rightly").sum().cast(pl.Int64()),
        none_unsaid=pl.col("none_unsaid").sum().cast(pl.Int64()),
        found_less=pl.col("found_less").sum(),
        found_part=pl.col("found_part").sum().cast(pl.Int64()),
        damages=-pl.col("units").filter((pl.col("kind") == MovementKind.DAMAGE) & (pl.col("nth") == pl.col("nth").max())).sum(),
        since=pl.coalesce(pl.col("at").filter("count").max(), pl.col("at").min()),
    )
    dated = shelves.join(told, on="shelf").join(until, on="location", how="left")
    dated = kept(selling_days(selling_days(dated, hours, "since", "_since"), hours, "until", "_till"))
    left = kept(_uncounted(known, picked))
    signed = dated.select("shelf", *_SHELF, signed=pl.coalesce("last_sign_at", "since"))
    window = selling_days(signed, hours, "signed", "_signed").select("shelf", "_signed")
    in_silence = (pl.col("_till") - pl.col("_signed")).clip(0) / pl.col("_till").clip(1)  # a share of the history
    rows = (
        dated.join(sellers, on=_SHELF, how="left")
        .join(window, on="shelf", how="left")
        .join(elsewhere(known, signed.drop("shelf")), on=_SHELF, how="left")
        .join(_packing(history, picked, shelves), on="shelf", how="left")
        .join(_failed(left, dated, hours, now), on=_SHELF, how="left")
        .join(_before_none(history, left, shelves), on="shelf", how="left")
        .with_columns(
            pl.col("sellers").fill_null(""),
            pl.col("found_packing", "failed_before").fill_null(0),
            elsewhere_usual=(pl.col("all") - pl.col("sales")).clip(0) * in_silence,
            exposed=(pl.col("stocked") - pl.col("silent") - pl.col("lost")).clip(0),
            uncounted=(pl.col("_till") - pl.col("_since")).clip(0),
            silent_days=((pl.col("until") - pl.coalesce("last_sign_at", "since")).dt.total_seconds() / 86_400).clip(0),
            failed_picks=pl.col("failed_picks").fill_null(0).cast(pl.Int64()),
            silent_to_fail=pl.min_horizontal(pl.col("silent_to_fail").fill_null(float("inf")), "silent"),
        )
    )
    return rows.select(pl.col(name).cast(kind) for name, kind in FEATURES.items())


def _open_until(known: pl.LazyFrame, now: datetime) -> pl.LazyFrame:
    """Return location, until: up to when silence says something. Where nothing sells at all, it says nothing of one shelf."""
    last_sale = pl.col("at").filter(pl.col("kind") == MovementKind.SALE).max() + _CLOSED_AFTER
    return known.group_by("location").agg(until=pl.min_horizontal(last_sale, pl.lit(now)).cast(UTC))


def _packing(history: pl.LazyFrame, picked: pl.LazyFrame, shelves: pl.LazyFrame) -> pl.LazyFrame:
    """Return shelf, found_packing: the counts that found none where an order line was cancelled at that time."""
    none = history.filter("found_none").select("shelf", "at").join(shelves.select("shelf", *_SHELF), on="shelf").sort("at")
    gone = picked.filter("cancelled").select(*_SHELF, "at", line_at="at").sort("at")
    near = none.join_asof(gone, on="at", by=_SHELF, strategy="nearest", tolerance=_WHILE_PICKING, check_sortedness=False)
    return near.drop_nulls("line_at").group_by("shelf").agg(found_packing=pl.len())


def _before_none(history: pl.LazyFrame, left: pl.LazyFrame, shelves: pl.LazyFrame) -> pl.LazyFrame:
    """Return shelf, failed_before: the lines left uncounted of which the shelf's next sign was a count that found none."""
    empty = history.filter("found_none").select("shelf").unique()
    turns = history.join(empty, on="shelf", how="semi").filter(pl.col("sign") | pl.col("found_none"))
    each = left.join(shelves.select("shelf", *_SHELF), on=_SHELF).sort("at")
    ends = turns.select("shelf", "at", "found_none").sort("at")
    told = each.join_asof(ends, on="at", by="shelf", strategy="forward", check_sortedness=False)
    return told.filter("found_none").group_by("shelf").agg(failed_before=pl.len())


def habits(happened: pl.LazyFrame, picked: pl.LazyFrame, rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return location, by_chance, if_empty: how likely an order line ends cancelled and uncounted, goods being there, or not.

    Where pickers count what they do not find, a line that nobody counted says little; where nobody ever counts, it says much.
    `rows` are FEATURES: their `failed_before` were left although the shelf was empty. Both are means of Beta posteriors.
    """
    told = picked.join(_uncounted(happened, picked).with_columns(left=pl.lit(1)), on=[*_SHELF, "at"], how="left")
    each = told.group_by("location").agg(
        lines=pl.len(), failed=pl.col("failed").sum(), left=(pl.col("failed") & pl.col("left").is_not_null()).sum()
    )
    empty = rows.group_by("location").agg(pl.col("failed_before").sum())
    counted, passed = pl.col("failed") - pl.col("left"), pl.col("failed_before").fill_null(0)
    return each.join(empty, on="location", how="left").select(
        "location",
        by_chance=((pl.col("left") - passed).clip(0) + _CANCELS[0]) / (pl.col("lines") + sum(_CANCELS)),
        if_empty=(passed + 1) / (passed + counted + 2),
    )


def _uncounted(happened: pl.LazyFrame, picked: pl.LazyFrame) -> pl.LazyFrame:
    """Return location, sku, at of the failed lines beside which nobody counted the shelf."""
    counts = happened.filter(pl.col("kind") == _COUNT).select(*_SHELF, "at", counted_at="at").sort("at")
    failed = picked.filter("failed").select(*_SHELF, "at").unique().sort("at")
    near = failed.join_asof(counts, on="at", by=_SHELF, strategy="nearest", tolerance=_WHILE_PICKING, check_sortedness=False)
    return near.filter(pl.col("counted_at").is_null()).select(*_SHELF, "at")


def _failed(left: pl.LazyFrame, told: pl.LazyFrame, hours: pl.LazyFrame, now: datetime) -> pl.LazyFrame:
    """Return location, sku, failed_picks, silent_to_fail: late cancellations after the last sign of goods."""
    since = told.select(*_SHELF, signed=pl.coalesce("last_sign_at", "since"))
    late = left.filter(pl.col("at") <= now).join(since, on=_SHELF).filter(pl.col("at") > pl.col("signed"))
    both = selling_days(selling_days(late, hours, "at", "_fail"), hours, "signed", "_sign")
    return both.group_by(_SHELF).agg(failed_picks=pl.len(), silent_to_fail=(pl.col("_fail") - pl.col("_sign")).min().clip(0))
