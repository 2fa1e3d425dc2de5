"""What a look may be compared with: the base, and one candidate for each push in flight (design.md section 2, rule 7)."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import FLIGHTS
from invbi_pipeline.domain.points.inputs import GRAIN
from invbi_pipeline.domain.words import Basis, CorrectionKind, CorrectionState

__all__ = ["FLYING", "current", "flights", "kept", "ranked"]

FLYING: Final = tuple(s.value for s in (CorrectionState.SENDING, CorrectionState.ACCEPTED, CorrectionState.AMBIGUOUS))

_TRIAL: Final = (
    "pid",
    "kept",
    "observed_at",
    "reach",
    "fresh_from",
    "seen",
    "correction_id",
    "rank",
    "number",
    "as_of",
    "blur_from",
    "blur_to",
    "absolute_at",
    "window_from",
    "window_to",
)


def flights(corrections: pl.DataFrame, systems: pl.DataFrame) -> pl.DataFrame:
    """Return the pushes not yet ended (FLIGHTS) of `corrections` (CORRECTIONS); `systems` (SYSTEMS) says which are gross.

    A net platform is overwritten by the send, so its candidate contains all that was stamped before it; a gross platform goes
    on subtracting its own open orders, so its candidate contains what the read behind the push contained.
    """
    gross = pl.col("basis") == Basis.GROSS.value
    return (
        corrections.filter(pl.col("state").is_in(FLYING) & (pl.col("kind") == CorrectionKind.SET.value))
        .join(systems.select("system", "basis"), on="system", how="left")
        .with_columns(sent_at=pl.coalesce("sent_at", "send_ended_at", "planned_at"))
        .with_columns(
            contains_to=pl.when(gross.fill_null(value=False)).then("observed_at").otherwise("sent_at"),
            withheld=pl.col("withheld").fill_null(0),
            known_units=pl.col("known_units").fill_null(0),
        )
        .select(pl.col(name).cast(kind) for name, kind in FLIGHTS.items())
    )


def ranked(flying: pl.DataFrame) -> pl.DataFrame:
    """Return `flying` (FLIGHTS with `pid`) with `rank`: 1 for the oldest of its point, then 2, ..."""
    return flying.sort("pid", "sent_at", "correction_id").with_columns(
        rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("pid")
    )


def current(points: pl.DataFrame, bases: pl.DataFrame, flying: pl.DataFrame) -> pl.DataFrame:
    """Return a trial for each live point's present number against each of its candidates.

    A point without base and without flights is compared with its own number: that is what its first look makes of it.
    """
    windows = flying.join(points.select("pid", "visibility"), on="pid").group_by("pid").agg(
        window_from=pl.col("sent_at").min(), window_to=(pl.col("sent_at") + pl.col("visibility")).max()
    )  # fmt: skip
    looks = (
        points.filter("live")
        .select("pid", "observed_at", "fresh_from", "seen", reach=pl.col("reach") + GRAIN, kept=pl.lit(value=False))
        .join(windows, on="pid", how="left")
    )
    base = looks.join(
        bases.select(
            "pid", "as_of", "blur_from", "blur_to", absolute_at="sent_at", number="base",
            correction_id=pl.lit(""), rank=pl.lit(0, pl.Int64),
        ),
        on="pid",
    )  # fmt: skip
    pushed = looks.join(
        flying.select("pid", "correction_id", "rank", as_of="contains_to", absolute_at="sent_at", number="target"), on="pid"
    )
    known = pl.concat([bases.select("pid"), flying.select("pid")])
    first = looks.join(known, on="pid", how="anti").with_columns(
        correction_id=pl.lit(""), rank=pl.lit(0, pl.Int64), number="seen", as_of="observed_at"
    )
    return pl.concat([base, pushed, first], how="diagonal").select(_TRIAL)


def kept(points: pl.DataFrame, unjudged: pl.DataFrame) -> pl.DataFrame:
    """Return a trial for each unjudged look that the order feed has caught up with, against what it was read against."""
    return unjudged.join(points.filter("believed").select("pid", "complete_to", "read_lag"), on="pid").filter(
        pl.col("complete_to") >= pl.col("reach")
    ).select(
        "pid",
        pl.lit(value=True).alias("kept"),
        "observed_at",
        pl.col("reach") + GRAIN,
        (pl.col("observed_at") - pl.col("read_lag")).alias("fresh_from"),
        pl.col("raw").alias("seen"),
        *_TRIAL[6:],
    )  # fmt: skip
