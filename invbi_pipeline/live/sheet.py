"""The sheet follows: what a receipt has changed stands in the sheet within a minute, a cell at a time.

A publication is one write request as long as the tabs keep their length, and at most a handful; they are `serve.sheet_s` apart,
which stays below Google's 60 write requests a minute (https://developers.google.com/workspace/sheets/api/limits). Every run
publishes the whole sheet; after one, the next publication here does so too, since what the cells show is not ours any more.
Up to which receipt the sheet was published outlives the process (`flows.shown`): the next one goes on from there.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import TYPE_CHECKING

from invbi_pipeline.errors import InvbiError
from invbi_pipeline.flows.publish import publish_to_sheet
from invbi_pipeline.flows.shown import unshown
from invbi_pipeline.flows.tell import last_ended
from invbi_pipeline.live.resting import rest

if TYPE_CHECKING:
    from invbi_pipeline.dashboard.sheets import Grids
    from invbi_pipeline.flows.context import Context
    from invbi_pipeline.live.metrics import Metrics

__all__ = ["Follower", "follow_sheet"]

log = logging.getLogger("invbi.sheet")


async def follow_sheet(ctx: Context, metrics: Metrics, stop: asyncio.Event) -> None:
    """Publish what receipts have changed until `stop`; without a sheet there is nothing to do."""
    if ctx.config.publish.sheets is None:
        await stop.wait()
        return
    follower = Follower(ctx)
    while await rest(ctx.clock, ctx.config.serve.sheet_s, stop):
        try:
            outcome = "written" if await asyncio.to_thread(follower.publish) else ""
        except InvbiError as trouble:  # the next turn tries again: what was not written still differs
            outcome = "failed"
            log.warning("the sheet was not written: %s", trouble)
        if outcome:
            metrics.published.labels(outcome).inc()


class Follower:
    """Knows what the sheet shows, cell by cell, as long as no run publishes."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._shown: Grids | None = None
        self._run: datetime | None = None

    def publish(self) -> bool:
        """Publish where receipts came since the last publication; return whether something was written."""
        if not unshown(self._ctx):
            return False
        ended = last_ended(self._ctx.state)
        self._shown = publish_to_sheet(self._ctx, self._shown if ended == self._run else None)
        self._run = ended
        return True
