"""The wall between what platforms write and what invbi believes: text becomes typed rows, or quarantined ones with a reason.

Wall frames arrive as text (`domain.frames`). pandera judges every cell against rules made from the frame's schema plus the
rules of the trade below; rows that fail go to quarantine with their row number and every reason; the rest goes on, typed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from invbi_pipeline.domain.frames import QUARANTINE, UTC, WALL, empty
from invbi_pipeline.domain.words import Fulfilment, ListingStatus, MovementKind, OrderState, Quantity, ReturnState

if TYPE_CHECKING:
    import pandera.polars as pa

__all__ = ["Parsed", "parse", "parse_time"]

# Columns that a row cannot be used without, by wall frame.
_REQUIRED: Final[Mapping[str, Sequence[str]]] = {
    "locations": ("system", "location_key"),
    "listings": ("system", "listing_key", "status", "fulfilment"),
    "stock": ("system", "listing_key", "state"),
    "order_lines": ("system", "order_id", "line_id", "state", "quantity", "open_quantity"),
    "effects": ("system", "effect_id", "listing_key", "kind", "units", "stamped_at"),
    "movements": ("system", "movement_id", "listing_key", "kind", "occurred_at"),
    "returns": ("system", "event_id", "return_id", "listing_key", "state", "units", "occurred_at"),
}

# Columns that are an empty text where the platform says nothing, so that keys compare.
_BLANK_IS_EMPTY: Final = frozenset({
    "listing_key", "location_key", "raw_sku", "barcode", "title", "style", "product_id", "variant_id", "currency", "version",
    "external_id", "order_id", "line_id", "reference", "name",
})  # fmt: skip

_WORDS: Final[Mapping[tuple[str, str], Sequence[str]]] = {
    ("listings", "status"): list(ListingStatus),
    ("listings", "fulfilment"): list(Fulfilment),
    ("stock", "state"): list(Quantity),
    ("order_lines", "state"): list(OrderState),
    ("effects", "kind"): list(MovementKind),
    ("movements", "kind"): list(MovementKind),
    ("returns", "state"): list(ReturnState),
}

# What a spreadsheet writes where a value should be.
_SHEET_ERROR: Final = r"^#(REF|N/A|VALUE|NAME|DIV/0|NULL|NUM)[!?]?$"
_IN_EXPONENT: Final = r"^[0-9](\.[0-9]+)?[eE]\+?[0-9]{1,3}$"  # 1.23E+12: a spreadsheet made a number of a code
# ASCII digits only: to Polars \d is any script's digit, and no cast reads those
_WHOLE: Final = r"^[+-]?0*[0-9]{1,9}(\.0*)?$"  # up to words.MOST_UNITS
_NUMBER: Final = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_FRACTION: Final = r"^[+-]?([0-9]*\.[0-9]*[1-9][0-9]*|\.0+)$"
_NOT_NEGATIVE: Final = frozenset({"reserved", "open_quantity", "price", "counted"})
_NOT_NEGATIVE_OF: Final = frozenset({("order_lines", "quantity")})  # a stock quantity may be: more was sold than was there

# What a row is known by, of frames where one id has one meaning for ever. An order line may change: each change is one.
_IDS: Final[Mapping[str, Sequence[str]]] = {
    "order_lines": ("system", "updated_at", "order_id", "line_id"),
    "effects": ("system", "effect_id"),
    "movements": ("system", "listing_key", "movement_id"),
    "returns": ("system", "event_id"),
}

_ADDED_TO: Final = frozenset({"movements"})  # frames in which nothing that was told is ever told otherwise

# When it happened, of frames whose rows have happened: none can be after the read that tells of it.
_HAPPENED: Final[Mapping[str, str]] = {"movements": "occurred_at", "effects": "stamped_at", "returns": "occurred_at"}
_AHEAD: Final = timedelta(days=1)  # a local time taken for UTC is up to 14 hours off

Rule = Callable[[pl.Expr], pl.Expr]

_KEY_RULES: Final[Sequence[tuple[str, Rule]]] = (
    ("a spreadsheet error, not a code", lambda c: ~c.str.contains(_SHEET_ERROR)),
    ("digits lost to a float", lambda c: ~c.str.contains(_IN_EXPONENT)),
)
_LEAVES: Final = (MovementKind.SALE, MovementKind.TRANSFER_OUT, MovementKind.DAMAGE)


def _moves(kinds: Sequence[str], written: str) -> pl.Expr:
    """Say of a row of one of these kinds whether its units are written so; of any other row, that all is well."""
    mine = pl.col("kind").str.to_lowercase().is_in([str(kind) for kind in kinds])
    return (~mine | pl.col("units").str.contains(written)).fill_null(value=True)


# What two cells of a row must keep together, by wall frame: the column it is told of, what it says, the rule.
_ROW_RULES: Final[Mapping[str, Sequence[tuple[str, str, pl.Expr]]]] = {
    "stock": [
        (
            "state",
            "known without a quantity",
            ((pl.col("state").str.to_lowercase() != "known") | pl.col("quantity").is_not_null()).fill_null(value=True),
        )
    ],
    "movements": [
        (
            "units",
            "is blank",
            pl.col("units").is_not_null() | (pl.col("kind").str.to_lowercase() == "count").fill_null(value=True),
        ),
        # what left a place adds nothing to it; less than nothing received is a receipt taken back, and common
        ("units", "above 0, and this kind takes units away", _moves(_LEAVES, r"^-|^\+?0*(\.0*)?$")),
        ("units", "below 0, and this kind brings units", _moves([MovementKind.TRANSFER_IN], r"^[^-]|^-0*(\.0*)?$")),
    ],
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """What came of one wall frame: `rows` with the frame's types plus `payload` and `row_number`; `quarantine` as QUARANTINE."""

    rows: pl.DataFrame
    quarantine: pl.DataFrame


