"""The truth: from what systems said and people declared to what each listing should show. One pure function, and its parts."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import polars as pl

from invbi_pipeline.domain import anchors, doubts, identity, kits, ledger, movements, offers, orders, pools, positions, ties
from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain.steps import kept, kept_all
from invbi_pipeline.domain.words import MovementKind

__all__ = ["STAGED", "TruthInputs", "TruthResult", "demand", "truth"]

DEMAND_WINDOW: Final = timedelta(days=28)  # four whole weeks: every weekday as often as another


def staged(schema: f.Schema) -> f.Schema:
    """Return a wall frame's schema as it is after staging: `location`, a configured name, for `location_key`."""
    return {("location" if name == "location_key" else name): kind for name, kind in schema.items()}


# The frames that the store hands over, by the field of TruthInputs. Every one may be empty.
STAGED: Final[Mapping[str, f.Schema]] = {
    "listings": f.LISTINGS,
    "order_lines": staged(f.ORDER_LINES),
    "movements": staged(f.MOVEMENTS),
    "effects": staged(f.EFFECTS),
    "observations": f.OBSERVATIONS,
    "feeds": f.FEEDS,
    "systems": f.SYSTEMS,
    "places": f.PLACES,
    "sku_map": f.SKU_MAP,
    "kit_rows": f.KIT_ROWS,
    "policies": f.POLICIES,
    "prices": f.PRICES,
    "mappings": f.MAPPINGS,
    "anchors": f.ANCHORS,
    "openings": f.OPENINGS,
    "posted": f.POSTED,
    "unavailable": f.HELD,
    "incoming": f.HELD,
}


class TruthInputs(NamedTuple):
    """What the truth is derived from; schemas in `STAGED`. `TruthInputs.of(listings=..., ...)` leaves the others empty."""

    listings: pl.LazyFrame
    order_lines: pl.LazyFrame
    movements: pl.LazyFrame
    effects: pl.LazyFrame
    observations: pl.LazyFrame
    feeds: pl.LazyFrame
    systems: pl.LazyFrame
    places: pl.LazyFrame
    sku_map: pl.LazyFrame
    kit_rows: pl.LazyFrame
    policies: pl.LazyFrame
    prices: pl.LazyFrame
    mappings: pl.LazyFrame  # of the run before, with their history
    anchors: pl.LazyFrame  # of the run before: what holds where nothing was read
    openings: pl.LazyFrame  # of the run before
    posted: pl.LazyFrame  # our own posts so far
    unavailable: pl.LazyFrame  # units in the owner's number that may not be sold
    incoming: pl.LazyFrame

    @classmethod
    def of(cls, **given: pl.LazyFrame | pl.DataFrame) -> "TruthInputs":
        """Build the inputs from some frames; the others are empty. Columns beyond the schema are dropped, missing ones raise."""
        unknown = sorted(set(given) - set(STAGED))
        if unknown:
            raise TypeError(f"no input of the truth is called {unknown[0]}; expected one of {', '.join(STAGED)}")
        return cls(**{name: given.get(name, f.empty(schema)).lazy().select(*schema) for name, schema in STAGED.items()})


class TruthResult(NamedTuple):
    """What the truth is, each frame sorted by its key. `mappings`, `anchors` and `openings` are kept for the next run."""

    mappings: pl.DataFrame  # MAPPINGS, with history
    kits: pl.DataFrame  # KITS
    anchors: pl.DataFrame  # ANCHORS
    openings: pl.DataFrame  # OPENINGS
    shelves: pl.DataFrame  # ledger.Ledger.shelves: every term of on_hand
    foreign: pl.DataFrame  # ledger.Ledger.foreign: each foreign movement, whether the anchor contains it, and why
    reservations: pl.DataFrame  # RESERVATIONS
    positions: pl.DataFrame  # POSITIONS
    offers: pl.DataFrame  # OFFERS
    unbooked: pl.DataFrame  # UNBOOKED
    suggestions: pl.DataFrame  # likeness.SUGGESTIONS, for people
    candidates: pl.DataFrame  # CANDIDATES


def demand(movements_: pl.LazyFrame, now: datetime) -> pl.LazyFrame:
    """Return location, sku, per_day: the owner's own sales per day over the last `DEMAND_WINDOW`, units.

    `movements_` is `movements.Moves.own`. These are the sales that go on unseen while the owner cannot be read.
    """
    lately = movements_.filter(
        (pl.col("kind") == MovementKind.SALE) & (pl.col("occurred_at") > now - DEMAND_WINDOW) & (pl.col("units") < 0)
    )
    days = DEMAND_WINDOW / timedelta(days=1)
    return lately.group_by("location", "sku").agg(per_day=-pl.col("units").sum() / days)


class _Identity(NamedTuple):
    things: pl.LazyFrame
    known: pl.LazyFrame
    mappings: pl.LazyFrame
    held: pl.LazyFrame
    kits: pl.LazyFrame
    suggestions: pl.LazyFrame
    candidates: pl.LazyFrame


