"""Versions: what each listing was mapped to, from when to when, and by which mapping an event of some time goes."""

from datetime import datetime

import polars as pl

from invbi_pipeline.domain.frames import MAPPINGS, UTC, empty
from invbi_pipeline.domain.identity.mappings import KEY, Decided
from invbi_pipeline.domain.steps import again, beside, ordered

__all__ = ["current", "held_once", "mapped", "merge_versions"]


def merge_versions(
    previous: pl.LazyFrame, resolved: pl.LazyFrame, things: pl.LazyFrame, said: Decided, now: datetime
) -> pl.LazyFrame:
    """Carry MAPPINGS forward in time: a mapping that changed ends now and the new one begins; the others go on as they are.

    A listing that no page showed this time keeps its mapping, and so does one that the platform has deleted: its orders go on by
    it. One that was shown and belongs to nothing any more loses it.

    A person's word (`said`) that a person took back, by another about the same listing, never held: it ends when it began, and
    what takes its place begins there; unless they said since when, then it held until that time.
    """
    same = [*KEY, "sku", "units"]
    before = previous.collect()
    ended = before.filter(pl.col("valid_to").is_not_null())
    open_ = before.filter(pl.col("valid_to").is_null()).with_row_index("row")
    found = beside(resolved.select(*same, "how").collect(), open_.drop("how"), same)
    goes_on = found.filter(pl.col("row").is_not_null())
    left = open_ if goes_on.is_empty() else open_.filter(~pl.int_range(pl.len()).is_in(goes_on["row"].implode()))
    new = found.filter(pl.col("row").is_null()).with_columns(valid_from=pl.lit(now).cast(UTC))
    closing, new = _in_their_time(_ending(left, resolved, things, said.accepted), new, said, now)
    unseen = left if closing.is_empty() else left.join(closing, on="row", how="anti")
    versions = [rows.select(*MAPPINGS) for rows in (goes_on, ended, unseen, closing, new) if not rows.is_empty()]
    return ordered(pl.concat(versions) if versions else empty(MAPPINGS), *KEY, "valid_from", "sku").lazy()


def _ending(left: pl.DataFrame, resolved: pl.LazyFrame, things: pl.LazyFrame, said: pl.LazyFrame) -> pl.DataFrame:
    """Return those of the mappings `left` that end, with `taken_back`: it was a person's word, and is no longer."""
    if left.is_empty():
        return left.with_columns(taken_back=pl.lit(value=False))
    shown = [things.filter(pl.col("source") == "listing").select(KEY), resolved.select(KEY)]
    met = pl.concat([rows.join(left.lazy(), on=KEY, how="semi") for rows in shown]).collect()
    accepted = said.collect()
    theirs = left.filter(pl.col("how") == "person").join(accepted, on=[*KEY, "sku", "units"], how="anti")
    taken_back = pl.col("row").is_in(theirs["row"].implode())
    return left.join(pl.concat([met, theirs.select(KEY)]), on=KEY, how="semi").with_columns(taken_back=taken_back)


def _in_their_time(closing: pl.DataFrame, new: pl.DataFrame, said: Decided, now: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return both with the times at which they end and begin: `now`, or those that people's words give them."""
    if closing.is_empty() and not (new["how"] == "person").any():
        return closing, new
    by_people = new.filter(pl.col("how") == "person").select(KEY)
    since = pl.min_horizontal("since", pl.lit(now))
    starts, refused = (word.filter(pl.col("since").is_not_null()).collect() for word in said)
    starts = starts.join(by_people, on=KEY, how="semi").select(*KEY, starts=since)
    refused = refused.select(*KEY, "sku", refused=since)
    told = closing.join(starts, on=KEY, how="left").join(refused, on=[*KEY, "sku"], how="left")
    withdrawn = pl.when("taken_back").then(pl.coalesce("refused", "valid_from"))
    ends = pl.max_horizontal("valid_from", pl.coalesce("starts", withdrawn, pl.lit(now)))
    closed = told.with_columns(valid_to=ends.cast(UTC))
    freed = closed.filter("taken_back").group_by(KEY).agg(freed=pl.col("valid_to").min())
    begun = new.join(starts, on=KEY, how="left").join(freed, on=KEY, how="left")
    return closed, begun.with_columns(valid_from=pl.coalesce("starts", "freed", "valid_from").cast(UTC))


def held_once() -> pl.Expr:
    """Say of MAPPINGS which ever held: not those that a person took back from their beginning."""
    return pl.col("valid_to").is_null() | (pl.col("valid_from") < pl.col("valid_to"))


def current(mappings: pl.LazyFrame) -> pl.LazyFrame:
    """Return system, listing_key, sku, units, how of the mappings that hold."""
    return mappings.filter(pl.col("valid_to").is_null()).select(*KEY, "sku", "units", "how")


def _first_from() -> pl.Expr:
    """Return when the first mapping of each listing began, of rows in the order of their keys and of time."""
    return pl.when(~again(KEY)).then("valid_from").forward_fill()


def mapped(events: pl.LazyFrame, mappings: pl.LazyFrame, at: str) -> pl.LazyFrame:
    """Add `sku` and `units_per` to events by the mapping that held at their time `at`; events without one are dropped.

    What happened before a listing was first mapped goes by its first mapping. One that was taken back never held.
    """
    said = events.collect()
    if said.is_empty():
        return said.lazy().with_columns(sku=pl.lit(None, pl.String()), units_per=pl.lit(None, pl.Int64()))
    here = pl.col("system").is_in(said["system"].unique().implode()) & held_once()
    rows = ordered(mappings.filter(here).collect(), *KEY, "valid_from")
    versions = rows.lazy().select(
        *KEY,
        "sku",
        units_per="units",
        begins=pl.when(again(KEY) & (pl.col("valid_from") != _first_from())).then("valid_from"),
        ends="valid_to",
    )
    holds = (pl.col("begins").is_null() | (pl.col("begins") <= pl.col(at))) & (
        pl.col("ends").is_null() | (pl.col(at) < pl.col("ends"))
    )
    row = "row of the event"
    asked = said.lazy().select(*KEY, at).with_row_index(row)
    every = asked.join(versions, on=KEY, how="left", maintain_order="left")
    found = every.filter(pl.col("sku").is_not_null() & holds.fill_null(value=True)).select(row, "sku", "units_per").collect()
    return said[found[row]].with_columns(found["sku"], found["units_per"]).lazy()
