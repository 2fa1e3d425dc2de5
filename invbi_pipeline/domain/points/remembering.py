"""What a merge hands on to the next one: the frames by point key again, and the looks that wait for the order feed."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.frames import CONTAINED, POINT_KEY, UNJUDGED, Schema, empty
from invbi_pipeline.domain.points.numbering import NUMBER

__all__ = ["contained_out", "keyed", "to_keep", "with_others"]

_KEY = list(POINT_KEY)
_LOOKS: Final[Schema] = {"pid": NUMBER, **{name: kind for name, kind in UNJUDGED.items() if name not in POINT_KEY}}
_LISTS: Final[Schema] = {"pid": NUMBER, **{name: CONTAINED[name] for name in ("look_at", "effect_id", "contained")}}


def to_keep(
    view: pl.DataFrame, own: pl.DataFrame, pushed: pl.DataFrame, lists: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The present looks that wait for the order feed, with their candidates, and the lists of what their bases contain.

    `own`: a trial for each point, in their order; `pushed`: those against pushes in flight; `lists`: of the bases. Where a push
    is lost (`unmoved`) the look is one at the base alone.
    """
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
        lost=pl.col("outcome").eq_missing(pl.lit("unmoved")),
    )
    if waiting.is_empty():
        return empty(_LOOKS), empty(_LISTS)
    lost, mine = pl.col("lost"), own[waiting["pid"]]
    waiting = waiting.with_columns(u_look=pl.when(lost).then(mine["unexplained"]).otherwise("u_look"))
    pushed = pushed.join(waiting.filter(lost), on="pid", how="anti")
    candidates = pl.concat([mine.filter("there"), pushed]).drop("reach", "unexplained")
    fresh = candidates.join(waiting, on="pid").rename({"u_look": "unexplained", "end": "reach"})
    lists = lists.join(waiting.select("pid"), on="pid", how="semi").drop("look_at")
    lists = lists.hstack(view.select(look_at="observed_at")[lists["pid"]])
    return fresh.select(*_LOOKS), lists.select(*_LISTS)


def keyed(frame: pl.DataFrame, points: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Return `frame` (with `pid`, in the order of the points) as a frame of `schema`."""
    return frame.hstack(points.select(POINT_KEY)[frame["pid"]]).select(list(schema))


def with_others(others: pl.DataFrame, new: pl.DataFrame, *, one_each: bool = False) -> pl.DataFrame:
    """Add to `new` what was remembered of points that nobody mentioned in this run, and sort.

    With `one_each` the rows of `new` are one a point and sorted by its key already.
    """
    if one_each and others.is_empty():
        return new
    if new.is_empty() and others.is_empty():
        return new
    return pl.concat([new, others.select(new.columns)]).sort(_KEY if one_each else new.columns)


def contained_out(
    others: pl.DataFrame, points: pl.DataFrame, own: pl.DataFrame, before: pl.DataFrame,
    fresh: pl.DataFrame, unjudged: pl.DataFrame,
) -> pl.DataFrame:  # fmt: skip
    """The lists of the bases, and the copies of the looks that still wait."""
    if own.is_empty() and before.is_empty() and fresh.is_empty():
        return with_others(others, empty(CONTAINED))
    copies = pl.concat([before.filter("kept").select("pid", "look_at", "effect_id", "contained"), fresh])
    waiting = unjudged.select("pid", look_at="observed_at").unique()
    copies = copies.unique(["pid", "look_at", "effect_id"]).join(waiting, on=["pid", "look_at"])
    mine = own.select("pid", look_at=pl.lit(None, CONTAINED["look_at"]), effect_id="effect_id", contained="contained")
    return with_others(others, keyed(pl.concat([mine, copies]), points, CONTAINED))
