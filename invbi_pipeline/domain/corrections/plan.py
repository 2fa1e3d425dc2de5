"""The plan as data: which numbers should be changed, to what, and why. Nothing here is sent; guards judge it next.

Two kinds (design.md section 5): `set` makes a channel's number its target; `post` books a movement that a counting system lacks.
"""

from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

import polars as pl

from invbi_pipeline.domain.candidates import plural
from invbi_pipeline.domain.frames import BASES, CORRECTIONS, OFFERS, POINT_KEY, SYSTEMS, UNBOOKED, UTC, empty
from invbi_pipeline.domain.steps import beside, ordered
from invbi_pipeline.domain.words import Absorbs, CorrectionKind, CorrectionState, Fulfilment, ListingStatus, PointState

__all__ = ["MODES", "PlanInputs", "plan", "short_ids"]

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
# What a set is made from.
_ASKED: Final = (
    *_KEY, "sku", "state", "fulfilment", "status", "why", "version", "observed_at", "raw", "reported", "target", "send",
    "withhold", "known_from", "known_to", "known_units",
)  # fmt: skip
# What is known of a correction that is planned; the rest comes later.
_SAID: Final = frozenset(
    {
        *_KEY, "correction_id", "run_id", "kind", "sku", "from_qty", "to_qty", "target", "shown", "withheld", "known_from",
        "known_to", "known_units", "mode", "movement_ref", "reason", "finding_id", "guard", "state", "idempotency_key",
        "observed_at", "planned_at", "units_at_risk", "money_at_risk", "sold",
    }
)  # fmt: skip
_WHY: Final = {
    PointState.PUSH_DUE: "what may be sold has changed elsewhere",
    PointState.DRIFTED: "what it shows has changed, and what may be sold has not",
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
    rows = _in_turn(_sets(inputs), _posts(inputs))
    return rows.with_columns(price=_prices(rows, inputs.prices)).join(
        inputs.modes, on="system", how="left", maintain_order="left"
    ).with_columns(
        run_id=pl.lit(run_id),
        state=pl.lit(str(CorrectionState.PLANNED)),
        planned_at=pl.lit(now).cast(UTC),
        money_at_risk=(pl.col("units_at_risk") * pl.col("price")).round(2),
        correction_id=pl.col("idempotency_key").map_batches(short_ids, return_dtype=pl.String),
        guard=pl.lit("{}"),
        finding_id=pl.lit(""),
    ).select(
        pl.col(name).cast(kind) if name in _SAID else pl.lit(None, kind).alias(name) for name, kind in CORRECTIONS.items()
    )  # fmt: skip


def _in_turn(sets: pl.DataFrame, posts: pl.DataFrame) -> pl.DataFrame:
    """Return the rows in the order in which they should be sent; equal ones by their key."""
    higher = (pl.col("to_qty") > pl.col("from_qty")).fill_null(value=False)
    groups = (sets.filter(~higher), sets.filter(higher), posts)
    ranked = (ordered(rows, "idempotency_key").sort("units_at_risk", descending=True, maintain_order=True) for rows in groups)
    return pl.concat(ranked, how="diagonal_relaxed")


def _prices(rows: pl.DataFrame, prices: pl.DataFrame) -> pl.Series:
    """The price of each row's listing; of several the first."""
    listing = ["system", "listing_key"]
    priced = rows.select(listing).join(prices, on=listing, how="left", maintain_order="left")
    if priced.height == rows.height:
        return priced["price"]
    return _prices(rows, prices.unique(listing, keep="first", maintain_order=True))


def _sets(inputs: PlanInputs) -> pl.DataFrame:
    sendable = inputs.points.lazy().select(_ASKED).filter(
        pl.col("send").is_not_null()
        & pl.col("raw").is_not_null()
        & pl.col("state").is_in(_OPEN)
        & (pl.col("fulfilment") == Fulfilment.MERCHANT)
        & (pl.col("status") == ListingStatus.ACTIVE)
    )  # fmt: skip
    points = _only_falling(sendable.collect(), inputs.offers).with_columns(pl.col("version").fill_null(""))
    points = beside(points, inputs.offers.select(*_KEY, "sold"), _KEY).with_columns(rests_on=_rests_on(points, inputs.bases))
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
        "sold",
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


def _only_falling(points: pl.DataFrame, offers: pl.DataFrame) -> pl.DataFrame:
    """Leave out the raises of what hangs on a blind owner."""
    blind = offers.filter("falling_only")
    if blind.is_empty():
        return points
    raised = points.filter(pl.col("send") > pl.col("raw")).join(blind, on=_KEY, how="semi")
    return points.join(raised, on=_KEY, how="anti")


def _rests_on(points: pl.DataFrame, bases: pl.DataFrame) -> pl.Series:
    """Name the push that the base of each point rests on, and how many were lost since: it changes whenever a push ends."""
    ours = (pl.col("sent_at").is_not_null(), pl.col("lost") != 0, pl.col("returns") != 0)
    sent = pl.col("sent_at").dt.strftime("%Y%m%dT%H%M%S%.f").fill_null("first")
    named = bases.filter(pl.any_horizontal(ours)).select(
        *_KEY, rests_on=pl.format("{}-{}-{}", sent, pl.col("lost").fill_null(0), pl.col("returns").fill_null(0))
    )
    untouched = pl.when(pl.col("why").is_null()).then(pl.lit("none")).otherwise(pl.lit("first-0-0"))
    if named.is_empty():
        return points.select(rests_on=untouched).to_series()
    return beside(points.select(*_KEY, "why"), named, _KEY).select(pl.coalesce("rests_on", untouched)).to_series()


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
        reason=pl.format(
            "books {} ({} {}), which it learns of only from us", "movement_ref", "units", plural("units", "unit", "units")
        ),
        units_at_risk=pl.col("units").abs(),
        idempotency_key=pl.concat_str(pl.lit("post"), *_KEY, "movement_ref", separator=_SEPARATOR),
    )


def short_ids(keys: pl.Series) -> pl.Series:
    """A name for people, the same for the same key."""
    digests = pl.Series([sha256(key).digest() for key in keys.cast(pl.Binary).to_list()], dtype=pl.Binary)
    return "c-" + digests.bin.head(6).bin.encode("hex")
