"""Deciding one micro-batch: reads become changes, changes become a decision, and what it wants goes into the outbox."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import CORRECTIONS, POINT_KEY, empty
from invbi_pipeline.domain.incremental import KEYS
from invbi_pipeline.domain.words import CorrectionKind, CorrectionState
from invbi_pipeline.errors import TerminalError
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.corrections.correct import plan_some
from invbi_pipeline.flows.decision.plan_inputs import guarded
from invbi_pipeline.live.worker.memory import Memory, Outcome
from invbi_pipeline.live.worker.reading import Read, merged_changes

__all__ = ["Decider", "Decision"]

# A plan of a batch run holds all that changed since the last one; ours what changed in a moment. That so large a share of a
# channel changes at once is seen over a few moments.
_LATELY: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Decision:
    """What came of a micro-batch: its changes, their outcome (None: nothing was news), and which systems are to be sent to."""

    changes: dict[str, pl.DataFrame] = field(default_factory=dict)
    outcome: Outcome | None = None
    to_send: frozenset[str] = frozenset()


class Decider:
    """Decides micro-batches one after the other, with one memory at a time."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._lately = empty(CORRECTIONS)

    def decide(self, memory: Memory, reads: Sequence[Read]) -> Decision:
        """Take in reads in their order, decide what they touch, and store what is wanted.

        Raises `TerminalError` when a gap is not unexplained - pending: nothing is planned then.
        """
        changes = merged_changes([memory.left(), *(change for read in reads for change in self._changes(memory, read))], KEYS)
        if not changes:
            return Decision()
        run_id = self._ctx.new_id()
        outcome = memory.decide(self._ctx, changes, run_id)
        if (broken := outcome.part.decided.points.broken_identity).height:
            keys = broken.select(POINT_KEY).head(5).rows()
            raise TerminalError(f"The gap is not unexplained - pending on {broken.height} points, first {keys}.")
        wanted = outcome.plan.filter(pl.col("kind") == CorrectionKind.SET)
        approved = self._planned(memory, outcome, wanted)
        return Decision(changes, outcome, frozenset(approved))

    def _changes(self, memory: Memory, read: Read) -> list[dict[str, pl.DataFrame]]:
        found = []
        for batch in read.batches:
            news = memory.took(batch, landed=read.sweep is not None)
            if read.sweep is not None and batch.platform_time is not None:
                read.sweep.count(news, memory.points, batch.platform_time)
            found.append(news)
        if read.sweep is not None:
            again = memory.swept(read.sweep.feeds, read.sweep.system)
            found.insert(0, again)  # what the sweep itself read says more
        return [{name: rows for name, rows in one.items() if rows.height} for one in found]

    def _planned(self, memory: Memory, outcome: Outcome, wanted: pl.DataFrame) -> list[str]:
        """Let the guards judge what is wanted and store it; return the systems of what is approved."""
        now = self._ctx.clock.now()
        self._lately = self._lately.filter(pl.col("planned_at") > now - _LATELY)
        points = memory.with_outcome(outcome) if wanted.height else outcome.points
        truth = outcome.part.decided.truth
        looked_at = guarded(self._ctx, wanted, points, memory.feeds, truth.candidates, truth.mappings)
        planned = plan_some(self._ctx, wanted, looked_at, outcome.part.things, self._lately)
        self._lately = pl.concat([self._lately, wanted])
        approved = planned.corrections.filter(pl.col("state") == CorrectionState.APPROVED)
        return approved["system"].unique().to_list()
