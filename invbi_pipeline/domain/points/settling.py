"""How flights end and bases move (design.md section 2, rules 4 and 7)."""

from datetime import datetime, timedelta
from typing import NamedTuple

import polars as pl

from invbi_pipeline.domain.frames import BASES, FLIGHT_ENDS, POINT_KEY, empty
from invbi_pipeline.domain.points.inputs import GRAIN
from invbi_pipeline.domain.points.judging import clear
from invbi_pipeline.domain.words import PointState

__all__ = ["Remembered", "accept", "contained", "flight_ends", "moved", "outcomes"]

_FORGET_RETURNS = timedelta(days=1)  # a push that held this long says that no second writer is at work


def outcomes(view: pl.DataFrame) -> pl.DataFrame:
    """Return `view` with `outcome` of its newest flight and `move`: how the base moves at this look, or null (not compared).

    `view`: one row a point (`compared` or not): its candidate (as `effects.choose`), the newest flight (`newest`, its rank;
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
        pl.when(~flying | ~pl.col("compared"))
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
    return view.with_columns(outcome=outcome).with_columns(
        move=pl.when(~pl.col("compared"))
        .then(None)
        .when(~flying & ~pl.col("known"))
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
    if flying.is_empty():
        return empty(FLIGHT_ENDS)
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
    compared = pl.col("compared")
    looked = settled.select(
        "newest", "outcome", "compared", chosen_rank="rank",
        observed_at=pl.when(compared).then("observed_at"), read_back=pl.when(compared).then("quantity"),
    )[flying["pid"]]  # fmt: skip
    return (
        flying.hstack(looked)
        .with_columns(outcome=outcome)
        .select("correction_id", *POINT_KEY, "outcome", "read_back", "observed_at")
        .sort("correction_id")
    )


def moved(settled: pl.DataFrame, bases: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Return `bases` (BASES without its key, and `known`: it is one) after each whose `move` is not null has moved.

    `settled`: of all points, as `bases`. It carries, of the candidate's flight: `target`, `flight_withheld`, `flight_until`,
    `flight_from`, `flight_to`, `flight_units` (null for the base), and `new_listing`.
    """
    move = pl.col("move")
    of_flight = pl.col("rank") > 0
    landed = of_flight & move.is_in(["full", "candidate"])
    full, first, converged = move == "full", move == "first", move == "converged"
    # what the platform stamps within the second of the look may come after the read: what is known of it is contained by its id
    reached = pl.min_horizontal("complete_to", "observed_at") - GRAIN
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
    names = [name for name in BASES if name not in POINT_KEY]
    both = settled.hstack(bases.select(pl.col(name).alias(f"old_{name}") for name in names))
    send_ends = pl.col("absolute_at") + pl.col("visibility")
    taken_at_look = first | converged
    blur_from = pl.when(landed).then("absolute_at").when(taken_at_look).then("fresh_from").otherwise("old_blur_from")
    blur_to = pl.when(landed).then(send_ends).when(taken_at_look).then(pl.col("reach") + GRAIN).otherwise("old_blur_to")
    verified = pl.col("outcome") == "verified"
    lost = ((pl.col("outcome") == "not_landed") & pl.col("newest_accepted")).fill_null(value=False).cast(pl.Int64)
    overwritten = landed & (pl.col("outcome") == "mismatched").fill_null(value=False)
    held = (
        (pl.col("unexplained") == 0)
        & (pl.col("old_sent_at") > pl.col("old_returned_at"))
        & (pl.col("observed_at") - pl.col("old_sent_at") > _FORGET_RETURNS)
    ).fill_null(value=False)

    doubted = converged | (full & landed) | (~first & (pl.col("perhaps") > 0))
    # two judged looks ended it, and the number stands as the second saw it: nobody bought since what we have not seen
    as_judged = (pl.col("outcome") == "mismatched") & ~pl.col("judged_now") & (pl.col("unexplained") == pl.col("looks_u"))
    read_at = pl.when(as_judged.fill_null(value=False)).then("looks_at").otherwise("observed_at")

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
        "unsure_to": pl.when(doubted).then(read_at).otherwise("old_unsure_to"),
        "first_look_at": pl.when(first).then("observed_at").when(verified).then(None).otherwise("old_first_look_at"),
        "blur_from": pl.when(blur_to > as_of).then(blur_from),
        "blur_to": pl.when(blur_to > as_of).then(blur_to),
        "withheld": carried("flight_withheld", "withheld").fill_null(0),
        "withheld_until": carried("flight_until", "withheld_until"),
        "known_from": carried("flight_from", "known_from"),
        "known_to": carried("flight_to", "known_to"),
        "known_units": carried("flight_units", "known_units").fill_null(0),
        "returns": pl.when(held).then(0).otherwise(pl.col("old_returns").fill_null(0)),
        # a push that was never verified says nothing of a second writer: it is counted no more
        "returned_at": pl.when(overwritten).then("absolute_at").otherwise("old_returned_at"),
        "lost": pl.when(verified | (pl.col("seen") != pl.col("old_base")))
        .then(0)
        .otherwise(pl.col("old_lost").fill_null(0) + lost),
    }
    after = both.select(pl.when(move.is_not_null()).then(values[n].cast(BASES[n])).otherwise(f"old_{n}").alias(n) for n in names)
    told = ("why", "moved_at")
    same = pl.all_horizontal(pl.col(n).eq_missing(bases[n]) for n in names if n not in told) & bases["base"].is_not_null()
    stays = after.select(same).to_series()
    unmoved = pl.when(both["outcome"] == "unmoved").then(both["accepted"]).otherwise(0)
    still_there = pl.when(_moved_on(both)).then(0).otherwise("lost")
    return after.with_columns(
        *(pl.when(stays).then(bases[n]).otherwise(n).alias(n) for n in told),
        lost=still_there + unmoved,
        known=bases["known"] | both["move"].is_not_null(),
    )


