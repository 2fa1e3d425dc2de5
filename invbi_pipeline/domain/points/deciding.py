"""After the flights ended and the bases moved: what stays withheld, what is found, the state, and what a push would send."""

import polars as pl

from invbi_pipeline.domain.points import withholding
from invbi_pipeline.domain.points.numbering import spread
from invbi_pipeline.domain.words import PointState

__all__ = ["carry", "count_returns", "decide", "judged_now"]

_ZERO = pl.lit(0, pl.Int64)


def carry(view: pl.DataFrame, bases: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """After the flights ended: what stays withheld, what is left of it, and what the number comes to by itself.

    `view` and `bases` are of all points, here and below.
    """
    flies = pl.col("newest").is_not_null() & pl.col("outcome").fill_null("still").eq("still")
    landed = pl.col("newest").is_not_null() & (pl.col("rank") > 0) & pl.col("move").is_in(["full", "candidate"])
    landed = landed.fill_null(value=False)
    from_flight = flies | landed
    left = pl.when(from_flight).then("newest_held").otherwise("base_held")
    until = pl.when(landed).then("flight_until").otherwise("base_until")
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
    spent = view.select(~pl.col("flying") & (pl.col("withheld") == 0)).to_series()
    bases = bases.with_columns(withheld=pl.when(spent & bases["known"]).then(_ZERO).otherwise("withheld"))
    return view, bases


def judged_now(view: pl.DataFrame, bases: pl.DataFrame) -> pl.DataFrame:
    """The present looks that are judged in this run, for `judging.step`; null where none is."""
    now = pl.col("judged_now")
    since = pl.when(pl.col("known") | pl.col("new_listing")).then(pl.coalesce("base_observed_at", "observed_at"))
    return view.select(
        push_at=pl.when(now).then(bases["sent_at"]),
        at=pl.when(now).then("observed_at"),
        u=pl.when(now).then("unexplained"),
        g=pl.when(now).then((pl.col("standing") - pl.col("offer")).fill_null(0)),
        since_base=pl.when(now).then(since),
        superseded=pl.when(now).then(pl.lit(value=False)),
    )


def decide(
    view: pl.DataFrame, looks: pl.DataFrame, bases: pl.DataFrame, taken: pl.DataFrame, caught_up: pl.DataFrame
) -> pl.DataFrame:
    """Add what is confirmed and found, the state, and what a push would send.

    Of some points: `taken` (looks that our own push took away) and `caught_up` (those judged now that had waited).
    """
    now = looks.select("confirmed", "gap_looks", look_since="since", look_first="first_at", look_gap="gap")
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
    # a platform may state a version in one kind of read and none in another: only two versions can be compared
    versions = (pl.col("version") != "") & (pl.col("base_version") != "")
    version_same = pl.when(versions.fill_null(value=False)).then(pl.col("version") == pl.col("base_version")).otherwise(
        pl.col("seen") == pl.col("base_number")
    )  # fmt: skip
    # where no version says that nothing was applied, one look proves little: the next may show it
    unapplied = pl.when(versions.fill_null(value=False) | (pl.col("confirmed") != 0)).then("base_certain").otherwise(_ZERO)
    # what lost pushes said of it stands while the next one is on its way and the number is still the same
    still_unmoved = (pl.col("seen") == pl.col("newest_shown")) & (pl.col("flying") | (pl.col("outcome") == "unmoved"))
    # ... and after them for as long as it stays as far from what is known as it was at the last look
    outlives = pl.col("compared") & pl.col("newest").is_null() & (pl.col("u") != 0) & (pl.col("u") == pl.col("looks_u"))
    # a push that lands late wipes the mark of a sale that nobody has seen yet, and a sale can make a lost push look landed:
    # no raise until the order feed is complete up to the look that read the last push back
    unsure = pl.col("unsure_to").is_not_null() & ~(pl.col("complete_to") >= pl.col("unsure_to")).fill_null(value=False)
    decided = (
        view.hstack(now)
        .hstack(spread(away.drop("pid"), away["pid"], view.height))
        .hstack(spread(kept.drop("pid"), kept["pid"], view.height))
        .hstack(bases.select("why", "returns", "unsure_to", lost_now="lost"))
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
        .with_columns(  # looks at a gap the other way say nothing of this one
            gap_looks=pl.when((pl.col("look_gap").sign() == -pl.col("gap").sign()) & (pl.col("gap") != 0))
            .then(_ZERO)
            .otherwise("gap_looks")
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
            stuck=pl.when(still_unmoved.fill_null(value=False))
            .then(pl.col("lost_now").fill_null(0))
            .when(version_same & pl.col("compared"))
            .then(unapplied + pl.col("lost_now"))
            .when(outlives)
            .then("lost_now")
            .otherwise(_ZERO),
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


def count_returns(bases: pl.DataFrame, view: pl.DataFrame, caught_up: pl.DataFrame) -> pl.DataFrame:
    """Count the verified pushes after which a judged look found the number changed by something unexplained."""
    late = caught_up.filter((pl.col("u") != 0) & ~pl.col("superseded")).select("pid", seen_at="at")
    again = pl.col("judged_now") & (pl.col("unexplained") != 0) & ~pl.col("flying")
    present = view.select("pid", seen_at=pl.when(again).then("observed_at"))
    newest = pl.concat([late, present]).group_by("pid").agg(pl.col("seen_at").max()) if late.height else present
    seen_at = spread(newest.select("seen_at"), newest["pid"], view.height).to_series()
    counts = (
        (pl.col("sent_at") < seen_at) & (pl.col("returned_at").is_null() | (pl.col("sent_at") > pl.col("returned_at")))
    ).fill_null(value=False)
    return bases.with_columns(
        returns=pl.when(counts).then(pl.col("returns") + 1).otherwise("returns"),
        returned_at=pl.when(counts).then("sent_at").otherwise("returned_at"),
    )
