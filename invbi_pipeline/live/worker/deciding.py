"""Deciding one micro-batch: reads become changes, changes become a decision, and what it wants goes into the outbox."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import CORRECTIONS, POINT_KEY, empty
from invbi_pipeline.domain.incremental import KEYS
from invbi_pipeline.domain.words import CorrectionKind
from invbi_pipeline.errors import TerminalError
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.corrections.correct import plan_some
from invbi_pipeline.flows.decision.plan_inputs import guarded
from invbi_pipeline.live.worker.memory import Memory, Outcome
from invbi_pipeline.live.worker.reading import Read, Sweep, merged_changes
from invbi_pipeline.store.landing import Batch

__all__ = ["Decider", "Decision"]

# A plan of a batch run holds all that changed since the last one; ours what changed in a moment. That so large a share of a
# channel changes at once is seen over a few moments.
_LATELY: Final = timedelta(seconds=5)
_THING: Final = ["system", "listing_key"]


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
        self._told = empty(CORRECTIONS).select(*_THING, "correction_id")  # approved corrections whose system was told of them

    def decide(self, memory: Memory, reads: Sequence[Read]) -> Decision:
        """Take in reads in their order, decide what they touch, and store what is wanted.

        Raises `TerminalError` when a gap is not unexplained - pending: nothing is planned then.
        """
        changes = merged_changes([memory.left(), *self._taken_in(memory, reads)], KEYS)
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

    def _taken_in(self, memory: Memory, reads: Sequence[Read]) -> list[dict[str, pl.DataFrame]]:
        """Take in reads in their order, those of one system together as far as no sweep of it lies between; return the news."""
        found: list[dict[str, pl.DataFrame]] = []
        together: dict[str, list[Batch]] = {}
        for read in reads:
            if read.sweep is None:
                for batch in read.batches:
                    together.setdefault(batch.system, []).append(batch)
            else:
                system = read.sweep.system
                found.append(memory.took(system, together.pop(system, ())))
                found += self._swept(memory, read.batches, read.sweep)
        return found + [memory.took(system, batches) for system, batches in together.items()]

    def _swept(self, memory: Memory, batches: Sequence[Batch], sweep: Sweep) -> list[dict[str, pl.DataFrame]]:
        found = []
        for batch in batches:
            news = memory.took(sweep.system, [batch], landed=True)
            if batch.platform_time is not None:
                sweep.count(news, memory.points, batch.platform_time)
            found.append(news)
        return [memory.swept(sweep.feeds, sweep.system), *found]  # what the sweep itself read says more

    def _planned(self, memory: Memory, outcome: Outcome, wanted: pl.DataFrame) -> list[str]:
        """Let the guards judge what is wanted and store it; return the systems of what is approved and was not before.

        What was, and has not left, its lane asks for again in its own time: told of it by each look at its number, it would never
        rest.
        """
        now, things = self._ctx.clock.now(), outcome.part.things
        self._lately = self._lately.filter(pl.col("planned_at") > now - _LATELY)
        points = memory.with_outcome(outcome) if wanted.height else outcome.points
        truth = outcome.part.decided.truth
        looked_at = guarded(self._ctx, wanted, points, memory.feeds, truth.candidates, truth.mappings)
        approved = plan_some(self._ctx, wanted, looked_at, things, self._lately).select(self._told.columns)
        self._lately = pl.concat([self._lately, wanted])
        new = approved.join(self._told, on="correction_id", how="anti")
        self._told = pl.concat([self._told.join(things, on=_THING, how="anti"), approved])
        return new["system"].unique().to_list()
