"""How flights end and bases move (design.md section 2, rules 4 and 7)."""

from datetime import datetime, timedelta

import polars as pl

from invbi_pipeline.domain.frames import BASES, POINT_KEY
from invbi_pipeline.domain.points.inputs import GRAIN
from invbi_pipeline.domain.words import PointState

__all__ = ["accept", "contained", "flight_ends", "moved", "outcomes"]

_FORGET_RETURNS = timedelta(days=1)  # a push that held this long says that no second writer is at work


def outcomes(chosen: pl.DataFrame) -> pl.DataFrame:
    """Return `chosen` with `outcome` of its newest flight and `move`: how the base moves at this look, or null.

    `chosen`: one row a compared point: its candidate (as `effects.choose`), the newest flight (`newest`, its rank;
    `newest_at`, the platform's time of its send; `lost_at_look`: a judged look after its lag read another candidate),
    `looks_before`, `looks_previous_at`, `looks_at` (judged looks before this one), `complete`, `judged_now`, `judged`, `known`
    (it has a base), `offer`, `fitting` (how many candidates fit), `target` and `shown` of the candidate's flight.

    That a push did not land is said only once the order feed is complete: a push that landed and was followed by a sale nobody
    has seen yet can look just like it, and pushing again would sell that unit twice.

    A judged look after the lag that reads the very number the push was to mend, drift and all, says that it did not land
    (`unmoved`: the base stays, and goes on counting lost pushes); two that read any other number which fits no candidate say
    that somebody wrote over it (`mismatched`).

    `move`: full (the number is the base and contains all that was stamped before the look and is known), converged (all that
    the platform stamped up to the look), candidate (a flight ended otherwise: the candidate read is the base), first.
    """
    flying = pl.col("newest").is_not_null()
    fits, exact = pl.col("fits"), pl.col("exact")
    late = pl.col("observed_at") > pl.col("newest_at") + pl.col("visibility")
    sure = pl.col("doubtful") == 0
    proves = (pl.col("fitting") == 1) & (pl.col("target") != pl.col("shown")).fill_null(value=True)
    after = pl.col("newest_at")
    misfits = (pl.col("judged_now") & (pl.col("looks_before") >= 1) & (pl.col("looks_at") > after)) | (
        (pl.col("looks_before") >= 2) & (pl.col("looks_previous_at") > after)
    )
    on_newest = pl.col("rank") == pl.col("newest")
    # the very number that the push was to mend, still there in a judged look after the lag: it was lost, nobody wrote over it
    judged_late = pl.col("judged_now") | ((pl.col("looks_before") >= 1) & (pl.col("looks_at") > after + pl.col("visibility")))
    unmoved = pl.col("known") & judged_late & (pl.col("seen") == pl.col("newest_shown"))
    outcome = (
        pl.when(~flying)
        .then(None)
        .when(on_newest & fits & (late | proves) & (exact | (late & sure)))
        .then(pl.lit("verified"))
        .when((pl.col("rank") < pl.col("newest")) & fits & late & (pl.col("complete") | pl.col("lost_at_look")))
        .then(pl.lit("not_landed"))
        .when(~fits & late & unmoved.fill_null(value=False))
        .then(pl.lit("unmoved"))
        .when(~fits & late & misfits.fill_null(value=False))
        .then(pl.lit("mismatched"))
        .otherwise(pl.lit("still"))
    )
    gap = pl.col("seen").clip(lower_bound=0) - pl.col("offer")
    blur_past = (pl.col("blur_to") <= pl.col("fresh_from")).fill_null(value=False)
    ended = pl.col("outcome").is_in(["not_landed", "mismatched"])
    return chosen.with_columns(outcome=outcome).with_columns(
        move=pl.when(~flying & ~pl.col("known"))
        .then(pl.lit("first"))
        .when((pl.col("outcome") == "verified") | (ended & exact))
        .then(pl.lit("full"))
        .when((pl.col("outcome") == "mismatched") & (gap == 0))
        .then(pl.lit("converged"))
        .when(ended)
        .then(pl.lit("candidate"))
        .when(~flying & (exact | (fits & blur_past & sure)))
        .then(pl.lit("full"))
        .when(~flying & ~fits & (gap == 0) & (pl.col("judged") | (pl.col("unexplained") > 0)))
        .then(pl.lit("converged"))
    )


