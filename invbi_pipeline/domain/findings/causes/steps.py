"""The looks at a point replayed: between which two of them its number went its own way, and by how much each time."""

from datetime import timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.causes.pieces import LAG, STEPS
from invbi_pipeline.domain.findings.inputs import of_point
from invbi_pipeline.domain.frames import fit
from invbi_pipeline.domain.words import CorrectionKind

__all__ = ["changes", "steps"]

_KNOWN_LONG: Final = timedelta(hours=24)  # where nothing says since when, what happened in the last day is looked at


def steps(drifted: pl.DataFrame, earlier: pl.DataFrame, changed: pl.DataFrame, feeds: pl.DataFrame) -> pl.DataFrame:
    """Return STEPS of points with `found` not 0, whose units add up to `found`.

    `earlier`: EARLIER, what the points showed; `changed`: of `changes`; `feeds`: FEEDS, for the order lags. A point whose looks
    do not add up to what was found has one step, from the last agreement to the first judged look that saw it.
    """
    lag = pl.duration(seconds=pl.col("order_lag_s").fill_null(0)) + LAG
    lagging = drifted.join(feeds.select("system", lag=lag).unique("system"), on="system", how="left").with_columns(
        pl.col("lag").fill_null(LAG)
    )
    chosen = _adding_up(lagging, changed)
    whole = _whole(lagging.join(chosen, on=of_point(), how="anti"), earlier)
    both = [fit(each.with_columns(since=pl.col("start") - pl.col("lag")), STEPS) for each in (chosen, whole)]
    return pl.concat(both).sort(*of_point(), "step")


def changes(looks: pl.DataFrame, effects: pl.DataFrame, corrections: pl.DataFrame) -> pl.DataFrame:
    """Return what looks cannot owe to the effects stamped since the look before: a point's key and `start`, `end`, `before`,
    `after`, `units`, `touched` as in STEPS. Looks with a push of ours between are left out: it hides what else happened; and so
    are those between which a push took effect that had been sent before.

    `looks`: EARLIER; `effects`: POINT_EFFECTS; `corrections`: CORRECTIONS.
    """
    key = of_point()
    ordered = looks.sort(*key, "observed_at", "version").unique([*key, "observed_at"], keep="last", maintain_order=True)
    spans = (
        ordered.with_columns(
            start=pl.col("observed_at").shift(1).over(key),
            before=pl.col("quantity").shift(1).over(key),
        )
        .rename({"observed_at": "end", "quantity": "after"})
        .drop_nulls(["start", "before", "after"])
    )
    return (
        spans.join(_known(effects, spans), on=[*key, "end"], how="left")
        .join(_pushed(corrections, spans), on=[*key, "end"], how="anti")
        .with_columns(units=pl.col("after") - pl.col("before") - pl.col("known").fill_null(0), touched=_touched())
        .filter(pl.col("units") != 0)
        .join(_landed(corrections, spans, effects), on=[*key, "end"], how="anti")
        .select(*key, "start", "end", "before", "after", "units", "touched")
    )


