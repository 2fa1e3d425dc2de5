"""Truth: what each listing is, what stands on each shelf, and what each listing should therefore show."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import dagster as dg

from invbi_pipeline.defs.evidence import column_schema, figures
from invbi_pipeline.defs.names import spec, table_key
from invbi_pipeline.defs.resources import Invbi
from invbi_pipeline.flows.decision.reconcile import derive_truth
from invbi_pipeline.store.tables import TABLES

__all__ = ["truth_assets"]

# table -> what it is, and what it is made from
_TABLES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "truth.mappings": (
        "Listing to SKU times units, or to a kit: exact keys and people make mappings.",
        ("staging.stg_listings",),
    ),
    "truth.anchors": (
        "The newest number that each owner states for each shelf, and when.",
        ("staging.stg_observations", "truth.mappings"),
    ),
    "truth.reservations": (
        "Units of open order lines, each line once however many systems report it.",
        ("staging.stg_order_lines", "truth.mappings"),
    ),
    "truth.positions": (
        "Per SKU and location: on hand (the anchor and every movement it does not contain), reserved, available.",
        ("truth.anchors", "truth.reservations", "staging.stg_movements"),
    ),
    "truth.offers": ("What each listing should show now, with every deduction and the policy that set it.", ("truth.positions",)),
    "truth.unbooked": (
        "Movements that a counting system lacks and learns of only from us.",
        ("staging.stg_movements", "truth.mappings"),
    ),
    "truth.candidates": (
        "What was noticed on the way: unmapped and ambiguous listings, negative shelves, orders in no ledger.",
        ("truth.mappings", "truth.positions", "staging.stg_returns"),
    ),
    "truth.phantoms": (
        "What to count next: how likely each shelf is empty although the record says some, and what a count would save.",
        ("truth.mappings", "truth.positions", "staging.stg_movements", "staging.stg_order_lines"),
    ),
}


def truth_assets() -> dg.AssetsDefinition:
    """Return the main tables of the schema `truth`, derived in one step."""
    specs = [
        spec(table, "truth", what, made_from, ["polars"], metadata={"dagster/column_schema": column_schema(TABLES[table])})
        for table, (what, made_from) in _TABLES.items()
    ]

    @dg.multi_asset(name="truth", specs=specs)
    def derive(invbi: Invbi) -> Iterator[dg.MaterializeResult[Any]]:
        rows = invbi.call(derive_truth)
        for table in _TABLES:
            yield dg.MaterializeResult(
                asset_key=table_key(table), metadata=figures({"rows": rows[table], "dagster/row_count": rows[table]})
            )

    return derive
