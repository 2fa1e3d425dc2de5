"""Ties: whether an owner's numbers and its own movements add up, and shelves from which more left than was ever booked in."""

import polars as pl

from invbi_pipeline.domain.candidates import candidates
from invbi_pipeline.domain.ledger import Ledger

__all__ = ["negative", "untied"]

_SHELF = ("location", "sku", "system")


def untied(
    anchors: pl.LazyFrame, openings: pl.LazyFrame, own: pl.LazyFrame, systems: pl.LazyFrame, feeds: pl.LazyFrame
) -> pl.LazyFrame:
    """Return CANDIDATES `ledger_untied`: the owner's number moved by units that no movement of its ledger explains.

    units = anchor - base - the owner's movements stamped after the base, up to the anchor. The base is the newest physical
    count of the shelf, else its opening: a count is what settles a difference. It is derived anew each time, so that a late
    movement mends it. Judged only where the owner's ledger is read, and read past the anchor.
    """
    read = feeds.select("system", complete_to=pl.coalesce("orders_complete_to", "stock_read_at"))
    judged = (
        anchors.join(systems.filter("has_ledger").select("system"), on="system", how="semi")
        .join(read, on="system")
        .filter((pl.col("anchored_at") <= pl.col("complete_to")) & (pl.col("kind") == "book"))
        .join(openings.select(*_SHELF, "opened_at", opening="on_hand"), on=_SHELF)
        .with_columns(recounted=(pl.col("counted_at") > pl.col("opened_at")).fill_null(False))
        .filter(~pl.col("recounted") | pl.col("counted").is_not_null())
        .with_columns(
            base=pl.when("recounted").then("counted").otherwise("opening"),
            base_at=pl.when("recounted").then("counted_at").otherwise("opened_at"),
        )
    )
    between = (
        own.join(judged.select(*_SHELF, "base_at", "anchored_at"), on=_SHELF)
        .filter((pl.col("booked_at") > pl.col("base_at")) & (pl.col("booked_at") <= pl.col("anchored_at")))
        .group_by(_SHELF)
        .agg(booked=pl.col("units").sum())
    )
    residual = (
        judged.join(between, on=_SHELF, how="left")
        .with_columns(pl.col("booked").fill_null(0))
        .with_columns(units=pl.col("on_hand") - pl.col("base") - pl.col("booked"))
        .filter(pl.col("units") != 0)
    )
    cause = pl.format(
        "{} of {} at {} appeared or went without a movement in {}.", pl.col("units").abs(), "sku", "location", "system"
    )
    evidence = {c: pl.col(c) for c in ("base", "base_at", "booked", "on_hand", "anchored_at", "units")}
    return candidates(residual, "ledger_untied", cause, evidence)


def negative(ledger: Ledger) -> pl.LazyFrame:
    """Return CANDIDATES `negative_on_hand`, `units` below zero, with every term of the number as evidence."""
    below = ledger.shelves.filter(pl.col("on_hand") < 0).with_columns(units=pl.col("on_hand"))
    cause = pl.format("{} more of {} left {} than were ever booked in.", pl.col("units").abs(), "sku", "location")
    terms = ("anchor", "kind", "anchored_at", "in_number", "own_after", "foreign", "undecided", "on_hand")
    return candidates(below, "negative_on_hand", cause, {c: pl.col(c) for c in terms})
