"""Retention of `raw`: after a set time payloads go, and rows that a newer read has replaced; the newest word always stays."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from invbi_pipeline.store.warehouse import Database

__all__ = ["prune"]

_IDENTITY: Final[Mapping[str, str]] = {  # what makes a later row replace an earlier one
    "raw.locations": "system, location_key",
    "raw.listings": "system, listing_key",
    "raw.stock": "system, listing_key, location_key",  # and the month, see below
    "raw.order_lines": "system, order_id, line_id",
    "raw.effects": "system, effect_id",
    "raw.movements": "system, movement_id, listing_key",
}


def prune(database: Database, now: datetime, keep_days: int) -> dict[str, int]:
    """Take out of raw what landed more than `keep_days` days before `now`. Return rows deleted by table.

    Decisions still hang on the newest believed row of each thing, however old: it stays, without its payload. Of a number the
    last of each month stays too, so that a month's books can be tied out later. Rows of reads that were not believed, and rows
    that a newer believed read has replaced, are deleted; their batch records stay.
    """
    limit = {"limit": now - timedelta(days=keep_days)}
    deleted: dict[str, int] = {}
    for table, identity in _IDENTITY.items():
        before = database.count(table)
        newest = "batches.platform_time DESC, batches.seq DESC"
        if table == "raw.order_lines":  # as in stg_order_lines: the newest change wins
            newest = f"rows.updated_at DESC NULLS LAST, {newest}"
        month = ", date_trunc('month', batches.platform_time)" if table == "raw.stock" else ""
        database.execute(
            f"""
            DELETE FROM {table} WHERE landed_at < $limit AND (batch_id, row_number) NOT IN (
                SELECT (rows.batch_id, rows.row_number)
                FROM {table} AS rows INNER JOIN raw.batches AS batches ON rows.batch_id = batches.batch_id
                WHERE batches.verdict = 'believed'
                QUALIFY rank() OVER (PARTITION BY {_of_rows(identity)}{month} ORDER BY {newest}) = 1
            )""",
            limit,
        )
        deleted[table] = before - database.count(table)
        database.execute(f"UPDATE {table} SET payload = NULL WHERE landed_at < $limit AND payload IS NOT NULL", limit)
    database.execute(
        "DELETE FROM quarantine.rows WHERE batch_id IN (SELECT batch_id FROM raw.batches WHERE landed_at < $limit)", limit
    )
    database.execute("UPDATE raw.batches SET pruned = true WHERE landed_at < $limit AND NOT pruned", limit)
    return deleted


def _of_rows(identity: str) -> str:
    return ", ".join(f"rows.{column.strip()}" for column in identity.split(","))
