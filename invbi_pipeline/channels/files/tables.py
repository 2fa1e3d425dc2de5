"""Tables in files: find the one that names the mapped columns, and account for every row around and in it.

CSV, TSV and XLSX are grids: rows of text fields in which the header is looked for. JSON lines and Parquet name their
columns themselves. All are read as text, so that codes made of digits keep their leading zeros.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import polars as pl

from invbi_pipeline.config import FileSource
from invbi_pipeline.errors import BadAnswer

__all__ = ["REJECTED", "Table", "read_table"]

REJECTED: Final = {"row_number": pl.Int64(), "reason": pl.String(), "payload": pl.String()}

ABOVE: Final = "outside the table: above its header row"
BELOW: Final = "outside the table: below its last row"
NOT_JSON: Final = "not a JSON object"

_SUFFIXES: Final = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".xlsx": "xlsx",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_DELIMITERS: Final = (",", "\t", ";", "|")
_ROWS_AT_ONCE: Final = 10_000
_FIELD_LIMIT: Final = 1 << 20  # characters; a longer field is an unclosed quote that swallows the file


@dataclass(slots=True)
class Table:
    """One file's table. `rows`: the mapped headers (String, blank is null) and `row_number`; `rejected`: `REJECTED`."""

    rows: pl.DataFrame
    rejected: pl.DataFrame


@dataclass(slots=True)
class _Outside:
    """Rows that are not rows of the table, with the reason and how many fields they have (never their text)."""

    rows: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, number: int, reason: str, fields: int, expected: int | None = None) -> None:
        counts = {"fields": fields} if expected is None else {"fields": fields, "expected": expected}
        self.rows.append((number, reason, json.dumps(counts)))

    def frame(self) -> pl.DataFrame:
        return pl.DataFrame(self.rows, schema=REJECTED, orient="row")


def read_table(path: Path, content: bytes, source: FileSource) -> Table:
    """Read the table that `source` describes from the bytes of one file, plain or gzip.

    Raises `BadAnswer` when the file is cut, is of another format, or no row names every mapped column.
    """
    data = _unpacked(path, content)
    if not data.strip():
        raise BadAnswer(f"{path.name} is empty. Nothing was loaded from it; export it again.")
    headers = sorted(set(source.columns.values()))
    match _format_of(path, data, source):
        case "xlsx":
            return _from_grids(path, [_xlsx_rows(path, data, source)], headers, source)
        case "parquet":
            return _from_parquet(path, data, headers)
        case "jsonl":
            return _from_json_lines(path, data, headers, source)
        case kind:
            delimiters = (source.delimiter,) if source.delimiter else ("\t",) if kind == "tsv" else _DELIMITERS
            return _from_grids(path, (_csv_rows(path, data, source, d) for d in delimiters), headers, source)


def _unpacked(path: Path, content: bytes) -> bytes:
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as trouble:
        raise BadAnswer(f"{path.name} is a cut or broken gzip file ({trouble}). Copy or export it again.") from trouble


def _format_of(path: Path, data: bytes, source: FileSource) -> str:
    if source.format != "auto":
        return source.format
    if data.startswith(b"PK\x03\x04"):
        return "xlsx"
    if data.startswith(b"PAR1"):
        return "parquet"
    suffix = next((s.lower() for s in reversed(path.suffixes) if s.lower() != ".gz"), "")
    return _SUFFIXES.get(suffix, "jsonl" if data.lstrip().startswith(b"{") else "csv")


def _text_of(data: bytes, source: FileSource) -> io.TextIOWrapper:
    encoding = source.encoding
    if encoding.lower().replace("_", "-") in {"utf-8", "utf8"}:
        marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))  # Excel's "Unicode text" is UTF-16 with a mark
        encoding = "utf-16" if marked else "utf-8-sig"
    return io.TextIOWrapper(io.BytesIO(data), encoding=encoding, newline="")


def _not_text(path: Path, source: FileSource, trouble: Exception) -> BadAnswer:
    return BadAnswer(f"{path.name} is not {source.encoding} text: {trouble}. Set `encoding` of this file to what it is.")


