"""What the analyst sees beside a result: bad rows as a table, the query to see them again, columns, numbers under stable keys."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import dagster as dg
import polars as pl

from invbi_pipeline.domain.frames import Schema
from invbi_pipeline.store.tables import DUCKDB_TYPES

__all__ = ["MOST_ROWS", "column_schema", "figures", "query", "rows_table"]

MOST_ROWS: Final = 50  # of a table inside one event: more makes the event log heavy and nobody reads it
_MOST_TEXT: Final = 400

Cell = str | int | float | bool


def rows_table(frame: pl.DataFrame) -> dg.TableMetadataValue:
    """Return the first `MOST_ROWS` rows of a frame as a table that the UI renders."""
    columns = [dg.TableColumn(name, str(kind)) for name, kind in frame.schema.items()]
    records = [
        dg.TableRecord({name: _cell(value) for name, value in row.items()}) for row in frame.head(MOST_ROWS).iter_rows(named=True)
    ]
    return dg.MetadataValue.table(records=records, schema=dg.TableSchema(columns=columns))


def query(sql: str) -> dg.MarkdownMetadataValue:
    """Return SQL for `invbi query` as a block that the UI shows as code."""
    return dg.MetadataValue.md(f"```sql\n{sql}\n```")


def column_schema(schema: Schema) -> dg.TableSchema:
    """Return a table's columns with the warehouse's types."""
    return dg.TableSchema(columns=[dg.TableColumn(name, DUCKDB_TYPES[kind]) for name, kind in schema.items()])


def figures(values: Mapping[str, int | float | None]) -> dict[str, int | float]:
    """Return the numbers there are; the UI plots each key over time, and a gap is a gap."""
    return {name: value for name, value in values.items() if value is not None}


def _cell(value: object) -> Cell:
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return value
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}..."
