"""The past: what staging said, or would have said, at an earlier time, built anew from the append-only `raw` of a few listings.

The staging models are run unchanged, in a database in memory, over what `raw` held: as it had landed by then, or all that is told
by now of what had happened by then.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import duckdb
import polars as pl

from invbi_pipeline.domain.frames import Schema
from invbi_pipeline.store.models import models, run_model
from invbi_pipeline.store.tables import SCHEMAS, TABLES, create_table
from invbi_pipeline.store.warehouse import Database

__all__ = ["Known", "staged_at", "told_since"]


class Known(StrEnum):
    """Whose knowledge of a past time is meant."""

    THEN = "then"  # what had landed by then, on our clock
    NOW = "now"  # what is known by now of what had happened by then, on each platform's clock: late events are in it


_OF_LISTINGS: Final = ("listings", "stock", "effects", "movements", "order_lines", "returns")
# Which rows each knowledge leaves out. Order lines are kept: `replay.rewound` takes back what happened to them later.
_HAPPENED: Final = {
    "stock": "(SELECT platform_time FROM raw.batches AS b WHERE b.batch_id = rows.batch_id) <= $at",
    "effects": "stamped_at <= $at",
    "returns": "occurred_at <= $at",
}
_RAW: Final = ("batches", "locations", *_OF_LISTINGS)
_MAPS: Final = ("recon.location_map", "recon.systems", "recon.feeds")


def told_since(db: Database) -> tuple[datetime | None, datetime | None]:
    """Return from when to when (our clock) the past can be told: since the oldest read that retention left whole."""
    found = db.query("SELECT min(landed_at) AS a, max(landed_at) AS b FROM raw.batches WHERE verdict = 'believed' AND NOT pruned")
    return found["a"].item(), found["b"].item()


def staged_at(db: Database, at: datetime, known: Known, keys: pl.DataFrame, wanted: dict[str, Schema]) -> dict[str, pl.DataFrame]:
    """Return staging tables as of `at`: `wanted` names them ("stg_stock") with their columns.

    `keys` is system, listing_key: nothing else is looked at. Movements after `at` are left in where all is told that is known by
    now; whoever derives a truth of them leaves these out.
    """
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        past = Database(connection)
        for schema in SCHEMAS:
            past.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for table in (*(f"raw.{name}" for name in _RAW), *_MAPS):
            past.execute(create_table(table, TABLES[table]))
        past.append("raw.batches", _batches(db, at, known))
        for name in _OF_LISTINGS:
            past.append(f"raw.{name}", _rows(db, name, at, known, keys))
        for table in _MAPS:
            past.append(table, db.read(table))
        for model in models():
            if model.name in wanted or model.name == "stg_batches":
                run_model(past, model)
        return {name: past.pick(f"staging.{name}", schema) for name, schema in wanted.items()}


def _batches(db: Database, at: datetime, known: Known) -> pl.DataFrame:
    batches = db.read("raw.batches")
    if known is Known.THEN:
        return batches.filter(pl.col("landed_at") <= at)
    return batches.filter((pl.col("dataset") != "stock") | (pl.col("platform_time") <= at))


def _rows(db: Database, name: str, at: datetime, known: Known, keys: pl.DataFrame) -> pl.DataFrame:
    table, cut = f"raw.{name}", "landed_at <= $at" if known is Known.THEN else _HAPPENED.get(name, "true")
    key = "coalesce(nullif(listing_key, ''), raw_sku)" if name == "order_lines" else "listing_key"
    columns = ", ".join(f'rows."{column}"' for column in TABLES[table] if column != "payload")
    named = " OR ".join(f"(rows.system = $system{n} AND {key} = $key{n})" for n in range(keys.height)) or "false"
    params: dict[str, Any] = {"at": at} if "$at" in cut else {}
    for n, (system, listing) in enumerate(keys.select("system", "listing_key").iter_rows()):
        params |= {f"system{n}": system, f"key{n}": listing}
    found = db.query(f"SELECT {columns} FROM {table} AS rows WHERE ({named}) AND {cut}", params)
    return found.cast({column: kind for column, kind in TABLES[table].items() if column in found.columns})
