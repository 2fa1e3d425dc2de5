"""What the merge is given, what it gives back, and one row a point with all that is known of it now."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain import frames
from invbi_pipeline.domain.frames import POINT_KEY, empty
from invbi_pipeline.domain.points.numbering import Numbering, spread, twice
from invbi_pipeline.domain.words import Basis, FeedVerdict, Fulfilment, ListingStatus, PointState, Quantity

__all__ = ["GRAIN", "POINT_EFFECTS", "MergeInputs", "MergeResult", "ready"]

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


def ready(inputs: MergeInputs) -> tuple[pl.DataFrame, Numbering]:
    """Return one row a point, in the order of its key, with all that is known of it now, and the numbers of the points.

    Beside the columns of the inputs: `pid` (row number), `quantity` (the platform's raw number), `seen` (that number net of
    the platform's own reservations), `reach` (the end of the read on the platform's clock), `fresh_from` (effects stamped
    after this may be missing from the read), `believed`, `fixed` (the state of a point that is never compared, or null),
    `live` (it can be compared with a base).
    """
    key = list(POINT_KEY)
    observed = inputs.observations.drop("batch_id", "changed_at", strict=False)
    numbers = Numbering.of(key, observed, inputs.offers)
    observed_of = numbers.number(observed)
    if twice(observed_of):
        observed = observed.sort("observed_at")  # the newest is the last
        observed_of = numbers.number(observed)
    offers = inputs.offers.select(*key, "offer", _own_open(inputs.offers))
    every = numbers.keys()
    joined = (
        every.with_row_index("pid")
        .hstack(_of_listings(numbers, inputs))
        .hstack(spread(offers.drop(key), numbers.number(offers), len(numbers)))
        .hstack(spread(observed.drop(key), observed_of, len(numbers)))
        .join(_counted(inputs.places, inputs.systems), on=["system", "location"], how="left", maintain_order="left")
        .join(_of_systems(inputs), on="system", how="left", maintain_order="left")
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
    ), numbers


def _of_listings(points: Numbering, inputs: MergeInputs) -> pl.DataFrame:
    """Return sku, status and fulfilment of the listing of each point."""
    listing = ("system", "listing_key")
    numbers, of_points = points.beginnings(len(listing))
    held = inputs.mappings.filter(pl.col("valid_to").is_null()).select(*listing, "sku")
    number = numbers.number(held)
    if twice(number):
        held = held.with_columns(n=number).drop_nulls("n").group_by("n").agg(pl.col("sku").min())
        number = held["n"]
    skus = spread(held.select("sku"), number, len(numbers))
    said = spread(inputs.listings.select("status", "fulfilment"), numbers.number(inputs.listings), len(numbers))
    return skus.hstack(said)[of_points]


def _of_systems(inputs: MergeInputs) -> pl.DataFrame:
    """Return what is known of each system as a whole: system, believed, complete_to, read_lag, visibility, basis."""
    feeds = inputs.feeds.join(_without_orders(inputs.systems), on="system", how="left").select(
        "system",
        believed=pl.col("verdict") == FeedVerdict.BELIEVED.value,
        complete_to=pl.coalesce(pl.col("stock_read_at") - pl.col("booked_after"), "orders_complete_to"),
        read_lag=_seconds("read_lag_s"),
        visibility=pl.max_horizontal(_seconds("visibility_lag_s"), pl.lit(GRAIN)),
    )
    return feeds.join(inputs.systems.select("system", "basis"), on="system", how="full", coalesce=True)


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
