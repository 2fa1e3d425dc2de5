"""Wall frames from the rows of an export: one function a dataset."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import EFFECTS, LISTINGS, MOVEMENTS, ORDER_LINES, STOCK, Schema
from invbi_pipeline.domain.words import Fulfilment, ListingStatus, MovementKind, OrderState, Quantity

__all__ = ["derived_listings", "listings", "movements", "orders", "stock", "taken_apart"]

# what stands in a column nobody mapped; every other is null: the file says nothing of it
_DEFAULTS: Final[Mapping[str, str]] = {"location_key": "", "external_id": "", "reference": "", "version": ""}
_TAKEN_OVER: Final = ("raw_sku", "barcode", "title", "style", "product_id", "variant_id", "fulfilment")


def _wall(rows: pl.DataFrame, schema: Schema, system: str, defaults: Mapping[str, str] | None = None) -> pl.DataFrame:
    """Exactly the schema's columns as String, then payload and row_number."""
    fallback = {**_DEFAULTS, **(defaults or {}), "system": system}

    def held(column: str) -> pl.Expr:
        missing = pl.lit(fallback.get(column), pl.String)
        if column == "system" or column not in rows.columns:
            return missing.alias(column)
        return pl.coalesce(pl.col(column).cast(pl.String), missing).alias(column)

    return rows.select(*map(held, schema), "payload", "row_number")


def listings(rows: pl.DataFrame, system: str) -> pl.DataFrame:
    """LISTINGS; the raw SKU is the code where no other column holds it."""
    named = rows if "raw_sku" in rows.columns else rows.with_columns(pl.col("listing_key").alias("raw_sku"))
    return _wall(named, LISTINGS, system, {"status": ListingStatus.ACTIVE, "fulfilment": Fulfilment.MERCHANT})


def derived_listings(system: str, stock_rows: pl.DataFrame | None, order_rows: pl.DataFrame | None) -> pl.DataFrame:
    """LISTINGS from the codes of the stock report, then those that only orders name, where no list of listings is exported.

    A code that stands twice with other attributes, or twice in the stock report for one place, keeps each of its rows: that one
    code means two things is for identity to find, not for this room to decide.
    """
    parts = []
    known = pl.DataFrame(schema={"listing_key": pl.String})
    for rows, place in ((stock_rows, "location_key"), (order_rows, "")):
        if rows is None:
            continue
        taken = [c for c in _TAKEN_OVER if c in rows.columns]
        same_place = ["listing_key", *([place] if place in rows.columns else [])]
        nth = pl.int_range(pl.len()).over(same_place) if place else pl.lit(0)
        distinct = rows.with_columns(nth.alias("nth")).unique(["listing_key", *taken, "nth"], keep="first", maintain_order=True)
        parts.append(
            listings(distinct.select("listing_key", *taken, "payload", "row_number"), system).join(
                known, on="listing_key", how="anti"
            )
        )
        known = pl.concat([known, parts[-1].select("listing_key").unique()])
    return pl.concat(parts)


def stock(rows: pl.DataFrame, system: str) -> pl.DataFrame:
    """STOCK. A blank quantity is unknown, never 0; a quantity written as a word ("untracked") is that state."""
    word = pl.col("quantity").str.strip_chars().str.to_lowercase()
    worded = word.is_in([Quantity.UNTRACKED.value, Quantity.UNKNOWN.value])
    said = pl.col("state") if "state" in rows.columns else pl.lit(None, pl.String)
    state = pl.coalesce(
        said,
        pl.when(worded).then(word),
        pl.when(word.is_null()).then(pl.lit(Quantity.UNKNOWN.value)),
        pl.lit(Quantity.KNOWN.value),
    )
    known = rows.with_columns(state.alias("state"))
    return _wall(known.with_columns(pl.when(pl.col("state") == Quantity.KNOWN).then("quantity")), STOCK, system)