def flight_ends(flying: pl.DataFrame, settled: pl.DataFrame) -> pl.DataFrame:
    """Return each flight of `flying` (FLIGHTS with `pid`, `rank`) with what `settled` (see `outcomes`) says of it."""
    newest = pl.col("rank") == pl.col("newest")
    older = pl.col("rank") < pl.col("newest")
    chosen = pl.col("chosen_rank")
    outcome = (
        pl.when(pl.col("outcome").is_null() | (pl.col("outcome") == "still"))
        .then(pl.lit("still"))
        .when(pl.col("outcome") == "unmoved")
        .then(pl.lit("not_landed"))
        .when((pl.col("outcome") == "not_landed") & (pl.col("rank") > chosen))
        .then(pl.lit("not_landed"))
        .when((pl.col("outcome") == "not_landed") & (pl.col("rank") == chosen))
        .then(pl.lit("verified"))
        .when(older)
        .then(pl.lit("superseded"))
        .when(newest)
        .then("outcome")
        .otherwise(pl.lit("still"))
    )
    looked = settled.select("pid", "newest", "outcome", "observed_at", chosen_rank="rank", read_back="quantity")
    return (
        flying.join(looked, on="pid", how="left")
        .with_columns(outcome=outcome)
        .select("correction_id", *POINT_KEY, "outcome", "read_back", "observed_at")
        .sort("correction_id")
    )


