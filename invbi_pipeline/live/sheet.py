"""The sheet follows: what a receipt has changed stands in the sheet within a minute, a cell at a time.

A publication is one write request as long as the tabs keep their length, and at most a handful; they are `serve.sheet_s` apart,
which stays below Google's 60 write requests a minute (https://developers.google.com/workspace/sheets/api/limits). Every run
publishes the whole sheet; after one, the next publication here does so too, since what the cells show is not ours any more.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from invbi_pipeline.domain.words import CorrectionState
from invbi_pipeline.errors import InvbiError
from invbi_pipeline.flows.corrections.correct import note_corrections
from invbi_pipeline.flows.publish import publish_to_sheet
from invbi_pipeline.flows.tell import last_ended
from invbi_pipeline.live.resting import rest

if TYPE_CHECKING:
    from invbi_pipeline.dashboard.sheets import Grids
    from invbi_pipeline.flows.context import Context
    from invbi_pipeline.live.metrics import Metrics

__all__ = ["Follower", "follow_sheet"]

log = logging.getLogger("invbi.sheet")

_SETTLED: Final = (CorrectionState.VERIFIED, CorrectionState.MISMATCHED)  # what a receipt says
_LAPS: Final = timedelta(seconds=1)  # a row's time is taken a moment before it can be read


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
    """Knows what the sheet shows and up to when receipts are in it."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._since: datetime = ctx.clock.now()
        self._shown: Grids | None = None
        self._run: datetime | None = None
        self._told: set[tuple[str, str]] = set()  # receipts of the last look: correction and state

    def publish(self) -> bool:
        """Publish where receipts came since the last publication; return whether something was written."""
        began = self._ctx.clock.now()
        receipts = self._receipts()
        if not receipts - self._told:
            return False
        ended = last_ended(self._ctx.state)
        note_corrections(self._ctx, self._since - _LAPS)
        self._shown = publish_to_sheet(self._ctx, self._shown if ended == self._run else None)
        self._since, self._run, self._told = began, ended, receipts
        return True

    def _receipts(self) -> set[tuple[str, str]]:
        moved = self._ctx.state.outbox.changed_since(self._since - _LAPS).select("correction_id", "state")
        return {(one, state) for one, state in moved.iter_rows() if state in _SETTLED}
