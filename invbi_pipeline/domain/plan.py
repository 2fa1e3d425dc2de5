"""The plan as data: which numbers should be changed, to what, and why. Nothing here is sent; guards judge it next.

Two kinds (design.md section 5): `set` makes a channel's number its target; `post` books a movement that a counting system lacks.
"""

import hashlib
from datetime import datetime
from typing import Final, NamedTuple

import polars as pl

from invbi_pipeline.domain.frames import BASES, CORRECTIONS, OFFERS, POINT_KEY, SYSTEMS, UNBOOKED, UTC, empty
from invbi_pipeline.domain.words import Absorbs, CorrectionKind, CorrectionState, Fulfilment, ListingStatus, PointState

__all__ = ["MODES", "PlanInputs", "plan"]

MODES: Final = {"system": pl.String(), "mode": pl.String()}

_KEY: Final = list(POINT_KEY)
_SEPARATOR: Final = "|"
# States in which the number may be corrected from an offer; the others are shown and never pushed.
_OPEN: Final = [
    str(s)
    for s in (
        PointState.PUSH_DUE,
        PointState.DRIFTED,
        PointState.DIVERGED,
        PointState.FIRST_LOOK,
        PointState.CONVERGED,
        PointState.AGREED,
    )
]
_WHY: Final = {
    PointState.PUSH_DUE: "what may be sold has changed elsewhere",
    PointState.DRIFTED: "no order explains what it shows",
    PointState.DIVERGED: "both what it shows and what may be sold have changed",
    PointState.FIRST_LOOK: "it showed another number when it was first read",
}


class PlanInputs(NamedTuple):
    """What a plan is made from: POINTS, OFFERS, BASES, UNBOOKED, SYSTEMS, MODES, and `prices` (system, listing_key, price)."""

    points: pl.DataFrame
    offers: pl.DataFrame = empty(OFFERS)
    bases: pl.DataFrame = empty(BASES)
    unbooked: pl.DataFrame = empty(UNBOOKED)
    systems: pl.DataFrame = empty(SYSTEMS)
    modes: pl.DataFrame = pl.DataFrame(schema=MODES)
    prices: pl.DataFrame = pl.DataFrame(schema={"system": pl.String(), "listing_key": pl.String(), "price": pl.Float64()})


def plan(inputs: PlanInputs, now: datetime, run_id: str) -> pl.DataFrame:
    """Return CORRECTIONS in state `planned`, sets before posts, lowering before raising, largest risk first.

    A set is planned where the comparison names a value to send (`POINTS.send`) and the listing is active and the merchant's own;
    it may equal the number shown, while an older, higher push is still under way.
    Where an owner of the pool is blind (`OFFERS.falling_only`) no raise is planned. A post is planned for each movement that an
    owner with absorbs = writeback lacks.

    The idempotency key is made of the point, the number's version, the number itself, the push that the base rests on, and the
    target: the same trouble seen again is the same correction, and 5 -> 6 -> 5 are two.
    """
    rows = pl.concat([_sets(inputs), _posts(inputs)], how="diagonal_relaxed")
    money = rows.join(inputs.prices.unique(["system", "listing_key"], keep="first"), on=["system", "listing_key"], how="left")
    whole = money.join(inputs.modes, on="system", how="left").with_columns(
        run_id=pl.lit(run_id),
        state=pl.lit(str(CorrectionState.PLANNED)),
        planned_at=pl.lit(now).cast(UTC),
        money_at_risk=(pl.col("units_at_risk") * pl.col("price")).round(2),
        correction_id=pl.col("idempotency_key").map_batches(_short_ids, return_dtype=pl.String),
        guard=pl.lit("{}"),
        finding_id=pl.lit(""),
    )
    raises = (pl.col("to_qty") > pl.col("from_qty")).fill_null(value=False)
    return (
        whole.with_columns(raises=raises)
        .sort("kind", "raises", "units_at_risk", "idempotency_key", descending=[True, False, True, False])
        .select(
            pl.col(name).cast(kind) if name in whole.columns else pl.lit(None, kind).alias(name)
            for name, kind in CORRECTIONS.items()
        )
    )


def _sets(inputs: PlanInputs) -> pl.DataFrame:
    points = (
        inputs.points.filter(
            pl.col("send").is_not_null()
            & pl.col("raw").is_not_null()
            & pl.col("state").is_in(_OPEN)
            & (pl.col("fulfilment") == Fulfilment.MERCHANT)
            & (pl.col("status") == ListingStatus.ACTIVE)
        )
        .join(inputs.offers.select(*_KEY, "falling_only").unique(_KEY), on=_KEY, how="left")
        .filter(~(pl.col("falling_only").fill_null(value=False) & (pl.col("send") > pl.col("raw"))))
        .join(_rests_on(inputs.bases), on=_KEY, how="left")
        .with_columns(pl.col("rests_on").fill_null("none"), pl.col("version").fill_null(""))
    )
    why = pl.col("state").replace_strict({str(k): v for k, v in _WHY.items()}, default="it does not show what it should")
    held_back = (
        pl.when(pl.col("withhold") > 0).then(pl.format("; {} held back for sales not yet seen", "withhold")).otherwise(pl.lit(""))
    )
    return points.select(
        *_KEY,
        "sku",
        "observed_at",
        "known_from",
        "known_to",
        "known_units",
        kind=pl.lit(str(CorrectionKind.SET)),
        from_qty="raw",
        to_qty="send",
        target="target",
        shown="reported",
        withheld="withhold",
        movement_ref=pl.lit(""),
        reason=pl.concat_str(pl.format("shows {}, should show {}: ", "reported", "target"), why, held_back),
        units_at_risk=(pl.col("reported") - pl.col("target")).abs(),
        idempotency_key=pl.concat_str(
            pl.lit("set"), *_KEY, "version", "raw", "rests_on", "send", pl.col("withhold").fill_null(0), separator=_SEPARATOR
        ),
    )


def _rests_on(bases: pl.DataFrame) -> pl.DataFrame:
    """Name the push that each base rests on, and how many were lost since: it changes whenever a push ends."""
    sent = pl.col("sent_at").dt.strftime("%Y%m%dT%H%M%S%.f").fill_null("first")
    return bases.select(*_KEY, rests_on=pl.format("{}-{}-{}", sent, pl.col("lost").fill_null(0), pl.col("returns").fill_null(0)))


def _posts(inputs: PlanInputs) -> pl.DataFrame:
    owners = inputs.systems.filter(pl.col("absorbs") == Absorbs.WRITEBACK).select("system")
    lacking = inputs.unbooked.join(owners, on="system", how="semi").filter(pl.col("units") != 0)
    return lacking.select(
        *_KEY,
        "sku",
        "movement_ref",
        kind=pl.lit(str(CorrectionKind.POST)),
        to_qty="units",
        observed_at="occurred_at",
        reason=pl.format("books {} ({} units), which it learns of only from us", "movement_ref", "units"),
        units_at_risk=pl.col("units").abs(),
        idempotency_key=pl.concat_str(pl.lit("post"), *_KEY, "movement_ref", separator=_SEPARATOR),
    )


def _short_ids(keys: pl.Series) -> pl.Series:
    """A name for people, the same for the same key."""
    return pl.Series([f"c-{hashlib.sha256(key.encode()).hexdigest()[:12]}" for key in keys], dtype=pl.String)
