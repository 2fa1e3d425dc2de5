"""Numbers that changed by a factor: somebody counted packs where single units are counted, or the reverse."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.inputs import FindingInputs, among, of_point, told
from invbi_pipeline.domain.identity import packs

__all__ = ["pack_mismatches", "remapped"]

_LISTING: Final = ["system", "listing_key"]
_PLACES: Final = 2  # so many places that differ by one and the same factor are no accident


def pack_mismatches(inputs: FindingInputs) -> pl.DataFrame:
    """Return `pack_mismatch` as TOLD, one row a listing that drifted (`POINTS.found`) to k times or a k-th of its number.

    A factor alone is often an accident: k must be the units the listing is mapped with, or those that its code or title states,
    or those of another listing of the sku on this channel; or several of its places must have changed by the same k.
    """
    was, now = pl.col("shown") - pl.col("found"), pl.col("shown")
    factor = (
        pl.when((was >= packs.FEWEST) & (now > was) & (now % was == 0))
        .then(now // was)
        .when((now >= packs.FEWEST) & (was > now) & (was % now == 0))
        .then(-(was // now))
    )
    drifted = (
        inputs.points.filter((pl.col("found") != 0) & pl.col("sku").is_not_null())
        .join(_showed(inputs), on=[*of_point(), "found_at"], how="left")
        .with_columns(shown=pl.coalesce("showed", pl.col("expected") + pl.col("found")))
        .with_columns(factor=factor, expected=was)
        .filter(pl.col("factor").abs().is_between(packs.FEWEST, packs.LARGEST))
    )
    found = (
        drifted.group_by(*_LISTING, "sku", "factor")
        .agg(
            pl.col("expected", "shown").sum(),
            places=pl.len(),
            numbers=pl.struct("location", "expected", "shown").sort_by("location"),
        )
        .with_columns(k=pl.col("factor").abs())
        .join(_named(inputs, drifted), on=_LISTING, how="left")
        .join(_siblings(inputs, drifted), on=["system", "sku"], how="left")
        .filter(_supported())
        .sort(*_LISTING, "places", "k", descending=[False, False, True, False])
        .unique(_LISTING, keep="first", maintain_order=True)
        .with_columns(location=pl.lit(""))
    )
    kind = pl.when(pl.col("factor") > 0).then(pl.format("{} times as many", "k")).otherwise(pl.format("one for every {}", "k"))
    cause = pl.format(
        "{} on {} was set to {} where {} was right, {}: somebody took packs of {} for single units, or the reverse.",
        "sku", "system", "shown", "expected", kind, "k",
    )  # fmt: skip
    return told(found, "pack_mismatch", cause, "numbers", "k", "mapped", "says")


def _showed(inputs: FindingInputs) -> pl.DataFrame:
    """What each number was at the look that found it (`showed`): a push of ours may have moved what is expected since."""
    looks = inputs.earlier.select(*of_point(), found_at="observed_at", showed="quantity").drop_nulls()
    return looks.unique([*of_point(), "found_at"], keep="last", maintain_order=True)


def remapped(inputs: FindingInputs) -> pl.DataFrame:
    """Return `pack_mismatch` as TOLD, one row a listing whose map row said what its code or title says, until it changed.

    The numbers need not tell it: packs are whole, and goods may have come in meanwhile.
    """
    ended = inputs.mappings.filter(pl.col("valid_to").is_not_null()).sort("valid_to")
    before = ended.group_by(*_LISTING, "sku").agg(was=pl.col("units").last(), until=pl.col("valid_to").last())
    changed = (
        inputs.mappings.filter(pl.col("valid_to").is_null())
        .join(before, on=[*_LISTING, "sku"])
        .filter((pl.col("was") != pl.col("units")) & (pl.col("was") >= packs.FEWEST))
    )
    says = packs.stated(pl.col("raw_sku"), pl.col("title"))
    texts = among(inputs.listings, changed, *_LISTING).with_columns(says=says).group_by(_LISTING).agg(says=pl.col("says").max())
    rows = changed.join(texts, on=_LISTING).filter(pl.col("says") == pl.col("was")).with_columns(location=pl.lit(""))
    cause = pl.format(
        "{} on {} was mapped as a pack of {}, as its code or title says, and is mapped as {} now.",
        *("sku", "system", "was", "mapped"),
    )
    no_units = rows.with_columns(mapped="units", units=pl.lit(None, pl.Int64()))
    return told(no_units, "pack_mismatch", cause, "was", "mapped", "until")


def _supported() -> pl.Expr:
    k = pl.col("k")
    named = (k == pl.col("mapped")) | (k == pl.col("says")) | pl.col("others").list.contains(k)
    return named.fill_null(value=False) | (pl.col("places") >= _PLACES)


def _named(inputs: FindingInputs, drifted: pl.DataFrame) -> pl.DataFrame:
    """The units each of these listings is mapped with, and those that its code or title states."""
    mapped = among(inputs.offers, drifted, *_LISTING).group_by(_LISTING).agg(mapped=pl.col("units").first())
    says = packs.stated(pl.col("raw_sku"), pl.col("title"))
    texts = among(inputs.listings, drifted, *_LISTING).with_columns(says=says).group_by(_LISTING).agg(says=pl.col("says").max())
    return mapped.join(texts, on=_LISTING, how="left")


def _siblings(inputs: FindingInputs, drifted: pl.DataFrame) -> pl.DataFrame:
    """The packs in which each channel lists each of these skus."""
    packed = among(inputs.offers.filter(pl.col("units") >= packs.FEWEST), drifted, "system", "sku")
    return packed.group_by("system", "sku").agg(others=pl.col("units").unique())
