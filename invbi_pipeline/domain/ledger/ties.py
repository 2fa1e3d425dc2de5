"""Ties: whether an owner's numbers and its own movements add up, and shelves from which more left than was ever booked in."""

import polars as pl

from invbi_pipeline.domain.candidates import candidates, nothing, plural
from invbi_pipeline.domain.ledger.on_hand import Ledger
from invbi_pipeline.domain.steps import any_row, beside, kept

__all__ = ["negative", "untied"]

_SHELF = ("location", "sku", "system")


def untied(
    anchors: pl.LazyFrame, openings: pl.LazyFrame, own: pl.LazyFrame, systems: pl.LazyFrame, feeds: pl.LazyFrame
) -> pl.LazyFrame:
    """Return CANDIDATES `ledger_untied`: the owner's number moved by units that no movement of its ledger explains.

    units = anchor - base - the owner's movements stamped after the base, up to the anchor. The base is the newest physical
    count of the shelf, else its opening: a count is what settles a difference. It is derived anew each time, so that a late
    movement mends it. Judged only where the owner's ledger is read, and read past the anchor.
    `anchors` and `own` know a shelf by its number.
    """
    read = feeds.select("system", complete_to=pl.coalesce("orders_complete_to", "stock_read_at"))
    ledgers = systems.filter("has_ledger").collect()["system"].to_list()
    opened = openings.select(*_SHELF, "opened_at", opening="on_hand").collect()
    judged = kept(
        beside(anchors.collect(), opened, _SHELF)
        .lazy()
        .filter(pl.col("opened_at").is_not_null() & (pl.col("kind") == "book") & pl.col("system").is_in(ledgers))
        .join(read, on="system")
        .filter(pl.col("anchored_at") <= pl.col("complete_to"))
        .with_columns(recounted=(pl.col("counted_at") > pl.col("opened_at")).fill_null(False))
        .filter(~pl.col("recounted") | pl.col("counted").is_not_null())
        .with_columns(
            base=pl.when("recounted").then("counted").otherwise("opening"),
            base_at=pl.when("recounted").then("counted_at").otherwise("opened_at"),
        )
    )
    if not any_row(judged):
        return nothing()
    between = (
        own.join(judged.filter(pl.col("base_at") < pl.col("anchored_at")).select("shelf", "base_at", "anchored_at"), on="shelf")
        .filter((pl.col("booked_at") > pl.col("base_at")) & (pl.col("booked_at") <= pl.col("anchored_at")))
        .group_by("shelf")
        .agg(booked=pl.col("units").sum())
    )
    residual = kept(
        judged.join(between, on="shelf", how="left")
        .with_columns(pl.col("booked").fill_null(0))
        .with_columns(units=pl.col("on_hand") - pl.col("base") - pl.col("booked"))
        .filter(pl.col("units") != 0)
    )
    if not any_row(residual):
        return nothing()
    cause = pl.format(
        "{} of {} {} at {} since {} without a movement in {}.",
        *(pl.col("units").abs(), "sku", pl.when(pl.col("units") > 0).then(pl.lit("appeared")).otherwise(pl.lit("vanished"))),
        *("location", pl.col("base_at").dt.strftime("%-d %B %H:%M UTC"), "system"),
    )
    evidence = {c: pl.col(c) for c in ("base", "base_at", "booked", "on_hand", "anchored_at", "units")}
    return candidates(residual, "ledger_untied", cause, evidence)


def negative(ledger: Ledger) -> pl.LazyFrame:
    """Return CANDIDATES `negative_on_hand`, `units` below zero, with every term of the number as evidence."""
    below = kept(ledger.shelves.filter(pl.col("on_hand") < 0).with_columns(units=pl.col("on_hand")))
    if not any_row(below):
        return nothing()
    cause = pl.format(
        "{} more of {} left {} than {} ever booked in.", pl.col("units").abs(), "sku", "location", plural("units", "was", "were")
    )
    terms = ("anchor", "kind", "anchored_at", "in_number", "own_after", "foreign", "undecided", "on_hand")
    return candidates(below, "negative_on_hand", cause, {c: pl.col(c) for c in terms})
