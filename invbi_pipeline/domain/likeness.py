"""Likeness: which sku an unmapped code may mean, with a reason and a confidence. A suggestion for a person, never a mapping."""

from typing import Final

import polars as pl

from invbi_pipeline.domain import codes
from invbi_pipeline.domain.identity import KEY

__all__ = ["SUGGESTIONS", "suggestions", "with_style"]

# What `suggestions` returns: one row a (system, listing_key, sku).
SUGGESTIONS: Final = ("system", "listing_key", "sku", "reason", "confidence")
_SAME_BARCODE: Final = 0.9  # our judgement: a shared barcode is strong, and suppliers do reuse them


def suggestions(unmapped: pl.LazyFrame, things: pl.LazyFrame, known: pl.LazyFrame, held: pl.LazyFrame) -> pl.LazyFrame:
    """Suggest skus for the `unmapped` things: equal to a master's code after normalising, or of one barcode with a mapped thing.

    `things` are all subjects, `known` the master skus, `held` the mappings that hold (system, listing_key, sku). Of the
    spellings only the first at which anything equals counts. Distance between codes is not looked at: neighbouring sizes
    are one letter apart.
    """
    return pl.concat([_by_spelling(unmapped, known), _by_barcode(unmapped, things, held)]).select(*SUGGESTIONS)


def _by_spelling(unmapped: pl.LazyFrame, known: pl.LazyFrame) -> pl.LazyFrame:
    levels = []
    for level, (reason, confidence) in enumerate(codes.SPELLINGS):
        wanted = unmapped.select(*KEY, plain=codes.spelling(pl.col("code"), level)).filter(pl.col("plain") != "")
        skus = known.select("sku", plain=codes.spelling(pl.col("sku"), level))
        levels.append(
            wanted.join(skus, on="plain").select(
                *KEY, "sku", reason=pl.lit(reason), confidence=pl.lit(confidence), level=pl.lit(level)
            )
        )
    return pl.concat(levels).filter(pl.col("level") == pl.col("level").min().over(KEY)).drop("level")


def _by_barcode(unmapped: pl.LazyFrame, things: pl.LazyFrame, held: pl.LazyFrame) -> pl.LazyFrame:
    bars = things.select(*KEY, bar=codes.barcode_key(pl.col("barcode"))).drop_nulls("bar")
    owners = bars.join(held.select(*KEY, "sku"), on=KEY).select("bar", "sku").unique()
    return (
        bars.join(unmapped.select(*KEY), on=KEY, how="semi")
        .join(owners, on="bar")
        .select(*KEY, "sku", reason=pl.lit("barcode"), confidence=pl.lit(_SAME_BARCODE))
        .unique()
    )


def with_style(unmapped: pl.LazyFrame, things: pl.LazyFrame, known: pl.LazyFrame, held: pl.LazyFrame) -> pl.LazyFrame:
    """Add `known_style`: the style of the unmapped thing, where it is that of a sku we know; null where it is not.

    The style is what the platform says the parent is. Where it says nothing, the code speaks: it begins with a style that some
    platform named, or with all but the last part of a master's code.
    """
    stated = things.join(held, on=KEY, how="semi").select(style=codes.style_key(pl.col("style"))).drop_nulls().unique()
    derived = known.select(style=codes.beginnings(pl.col("sku")).list.first()).drop_nulls().unique()
    styles = pl.concat([stated, derived]).unique().with_columns(known_style=pl.col("style"))
    own = codes.style_key(pl.col("style"))
    said = pl.when(own.is_not_null()).then(pl.concat_list(own)).otherwise(codes.beginnings(pl.col("code")))
    found = (
        unmapped.select(*KEY, style=said)
        .explode("style")
        .join(styles, on="style")
        .sort(pl.col("known_style").str.len_chars(), "known_style", descending=[True, False])
        .unique(KEY, keep="first", maintain_order=True)
    )
    return unmapped.join(found.select(*KEY, "known_style"), on=KEY, how="left")
