"""Doubts about identity, as candidates for findings: what belongs to nothing, what to two, what is spelt otherwise."""

from collections.abc import Iterable
from typing import NamedTuple

import polars as pl

from invbi_pipeline.domain.candidates import candidates, nothing, together
from invbi_pipeline.domain.identity.likeness import NO_SUGGESTIONS, TWIN, is_spelt, suggestions, with_style, within_style
from invbi_pipeline.domain.identity.mappings import KEY, Resolved, line_key
from invbi_pipeline.domain.identity.versions import held_once
from invbi_pipeline.domain.steps import alike, kept
from invbi_pipeline.domain.words import ListingStatus

__all__ = ["Doubts", "mapped_to_nothing", "of_mapped", "of_others", "sold"]


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


def of_mapped(things: pl.LazyFrame, resolved: Resolved, held: pl.LazyFrame, observations: pl.LazyFrame) -> Iterable[pl.LazyFrame]:
    """Return the candidates that stand against a listing which somebody claims: is it that sku's, and which number is its own?

    `held` are the mappings that hold now.
    """
    live = things.filter(pl.col("status") == ListingStatus.ACTIVE)
    return [_ambiguous(resolved), _repeated_codes(live, held), _two_numbers(observations), _two_codes(things)]


def of_others(
    things: pl.LazyFrame,
    resolved: Resolved,
    mappings: pl.LazyFrame,
    held: pl.LazyFrame,
    known: pl.LazyFrame,
    rejected: pl.LazyFrame,
    order_lines: pl.LazyFrame,
    previous: pl.LazyFrame,
) -> Doubts:
    """Return the other candidates of the identity group, and the suggestions behind them.

    A thing that belongs to no sku gets exactly one of `variant_missing` (its style is known, and no sku is only written
    otherwise) and `unmapped_listing`; likeness adds `near_miss_sku` (one sku is written so) or `ambiguous_mapping` (two are, or
    two have its barcode), never a mapping. `mappings` are all with their history, `held` those that hold now, `previous` those of
    the run before, by which a listing made anew is told once. What somebody `rejected` is suggested no more.
    """
    live = things.filter(pl.col("status") == ListingStatus.ACTIVE)
    silent = kept(live.join(resolved.unclaimed, on=KEY, how="semi"))  # few: what is claimed by somebody is mapped, or ambiguous
    orphans = silent.join(held.join(silent, on=KEY, how="semi"), on=KEY, how="anti").unique(KEY, keep="any").collect()
    belonging = Doubts(nothing(), NO_SUGGESTIONS)
    if not orphans.is_empty():
        theirs = order_lines.with_columns(line_key()).join(orphans.lazy(), on=KEY, how="semi")
        ended = mappings.filter(pl.col("valid_to").is_not_null() & held_once())
        belonging = _of_orphans(kept(orphans.lazy().join(sold(theirs), on=KEY, how="left")), things, known, held, ended, rejected)
    return Doubts(together([belonging.candidates, _relisted(things, held, previous)]), belonging.suggestions)


def _of_orphans(
    orphans: pl.LazyFrame,
    things: pl.LazyFrame,
    known: pl.LazyFrame,
    held: pl.LazyFrame,
    ended: pl.LazyFrame,
    rejected: pl.LazyFrame,
) -> Doubts:
    styled = kept(with_style(orphans, things, known, held))
    said = kept(suggestions(orphans, things, known, held, ended).join(rejected, on=[*KEY, "sku"], how="anti"))
    unheard = kept(styled.join(said, on=KEY, how="anti"))
    in_words = within_style(unheard, things, known, held).join(rejected, on=[*KEY, "sku"], how="anti")
    hints = kept(pl.concat([said, in_words]))
    return Doubts(together([_unmapped(styled, hints), *_near_misses(orphans, hints)]), hints)


