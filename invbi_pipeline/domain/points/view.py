"""One row a point: what its number is compared with, and all that the rules ask about."""

import polars as pl

__all__ = ["one_row_a_point"]

_ZERO = pl.lit(0, pl.Int64)


def _lost_at_look(points: pl.DataFrame, flying: pl.DataFrame, chosen: pl.DataFrame) -> pl.DataFrame:
    """Points where a kept look, judged now, read an older candidate after the visibility lag of the newest flight."""
    newest = flying.sort("pid", "rank").group_by("pid", maintain_order=True).last().select("pid", "sent_at", newest="rank")
    return (
        chosen.filter("kept")
        .join(newest, on="pid")
        .join(points.select("pid", "visibility"), on="pid")
        .filter("fits", pl.col("rank") < pl.col("newest"), pl.col("observed_at") > pl.col("sent_at") + pl.col("visibility"))
        .select("pid", lost_at_look=pl.lit(value=True))
    )


def one_row_a_point(
    points: pl.DataFrame, bases: pl.DataFrame, flying: pl.DataFrame, looks: pl.DataFrame,
    tried: pl.DataFrame, chosen: pl.DataFrame, held: pl.DataFrame,
) -> pl.DataFrame:  # fmt: skip
    """One row a point: what its number was compared with, and all that the rules ask about."""
    candidate = chosen.filter(~pl.col("kept")).drop("kept", "observed_at", "reach", "fresh_from", "seen")
    flight = flying.select(
        "pid", "rank", "target", "shown", flight_withheld="withheld", flight_until="sent_at",
        flight_from="known_from", flight_to="known_to", flight_units="known_units",
    )  # fmt: skip
    newest = flying.group_by("pid").agg(
        newest=pl.col("rank").max(),
        newest_at=pl.col("sent_at").sort_by("rank").last(),
        newest_shown=pl.col("shown").sort_by("rank").last(),
        last_send_ended=pl.col("send_ended_at").max(),
        in_flight=pl.len().cast(pl.Int64),
    )
    fitting = tried.filter(~pl.col("kept") & pl.col("fits")).group_by("pid").agg(fitting=pl.len())
    of_newest = tried.filter(~pl.col("kept")).select("pid", newest="rank", newest_final="final")
    base = bases.select(
        "pid", "lost", base_why="why", base_observed_at="observed_at", base_number="base", base_version="version",
        first_look_at="first_look_at", known=pl.lit(value=True),
    )  # fmt: skip
    before = looks.select(
        "pid", looks_before="looks", looks_previous_at="previous_at", looks_at="judged_at", looks_u="unexplained"
    )
    base_held = held.filter(pl.col("rank") == 0).select("pid", base_held="remaining", base_held_from="known_from")
    base_held = base_held.join(held.filter(pl.col("rank") == 0).select("pid", base_until="until"), on="pid")
    flight_held = held.filter(pl.col("rank") > 0).select(
        "pid", newest="rank", newest_held="remaining", newest_held_from="known_from"
    )
    arrived_all = pl.col("believed") & (pl.col("complete_to") >= pl.col("base_until"))
    read_after = pl.col("last_send_ended").is_null() | (pl.col("read_began_at") >= pl.col("last_send_ended"))
    not_older = pl.col("base_observed_at").is_null() | (pl.col("observed_at") >= pl.col("base_observed_at"))
    certain = tried.filter(~pl.col("kept") & (pl.col("rank") == 0)).select("pid", base_certain="certain")
    joined = (
        points.join(candidate, on="pid", how="left")
        .join(flight, on=["pid", "rank"], how="left")
        .join(newest, on="pid", how="left")
        .join(of_newest, on=["pid", "newest"], how="left")
        .join(base, on="pid", how="left")
        .join(before, on="pid", how="left")
        .join(base_held, on="pid", how="left")
        .join(fitting, on="pid", how="left")
        .join(_lost_at_look(points, flying, chosen), on="pid", how="left")
        .join(flight_held, on=["pid", "newest"], how="left")
        .join(certain, on="pid", how="left")
    )
    same_sign = (pl.col("looks_u").sign() == pl.col("unexplained").sign()) & (
        pl.col("looks_u").abs() >= pl.col("unexplained").abs()
    )
    return (
        joined.with_columns(
            pl.col("in_flight", "lost", "looks_before", "looks_u", "base_held", "newest_held", "base_certain").fill_null(0),
            pl.col("known", "lost_at_look").fill_null(value=False),
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
