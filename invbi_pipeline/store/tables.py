"""The warehouse's tables as data: each is a frame's schema, so that a table's contract cannot drift from its frame."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from invbi_pipeline.domain import frames
from invbi_pipeline.domain.frames import UTC, Schema
from invbi_pipeline.domain.phantom import COUNT_LIST

__all__ = [
    "BATCHES",
    "DUCKDB_TYPES",
    "FINDING_CHANGES",
    "LANDED",
    "LOCATION_MAP",
    "POINT_CHANGES",
    "RAW",
    "RUNS",
    "SCHEMAS",
    "SYSTEM_MODES",
    "TABLES",
    "UNIT_VALUES",
    "create_table",
]

_text, _int, _flag = pl.String(), pl.Int64(), pl.Boolean()

SCHEMAS: Final = ("raw", "staging", "mart", "truth", "recon", "quarantine")

LANDED: Final[Schema] = {  # what every raw row carries beside its frame's columns
    "payload": _text,  # JSON as the platform sent it, buyers' personal fields removed; null once it is older than keep_raw_days
    "batch_id": _text,
    "row_number": _int,  # in the source, from 1
    "landed_at": UTC,  # our clock
}

BATCHES: Final[Schema] = {  # one row a read of one dataset of one system
    "batch_id": _text,
    "seq": _int,  # the order of landing
    "run_id": _text,
    "system": _text,
    "dataset": _text,  # words.Dataset
    "scope": _text,  # sweep: the whole dataset or what changed of it | points: only the listings asked for (a read-back)
    "verdict": _text,  # words.FeedVerdict
    "reason": _text,
    "rows": _int,  # read, in all frames: landed + quarantined
    "landed": _int,
    "quarantined": _int,
    "cursor": _text,
    "is_full": _flag,
    "complete": _flag,
    "began_at": UTC,  # our clock
    "ended_at": UTC,  # our clock
    "platform_time": UTC,  # the platform's clock: how far the read reaches
    "landed_at": UTC,  # our clock
    "requests": _int,
    "warnings": _text,  # JSON list
    "metrics": _text,  # JSON: what the feed's health was judged on
    "pruned": _flag,  # retention has taken rows out
}

RUNS: Final[Schema] = {
    "run_id": _text,
    "started_at": UTC,
    "ended_at": UTC,
    "figures": _text,  # JSON: {"points": {state: n}, "comparable": n, "agreed": n, ...}
    "exit_code": _int,
}

LOCATION_MAP: Final[Schema] = {"system": _text, "location_key": _text, "location": _text}  # from the configuration

SYSTEM_MODES: Final[Schema] = {  # from the configuration, for the marts
    "system": _text,
    "platform": _text,
    "mode": _text,
    "counts": _flag,
    "sells": _flag,
    "max_age_s": _int,
    "timezone": _text,  # the business's: where its days end
    "currency": _text,  # in which it reports
}

POINT_CHANGES: Final[Schema] = {**frames.POINTS, "changed_at": UTC}  # a row whenever a point's figures changed; our clock

RAW: Final[Mapping[str, Schema]] = {f"raw.{name}": {**schema, **LANDED} for name, schema in frames.WALL.items()}

FINDING_CHANGES: Final[Schema] = {  # a row whenever a finding's state changed; our clock
    "finding_id": _text,
    "run_id": _text,
    "code": _text,
    "severity": _text,
    "system": _text,
    "sku": _text,
    "was": _text,  # null: it is new
    "state": _text,
    "resolution": _text,
    "acknowledged_by": _text,
    "owner": _text,
    "opened_at": UTC,
    "changed_at": UTC,
}

UNIT_VALUES: Final[Schema] = {  # one unit of a listing in the reporting currency, as the newest run priced it; null: unpriced
    "system": _text,
    "listing_key": _text,
    "sku": _text,
    "price": frames.PRICES["price"],
    "cost": frames.PRICES["cost"],
}

TABLES: Final[Mapping[str, Schema]] = {
    **RAW,
    "raw.batches": BATCHES,
    "quarantine.rows": frames.QUARANTINE,
    "truth.mappings": frames.MAPPINGS,
    "truth.kits": frames.KITS,
    "truth.anchors": frames.ANCHORS,
    "truth.openings": frames.OPENINGS,
    "truth.shelves": frames.SHELVES,
    "truth.outside": frames.OUTSIDE,
    "truth.reservations": frames.RESERVATIONS,
    "truth.positions": frames.POSITIONS,
    "truth.offers": frames.OFFERS,
    "truth.unbooked": frames.UNBOOKED,
    "truth.candidates": frames.CANDIDATES,
    "truth.phantoms": COUNT_LIST,
    "truth.prices": frames.PRICES,
    "truth.rates": frames.RATES,
    "recon.bases": frames.BASES,
    "recon.contained": frames.CONTAINED,
    "recon.looks": frames.LOOKS,
    "recon.unjudged": frames.UNJUDGED,
    "recon.flight_ends": frames.FLIGHT_ENDS,
    "recon.points": frames.POINTS,
    "recon.exposure": frames.EXPOSURE,
    "recon.point_changes": POINT_CHANGES,
    "recon.findings": frames.FINDINGS,
    "recon.finding_changes": FINDING_CHANGES,
    "recon.corrections": frames.CORRECTIONS,
    "recon.trail": frames.TRAIL,
    "recon.feeds": frames.FEEDS,
    "recon.unit_values": UNIT_VALUES,
    "recon.runs": RUNS,
    "recon.location_map": LOCATION_MAP,
    "recon.systems": SYSTEM_MODES,
}

DUCKDB_TYPES: Final[Mapping[pl.DataType, str]] = {
    pl.String(): "VARCHAR",
    pl.Int64(): "BIGINT",
    pl.Float64(): "DOUBLE",
    pl.Boolean(): "BOOLEAN",
    UTC: "TIMESTAMP WITH TIME ZONE",
    pl.List(pl.String()): "VARCHAR[]",
}


def create_table(name: str, schema: Schema) -> str:
    """Return the DDL that makes table `name` ("schema.table") with the columns and types of `schema`."""
    columns = ", ".join(f'"{column}" {DUCKDB_TYPES[kind]}' for column, kind in schema.items())
    return f"CREATE TABLE IF NOT EXISTS {name} ({columns})"