def parse(name: str, frame: pl.DataFrame, batch_id: str, system: str, dataset: str, read_at: datetime | None = None) -> Parsed:
    """Type wall frame `name`, whose cells are text; put the rows that break a rule aside.

    `dataset` is what quarantine calls the source. A `row_number` column is kept; without one, rows count from 1. Columns
    beyond the contract are ignored; one that is missing is null in every row. With `read_at`, when the read ended, what is
    said to have happened more than a day later is put aside too.
    """
    schema = WALL[name]
    text = _as_text(name, frame)
    if text.is_empty():
        return Parsed(empty({**schema, "payload": pl.String(), "row_number": pl.Int64()}), empty(QUARANTINE))
    reasons = _failures(name, text)
    bad = text.with_row_index("at").join(reasons, on="at")
    good = text.with_row_index("at").join(reasons, on="at", how="anti") if reasons.height else text
    told = {"batch_id": batch_id, "system": system, "dataset": dataset}
    quarantine = _aside(name, bad, told)
    typed = good.select(*(_typed(name, column, kind) for column, kind in schema.items()), "payload", "row_number")
    wrong = _told_once(_unread(good, typed), _yet_to_come(name, typed, read_at), _overruled(name, typed))
    if wrong.is_empty():
        return Parsed(typed, quarantine)
    rows = typed.with_row_index("at")
    aside = _aside(name, rows.join(wrong, on="at"), told)
    kept = rows.join(wrong, on="at", how="anti", maintain_order="left").drop("at")
    return Parsed(kept, pl.concat([quarantine, aside]).sort("row_number", maintain_order=True))


def _aside(name: str, rows: pl.DataFrame, told: Mapping[str, str]) -> pl.DataFrame:
    """Return these rows of a wall frame, which have a `reason`, as QUARANTINE."""
    key, place = pl.lit(None, pl.String), pl.lit(None, pl.String)
    if "listing_key" in WALL[name]:
        readable = pl.all_horizontal(rule(pl.col("listing_key")) for _, rule in _KEY_RULES)
        key = pl.when(readable & (pl.col("listing_key") != "")).then("listing_key")
    if "location_key" in WALL[name]:
        place = pl.col("location_key").fill_null("")
    named = rows.with_columns(*(pl.lit(said).alias(column) for column, said in told.items()), listing_key=key, location_key=place)
    return named.select(QUARANTINE.keys())


_WRONG: Final = {"at": pl.UInt32(), "reason": pl.String()}  # the index of a typed row, and why it is put aside


def _told_once(*wrong: pl.DataFrame) -> pl.DataFrame:
    """Lay `_WRONG` frames together, a row's reasons in one text."""
    found = [frame for frame in wrong if frame.height]
    if not found:
        return pl.DataFrame(schema=_WRONG)
    return pl.concat(found).group_by("at", maintain_order=True).agg(pl.col("reason").str.join("; "))


