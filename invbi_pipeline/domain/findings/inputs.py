"""What the makers of findings look at, and the columns in which they tell what they saw."""

from typing import Final, NamedTuple

import polars as pl

from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain.candidates import candidates
from invbi_pipeline.domain.phantom import COUNT_LIST
from invbi_pipeline.domain.points.inputs import POINT_EFFECTS

__all__ = [
    "BATCHES",
    "CLOCKS",
    "DELAYS",
    "DELIVERIES",
    "EARLIER",
    "MOVED",
    "ORDERED",
    "PROMISED",
    "REFUSED",
    "TOLD",
    "VALUES",
    "FindingInputs",
    "among",
    "of_point",
    "subject",
    "told",
]

VALUES: Final[f.Schema] = {  # `domain.offers.money.unit_values`
    "system": pl.String(),
    "listing_key": pl.String(),
    "sku": pl.String(),
    "price": pl.Float64(),
}
REFUSED: Final[f.Schema] = {  # this run's quarantined rows, and those that still leave a point unknown, counted
    "system": pl.String(),
    "dataset": pl.String(),
    "reason": pl.String(),
    "listing_key": pl.String(),  # whose they are; null where they do not say, or not readably
    "sku": pl.String(),  # null where the listing has none
    "rows": pl.Int64(),
}
BATCHES: Final[f.Schema] = {  # what is asked of this run's reads (`raw.batches`)
    "system": pl.String(),
    "dataset": pl.String(),
    "verdict": pl.String(),
    "is_full": pl.Boolean(),
}
PROMISED: Final[f.Schema] = {  # the order lines behind RESERVATIONS
    "system": pl.String(),
    "order_id": pl.String(),
    "line_id": pl.String(),
    "listing_key": pl.String(),
    "open_quantity": pl.Int64(),
    "price": pl.Float64(),
    "currency": pl.String(),
}
EARLIER: Final[f.Schema] = {  # what points showed before, one row a look at which they were listed
    **{name: kind for name, kind in f.OBSERVATIONS.items() if name in (*f.POINT_KEY, "quantity", "version", "changed_at")},
    "observed_at": f.UTC,  # the platform's clock
}
CLOCKS: Final[f.Schema] = {  # how far each system's clock went back within the last half hour
    "system": pl.String(),
    "set_back_s": pl.Float64(),
}
DELAYS: Final[f.Schema] = {  # webhooks that had waited for long when the run began
    "system": pl.String(),
    "waiting": pl.Int64(),
    "waiting_since": f.UTC,  # our clock
}
DELIVERIES: Final[f.Schema] = {  # webhooks that came
    "system": pl.String(),
    "listing_keys": pl.List(pl.String()),
    "order_ids": pl.List(pl.String()),
    "received_at": f.UTC,  # our clock
}
MOVED: Final[f.Schema] = {("location" if name == "location_key" else name): kind for name, kind in f.MOVEMENTS.items()}
ORDERED: Final[f.Schema] = {("location" if name == "location_key" else name): kind for name, kind in f.ORDER_LINES.items()}
TOLD: Final[f.Schema] = {
    **f.CANDIDATES,
    "severity": pl.String(),  # null: the catalogue's
    "money": pl.Float64(),  # null: units times the price
    "action": pl.String(),  # what a person can do; null: the catalogue's; empty: nothing is left to do
}


