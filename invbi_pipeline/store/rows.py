"""Rows between frames and the state store: JSON bodies, and insert-or-replace that every database understands."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from sqlalchemy import Connection, Table, and_, insert, select, update

from invbi_pipeline.domain.frames import UTC

__all__ = ["from_json", "put", "to_json"]


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


def put(connection: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any], *, replace: bool = True) -> bool:
    """Insert a row, or update the one with this key (unless not `replace`). Return whether it is new."""
    mine = and_(*(table.c[name] == value for name, value in key.items()))
    if connection.execute(select(next(iter(table.primary_key))).where(mine)).first() is None:
        connection.execute(insert(table).values(**key, **values))
        return True
    if replace:
        connection.execute(update(table).where(mine).values(**values))
    return False
