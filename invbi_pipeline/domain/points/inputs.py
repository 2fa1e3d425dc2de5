"""What the merge is given, what it gives back, and one row a point with all that is known of it now."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain import frames
from invbi_pipeline.domain.frames import POINT_KEY, empty
from invbi_pipeline.domain.words import Basis, FeedVerdict, Fulfilment, ListingStatus, PointState, Quantity

__all__ = ["GRAIN", "POINT_EFFECTS", "MergeInputs", "MergeResult", "ready", "with_ids"]

GRAIN: Final = timedelta(seconds=1)  # platforms state their time in whole seconds (the HTTP Date header)

POINT_EFFECTS: Final[frames.Schema] = {
    **{name: kind for name, kind in frames.EFFECTS.items() if name != "location_key"},
    "location": pl.String(),
}


@dataclass(frozen=True, slots=True)
class MergeInputs:
    """Everything the merge looks at, as frames of `domain.frames`.

    `effects` has the columns of `POINT_EFFECTS` (EFFECTS with our `location` in place of `location_key`) and must reach
    back to the oldest `as_of` of `bases` and `unjudged`. `listings` needs `system`, `listing_key`, `status`, `fulfilment`.
    """

    observations: pl.DataFrame
    offers: pl.DataFrame
    mappings: pl.DataFrame
    feeds: pl.DataFrame
    effects: pl.DataFrame = field(default_factory=lambda: empty(POINT_EFFECTS))
    bases: pl.DataFrame = field(default_factory=lambda: empty(frames.BASES))
    contained: pl.DataFrame = field(default_factory=lambda: empty(frames.CONTAINED))
    flights: pl.DataFrame = field(default_factory=lambda: empty(frames.FLIGHTS))
    looks: pl.DataFrame = field(default_factory=lambda: empty(frames.LOOKS))
    unjudged: pl.DataFrame = field(default_factory=lambda: empty(frames.UNJUDGED))
    systems: pl.DataFrame = field(default_factory=lambda: empty(frames.SYSTEMS))
    places: pl.DataFrame = field(default_factory=lambda: empty(frames.PLACES))
    listings: pl.DataFrame = field(default_factory=lambda: empty(frames.LISTINGS))


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What a merge found (`points`) and what must be remembered for the next one (the other frames replace the old ones).

    `broken_identity` holds the points whose gap is not unexplained - pending; it is empty, or the merge is wrong.
    """

    points: pl.DataFrame
    bases: pl.DataFrame
    contained: pl.DataFrame
    looks: pl.DataFrame
    unjudged: pl.DataFrame
    flight_ends: pl.DataFrame
    broken_identity: pl.DataFrame


def with_ids(frame: pl.DataFrame, ids: pl.DataFrame) -> pl.DataFrame:
    """Return `frame` with the point's row number `pid`; rows of points that do not exist now are left out."""
    return frame.join(ids.select("pid", *POINT_KEY), on=list(POINT_KEY), how="inner")


