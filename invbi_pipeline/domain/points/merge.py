"""The three-way merge: the rules of design.md section 2 in their order, for every point at once."""

from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import BASES, LOOKS, POINT_KEY, POINTS, UNJUDGED, empty, fit
from invbi_pipeline.domain.frames.schema import FLAG, INT, UTC, Schema
from invbi_pipeline.domain.points import candidates, deciding, judging, remembering, settling, withholding
from invbi_pipeline.domain.points.effects import choose, compared, open_rows
from invbi_pipeline.domain.points.inputs import GRAIN, MergeInputs, MergeResult, ready
from invbi_pipeline.domain.points.numbering import NUMBER, put, spread, with_ids
from invbi_pipeline.domain.points.remembering import contained_out, keyed, with_others
from invbi_pipeline.domain.points.view import one_row_a_point

__all__ = ["merge"]

_ZERO = pl.lit(0, pl.Int64)
_CAUGHT_UP: Final[Schema] = {"pid": NUMBER, "at": UTC, "u": INT, "superseded": FLAG}


def merge(inputs: MergeInputs, now: datetime, run_id: str) -> MergeResult:
    """Compare every number with its base, its flights and its offer.

    In: see `MergeInputs`. Out: POINTS sorted by its key, and the frames to remember. `now` is our clock and only marks when a
    base moved. Run twice on the same inputs (with the remembered frames of the first run) it changes nothing.
    """
    points, numbers = ready(inputs)
    remembered = ("bases", "looks", "contained", "unjudged")
    of = {name: numbers.number(getattr(inputs, name)) for name in remembered}
    bases = inputs.bases.drop(POINT_KEY).with_columns(known=pl.lit(value=True))
    bases = spread(bases, of["bases"], points.height).with_columns(pl.col("known").fill_null(value=False))
    looks = spread(inputs.looks.select(judging.LOOK), of["looks"], points.height)
    flying = candidates.ranked(with_ids(inputs.flights, numbers.number(inputs.flights)))
    effects = with_ids(inputs.effects, numbers.number(inputs.effects)).unique(["pid", "effect_id"], keep="any")
    lists = with_ids(inputs.contained, of["contained"]).with_columns(kept=pl.col("look_at").is_not_null())
    unjudged = with_ids(inputs.unjudged, of["unjudged"]).drop(POINT_KEY)

    tried = [candidates.own(points, bases, flying)]
    if not flying.is_empty():
        tried.append(candidates.pushed(points, flying))
    if not unjudged.is_empty():
        tried.append(candidates.kept(points, unjudged))
    trials = pl.concat(tried).with_row_index("tid")
    rows = open_rows(trials, effects, lists)
    trials = compared(trials, rows)
    own, others = trials.head(points.height), trials.tail(-points.height)
    pushed, waited = others.filter(~pl.col("kept")), choose(others.filter("kept"))
    present = pushed if pushed.is_empty() else pl.concat([own[pushed["pid"].unique()].filter("there"), pushed])
    chosen = put(own, choose(present))
    held = withholding.remaining(bases, flying, effects)

    before = looks
    looks, taken_late, caught_up = _judge_kept(looks, waited, unjudged, bases)
    # two looks agree only now that the feed has caught up, and our own push may have put the number right meanwhile
    agreed_late = _agreed(before, looks, caught_up)
    view = one_row_a_point(points, bases, flying, looks, present, chosen, waited, held)
    view = view.with_columns(new_listing=pl.col("system").is_in(inputs.bases["system"].unique().implode()))
    view = settling.outcomes(view)
    bases_now = settling.moved(view, bases, now)
    of_bases = lists.filter(~pl.col("kept"))
    lists_now = settling.contained(view, bases_now, rows, of_bases, effects)
    ends = settling.flight_ends(flying, view)

    verified = view.filter(pl.col("outcome") == "verified").select("pid", push_at="newest_at")
    taken = judging.taken(looks, pl.concat([_hidden(view), verified]))
    view, bases_now = deciding.carry(view, bases_now)
    looks = judging.recast(looks, _at_base(view, own))
    looks = judging.step(looks, deciding.judged_now(view, bases_now))
    looks = judging.clear(looks, view["move"].is_in(["full", "converged", "first"]))
    view = deciding.decide(view, looks, bases_now, pl.concat([taken_late, taken, agreed_late]), caught_up)

    fresh, fresh_lists = remembering.to_keep(view, own, pushed, of_bases)
    unjudged_now = judging.remember(unjudged, caught_up, fresh).sort("pid", maintain_order=True)
    waiting = unjudged.join(caught_up.select("pid"), on="pid", how="anti").select("pid")
    fresh_lists = fresh_lists.join(waiting, on="pid", how="anti")
    bases_now = deciding.count_returns(bases_now, view, caught_up)
    final = _points(_known(view, effects), bases_now, run_id)
    strangers = {name: getattr(inputs, name).filter(of[name].is_null()) for name in remembered}
    keys = points.select(POINT_KEY)
    return MergeResult(
        points=final,
        bases=with_others(strangers["bases"], keys.hstack(bases_now).filter("known").select(BASES.keys()), one_each=True),
        looks=with_others(
            strangers["looks"], keys.hstack(looks).filter(pl.col("judged_at").is_not_null()).select(LOOKS.keys()), one_each=True
        ),
        contained=contained_out(strangers["contained"], points, lists_now, lists, fresh_lists, unjudged_now),
        unjudged=with_others(strangers["unjudged"], keyed(unjudged_now, points, UNJUDGED)),
        flight_ends=ends,
        broken_identity=final.filter(
            pl.col("base").is_not_null() & ~(pl.col("gap").eq_missing(pl.col("unexplained") - pl.col("pending")))
        ),
    )


