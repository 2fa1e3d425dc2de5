"""Recon: the three-way comparison of every point, and the findings."""

from typing import Any

import dagster as dg

from invbi_pipeline.defs.evidence import column_schema, figures, rows_table
from invbi_pipeline.defs.names import spec
from invbi_pipeline.defs.resources import Invbi
from invbi_pipeline.defs.steps import compare
from invbi_pipeline.domain.frames import FINDINGS, POINTS
from invbi_pipeline.domain.words import PointState
from invbi_pipeline.flows.decision.findings import note_findings

__all__ = ["recon_assets"]


def recon_assets() -> list[dg.AssetsDefinition]:
    """Return [recon, points] and [recon, findings]."""
    return [_points(), _findings()]


def _points() -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="points",
        specs=[
            spec(
                "recon.points",
                "recon",
                "Every number that can be compared: base, expected, reported, offer; gap = unexplained - pending.",
                ["truth.offers", "truth.mappings", "staging.stg_observations", "staging.stg_effects"],
                ["polars"],
                metadata={"dagster/column_schema": column_schema(POINTS)},
            )
        ],
    )
    def points(context: dg.AssetExecutionContext, invbi: Invbi) -> dg.MaterializeResult[Any]:
        run_id = invbi.run_id(context.run, context.instance)
        found = invbi.call(lambda ctx: compare(ctx, run_id))
        total = sum(found.states.values())
        states = {f"points_{state}": found.states.get(state, 0) for state in PointState}
        numbers = {"rows": total, "dagster/row_count": total, "comparable": found.comparable, "agreed": found.agreed}
        return dg.MaterializeResult(metadata=figures({**numbers, "parity": found.parity, **states}))

    return points


def _findings() -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="findings",
        specs=[
            spec(
                "recon.findings",
                "recon",
                "What is wrong and why, with evidence, cost and what to do; the same trouble keeps its id from run to run. "
                "Noted once more after the read-back.",
                ["recon.points", "truth.candidates", "truth.anchors", "truth.phantoms"],
                ["polars"],
                metadata={"dagster/column_schema": column_schema(FINDINGS)},
            )
        ],
    )
    def findings(context: dg.AssetExecutionContext, invbi: Invbi) -> dg.MaterializeResult[Any]:
        run_id, began = invbi.run_id(context.run, context.instance), invbi.started(context.run, context.instance)
        found = invbi.call(lambda ctx: note_findings(ctx, run_id, began))
        codes = found["code"].value_counts(sort=True)
        return dg.MaterializeResult(metadata={**figures({"rows": found.height}), "by_code": rows_table(codes)})

    return findings
