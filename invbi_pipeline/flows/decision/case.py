"""Case: what a person says of findings is kept for good, and shown at once unless a run has the warehouse."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Final

import polars as pl

from invbi_pipeline.domain.findings import with_said
from invbi_pipeline.domain.frames import FINDINGS, LIVES
from invbi_pipeline.domain.words import FindingState, Said
from invbi_pipeline.errors import ConfigError, StoreBusy
from invbi_pipeline.store.state import State
from invbi_pipeline.store.warehouse import Warehouse

__all__ = ["known_findings", "named", "open_ones", "say"]

_SHORTEST: Final = 6  # characters of an id that may stand for the whole, where only one begins so
_NEAR: Final = 3


def known_findings(state: State) -> pl.DataFrame:
    """Return LIVES as the newest run and the people left them."""
    kept = state.lives(dict(LIVES)).with_columns(opened_at=pl.coalesce("opened_at", "first_seen"))
    return with_said(kept, state.cases.said())


def named(known: pl.DataFrame, ids: Sequence[str], *, changing: bool = True) -> pl.DataFrame:
    """Return the LIVES of these ids; the beginning of an id stands for it where only one begins so.

    Raises `ConfigError` naming every id that is none, with those that are near; where something was to be changed (`changing`)
    it says that nothing was.
    """
    every = known["finding_id"].to_list()
    meant = {name: _meant(name, every) for name in ids}
    expected = "an id that `invbi findings` shows"
    wrong = [(name, expected, _mend(name, found, every)) for name, found in meant.items() if len(found) != 1]
    if wrong:
        raise ConfigError(f"{wrong[0][0]!r} is no finding." + " Nothing was changed." * changing, wrong)
    return known.filter(pl.col("finding_id").is_in([found[0] for found in meant.values()]))


def open_ones(known: pl.DataFrame, code: str = "", system: str = "") -> pl.DataFrame:
    """Return the LIVES that are not over, of this code and this system only where they are named."""
    found = known.filter(pl.col("state") != FindingState.RESOLVED)
    for column, value in (("code", code), ("system", system)):
        found = found.filter(pl.col(column) == value) if value else found
    return found


def say(state: State, warehouse: Warehouse, ids: Sequence[str], words: Mapping[Said, str], who: str, at: datetime) -> bool:
    """Keep what `who` says of these findings. Return whether recon.findings shows it already; else the next run does."""
    for kind, value in words.items():
        state.cases.say(ids, kind, value, who, at)
    told = known_findings(state).filter(pl.col("finding_id").is_in(list(ids)))
    try:
        with warehouse.open() as db:
            db.upsert("recon.findings", told.select(FINDINGS.keys()), ["finding_id"])
    except StoreBusy:
        return False
    return True


def _meant(name: str, every: Sequence[str]) -> list[str]:
    return [name] if name in every else [one for one in every if len(name) >= _SHORTEST and one.startswith(name)]


def _mend(name: str, found: Sequence[str], every: Sequence[str]) -> str:
    if len(name) < _SHORTEST:
        return f"write at least its first {_SHORTEST} characters"
    near = found[:_NEAR] or get_close_matches(name, every, n=_NEAR, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else "look again: `invbi findings` lists what is open"
