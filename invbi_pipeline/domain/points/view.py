"""One row a point: what its number is compared with, and all that the rules ask about."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.frames.schema import FLAG, INT, UTC, Schema, empty
from invbi_pipeline.domain.points.numbering import NUMBER, spread
from invbi_pipeline.domain.words import CorrectionState

__all__ = ["one_row_a_point"]

_ZERO = pl.lit(0, pl.Int64)
_LOST: Final[Schema] = {"pid": NUMBER, "lost_at_look": FLAG}
_OF_FLIGHTS: Final[Schema] = {
    "pid": NUMBER,
    **dict.fromkeys(("newest", "newest_shown", "in_flight", "target", "shown", "flight_withheld", "flight_units"), INT),
    **dict.fromkeys(("newest_at", "last_send_ended", "flight_until", "flight_from", "flight_to", "newest_held_from"), UTC),
    "newest_final": INT,
    "newest_held": INT,
    "newest_accepted": FLAG,
    "accepted": INT,
    "fitting": NUMBER,
}


def _lost_at_look(points: pl.DataFrame, flying: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    """Points where a kept look, judged now, read an older candidate after the visibility lag of the newest flight."""
    if judged.is_empty() or flying.is_empty():
        return empty(_LOST)
    newest = flying.sort("pid", "rank").group_by("pid", maintain_order=True).last().select("pid", "sent_at", newest="rank")
    both = judged.join(newest, on="pid")
    return (
        both.hstack(points[both["pid"]].select("visibility"))
        .filter("fits", pl.col("rank") < pl.col("newest"), pl.col("observed_at") > pl.col("sent_at") + pl.col("visibility"))
        .select("pid", lost_at_look=pl.lit(value=True))
    )


def _of_flights(flying: pl.DataFrame, present: pl.DataFrame, chosen: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """One row a point that has pushes in flight: the one it is compared with, the newest, and what that withheld.

    `present`: every trial of those points' present numbers; `chosen`: the one each of all points is compared with.
    """
    if flying.is_empty():
        return empty(_OF_FLIGHTS)
    flight = flying.select(
        "pid", "rank", "target", "shown", flight_withheld="withheld", flight_until="sent_at",
        flight_from="known_from", flight_to="known_to", flight_units="known_units",
    )  # fmt: skip
    accepted = pl.col("state") == CorrectionState.ACCEPTED.value  # of another it is not known whether it ever arrived
    newest = flying.group_by("pid").agg(
        newest=pl.col("rank").max(),
        newest_at=pl.col("sent_at").sort_by("rank").last(),
        newest_shown=pl.col("shown").sort_by("rank").last(),
        newest_accepted=accepted.sort_by("rank").last(),
        accepted=accepted.sum().cast(pl.Int64),
        last_send_ended=pl.col("send_ended_at").max(),
        in_flight=pl.len().cast(pl.Int64),
    )
    fitting = present.filter("fits").group_by("pid").agg(fitting=pl.len())
    of_newest = present.select("pid", newest="rank", newest_final="final")
    flight_held = held.filter(pl.col("rank") > 0).select(
        "pid", newest="rank", newest_held="remaining", newest_held_from="known_from"
    )
    return (
        newest.hstack(chosen[newest["pid"]].select("rank"))
        .join(flight, on=["pid", "rank"], how="left")
        .join(of_newest, on=["pid", "newest"], how="left")
        .join(fitting, on="pid", how="left")
        .join(flight_held, on=["pid", "newest"], how="left")
        .drop("rank")
    )


def one_row_a_point(
    points: pl.DataFrame, bases: pl.DataFrame, flying: pl.DataFrame, looks: pl.DataFrame,
    present: pl.DataFrame, chosen: pl.DataFrame, judged: pl.DataFrame, held: pl.DataFrame,
) -> pl.DataFrame:  # fmt: skip
    """One row a point: what its number was compared with, and all that the rules ask about.

    Of all points: `points`, `bases`, `looks`, `chosen`. Of some: `flying`, their trials `present`, `judged` (the looks that
    waited, now judged) and `held`.
    """

    def over_all(some: pl.DataFrame) -> pl.DataFrame:
        return spread(some.drop("pid"), some["pid"], points.height)

    of_base = held.filter(pl.col("rank") == 0)
    arrived_all = pl.col("believed") & (pl.col("complete_to") >= pl.col("base_until"))
    read_after = pl.col("last_send_ended").is_null() | (pl.col("read_began_at") >= pl.col("last_send_ended"))
    not_older = pl.col("base_observed_at").is_null() | (pl.col("observed_at") >= pl.col("base_observed_at"))
    joined = (
        points.hstack(chosen.drop("pid", "there", "kept", "observed_at", "reach", "fresh_from", "seen"))
        .hstack(
            bases.select(
                "known", "lost", "first_look_at", base_why="why", base_observed_at="observed_at", base_number="base",
                base_version="version",
            )
        )
        .hstack(looks.select(
            looks_before="looks", looks_previous_at="previous_at", looks_at="judged_at",
            looks_u=pl.when(pl.col("looks") > 0).then("unexplained"),
        ))
        .hstack(over_all(_of_flights(flying, present, chosen, held)))
        .hstack(over_all(of_base.select(
            "pid", base_held="remaining", base_held_from="known_from", base_until="until"
        )))
        .hstack(over_all(_lost_at_look(points, flying, judged)))
        .hstack(over_all(present.filter(pl.col("rank") == 0).select("pid", certain_of_base="certain")))
    )  # fmt: skip
    same_sign = (pl.col("looks_u").sign() == pl.col("unexplained").sign()) & (
        pl.col("looks_u").abs() >= pl.col("unexplained").abs()
    )
    return (
        joined.with_columns(
            base_certain=pl.when(pl.col("newest").is_null()).then("certain").otherwise("certain_of_base"),
        )
        .with_columns(
            pl.col("in_flight", "lost", "looks_before", "looks_u", "base_held", "newest_held", "base_certain").fill_null(0),
            pl.col("lost_at_look").fill_null(value=False),
            compared=(pl.col("live") & pl.col("believed") & read_after & not_older).fill_null(value=False),
            complete=(pl.col("complete_to") >= pl.col("reach")).fill_null(value=False),
            withheld=pl.when(pl.col("newest").is_not_null())
            .then("newest_held")
            .when(arrived_all.fill_null(value=False))
            .then(_ZERO)
            .otherwise("base_held")
            .fill_null(0),
        )
        .with_columns(
            offer=pl.max_horizontal(pl.col("offer_raw") - pl.col("withheld"), _ZERO),
            judged_now=pl.col("complete")
            & pl.col("compared")
            & ((pl.col("observed_at") > pl.col("looks_at")) | pl.col("looks_at").is_null()),
        )
        .with_columns(offer=pl.when(pl.col("offer_raw").is_not_null()).then("offer"))
        .with_columns(
            judged=pl.col("compared") & (pl.col("complete") | ((pl.col("looks_before") > 0) & same_sign).fill_null(value=False))
        )
    )
