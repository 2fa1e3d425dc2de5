"""What a look may be compared with: the base, and one candidate for each push in flight (design.md section 2, rule 7)."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import FLIGHTS, UNJUDGED, UTC, Schema, empty, fit
from invbi_pipeline.domain.points.inputs import GRAIN
from invbi_pipeline.domain.points.numbering import NUMBER, spread
from invbi_pipeline.domain.words import Basis, CorrectionKind, CorrectionState

__all__ = ["FLYING", "flights", "kept", "own", "pushed", "ranked"]

FLYING: Final = tuple(s.value for s in (CorrectionState.SENDING, CorrectionState.ACCEPTED, CorrectionState.AMBIGUOUS))

_WINDOWS: Final[Schema] = {"pid": NUMBER, "window_from": UTC, "window_to": UTC}
_TRIAL: Final = (
    "pid",
    "there",
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
_SETTLED: Final = (pl.col("observed_at") > pl.col("window_to")).fill_null(value=False)  # the look is past all of these lags


def flights(corrections: pl.DataFrame, systems: pl.DataFrame) -> pl.DataFrame:
    """Return the pushes not yet ended (FLIGHTS) of `corrections` (CORRECTIONS); `systems` (SYSTEMS) says which are gross.

    A net platform is overwritten by the send, so its candidate contains all that was stamped before it; a gross platform goes
    on subtracting its own open orders, so its candidate contains what the read behind the push contained.
    """
    gross = pl.col("basis") == Basis.GROSS.value
    open_sets = (
        corrections.filter(pl.col("state").is_in(FLYING) & (pl.col("kind") == CorrectionKind.SET.value))
        .join(systems.select("system", "basis"), on="system", how="left")
        .with_columns(sent_at=pl.coalesce("sent_at", "send_ended_at", "planned_at"))
        .with_columns(
            contains_to=pl.when(gross.fill_null(value=False)).then("observed_at").otherwise("sent_at"),
            withheld=pl.col("withheld").fill_null(0),
            known_units=pl.col("known_units").fill_null(0),
        )
    )
    return fit(open_sets, FLIGHTS)


def ranked(flying: pl.DataFrame) -> pl.DataFrame:
    """Return `flying` (FLIGHTS with `pid`) with `rank`: 1 for the oldest of its point, then 2, ..."""
    return flying.sort("pid", "sent_at", "correction_id").with_columns(
        rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("pid")
    )


def own(points: pl.DataFrame, bases: pl.DataFrame, flying: pl.DataFrame) -> pl.DataFrame:
    """Return a trial for the present number of each point, in the order of the points: against its base.

    A point without base and without flights is compared with its own number: that is what its first look makes of it. `there`
    is false where there is nothing to compare: the point is not live, or has flights and no base; its `number` is null then.
    Once the pushes would show, had they landed, a base is read only where they did not: then no send wrote over an effect.
    """
    flies = pl.col("pid").is_in(flying["pid"].unique().implode())
    first = ~pl.col("known") & ~flies
    windows = _windows(points, flying)
    beside = points.hstack(bases.select("known", "base", "as_of", "blur_from", "blur_to", absolute_at="sent_at"))
    return (
        beside.hstack(spread(windows.drop("pid"), windows["pid"], points.height))
        .with_columns(
            there=pl.col("live") & (pl.col("known") | first),
            kept=pl.lit(value=False),
            reach=pl.col("reach") + GRAIN,
            correction_id=pl.lit(""),
            rank=pl.lit(0, pl.Int64),
            number=pl.when("live").then(pl.when("known").then("base").when(first).then("seen")),
            as_of=pl.when(first).then("observed_at").otherwise("as_of"),
            window_from=pl.when(~_SETTLED).then("window_from"),
            window_to=pl.when(~_SETTLED).then("window_to"),
        )
        .select(_TRIAL)
    )


def pushed(points: pl.DataFrame, flying: pl.DataFrame) -> pl.DataFrame:
    """Return a trial for the present number of each live point against each of its pushes in flight.

    Once the last of them would show, had it landed, a push that is read was the last to land: only its own send may have
    written over an effect.
    """
    looks = points[flying["pid"]].select("live", "observed_at", "fresh_from", "seen", "visibility", reach=pl.col("reach") + GRAIN)
    return (
        flying.select("pid", "correction_id", "rank", as_of="contains_to", absolute_at="sent_at", number="target")
        .hstack(looks)
        .filter("live")
        .join(_windows(points, flying), on="pid")
        .with_columns(
            there=pl.lit(value=True),
            kept=pl.lit(value=False),
            blur_from=pl.lit(None, UNJUDGED["blur_from"]),
            blur_to=pl.lit(None, UNJUDGED["blur_to"]),
            window_from=pl.when(_SETTLED).then("absolute_at").otherwise("window_from"),
            window_to=pl.when(_SETTLED).then(pl.col("absolute_at") + pl.col("visibility")).otherwise("window_to"),
        )
        .select(_TRIAL)
    )


def _windows(points: pl.DataFrame, flying: pl.DataFrame) -> pl.DataFrame:
    """Return `pid`, and the time from the first send of a point's flights to the last visibility lag."""
    if flying.is_empty():
        return empty(_WINDOWS)
    lags = flying.select("pid", "sent_at").hstack(points[flying["pid"]].select("visibility"))
    return lags.group_by("pid").agg(
        window_from=pl.col("sent_at").min(), window_to=(pl.col("sent_at") + pl.col("visibility")).max()
    )


def kept(points: pl.DataFrame, unjudged: pl.DataFrame) -> pl.DataFrame:
    """Return a trial for each unjudged look that the order feed has caught up with, against what it was read against."""
    looks = unjudged.hstack(points[unjudged["pid"]].select("believed", "complete_to", "read_lag"))
    return looks.filter("believed", pl.col("complete_to") >= pl.col("reach")).select(
        "pid",
        pl.lit(value=True).alias("there"),
        pl.lit(value=True).alias("kept"),
        "observed_at",
        pl.col("reach") + GRAIN,
        (pl.col("observed_at") - pl.col("read_lag")).alias("fresh_from"),
        pl.col("raw").alias("seen"),
        *_TRIAL[7:],
    )
