"""Likeness: which sku an unmapped code may mean, with a reason and a confidence. A suggestion for a person, never a mapping."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.identity import codes
from invbi_pipeline.domain.identity.mappings import KEY
from invbi_pipeline.domain.steps import any_row, kept

__all__ = ["ALIKE", "NO_SUGGESTIONS", "SUGGESTIONS", "TWIN", "is_spelt", "suggestions", "with_style", "within_style"]

# What `suggestions` returns: one row a (system, listing_key, sku).
SUGGESTIONS: Final = ("system", "listing_key", "sku", "reason", "confidence")
_TYPES: Final = {name: pl.Float64() if name == "confidence" else pl.String() for name in SUGGESTIONS}
NO_SUGGESTIONS: Final = pl.LazyFrame(schema=_TYPES)
ALIKE: Final = "same style, alike in words"
TWIN: Final = "another listing there has this code"
_TWINS: Final = 0.8  # a copy that was listed twice, or a code that was typed once too often
_SAME_BARCODE: Final = 0.9  # our judgement: a shared barcode is strong, and suppliers do reuse them
_FORMERLY: Final = 0.9  # what this very listing was before its code changed
_ALIKE_AT_MOST: Final = 0.5  # all words shared, within one style: still only an order in which to look
_ALIKE_SHOWN: Final = 3  # skus of a style that are suggested


def suggestions(
    unmapped: pl.LazyFrame, things: pl.LazyFrame, known: pl.LazyFrame, held: pl.LazyFrame, ended: pl.LazyFrame
) -> pl.LazyFrame:
    """Suggest skus for the `unmapped` things: equal to a master's code after normalising, of one barcode, or what they were.

    `things` are all subjects, `known` the master skus, `held` the mappings that hold (system, listing_key, sku), `ended` MAPPINGS
    that hold no more: a listing that got another code was something before. Of the spellings only the first at which anything
    equals counts. Distance between codes is not looked at: neighbouring sizes are one letter apart.
    """
    ways = (
        _by_spelling(unmapped, known),
        _by_twin(unmapped, things, held),
        _by_barcode(unmapped, things, held),
        _by_history(unmapped, ended),
    )
    return pl.concat(way.select(*SUGGESTIONS) for way in ways if way is not NO_SUGGESTIONS)


def is_spelt() -> pl.Expr:
    """Say of suggestions whether their `reason` is that a code is written otherwise."""
    return pl.col("reason").is_in([reason for reason, _ in codes.SPELLINGS])


def _by_twin(unmapped: pl.LazyFrame, things: pl.LazyFrame, held: pl.LazyFrame) -> pl.LazyFrame:
    """Suggest what a mapped listing of the same system with the same code is: one that the SKU map names by its key."""
    wanted = unmapped.filter(pl.col("code") != "").select(*KEY, "code")
    alike = things.select(*KEY, "code").join(wanted, on=["system", "code"], how="semi")
    twins = alike.join(held.select(*KEY, "sku"), on=KEY).select("system", "code", "sku").unique()
    pairs = wanted.join(twins, on=["system", "code"])
    return pairs.select(*KEY, "sku", reason=pl.lit(TWIN), confidence=pl.lit(_TWINS))


def _by_history(unmapped: pl.LazyFrame, ended: pl.LazyFrame) -> pl.LazyFrame:
    if not any_row(ended):
        return NO_SUGGESTIONS
    last = ended.join(unmapped, on=KEY, how="semi").sort("valid_to", "sku").unique(KEY, keep="last", maintain_order=True)
    return unmapped.join(last.select(*KEY, "sku"), on=KEY).select(
        *KEY, "sku", reason=pl.lit("it was this SKU before its code changed"), confidence=pl.lit(_FORMERLY)
    )


def within_style(styled: pl.LazyFrame, things: pl.LazyFrame, known: pl.LazyFrame, held: pl.LazyFrame) -> pl.LazyFrame:
    """Rank the skus of the same style for things that have a `known_style` (`with_style`), as SUGGESTIONS.

    The confidence is the share of words and code parts that both have (Jaccard's index) of `_ALIKE_AT_MOST`: an order in which
    to look, never a match.
    """
    of_style = kept(styled.drop_nulls("known_style"))
    wanted = of_style.select(style="known_style").unique().collect()["style"]
    if wanted.is_empty():
        return NO_SUGGESTIONS
    stated = _of_style(things, wanted).join(held.select(*KEY, "sku"), on=KEY).select("sku", "title", style="stated")
    begun = _beginning(known, wanted).select("sku", title=pl.lit(""), style=codes.beginnings(pl.col("sku"))).explode("style")
    said = codes.words(pl.concat_str("sku", pl.col("title").fill_null(""), separator=" "))
    members = pl.concat([stated, begun]).drop_nulls("style").with_columns(words=said)
    ours = codes.words(pl.concat_str("code", pl.col("title").fill_null(""), separator=" "))
    pairs = of_style.select(*KEY, style="known_style", ours=ours).join(members, on="style")
    shared = pl.col("ours").list.set_intersection("words").list.len() / pl.col("ours").list.set_union("words").list.len()
    ranked = pairs.group_by(*KEY, "sku").agg(confidence=(shared * _ALIKE_AT_MOST).max().round(2))
    best = ranked.sort("confidence", "sku", descending=[True, False]).group_by(KEY, maintain_order=True).head(_ALIKE_SHOWN)
    return best.with_columns(reason=pl.lit(ALIKE)).select(*SUGGESTIONS)


def _by_spelling(unmapped: pl.LazyFrame, known: pl.LazyFrame) -> pl.LazyFrame:
    loosest = codes.spelling(pl.col("code"), len(codes.SPELLINGS) - 1)
    asked = unmapped.select(plain=loosest).unique()  # what equals at any spelling equals at the loosest
    near = kept(known.join(asked, on="plain", how="semi"))
    if not any_row(near):
        return NO_SUGGESTIONS
    levels = []
    for level, (reason, confidence) in enumerate(codes.SPELLINGS):
        wanted = unmapped.select(*KEY, plain=codes.spelling(pl.col("code"), level)).filter(pl.col("plain") != "")
        skus = near.select("sku", plain=codes.spelling(pl.col("sku"), level))
        levels.append(
            wanted.join(skus, on="plain").select(
                *KEY, "sku", reason=pl.lit(reason), confidence=pl.lit(confidence), level=pl.lit(level)
            )
        )
    return pl.concat(levels).filter(pl.col("level") == pl.col("level").min().over(KEY)).drop("level")


def _by_barcode(unmapped: pl.LazyFrame, things: pl.LazyFrame, held: pl.LazyFrame) -> pl.LazyFrame:
    bar = codes.barcode_key(pl.col("barcode"))
    barred = things.filter(pl.col("barcode") != "").select(*KEY, "barcode")
    ours = barred.join(unmapped, on=KEY, how="semi").select(*KEY, bar=bar).drop_nulls("bar").collect()
    if ours.is_empty():  # the barcodes of a whole catalogue take a while
        return NO_SUGGESTIONS
    same = barred.with_columns(bar=bar).join(ours.lazy(), on="bar", how="semi")
    owners = same.join(held.select(*KEY, "sku"), on=KEY).select("bar", "sku").unique()
    pairs = ours.lazy().join(owners, on="bar")
    return pairs.select(*KEY, "sku", reason=pl.lit("barcode"), confidence=pl.lit(_SAME_BARCODE)).unique()


def with_style(unmapped: pl.LazyFrame, things: pl.LazyFrame, known: pl.LazyFrame, held: pl.LazyFrame) -> pl.LazyFrame:
    """Add `known_style`: the style of the unmapped thing, where it is that of a sku we know; null where it is not.

    The style is what the platform says the parent is. Where it says nothing, the code speaks: it begins with a style that some
    platform named, or with all but the last part of a master's code; or it is such a style, where only the parent was typed.
    """
    own = codes.style_key(pl.col("style"))
    code = codes.style_key(pl.col("code"))  # which may be the parent's own
    spoken = pl.concat_list(code, codes.beginnings(pl.col("code"))).list.drop_nulls()
    said = pl.when(own.is_not_null()).then(pl.concat_list(own)).otherwise(spoken)
    wanted = unmapped.select(style=said).explode("style").drop_nulls().unique().collect()["style"]
    stated = _of_style(things, wanted).join(held, on=KEY, how="semi").select(style="stated")
    derived = _beginning(known, wanted).select(style=codes.beginnings(pl.col("sku")).list.first())
    styles = pl.concat([stated, derived]).drop_nulls().unique().with_columns(known_style=pl.col("style"))
    found = (
        unmapped.select(*KEY, style=said)
        .explode("style")
        .join(styles, on="style")
        .sort(pl.col("known_style").str.len_chars(), "known_style", descending=[True, False])
        .unique(KEY, keep="first", maintain_order=True)
    )
    return unmapped.join(found.select(*KEY, "known_style"), on=KEY, how="left")


def _of_style(things: pl.LazyFrame, wanted: pl.Series) -> pl.LazyFrame:
    """Return the things whose platform says that they are of a wanted style, with that style: `stated`."""
    written = things.select("style").unique().with_columns(stated=codes.style_key(pl.col("style")))
    meant = kept(written.filter(pl.col("stated").is_in(wanted.implode())))
    return things.join(meant, on="style")


def _beginning(known: pl.LazyFrame, wanted: pl.Series) -> pl.LazyFrame:
    """Return the master skus that may begin with a wanted style: spelt loosest, their first letters are those of one."""
    plain = wanted.to_frame("style").lazy().select(codes.spelling(pl.col("style"), len(codes.SPELLINGS) - 1)).collect()["style"]
    shortest = min(plain.str.len_chars(), default=0)
    return known.filter(pl.col("plain").str.head(shortest).is_in(plain.str.head(shortest).unique().implode()))
