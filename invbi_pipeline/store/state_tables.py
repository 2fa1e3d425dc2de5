"""The state store's tables. Their versions are in `migrations/`; a test keeps the two in step.

A correction and a finding keep what is searched for as columns and all of it as JSON in `body`, so that their frames may
grow without a migration. Times are UTC and aware. No secret is ever stored.
"""

from datetime import UTC as UTC_ZONE
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

__all__ = [
    "APPROVALS",
    "BREAKERS",
    "BUDGETS",
    "CURSORS",
    "INBOX",
    "LIVES",
    "MAPPING_DECISIONS",
    "META",
    "METADATA",
    "OUTBOX",
    "PAUSES",
    "SAYINGS",
    "Utc",
]


class Utc(TypeDecorator[datetime]):
    """An aware time, kept as UTC: SQLite has no zones, so it is stored without and read with one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        at = value.astimezone(UTC_ZONE)
        return at.replace(tzinfo=None) if dialect.name == "sqlite" else at

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        found: datetime = value
        return found.replace(tzinfo=UTC_ZONE) if found.tzinfo is None else found.astimezone(UTC_ZONE)


METADATA: Final = MetaData()

CURSORS: Final = Table(
    "cursors",
    METADATA,
    Column("system", String(200), primary_key=True),
    Column("dataset", String(40), primary_key=True),
    Column("cursor", Text, nullable=False),
    Column("batch_id", String(300), nullable=False),  # the landed batch it came with
    Column("moved_at", Utc, nullable=False),
    Column("full_at", Utc),  # when everything was last read
)

INBOX: Final = Table(  # deliveries, acknowledged once they are here
    "inbox",
    METADATA,
    Column("system", String(200), primary_key=True),
    Column("delivery_id", String(300), primary_key=True),
    Column("topic", String(200), nullable=False),
    Column("body", Text, nullable=False),  # JSON: listing keys, order ids, when it happened; never the platform's own body
    Column("received_at", Utc, nullable=False),
    Column("done_at", Utc),
    Index("inbox_waiting", "done_at", "received_at"),
)

OUTBOX: Final = Table(
    "outbox",
    METADATA,
    Column("correction_id", String(200), primary_key=True),
    Column("idempotency_key", String(300), nullable=False, unique=True),
    Column("run_id", String(200), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("system", String(200), nullable=False),
    Column("listing_key", String(300), nullable=False),
    Column("location", String(200), nullable=False),
    Column("movement_ref", String(600), nullable=False),
    Column("state", String(20), nullable=False),
    Column("planned_at", Utc, nullable=False),
    Column("moved_at", Utc, nullable=False),  # when the state last changed; our clock
    Column("body", Text, nullable=False),  # JSON: the whole CORRECTIONS row
    Column("attempts", Integer, nullable=False, server_default="0"),  # in vain, by a platform that was there
    Index("outbox_state", "state"),
    Index("outbox_run", "run_id"),
    Index("outbox_point", "system", "listing_key", "location"),
)

APPROVALS: Final = Table(
    "approvals",
    METADATA,
    Column("correction_id", String(200), primary_key=True),
    Column("who", String(200), nullable=False),
    Column("decision", String(20), nullable=False),  # approved | refused
    Column("at", Utc, nullable=False),
    Column("note", Text, nullable=False),
)

LIVES: Final = Table(
    "finding_lives",
    METADATA,
    Column("finding_id", String(200), primary_key=True),
    Column("code", String(60), nullable=False),
    Column("state", String(20), nullable=False),
    Column("last_seen", Utc),
    Column("body", Text, nullable=False),  # JSON: the whole FINDINGS row
    Index("finding_lives_state", "state"),
)

SAYINGS: Final = Table(  # what people said of findings, word by word; runs never write here
    "finding_sayings",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("finding_id", String(200), nullable=False),
    Column("kind", String(20), nullable=False),  # words.Said
    Column("value", Text, nullable=False),
    Column("who", String(200), nullable=False),
    Column("at", Utc, nullable=False),  # our clock
    Index("finding_sayings_finding", "finding_id"),
)

MAPPING_DECISIONS: Final = Table(  # which sku people said a listing is or is not; runs never write here
    "mapping_decisions",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("system", String(200), nullable=False),
    Column("listing_key", String(300), nullable=False),
    Column("sku", String(300), nullable=False),
    Column("units", Integer, nullable=False),
    Column("decision", String(20), nullable=False),  # words.Decision
    Column("who", String(200), nullable=False),
    Column("decided_at", Utc, nullable=False),  # our clock
    Column("since", Utc),  # from when it holds; null: from when the word holds that it corrects
    Index("mapping_decisions_listing", "system", "listing_key"),
)

BREAKERS: Final = Table(  # systems that could not be read
    "breakers",
    METADATA,
    Column("system", String(200), primary_key=True),
    Column("failures", Integer, nullable=False),  # in a row
    Column("blind_since", Utc, nullable=False),
    Column("reason", Text, nullable=False),
)

PAUSES: Final = Table(
    "pauses",
    METADATA,
    Column("scope", String(200), primary_key=True),  # a system's name, or empty: everything
    Column("who", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Utc, nullable=False),
    Column("by_machine", Boolean, nullable=False),  # a guard did it, not a person
)

BUDGETS: Final = Table(  # rate limits, by operation; what several processes spend together
    "budgets",
    METADATA,
    Column("system", String(200), primary_key=True),
    Column("operation", String(200), primary_key=True),
    Column("reserved_until", BigInteger, nullable=False),  # microseconds of the epoch at which the bucket is full again
    Column("learnt", Text, nullable=False),  # JSON: what was found out of a limit that nobody publishes
)

META: Final = Table("meta", METADATA, Column("key", String(300), primary_key=True), Column("value", Text, nullable=False))
