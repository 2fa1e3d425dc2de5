"""Writing: what the worker read and decided goes into the warehouse, reads and results in one transaction.

Flights end and deliveries are marked done after it, so that a process that ends anywhere before only reads again what they name:
a push that counted as ended while the base it moved was lost would look like sales that nobody announced.
"""

from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.decision.reconcile import end_flights
from invbi_pipeline.live.worker.memory import Unwritten
from invbi_pipeline.store.landing import land

__all__ = ["write"]


def write(ctx: Context, taken: Unwritten) -> None:
    """Land the reads, put what is remembered of the things decided in the place of what was, and end the flights that ended.

    Raises `StoreBusy`.
    """
    with ctx.warehouse.open() as db:
        land(db, taken.batches, ctx.clock.now())
        for changed in taken.changed:
            db.append("recon.point_changes", changed)
        for table, rows in taken.rows.items():
            db.renew(table, rows, taken.things)
    end_flights(ctx, taken.ends)
