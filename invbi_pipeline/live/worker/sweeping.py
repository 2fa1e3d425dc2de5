"""Sweeping: what a run's read of one system landed, as the worker takes it in."""

from datetime import timedelta
from typing import Final

from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.feeds.ingest import IngestResult
from invbi_pipeline.live.worker.reading import Sweep
from invbi_pipeline.store.landing import Batch, landed

__all__ = ["swept"]

_NAMED_LATELY: Final = timedelta(hours=1)  # an order changes for longer than that after the delivery which names it: seldom


def swept(ctx: Context, system: str, result: IngestResult) -> tuple[list[Batch], Sweep]:
    """Return the believed reads of a sweep as they landed, how far all feeds reach, and what deliveries named lately."""
    mine = result.batches.filter(system=system)
    with ctx.warehouse.open() as db:
        batches = landed(db, mine["batch_id"].to_list())
    named = ctx.state.inbox.held(system, ctx.clock.now() - _NAMED_LATELY)
    return batches, Sweep(system, result.feeds, named)