def _unread(text: pl.DataFrame, typed: pl.DataFrame) -> pl.DataFrame:
    """Return as `_WRONG` the rows with a cell that keeps every rule and that its type cannot hold: null would mean unsaid."""
    lost = [c for c in typed.columns if c in text.columns and typed[c].null_count() > text[c].null_count()]
    if not lost:
        return pl.DataFrame(schema=_WRONG)
    reasons = [pl.when(text[c].is_not_null() & typed[c].is_null()).then(pl.lit(f"{c}: cannot be read")) for c in lost]
    said = typed.select(reason=pl.concat_str(reasons, separator="; ", ignore_nulls=True)).with_row_index("at")
    return said.filter(pl.col("reason") != "")


def _yet_to_come(name: str, typed: pl.DataFrame, read_at: datetime | None) -> pl.DataFrame:
    """Return as `_WRONG` the rows that tell of what has not happened yet."""
    column = _HAPPENED.get(name)
    if column is None or read_at is None:
        return pl.DataFrame(schema=_WRONG)
    late = typed.with_row_index("at").filter(pl.col(column) > read_at + _AHEAD)
    return late.select("at", reason=pl.lit(f"{column}: more than a day after it was read"))


def _overruled(name: str, typed: pl.DataFrame) -> pl.DataFrame:
    """Return `at` (its index in `typed`) and `reason` of rows whose id another row of the same read has with other contents.

    Which of the two is right nobody can tell; the later holds, as between two reads, and the other is shown, not lost. A ledger
    is only ever added to: of two movements the one that happened first holds, which may be booked already.
    """
    rows = typed.with_row_index("at")
    key = _IDS.get(name)
    if key is None or not (again := rows.select(key).is_duplicated()).any():
        return pl.DataFrame(schema=_WRONG)

    def held(column: str) -> pl.Expr:
        cell = pl.col(column)
        one = cell.sort_by("occurred_at", "row_number").first() if name in _ADDED_TO else cell.last()
        return one.over(key)

    differs = pl.any_horizontal(pl.col(c).ne_missing(held(c)) for c in WALL[name] if c not in key)
    reason = pl.format(f"{key[-1]}: row {{}} has the same id and other contents", held("row_number"))
    return rows.filter(again).select("at", differs=differs, reason=reason).filter("differs").drop("differs")


def parse_time(column: pl.Expr) -> pl.Expr:
    """Read ISO 8601 with an offset or Z (date and time, or a bare date at midnight UTC) as UTC; null where it does not parse."""
    clean = column.str.strip_chars().str.replace(r"(?i)z$", "+00:00").str.replace(" ", "T")
    full = pl.concat_str(clean.str.replace(r"T(\d\d:\d\d)([+-])", "T${1}:00${2}"))
    return pl.coalesce(
        full.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", strict=False, time_unit="us", time_zone="UTC"),
        clean.str.to_datetime("%Y-%m-%d", strict=False, time_unit="us").dt.replace_time_zone("UTC"),
    )


