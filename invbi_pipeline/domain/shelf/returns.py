"""Returns: goods that came back and were not booked, and bookings for which nothing came back."""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.candidates import candidates, nothing, plural
from invbi_pipeline.domain.identity.kits import explode
from invbi_pipeline.domain.identity.versions import mapped
from invbi_pipeline.domain.ledger.orders import shelf_of
from invbi_pipeline.domain.shelf.limits import BACK_TO, Limits
from invbi_pipeline.domain.steps import any_row, kept
from invbi_pipeline.domain.words import Absorbs, MovementKind, ReturnState

__all__ = ["not_restocked", "told_returns", "without_receipt"]

_RETURN: Final = ("system", "return_id", "listing_key", "location", "sku")
_SHELF: Final = ("location", "sku")
_BOOKS_OTHERS: Final = [Absorbs.IMPORTED, Absorbs.WRITEBACK]  # owners that should learn of a return elsewhere before a count


def told_returns(
    returns: pl.LazyFrame, mappings: pl.LazyFrame, kits: pl.LazyFrame, systems: pl.LazyFrame, owners: pl.LazyFrame
) -> pl.LazyFrame:
    """Return the steps of returns (RETURNS, staged) in units of the sku: `sku`, `owner` (of the place) and `units` are added."""
    placed = shelf_of(returns, systems, shipped=True).join(owners, on="location")
    return explode(mapped(placed, mappings, "occurred_at"), kits).with_columns(
        units=pl.col("units") * pl.col("units_per") * pl.col("per")
    )


def not_restocked(
    told: pl.LazyFrame,
    own: pl.LazyFrame,
    foreign: pl.LazyFrame,
    anchors: pl.LazyFrame,
    systems: pl.LazyFrame,
    now: datetime,
    limits: Limits,
) -> pl.LazyFrame:
    """Return CANDIDATES `return_not_restocked`: goods that are back and that the owner's record does not hold.

    Two kinds: a system says that goods were received and nothing more (`told` is `told_returns`); or a channel restocked them and
    the owner of that shelf, which learns of others' returns, has not booked it (`foreign` is of `ledger.Ledger`). Money
    given back for goods that nobody received says nothing; goods that were written off are no such goods. `own` is of
    `movements.Moves`, `anchors` as `anchors.anchors` makes them.
    """
    returned = told.collect()
    lacking = foreign.filter((pl.col("missing") > 0) & (pl.col("state") == "lacking")).collect()
    if returned.is_empty() and lacking.is_empty():
        return nothing()
    arrived = (
        returned.lazy()
        .group_by(_RETURN)
        .agg(
            pl.col("owner", "order_id").first(),
            received=_units(ReturnState.RECEIVED).sum(),
            ended=_units(ReturnState.RESTOCKED, ReturnState.WRITTEN_OFF, ReturnState.MISSING).sum(),
            began=pl.col("occurred_at").filter(pl.col("state") == ReturnState.RECEIVED).min(),
            since=pl.col("occurred_at").filter(pl.col("state") == ReturnState.RECEIVED).max(),
        )
    )
    bookings = own.filter((pl.col("kind") == MovementKind.RETURN) & (pl.col("order_id") != "")).select(
        "order_id", *_SHELF, "booked_at", owner="system", booked="units"
    )
    booked = (  # long before these goods were back, the owner booked another return of the order
        arrived.join(bookings, on=["order_id", *_SHELF, "owner"])
        .filter(pl.col("booked_at") >= pl.col("began") - limits.returned)
        .group_by(_RETURN)
        .agg(pl.col("booked").sum())
        .filter(pl.col("booked") > 0)
    )
    waiting = (
        arrived.join(booked, on=_RETURN, how="left")
        # the owner's own word of the same return is among the steps already
        .with_columns(booked=pl.when(pl.col("owner") != pl.col("system")).then(pl.col("booked")).fill_null(0))
        .with_columns(units=pl.col("received") - pl.col("ended") - pl.col("booked"))
        .select("system", *_SHELF, "units", "since", "order_id", "return_id", taken_by="system", how=pl.lit("received"))
    )
    learns = systems.filter(pl.col("absorbs").is_in(_BOOKS_OTHERS)).select(owner="system")
    unbooked = (
        lacking.lazy()
        .join(learns, on="owner", how="semi")
        .select(
            *_SHELF,
            system="owner",
            units="missing",
            since="occurred_at",
            order_id="order_id",
            return_id="movement_id",
            taken_by="system",
            how=pl.lit("restocked"),
        )
    )
    both = pl.concat([waiting, unbooked.select(waiting.collect_schema().names())])
    counted = pl.col("counted_at") >= pl.col("since")  # whoever counted the shelf has counted them
    open_ = both.join(anchors.select(*_SHELF, "counted_at"), on=_SHELF, how="left").filter(~counted.fill_null(value=False))
    late = open_.filter(
        (pl.col("units") > 0) & (pl.col("since") + limits.returned <= now) & (pl.col("since") > now - BACK_TO)
    ).sort("since", "return_id")
    grouped = late.group_by("system", *_SHELF, maintain_order=True).agg(
        pl.col("units").sum(),
        pl.col("since", "order_id", "taken_by", "how").first(),
        returns=pl.col("return_id").unique(maintain_order=True),
    )
    when = pl.col("since").dt.strftime("%-d %B %H:%M UTC")
    received = pl.format(
        "{} of {} came back to {} ({}, return {} in {}) and {} neither put back on sale nor written off.",
        *("units", "sku", "location"),
        when,
        pl.col("returns").list.first(),
        "taken_by",
        plural("units", "was", "were"),
    )
    restocked = pl.format(
        "{} of {} went back on the shelf of {} ({}, return {} in {}), and {} has not booked it.",
        *("units", "sku", "location"),
        when,
        pl.col("returns").list.first(),
        *("taken_by", "system"),
    )
    cause = pl.when(pl.col("how") == "received").then(received).otherwise(restocked)
    evidence = {name: pl.col(name) for name in ("returns", "order_id", "since", "taken_by", "how")}
    return candidates(grouped, "return_not_restocked", cause, evidence)