def moved(settled: pl.DataFrame, bases: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Return the new base (BASES with `pid`) of every point of `settled` whose `move` is not null.

    `settled` carries, of the candidate's flight: `target`, `flight_withheld`, `flight_until`, `flight_from`, `flight_to`,
    `flight_units` (null for the base), and `new_listing`. `bases` with `pid`: the old ones.
    """
    move = pl.col("move")
    of_flight = pl.col("rank") > 0
    landed = of_flight & move.is_in(["full", "candidate"])
    full, first, converged = move == "full", move == "first", move == "converged"
    reached = pl.min_horizontal("complete_to", "observed_at")
    reached = pl.when(pl.col("complete_to").is_not_null()).then(reached)
    as_of = pl.when(first | converged).then("observed_at").when(full).then(pl.max_horizontal("as_of", reached)).otherwise("as_of")
    why = (
        pl.when(first)
        .then(pl.when("new_listing").then(pl.lit("new_listing")).otherwise(pl.lit("first_look")))
        .when(converged)
        .then(pl.lit("converged"))
        .when(pl.col("outcome") == "verified")
        .then(pl.lit("verified"))
        .when(pl.col("outcome").is_in(["not_landed", "mismatched"]))
        .then(pl.lit("flight_ended"))
        .otherwise(pl.lit("agreed"))
    )
    old = bases.select("pid", *(pl.col(name).alias(f"old_{name}") for name in BASES if name not in POINT_KEY))
    send_ends = pl.col("absolute_at") + pl.col("visibility")
    taken_at_look = first | converged
    blur_from = pl.when(landed).then("absolute_at").when(taken_at_look).then("fresh_from").otherwise("old_blur_from")
    blur_to = pl.when(landed).then(send_ends).when(taken_at_look).then(pl.col("reach") + GRAIN).otherwise("old_blur_to")
    verified = pl.col("outcome") == "verified"
    lost = (pl.col("outcome") == "not_landed").fill_null(value=False).cast(pl.Int64)
    held = (
        (pl.col("unexplained") == 0)
        & (pl.col("old_sent_at") > pl.col("old_returned_at"))
        & (pl.col("observed_at") - pl.col("old_sent_at") > _FORGET_RETURNS)
    ).fill_null(value=False)

    doubted = converged | (full & landed) | (~first & (pl.col("perhaps") > 0))

    def carried(flight: str, base: str) -> pl.Expr:
        return pl.when(landed).then(flight).when(first).then(None).otherwise(f"old_{base}")

    values = {
        "base": pl.when(move == "candidate").then("number").otherwise("seen"),
        "version": pl.when(move == "candidate").then("old_version").otherwise("version"),
        "as_of": as_of,
        "why": why,
        "moved_at": pl.lit(now).cast(BASES["moved_at"]),
        "observed_at": pl.col("observed_at"),
        "sent_at": pl.when(landed).then("absolute_at").otherwise("old_sent_at"),
        "unsure_to": pl.when(doubted).then("observed_at").otherwise("old_unsure_to"),
        "first_look_at": pl.when(first).then("observed_at").when(verified).then(None).otherwise("old_first_look_at"),
        "blur_from": pl.when(blur_to > as_of).then(blur_from),
        "blur_to": pl.when(blur_to > as_of).then(blur_to),
        "withheld": carried("flight_withheld", "withheld").fill_null(0),
        "withheld_until": carried("flight_until", "withheld_until"),
        "known_from": carried("flight_from", "known_from"),
        "known_to": carried("flight_to", "known_to"),
        "known_units": carried("flight_units", "known_units").fill_null(0),
        "returns": pl.when(held).then(0).otherwise(pl.col("old_returns").fill_null(0)),
        "returned_at": pl.col("old_returned_at"),
        "lost": pl.when(verified | (pl.col("seen") != pl.col("old_base")))
        .then(0)
        .otherwise(pl.col("old_lost").fill_null(0) + lost),
    }
    joined = settled.filter(move.is_not_null()).join(old, on="pid", how="left")
    fresh = joined.select("pid", *POINT_KEY, *(values[n].cast(BASES[n]).alias(n) for n in BASES if n not in POINT_KEY))
    same = joined.select(
        "pid", same=pl.all_horizontal(
            values[n].cast(BASES[n]).eq_missing(pl.col(f"old_{n}")) for n in values if n not in ("why", "moved_at")
        ) & pl.col("old_base").is_not_null(),
    )  # fmt: skip
    unchanged = same.filter("same").select("pid")
    unmoved = settled.filter(pl.col("outcome") == "unmoved").select("pid", "in_flight")
    return pl.concat(
        [
            fresh.join(unchanged, on="pid", how="anti"),
            bases.join(unchanged, on="pid").select(fresh.columns),
            bases.join(unmoved, on="pid").with_columns(pl.col("lost") + pl.col("in_flight")).select(fresh.columns),
        ]
    )


def contained(
    settled: pl.DataFrame, new: pl.DataFrame, rows: pl.DataFrame, old: pl.DataFrame, effects: pl.DataFrame
) -> pl.DataFrame:
    """Return the ids (CONTAINED with `pid`, without `look_at`) that the bases of `settled` contain beyond their `as_of`.

    `new`: the moved bases; `rows`: the effects that mattered to each trial (`effects.open_rows`); `old`: the lists so far.
    Once the order feed is complete up to the base's look the list is folded into `as_of`, so it never grows.
    """
    replaced = settled.filter(pl.col("move").is_not_null() & ~((pl.col("move") == "candidate") & (pl.col("rank") == 0)))
    stays = old.join(replaced.select("pid"), on="pid", how="anti")
    full = settled.filter(pl.col("move") == "full").select("pid", "tid", "observed_at", "base_observed_at")
    full = full.join(new.select("pid", "as_of", "blur_from"), on="pid")
    newer = full.filter((pl.col("observed_at") > pl.col("base_observed_at")) & pl.col("blur_from").is_not_null())
    at = pl.col("stamped_at")
    added = (
        rows.filter(pl.col("open") & pl.col("before"))
        .join(full.select("tid", "as_of", "blur_from"), on="tid")
        .filter(at > pl.col("as_of"))
        .select("pid", "effect_id")
    )
    again = old.select("pid", "effect_id").join(full.select("pid", "as_of", "blur_from", "observed_at"), on="pid")
    again = again.join(effects.select("pid", "effect_id", "stamped_at"), on=["pid", "effect_id"])
    doubted = pl.min_horizontal("as_of", "blur_from")
    again = again.filter((at > doubted) & (at <= pl.col("observed_at"))).select("pid", "effect_id")
    blurred = effects.join(newer, on="pid").filter((at > pl.col("blur_from")) & (at <= pl.col("observed_at")))
    return pl.concat(
        [
            stays.select("pid", "effect_id", "contained"),
            pl.concat([added, again, blurred.select("pid", "effect_id")]).unique().with_columns(contained=pl.lit(value=True)),
        ]
    )


def accept(bases: pl.DataFrame, contained_ids: pl.DataFrame, points: pl.DataFrame, keys: pl.DataFrame, now: datetime) -> tuple[
    pl.DataFrame, pl.DataFrame
]:  # fmt: skip
    """Return `bases` and CONTAINED after a person accepted the number shown at the points of `keys` (POINT_KEY).

    Their base is the number reported in `points` (POINTS), containing all that the platform stamped up to that read.
    """
    key = list(POINT_KEY)
    fixed = [PointState.UNMAPPED.value, PointState.COUNTED.value, PointState.UNTRACKED.value, PointState.UNKNOWN.value]
    chosen = points.join(keys.select(key), on=key, how="semi").filter(pl.col("raw").is_not_null() & ~pl.col("state").is_in(fixed))
    fresh = chosen.join(bases.select(*key, "returned_at", "sent_at", "unsure_to"), on=key, how="left").select(
        *key,
        pl.col("reported").alias("base"),
        "version",
        pl.col("observed_at").alias("as_of"),
        pl.lit("accepted").alias("why"),
        pl.lit(now).cast(BASES["moved_at"]).alias("moved_at"),
        "observed_at",
        "sent_at",
        "unsure_to",
        *(pl.lit(None, BASES[n]).alias(n) for n in ("first_look_at", "blur_from", "blur_to")),
        pl.lit(0, pl.Int64).alias("withheld"),
        *(pl.lit(None, BASES[n]).alias(n) for n in ("withheld_until", "known_from", "known_to")),
        *(pl.lit(0, pl.Int64).alias(n) for n in ("known_units", "returns")),
        "returned_at",
        pl.lit(0, pl.Int64).alias("lost"),
    )
    others = bases.join(fresh, on=key, how="anti")
    lists = contained_ids.join(fresh, on=key, how="anti", nulls_equal=True)
    return pl.concat([others, fresh.select(bases.columns)]).sort(key), lists