def truth(inputs: TruthInputs, now: datetime) -> TruthResult:
    """Derive the truth at `now` (UTC). Repeated rows count once, and the order of rows and of systems changes nothing."""
    said = TruthInputs(*(frame.unique() for frame in inputs))
    who = _identify(said, now)
    owners = said.places.select("location", owner="counted_by")
    keys = kept(orders.order_keys(said.order_lines, said.movements, owners))
    lines = kept(orders.order_lines_of_ours(said.order_lines, keys, who.mappings, who.kits, said.listings, said.systems, owners))
    listed = kept(anchors.counted_listings(said.observations, said.movements, who.held, who.kits, said.systems, owners))
    anchor = kept(anchors.anchors(listed, said.observations, said.anchors, who.held, owners))
    opened = kept(anchors.openings(said.openings, anchor))
    moves = movements.Moves(
        *kept_all(
            movements.told_apart(
                said.movements, said.effects, said.posted, lines, keys, listed, who.mappings, who.kits, said.systems, owners
            )
        )
    )
    reach = ledger.reach_of(anchor, said.feeds)
    contained = ledger.contained_lines(lines, said.effects, anchor, listed, said.systems, reach)
    book = ledger.Ledger(
        *kept_all(ledger.on_hand(anchor, opened, moves, contained, lines, said.effects, said.posted, said.systems, reach))
    )
    category = pools.categories(said.prices)
    reserved = kept(_with_evidence(orders.reservations(lines, moves.ahead), contained.lines))
    shelves = pl.concat([book.shelves.select("location", "sku"), reserved.select("location", "sku")])
    safety = pools.safety_stock(shelves, said.places, category, said.policies, now)
    stand = kept(positions.positions(book.shelves, reserved, said.unavailable, said.incoming, safety))
    offered = _offer(said, who, lines, reserved, stand, demand(moves.own, now), category, now)
    candidates = pl.concat(
        [
            who.candidates,
            ties.negative(book),
            ties.untied(anchor, opened, moves.own, said.systems, said.feeds),
        ]
    )
    return TruthResult(
        *_sorted(
            (who.mappings.select(*f.MAPPINGS), ("system", "listing_key", "valid_from")),
            (who.kits, ("kit_sku", "sku")),
            (anchor.select(*f.ANCHORS), ("location", "sku")),
            (opened, ("location", "sku", "system")),
            (book.shelves, ("location", "sku")),
            (book.foreign, ("owner", "location", "sku", "ref")),
            (reserved.select(*f.RESERVATIONS), ("system", "order_id", "line_id", "sku", "location")),
            (stand, ("sku", "location")),
            (offered, ("system", "listing_key", "location")),
            (ledger.unbooked(book.foreign, listed), ("system", "location", "sku", "movement_ref")),
            (who.suggestions, ("system", "listing_key", "sku", "reason")),
            (candidates, ("code", "system", "listing_key", "location", "sku", "evidence")),
        )
    )


def _identify(said: TruthInputs, now: datetime) -> _Identity:
    things = kept(identity.subjects(said.listings, said.order_lines, said.observations, said.movements, said.systems))
    known = kept(identity.masters(things, said.places, said.sku_map, said.kit_rows, said.prices))
    flat = kits.flatten(said.kit_rows, known.filter(~pl.col("only_part")).select("sku"))
    resolved = identity.Resolved(*kept_all(identity.resolve(things, said.sku_map, known, said.systems, now)))
    mappings = kept(identity.merge_versions(said.mappings, resolved.mappings, things, now))
    held = kept(identity.current(mappings))
    noticed = doubts.doubts(things, resolved, held, known, said.order_lines, said.observations, said.mappings)
    return _Identity(
        things,
        known,
        mappings,
        held,
        kept(flat.kits),
        noticed.suggestions,
        pl.concat([noticed.candidates, flat.candidates]),
    )


def _offer(
    said: TruthInputs,
    who: _Identity,
    lines: pl.LazyFrame,
    reserved: pl.LazyFrame,
    stand: pl.LazyFrame,
    rate: pl.LazyFrame,
    category: pl.LazyFrame,
    now: datetime,
) -> pl.LazyFrame:
    listings = kept(pools.offered_listings(who.things, who.held, said.systems, said.places))
    places = kept(pools.pool_places(said.systems, said.places))
    given = kept(
        pools.gives(listings, places, stand, said.observations, who.kits, category, said.policies, said.feeds, rate, now)
    )
    unheld = pools.held_nowhere(reserved, places)
    open_units = offers.own_open(lines, reserved, places)
    return offers.offers(
        listings, given, unheld, places, said.observations, said.systems, said.places, open_units, category, said.policies, now
    )


def _with_evidence(reserved: pl.LazyFrame, contained: pl.LazyFrame) -> pl.LazyFrame:
    by_basis = contained.filter(pl.col("evidence") == "basis").select("system", "order_id", "line_id", "sku", basis="evidence")
    joined = reserved.join(by_basis.unique(), on=["system", "order_id", "line_id", "sku"], how="left")
    return joined.with_columns(evidence=pl.coalesce("basis", "evidence")).drop("basis")


def _sorted(*results: tuple[pl.LazyFrame, tuple[str, ...]]) -> list[pl.DataFrame]:
    return pl.collect_all([frame.sort(*keys) for frame, keys in results])
