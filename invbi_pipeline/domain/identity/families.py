"""Families: the skus that must be decided together, because what is known of one may change what is decided of another.

Kits and their components, the skus between which the SKU map or a listing's history leads, spellings of one code, listings of one
barcode: each is a link, and a family is all that links join. A listing that belongs to nothing is also linked with
the styles that may know it. Orders are no link (a basket says nothing of its other lines): of an order that touches a
family all lines are looked at, see `domain.incremental`.
"""

from typing import Final, NamedTuple

import polars as pl

from invbi_pipeline.domain.decision import GIVEN, Given
from invbi_pipeline.domain.identity import codes
from invbi_pipeline.domain.identity.mappings import line_key

__all__ = ["BY_SKU", "BY_THING", "Families", "families", "joined", "marks", "plain_of"]

_THING: Final = ("system", "listing_key")
# How the rows of each frame find their family: by the thing they speak of, by a sku (in which column), or they are everybody's.
BY_THING: Final = tuple(name for name, schema in GIVEN.items() if {*_THING} <= {*schema} and name != "sku_map")
BY_SKU: Final = {
    **{name: "sku" for name, schema in GIVEN.items() if "sku" in schema and name not in BY_THING},
    "kit_rows": "kit_sku",
}


class Families(NamedTuple):
    """Which family each name belongs to, as whole numbers from 0.

    `things`: system, listing_key, family; `codes`: code (every spelling met), plain (how it is compared), family; `marks`:
    mark (a barcode or a style of a listing), family.
    """

    things: pl.DataFrame
    codes: pl.DataFrame
    marks: pl.DataFrame

    def of(self, name: str, frame: pl.DataFrame) -> pl.Series:
        """Return the family of each row of the frame `name`; null where it is everybody's, or of a name never met."""
        if name in BY_THING:
            keyed = frame.select("system", line_key() if name == "order_lines" else "listing_key")
            return keyed.join(self.things, on=_THING, how="left", maintain_order="left")["family"]
        if name in BY_SKU:
            known = self.codes.filter(pl.col("code") != "")
            skus = frame.select(code=BY_SKU[name])
            return skus.join(known, on="code", how="left", maintain_order="left")["family"]
        return pl.Series("family", [None] * frame.height, dtype=pl.Int64)


def families(given: Given) -> Families:
    """Return the family of every thing and of every code that the frames of `decision.GIVEN` name."""
    named = pl.concat([_codes_of_things(given), _keys(given)]).unique()
    said = pl.concat([named.select("code"), *(given[name].select(code=column) for name, column in BY_SKU.items()),
                      given["kit_rows"].select(code="component_sku"), given["sku_map"].select(code="listing_key")])  # fmt: skip
    plain = said.drop_nulls().unique().with_columns(plain=plain_of("code"))
    things = named.join(plain, on="code", how="left").select(*_THING, "plain")
    home = things.group_by(_THING).agg(pl.col("plain").min()).with_columns(pl.col("plain").fill_null(""))
    links = pl.concat(
        [
            things.drop_nulls("plain").join(home, on=_THING, suffix="_home").select(a="plain_home", b="plain"),
            _plain_pairs(given["kit_rows"], "kit_sku", "component_sku"),
            _plain_pairs(given["sku_map"], "listing_key", "sku"),
            _shared_barcodes(given["listings"], home),
            _orphans_styles(given, home, plain),
        ]
    )
    root = joined(links.filter(pl.col("a") != pl.col("b")).unique())
    number = (
        pl.concat([plain.select("plain"), home.select("plain")])
        .unique()
        .join(root, on="plain", how="left")
        .with_columns(root=pl.coalesce("root", "plain"))
        .with_columns(family=pl.col("root").rank("dense").cast(pl.Int64) - 1)
        .select("plain", "family")
    )
    things_ = home.join(number, on="plain").select(*_THING, "family")
    return Families(
        things=things_,
        codes=plain.join(number, on="plain").select("code", "plain", "family"),
        marks=marks(given["listings"]).join(things_, on=_THING).select("mark", "family").unique(),
    )


