"""Dead letters: corrections that a platform refused, that were given up, or that a person refused. They go back into a plan.

Nothing is ever sent again as it stands. `replay` reads the systems, lets the plan want the same change once more, and the guards
judge it like any other; what the numbers no longer ask for is not planned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from invbi_pipeline.domain.words import CorrectionState
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.corrections.correct import plan
from invbi_pipeline.flows.corrections.undo import look_again
from invbi_pipeline.flows.decision.again import allow, unasked
from invbi_pipeline.store.state import State

__all__ = ["BY_A_PERSON", "Replayed", "chosen", "dead_letters", "replay"]

BY_A_PERSON: Final = (pl.col("state") == CorrectionState.DEAD) & pl.col("sent_at").is_null()  # refused; the others were sent

_DEAD: Final = (CorrectionState.REJECTED, CorrectionState.DEAD)
_SUBJECT: Final = ["system", "listing_key", "location", "kind", "movement_ref"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """`planned`: what the plan wants of the dead letters' numbers now (CORRECTIONS); `unwanted`: those it wants nothing of."""

    planned: pl.DataFrame
    unwanted: pl.DataFrame


def dead_letters(state: State) -> pl.DataFrame:
    """Return the CORRECTIONS that are dead letters and were not asked for again since, oldest first."""
    return unasked(state, state.outbox.in_state(*_DEAD))


def chosen(letters: pl.DataFrame, ids: Sequence[str], systems: Sequence[str]) -> pl.DataFrame:
    """Return those of these ids and systems (all where none is named); what a person refused is meant by its id alone.

    Raises `ConfigError` for an id that is no dead letter.
    """
    if unknown := sorted(set(ids) - set(letters["correction_id"].to_list())):
        problem = (unknown[0], "the id of a dead letter", "`invbi replay` without an id lists them")
        raise ConfigError(f"{unknown[0]} is no dead letter.", [problem])
    found = letters.filter(pl.col("correction_id").is_in(list(ids))) if ids else letters.filter(~BY_A_PERSON)
    return found.filter(pl.col("system").is_in(list(systems))) if systems else found


async def replay(ctx: Context, letters: pl.DataFrame, *, dry_run: bool = False) -> Replayed:
    """Put dead letters (CORRECTIONS) back into a plan, made from what the systems say now; with `dry_run` store nothing."""
    this = await look_again(ctx)
    if not dry_run:
        allow(ctx.state, letters)
    planned = plan(ctx, this, dry_run=dry_run).corrections.join(letters, on=_SUBJECT, how="semi")
    if planned.height and not dry_run:
        planned = ctx.state.outbox.by_id(planned["correction_id"].to_list())
    return Replayed(planned, letters.join(planned, on=_SUBJECT, how="anti"))
