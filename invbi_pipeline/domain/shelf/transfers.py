"""Transfers: units that left one place and were never booked into another."""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.candidates import candidates, nothing, plural
from invbi_pipeline.domain.shelf.limits import BACK_TO, Limits
from invbi_pipeline.domain.steps import any_row, kept
from invbi_pipeline.domain.words import LocationKind, MovementKind

__all__ = ["not_received"]

_OF: Final = ("reference", "sku")


def not_received(
    own: pl.LazyFrame, places: pl.LazyFrame, systems: pl.LazyFrame, feeds: pl.LazyFrame, now: datetime, limits: Limits
) -> pl.LazyFrame:
    """Return CANDIDATES `transfer_not_received`, at the place the units left, one row a shelf.

    Both legs of a transfer bear its document (`reference`); what left less what came in under it is missing. Legs without a
    document are matched by sku, the oldest first. Judged only where every owner of ours shows its ledger, and was read past the
    end of the transit: a leg that cannot be seen is not missing. `own` is of `movements.Moves`.
    """
    legs = kept(own.filter(pl.col("kind").is_in([MovementKind.TRANSFER_OUT, MovementKind.TRANSFER_IN])))
    if not any_row(legs):
        return nothing()
    read_to = _read_to(places, systems, feeds)
    out = legs.filter(pl.col("kind") == MovementKind.TRANSFER_OUT).with_columns(sent=-pl.col("units"))
    into = legs.filter(pl.col("kind") == MovementKind.TRANSFER_IN)
    named = pl.col("reference") != ""
    lacking = pl.concat([_by_document(out.filter(named), into.filter(named)), _by_time(out.filter(~named), into.filter(~named))])
    late = (
        lacking.join(read_to, how="cross")
        .filter(
            pl.col("read_to").is_not_null()
            & (pl.col("units") > 0)
            & (pl.col("sent_at") + limits.transit <= pl.min_horizontal(pl.lit(now), "read_to"))
            & (pl.col("sent_at") > now - BACK_TO)
        )
        .sort("sent_at", "transfer")
    )
    grouped = late.group_by("system", "location", "sku", maintain_order=True).agg(
        pl.col("units", "sent").sum(),
        pl.col("sent_at").first(),
        transfers=pl.col("transfer").unique(maintain_order=True),
        received_at=pl.col("received_at").list.explode(keep_nulls=False, empty_as_null=False).unique().sort(),
    )
    some = pl.when(pl.col("units") < pl.col("sent")).then(pl.format(" of {}", "sent")).otherwise(pl.lit(""))
    cause = pl.format(
        "{}{} of {} left {} on {} (transfer {}) and {} never booked in anywhere.",
        "units",
        some,
        *("sku", "location"),
        pl.col("sent_at").dt.strftime("%-d %B %H:%M UTC"),
        pl.col("transfers").list.first(),
        plural("units", "was", "were"),
    )
    evidence = {name: pl.col(name) for name in ("transfers", "sent", "sent_at", "received_at")}
    return candidates(grouped, "transfer_not_received", cause, evidence)


def _read_to(places: pl.LazyFrame, systems: pl.LazyFrame, feeds: pl.LazyFrame) -> pl.LazyFrame:
    """Return one row, `read_to`: the time up to which every ledger that could show the other leg was read; null: not all can."""
    ours = places.filter(pl.col("kind") != LocationKind.PLATFORM).select(system="counted_by").unique()
    read = feeds.group_by("system").agg(read_to=pl.coalesce("orders_complete_to", "stock_read_at").min())
    ledgers = ours.join(systems.select("system", "has_ledger"), on="system", how="left").join(read, on="system", how="left")
    blind = ~pl.col("has_ledger").fill_null(value=False) | pl.col("read_to").is_null()
    return ledgers.select(read_to=pl.when(~blind.any()).then(pl.col("read_to").min()))


def _by_document(out: pl.LazyFrame, into: pl.LazyFrame) -> pl.LazyFrame:
    """A transfer in several parcels is received as a whole: what is missing is missing from the last that left."""
    came = into.group_by(_OF).agg(came=pl.col("units").sum(), received_at=pl.col("location").unique().sort())
    before = pl.col("sent").cum_sum().over(_OF, order_by=["occurred_at", "movement_id"]) - pl.col("sent")
    return (
        out.with_columns(before=before)
        .join(came, on=_OF, how="left")
        .with_columns(units=pl.col("sent") - (pl.col("came").fill_null(0) - pl.col("before")).clip(0, pl.col("sent")))
        .select("system", "location", "sku", "units", "sent", "received_at", transfer="reference", sent_at="occurred_at")
    )


def _by_time(out: pl.LazyFrame, into: pl.LazyFrame) -> pl.LazyFrame:
    first = out.group_by("sku").agg(first=pl.col("occurred_at").min())
    came = (
        into.join(first, on="sku")
        .filter(pl.col("occurred_at") >= pl.col("first"))
        .group_by("sku")
        .agg(came=pl.col("units").sum(), received_at=pl.col("location").unique().sort())
    )
    before = pl.col("sent").cum_sum().over("sku", order_by=["occurred_at", "system", "movement_id"]) - pl.col("sent")
    return (
        out.with_columns(before=before)
        .join(came, on="sku", how="left")
        .with_columns(units=pl.col("sent") - (pl.col("came").fill_null(0) - pl.col("before")).clip(0, pl.col("sent")))
        .select("system", "location", "sku", "units", "sent", "received_at", transfer="movement_id", sent_at="occurred_at")
    )
