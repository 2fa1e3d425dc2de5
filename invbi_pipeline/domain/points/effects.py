"""What the platform did to its own number since a candidate, and what the candidate comes to at a look.

An effect is *open* when the candidate does not contain it. An open effect stamped before the look is surely in the number,
unless it may or may not be: stamped within the read lag before the look, or between a send and its visibility lag
(design.md section 2, rule 5). Any number between the two extremes is explained.
"""

from typing import Final

import polars as pl

from invbi_pipeline.domain.frames.schema import FLAG, INT, TEXT, UTC, Schema, empty
from invbi_pipeline.domain.points.numbering import NUMBER, spread

__all__ = ["choose", "compared", "open_rows"]

_ROWS: Final[Schema] = {  # what `open_rows` returns
    "tid": NUMBER,
    "pid": NUMBER,
    "effect_id": TEXT,
    "units": INT,
    "stamped_at": UTC,
    **dict.fromkeys(("open", "before", "fresh", "perhaps", "undo", "surely"), FLAG),
}


def open_rows(trials: pl.DataFrame, effects: pl.DataFrame, contained: pl.DataFrame) -> pl.DataFrame:
    """Return one row a trial and effect that matters to it, with flags.

    `trials` as `candidates` makes them, with `tid` (its row number), those that are not `there` having none; `effects` with
    `pid`; `contained` with `pid` and `kept`. Flags: `open`; `surely`, `perhaps` (applied by the look), `undo` (contained, and
    perhaps missing from a stale read); `fresh` (within the read lag); `before` (stamped up to the look).
    """
    at = pl.col("stamped_at")
    trials = _touched(trials, effects)
    if trials.is_empty():
        return empty(_ROWS)
    floors = trials.group_by("pid").agg(floor=pl.min_horizontal(pl.col("as_of", "fresh_from", "blur_from").min()))
    listed = contained.select("pid", "kept", "effect_id", listed="contained", rank=pl.lit(0, pl.Int64))
    return (
        effects.lazy()
        .select("pid", "effect_id", "units", "stamped_at")
        .join(floors.lazy(), on="pid")
        .filter(at >= pl.col("floor"))
        .drop("floor")
        .join(trials.lazy(), on="pid")
        .join(listed.lazy(), on=["pid", "kept", "rank", "effect_id"], how="left")
        .with_columns(
            open=~pl.coalesce("listed", at <= pl.col("as_of")),
            before=at <= pl.col("observed_at"),
            fresh=(at > pl.col("fresh_from")) & (at <= pl.col("reach")),
            sent=((at > pl.col("window_from")) & (at <= pl.col("window_to"))).fill_null(value=False),
            blurred=((at > pl.col("blur_from")) & (at <= pl.col("blur_to"))).fill_null(value=False) & pl.col("listed").is_null(),
        )
        .with_columns(
            perhaps=(pl.col("open") & (at <= pl.col("reach")) & (pl.col("fresh") | pl.col("sent") | pl.col("blurred")))
            | (~pl.col("open") & pl.col("blurred")),
            undo=~pl.col("open")
            & ~pl.col("blurred")
            & pl.col("fresh")
            & pl.col("before")
            & (at > pl.col("absolute_at")).fill_null(value=True),
        )
        .with_columns(surely=pl.col("open") & pl.col("before") & ~pl.col("perhaps"))
        .filter(pl.col("open") | pl.col("perhaps") | pl.col("undo"))
        .select(*_ROWS)
        .collect()
    )


def _touched(trials: pl.DataFrame, effects: pl.DataFrame) -> pl.DataFrame:
    """The trials of the points that had any effect."""
    touched = effects["pid"].unique().implode()
    return trials.clear() if effects.is_empty() else trials.filter(pl.col("there") & pl.col("pid").is_in(touched))


def compared(trials: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return `trials` with what each candidate comes to.

    `nominal`: with all open effects stamped up to the look; `low` and `high`: the extremes; `final`: once every open effect
    is applied; `unexplained`: how far the number (below 0 it compares as 0) lies outside the extremes; `fits`; `exact`
    (equals `nominal`); `perhaps`, `doubtful`: how many effects may or may not be in it, at all and for the read lag;
    `certain`: how many must show.
    """
    zero = pl.lit(0, pl.Int64)
    shown = pl.col("seen").clip(lower_bound=zero)
    nearest = shown.clip(pl.col("low").clip(lower_bound=zero), pl.col("high").clip(lower_bound=zero))
    return (
        _with_sums(trials, rows)
        .with_columns(
            low=pl.col("number") + pl.col("certain_units") + pl.col("down"),
            high=pl.col("number") + pl.col("certain_units") + pl.col("up"),
            nominal=pl.col("number") + pl.col("nominal_units"),
            final=pl.col("number") + pl.col("final_units"),
        )
        .with_columns(unexplained=shown - nearest, exact=shown == pl.col("nominal").clip(lower_bound=zero))
        .with_columns(fits=pl.col("unexplained") == 0)
    )


def _with_sums(trials: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    if rows.is_empty():
        return trials.with_columns(pl.lit(0, pl.Int64).alias(name) for name in _SUMS)
    sums = _summed(rows)
    return trials.hstack(spread(sums.select(_SUMS), sums["tid"], trials.height)).with_columns(pl.col(_SUMS).fill_null(0))


_SUMS: Final = ("certain_units", "certain", "down", "up", "nominal_units", "final_units", "later_units", "perhaps", "doubtful")


def _summed(rows: pl.DataFrame) -> pl.DataFrame:
    units, zero = pl.col("units"), pl.lit(0, pl.Int64)
    return rows.group_by("tid").agg(
        certain_units=units.filter("surely").sum(),
        certain=pl.col("surely").sum().cast(pl.Int64),
        down=units.filter("perhaps").clip(upper_bound=zero).sum() - units.filter("undo").clip(lower_bound=zero).sum(),
        up=units.filter("perhaps").clip(lower_bound=zero).sum() - units.filter("undo").clip(upper_bound=zero).sum(),
        nominal_units=units.filter(pl.col("open") & pl.col("before")).sum(),
        final_units=units.filter("open").sum(),
        perhaps=pl.col("perhaps").sum().cast(pl.Int64),
        later_units=units.filter(pl.col("open") & ~pl.col("before")).sum(),
        doubtful=((pl.col("perhaps") | pl.col("undo")) & pl.col("fresh")).sum().cast(pl.Int64),
    )


def choose(trials: pl.DataFrame) -> pl.DataFrame:
    """Return the candidate each point's look is compared with: one that fits, else the nearest; the newer of two."""
    if trials.is_empty():
        return trials
    return trials.sort("pid", pl.col("unexplained").abs(), "rank", descending=[False, False, True]).unique(
        "pid", keep="first", maintain_order=True
    )
