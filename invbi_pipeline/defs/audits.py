"""The audits of `dbt_like_sql/audits/` as asset checks: each returns the bad rows, and shows them with the query.

Every check can be run alone. Those that stand before the push are blocking: a bad row ends the run above it. An audit
that is not placed here still becomes a check, on the first table it reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import dagster as dg
import polars as pl

from invbi_pipeline.config import Config
from invbi_pipeline.defs.evidence import MOST_ROWS, query, rows_table
from invbi_pipeline.defs.names import lineage, table_key
from invbi_pipeline.defs.resources import Invbi
from invbi_pipeline.store.models import Model, audits, run_audit
from invbi_pipeline.store.warehouse import Warehouse

__all__ = ["PLACES", "Place", "audit_checks"]

_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


@dataclass(frozen=True, slots=True)
class Place:
    """Where an audit stands in the graph, and what a bad row means there."""

    table: str
    blocking: bool = False
    severity: dg.AssetCheckSeverity = _ERROR


PLACES: Final[Mapping[str, Place]] = {
    "audit_raw_landed": Place("staging.stg_batches"),
    "audit_quarantine_accounted": Place("staging.stg_batches"),
    "audit_units_conserved": Place(
        "truth.positions", severity=_WARN
    ),  # shrinkage is the shop's trouble, not a wrong number of ours
    "audit_offers_whole": Place("truth.offers", blocking=True),
    "audit_points_unique": Place("recon.points", blocking=True),
    "audit_gap_identity": Place("recon.points", blocking=True),
    "audit_unknown_never_pushed": Place("act.plan", blocking=True),
    "audit_counted_never_set": Place("act.plan", blocking=True),
    "audit_corrections_have_receipts": Place("act.receipts"),
}


def audit_checks(config: Config) -> list[dg.AssetChecksDefinition]:
    """Return one check for each audit."""
    return [_check(audit, PLACES.get(audit.name) or _fallback(config, audit)) for audit in audits()]


def _fallback(config: Config, audit: Model) -> Place:
    first = next(iter(lineage(config, [*audit.sources, *(f"staging.{name}" for name in audit.refs)])))
    return Place(".".join(first.path))


def _check(audit: Model, place: Place) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=table_key(place.table),
        name=audit.name.removeprefix("audit_"),
        description=audit.description,
        blocking=place.blocking,
        metadata={"query": query(audit.sql)},
    )
    def holds(invbi: Invbi) -> dg.AssetCheckResult:
        count, bad = invbi.look(lambda warehouse: _bad_rows(warehouse, audit))
        metadata: dict[str, dg.MetadataValue] = {"bad_rows": dg.MetadataValue.int(count), "query": query(audit.sql)}
        if count:
            metadata["rows"] = rows_table(bad)
        return dg.AssetCheckResult(passed=count == 0, severity=place.severity, metadata=metadata)

    return holds


def _bad_rows(warehouse: Warehouse, audit: Model) -> tuple[int, pl.DataFrame]:
    with warehouse.open() as db:
        bad = run_audit(db, audit)
    return bad.height, bad.head(MOST_ROWS)
