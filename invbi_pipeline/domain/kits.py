"""Kits: what each is made of, flattened to components that have a shelf of their own."""

from typing import Final, NamedTuple

import polars as pl

from invbi_pipeline.domain.candidates import candidates
from invbi_pipeline.domain.frames import KITS

__all__ = ["DEEPEST", "Flattened", "explode", "flatten"]

DEEPEST: Final = 16  # kits within kits; deeper is taken for a mistake


class Flattened(NamedTuple):
    """`kits` (KITS) and the `candidates` (CANDIDATES: kit_cycle, kit_unresolved) met on the way."""

    kits: pl.LazyFrame
    candidates: pl.LazyFrame


def flatten(kit_rows: pl.LazyFrame, known_skus: pl.LazyFrame) -> Flattened:
    """Flatten nested kits: repeated components summed, cycles refused, missing components named.

    `kit_rows` is KIT_ROWS; `known_skus` has one column `sku`, every sku that exists beyond being named as a component.
    A kit with a missing component keeps all its rows: having no shelf, that component makes the kit's offer unknown. A kit in
    a cycle, with a quantity below 1, or above such a kit has no rows at all.
    """
    rows = kit_rows.select("kit_sku", pl.col("component_sku").alias("sku"), "quantity").collect()
    bad = rows.filter(pl.col("quantity").is_null() | (pl.col("quantity") < 1))
    edges = _summed(rows.join(bad, on=["kit_sku", "sku"], how="anti"))
    names = rows.select(pl.col("kit_sku").alias("sku")).unique()
    leaves, circular, above = _walk(edges, names, bad.select("kit_sku").unique())
    flat = _summed(leaves).join(pl.concat([circular, above]), on="kit_sku", how="anti")
    absent = flat.join(known_skus.collect(), on="sku", how="anti").select("kit_sku", "sku")
    over = above.join(circular, on="kit_sku", how="anti").with_columns(sku=pl.lit(""))
    unresolved = pl.concat([absent, bad.select("kit_sku", "sku"), over])
    noticed = pl.concat([_cycles(circular), _unresolved(unresolved)])
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
    return rows.group_by("kit_sku", "sku").agg(pl.col("quantity").sum())


def _walk(edges: pl.DataFrame, names: pl.DataFrame, broken: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return the leaves reached, the kits that reach themselves, and the kits that hold a refused one (or nest too deep)."""
    nested = edges.select(pl.col("kit_sku").alias("sku"), pl.col("sku").alias("component"), pl.col("quantity").alias("each"))
    leaves, frontier = [edges.clear()], edges
    circular, above = broken.clear(), broken
    for _ in range(DEEPEST):
        closed = frontier.filter(pl.col("kit_sku") == pl.col("sku")).select("kit_sku")
        circular = pl.concat([circular, closed]).unique()
        into = pl.concat([circular, broken]).rename({"kit_sku": "sku"})
        above = pl.concat([above, frontier.join(into, on="sku", how="semi").select("kit_sku")]).unique()
        frontier = frontier.join(circular, on="kit_sku", how="anti").join(into, on="sku", how="anti")
        leaves.append(frontier.join(names, on="sku", how="anti"))
        frontier = _summed(
            frontier.join(nested, on="sku").select(
                "kit_sku", pl.col("component").alias("sku"), pl.col("quantity") * pl.col("each")
            )
        )
        if frontier.is_empty():
            break
    return pl.concat(leaves), circular, pl.concat([above, frontier.select("kit_sku")]).unique()


def _cycles(circular: pl.DataFrame) -> pl.LazyFrame:
    kit = pl.col("sku")
    named = circular.lazy().rename({"kit_sku": "sku"})
    return candidates(named, "kit_cycle", pl.format("The kit {} contains itself.", kit), {"kit": kit})


def _unresolved(missing: pl.DataFrame) -> pl.LazyFrame:
    listed = missing.lazy().group_by(kit=pl.col("kit_sku")).agg(missing=pl.col("sku").filter(pl.col("sku") != "").unique().sort())
    kit, names = pl.col("sku"), pl.col("missing").list.join(", ")
    cause = (
        pl.when(names == "")
        .then(pl.format("The kit {} contains a kit that cannot be resolved.", kit))
        .otherwise(pl.format("The kit {} is made of {}, of which too little is known.", kit, names))
    )
    return candidates(listed.rename({"kit": "sku"}), "kit_unresolved", cause, {"missing": pl.col("missing")})
