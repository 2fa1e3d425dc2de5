"""Shown: up to which receipt the sheet was published. It is kept in the state store: neither a stop nor a crash forgets one."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from invbi_pipeline.domain.words import CorrectionState
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.corrections.correct import note_corrections

__all__ = ["Shown", "keep", "noted", "unshown"]

_MARK: Final = "sheet.shown"
_SETTLED: Final = (CorrectionState.VERIFIED, CorrectionState.MISMATCHED)  # what a receipt says
_LAPS: Final = timedelta(seconds=1)  # a row's time is taken a moment before it can be read
_BEFORE: Final = timedelta(days=1)  # looked back where the mark is lacking: as far as a run notes corrections


@dataclass(frozen=True, slots=True)
class Shown:
    """Receipts up to `until` (our clock) are shown; `last` are those of its last moment, by correction and state."""

    until: datetime
    last: frozenset[tuple[str, str]] = frozenset()


def unshown(ctx: Context) -> bool:
    """Say whether there is a receipt that the last publication does not show, whoever published."""
    shown = _shown(ctx)
    return bool(_receipts(ctx, shown.until) - shown.last)


def noted(ctx: Context) -> Shown:
    """Bring recon.corrections up to now; return what a publication of it will show."""
    now = ctx.clock.now()
    last = _receipts(ctx, now)
    note_corrections(ctx, _shown(ctx).until - _LAPS)
    return Shown(now, last)


def keep(ctx: Context, shown: Shown) -> None:
    """Remember what was published."""
    said = {"until": shown.until.isoformat(), "last": sorted(shown.last)}
    ctx.state.set_mark(_MARK, json.dumps(said))


def _shown(ctx: Context) -> Shown:
    said = ctx.state.mark(_MARK)
    if not said:
        return Shown(ctx.clock.now() - _BEFORE)
    kept = json.loads(said)
    return Shown(datetime.fromisoformat(kept["until"]), frozenset((one, state) for one, state in kept["last"]))


def _receipts(ctx: Context, since: datetime) -> frozenset[tuple[str, str]]:
    moved = ctx.state.outbox.changed_since(since - _LAPS).select("correction_id", "state")
    return frozenset((one, state) for one, state in moved.iter_rows() if state in _SETTLED)