def _unmapped(orphans: pl.LazyFrame, hints: pl.LazyFrame) -> pl.LazyFrame:
    best = (
        hints.sort("confidence", "sku", descending=[True, False])
        .group_by(KEY)
        .agg(suggestions=pl.struct("sku", "reason", "confidence"), spelt=(is_spelt() | (pl.col("reason") == TWIN)).any())
    )
    frame = orphans.join(best, on=KEY, how="left")
    title = pl.when(pl.col("title") != "").then(pl.format(" ({})", "title")).otherwise(pl.lit(""))
    nameless = pl.format("{}{}, to which nobody gave a code,", "listing_key", title)
    name = pl.when(pl.col("code") != "").then(pl.col("code")).otherwise(nameless)
    missing = pl.col("known_style").is_not_null() & pl.col("spelt").not_().fill_null(value=True)
    code = pl.when(missing).then(pl.lit("variant_missing")).otherwise(pl.lit("unmapped_listing"))
    cause = (
        pl.when(missing)
        .then(pl.format("{} on {} is of the known style {}, but this variant is unknown.", name, "system", "known_style"))
        .otherwise(pl.format("{} on {} belongs to no SKU.", name, "system"))
    )
    evidence = {c: pl.col(c) for c in ("code", "title", "source", "sold_units", "sold_value", "sold_orders", "suggestions")}
    return candidates(frame, code, cause, evidence)


