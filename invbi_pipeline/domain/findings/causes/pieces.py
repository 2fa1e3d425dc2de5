"""A piece of an explanation: so many units of a step, what would have made them, and how much speaks against it."""

from datetime import timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain.findings.inputs import of_point
from invbi_pipeline.domain.words import Cause

__all__ = ["LAG", "PIECES", "SAME_MOMENT", "STEPS", "in_step", "piece", "step_key"]

LAG: Final = timedelta(seconds=5)  # the read lag of all platforms here: an effect so close to a look may be on either side of it
SAME_MOMENT: Final = timedelta(seconds=5)  # platforms state whole seconds, and stamp an order and its level one after the other

STEPS: Final[f.Schema] = {  # one row a change of a number that no known effect explains
    **{name: f.POINTS[name] for name in f.POINT_KEY},
    "sku": pl.String(),
    "step": pl.Int64(),  # 0, 1, ... in order of time
    "units": pl.Int64(),  # signed, listing units
    "since": f.UTC,  # events stamped after this may be of the step: its start less the read lag and the order lag
    "start": f.UTC,  # the last look before it ...
    "end": f.UTC,  # ... and the first after it (platform clock)
    "before": pl.Int64(),  # the numbers of these looks
    "after": pl.Int64(),
    "touched": f.UTC,  # when the platform says the number last changed; null where it does not say
    "how": pl.String(),  # POINTS.found_how
}

PIECES: Final[f.Schema] = {
    **{name: f.POINTS[name] for name in f.POINT_KEY},
    "step": pl.Int64(),
    "cause": pl.String(),  # words.Cause
    "units": pl.Int64(),
    "events": pl.List(pl.String()),  # ids that a person can look up: orders where there are, else effects, movements, pushes
    "kind": pl.String(),  # words.MovementKind of the event; empty where there is none
    "at": f.UTC,  # when that event was stamped
    "other": pl.String(),  # the other location, sku or listing, or the owner that booked it
    "against": pl.Float64(),  # bits: how unlikely it is beside the other explanations, before it is compared with `touched`
}


def step_key() -> list[str]:
    """Return the columns that name a step."""
    return [*of_point(), "step"]


def in_step(name: str = "stamped_at") -> pl.Expr:
    """Say whether a time lies between a step's two looks, or so close to one that it may.

    A look that agreed before an order was told may have agreed wrongly, so the order lag counts before the first of them.
    """
    return pl.col(name).is_between(pl.col("since"), pl.col("end") + LAG)


def piece(rows: pl.DataFrame, cause: Cause | pl.Expr, **given: pl.Expr) -> pl.DataFrame:
    """Return `rows` as PIECES: its columns of that schema, `cause`, and what is `given` in their place."""
    said: dict[str, pl.Expr] = {
        "cause": pl.lit(cause.value) if isinstance(cause, Cause) else cause,
        "kind": pl.lit(""),
        "other": pl.lit(""),
        "against": pl.lit(2.0),
        **given,
    }
    return rows.select(said.get(name, pl.col(name)).cast(kind).alias(name) for name, kind in PIECES.items())
