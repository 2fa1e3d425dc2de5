"""What a merge hands on to the next one: the frames by point key again, and the looks that wait for the order feed."""

import polars as pl

from invbi_pipeline.domain.frames import CONTAINED, POINT_KEY, UNJUDGED, Schema

__all__ = ["contained_out", "keyed", "to_keep", "with_others"]

_KEY = list(POINT_KEY)


def to_keep(view: pl.DataFrame, tried: pl.DataFrame, own: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
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


def keyed(frame: pl.DataFrame, points: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Return `frame` (with `pid`) as a frame of `schema`."""
    bare = frame.drop([name for name in POINT_KEY if name in frame.columns])
    return bare.join(points.select("pid", *POINT_KEY), on="pid").select(list(schema))


def with_others(old: pl.DataFrame, points: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Add to `new` the rows of points that nobody mentioned in this run."""
    others = old.join(points.select(_KEY), on=_KEY, how="anti").select(new.columns)
    return pl.concat([new, others]).sort(new.columns)


def contained_out(
    old: pl.DataFrame, points: pl.DataFrame, own: pl.DataFrame, before: pl.DataFrame,
    fresh: pl.DataFrame, unjudged: pl.DataFrame,
) -> pl.DataFrame:  # fmt: skip
    """The lists of the bases, and the copies of the looks that still wait."""
    copies = pl.concat([before.filter("kept").select("pid", "look_at", "effect_id", "contained"), fresh])
    waiting = unjudged.select("pid", look_at="observed_at").unique()
    copies = copies.unique(["pid", "look_at", "effect_id"]).join(waiting, on=["pid", "look_at"])
    mine = own.select("pid", look_at=pl.lit(None, CONTAINED["look_at"]), effect_id="effect_id", contained="contained")
    both = pl.concat([mine, copies]).join(points.select("pid", *POINT_KEY), on="pid").select(list(CONTAINED))
    return with_others(old, points, both)
