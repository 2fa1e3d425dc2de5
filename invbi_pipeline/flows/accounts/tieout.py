"""The tie-out of a business day or a month, read from the warehouse as it stands: each counting system's book, place by place."""

import calendar
import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

import polars as pl

from invbi_pipeline.channels.registry import facts_of
from invbi_pipeline.config import Config
from invbi_pipeline.domain.declared import places_frame, systems_frame
from invbi_pipeline.domain.ledger import anchors, tieout
from invbi_pipeline.domain.ledger.tieout import Period, TieOut
from invbi_pipeline.domain.offers.money import unit_values
from invbi_pipeline.domain.truth import STAGED
from invbi_pipeline.domain.words import CorrectionState, MovementKind
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.store.declared_files import read_declared
from invbi_pipeline.store.warehouse import Database, Warehouse

__all__ = ["book", "period_of", "tie_out"]

_BOOK: Final = ("system", "listing_key", "location")
# The numbers that a counting system gave, thinned: where a number changed, and the last of each hour.
_READ: Final = """
    SELECT rows.system, rows.listing_key, coalesce(places.location, '') AS location, rows.quantity, batches.platform_time AS at,
        batches.platform_time - to_seconds(coalesce(feeds.read_lag_s, 0)) AS doubt_from,
        batches.platform_time + (batches.ended_at - batches.began_at) AS doubt_to
    FROM raw.stock AS rows
    JOIN staging.stg_batches AS batches USING (batch_id)
    JOIN recon.systems AS systems ON rows.system = systems.system AND systems.counts
    LEFT JOIN recon.feeds AS feeds ON rows.system = feeds.system
    LEFT JOIN recon.location_map AS places ON rows.system = places.system AND rows.location_key = places.location_key
    WHERE rows.state = 'known'
    QUALIFY lag(rows.quantity) OVER (
            PARTITION BY rows.system, rows.listing_key, rows.location_key ORDER BY batches.position, rows.row_number
        ) IS DISTINCT FROM rows.quantity
        OR row_number() OVER (
            PARTITION BY rows.system, rows.listing_key, rows.location_key, date_trunc('hour', batches.platform_time)
            ORDER BY batches.position DESC, rows.row_number DESC
        ) = 1
"""
# The newest number of each stands as far as a later sweep of what changed did not list it.
_STANDS: Final = """
    SELECT system, listing_key, location, quantity, observed_at AS at, observed_at AS doubt_from, observed_at AS doubt_to
    FROM staging.stg_observations WHERE state = 'known'
"""
_FOUND: Final = """
    SELECT system, location, sku, string_agg(replace(code, '_', ' ') || ' ' || finding_id, ', ' ORDER BY finding_id) AS findings
    FROM recon.findings WHERE location <> '' AND sku <> '' GROUP BY ALL
"""


def period_of(said: str) -> Period:
    """Return the month (2026-11) or the business day (2026-11-20) that is meant. Raises `ConfigError` for anything else."""
    try:
        if re.fullmatch(r"\d{4}-\d{2}", said):
            first = date.fromisoformat(f"{said}-01")
            return Period(said, first, first.replace(day=calendar.monthrange(first.year, first.month)[1]))
        day = date.fromisoformat(said)
        return Period(day.isoformat(), day, day)
    except ValueError:
        wrong = (
            "--tie-out",
            f"{said!r} is neither a month nor a day",
            "write 2026-11 for a month, 2026-11-20 for a business day",
        )
        raise ConfigError("The period of the tie-out is not understood.", [wrong]) from None


def tie_out(warehouse: Warehouse, config: Config, period: Period, locations: Iterable[str] = ()) -> TieOut:
    """Return the tie-out of a period at every place that is counted, or at those named.

    A period that is not over yet is told as far as it is known. Raises `ConfigError` for a location that there is not, and for a
    period that ends before anything that is kept was read.
    """
    wanted = list(locations) or list(config.locations)
    for name in wanted:
        if name not in config.locations:
            mend = f"use one of: {', '.join(config.locations) or 'none is configured'}"
            raise ConfigError(f"No location is called {name!r}.", [("--location", name, mend)])
    days = tieout.business_days(
        {name: (config.zone_of(name), config.locations[name].day_ends) for name in wanted}, period.first, period.last
    )
    with warehouse.open() as db:
        known_at = db.query("SELECT max(landed_at) AS at FROM raw.batches WHERE verdict = 'believed'")["at"].item()
        marks, moves = book(db, config, days)
        costs, found = _costs(db, config), db.query(_FOUND)
        # what is not over yet is told as far as it is known
        days = days.clear() if known_at is None else days.filter(pl.col("starts_at") <= known_at)
    places = _places(config, marks, days, period)
    ledger = tieout.entries(tieout.steady(marks, moves), moves).collect().lazy()
    shelves = tieout.tie_out(ledger, days.lazy()).collect().lazy()
    totals, by_day, skus, rest = pl.collect_all(
        [
            tieout.lines(shelves, ("system", "location"), costs),
            tieout.daily(shelves),
            tieout.lines(shelves, ("system", "location", "sku"), costs),
            tieout.untold(ledger, days.lazy())
            .join(costs, on="sku", how="left")
            .join(found.lazy(), on=["system", "location", "sku"], how="left"),
        ]
    )
    return TieOut(config.business.name, config.business.currency, period, known_at, places, totals, by_day, skus, rest)


