"""The two-look rule: an observation counts once the order feed is complete up to its own time (design.md section 2, rule 5)."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import LOOKS
from invbi_pipeline.domain.frames.schema import INT, UTC, Schema, empty
from invbi_pipeline.domain.points.numbering import NUMBER, put

__all__ = ["LOOK", "TAKEN", "clear", "recast", "remember", "repeated", "step", "taken"]

LOOK: Final = tuple(name for name in LOOKS if name not in ("system", "listing_key", "location"))  # beside `pid`
TAKEN: Final[Schema] = {"pid": NUMBER, "units": INT, "since": UTC, "at": UTC}  # looks that something took away, or agreed late


def _sign(name: str) -> pl.Expr:
    return pl.col(name).fill_null(0).sign()


def step(looks: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    """Return `looks` (the columns of `LOOK`) after each of `judged` was added to its point: rows of the same points in one order.

    `judged` (all null where nothing was judged): `at`, `u` (unexplained), `g` (gap), `since_base` (the last agreement before
    it; null: nothing was known before it), `superseded` (the base has moved by agreement or push since, so that it says nothing
    of the present), `push_at` (the platform's time of the last push that landed).
    """
    both = looks.hstack(judged)
    is_judged = pl.col("at").is_not_null()
    # platforms state whole seconds: a push of the same second was planned from that look
    push_between = ((pl.col("push_at") >= pl.col("judged_at")) & (pl.col("push_at") <= pl.col("at"))).fill_null(value=False)
    push_since = (pl.col("push_at") >= pl.col("at")).fill_null(value=False)
    again = (pl.col("looks").fill_null(0) > 0) & (_sign("u") == _sign("unexplained")) & (pl.col("u") != 0) & ~push_between
    gap_again = (pl.col("gap_looks").fill_null(0) > 0) & (_sign("g") == _sign("gap")) & ~push_between
    units = is_judged & ~pl.col("superseded").fill_null(value=False)
    gaps = is_judged & ~push_since
    smaller = _sign("u") * pl.min_horizontal(pl.col("u").abs(), pl.col("unexplained").abs())
    first = pl.when(pl.col("since_base").is_null()).then(2).otherwise(1)
    new = {
        "confirmed": pl.when(~units).then("confirmed").when(again).then(smaller).otherwise(0),
        "since": pl.when(~units | again).then("since").otherwise("since_base"),
        "first_at": pl.when(~units | again).then("first_at").otherwise("at"),
        "previous_at": pl.when(~units).then("previous_at").when(again).then("judged_at"),
        "looks": pl.when(~units).then("looks").when(pl.col("u") == 0).then(0).when(again).then(pl.col("looks") + 1).otherwise(1),
        "unexplained": pl.when(~units).then("unexplained").otherwise("u"),
        "gap_looks": pl.when(~gaps)
        .then("gap_looks")
        .when(pl.col("g") == 0)
        .then(0)
        .when(gap_again)
        .then(pl.col("gap_looks") + 1)
        .otherwise(first),
        "gap": pl.when(~gaps).then("gap").otherwise("g"),
        "judged_at": pl.max_horizontal("judged_at", "at"),
    }
    counts = ["unexplained", "confirmed", "looks", "gap", "gap_looks"]
    return both.select(*(new[name].alias(name) for name in LOOK)).with_columns(pl.col(counts).fill_null(0).cast(pl.Int64))


def taken(looks: pl.DataFrame, pushes: pl.DataFrame) -> pl.DataFrame:
    """Return the points whose second look our own push took away: `pid`, `units`, `since`, `at`.

    `looks`: of all points; `pushes`: `pid`, `push_at` of some. One judged look makes the finding there, never a raise.
    """
    if pushes.is_empty():
        return empty(TAKEN)
    return (
        pushes.hstack(looks[pushes["pid"]])
        .filter((pl.col("looks") == 1) & (pl.col("push_at") >= pl.col("judged_at")))
        .select("pid", units="unexplained", since="since", at="first_at")
    )


def repeated(looks: pl.DataFrame, judged: pl.DataFrame) -> pl.Series:
    """Say which looks of `judged` (see `step`; rows as `looks`) agree with the one judged before them against the same base.

    What both say was found when our push was read back: the look that waited is no first look, and tells it again.
    """
    same = (_sign("u") == _sign("unexplained")) & (pl.col("since_base") == pl.col("since"))
    return looks.hstack(judged).select(same.fill_null(value=False)).to_series()


def clear(looks: pl.DataFrame, moved: pl.Series) -> pl.DataFrame:
    """Return `looks` without the count of unexplained looks where the base has `moved`; what the last one said is kept."""
    zero = pl.lit(0, pl.Int64)
    return looks.with_columns(pl.when(moved).then(zero).otherwise(pl.col(name)).alias(name) for name in ("confirmed", "looks"))


def recast(looks: pl.DataFrame, lost: pl.DataFrame) -> pl.DataFrame:
    """Return `looks` as one judged look at the base (`lost`: pid, u) where they were looks at a push that never landed.

    The number that was read then is the number that is read now.
    """
    if lost.is_empty():
        return looks
    mine = looks[lost["pid"]].hstack(lost)
    again = mine.with_columns(
        unexplained="u", confirmed=pl.lit(0, pl.Int64), looks=(pl.col("u") != 0).cast(pl.Int64), first_at="judged_at",
        previous_at=pl.lit(None, LOOKS["previous_at"]),
    ).select("pid", *LOOK)  # fmt: skip
    return put(looks.with_row_index("pid"), again).drop("pid")


def remember(unjudged: pl.DataFrame, done: pl.DataFrame, fresh: pl.DataFrame) -> pl.DataFrame:
    """Return the unjudged looks to keep: those not `done` (`pid`), and `fresh` ones where no older look waits.

    The oldest is kept until it is judged: were it replaced at each run, an order feed that lags would never catch up.
    """
    waiting = unjudged.join(done.select("pid"), on="pid", how="anti")
    return pl.concat([waiting, fresh.join(waiting.select("pid"), on="pid", how="anti")], how="diagonal")
