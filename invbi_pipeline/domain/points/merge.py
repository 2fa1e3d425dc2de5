"""The three-way merge: the rules of design.md section 2 in their order, for every point at once."""

from datetime import datetime

import polars as pl

from invbi_pipeline.domain.frames import BASES, LOOKS, POINT_KEY, POINTS, UNJUDGED
from invbi_pipeline.domain.points import candidates, deciding, judging, remembering, settling, withholding
from invbi_pipeline.domain.points.effects import choose, compared, open_rows
from invbi_pipeline.domain.points.inputs import GRAIN, MergeInputs, MergeResult, ready, with_ids
from invbi_pipeline.domain.points.view import one_row_a_point

__all__ = ["merge"]

_ZERO = pl.lit(0, pl.Int64)
_KEY = list(POINT_KEY)


def merge(inputs: MergeInputs, now: datetime, run_id: str) -> MergeResult:
    """Compare every number with its base, its flights and its offer.

    In: see `MergeInputs`. Out: POINTS sorted by its key, and the frames to remember. `now` is our clock and only marks when a
    base moved. Run twice on the same inputs (with the remembered frames of the first run) it changes nothing.
    """
    points = ready(inputs)
    bases = with_ids(inputs.bases, points)
    flying = candidates.ranked(with_ids(inputs.flights, points))
    effects = with_ids(inputs.effects, points).unique(["pid", "effect_id"], keep="any")
    lists = with_ids(inputs.contained, points).with_columns(kept=pl.col("look_at").is_not_null())
    looks = with_ids(inputs.looks, points).drop(POINT_KEY)
    unjudged = with_ids(inputs.unjudged, points).drop(POINT_KEY)

    trials = pl.concat([candidates.current(points, bases, flying), candidates.kept(points, unjudged)]).with_row_index("tid")
    rows = open_rows(trials, effects, lists)
    tried = compared(trials, rows)
    chosen = choose(tried)
    held = withholding.remaining(bases, flying, effects)

    before = looks.select("pid", known_before=pl.col("confirmed") != 0)
    looks, taken_late, caught_up = _judge_kept(looks, chosen, unjudged, bases)
    # two looks agree only now that the feed has caught up, and our own push may have put the number right meanwhile
    agreed_late = (
        looks.join(before, on="pid", how="left")
        .filter((pl.col("confirmed") != 0) & ~pl.col("known_before").fill_null(value=False))
        .select("pid", units="confirmed", since="since", at="first_at")
    )
    view = one_row_a_point(points, bases, flying, looks, tried, chosen, held)
    view = view.with_columns(new_listing=pl.col("system").is_in(inputs.bases["system"].unique().implode()))
    settled = settling.outcomes(view.filter("compared"))
    new = settling.moved(settled, bases, now)
    bases_now = pl.concat([bases.join(new, on="pid", how="anti"), new.select(bases.columns)])
    own = lists.filter(~pl.col("kept"))
    lists_now = settling.contained(settled, new, rows, own, effects)

    taken = judging.taken(looks, settled.filter(pl.col("outcome") == "verified").select("pid", push_at="newest_at"))
    view = view.join(settled.select("pid", "outcome", "move"), on="pid", how="left")
    view, bases_now = deciding.carry(view, bases_now)
    looks = judging.step(looks, deciding.judged_now(view, bases_now))
    looks = judging.clear(looks, settled.filter(pl.col("move").is_in(["full", "converged", "first"])))
    view = deciding.decide(view, looks, bases_now, pl.concat([taken_late, taken, agreed_late]), caught_up)

    fresh, fresh_lists = remembering.to_keep(view, tried, own)
    unjudged_now = judging.remember(unjudged, caught_up, fresh)
    waiting = unjudged.join(caught_up.select("pid"), on="pid", how="anti").select("pid")
    fresh_lists = fresh_lists.join(waiting, on="pid", how="anti")
    bases_now = deciding.count_returns(bases_now, view, caught_up)
    final = _points(_known(view, effects), bases_now, run_id)
    return MergeResult(
        points=final,
        bases=remembering.with_others(inputs.bases, points, remembering.keyed(bases_now, points, BASES)),
        contained=remembering.contained_out(inputs.contained, points, lists_now, lists, fresh_lists, unjudged_now),
        looks=remembering.with_others(inputs.looks, points, remembering.keyed(looks, points, LOOKS)),
        unjudged=remembering.with_others(inputs.unjudged, points, remembering.keyed(unjudged_now, points, UNJUDGED)),
        flight_ends=settling.flight_ends(flying, settled),
        broken_identity=final.filter(
            pl.col("base").is_not_null() & ~(pl.col("gap").eq_missing(pl.col("unexplained") - pl.col("pending")))
        ),
    )


def _judge_kept(
    looks: pl.DataFrame, chosen: pl.DataFrame, unjudged: pl.DataFrame, bases: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Judge the looks that waited for the order feed: the new LOOKS, what our pushes took away, and who was judged."""
    then = unjudged.unique("pid").select("pid", "since", u_then="unexplained", g_then="gap")
    judged = (
        chosen.filter("kept")
        .join(then, on="pid")
        .join(bases.select("pid", moved_at_look="observed_at", push_at="sent_at"), on="pid", how="left")
        .select(
            "pid",
            "push_at",
            at="observed_at",
            u="unexplained",
            g=pl.col("g_then") - pl.col("u_then") + pl.col("unexplained"),
            since_base="since",
            superseded=(pl.col("moved_at_look") >= pl.col("observed_at")).fill_null(value=False),
        )
    )
    taken = judged.filter(
        (pl.col("u") != 0) & pl.col("superseded") & (pl.col("push_at") >= pl.col("at")).fill_null(value=False)
    ).select("pid", units="u", since="since_base", at="at")
    return judging.step(looks, judged), taken, judged.select("pid", "at", "u", "superseded")


def _known(view: pl.DataFrame, effects: pl.DataFrame) -> pl.DataFrame:
    """Add which effects will explain the units that a push now would withhold: those of a window, beyond a known sum."""
    from_ = pl.when(pl.col("withheld") > 0).then(pl.min_horizontal("held_from", "as_of")).otherwise("as_of")
    windows = view.select("pid", wid="pid", known_from=from_, known_to=pl.col("reach") + GRAIN)
    holding = windows.join(view.filter(pl.col("target").is_not_null() & (pl.col("withhold") > 0)).select("pid"), on="pid")
    return view.join(
        withholding.known_sums(holding, effects).select("pid", "known_from", "known_to", known_units="sum_now"),
        on="pid",
        how="left",
    )


def _points(view: pl.DataFrame, bases: pl.DataFrame, run_id: str) -> pl.DataFrame:
    """The view as POINTS."""
    after = bases.select("pid", looked_first="first_look_at", returns_now="returns")
    shown = pl.col("live")
    return (
        view.drop("first_look_at")
        .join(after, on="pid", how="left")
        .with_columns(
            run_id=pl.lit(run_id),
            base=pl.when(shown).then("number"),
            raw=pl.col("quantity"),
            first_look=pl.col("looked_first").is_not_null(),
            first_look_at=pl.col("looked_first"),
            returns=pl.col("returns_now").fill_null(0),
            standing=pl.when(shown).then("standing"),
            unexplained=pl.when(shown).then("unexplained"),
            known_units=pl.col("known_units").fill_null(0),
        )
        .select(pl.col(name).cast(kind) for name, kind in POINTS.items())
        .sort(_KEY)
    )
