"""Identity: which sku each listing is. Exact keys and people map; likeness only suggests (domain.likeness)."""

from datetime import datetime
from typing import Final, NamedTuple

import polars as pl

from invbi_pipeline.domain import codes
from invbi_pipeline.domain.frames import MAPPINGS, UTC
from invbi_pipeline.domain.words import ListingStatus, LocationKind

__all__ = ["KEY", "Resolved", "current", "mapped", "masters", "merge_versions", "resolve", "subjects"]

KEY: Final = ("system", "listing_key")


class Resolved(NamedTuple):
    """`mappings` (MAPPINGS, valid from now) and `ambiguous`: system, listing_key, skus (list), for which nothing was mapped."""

    mappings: pl.LazyFrame
    ambiguous: pl.LazyFrame


def subjects(
    listings: pl.LazyFrame,
    order_lines: pl.LazyFrame,
    observations: pl.LazyFrame,
    movements: pl.LazyFrame,
    systems: pl.LazyFrame,
) -> pl.LazyFrame:
    """Return everything that wants a sku, one row a (system, listing_key, code).

    Listings, and the keys that appear only in orders, in stock reports or in movements. A line without a listing key goes by
    its raw SKU. Columns: system, listing_key, code, barcode, title, style, status, fulfilment, product_id and source: listing,
    stock, orders or movements, the first of these that names it.
    """
    keyed = systems.select("system", "keys_are_skus")
    described = ["system", "listing_key", "raw_sku", "barcode", "title", "style", "status", "fulfilment", "product_id"]
    listed = listings.select(*described, source=pl.lit("listing"))
    known = listings.select(*KEY)
    sold = (
        order_lines.select("system", line_key(), "raw_sku")
        .unique(maintain_order=False)
        .sort("system", "listing_key", "raw_sku")
        .unique(KEY, keep="last", maintain_order=True)
        .join(known, on=KEY, how="anti")
        .join(observations.select(*KEY).unique().with_columns(source=pl.lit("stock")), on=KEY, how="left")
        .with_columns(pl.col("source").fill_null("orders"))
    )
    stocked = (observations.select(*KEY).unique().join(pl.concat([known, sold.select(*KEY)]), on=KEY, how="anti")).with_columns(
        source=pl.lit("stock")
    )
    named = pl.concat([f.select(*KEY) for f in (listings, sold, stocked)])
    moved = movements.select(*KEY).unique().join(named, on=KEY, how="anti").with_columns(source=pl.lit("movements"))
    everything = pl.concat([listed, sold, stocked, moved], how="diagonal").filter(pl.col("listing_key") != "")
    code = codes.code_of(pl.col("raw_sku"), pl.col("listing_key"), pl.col("keys_are_skus"))
    text = [pl.col(c).fill_null("") for c in ("barcode", "title", "style", "product_id")]
    return (
        everything.join(keyed, on="system", how="left")
        .with_columns(*text, code=code, status=pl.col("status").fill_null(ListingStatus.ACTIVE))
        .drop("raw_sku", "keys_are_skus")
        .sort(*KEY, "code", "status", "source", "style", "barcode", "title")
        .unique([*KEY, "code"], keep="first", maintain_order=True)
    )


def line_key() -> pl.Expr:
    """Return what an order line calls its thing: the listing key, or the raw SKU where the platform gave no key."""
    key = pl.col("listing_key").fill_null("")
    return pl.when(key != "").then(key).otherwise(pl.col("raw_sku").fill_null("")).alias("listing_key")


def masters(
    things: pl.LazyFrame, places: pl.LazyFrame, sku_map: pl.LazyFrame, kit_rows: pl.LazyFrame, prices: pl.LazyFrame
) -> pl.LazyFrame:
    """Return the master skus: `sku`, and `only_part` where nothing but a kit's row names it.

    They are the skus declared in prices, the SKU map and kits, and the codes by which a system that counts a place of ours
    lists its stock (a platform's own warehouse declares nothing). Of two spellings of one code on different systems the
    declared one is the master, else the one that more systems use; two spellings on one system are two things.
    """
    ours = places.filter(pl.col("kind") != LocationKind.PLATFORM).select(pl.col("counted_by").alias("system")).unique()
    counted = (
        things.filter((pl.col("code") != "") & pl.col("source").is_in(["listing", "stock"]))
        .join(ours, on="system", how="semi")
        .join(_by_map(things, sku_map), on=KEY, how="anti")
        .select("system", pl.col("code").alias("sku"))
    )
    declared = pl.concat([f.select("sku") for f in (prices, sku_map)] + [kit_rows.select(sku=pl.col("kit_sku"))]).unique()
    parts = kit_rows.select(sku=pl.col("component_sku")).unique()
    spelt = pl.concat([counted, declared.with_columns(system=pl.lit("")).select("system", "sku")]).unique()
    plain = codes.spelling(pl.col("sku"), len(codes.SPELLINGS) - 1)
    spelt = spelt.with_columns(plain=pl.when(plain == "").then(pl.col("sku")).otherwise(plain))
    ranked = spelt.group_by("plain", "sku").agg(declared=(pl.col("system") == "").any(), users=pl.len(), systems="system")
    best = ranked.sort("plain", "declared", "users", "sku", descending=[False, True, True, False]).unique(
        "plain", keep="first", maintain_order=True
    )
    rival = pl.col("best_systems").list.set_intersection(pl.col("systems")).list.len() > 0
    own = (
        ranked.join(best.select("plain", best="sku", best_systems="systems"), on="plain")
        .filter(pl.col("declared") | (pl.col("sku") == pl.col("best")) | rival)
        .select("sku", only_part=pl.lit(False))
    )
    return pl.concat([own, parts.join(own, on="sku", how="anti").with_columns(only_part=pl.lit(True))])