def book(db: Database, config: Config, places: pl.DataFrame) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Return MARKS and MOVES of the listings whose numbers are a shelf's, in units of the sku, at the `places` (location)."""
    systems = systems_frame(config, {name: facts_of(system.platform) for name, system in config.systems.items()}).lazy()
    owners = places_frame(config).lazy().select("location", owner="counted_by")
    movements = db.pick("staging.stg_movements", STAGED["movements"]).lazy()
    held = db.read("truth.mappings").lazy().filter(pl.col("valid_to").is_null())
    observed = db.pick("staging.stg_observations", STAGED["observations"]).lazy()
    kits = db.read("truth.kits").lazy()
    listed = anchors.counted_listings(observed, movements, held, kits, systems, owners)
    books = (
        listed.join(places.lazy().select("location").unique(), on="location", how="semi")
        .select(*_BOOK, "sku", pack="units")
        .collect()
        .lazy()
    )
    reads = pl.concat([db.query(_READ), db.query(_STANDS)]).lazy()
    reads = reads.select(*_BOOK, "at", "doubt_from", "doubt_to", number="quantity", counted=pl.lit(value=False))
    silent = (pl.col("kind") == MovementKind.COUNT) & pl.col("units").is_null()
    counts = movements.filter(silent & pl.col("counted").is_not_null()).select(
        *_BOOK, at="occurred_at", doubt_from="occurred_at", doubt_to="occurred_at", number="counted", counted=pl.lit(value=True)
    )
    moves = _moves(db, movements.filter(~silent), systems)
    number, units = pl.col("number") * pl.col("pack"), pl.col("units") * pl.col("pack")
    marks = pl.concat([reads, counts], how="diagonal").join(books, on=_BOOK).with_columns(number=number).select(*tieout.MARKS)
    told = moves.drop_nulls("units").join(books, on=_BOOK).with_columns(units=units).select(*tieout.MOVES)
    return marks.collect().lazy(), told.collect().lazy()


def _moves(db: Database, movements: pl.LazyFrame, systems: pl.LazyFrame) -> pl.LazyFrame:
    """Return what each system says moved its number: its ledger; of one without a ledger, the effects it tells of and our posts.

    A ledger may bear the time at which a thing happened; the effect of the same id bears that at which the number learnt of it.
    """
    effects = db.pick("staging.stg_effects", STAGED["effects"]).lazy()
    ledgers = systems.filter("has_ledger").select("system")
    stamps = effects.group_by("system", movement_id="effect_id").agg(stamped_at=pl.col("stamped_at").max())
    booked = (
        movements.join(ledgers, on="system", how="semi")
        .join(stamps, on=["system", "movement_id"], how="left")
        .select(*_BOOK, "kind", "units", "movement_id", "order_id", at=pl.coalesce("stamped_at", "occurred_at"))
    )
    applied = effects.join(ledgers, on="system", how="anti").select(
        *_BOOK, "kind", "units", "order_id", movement_id="effect_id", at="stamped_at"
    )
    posts = db.query(
        """
        SELECT system, listing_key, location, to_qty - coalesce(from_qty, 0) AS units, coalesce(sent_at, verified_at) AS at,
            movement_ref AS movement_id, '' AS order_id
        FROM recon.corrections WHERE kind = 'post' AND state = $state
        """,
        {"state": str(CorrectionState.VERIFIED)},
    ).lazy()
    ours = posts.join(ledgers, on="system", how="anti").with_columns(kind=pl.lit(str(MovementKind.ADJUSTMENT)))
    columns = [*_BOOK, "kind", "units", "at", "movement_id", "order_id"]
    return pl.concat([booked.select(columns), applied.select(columns), ours.select(columns)])


def _costs(db: Database, config: Config) -> pl.LazyFrame:
    """Return sku, cost: of one unit, in the reporting currency; what has none is missing."""
    prices = db.read("truth.prices").lazy()
    mine = prices.select("sku").unique().with_columns(system=pl.lit(""), listing_key="sku", units=pl.lit(1, pl.Int64))
    nothing = pl.LazyFrame(schema={"system": pl.String, "listing_key": pl.String, "price": pl.Float64, "currency": pl.String})
    found = unit_values(nothing, mine, prices, read_declared(config).rates.lazy(), config.business.currency)
    return found.select("sku", "cost").drop_nulls("cost")


def _places(config: Config, marks: pl.LazyFrame, days: pl.DataFrame, period: Period) -> pl.DataFrame:
    reads = marks.filter(~pl.col("counted"))
    seen = reads.group_by("system", "location").agg(first_read=pl.col("at").min(), known_to=pl.col("at").max())
    spans = days.group_by("location").agg(pl.col("starts_at").min(), pl.col("ends_at").max())
    read = seen.collect()
    told = read.join(spans, on="location").sort("system", "location").filter(pl.col("first_read") < pl.col("ends_at"))
    if told.is_empty():
        first, last = read["first_read"].min(), read["known_to"].max()
        since = "the first run on"
        if isinstance(first, datetime) and isinstance(last, datetime):
            since = f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
        mend = "ask for a later period; store.keep_raw_days says how long reads are kept"
        if isinstance(last, datetime) and (days["starts_at"] > last).all():
            mend = "ask for an earlier period; nothing was read in this one yet"
        raise ConfigError(f"{period.name} cannot be told.", [("--tie-out", f"numbers are kept from {since}", mend)])
    names: dict[str, str] = {name: str(config.zone_of(name)) for name in config.locations}
    ends = {name: f"{place.day_ends:%H:%M}" for name, place in config.locations.items()}
    return told.with_columns(
        zone=pl.col("location").replace_strict(names, return_dtype=pl.String),
        day_ends=pl.col("location").replace_strict(ends, return_dtype=pl.String),
    )