def _known(effects: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """Sum the effects stamped in each span, its second look included: `known`."""
    key = of_point()
    each = effects.unique([*key, "effect_id"], keep="any").select(*key, "units", at="stamped_at").sort("at")
    ends = spans.select(*key, "start", "end").sort("end")
    found = each.join_asof(ends, left_on="at", right_on="end", by=key, strategy="forward", check_sortedness=False)
    return found.filter(pl.col("at") > pl.col("start")).group_by(*key, "end").agg(known=pl.col("units").sum())


def _pushed(corrections: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """Return the spans in which a push was sent. One sent in the second of a look was planned from it: it is of the next span."""
    key = of_point()
    sends = corrections.filter((pl.col("kind") == CorrectionKind.SET) & pl.col("sent_at").is_not_null())
    starts = spans.select(*key, "start", "end").sort("start")
    each = sends.select(*key, at=pl.col("sent_at").dt.truncate("1s")).sort("at")
    found = each.join_asof(starts, left_on="at", right_on="start", by=key, strategy="backward", check_sortedness=False)
    return found.filter(pl.col("at") < pl.col("end")).select(*key, "end")


def _landed(corrections: pl.DataFrame, spans: pl.DataFrame, effects: pl.DataFrame) -> pl.DataFrame:
    """Return the spans at whose end a push shows that was sent before them and that no look had seen in effect yet.

    What happened within the span after the push took effect is in the number, too.
    """
    key = of_point()
    sends = corrections.filter((pl.col("kind") == CorrectionKind.SET) & pl.col("sent_at").is_not_null())
    each = sends.select(*key, "target", at=pl.col("sent_at").dt.truncate("1s")).sort("at")
    starts = spans.select(*key, "start", "end", "before", "after").sort("start")
    last = starts.join_asof(each, left_on="start", right_on="at", by=key, strategy="backward", check_sortedness=False)
    moved = pl.col("after") - pl.col("known").fill_null(0)
    shows = last.join(_known(effects, spans), on=[*key, "end"], how="left").filter(
        (pl.col("before") != pl.col("target")) & ((pl.col("after") == pl.col("target")) | (moved == pl.col("target")))
    )
    looks = spans.select(*key, seen_at="end", seen="after")
    known = shows.join(looks, on=key).filter(
        (pl.col("seen_at") > pl.col("at")) & (pl.col("seen_at") <= pl.col("start")) & (pl.col("seen") == pl.col("target"))
    )
    return shows.join(known, on=[*key, "end"], how="anti").select(*key, "end")


def _adding_up(drifted: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """The changes since the last agreement, up to the one with which they come to what was found.

    Units that were withheld and never arrived went before the push that withheld them: there the last changes up to it count.
    """
    key = of_point()
    mine = changes.join(
        drifted.select(*key, "sku", "lag", "found", "found_how", "found_since", "found_at", seen="observed_at"), on=key
    )
    held = pl.col("found_how") == "withheld"
    since = pl.coalesce(pl.col("found_since") - pl.col("lag"), pl.col("found_at") - _KNOWN_LONG)
    # a look that does not list a point says that its number stands: the last that does may be long before the last agreement
    agreed = pl.when(pl.col("end") > pl.col("found_since")).then("found_since")
    forward = mine.filter(
        ~held & (pl.col("end") > since) & (pl.col("end") <= pl.max_horizontal("seen", "found_at"))
    ).with_columns(start=pl.max_horizontal("start", agreed))
    back = mine.filter(held & (pl.col("start") >= pl.col("found_at") - _KNOWN_LONG) & (pl.col("start") < pl.col("found_at")))
    rows = []
    for part, newest_first in ((forward, False), (back, True)):
        ordered = part.sort(*key, "end", descending=[False, False, False, newest_first])
        reached = pl.col("units").cum_sum().over(key) == pl.col("found")
        counted = ordered.with_columns(reached=reached).with_columns(done=pl.col("reached").cast(pl.Int64).cum_sum().over(key))
        first = pl.col("reached") & (pl.col("done") == 1)
        rows.append(counted.with_columns(first=first).filter((pl.col("done") == 0) | pl.col("first")))
    kept = pl.concat(rows)
    complete = kept.filter("first").select(key)
    one_way = kept.group_by(key).agg(same=(pl.col("units").sign() == pl.col("found").sign()).all()).filter("same")
    chosen = kept.join(complete, on=key, how="semi").join(one_way, on=key, how="semi").sort(*key, "end")
    return chosen.with_columns(step=pl.int_range(pl.len(), dtype=pl.Int64).over(key), how=pl.col("found_how"))


def _touched() -> pl.Expr:
    """When the platform says the number changed, if that was between the two looks; else it does not say."""
    return pl.when(pl.col("changed_at") > pl.col("start")).then("changed_at")


def _whole(drifted: pl.DataFrame, earlier: pl.DataFrame) -> pl.DataFrame:
    """One step a point: from the last agreement to the first judged look."""
    key = of_point()
    spans = drifted.with_columns(
        start=pl.coalesce("found_since", pl.col("found_at") - _KNOWN_LONG), end=pl.coalesce("found_at", "observed_at")
    ).with_columns(start=pl.min_horizontal("start", "end"))
    looks = earlier.join(spans.select(*key, "start", "end"), on=key)
    last = looks.filter(pl.col("observed_at") <= pl.col("end")).sort("observed_at").group_by(key, maintain_order=True).last()
    first = looks.filter(pl.col("observed_at") <= pl.col("start")).sort("observed_at").group_by(key, maintain_order=True).last()
    return (
        spans.join(last.select(*key, "changed_at", after="quantity"), on=key, how="left")
        .join(first.select(*key, before="quantity"), on=key, how="left")
        .with_columns(step=pl.lit(0), units=pl.col("found"), touched=_touched(), how=pl.col("found_how"))
    )