def resolve(things: pl.LazyFrame, sku_map: pl.LazyFrame, known: pl.LazyFrame, systems: pl.LazyFrame, now: datetime) -> Resolved:
    """Map each thing to a sku: by the SKU map, else because its code is a master sku, else as a listing made anew.

    `things` are `subjects`, `known` are `masters`. A row of the map names a listing key, or a code; one with an empty system
    holds for any. A listing under a new id, whose code belonged to a deleted listing of the same system, takes over that one's
    row of the map (`relisted`). Where the best rule names two skus, nothing is mapped.
    """
    fallback = systems.filter(pl.col("sku_fallback")).select("system")
    by_map = _by_map(things, sku_map)
    exact = (
        things.filter(pl.col("code") != "")
        .join(known, left_on="code", right_on="sku", how="semi")
        .join(fallback, on="system", how="semi")
        .select(*KEY, sku=pl.col("code"), units=pl.lit(1, dtype=pl.Int64()), how=pl.lit("exact"), rule=pl.lit(10))
    )
    gone = things.filter((pl.col("status") == ListingStatus.DELETED) & (pl.col("code") != ""))
    anew = (
        gone.join(by_map, on=KEY)
        .select("system", "code", "sku", "units")
        .join(things.filter(pl.col("status") != ListingStatus.DELETED), on=["system", "code"])
        .select(*KEY, "sku", "units", how=pl.lit("relisted"), rule=pl.lit(5))
    )
    claims = pl.concat([by_map, anew, exact]).unique()
    best = claims.filter(pl.col("rule") == pl.col("rule").min().over(KEY))
    judged = best.group_by(KEY).agg(
        claims=pl.struct("sku", "units").n_unique(),
        skus=pl.col("sku").unique().sort(),
        **{c: pl.col(c).first() for c in ("sku", "units", "how")},
    )
    mappings = judged.filter(pl.col("claims") == 1).select(
        *KEY, "sku", "units", "how", valid_from=pl.lit(now).cast(UTC), valid_to=pl.lit(None).cast(UTC)
    )
    return Resolved(mappings.select(*MAPPINGS), judged.filter(pl.col("claims") > 1).select(*KEY, "skus"))


def _by_map(things: pl.LazyFrame, sku_map: pl.LazyFrame) -> pl.LazyFrame:
    """Return the claims of the SKU map: a named system before any, a listing key before a code."""
    rows = sku_map.select(pl.col("system").fill_null(""), "listing_key", "sku", pl.col("units").fill_null(1)).unique()
    named, general = rows.filter(pl.col("system") != ""), rows.filter(pl.col("system") == "").drop("system")
    tries = (
        (named, ["system", "listing_key"], ["system", "listing_key"]),
        (named, ["system", "code"], ["system", "listing_key"]),
        (general, ["listing_key"], ["listing_key"]),
        (general, ["code"], ["listing_key"]),
    )
    wanted = things.select(*KEY, "code")
    return pl.concat(
        [
            wanted.join(f, left_on=left, right_on=right).select(*KEY, "sku", "units", how=pl.lit("map"), rule=pl.lit(rule))
            for rule, (f, left, right) in enumerate(tries)
        ]
    )


def merge_versions(previous: pl.LazyFrame, resolved: pl.LazyFrame, things: pl.LazyFrame, now: datetime) -> pl.LazyFrame:
    """Carry MAPPINGS forward in time: a mapping that changed ends now and the new one begins; the others go on as they are.

    A listing that no page showed this time keeps its mapping. One that was shown and belongs to nothing any more loses it.
    """
    same = [*KEY, "sku", "units"]
    ended = previous.filter(pl.col("valid_to").is_not_null())
    open_ = previous.filter(pl.col("valid_to").is_null())
    kept = open_.join(resolved, on=same, how="semi")
    shown = pl.concat([things.filter(pl.col("source") == "listing").select(*KEY), resolved.select(*KEY)])
    unseen = open_.join(shown, on=KEY, how="anti")
    closed = open_.join(pl.concat([kept, unseen]).select(*same), on=same, how="anti").with_columns(valid_to=pl.lit(now).cast(UTC))
    new = resolved.join(kept, on=same, how="anti")
    return pl.concat([f.select(*MAPPINGS) for f in (ended, kept, unseen, closed, new)]).sort(*KEY, "valid_from", "sku")


def current(mappings: pl.LazyFrame) -> pl.LazyFrame:
    """Return system, listing_key, sku, units, how of the mappings that hold."""
    return mappings.filter(pl.col("valid_to").is_null()).select(*KEY, "sku", "units", "how")


def mapped(events: pl.LazyFrame, mappings: pl.LazyFrame, at: str) -> pl.LazyFrame:
    """Add `sku` and `units_per` to events by the mapping that held at their time `at`; events without one are dropped.

    What happened before a listing was first mapped goes by its first mapping.
    """
    versions = mappings.select(
        *KEY,
        "sku",
        pl.col("units").alias("units_per"),
        begins=pl.when(pl.col("valid_from") == pl.col("valid_from").min().over(KEY)).then(None).otherwise("valid_from"),
        ends="valid_to",
    )
    holds = (pl.col("begins").is_null() | (pl.col("begins") <= pl.col(at))) & (
        pl.col("ends").is_null() | (pl.col(at) < pl.col("ends"))
    )
    return events.join(versions, on=KEY).filter(holds.fill_null(True)).drop("begins", "ends")
