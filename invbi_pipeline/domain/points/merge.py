"""The three-way merge: the rules of design.md section 2 in their order, for every point at once."""

from datetime import datetime

import polars as pl

from invbi_pipeline.domain.frames import BASES, CONTAINED, LOOKS, POINT_KEY, POINTS, UNJUDGED
from invbi_pipeline.domain.points import candidates, judging, settling, withholding
from invbi_pipeline.domain.points.effects import choose, compared, open_rows
from invbi_pipeline.domain.points.inputs import GRAIN, MergeInputs, MergeResult, ready, with_ids
from invbi_pipeline.domain.words import PointState

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

    looks, taken_late, caught_up = _judge_kept(looks, chosen, unjudged, bases)
    view = _view(points, bases, flying, looks, tried, chosen, held).join(_lost(points, flying, chosen), on="pid", how="left")
    view = view.with_columns(pl.col("lost_at_look").fill_null(value=False))
    settled = settling.outcomes(view.filter("compared"))
    new = settling.moved(settled, bases, now)
    bases_now = pl.concat([bases.join(new, on="pid", how="anti"), new.select(bases.columns)])
    own = lists.filter(~pl.col("kept"))
    lists_now = settling.contained(settled, new, rows, own, effects)

    taken = judging.taken(looks, settled.filter(pl.col("outcome") == "verified").select("pid", push_at="newest_at"))
    view = view.join(settled.select("pid", "outcome", "move"), on="pid", how="left")
    view, bases_now = _carry(view, bases_now)
    looks = judging.step(looks, _judged_now(view, bases_now))
    looks = judging.clear(looks, settled.filter(pl.col("move").is_in(["full", "converged", "first"])))
    view = _decide(view, looks, bases_now, pl.concat([taken_late, taken]), caught_up)

    fresh, fresh_lists = _to_keep(view, tried, own)
    unjudged_now = judging.remember(unjudged, caught_up, fresh)
    waiting = unjudged.join(caught_up.select("pid"), on="pid", how="anti").select("pid")
    fresh_lists = fresh_lists.join(waiting, on="pid", how="anti")
    bases_now = _count_returns(bases_now, view, chosen, caught_up)
    final = _points(_known(view, effects), bases_now, run_id)
    return MergeResult(
        points=final,
        bases=_outside(inputs.bases, points, _keyed(bases_now, points, BASES)),
        contained=_contained_out(inputs.contained, points, lists_now, lists, fresh_lists, unjudged_now),
        looks=_outside(inputs.looks, points, _keyed(looks, points, LOOKS)),
        unjudged=_outside(inputs.unjudged, points, _keyed(unjudged_now, points, UNJUDGED)),
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


def _lost(points: pl.DataFrame, flying: pl.DataFrame, chosen: pl.DataFrame) -> pl.DataFrame:
    """Points where a kept look, judged now, read an older candidate after the visibility lag of the newest flight."""
    newest = flying.sort("pid", "rank").group_by("pid", maintain_order=True).last().select("pid", "sent_at", newest="rank")
    return (
        chosen.filter("kept")
        .join(newest, on="pid")
        .join(points.select("pid", "visibility"), on="pid")
        .filter("fits", pl.col("rank") < pl.col("newest"), pl.col("observed_at") > pl.col("sent_at") + pl.col("visibility"))
        .select("pid", lost_at_look=pl.lit(value=True))
    )


def _view(
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
    read_after = pl.col("last_send_ended").is_null() | (pl.col("read_began_at") >= pl.col("last_send_ended"))
    not_older = pl.col("base_observed_at").is_null() | (pl.col("observed_at") >= pl.col("base_observed_at"))
    new_listing = pl.col("system").is_in(bases["system"].unique().implode())
    certain = tried.filter(~pl.col("kept") & (pl.col("rank") == 0)).select("pid", base_certain="certain")
    view = (
        points.join(candidate, on="pid", how="left")
        .join(flight, on=["pid", "rank"], how="left")
        .join(newest, on="pid", how="left")
        .join(of_newest, on=["pid", "newest"], how="left")
        .join(base, on="pid", how="left")
        .join(before, on="pid", how="left")
        .join(base_held, on="pid", how="left")
        .join(fitting, on="pid", how="left")
        .join(flight_held, on=["pid", "newest"], how="left")
        .join(certain, on="pid", how="left")
    )
    same_sign = (pl.col("looks_u").sign() == pl.col("unexplained").sign()) & (
        pl.col("looks_u").abs() >= pl.col("unexplained").abs()
    )
    return (
        view.with_columns(
            pl.col("in_flight", "lost", "looks_before", "looks_u", "base_held", "newest_held", "base_certain").fill_null(0),
            pl.col("known").fill_null(value=False),
            compared=(pl.col("live") & pl.col("believed") & read_after & not_older).fill_null(value=False),
            complete=(pl.col("complete_to") >= pl.col("reach")).fill_null(value=False),
            new_listing=new_listing,
            withheld=pl.when(pl.col("newest").is_not_null()).then("newest_held").otherwise("base_held").fill_null(0),
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


def _carry(view: pl.DataFrame, bases: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """After the flights ended: what stays withheld, what is left of it, and what the number comes to by itself."""
    flies = pl.col("newest").is_not_null() & pl.col("outcome").fill_null("still").eq("still")
    landed = pl.col("rank") > 0
    from_flight = flies | (pl.col("newest").is_not_null() & landed)
    left = pl.when(from_flight).then("newest_held").otherwise("base_held")
    until = pl.when(pl.col("newest").is_not_null() & landed).then("flight_until").otherwise("base_until")
    from_ = pl.when(from_flight).then("newest_held_from").otherwise("base_held_from")
    over = ~flies & (pl.col("complete_to") >= pl.col("until")).fill_null(value=False) & pl.col("believed")
    moved = pl.col("move").is_in(["full", "converged", "first"])
    later = pl.col("later_units")
    waits = flies & (~pl.col("compared") | (pl.col("rank") < pl.col("newest")))
    nearest = pl.col("seen").clip(pl.col("low"), pl.col("high"))
    blur_past = pl.col("blur_to").is_null() | (pl.col("blur_to") <= pl.col("fresh_from"))
    standing = (
        pl.when(waits)
        .then("newest_final")
        .when((pl.col("move") == "converged") | (~flies & (pl.col("doubtful") == 0) & blur_past))
        .then(pl.col("seen") + later)
        .otherwise(pl.col("seen") + pl.col("final") - nearest)
    )
    view = (
        view.with_columns(flying=flies, waits_for_landing=waits, left=left.fill_null(0), until=until, held_from=from_)
        .with_columns(over=over)
        .with_columns(
            unarrived=pl.when("over").then("left").otherwise(_ZERO),
            withheld=pl.when("over").then(_ZERO).otherwise("left"),
            standing=pl.max_horizontal(standing, _ZERO),
            u=pl.when(pl.col("compared") & ~moved.fill_null(value=False)).then("unexplained").otherwise(_ZERO),
            in_flight=pl.when(flies).then("in_flight").otherwise(_ZERO),
        )
        .with_columns(
            offer=pl.when(pl.col("offer_raw").is_not_null()).then(
                pl.max_horizontal(pl.col("offer_raw") - pl.col("withheld"), _ZERO)
            )
        )
    )
    spent = view.filter(~pl.col("flying") & (pl.col("withheld") == 0)).select("pid", spent=pl.lit(value=True))
    bases = (
        bases.join(spent, on="pid", how="left")
        .with_columns(withheld=pl.when("spent").then(_ZERO).otherwise("withheld"))
        .drop("spent")
    )
    return view, bases


def _judged_now(view: pl.DataFrame, bases: pl.DataFrame) -> pl.DataFrame:
    """The present looks that are judged in this run, for `judging.step`."""
    return view.filter("judged_now").join(bases.select("pid", push_at="sent_at"), on="pid", how="left").select(
        "pid",
        "push_at",
        at="observed_at",
        u="unexplained",
        g=(pl.col("standing") - pl.col("offer")).fill_null(0),
        since_base=pl.when(pl.col("known") | pl.col("new_listing")).then(
            pl.coalesce("base_observed_at", "observed_at")
        ),
        superseded=pl.lit(value=False),
    )  # fmt: skip


def _decide(
    view: pl.DataFrame, looks: pl.DataFrame, bases: pl.DataFrame, taken: pl.DataFrame, caught_up: pl.DataFrame
) -> pl.DataFrame:
    """Add what is confirmed and found, the state, and what a push would send."""
    now = looks.select("pid", "confirmed", "gap_looks", look_u="unexplained", look_since="since", look_first="first_at")
    away = taken.group_by("pid").agg(away=pl.col("units").last(), away_since=pl.col("since").last(), away_at=pl.col("at").last())
    kept = caught_up.select("pid", caught_up=pl.lit(value=True))
    u, pending = pl.col("unexplained"), pl.col("pending")
    agrees = (pl.col("confirmed") != 0) & (pl.col("confirmed").sign() == u.sign())
    found_how = (
        pl.when(agrees.fill_null(value=False) & pl.col("compared") & (pl.col("u") != 0))
        .then(pl.lit("confirmed"))
        .when(pl.col("away").is_not_null())
        .then(pl.lit("taken"))
        .when(pl.col("unarrived") > 0)
        .then(pl.lit("withheld"))
    )
    settled_state = (
        pl.when(~pl.col("known") & (pl.col("in_flight") == 0))
        .then(pl.lit(PointState.FIRST_LOOK.value))
        .when((u == 0) & (pending == 0))
        .then(pl.lit(PointState.AGREED.value))
        .when(u == 0)
        .then(pl.lit(PointState.PUSH_DUE.value))
        .when(pending == 0)
        .then(pl.lit(PointState.DRIFTED.value))
        .when(u == pending)
        .then(pl.lit(PointState.CONVERGED.value))
        .otherwise(pl.lit(PointState.DIVERGED.value))
    )
    only_drift = (pl.col("u") > 0) & (pending == 0)
    open_ = pl.col("fixed").is_null() & pl.col("live") & pl.col("believed")
    version_same = pl.when(pl.col("version") != "").then(pl.col("version") == pl.col("base_version")).otherwise(
        pl.col("seen") == pl.col("base_number")
    )  # fmt: skip
    # a push that lands late wipes the mark of a sale that nobody has seen yet, and a sale can make a lost push look landed:
    # no raise until the order feed is complete up to the look that read the last push back
    unsure = pl.col("unsure_to").is_not_null() & ~(pl.col("complete_to") >= pl.col("unsure_to")).fill_null(value=False)
    decided = (
        view.join(now, on="pid", how="left")
        .join(away, on="pid", how="left")
        .join(kept, on="pid", how="left")
        .join(
            bases.select("pid", "why", "returns", "unsure_to", lost_now="lost"),
            on="pid",
            how="left",
        )
        .with_columns(
            pl.col("confirmed", "gap_looks").fill_null(0),
            reported=pl.max_horizontal("seen", _ZERO),
            expected=pl.max_horizontal("seen", _ZERO) - u,
        )
        .with_columns(
            reported=pl.when(pl.col("seen").is_not_null()).then("reported"),
            expected=pl.when("live").then("expected"),
        )
        .with_columns(
            pending=pl.col("offer") - pl.col("expected"),
            gap=pl.col("reported") - pl.col("offer"),
        )
        .with_columns(
            state=pl.coalesce("fixed", settled_state),
            found_how=found_how,
            may_lower=open_ & (pl.col("compared") | pl.col("flying")) & ~(only_drift & ~pl.col("judged")).fill_null(value=False),
            may_raise=open_ & pl.col("compared") & ~unsure,
            u=pl.when((u == pending) & pl.col("judged")).then(_ZERO).otherwise("u"),
            covered=pl.col("compared")
            & (
                pl.col("judged_now")
                | pl.col("caught_up").fill_null(value=False)
                | (
                    (pl.col("u") == 0)
                    & (pl.col("standing") == pl.col("offer"))
                    & (pl.col("observed_at") > pl.col("base_observed_at"))
                ).fill_null(value=False)
            ),
            stuck=pl.when(version_same & pl.col("compared")).then(pl.col("base_certain") + pl.col("lost_now")).otherwise(_ZERO),
        )
        .with_columns(
            found=pl.when(pl.col("found_how") == "confirmed")
            .then("confirmed")
            .when(pl.col("found_how") == "taken")
            .then("away")
            .when(pl.col("found_how") == "withheld")
            .then(-pl.col("unarrived"))
            .otherwise(_ZERO),
            found_since=pl.when(pl.col("found_how") == "confirmed")
            .then("look_since")
            .when(pl.col("found_how") == "taken")
            .then("away_since")
            .otherwise("base_observed_at"),
            found_at=pl.when(pl.col("found_how") == "confirmed")
            .then("look_first")
            .when(pl.col("found_how") == "taken")
            .then("away_at")
            .otherwise("until"),
        )
    )
    return withholding.values(decided)


def _to_keep(view: pl.DataFrame, tried: pl.DataFrame, own: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The present looks that wait for the order feed, with their candidates, and the lists of what their bases contain."""
    waiting = view.filter(
        pl.col("compared")
        & ~pl.col("complete")
        & ((pl.col("observed_at") > pl.col("looks_at")) | pl.col("looks_at").is_null())
        & (
            (pl.col("unexplained") != 0)
            | (pl.col("standing") != pl.col("offer")).fill_null(value=False)
            | (pl.col("flying") & (pl.col("rank") < pl.col("newest")))
        )
    ).select(
        "pid",
        raw="seen",
        u_look="unexplained",
        gap=(pl.col("standing") - pl.col("offer")).fill_null(0),
        since=pl.when(pl.col("known") | pl.col("new_listing")).then(pl.coalesce("base_observed_at", "observed_at")),
        end="reach",
    )
    candidates_ = tried.filter(~pl.col("kept")).drop("reach", "unexplained")
    fresh = candidates_.join(waiting, on="pid").rename({"u_look": "unexplained", "end": "reach"})
    names = ["pid", *(name for name in UNJUDGED if name not in POINT_KEY)]
    lists = own.join(waiting.select("pid"), on="pid").drop("look_at")
    lists = lists.join(view.select("pid", look_at="observed_at"), on="pid")
    return fresh.select(names), lists.select("pid", "look_at", "effect_id", "contained")


def _count_returns(bases: pl.DataFrame, view: pl.DataFrame, chosen: pl.DataFrame, caught_up: pl.DataFrame) -> pl.DataFrame:
    """Count the verified pushes after which a judged look found the number changed by something unexplained."""
    late = caught_up.filter((pl.col("u") != 0) & ~pl.col("superseded")).select("pid", seen_at="at")
    present = view.filter(pl.col("judged_now") & (pl.col("unexplained") != 0) & ~pl.col("flying")).select(
        "pid", seen_at="observed_at"
    )
    foreign = pl.concat([late, present]).group_by("pid").agg(seen_at=pl.col("seen_at").max())
    counts = (
        (pl.col("sent_at") < pl.col("seen_at")) & (pl.col("returned_at").is_null() | (pl.col("sent_at") > pl.col("returned_at")))
    ).fill_null(value=False)
    return (
        bases.join(foreign, on="pid", how="left")
        .with_columns(
            returns=pl.when(counts).then(pl.col("returns") + 1).otherwise("returns"),
            returned_at=pl.when(counts).then("sent_at").otherwise("returned_at"),
        )
        .drop("seen_at")
    )


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


def _keyed(frame: pl.DataFrame, points: pl.DataFrame, schema: object) -> pl.DataFrame:
    names = list(BASES) if schema is BASES else list(LOOKS) if schema is LOOKS else list(UNJUDGED)
    bare = frame.drop([name for name in POINT_KEY if name in frame.columns])
    return bare.join(points.select("pid", *POINT_KEY), on="pid").select(names)


def _outside(old: pl.DataFrame, points: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Add to `new` the rows of points that nobody mentioned in this run."""
    others = old.join(points.select(_KEY), on=_KEY, how="anti").select(new.columns)
    return pl.concat([new, others]).sort(new.columns)


def _contained_out(
    old: pl.DataFrame, points: pl.DataFrame, own: pl.DataFrame, before: pl.DataFrame,
    fresh: pl.DataFrame, unjudged: pl.DataFrame,
) -> pl.DataFrame:  # fmt: skip
    """The lists of the bases, and the copies of the looks that still wait."""
    copies = pl.concat([before.filter("kept").select("pid", "look_at", "effect_id", "contained"), fresh])
    waiting = unjudged.select("pid", look_at="observed_at").unique()
    copies = copies.unique(["pid", "look_at", "effect_id"]).join(waiting, on=["pid", "look_at"])
    mine = own.select("pid", look_at=pl.lit(None, CONTAINED["look_at"]), effect_id="effect_id", contained="contained")
    both = pl.concat([mine, copies]).join(points.select("pid", *POINT_KEY), on="pid").select(list(CONTAINED))
    return _outside(old, points, both)
