"""Kits: what each is made of, flattened to components that have a shelf of their own."""

from typing import Final, NamedTuple

import polars as pl

from invbi_pipeline.domain.candidates import candidates, nothing, plural, together
from invbi_pipeline.domain.frames import KITS, empty
from invbi_pipeline.domain.identity.mappings import KEY
from invbi_pipeline.domain.words import MOST_UNITS

__all__ = ["DEEPEST", "Flattened", "explode", "flatten", "unmade"]

DEEPEST: Final = 16  # kits within kits; deeper is taken for a mistake
_BEYOND: Final = MOST_UNITS + 1  # any larger quantity counts as this one: products of two still fit 64 bits
_SET_WORDS: Final = (
    r"\b(kit|bundle|set of|gift ?set|gift ?box|hamper|starter set|combo)\b"  # what sellers call several in one box
)


class Flattened(NamedTuple):
    """`kits` (KITS) and the `candidates` (CANDIDATES: kit_cycle, kit_unresolved) met on the way."""

    kits: pl.LazyFrame
    candidates: pl.LazyFrame


def flatten(kit_rows: pl.LazyFrame, known_skus: pl.LazyFrame) -> Flattened:
    """Flatten nested kits: repeated components summed, cycles refused, missing components named.

    `kit_rows` is KIT_ROWS; `known_skus` has one column `sku`, every sku that exists beyond being named as a component.
    A kit with a missing component keeps all its rows: having no shelf, that component makes the kit's offer unknown. A kit in
    a cycle, with a quantity below 1, or above such a kit has no rows at all, nor has one that comes to more than `MOST_UNITS` of
    a component.
    """
    rows = kit_rows.select("kit_sku", pl.col("component_sku").alias("sku"), "quantity").collect()
    if rows.is_empty():
        return Flattened(empty(KITS).lazy(), nothing())
    bad = rows.filter(pl.col("quantity").is_null() | (pl.col("quantity") < 1))
    edges = _summed(rows.join(bad, on=["kit_sku", "sku"], how="anti"))
    names = rows.select(pl.col("kit_sku").alias("sku")).unique()
    leaves, circular, above = _walk(edges, names, bad.select("kit_sku").unique())
    flat = _summed(leaves).join(pl.concat([circular, above.select("kit_sku")]), on="kit_sku", how="anti")
    beyond = flat.filter(pl.col("quantity") > MOST_UNITS).select("kit_sku", beyond="sku")
    flat = flat.join(beyond, on="kit_sku", how="anti")
    absent = flat.join(known_skus.collect(), on="sku", how="anti").select("kit_sku", "sku")
    rings = _rings(circular, edges)
    over = above.join(circular, on="kit_sku", how="anti").join(rings, left_on="within", right_on="kit_sku", how="left")
    missing = pl.concat([absent, bad.select("kit_sku", "sku")])
    noticed = together([_cycles(rings), _unresolved(pl.concat([missing, over, beyond], how="diagonal"))])
    return Flattened(flat.select(*KITS).sort("kit_sku", "sku").lazy(), noticed)


def explode(frame: pl.LazyFrame, kits: pl.LazyFrame) -> pl.LazyFrame:
    """Replace each row whose `sku` is a kit by one row a component, with `per` (units of the component per unit of `sku`).

    Adds `whole` (the sku as it was mapped) and `is_kit`.
    """
    parts = kits.select(pl.col("kit_sku").alias("sku"), pl.col("sku").alias("component"), pl.col("quantity").alias("per"))
    return (
        frame.join(parts, on="sku", how="left")
        .with_columns(
            whole=pl.col("sku"),
            is_kit=pl.col("component").is_not_null(),
            sku=pl.coalesce("component", "sku"),
            per=pl.col("per").fill_null(1),
        )
        .drop("component")
    )


def _summed(rows: pl.DataFrame) -> pl.DataFrame:
    within = pl.col("quantity").clip(upper_bound=_BEYOND)
    return rows.group_by("kit_sku", "sku").agg(within.sum().clip(upper_bound=_BEYOND))


