"""Anchors: the newest number of each shelf in the word of the system that counts it, and when it was first anchored."""

import polars as pl

from invbi_pipeline.domain.frames import ANCHORS, OPENINGS
from invbi_pipeline.domain.frames.schema import INT, UTC
from invbi_pipeline.domain.ledger.orders import shelf_of
from invbi_pipeline.domain.steps import alike, any_row, kept, ordered
from invbi_pipeline.domain.words import MovementKind, Quantity

__all__ = ["anchored", "anchors", "counted_listings", "openings"]

_SHELF = ("location", "sku")


def counted_listings(
    observations: pl.LazyFrame,
    movements: pl.LazyFrame,
    held: pl.LazyFrame,
    kits: pl.LazyFrame,
    systems: pl.LazyFrame,
    owners: pl.LazyFrame,
) -> pl.LazyFrame:
    """Return the owner's listings whose numbers are the shelf's, one row a (location, sku, system, listing_key).

    Columns beyond those: units (of sku per listing), number (listing units), kind (book | count), anchored_at, counted_at and
    counted (the newest physical count; null: never), times on the owner's clock. A listing of a kit has no shelf, and where an
    owner lists singles and packs of one sku the singles' number is the shelf's. Where several listings carry the same code by
    themselves the lowest number holds; where the SKU map made them one sku they are summed. A listing given twice holds the
    lower number.
    """
    counting = owners.select("owner").unique().collect()["owner"].to_list()
    theirs = pl.col("system").is_in(counting)
    observations, movements, held = observations.filter(theirs), movements.filter(theirs), held.filter(theirs)
    plain = held.join(kits.select(sku="kit_sku").unique(), on="sku", how="anti")
    numbers = (
        _at_owner(observations, systems, owners)
        .filter(pl.col("state") == Quantity.KNOWN)
        .group_by("system", "listing_key", "location")
        .agg(pl.col("quantity").min(), pl.col("observed_at").min())
    )
    told = kept(movements.filter((pl.col("kind") == MovementKind.COUNT) & pl.col("counted").is_not_null()))
    counts = (
        _at_owner(told, systems, owners)
        .drop_nulls("occurred_at")
        .sort("occurred_at", "counted", descending=[True, False])
        .group_by("system", "listing_key", "location", maintain_order=True)
        .agg(pl.col("counted").first(), counted_at=pl.col("occurred_at").first())
    )
    both = numbers.with_columns(counted=pl.lit(None, INT), counted_at=pl.lit(None, UTC))
    if any_row(told):
        both = numbers.join(counts, on=["system", "listing_key", "location"], how="full", coalesce=True)
    newer = pl.col("observed_at").is_null() | (pl.col("counted_at") > pl.col("observed_at")).fill_null(False)
    listed = both.join(plain, on=["system", "listing_key"]).with_columns(
        number=pl.when(newer).then("counted").otherwise("quantity"),
        kind=pl.when(newer).then(pl.lit("count")).otherwise(pl.lit("book")),
        anchored_at=pl.when(newer).then("counted_at").otherwise("observed_at"),
    )
    shelf = [*_SHELF, "system"]
    singles = listed.filter(pl.col("units") == pl.col("units").min().over(shelf))
    declared = (pl.col("how") != "exact").all().over(shelf)
    lowest = pl.struct("number", "listing_key").rank("ordinal").over(shelf) == 1
    return singles.filter(declared | lowest).select(
        *(*shelf, "listing_key", "units", "number", "kind", "anchored_at", "counted_at", "counted"),
        alone=pl.len().over(shelf) == 1,
    )


def _at_owner(frame: pl.LazyFrame, systems: pl.LazyFrame, owners: pl.LazyFrame) -> pl.LazyFrame:
    placed = shelf_of(frame, systems, shipped=False)
    return placed.join(owners, left_on=["location", "system"], right_on=["location", "owner"], how="semi")