def ready(inputs: MergeInputs) -> pl.DataFrame:
    """Return one row a point, sorted by its key, with all that is known of it now.

    Beside the columns of the inputs: `pid` (row number), `quantity` (the platform's raw number), `seen` (that number net of
    the platform's own reservations), `reach` (the end of the read on the platform's clock), `fresh_from` (effects stamped
    after this may be missing from the read), `believed`, `fixed` (the state of a point that is never compared, or null),
    `live` (it can be compared with a base).
    """
    key = list(POINT_KEY)
    observed = inputs.observations.sort("observed_at").unique(key, keep="last")
    offers = inputs.offers.unique(key, keep="last").select(*key, "offer", _own_open(inputs.offers))
    universe = pl.concat([observed.select(key), offers.select(key)]).unique().sort(key).with_row_index("pid")
    skus = (
        inputs.mappings.filter(pl.col("valid_to").is_null())
        .sort("system", "listing_key", "sku")
        .unique(["system", "listing_key"], keep="first", maintain_order=True)
        .select("system", "listing_key", "sku")
    )
    listings = inputs.listings.unique(["system", "listing_key"], keep="last").select(
        "system", "listing_key", "status", "fulfilment"
    )
    feeds = inputs.feeds.join(_without_orders(inputs.systems), on="system", how="left").select(
        "system",
        believed=pl.col("verdict") == FeedVerdict.BELIEVED.value,
        complete_to=pl.coalesce(pl.col("stock_read_at") - pl.col("booked_after"), "orders_complete_to"),
        read_lag=_seconds("read_lag_s"),
        visibility=pl.max_horizontal(_seconds("visibility_lag_s"), pl.lit(GRAIN)),
    )
    basis = inputs.systems.select("system", "basis")
    joined = (
        universe.join(skus, on=["system", "listing_key"], how="left")
        .join(listings, on=["system", "listing_key"], how="left")
        .join(_counted(inputs.places, inputs.systems), on=["system", "location"], how="left")
        .join(offers, on=key, how="left")
        .join(observed.drop("batch_id", "changed_at", strict=False), on=key, how="left")
        .join(feeds, on="system", how="left")
        .join(basis, on="system", how="left")
        .sort("pid")
    )
    known = (pl.col("qty_state") == Quantity.KNOWN.value) & pl.col("quantity").is_not_null()
    platform = pl.col("fulfilment") == Fulfilment.PLATFORM.value
    net = pl.col("quantity") - pl.when(pl.col("basis") == Basis.GROSS.value).then(pl.col("reserved").fill_null(0)).otherwise(0)
    return (
        joined.rename({"state": "qty_state"})
        .with_columns(
            pl.col("believed").fill_null(value=False),
            pl.col("counted").fill_null(value=False),
            pl.col("read_lag", "visibility").fill_null(timedelta(0)),
            pl.col("version").fill_null(""),
            pl.col("status").fill_null(ListingStatus.ACTIVE.value),
            pl.col("fulfilment").fill_null(Fulfilment.MERCHANT.value),
            pl.col("basis").fill_null(Basis.NET.value),
            pl.col("own_open", "reserved").fill_null(0),
        )
        .with_columns(
            seen=pl.when(known).then(net),
            reach=pl.col("observed_at")
            + (pl.col("read_ended_at") - pl.col("read_began_at")).clip(lower_bound=timedelta(0)).fill_null(timedelta(0)),
            fresh_from=pl.col("observed_at") - pl.col("read_lag"),
            fixed=pl.when(pl.col("sku").is_null())
            .then(pl.lit(PointState.UNMAPPED.value))
            .when(pl.col("counted") | platform)
            .then(pl.lit(PointState.COUNTED.value))
            .when(~pl.col("believed"))
            .then(pl.lit(PointState.UNKNOWN.value))
            .when(pl.col("qty_state") == Quantity.UNTRACKED.value)
            .then(pl.lit(PointState.UNTRACKED.value))
            .when(~known.fill_null(value=False))
            .then(pl.lit(PointState.UNKNOWN.value))
            .when(pl.col("offer").is_null())
            .then(pl.lit(PointState.UNOFFERED.value)),
        )
        .with_columns(
            live=pl.col("seen").is_not_null()
            & pl.col("observed_at").is_not_null()
            & (pl.col("fixed").is_null() | pl.col("fixed").is_in([PointState.UNOFFERED.value, PointState.UNKNOWN.value])),
            offer_raw=pl.col("offer"),
        )
    )


def _counted(places: pl.DataFrame, systems: pl.DataFrame) -> pl.DataFrame:
    """Return system, location, counted: where a system's number is the truth's source. No location: its default one."""
    named = places.select(pl.col("counted_by").alias("system"), "location")
    bare = systems.select("system", location="default_location").join(named, on=["system", "location"])
    return pl.concat([named, bare.with_columns(location=pl.lit(""))]).unique().with_columns(counted=pl.lit(True))


def _without_orders(systems: pl.DataFrame) -> pl.DataFrame:
    """Return system, booked_after: of channels that tell no orders, how long the owners take to book them.

    What such a channel sold is known only by the owners' books, so its numbers are judged once those had their time.
    """
    lag = systems.filter(pl.col("counts").fill_null(value=False))["booking_lag_s"].max()
    silent = systems.filter(~pl.col("has_orders").fill_null(value=True))
    return silent.select("system", booked_after=pl.duration(seconds=pl.lit(lag or 0), time_unit="us"))


def _seconds(name: str) -> pl.Expr:
    return pl.duration(seconds=pl.col(name).fill_null(0), time_unit="us")


def _own_open(offers: pl.DataFrame) -> pl.Expr:
    return pl.col("own_open") if "own_open" in offers.columns else pl.lit(0, pl.Int64).alias("own_open")
