"""Rows between frames and the state store: JSON bodies, and insert-or-replace as one statement."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from invbi_pipeline.domain.frames import UTC

__all__ = ["from_json", "inserting", "put", "to_json"]


def to_json(frame: pl.DataFrame) -> list[str]:
    """Return each row as a JSON object; times are ISO 8601 with offset."""
    times = pl.col(UTC).dt.to_string("%Y-%m-%dT%H:%M:%S%.6f+00:00")
    return (
        frame.with_columns(times).select(pl.struct(pl.all()).struct.json_encode()).to_series().to_list() if frame.height else []
    )


def from_json(bodies: Sequence[str], schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return the rows of `to_json` with the columns of `schema`; what a row lacks is null, what it has beyond them is left."""
    if not bodies:
        return pl.DataFrame(schema=dict(schema))
    written = pl.Struct({name: pl.String() if kind == UTC else kind for name, kind in schema.items()})
    rows = pl.Series("body", bodies, pl.String).str.json_decode(written).struct.unnest()
    return rows.with_columns(
        pl.col(name).str.to_datetime(time_unit="us", time_zone="UTC") for name, kind in schema.items() if kind == UTC
    )


def put(connection: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Insert a row, or update the one with this key; of two processes that do so at once the later one's values stand."""
    connection.execute(
        inserting(connection, table).values(**key, **values).on_conflict_do_update(index_elements=list(key), set_=dict(values))
    )


def inserting(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT in the words of the connection's database, which can say what a conflict with a known key does."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
