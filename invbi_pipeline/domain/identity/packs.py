"""Packs: how many single units a listing says it sells, and numbers that only fit another count than its mapping says."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.candidates import candidates, nothing
from invbi_pipeline.domain.identity.mappings import KEY
from invbi_pipeline.domain.steps import kept
from invbi_pipeline.domain.words import ListingStatus, Quantity

__all__ = ["FEWEST", "LARGEST", "mismatched", "stated"]

FEWEST: Final = 2  # a number below this is a multiple of too much to say anything
LARGEST: Final = 144  # a gross; what names more units than that is a size or a model

# How sellers write it: "pack of 6", "box of 12", "6-pack", "6PK", "24 ct", "x6", "6x". "2x4" and "XS" are none of these.
_PHRASES: Final = (
    r"(?i)\b(?:pack|box|case|lot|carton)\s*(?:of\s*)?(\d{1,3})\b",
    r"(?i)\b(\d{1,3})\s?-?(?:pk|pack|pcs|pieces|ct|count|er-pack)\b",
    r"(?i)(?:^|[\s\-_.(])x\s?(\d{1,3})\b",
    r"(?i)\b(\d{1,3})\s?x(?:$|[\s\-_.)])",
)
_NO_UNITS: Final = pl.lit(None, pl.Int64())  # the trouble is a factor, not a number of units
_DOZENS: Final = ((r"(?i)\bhalf[ -]dozen\b", 6), (r"(?i)\bdozen\b", 12))


def stated(*texts: pl.Expr) -> pl.Expr:
    """Return how many units the first of these texts says it sells: 2 to `LARGEST`; null where none says so."""
    return pl.coalesce(*(_stated(text.fill_null("")) for text in texts))


def _stated(text: pl.Expr) -> pl.Expr:
    numbers = [text.str.extract(phrase, 1).cast(pl.Int64(), strict=False) for phrase in _PHRASES]
    dozens = [pl.when(text.str.contains(word)).then(pl.lit(units, pl.Int64())) for word, units in _DOZENS]
    units = pl.coalesce(*numbers, *dozens)
    return pl.when(units.is_between(FEWEST, LARGEST)).then(units)


def mismatched(things: pl.LazyFrame, observations: pl.LazyFrame, offers: pl.LazyFrame) -> pl.LazyFrame:
    """Return `pack_mismatch` as CANDIDATES, one row a listing whose numbers fit another pack than the one it is mapped with.

    Either it is mapped as a pack of k, and every number it shows is k times what it should be: it counts single units. Or it is
    mapped as a single, its code or title says that it is a pack of k, and every number it shows is what it should be in packs. No
    number below `FEWEST` speaks. `things` are `identity.subjects`, `observations` and `offers` OBSERVATIONS and OFFERS.
    """
    reported = pl.col("reported")
    shown = observations.filter(pl.col("state") == Quantity.KNOWN).select(*KEY, "location", reported="quantity")
    offered = offers.select(*KEY, "location", "units", "offer").drop_nulls("offer")
    wrong = kept(offered.join(shown, on=[*KEY, "location"]).filter((reported != pl.col("offer")) & (reported > 0)))
    smaller = pl.min_horizontal("offer", "reported")
    as_singles = (pl.col("units") > 1) & (reported // pl.col("units") == pl.col("offer"))
    may_be_packs = (pl.col("units") == 1) & (pl.col("offer") >= FEWEST * reported)  # few: texts are read of these alone
    telling = wrong.filter((smaller >= FEWEST) & (as_singles | may_be_packs))
    speaks = telling.group_by(KEY).agg(singles=as_singles.any()).collect()
    if speaks.is_empty():
        return nothing()
    listed = things.filter((pl.col("source") == "listing") & (pl.col("status") == ListingStatus.ACTIVE)).join(
        speaks.lazy(), on=KEY
    )
    said = (
        listed.unique(KEY, keep="any")
        .with_columns(says=stated(pl.col("code"), pl.col("title")))
        .filter(pl.col("says").is_not_null() | pl.col("singles"))
        .select(*KEY, "code", "title", "says")
        .collect()
    )
    if said.is_empty():
        return nothing()
    skus = offers.select(*KEY, "sku").join(speaks.lazy(), on=KEY, how="semi").unique()
    numbers = wrong.join(said.lazy(), on=KEY).join(skus, on=KEY)
    as_packs = (pl.col("units") == 1) & (pl.col("offer") // pl.col("says") == reported)
    fits = (pl.col("smaller") == 0) | pl.col("fits")
    found = (
        numbers.with_columns(fits=(as_singles | as_packs).fill_null(value=False), smaller=smaller)
        .filter(fits.all().over(KEY) & (pl.col("fits") & (pl.col("smaller") >= FEWEST)).any().over(KEY))
        .group_by(*KEY, "sku", "units", "says", "code", "title")
        .agg(numbers=pl.struct("location", "reported", "offer").sort_by("location"))
        .with_columns(
            sells=pl.when(pl.col("units") > 1).then(1).otherwise("says"),
            reported=pl.col("numbers").list.eval(pl.element().struct.field("reported")).list.sum(),
            offer=pl.col("numbers").list.eval(pl.element().struct.field("offer")).list.sum(),
        )
    )
    counted = pl.when(pl.col("units") > 1).then(pl.lit("single units")).otherwise(pl.format("packs of {}", "sells"))
    mapped = pl.when(pl.col("units") > 1).then(pl.format("a pack of {}", "units")).otherwise(pl.lit("a single unit"))
    cause = pl.format(
        "{} on {} is mapped as {}, and shows {} where {} would be right: it seems to count {}.",
        "sku", "system", mapped, "reported", "offer", counted,
    )  # fmt: skip
    evidence = {name: pl.col(name) for name in ("code", "title", "numbers", "sells")}
    return candidates(found, "pack_mismatch", cause, {**evidence, "mapped": pl.col("units")}).with_columns(units=_NO_UNITS)
