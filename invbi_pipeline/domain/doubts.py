"""Doubts about identity, as candidates for findings: what belongs to nothing, what to two, what is spelt otherwise."""

from typing import NamedTuple

import polars as pl

from invbi_pipeline.domain.candidates import candidates
from invbi_pipeline.domain.identity import KEY, Resolved, line_key
from invbi_pipeline.domain.likeness import suggestions, with_style
from invbi_pipeline.domain.steps import kept
from invbi_pipeline.domain.words import ListingStatus

__all__ = ["Doubts", "doubts", "sold"]


class Doubts(NamedTuple):
    """`candidates` (CANDIDATES) and `suggestions` (`likeness.SUGGESTIONS`)."""

    candidates: pl.LazyFrame
    suggestions: pl.LazyFrame


def sold(order_lines: pl.LazyFrame) -> pl.LazyFrame:
    """Return system, listing_key, sold_units, sold_value (in the currency of the lines) and sold_orders of each thing."""
    return order_lines.group_by("system", line_key()).agg(
        sold_units=pl.col("quantity").sum(),
        sold_value=(pl.col("quantity") * pl.col("price").fill_null(0.0)).sum().round(2),
        sold_orders=pl.col("order_id").n_unique(),
    )


def doubts(
    things: pl.LazyFrame,
    resolved: Resolved,
    held: pl.LazyFrame,
    known: pl.LazyFrame,
    order_lines: pl.LazyFrame,
    observations: pl.LazyFrame,
    previous: pl.LazyFrame,
) -> Doubts:
    """Return the candidates of the identity group, and the suggestions behind them.

    A thing that belongs to no sku gets exactly one of `variant_missing` (its style is known, and no sku is only written
    otherwise) and `unmapped_listing`; likeness adds `near_miss_sku` (one sku is written so) or `ambiguous_mapping` (two are),
    never a mapping. `held` are the mappings that hold now, `previous` those of the run before, by which a listing made anew is
    told once.
    """
    live = things.filter((pl.col("status") == ListingStatus.ACTIVE) & (pl.col("source") != "movements"))
    orphans = live.join(pl.concat([held.select(*KEY), resolved.ambiguous.select(*KEY)]), on=KEY, how="anti").unique(
        KEY, keep="any"
    )
    orphans = kept(orphans.join(sold(order_lines), on=KEY, how="left"))
    hints = kept(suggestions(orphans, things, known, held))
    noticed = [
        _unmapped(with_style(orphans, things, known, held), hints),
        _near_misses(orphans, hints),
        _ambiguous(resolved),
        _repeated_codes(live, held),
        _two_numbers(observations),
        _two_codes(things),
        _relisted(things, held, previous),
    ]
    return Doubts(pl.concat(noticed), hints)


def _unmapped(orphans: pl.LazyFrame, hints: pl.LazyFrame) -> pl.LazyFrame:
    best = (
        hints.sort("confidence", "sku", descending=[True, False])
        .group_by(KEY)
        .agg(suggestions=pl.struct("sku", "reason", "confidence"), spelt=(pl.col("reason") != "barcode").any())
    )
    frame = orphans.join(best, on=KEY, how="left")
    name = pl.when(pl.col("code") != "").then(pl.col("code")).otherwise(pl.col("listing_key"))
    missing = pl.col("known_style").is_not_null() & pl.col("spelt").not_().fill_null(value=True)
    code = pl.when(missing).then(pl.lit("variant_missing")).otherwise(pl.lit("unmapped_listing"))
    cause = (
        pl.when(missing)
        .then(pl.format("{} on {} is of the known style {}, but this variant is unknown.", name, "system", "known_style"))
        .otherwise(pl.format("{} on {} belongs to no sku.", name, "system"))
    )
    evidence = {c: pl.col(c) for c in ("code", "title", "source", "sold_units", "sold_value", "sold_orders", "suggestions")}
    return candidates(frame, code, cause, evidence)