def _near_misses(orphans: pl.LazyFrame, hints: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Tell of codes that are one sku's written otherwise, and of those written like two, or with the barcode of two."""
    spelt = hints.filter(is_spelt())
    barred = hints.filter(pl.col("reason") == "barcode").join(spelt, on=KEY, how="anti")
    name = pl.when(pl.col("code") != "").then("code").otherwise("listing_key")
    skus = kept(
        pl.concat([spelt, barred])
        .join(orphans.select(*KEY, code=name), on=KEY)
        .group_by(KEY)
        .agg(pl.col("sku").unique().sort().alias("skus"), *(pl.col(c).first() for c in ("code", "reason", "confidence")))
    )
    one = skus.filter((pl.col("skus").list.len() == 1) & is_spelt()).with_columns(sku=pl.col("skus").list.first())
    two = skus.filter(pl.col("skus").list.len() > 1)
    evidence = {c: pl.col(c) for c in ("code", "skus", "reason", "confidence")}
    return [
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


def _ambiguous(resolved: Resolved) -> pl.LazyFrame:
    by = pl.when(pl.col("hows").list.contains("person")).then(pl.lit(", by the SKU map and by `invbi map`")).otherwise(pl.lit(""))
    cause = pl.format("{} on {} is mapped to {} at once{}.", "listing_key", "system", pl.col("claims").list.join(" and "), by)
    return candidates(resolved.ambiguous, "ambiguous_mapping", cause, {"skus": pl.col("skus"), "claims": pl.col("claims")})


def mapped_to_nothing(
    things: pl.LazyFrame, uncounted: pl.LazyFrame, prices: pl.LazyFrame, kit_rows: pl.LazyFrame
) -> pl.LazyFrame:
    """Return `unmapped_listing` as CANDIDATES for listings mapped to a sku that nothing else knows.

    Such a sku is on no price list and in no kit, and no system that counts a place of ours lists it (`uncounted` are
    `mappings.uncounted`): it has no shelf. It is misspelt where it was mapped, or it is gone.
    """
    declared = [prices.select("sku"), kit_rows.select(sku="kit_sku"), kit_rows.select(sku="component_sku")]
    strangers = uncounted.join(pl.concat(declared), on="sku", how="anti").rename({"sku": "stranger"}).collect()
    if strangers.is_empty():
        return nothing()
    live = things.filter(pl.col("status") == ListingStatus.ACTIVE).join(strangers.lazy(), on=KEY, how="semi")
    cause = pl.format(
        "{} on {} is mapped to {}, which no price list, no kit and no system that counts stock knows.",
        "listing_key", "system", "stranger",
    )  # fmt: skip
    found = strangers.lazy().join(live, on=KEY, how="semi").rename({"units": "units_per"})
    evidence = {"mapped_to": pl.col("stranger"), "units_per": pl.col("units_per"), "how": pl.col("how")}
    return candidates(found, "unmapped_listing", cause, evidence)


def _repeated_codes(live: pl.LazyFrame, held: pl.LazyFrame) -> pl.LazyFrame:
    """One code typed for several listings of one system, unless people said of each of them what it is."""
    carried = ["system", "code", "fulfilment"]
    listed = _differing(live.filter((pl.col("code") != "") & (pl.col("source") == "listing")), carried, "listing_key")
    if listed.is_empty():
        return nothing()
    decided = held.filter(pl.col("how") != "exact").select(*KEY, decided=pl.lit(value=True))
    keys = (
        listed.lazy()
        .join(decided, on=KEY, how="left")
        .group_by(carried)
        .agg(keys=pl.col("listing_key").unique().sort(), decided=pl.col("decided").fill_null(value=False).all())
        .filter((pl.col("keys").list.len() > 1) & ~pl.col("decided"))
    )
    twice = keys.with_columns(listing_key=pl.col("keys").list.first(), sku=pl.col("code"))
    cause = pl.format("{} listings on {} carry the code {}.", pl.col("keys").list.len(), "system", "code")
    return candidates(twice, "duplicate_sku", cause, {"code": pl.col("code"), "listing_keys": pl.col("keys")})


def _two_numbers(observations: pl.LazyFrame) -> pl.LazyFrame:
    point = [*KEY, "location"]
    said = _differing(observations.filter(pl.col("quantity").is_not_null()), point, "quantity")
    if said.is_empty():
        return nothing()
    numbers = said.lazy().group_by(point).agg(numbers=pl.col("quantity").unique().sort())
    text = pl.col("numbers").cast(pl.List(pl.String())).list.join(" and ")
    cause = pl.format("{} is given twice by {}, with {}.", "listing_key", "system", text)
    return candidates(numbers, "duplicate_sku", cause, {"numbers": pl.col("numbers")})


def _two_codes(things: pl.LazyFrame) -> pl.LazyFrame:
    said = _differing(things.filter(pl.col("source") == "listing"), [*KEY], "code")
    if said.is_empty():
        return nothing()
    twice = said.lazy().group_by(KEY).agg(codes=pl.col("code").unique().sort())
    cause = pl.format("{} on {} stands for {}.", "listing_key", "system", pl.col("codes").list.join(" and "))
    return candidates(twice, "duplicate_sku", cause, {"codes": pl.col("codes")})


def _differing(frame: pl.LazyFrame, by: list[str], what: str) -> pl.DataFrame:
    """The rows of those groups in which `what` takes several values: lists of them are made for these alone."""
    rows = frame.filter(alike(by)).collect()
    if rows.is_empty():
        return rows
    ends = rows.group_by(by).agg(least=pl.col(what).min(), most=pl.col(what).max())
    return rows.join(ends.filter(pl.col("least") != pl.col("most")), on=by, how="semi", nulls_equal=True)


def _relisted(things: pl.LazyFrame, held: pl.LazyFrame, previous: pl.LazyFrame) -> pl.LazyFrame:
    """Tell of a listing made anew in the run that first maps it: afterwards it is linked, and nothing is left to do."""
    gone = things.filter((pl.col("status") == ListingStatus.DELETED) & (pl.col("code") != "")).collect()
    if gone.is_empty():
        return nothing()
    old = kept(previous.join(gone.lazy(), on=KEY).select("system", "code", old_key="listing_key").unique())
    new = things.filter(pl.col("status") != ListingStatus.DELETED).join(old, on=["system", "code"])
    pairs = new.join(previous.join(new, on=KEY, how="semi"), on=KEY, how="anti").join(held.select(*KEY, "sku"), on=KEY)
    first = pairs.group_by(KEY).agg(pl.col("sku").first(), pl.col("code").first(), old_keys=pl.col("old_key").unique().sort())
    cause = pl.format("{} was deleted on {} and made anew as {}.", "code", "system", "listing_key")
    return candidates(first, "relisted", cause, {"code": pl.col("code"), "old_keys": pl.col("old_keys")})
