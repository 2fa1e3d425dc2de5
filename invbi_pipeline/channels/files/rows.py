"""Rows of an export in our words: the mapped columns, worded values and times, and what is wrong with a row as it stands."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from invbi_pipeline.channels.files.tables import REJECTED, Table
from invbi_pipeline.config import FileSource
from invbi_pipeline.domain.frames import LISTINGS, MOVEMENTS, ORDER_LINES, STOCK
from invbi_pipeline.domain.words import Dataset, Fulfilment, ListingStatus, MovementKind, OrderState, Quantity

__all__ = ["COLUMNS", "NAMED", "WORDS", "Rows", "iso_time", "judged", "named", "whole"]

# our columns that a source may map, by dataset; beside the wall's own: `as_of` (when the export was made), what derived
# listings take over, and for orders the times of later events
_LISTING_EXTRAS: Final = frozenset({"raw_sku", "barcode", "title", "style", "product_id", "variant_id", "fulfilment"})
COLUMNS: Final[Mapping[Dataset, frozenset[str]]] = {
    Dataset.LISTINGS: frozenset(LISTINGS) - {"system"} | {"as_of"},
    Dataset.STOCK: frozenset(STOCK) - {"system"} | _LISTING_EXTRAS | {"as_of"},
    Dataset.ORDERS: frozenset(ORDER_LINES) - {"system"} | _LISTING_EXTRAS | {"as_of", "shipped_at", "cancelled_at", "amount"},
    Dataset.MOVEMENTS: frozenset(MOVEMENTS) - {"system"} | {"as_of"},
}
REQUIRED: Final[Mapping[Dataset, tuple[str, ...]]] = {
    Dataset.LISTINGS: ("listing_key",),
    Dataset.STOCK: ("listing_key",),
    Dataset.ORDERS: ("order_id", "listing_key"),
    Dataset.MOVEMENTS: ("listing_key",),
}
NAMED: Final[Mapping[Dataset, tuple[str, ...]]] = {  # what a source must map (or hold constant) to be of any use
    Dataset.LISTINGS: ("listing_key",),
    Dataset.STOCK: ("listing_key", "quantity"),
    Dataset.ORDERS: ("order_id", "listing_key", "quantity", "state", "ordered_at"),
    Dataset.MOVEMENTS: ("listing_key", "kind", "occurred_at"),
}
KEYS: Final[Mapping[Dataset, tuple[str, ...]]] = {
    Dataset.LISTINGS: ("listing_key",),
    Dataset.STOCK: ("listing_key", "location_key"),
    Dataset.ORDERS: ("order_id", "line_id"),
    Dataset.MOVEMENTS: ("movement_id",),
}
WORDS: Final[Mapping[tuple[Dataset, str], frozenset[str]]] = {
    (Dataset.LISTINGS, "status"): frozenset(ListingStatus),
    (Dataset.LISTINGS, "fulfilment"): frozenset(Fulfilment),
    (Dataset.STOCK, "state"): frozenset(Quantity),
    (Dataset.STOCK, "fulfilment"): frozenset(Fulfilment),
    (Dataset.ORDERS, "state"): frozenset(OrderState),
    (Dataset.ORDERS, "fulfilment"): frozenset(Fulfilment),
    (Dataset.MOVEMENTS, "kind"): frozenset(MovementKind),
}
_TIMES: Final = ("as_of", "changed_at", "updated_at", "ordered_at", "occurred_at", "shipped_at", "cancelled_at")
_COUNTS: Final = ("quantity", "reserved", "open_quantity", "units", "counted")
_ERRORS: Final = ("#REF!", "#N/A", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!")  # what Excel writes into a broken cell

_MOST_ORDERED: Final = 100_000  # units of a line that may ship in parts: each unit that shipped is a movement of its own

DUPLICATE: Final = "duplicate: repeats another row in every mapped column"
REPLACED: Final = "duplicate: a later row has the same key"


class Rows:
    """Rows ready for the wall and rows that are not.

    `good`: our mapped columns (String), `row_number`, `payload`; `rejected`: row_number, reason, payload.
    """

    __slots__ = ("good", "rejected")

    def __init__(self, good: pl.DataFrame, rejected: pl.DataFrame) -> None:
        self.good = good
        self.rejected = rejected


def iso_time(column: str, date_format: str, timezone: str) -> pl.Expr:
    """ISO 8601 in UTC from text in `date_format` (empty: ISO 8601 with or without offset), naive times being in `timezone`.

    What cannot be read stays as it is written, for the wall to refuse.
    """
    text = pl.col(column).str.strip_chars()
    aware: list[pl.Expr] = []
    shapes: tuple[str, ...] = (date_format,)
    if not date_format:
        aware += [text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", strict=False, time_unit="us", time_zone="UTC")]
        aware += [text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", strict=False, time_unit="us", time_zone="UTC")]
        shapes = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d")
    elif "%z" in date_format or "%#z" in date_format or "%:z" in date_format:
        aware, shapes = [text.str.to_datetime(date_format, strict=False, time_unit="us", time_zone="UTC")], ()
    local = [
        text.str.to_datetime(shape, strict=False, time_unit="us")
        .dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
        .dt.convert_time_zone("UTC")
        for shape in shapes
    ]
    return pl.coalesce(pl.coalesce(aware + local).dt.to_string("iso:strict"), pl.col(column)).alias(column)


def whole(column: str) -> pl.Expr:
    """A count as text, without the zeros a spreadsheet adds ("5.0" is "5"); a true fraction stays, for the wall to refuse."""
    return pl.col(column).str.strip_chars().str.replace(r"^([+-]?[0-9]+)\.0+$", "$1").alias(column)


def named(table: Table, source: FileSource, file: str) -> pl.DataFrame:
    """The table's rows under our names, with the constants, `row_number`, `payload` and `repeats_header`.

    The payload is what the mapped columns hold, under the file's own headers: nothing else of the file is kept.
    """
    headers = list(dict.fromkeys(source.columns.values()))
    rows = table.rows
    held = [pl.col(h) for h in headers] + ([pl.lit(file).alias("(file)")] if file else [])
    mapped = rows.select(
        "row_number",
        pl.struct(held).struct.json_encode().alias("payload"),
        pl.all_horizontal(pl.col(h).str.strip_chars() == h for h in headers).fill_null(False).alias("repeats_header"),
        *[pl.col(header).alias(ours) for ours, header in source.columns.items()],
        *[pl.lit(value).alias(ours) for ours, value in source.constants.items()],
    )
    zoned = [iso_time(c, source.date_format, source.timezone) for c in _TIMES if c in source.columns]
    counts = [whole(c) for c in _COUNTS if c in source.columns]
    return mapped.with_columns(*zoned, *counts)


def judged(frame: pl.DataFrame, source: FileSource, dataset: Dataset) -> Rows:
    """Put worded columns into our words and part the rows that can be loaded from those that cannot, each with its reason."""
    worded = [column for (of, column) in WORDS if of is dataset and column in frame.columns]
    translated = frame.with_columns(_translated(c, source.status, WORDS[dataset, c]).alias(f"our {c}") for c in worded)
    reasons: list[pl.Expr] = [pl.when("repeats_header").then(pl.lit("the header row again"))]
    for column in REQUIRED[dataset]:
        code = pl.col(column).str.strip_chars()
        reasons += [
            pl.when(code.is_null()).then(pl.lit(f"blank {column}")),
            pl.when(code.is_in(_ERRORS)).then(pl.format(f"broken cell in {column}: {{}}", code)),
        ]
    reasons += [
        pl.when(pl.col(c).is_not_null() & pl.col(f"our {c}").is_null()).then(pl.format(f"unknown {c}: {{}}", c)) for c in worded
    ]
    if dataset is Dataset.ORDERS and "open_quantity" in frame.columns:
        reasons += _contradictions()
    told = translated.with_columns(pl.coalesce(reasons).alias("reason"))
    usable = told.filter(pl.col("reason").is_null()).with_columns(pl.col(f"our {c}").alias(c) for c in worded)
    mapped = [c for c in (*source.columns, *source.constants) if c in frame.columns]
    unique = usable.with_columns(pl.coalesce(_repeats(dataset, mapped, source.keep_last)).alias("reason"))
    wrong = pl.concat([told.filter(pl.col("reason").is_not_null()), unique.filter(pl.col("reason").is_not_null())])
    good = unique.filter(pl.col("reason").is_null())
    return Rows(good.select("row_number", "payload", *mapped), wrong.select(*REJECTED))


def _contradictions() -> list[pl.Expr]:
    """Reasons for order lines whose units cannot be: absurdly many, more open than ordered, or open although shipped."""
    ordered, left = (pl.col(c).cast(pl.Int64, strict=False) for c in ("quantity", "open_quantity"))
    shipped = (pl.col("our state") == OrderState.FULFILLED) & (left > 0)
    holds = pl.col("our state") != OrderState.CANCELLED
    return [
        pl.when(ordered > _MOST_ORDERED).then(pl.lit(f"quantity: more than {_MOST_ORDERED:,} units in one line")),
        pl.when(holds & (left > ordered)).then(pl.lit("open_quantity: more than was ordered")),
        pl.when(shipped).then(pl.lit("open_quantity: above 0, and the line is fulfilled")),
    ]


def _translated(column: str, status: Mapping[str, str], allowed: frozenset[str]) -> pl.Expr:
    plain = {str(word) for word in allowed}  # Polars makes an Enum column of a list of StrEnum members
    words = {word: word for word in plain} | {text.strip().lower(): ours for text, ours in status.items()}
    known = {text: ours for text, ours in words.items() if ours in plain}
    text = pl.col(column).str.strip_chars().str.to_lowercase()
    return text.replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.String)


def _repeats(dataset: Dataset, mapped: list[str], keep_last: bool) -> list[pl.Expr]:
    """Reasons for repeated rows. Movements without an id may truly repeat: two sales of one thing on one day."""
    if dataset is Dataset.MOVEMENTS and "movement_id" not in mapped:
        return [pl.lit(None, pl.String)]
    if not keep_last:
        return [pl.when(~pl.struct(mapped).is_first_distinct()).then(pl.lit(DUPLICATE))]
    key = [c for c in KEYS[dataset] if c in mapped]
    if dataset is Dataset.ORDERS and "line_id" not in mapped:
        key.append("listing_key")
    return [
        pl.when(~pl.struct(mapped).is_last_distinct()).then(pl.lit(DUPLICATE)),
        pl.when(~pl.struct(key).is_last_distinct()).then(pl.lit(REPLACED)),
    ]