def orders(rows: pl.DataFrame, system: str) -> dict[str, pl.DataFrame]:
    """ORDER_LINES, the EFFECTS (sale, cancel) and the MOVEMENTS (what was shipped) that follow from them.

    A line without an id of its own is called by its listing (a second one of the same order "<listing>#2"). A line that is
    closed in one step ships as "<order>/<line>/shipped". Where the export says how much is still open, every shipped unit is a
    movement of its own ("<order>/<line>/shipped/<n>"): a later export repeats the earlier units and adds the later ones.
    """
    lines = _lines(rows)
    cancelled = pl.col("state") == OrderState.CANCELLED
    frames = {
        "order_lines": _wall(
            lines.with_columns(pl.when(cancelled).then(pl.lit("0")).otherwise("quantity").alias("quantity")), ORDER_LINES, system
        )
    }
    line = pl.concat_str("order_id", "line_id", separator="/")
    sold = lines.filter(pl.col("ordered") > 0)
    sales = sold.with_columns(
        pl.concat_str(line, pl.lit("sale"), separator="/").alias("effect_id"),
        pl.lit(MovementKind.SALE.value).alias("kind"),
        (-pl.col("ordered")).alias("units"),
        pl.col("ordered_at").alias("stamped_at"),
    )
    cancels = sold.filter(cancelled).with_columns(
        pl.concat_str(line, pl.lit("cancel"), separator="/").alias("effect_id"),
        pl.lit(MovementKind.CANCEL.value).alias("kind"),
        pl.col("ordered").alias("units"),
        _first_of(lines, "cancelled_at", "updated_at", "as_of", "ordered_at").alias("stamped_at"),
    )
    frames["effects"] = pl.concat([_wall(sales, EFFECTS, system), _wall(cancels, EFFECTS, system)])
    frames["movements"] = _wall(
        _shipped(lines.filter(pl.col("shipped") > 0), line, "open_quantity" in rows.columns), MOVEMENTS, system
    )
    return frames


def _lines(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with a line id, and as numbers: `ordered` units and how many of them `shipped`."""
    nth = pl.int_range(1, pl.len() + 1).over("order_id", "listing_key")
    by_listing = pl.when(nth == 1).then("listing_key").otherwise(pl.format("{}#{}", "listing_key", nth))
    lines = rows if "line_id" in rows.columns else rows.with_columns(by_listing.alias("line_id"))
    ordered = pl.col("quantity").cast(pl.Int64, strict=False)
    closed = pl.col("state").is_in([OrderState.FULFILLED.value, OrderState.CANCELLED.value])
    still_open = pl.when(closed).then(pl.lit("0")).otherwise(pl.col("quantity"))
    if "open_quantity" in rows.columns:
        cancelled = pl.col("state") == OrderState.CANCELLED
        still_open = pl.when(cancelled).then(pl.lit("0")).otherwise(pl.coalesce("open_quantity", still_open))
    shipped = (
        pl.when(pl.col("state") == OrderState.CANCELLED).then(0).otherwise(ordered - still_open.cast(pl.Int64, strict=False))
    )
    columns = [ordered.alias("ordered"), shipped.alias("shipped"), still_open.alias("open_quantity")]
    if "raw_sku" not in rows.columns:
        columns.append(pl.col("listing_key").alias("raw_sku"))
    if "price" not in rows.columns and "amount" in rows.columns:
        per_unit = pl.col("amount").cast(pl.Float64, strict=False) / ordered
        columns.append(pl.when(ordered > 0).then(per_unit.round(2)).cast(pl.String).alias("price"))
    return lines.with_columns(columns)


def taken_apart(order_lines: pl.DataFrame) -> int:
    """Return how many of these lines, which have no ids of their own, are told from another of their order by a number alone."""
    return int((order_lines["line_id"] != order_lines["listing_key"]).sum())


def _shipped(lines: pl.DataFrame, line: pl.Expr, in_parts: bool) -> pl.DataFrame:
    common = lines.with_columns(
        pl.concat_str(line, pl.lit("shipped"), separator="/").alias("movement_id"),
        pl.lit(MovementKind.SALE.value).alias("kind"),
        (-pl.col("shipped")).alias("units"),
        _first_of(lines, "shipped_at", "updated_at", "as_of", "ordered_at").alias("occurred_at"),
    )
    if not in_parts:
        return common
    unit = pl.int_ranges(1, pl.col("shipped") + 1)
    each = common.with_columns(unit.alias("unit"), pl.lit(-1, pl.Int64).alias("units")).explode("unit")
    return each.with_columns(pl.concat_str("movement_id", pl.col("unit").cast(pl.String), separator="/"))


def _first_of(rows: pl.DataFrame, *columns: str) -> pl.Expr:
    return pl.coalesce(c for c in columns if c in rows.columns)


def movements(rows: pl.DataFrame, system: str) -> pl.DataFrame:
    """MOVEMENTS. One without an id is called by what it says and a number among its like, so that a re-export repeats it."""
    if "movement_id" in rows.columns:
        return _wall(rows, MOVEMENTS, system)
    said = [
        c
        for c in ("occurred_at", "location_key", "listing_key", "kind", "units", "counted", "order_id", "line_id")
        if c in rows.columns
    ]
    called = pl.concat_str([pl.col(c).fill_null("") for c in said], separator="|")
    nth = pl.int_range(1, pl.len() + 1).over(said)
    return _wall(rows.with_columns(pl.format("{}#{}", called, nth).alias("movement_id")), MOVEMENTS, system)
