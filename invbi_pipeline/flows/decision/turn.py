"""Turns: a batch run and the event process never decide at once.

Both take a turn by a mark in the state store and look whether the other has one. A batch run says that it wants to decide and
waits until the event process has finished what it had in hand, written it down and stepped aside; meanwhile deliveries wait in
the inbox, and what was approved goes on being sent. When the batch is done, the event process takes up from what it left in the
warehouse. Marks age: a process that ended without a word holds nobody up for longer than `STALE`.
"""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from invbi_pipeline.errors import StoreBusy
from invbi_pipeline.flows.context import Context

__all__ = ["HEARTBEAT", "STALE", "EventTurn", "whole_turn"]

HEARTBEAT: Final = "turn"  # the thread that says that a batch run still lives
STALE: Final = timedelta(seconds=30)
_BEAT_S: Final = 5.0
_LOOK_S: Final = 0.05
_MOST_LOOKS: Final = 1200  # a minute
_BATCH: Final = "turn.batch"
_EVENTS: Final = "turn.events"
_DECIDED: Final = "turn.decided"


@contextmanager
def whole_turn(ctx: Context, *, changes: bool = True) -> Iterator[None]:
    """Decide for the whole: the event process has stepped aside for as long as the block lasts.

    Without `changes` the block only looks: the event process goes on from what it remembers. Raises `StoreBusy` when it does not
    step aside within a minute.
    """
    mine = uuid.uuid4().hex
    ctx.state.set_mark(_BATCH, _said(ctx, mine))
    ended = threading.Event()
    beats = threading.Thread(target=_beat, args=(ctx, mine, ended), daemon=True, name=HEARTBEAT)
    beats.start()
    try:
        looks = 0
        while _fresh(ctx, ctx.state.mark(_EVENTS)):
            looks += 1
            if looks > _MOST_LOOKS:
                raise StoreBusy("The event process did not step aside. Nothing was decided; run again, or restart `invbi serve`.")
            ended.wait(_LOOK_S)
        yield
    finally:
        ended.set()
        beats.join()
        if changes:
            ctx.state.set_mark(_DECIDED, mine)
        if ctx.state.mark(_BATCH).partition(" ")[0] == mine:
            ctx.state.set_mark(_BATCH, "")


class EventTurn:
    """The event process's side: it holds the turn while nobody else wants it."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self.held = False

    @property
    def wanted(self) -> bool:
        """A batch run decides, or waits to."""
        return _fresh(self._ctx, self._ctx.state.mark(_BATCH))

    @property
    def decided(self) -> str:
        """Which whole decision was the last one; empty before any."""
        return self._ctx.state.mark(_DECIDED)

    def take(self) -> bool:
        """Take the turn, or keep it. Return False where a batch run has it: then nothing may be decided."""
        if not self.held or self._aging():
            self._ctx.state.set_mark(_EVENTS, _said(self._ctx, "events"))
        if self.wanted:
            return False
        self.held = True
        return True

    def give(self) -> None:
        """Step aside: all that was decided is written down."""
        self._ctx.state.set_mark(_EVENTS, "")
        self.held = False

    def _aging(self) -> bool:
        at = self._ctx.state.mark(_EVENTS).partition(" ")[2]
        return not at or self._ctx.clock.now() - datetime.fromisoformat(at) > timedelta(seconds=_BEAT_S)


def _said(ctx: Context, who: str) -> str:
    return f"{who} {ctx.clock.now().isoformat()}"


def _fresh(ctx: Context, mark: str) -> bool:
    at = mark.partition(" ")[2]
    return bool(at) and ctx.clock.now() - datetime.fromisoformat(at) <= STALE


def _beat(ctx: Context, mine: str, ended: threading.Event) -> None:
    while not ended.wait(_BEAT_S):
        ctx.state.set_mark(_BATCH, _said(ctx, mine))