def _walk(edges: pl.DataFrame, names: pl.DataFrame, broken: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return the leaves reached, the kits that reach themselves, and the kits that hold a refused one or nest too deep.

    The last as kit_sku, `within` (a refused kit that it holds; empty: it is refused itself, or nests too deep).
    """
    nested = edges.select(pl.col("kit_sku").alias("sku"), pl.col("sku").alias("component"), pl.col("quantity").alias("each"))
    leaves, frontier = [edges.clear()], edges
    circular, above = broken.clear(), broken.with_columns(within=pl.lit(""))
    for _ in range(DEEPEST):
        closed = frontier.filter(pl.col("kit_sku") == pl.col("sku")).select("kit_sku")
        circular = pl.concat([circular, closed]).unique()
        into = pl.concat([circular, broken]).rename({"kit_sku": "sku"})
        above = pl.concat([above, frontier.join(into, on="sku", how="semi").select("kit_sku", within="sku")]).unique()
        frontier = frontier.join(circular, on="kit_sku", how="anti").join(into, on="sku", how="anti")
        leaves.append(frontier.join(names, on="sku", how="anti"))
        frontier = _summed(
            frontier.join(nested, on="sku").select(
                "kit_sku", pl.col("component").alias("sku"), pl.col("quantity") * pl.col("each")
            )
        )
        if frontier.is_empty():
            break
    return pl.concat(leaves), circular, pl.concat([above, frontier.select("kit_sku", within=pl.lit(""))]).unique()


def _rings(circular: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """Return kit_sku, kits: the kits of the cycle that a kit is in, by name."""
    ring = edges.join(circular, on="kit_sku", how="semi").join(circular.rename({"kit_sku": "sku"}), on="sku", how="semi")
    reach = ring.select("kit_sku", "sku").unique()
    for _ in range(DEEPEST.bit_length()):  # each round doubles how far a way may go
        further = reach.join(reach.select(sku="kit_sku", next="sku"), on="sku").select("kit_sku", sku="next")
        reach = pl.concat([reach, further]).unique()
    both_ways = reach.join(reach.select(kit_sku="sku", sku="kit_sku"), on=["kit_sku", "sku"])
    return both_ways.group_by("kit_sku").agg(kits=pl.col("sku").unique().sort())


def _cycles(rings: pl.DataFrame) -> pl.LazyFrame:
    """Tell of each cycle once, under the first of its kits by name."""
    if rings.is_empty():
        return nothing()
    named = rings.unique("kits").lazy().select("kits", sku=pl.col("kits").list.first())
    way = pl.col("kits").list.join(", ")
    alone = pl.col("kits").list.len() == 1
    cause = (
        pl.when(alone)
        .then(pl.format("The kit {} contains itself.", "sku"))
        .otherwise(pl.format("The kits {} contain each other.", way))
    )
    return candidates(named, "kit_cycle", cause, {"kits": pl.col("kits")})


def unmade(
    things: pl.LazyFrame, uncounted: pl.LazyFrame, flat: pl.LazyFrame, kit_rows: pl.LazyFrame, sold: pl.LazyFrame
) -> pl.LazyFrame:
    """Return `kit_unresolved` as CANDIDATES for things that are sold as sets and of which nobody said what is in them.

    Said by all of these: its code or title calls it a set (`_SET_WORDS`), it has orders, it has no row among the kits, and no
    system that counts a place of ours lists it, so that its sales lowered nothing. `things` are `identity.subjects`,
    `uncounted` are `mappings.uncounted`, `sold` as `doubts.sold` makes it.
    """
    text = pl.concat_str("code", pl.col("title").fill_null(""), separator=" ").str.to_lowercase()
    declared = pl.concat([kit_rows.select(sku="kit_sku"), flat.select(sku="kit_sku")])
    unknown = uncounted.join(declared, on="sku", how="anti").collect()
    if unknown.is_empty():
        return nothing()
    sets = (
        unknown.lazy()
        .join(things, on=KEY)
        .filter(text.str.contains(_SET_WORDS))
        .join(sold.filter(pl.col("sold_units") > 0), on=KEY)
        .group_by("sku")
        .agg(
            title=pl.col("title").sort().last(),
            sold_units=pl.col("sold_units").sum(),
            sold_orders=pl.col("sold_orders").sum(),
            listings=pl.struct(KEY).sort_by(*KEY),
        )
    )
    cause = pl.format(
        "{} ({}) was sold {} {}, no list says what is in it and no system counts it: its sales lower nothing.",
        "sku", "title", "sold_orders", plural("sold_orders", "time", "times"),
    )  # fmt: skip
    return candidates(sets, "kit_unresolved", cause, {c: pl.col(c) for c in ("title", "sold_units", "sold_orders", "listings")})


def _unresolved(found: pl.DataFrame) -> pl.LazyFrame:
    """Tell of each kit (kit_sku) its missing components (sku), or which refused kits it holds (`within`, `kits` of its cycle), or
    of which components it comes to too many (`beyond`).
    """
    if found.is_empty():
        return nothing()
    ring = pl.col("kits").list.join(", ")
    held = (
        pl.when(pl.col("kits").list.len() > 1)
        .then(pl.format("the kits {}, which contain each other", ring))
        .when(pl.col("kits").list.len() == 1)
        .then(pl.format("the kit {}, which contains itself", ring))
        .when(pl.col("within") != "")
        .then(pl.format("the kit {}, which cannot be resolved", "within"))
    )
    listed = (
        found.lazy()
        .with_columns(held=held)
        .group_by(kit=pl.col("kit_sku"))
        .agg(
            missing=pl.col("sku").filter(pl.col("sku") != "").unique().sort(),
            held=pl.col("held").drop_nulls().unique().sort(),
            beyond=pl.col("beyond").drop_nulls().unique().sort(),
        )
    )
    kit, names, within = pl.col("sku"), pl.col("missing").list.join(", "), pl.col("held").list.join(", and ")
    many = pl.col("beyond").list.join(", ")
    cause = (
        pl.when((names == "") & (many != ""))
        .then(pl.format("The kit {} comes to more than {} of {}.", kit, pl.lit(f"{MOST_UNITS:,}"), many))
        .when((names == "") & (within != ""))
        .then(pl.format("The kit {} contains {}.", kit, within))
        .when(names == "")
        .then(pl.format("The kit {} contains a kit that cannot be resolved.", kit))
        .otherwise(pl.format("The kit {} is made of {}, of which too little is known.", kit, names))
    )
    return candidates(listed.rename({"kit": "sku"}), "kit_unresolved", cause, {"missing": pl.col("missing")})