def _judge_kept(
    looks: pl.DataFrame, waited: pl.DataFrame, unjudged: pl.DataFrame, bases: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Judge the looks that waited for the order feed: the new LOOKS, what our pushes took away, and who was judged."""
    if waited.is_empty():
        return looks, empty(judging.TAKEN), empty(_CAUGHT_UP)
    then = unjudged.unique("pid").select("pid", "since", u_then="unexplained", g_then="gap")
    judged = (
        waited.join(then, on="pid")
        .pipe(lambda both: both.hstack(bases.select(moved_at_look="observed_at", push_at="sent_at")[both["pid"]]))
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
    wiped = pl.col("superseded") & (pl.col("push_at") >= pl.col("at")).fill_null(value=False)
    known = judging.repeated(looks[judged["pid"]], judged)
    taken = judged.filter(pl.col("u") != 0, wiped, ~known).select("pid", units="u", since="since_base", at="at")
    after = judging.step(looks[judged["pid"]], judged.drop("pid")).hstack(judged.select("pid"))
    every = put(looks.with_row_index("pid"), after).drop("pid")
    return every, taken, judged.select(*_CAUGHT_UP)


def _at_base(view: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """Return pid, u: how far a number is from its base where the push that its last judged look was held against is lost."""
    lost = view.filter((pl.col("outcome") == "unmoved") & (pl.col("rank") > 0) & ~pl.col("judged_now"))
    return own[lost["pid"]].select("pid", u="unexplained")


def _agreed(before: pl.DataFrame, looks: pl.DataFrame, caught_up: pl.DataFrame) -> pl.DataFrame:
    """The looks that were `caught_up` with and now agree with another; `before` and `looks` are of all points."""
    if caught_up.is_empty():
        return empty(judging.TAKEN)
    return (
        looks[caught_up["pid"]]
        .hstack(caught_up.select("pid"))
        .hstack(before.select(known_before=pl.col("confirmed") != 0)[caught_up["pid"]])
        .filter((pl.col("confirmed") != 0) & ~pl.col("known_before").fill_null(value=False))
        .select("pid", units="confirmed", since="since", at="first_at")
    )


def _hidden(view: pl.DataFrame) -> pl.DataFrame:
    """Return the pushes (`pid`, `push_at`) after whose send a number is explained while it cannot be said that they landed.

    Base and target may come to the same number, for as long as the platform may take: until then the looks that agree would have
    taken back what was judged before the send.
    """
    still = (pl.col("outcome") == "still") & (pl.col("newest_at") < pl.col("observed_at"))
    return view.filter("compared", "fits", still).select("pid", push_at="newest_at")


def _known(view: pl.DataFrame, effects: pl.DataFrame) -> pl.DataFrame:
    """Add which effects will explain the units that a push now would withhold: those of a window, beyond a known sum."""
    from_ = pl.when(pl.col("withheld") > 0).then(pl.min_horizontal("held_from", "as_of")).otherwise("as_of")
    windows = view.select("pid", wid="pid", known_from=from_, known_to=pl.col("reach") + GRAIN)
    holding = windows.filter(view["target"].is_not_null() & (view["withhold"] > 0))
    known = withholding.known_sums(holding, effects).select("pid", "known_from", "known_to", known_units="sum_now")
    return view.hstack(spread(known.drop("pid"), known["pid"], view.height))


def _points(view: pl.DataFrame, bases: pl.DataFrame, run_id: str) -> pl.DataFrame:
    """The view as POINTS."""
    after = bases.select(looked_first="first_look_at", returns_now="returns")
    shown = pl.col("live")
    rows = (
        view.drop("first_look_at")
        .hstack(after)
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
    )
    return fit(rows, POINTS)
