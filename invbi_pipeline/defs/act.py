"""Act: the plan as data, sending it, and the read-back that proves each correction."""

from typing import Any

import dagster as dg

from invbi_pipeline.channels.protocol import WriteOutcome
from invbi_pipeline.defs.evidence import column_schema, figures, rows_table
from invbi_pipeline.defs.names import spec
from invbi_pipeline.defs.resources import Invbi
from invbi_pipeline.defs.steps import plan, proof, sending
from invbi_pipeline.domain.frames import CORRECTIONS
from invbi_pipeline.domain.words import CorrectionState

__all__ = ["act_assets"]


def act_assets() -> list[dg.AssetsDefinition]:
    """Return [act, plan], [act, push] and [act, receipts]."""
    return [_plan(), _push(), _receipts()]


def _plan() -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="plan",
        specs=[
            spec(
                "act.plan",
                "act",
                "The corrections of this run with their reasons and what each guard says. Held ones wait for a person.",
                ["recon.points", "recon.findings", "truth.unbooked"],
                ["polars"],
                metadata={"dagster/column_schema": column_schema(CORRECTIONS)},
            )
        ],
    )
    def planned(context: dg.AssetExecutionContext, invbi: Invbi) -> dg.MaterializeResult[Any]:
        run_id = invbi.run_id(context.run, context.instance)
        found = invbi.call(lambda ctx: plan(ctx, run_id))
        states = {
            str(state): found.get(state, 0) for state in (CorrectionState.PLANNED, CorrectionState.APPROVED, CorrectionState.HELD)
        }
        return dg.MaterializeResult(metadata=figures({"rows": sum(found.values()), **states}))

    return planned


def _push() -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="push",
        specs=[
            spec(
                "act.push",
                "act",
                "Sends what is approved, lowering first, an intent stored before anything leaves. It trusts no check above it: "
                "compare-and-set where the platform has it, elsewhere each number is read just before it is written. "
                "Each channel is read back as soon as its own corrections are out.",
                ["act.plan"],
                ["python"],
            )
        ],
    )
    def pushed(context: dg.AssetExecutionContext, invbi: Invbi) -> dg.MaterializeResult[Any]:
        run_id = invbi.run_id(context.run, context.instance)
        result = invbi.run(lambda ctx: sending(ctx, run_id))
        kinds = (WriteOutcome.ACCEPTED, WriteOutcome.REJECTED, WriteOutcome.STALE, WriteOutcome.RETRY, WriteOutcome.AMBIGUOUS)
        outcomes = {**dict.fromkeys(kinds, 0), **result.outcomes}
        return dg.MaterializeResult(metadata={**figures({"sent": result.sent, **outcomes}), "troubles": result.troubles})

    return pushed


def _receipts() -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="receipts",
        specs=[
            spec(
                "act.receipts",
                "act",
                "Reads back what was sent: a correction is done when its number was read, not when it was accepted. "
                "Writes the run's row in recon.runs.",
                ["act.push"],
                ["python"],
            )
        ],
    )
    def receipts(context: dg.AssetExecutionContext, invbi: Invbi) -> dg.MaterializeResult[Any]:
        run_id, started = invbi.run_id(context.run, context.instance), invbi.started(context.run, context.instance)
        proved = invbi.run(lambda ctx: proof(ctx, run_id, started))
        after = proved.compared
        numbers = {
            "comparable": after.comparable,
            "agreed": after.agreed,
            "parity": after.parity,
            "findings": proved.findings.height,
            "verified": proved.corrections.get(CorrectionState.VERIFIED, 0),
            "held": proved.corrections.get(CorrectionState.HELD, 0),
            "exit_code": proved.exit_code,
        }
        codes = proved.findings["code"].value_counts(sort=True)
        return dg.MaterializeResult(metadata={**figures(numbers), "open_findings": rows_table(codes)})

    return receipts