# --- grids -------------------------------------------------------------------------------------------------------------


def _csv_rows(path: Path, data: bytes, source: FileSource, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(_FIELD_LIMIT)
    try:
        yield from csv.reader(_text_of(data, source), delimiter=delimiter)
    except (UnicodeDecodeError, LookupError) as trouble:
        raise _not_text(path, source, trouble) from trouble
    except csv.Error as trouble:
        raise BadAnswer(f"{path.name} is not readable as CSV: {trouble}. It may be cut inside a quoted field.") from trouble


def _xlsx_rows(path: Path, data: bytes, source: FileSource) -> Iterator[list[str]]:
    import fastexcel

    try:
        book = fastexcel.read_excel(data)
        sheet = book.load_sheet(source.sheet or 0, header_row=None, skip_rows=0, dtypes="string")
        cells: pl.DataFrame = sheet.to_polars()
    except fastexcel.FastExcelError as trouble:
        raise BadAnswer(f"{path.name} is not a readable workbook, or has no sheet {source.sheet!r}: {trouble}") from trouble
    for row in cells.fill_null("").iter_rows():
        yield list(row)


def _from_grids(path: Path, grids: Iterable[Iterator[list[str]]], headers: list[str], source: FileSource) -> Table:
    """Take the first grid (one a delimiter) in which the header is found."""
    best: list[str] | None = None
    for grid in grids:
        found = _table_in(path, grid, headers, source)
        if isinstance(found, Table):
            return found
        best = found if best is None or len(found) < len(best) else best
    missing = ", ".join(repr(h) for h in best or headers)
    raise BadAnswer(
        f"{path.name} has no header row that names {missing}. Nothing was loaded from it; correct `columns`, `skip_rows` or "
        "`header` of this file in the configuration, or the export."
    )


def _table_in(path: Path, grid: Iterator[list[str]], headers: list[str], source: FileSource) -> Table | list[str]:
    """The table, or the headers that the likeliest header row lacks."""
    outside = _Outside()
    numbered: Iterator[tuple[int, list[str]]] = enumerate(grid, start=1)
    places: list[int] | None = None
    width, missing = 0, headers
    if source.header == "none":
        places = [_position(path, h) for h in headers]
        width = max(places) + 1
        numbered = ((n, row) for n, row in numbered if n > source.skip_rows)
    for number, row in numbered if places is None else ():
        if number <= source.skip_rows or not any(map(str.strip, row)):
            continue
        lacks = _lacking(row, headers)
        missing = lacks if len(lacks) < len(missing) else missing
        if not lacks:
            places, width = _places(path, row, headers), len(row)
            break
        if source.header == "first":
            return missing
        if outside.rows or sum(map(bool, map(str.strip, row))) > 1:  # lone fields at the top are a title, not rows
            outside.add(number, ABOVE, len(row))
    if places is None:
        return missing
    picked = _picked(numbered, places, width, source, outside)
    return Table(_framed(picked, headers), outside.frame())


def _framed(rows: Iterator[tuple[Any, ...]], headers: list[str]) -> pl.DataFrame:
    """Numbered rows as a frame, some at a time: as tuples of texts they take several times the room."""
    schema = {"row_number": pl.Int64(), **dict.fromkeys(headers, pl.String())}
    frames = [pl.DataFrame(schema=schema)]
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        frames.append(pl.DataFrame(some, schema=schema, orient="row").with_columns(_blank_is_null(headers)))
    return pl.concat(frames, rechunk=True)


def _picked(
    numbered: Iterable[tuple[int, list[str]]], places: list[int], width: int, source: FileSource, outside: _Outside
) -> Iterator[tuple[Any, ...]]:
    ended = False
    exact = source.header != "none"
    for number, row in numbered:
        if not any(row) or not any(map(str.strip, row)):
            continue
        ended = ended or (source.until != "" and source.until in row)
        if ended:
            outside.add(number, BELOW, len(row))
        elif len(row) < width or (exact and any(map(str.strip, row[width:]))):
            outside.add(number, f"wrong number of fields: {len(row)}, the header has {width}", len(row), width)
        else:
            yield number, *[row[place] for place in places]


def _folded(name: str) -> str:
    return name.strip().casefold()


def _lacking(row: list[str], headers: list[str]) -> list[str]:
    names = {_folded(cell) for cell in row}
    return [h for h in headers if _folded(h) not in names]


def _places(path: Path, row: list[str], headers: list[str]) -> list[int]:
    """Where each header stands: the exact spelling first, else ignoring case and outer spaces."""
    folded = [_folded(cell) for cell in row]
    places = []
    for header in headers:
        exact = [i for i, cell in enumerate(row) if cell == header]
        found = exact or [i for i, cell in enumerate(folded) if cell == _folded(header)]
        if len(found) > 1:
            raise BadAnswer(f"{path.name} has {len(found)} columns called {header!r}; which one is meant cannot be known.")
        places.append(found[0])
    return places


def _position(path: Path, header: str) -> int:
    if not header.isdecimal() or int(header) < 1:
        raise BadAnswer(f"{path.name} is read without a header, so `columns` maps to positions counted from 1, not {header!r}.")
    return int(header) - 1


def _blank_is_null(headers: list[str]) -> list[pl.Expr]:
    return [pl.when(pl.col(h).str.strip_chars() != "").then(pl.col(h)) for h in headers]


# --- formats that name their columns ---------------------------------------------------------------------------------------


def _from_parquet(path: Path, data: bytes, headers: list[str]) -> Table:
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as trouble:
        raise BadAnswer(f"{path.name} is not a readable Parquet file: {trouble}") from trouble
    missing = [h for h in headers if h not in frame.columns]
    if missing:
        raise BadAnswer(f"{path.name} has no column {', '.join(map(repr, missing))}; it has {', '.join(frame.columns)}.")
    texts = frame.select(_as_text(h, frame.schema[h]) for h in headers)
    rows = texts.with_columns(_blank_is_null(headers)).with_row_index("row_number", offset=1)
    return Table(rows.with_columns(pl.col("row_number").cast(pl.Int64)), pl.DataFrame(schema=REJECTED))


def _as_text(header: str, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.Datetime):
        return pl.col(header).dt.to_string("iso:strict")
    text = pl.col(header).cast(pl.String)
    return text.str.replace(r"^(-?\d+)\.0$", "$1") if dtype.is_float() else text


def _from_json_lines(path: Path, data: bytes, headers: list[str], source: FileSource) -> Table:
    outside = _Outside()
    rows: list[tuple[Any, ...]] = []
    seen: set[str] = set()
    for number, line in _lines(path, data, source):
        if number <= source.skip_rows or not line.strip():
            continue
        row = _json_row(line)
        if row is None:
            outside.add(number, NOT_JSON, 0)
            continue
        seen.update(row)
        rows.append((number, *[_json_text(row, h) for h in headers]))
    missing = [h for h in headers if h.split(".")[0] not in seen and h not in seen]
    if missing or not rows:
        raise BadAnswer(f"{path.name} has no line that names {', '.join(map(repr, missing or headers))}. Nothing was loaded.")
    schema = {"row_number": pl.Int64(), **dict.fromkeys(headers, pl.String())}
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_columns(_blank_is_null(headers))
    return Table(frame, outside.frame())


def _lines(path: Path, data: bytes, source: FileSource) -> Iterator[tuple[int, str]]:
    try:
        yield from enumerate(_text_of(data, source), start=1)
    except (UnicodeDecodeError, LookupError) as trouble:
        raise _not_text(path, source, trouble) from trouble


def _json_row(line: str) -> Mapping[str, Any] | None:
    try:
        row = json.loads(line, parse_int=str, parse_float=str)  # digits stay as they are written
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _json_text(row: Mapping[str, Any], header: str) -> str | None:
    """The value under a key, or under a dotted path of keys."""
    value: Any = row.get(header)
    if value is None and "." in header:
        value = row
        for part in header.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)