def _moved_on(settled: pl.DataFrame) -> pl.Series:
    """Say where a number that outlived pushes is, by now, another one that nothing explains: what was said of it is over."""
    stands = pl.col("compared") & pl.col("newest").is_null() & pl.col("move").is_null()
    return settled.select((stands & (pl.col("unexplained") != pl.col("looks_u"))).fill_null(value=False)).to_series()


def contained(
    settled: pl.DataFrame, new: pl.DataFrame, rows: pl.DataFrame, old: pl.DataFrame, effects: pl.DataFrame
) -> pl.DataFrame:
    """Return the ids (CONTAINED with `pid`, without `look_at`) that the bases of `settled` contain beyond their `as_of`.

    Of all points: `settled` and `new`, the bases after they moved. `rows`: the effects that mattered to each trial
    (`effects.open_rows`); `old`: the lists so far; `effects`: all of them. Once the order feed is complete up to the base's
    look the list is folded into `as_of`, so it never grows.
    """
    if old.is_empty() and effects.is_empty():
        return old.select("pid", "effect_id", "contained")
    replaced = pl.col("move").is_not_null() & ~((pl.col("move") == "candidate") & (pl.col("rank") == 0))
    facts = settled.select(
        "move", "base_observed_at", look="observed_at", compared_as="tid", replaced=replaced.fill_null(value=False)
    ).hstack(new.select("as_of", "blur_from"))

    def of_full(some: pl.DataFrame) -> pl.DataFrame:
        return some.hstack(facts[some["pid"]]).filter(pl.col("move") == "full")

    stays = old.hstack(facts.select("replaced")[old["pid"]]).filter(~pl.col("replaced"))
    at = pl.col("stamped_at")
    added = of_full(rows.filter(pl.col("open") & pl.col("before"))).filter(
        pl.col("tid") == pl.col("compared_as"), at > pl.col("as_of")
    )
    again = of_full(old.select("pid", "effect_id")).join(
        effects.select("pid", "effect_id", "stamped_at"), on=["pid", "effect_id"]
    )  # fmt: skip
    doubted = pl.min_horizontal("as_of", "blur_from")
    again = again.filter((at > doubted) & (at <= pl.col("look")))
    blurred = of_full(effects.select("pid", "effect_id", "stamped_at")).filter(
        pl.col("look") > pl.col("base_observed_at"), at > pl.col("blur_from"), at <= pl.col("look")
    )
    every = pl.concat([frame.select("pid", "effect_id") for frame in (added, again, blurred)]).unique()
    return pl.concat([stays.select("pid", "effect_id", "contained"), every.with_columns(contained=pl.lit(value=True))])


class Remembered(NamedTuple):
    """What one merge remembers for the next: BASES, CONTAINED, LOOKS, UNJUDGED."""

    bases: pl.DataFrame
    contained: pl.DataFrame
    looks: pl.DataFrame
    unjudged: pl.DataFrame


def accept(old: Remembered, points: pl.DataFrame, keys: pl.DataFrame, now: datetime) -> Remembered:
    """Return what is remembered after a person accepted the number shown at the points of `keys` (POINT_KEY).

    Their base is the number that `points` (POINTS) shows, raw where it is below 0, containing all that the platform stamped up to
    that read. What was unexplained is so no more: no look before it counts. Points that are never compared stay as they are.
    """
    key = list(POINT_KEY)
    fixed = [PointState.UNMAPPED.value, PointState.COUNTED.value, PointState.UNTRACKED.value, PointState.UNKNOWN.value]
    chosen = points.join(keys.select(key), on=key, how="semi").filter(pl.col("raw").is_not_null() & ~pl.col("state").is_in(fixed))
    fresh = chosen.join(old.bases.select(*key, "returned_at", "sent_at", "unsure_to"), on=key, how="left").select(
        *key,
        pl.min_horizontal("raw", "reported").alias("base"),  # of a gross platform the raw number holds its reserved units too
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
    others, theirs = old.looks.join(fresh, on=key, how="anti"), old.looks.join(fresh, on=key, how="semi")
    forgotten = clear(theirs, pl.repeat(value=True, n=theirs.height, eager=True)).with_columns(unexplained=pl.lit(0, pl.Int64))
    looks = pl.concat([others, forgotten]).sort(key)
    bases = pl.concat([old.bases.join(fresh, on=key, how="anti"), fresh.select(old.bases.columns)]).sort(key)
    contained_ids, unjudged = (rows.join(fresh, on=key, how="anti") for rows in (old.contained, old.unjudged))
    return Remembered(bases, contained_ids, looks, unjudged)