def anchored(listed: pl.LazyFrame) -> pl.LazyFrame:
    """Sum counted listings per shelf: ANCHORS plus `counted_at` and `counted`, null unless every listing of it was counted."""
    return listed.group_by("location", "sku", "system").agg(
        on_hand=(pl.col("number") * pl.col("units")).sum(),
        kind=pl.when((pl.col("kind") == "count").all()).then(pl.lit("count")).otherwise(pl.lit("book")),
        anchored_at=pl.col("anchored_at").min(),
        counted_at=pl.when(pl.col("counted_at").is_not_null().all()).then(pl.col("counted_at").min()),
        counted=pl.when(pl.col("counted_at").n_unique() == 1).then((pl.col("counted") * pl.col("units")).sum()),
    )


def anchors(
    listed: pl.LazyFrame, observations: pl.LazyFrame, previous: pl.LazyFrame, held: pl.LazyFrame, owners: pl.LazyFrame
) -> pl.LazyFrame:
    """Return the anchor of every shelf: ANCHORS plus `counted_at` and `counted`, one row a (location, sku), in that order.

    `shelf` numbers them from 0: by it what is told of a shelf finds it (`domain.steps`: by position).

    `on_hand` is the owner's number as it stands, in units of the sku. A shelf not read, or whose number is unknown, keeps its
    newest previous anchor, unless it was counted since; one whose owner stopped tracking it, or handed the place to another
    system, has none.
    """
    now = kept(anchored(listed))
    before = _newest(previous).join(owners, left_on=["location", "system"], right_on=["location", "owner"], how="semi")
    newer = _newer_than_counts(before, kept(now.filter(pl.col("kind") == "count")))
    if any_row(newer):
        now = kept(now.join(newer, on=[*_SHELF, "system"], how="anti"))
    not_now = before.join(now, on=[*_SHELF, "system"], how="anti").join(newer, on=[*_SHELF, "system"], how="left")
    last = kept(not_now.select(*ANCHORS, "counted_at", "counted"))
    columns = [*ANCHORS, "counted_at", "counted"]
    if not any_row(last):
        return ordered(now.select(columns).collect(), *_SHELF).with_row_index("shelf").lazy()
    untracked = (
        observations.filter(pl.col("state") == Quantity.UNTRACKED)
        .join(held, on=["system", "listing_key"])
        .select("system", "sku", "location")
    )
    last = last.join(untracked, on=[*_SHELF, "system"], how="anti").with_columns(
        counted_at=pl.when(pl.col("kind") == "count").then("anchored_at").otherwise("counted_at"),
        counted=pl.when(pl.col("kind") == "count").then("on_hand").otherwise("counted"),
    )
    both = pl.concat([now.select(columns), last.select(columns)]).collect()
    return ordered(both, *_SHELF).with_row_index("shelf").lazy()


def _newer_than_counts(before: pl.LazyFrame, counts: pl.LazyFrame) -> pl.LazyFrame:
    """Return the shelves, with `counted_at` and `counted`, whose anchor is newer than the count that is all that is read of them.

    Their number is unknown now. The number that it was held what the count holds.
    """
    shelf = [*_SHELF, "system"]
    since = counts.select(*shelf, "counted_at", "counted", since="anchored_at")
    if not any_row(since):
        return since.drop("since")
    later = before.join(since, on=shelf).filter(pl.col("anchored_at") > pl.col("since"))
    return kept(later.select(*shelf, "counted_at", "counted"))


def _newest(anchors: pl.LazyFrame) -> pl.LazyFrame:
    """Keep the newest anchor of each shelf and system; of two of one time the lower."""
    key = [*_SHELF, "system"]
    rivals = anchors.filter(alike(key)).sort("anchored_at", "on_hand", descending=[True, False])
    return pl.concat([anchors.filter(~alike(key)), rivals.unique(key, keep="first", maintain_order=True)])


def openings(previous: pl.LazyFrame, first: pl.LazyFrame) -> pl.LazyFrame:
    """Return OPENINGS: when and with what each shelf was first anchored by its owner: as in `previous`, else `first`.

    In the order of (location, sku, system).
    """
    key = ["location", "sku", "system"]
    new = first.select(*key, "on_hand", opened_at="anchored_at").join(previous, on=key, how="anti")
    return ordered(pl.concat([previous.select(*OPENINGS), new.select(*OPENINGS)]).collect(), *key).lazy()
