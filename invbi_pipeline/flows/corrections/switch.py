"""The switch: sending is paused and resumed, for one system or for everything, and who did it is kept.

Every sender asks the state store before each batch: once `pause` has returned, at most the request that is under way on each
channel still goes out, whichever process sends.
"""

import json
from datetime import datetime

import polars as pl

from invbi_pipeline.domain.frames import TRAIL
from invbi_pipeline.store.state import State

__all__ = ["EVERYTHING", "pause", "resume", "switches"]

EVERYTHING = ""  # the scope that is every system
_KEPT = "switch:"


def pause(state: State, scope: str, who: str, note: str, at: datetime) -> None:
    """Send nothing more to a system, or to anybody where `scope` is empty."""
    state.pause(scope, who, note, at)
    _keep(state, "paused", scope, who, note, at)


def resume(state: State, scope: str, who: str, note: str, at: datetime) -> bool:
    """Let sending go on. Return False when that was not paused."""
    was = state.resume(scope)
    if was:
        _keep(state, "resumed", scope, who, note, at)
    return was


def switches(state: State) -> pl.DataFrame:
    """Return TRAIL of every pause and resumption."""
    kept = [json.loads(value) for value in state.marks(_KEPT).values()]
    rows = [
        {**one, "happened_at": datetime.fromisoformat(one["happened_at"]), "correction_id": "", "listing_key": "", "location": ""}
        for one in kept
    ]
    return pl.DataFrame(rows, schema=dict(TRAIL))


def _keep(state: State, step: str, scope: str, who: str, note: str, at: datetime) -> None:
    said = {"step": step, "system": scope, "who": who, "what": note, "happened_at": at.isoformat()}
    state.set_mark(f"{_KEPT}{at.isoformat()}|{scope}|{step}", json.dumps(said))