def _near_misses(orphans: pl.LazyFrame, hints: pl.LazyFrame) -> pl.LazyFrame:
    spelt = hints.filter(pl.col("reason") != "barcode").join(orphans.select(*KEY, "code"), on=KEY)
    skus = spelt.group_by(KEY).agg(
        pl.col("sku").unique().sort().alias("skus"), *(pl.col(c).first() for c in ("code", "reason", "confidence"))
    )
    one = skus.filter(pl.col("skus").list.len() == 1).with_columns(sku=pl.col("skus").list.first())
    two = skus.filter(pl.col("skus").list.len() > 1)
    evidence = {c: pl.col(c) for c in ("code", "skus", "reason", "confidence")}
    return pl.concat(
        [
            candidates(
                one,
                "near_miss_sku",
                pl.format("{} on {} is {} written otherwise ({}).", "code", "system", "sku", "reason"),
                evidence,
            ),
            candidates(
                two,
                "ambiguous_mapping",
                pl.format("{} on {} may be any of {}.", "code", "system", pl.col("skus").list.join(", ")),
                evidence,
            ),
        ]
    )


def _ambiguous(resolved: Resolved) -> pl.LazyFrame:
    cause = pl.format("{} on {} is mapped to {} at once.", "listing_key", "system", pl.col("skus").list.join(" and "))
    return candidates(resolved.ambiguous, "ambiguous_mapping", cause, {"skus": pl.col("skus")})


def _repeated_codes(live: pl.LazyFrame, held: pl.LazyFrame) -> pl.LazyFrame:
    """One code typed for several listings of one system; those that the SKU map names apart are somebody's decision."""
    decided = held.filter(pl.col("how") != "exact").select(*KEY)
    open_ = live.filter((pl.col("code") != "") & (pl.col("source") == "listing")).join(decided, on=KEY, how="anti")
    keys = open_.group_by("system", "code", "fulfilment").agg(keys=pl.col("listing_key").unique().sort())
    twice = keys.filter(pl.col("keys").list.len() > 1).with_columns(listing_key=pl.col("keys").list.first(), sku=pl.col("code"))
    cause = pl.format("{} listings on {} carry the code {}.", pl.col("keys").list.len(), "system", "code")
    return candidates(twice, "duplicate_sku", cause, {"code": pl.col("code"), "listing_keys": pl.col("keys")})


def _two_numbers(observations: pl.LazyFrame) -> pl.LazyFrame:
    said = observations.filter(pl.col("quantity").is_not_null()).group_by("system", "listing_key", "location")
    numbers = said.agg(numbers=pl.col("quantity").unique().sort()).filter(pl.col("numbers").list.len() > 1)
    text = pl.col("numbers").cast(pl.List(pl.String())).list.join(" and ")
    cause = pl.format("{} is given twice by {}, with {}.", "listing_key", "system", text)
    return candidates(numbers, "duplicate_sku", cause, {"numbers": pl.col("numbers")})


def _two_codes(things: pl.LazyFrame) -> pl.LazyFrame:
    said = things.filter(pl.col("source") == "listing").group_by(KEY).agg(codes=pl.col("code").unique().sort())
    twice = said.filter(pl.col("codes").list.len() > 1)
    cause = pl.format("{} on {} stands for {}.", "listing_key", "system", pl.col("codes").list.join(" and "))
    return candidates(twice, "duplicate_sku", cause, {"codes": pl.col("codes")})


def _relisted(things: pl.LazyFrame, held: pl.LazyFrame, previous: pl.LazyFrame) -> pl.LazyFrame:
    """Tell of a listing made anew in the run that first maps it: afterwards it is linked, and nothing is left to do."""
    gone = things.filter((pl.col("status") == ListingStatus.DELETED) & (pl.col("code") != ""))
    old = gone.join(previous, on=KEY, how="semi").select("system", "code", old_key="listing_key")
    new = things.filter(pl.col("status") != ListingStatus.DELETED).join(held.select(*KEY, "sku"), on=KEY)
    pairs = new.join(previous, on=KEY, how="anti").join(old, on=["system", "code"])
    first = pairs.group_by(KEY).agg(pl.col("sku").first(), pl.col("code").first(), old_keys=pl.col("old_key").unique().sort())
    cause = pl.format("{} was deleted on {} and made anew as {}.", "code", "system", "listing_key")
    return candidates(first, "relisted", cause, {"code": pl.col("code"), "old_keys": pl.col("old_keys")})