def marks(listings: pl.DataFrame) -> pl.DataFrame:
    """Return system, listing_key, mark: by what else than its code a listing may be known."""
    code = codes.beginnings(pl.col("raw_sku").fill_null(""))
    bar = pl.concat_list(codes.barcode_key(pl.col("barcode")))
    said = pl.concat_list(codes.style_key(pl.col("style")))
    return listings.select(*_THING, mark=pl.concat_list(bar, said, code)).explode("mark").drop_nulls("mark").unique()


def plain_of(column: str) -> pl.Expr:
    """Return a code as it is compared: what all its spellings have in common."""
    plain = codes.spelling(pl.col(column), len(codes.SPELLINGS) - 1)
    return pl.when(plain == "").then(pl.col(column)).otherwise(plain)


def _codes_of_things(given: Given) -> pl.DataFrame:
    """Every sku or code that a thing goes by, or went by."""
    named = given["sku_map"].filter(pl.col("system").fill_null("") != "")
    return pl.concat(
        [
            given["listings"].select(*_THING, code="raw_sku"),
            given["order_lines"].select("system", line_key(), code="raw_sku"),
            *(given[name].select(*_THING, code="sku") for name in BY_THING if "sku" in GIVEN[name]),
            named.select(*_THING, code="sku"),
        ]
    ).filter(pl.col("code").fill_null("") != "")


def _keys(given: Given) -> pl.DataFrame:
    """The things themselves; the key of one that has no other name is its code, as it is where keys are codes."""
    things = [given[name].select(*_THING) for name in BY_THING if name != "order_lines"]
    every = pl.concat([*things, given["order_lines"].select("system", line_key())]).unique()
    keyed = given["systems"].filter("keys_are_skus").select("system")
    named = pl.concat([every.join(keyed, on="system", how="semi"), every.join(_codes_of_things(given), on=_THING, how="anti")])
    return named.select(*_THING, code="listing_key")


def _plain_pairs(frame: pl.DataFrame, a: str, b: str) -> pl.DataFrame:
    return frame.drop_nulls([a, b]).select(a=plain_of(a), b=plain_of(b))


def _shared_barcodes(listings: pl.DataFrame, home: pl.DataFrame) -> pl.DataFrame:
    bars = listings.select(*_THING, bar=codes.barcode_key(pl.col("barcode"))).drop_nulls("bar").join(home, on=_THING)
    return bars.select("plain", a=pl.col("plain").min().over("bar")).select("a", b="plain")


def _orphans_styles(given: Given, home: pl.DataFrame, plain: pl.DataFrame) -> pl.DataFrame:
    """Links between what belongs to nothing and all that is of a style which may know it."""
    held = given["mappings"].filter(pl.col("valid_to").is_null()).select(*_THING)
    nobodys = home.join(held, on=_THING, how="anti").select(*_THING, "plain")
    style = codes.style_key(pl.col("style"))
    of_listings = given["listings"].select(*_THING, "raw_sku", style=style).join(home, on=_THING)
    asked = of_listings.join(nobodys, on=_THING, how="semi").select(
        "plain", style=pl.concat_list(style, codes.beginnings(pl.col("raw_sku").fill_null("")))
    )
    by_code = nobodys.select("plain", style=codes.beginnings(pl.col("listing_key")))
    wanted = pl.concat([asked, by_code]).explode("style").drop_nulls("style").unique()
    known = pl.concat(
        [
            of_listings.select("plain", "style").drop_nulls("style"),
            plain.select("plain", style=codes.beginnings(pl.col("code"))).explode("style").drop_nulls("style"),
        ]
    ).unique()
    return known.join(wanted.select("style", a="plain"), on="style").select("a", b="plain")


def joined(links: pl.DataFrame) -> pl.DataFrame:
    """Return plain, root: the least name of all that the links (a, b) join each name with."""
    both = pl.concat([links.select("a", "b"), links.select(a="b", b="a")]).unique()
    root = both.select(plain="a").unique().with_columns(root=pl.col("plain"))
    while True:
        near = both.join(root.select(b="plain", far="root"), on="b").group_by(plain="a").agg(pl.col("far").min())
        less = root.join(near, on="plain", how="left").with_columns(least=pl.min_horizontal("root", "far"))
        if less.filter(pl.col("least") != pl.col("root")).is_empty():
            return root
        root = less.select("plain", root="least")