def _as_text(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Bring the frame to the contract's columns, blank cells as null, and number the rows where the channel did not.

    Free text keeps its outer spaces (a code with a space behind it is another code to its platform); the rest loses them.
    """

    def cell(column: str, kind: pl.DataType) -> pl.Expr:
        if column not in frame.columns:
            return pl.lit(None, pl.String).alias(column)
        text = pl.col(column).cast(pl.String)
        bare = text.str.strip_chars()
        free = kind == pl.String() and (name, column) not in _WORDS
        return pl.when(bare != "").then(text if free else bare).alias(column)

    payload = pl.col("payload").cast(pl.String) if "payload" in frame.columns else pl.lit("{}")
    number = pl.col("row_number").cast(pl.Int64) if "row_number" in frame.columns else pl.int_range(1, pl.len() + 1)
    cells = [cell(column, kind) for column, kind in WALL[name].items()]
    return frame.select(*cells, payload.alias("payload"), number.alias("row_number"))


def _typed(name: str, column: str, kind: pl.DataType) -> pl.Expr:
    cell = pl.col(column)
    if kind == UTC:
        return parse_time(cell)
    if kind == pl.Int64():
        return cell.str.strip_prefix("+").str.replace(r"\.0*$", "").cast(pl.Int64, strict=False)
    if kind == pl.Float64():
        number = cell.cast(pl.Float64, strict=False)
        return pl.when(number.is_finite()).then(number).alias(column)
    if kind == pl.Boolean():
        return cell.str.to_lowercase() == "true"
    if (name, column) in _WORDS:
        return cell.str.to_lowercase()
    return cell.fill_null("") if column in _BLANK_IS_EMPTY else cell


def _failures(name: str, text: pl.DataFrame) -> pl.DataFrame:
    """Return one row a rejected row: `at` (its index in `text`) and `reason` (each once, in the rules' order).

    Nearly every row keeps every rule, so one check over whole rows finds the few that do not; only those are judged cell by
    cell, which gives each its reasons and is far dearer.
    """
    indexed = text.with_row_index("at")
    suspects = _failing(_row_rule(name), indexed)
    if suspects is None:
        return pl.DataFrame(schema={"at": pl.UInt32, "reason": pl.String})
    rows = indexed.join(suspects.select(at="index").unique(), on="at", how="semi", maintain_order="left")
    cases = _failing(_cell_schema(name), rows.drop("at"))
    assert cases is not None
    said = pl.col("check").replace({"not_nullable": "is blank"})
    return (
        cases.select(pl.format("{}: {}", "column", said).alias("reason"), "index")
        .join(rows.select("at").with_row_index("index"), on="index", maintain_order="left")
        .group_by("at", maintain_order=True)
        .agg(pl.col("reason").unique(maintain_order=True).str.join("; "))
    )


def _failing(schema: "pa.DataFrameSchema", frame: pl.DataFrame) -> pl.DataFrame | None:
    """Return pandera's failure cases, each with the row's `index`; None when there are none."""
    from pandera.errors import SchemaErrors

    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as trouble:
        cases: pl.DataFrame = trouble.failure_cases
        if cases["index"].null_count():
            raise  # not a row's fault: the frame itself has the wrong shape
        return cases.with_columns(pl.col("index").cast(pl.UInt32))
    return None


@cache
def _row_rule(name: str) -> "pa.DataFrameSchema":
    """The rules of every cell of a row at once."""
    import pandera.polars as pa

    keeps = pl.all_horizontal(
        *(_keeps(column, rule) for column, kind in WALL[name].items() for _, rule in _cell_rules(name, column, kind)),
        *(pl.col(column).is_not_null() for column in _REQUIRED[name]),
        *(rule for _, _, rule in _ROW_RULES.get(name, ())),
    )
    return pa.DataFrameSchema(checks=[pa.Check(lambda data: data.lazyframe.select(keeps), name="a cell breaks a rule")])


@cache
def _cell_schema(name: str) -> "pa.DataFrameSchema":
    """The same rules one by one, each with what it says."""
    import pandera.polars as pa

    def check(keeps: pl.Expr, says: str) -> Any:
        return pa.Check(lambda data: data.lazyframe.select(keeps), name=says, error=says, ignore_na=False)

    columns = {
        column: pa.Column(
            pl.String,
            [check(_keeps(column, rule), says) for says, rule in _cell_rules(name, column, kind)],
            nullable=column not in _REQUIRED[name],
        )
        for column, kind in WALL[name].items()
    }
    for column, says, keeps in _ROW_RULES.get(name, ()):
        columns[column].checks.append(check(keeps, says))
    return pa.DataFrameSchema(columns, strict=False)


def _keeps(column: str, rule: Rule) -> pl.Expr:
    cell = pl.col(column)
    return (cell.is_null() | rule(cell)).fill_null(value=True)


def _cell_rules(name: str, column: str, kind: pl.DataType) -> list[tuple[str, Rule]]:
    rules: list[tuple[str, Rule]] = []
    if kind == pl.Int64():
        rules += [
            ("not a number", lambda c: c.str.contains(_NUMBER)),
            ("fractional quantity", lambda c: ~c.str.contains(_FRACTION)),
            (
                "number too large or in exponent form",
                lambda c: c.str.contains(_WHOLE) | c.str.contains(_FRACTION) | ~c.str.contains(_NUMBER),
            ),
        ]
    if kind == pl.Float64():
        rules.append(("not a number", lambda c: c.str.contains(_NUMBER)))
    if column in _NOT_NEGATIVE or (name, column) in _NOT_NEGATIVE_OF:
        rules.append(("below 0", lambda c: ~c.str.starts_with("-")))
    if kind == UTC:
        rules.append(("not a time", lambda c: c.is_null() | parse_time(c).is_not_null()))
    if kind == pl.Boolean():
        rules.append(("not true or false", lambda c: c.str.to_lowercase().is_in(["true", "false"])))
    if (name, column) in _WORDS:
        words = _WORDS[name, column]
        rules.append((f"not one of {', '.join(words)}", lambda c: c.str.to_lowercase().is_in(words)))
    if column == "listing_key":
        rules += _KEY_RULES
    return rules
