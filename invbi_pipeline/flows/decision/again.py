"""Again: the same change may be wanted once more. Each time it is a correction of its own.

A correction that ended is kept under its idempotency key for ever and never sent again; the key follows from the number read and
the target, so that the next plan would make the very same one. One that was refused is wanted again when a person says so; one
of which the number itself says that it never happened, by the next plan.
"""

from typing import Final

import polars as pl

from invbi_pipeline.domain.corrections.plan import short_ids
from invbi_pipeline.store.state import State

__all__ = ["allow", "named_again", "times", "unasked"]

_KEPT: Final = "again:"
_SUFFIX: Final = "|again "


def times(state: State) -> dict[str, int]:
    """Return how often each correction was asked for again, by the id that a plan gives it."""
    return {name: int(said) for name, said in state.marks(_KEPT).items()}


def allow(state: State, letters: pl.DataFrame) -> None:
    """Let plans want each of these CORRECTIONS once more."""
    known = times(state)
    names = letters.select(_first_id()).to_series().unique().sort()
    state.set_marks({f"{_KEPT}{name}": str(known.get(name, 0) + 1) for name in names})


def unasked(state: State, letters: pl.DataFrame) -> pl.DataFrame:
    """Return those of these CORRECTIONS that nobody asked for again since they ended."""
    tries = pl.col("idempotency_key").str.extract(rf"\{_SUFFIX}(\d+)$").cast(pl.Int64).fill_null(0)
    asked = _first_id().replace_strict(times(state), default=0, return_dtype=pl.Int64)
    return letters.filter(tries >= asked)


def named_again(state: State, wanted: pl.DataFrame) -> pl.DataFrame:
    """Give what was asked for again a key and an id of its own (CORRECTIONS)."""
    known = times(state)
    if not known:
        return wanted
    asked = pl.col("correction_id").replace_strict(known, default=None, return_dtype=pl.Int64)
    key = pl.coalesce(pl.format(f"{{}}{_SUFFIX}{{}}", "idempotency_key", asked), "idempotency_key")
    return wanted.with_columns(idempotency_key=key).with_columns(
        correction_id=pl.col("idempotency_key").map_batches(short_ids, return_dtype=pl.String)
    )


def _first_id() -> pl.Expr:
    key = pl.col("idempotency_key").str.replace(rf"\{_SUFFIX}\d+$", "")
    return key.map_batches(short_ids, return_dtype=pl.String)