class FindingInputs(NamedTuple):
    """Everything that can be seen of what is wrong. A frame that is not given is empty; columns beyond these are welcome.

    `points` POINTS as they are now; `offers` OFFERS; `positions` POSITIONS; `reservations` RESERVATIONS; `candidates`
    CANDIDATES; `corrections` CORRECTIONS, those not ended and those of the last day; `feeds` FEEDS; `listings` of LISTINGS;
    `batches` this run's rows of `raw.batches`, of which `BATCHES` are asked; `quarantine` this run's `REFUSED`; `effects`
    POINT_EFFECTS, reaching back a day at least; `values` as `unit_values` makes them, of which `VALUES` are asked;
    `systems` SYSTEMS; `places` PLACES; `order_lines` those behind the reservations, of which `PROMISED` are asked; `earlier`
    EARLIER of the points that drifted, and of those in flight that sold twice, reaching back a day and more; `movements` MOVED
    and `orders` ORDERED, the staged movements and order lines of the last two days; `mappings` MAPPINGS; `kits` KITS;
    `deliveries` DELIVERIES, all that the inbox still holds; `delays` DELAYS; `clocks` CLOCKS; `known` LIVES, the findings as they
    were left.
    """

    points: pl.DataFrame = f.empty(f.POINTS)
    offers: pl.DataFrame = f.empty(f.OFFERS)
    positions: pl.DataFrame = f.empty(f.POSITIONS)
    reservations: pl.DataFrame = f.empty(f.RESERVATIONS)
    candidates: pl.DataFrame = f.empty(f.CANDIDATES)
    corrections: pl.DataFrame = f.empty(f.CORRECTIONS)
    feeds: pl.DataFrame = f.empty(f.FEEDS)
    listings: pl.DataFrame = f.empty(f.LISTINGS)
    batches: pl.DataFrame = f.empty(BATCHES)
    quarantine: pl.DataFrame = f.empty(REFUSED)
    effects: pl.DataFrame = f.empty(POINT_EFFECTS)
    values: pl.DataFrame = f.empty(VALUES)
    systems: pl.DataFrame = f.empty(f.SYSTEMS)
    places: pl.DataFrame = f.empty(f.PLACES)
    phantoms: pl.DataFrame = f.empty(COUNT_LIST)  # every shelf that could be counted, `domain.phantom.count_list`
    earlier: pl.DataFrame = f.empty(EARLIER)
    movements: pl.DataFrame = f.empty(MOVED)
    orders: pl.DataFrame = f.empty(ORDERED)
    mappings: pl.DataFrame = f.empty(f.MAPPINGS)
    kits: pl.DataFrame = f.empty(f.KITS)
    deliveries: pl.DataFrame = f.empty(DELIVERIES)
    delays: pl.DataFrame = f.empty(DELAYS)
    order_lines: pl.DataFrame = f.empty(PROMISED)
    clocks: pl.DataFrame = f.empty(CLOCKS)
    known: pl.DataFrame = f.empty(f.LIVES)


def among(frame: pl.DataFrame, few: pl.DataFrame, *key: str) -> pl.DataFrame:
    """Return the rows of `frame` whose key is one of the few: what is rare is looked up before it is worked out."""
    return frame.clear() if few.is_empty() else frame.join(few.select(key).unique(), on=list(key), how="semi")


def told(frame: pl.DataFrame, code: str, cause: pl.Expr, *evidence: str | pl.Expr) -> pl.DataFrame:
    """Return `frame` as rows of `TOLD`: its columns of that schema are taken over, `evidence` becomes a JSON object."""
    if frame.is_empty():
        return f.empty(TOLD)
    said = {e if isinstance(e, str) else e.meta.output_name(): pl.col(e) if isinstance(e, str) else e for e in evidence}
    rows = candidates(frame.lazy(), code, cause, said).collect()
    more = (name for name in TOLD if name not in rows.columns)
    given = {name: frame[name] if name in frame.columns else pl.lit(None) for name in more}
    return f.fit(rows.with_columns(**given), TOLD)


def subject() -> pl.Expr:
    """Return how a sentence names a point: "MUG-RED on shopify_uk (soho)"."""
    name = pl.when(pl.col("sku").fill_null("") != "").then("sku").otherwise("listing_key")
    place = pl.when(pl.col("location") == "").then(pl.lit("")).otherwise(pl.format(" ({})", "location"))
    return pl.format("{} on {}{}", name, "system", place)


def of_point() -> list[str]:
    """Return the columns that are a point's key."""
    return list(f.POINT_KEY)