def without_receipt(
    own: pl.LazyFrame, movements: pl.LazyFrame, listed: pl.LazyFrame, told: pl.LazyFrame, now: datetime
) -> pl.LazyFrame:
    """Return CANDIDATES `restock_without_return`: a return was booked, none is known, and the next count was short by it.

    A booking that names an order, a refund or another system's movement has its receipt, and so has one on a shelf to which some
    system says that goods came back. `own` is of `movements.Moves`, `movements` as staged, `listed` is `counted_listings`,
    `told` is `told_returns`. A count is short by what it found less than the count before it with what the owner booked since.
    """
    counts = kept(_counts(movements, listed))
    if not any_row(counts):
        return nothing()
    booked = own.select("system", *_SHELF, "units", "booked_at", "kind", "order_id", "reference", "movement_id")
    window = ["system", *_SHELF, "counted_at"]
    between = counts.join(booked, on=["system", *_SHELF]).filter(
        (pl.col("booked_at") > pl.col("before_at")) & (pl.col("booked_at") <= pl.col("counted_at"))
    )
    receipts = told.select(*_SHELF, received_at="occurred_at")
    nameless = between.filter(
        (pl.col("kind") == MovementKind.RETURN) & (pl.col("units") > 0) & (pl.col("order_id") == "") & (pl.col("reference") == "")
    )
    known = (
        nameless.join(receipts, on=_SHELF)
        .filter((pl.col("received_at") > pl.col("before_at")) & (pl.col("received_at") <= pl.col("counted_at")))
        .select("system", "movement_id")
    )
    claimed = (
        nameless.join(known, on=["system", "movement_id"], how="anti")
        .sort("booked_at", "movement_id")
        .group_by(window, maintain_order=True)
        .agg(claimed=pl.col("units").sum(), restocks="movement_id", restocked_at=pl.col("booked_at").first())
    )
    short = (
        counts.join(between.group_by(window).agg(booked=pl.col("units").sum()), on=window)
        .with_columns(short=pl.col("before") + pl.col("booked") - pl.col("counted"))
        .join(claimed, on=window)
        .filter((pl.col("short") >= pl.col("claimed")) & (pl.col("counted_at") > now - BACK_TO))
        .with_columns(units="claimed")
        .sort("counted_at")
        .unique(["system", *_SHELF], keep="last", maintain_order=True)
    )
    cause = pl.format(
        "{} of {} {} booked as returned at {} on {}; no order or refund says that anything came back, and the count on {} "
        "found {} too few.",
        *("units", "sku", plural("units", "was", "were"), "location"),
        pl.col("restocked_at").dt.strftime("%-d %B %H:%M UTC"),
        pl.col("counted_at").dt.strftime("%-d %B %H:%M UTC"),
        "short",
    )
    evidence = {name: pl.col(name) for name in ("restocks", "restocked_at", "before", "booked", "counted", "counted_at")}
    return candidates(short, "restock_without_return", cause, evidence)


def _counts(movements: pl.LazyFrame, listed: pl.LazyFrame) -> pl.LazyFrame:
    """Return each count of a shelf and the one before it: system, location, sku, counted(_at), before(_at); sku units."""
    shelf = listed.filter("alone").select("system", *_SHELF, "listing_key", per="units")
    counted = (
        movements.filter((pl.col("kind") == MovementKind.COUNT) & pl.col("counted").is_not_null())
        .join(shelf, on=["system", "location", "listing_key"])
        .select("system", *_SHELF, "movement_id", counted_at="occurred_at", counted=pl.col("counted") * pl.col("per"))
    )
    order = ["counted_at", "movement_id"]
    earlier = {name: pl.col(name).shift(1).over(["system", *_SHELF], order_by=order) for name in ("counted", "counted_at")}
    return counted.with_columns(before=earlier["counted"], before_at=earlier["counted_at"]).drop_nulls("before_at")


def _units(*states: ReturnState) -> pl.Expr:
    return pl.when(pl.col("state").is_in([str(state) for state in states])).then("units").otherwise(0)
