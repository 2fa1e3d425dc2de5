"""What every frame is made of: its schema, its times and keys, and how a frame is brought to a schema."""

from collections.abc import Mapping
from functools import cache
from typing import Final, TypeVar

import polars as pl

__all__ = ["FLAG", "INT", "MONEY", "POINT_KEY", "TEXT", "UTC", "Schema", "empty", "fit", "narrow"]

Schema = Mapping[str, pl.DataType]
_Frame = TypeVar("_Frame", pl.DataFrame, pl.LazyFrame)

UTC: Final = pl.Datetime("us", "UTC")
TEXT, INT, MONEY, FLAG = pl.String(), pl.Int64(), pl.Float64(), pl.Boolean()

POINT_KEY: Final = ("system", "listing_key", "location")


def empty(schema: Schema) -> pl.DataFrame:
    """Return a frame of no rows with the columns and types of `schema`."""
    return _empty(tuple(schema.items())).clear()


@cache
def _empty(columns: tuple[tuple[str, pl.DataType], ...]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict(columns))


def narrow(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Return the columns of `schema`, in its order; raise where one is missing. Their types are those they have."""
    return frame if frame.columns == [*schema] else frame.select(*schema)


def fit(frame: _Frame, schema: Schema) -> _Frame:
    """Return the columns of `schema`, in its order and of its types; raise where one is missing or cannot be cast."""
    return frame.select(pl.col(name).cast(kind) for name, kind in schema.items())
