"""The truth: from what systems said and people declared to what each listing should show. One pure function, and its parts."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import polars as pl

from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain import shelf
from invbi_pipeline.domain.candidates import together
from invbi_pipeline.domain.identity import barcodes, doubts, kits, packs, unlisted, versions
from invbi_pipeline.domain.identity import mappings as identity
from invbi_pipeline.domain.identity.likeness import NO_SUGGESTIONS
from invbi_pipeline.domain.ledger import anchors, movements, orders, positions, ties
from invbi_pipeline.domain.ledger import on_hand as ledger
from invbi_pipeline.domain.offers import buffers, offers, policies, pools, sales
from invbi_pipeline.domain.steps import any_row, kept, kept_all, ordered
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
    "returns": staged(f.RETURNS),
    "observations": f.OBSERVATIONS,
    "feeds": f.FEEDS,
    "systems": f.SYSTEMS,
    "places": f.PLACES,
    "sku_map": f.SKU_MAP,
    "decisions": f.DECISIONS,
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
    returns: pl.LazyFrame
    observations: pl.LazyFrame
    feeds: pl.LazyFrame
    systems: pl.LazyFrame
    places: pl.LazyFrame
    sku_map: pl.LazyFrame
    decisions: pl.LazyFrame  # what people accepted and rejected, one row each time
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
        said = {name: given[name] if name in given else f.empty(schema) for name, schema in STAGED.items()}
        return cls(**{name: frame.lazy().select(*STAGED[name]) for name, frame in said.items()})


class TruthResult(NamedTuple):
    """What the truth is, each frame sorted by its key. `mappings`, `anchors` and `openings` are kept for the next run."""

    mappings: pl.DataFrame  # MAPPINGS, with history
    kits: pl.DataFrame  # KITS
    anchors: pl.DataFrame  # ANCHORS
    openings: pl.DataFrame  # OPENINGS
    shelves: pl.DataFrame  # ledger.Ledger.shelves: every term of on_hand
    foreign: pl.DataFrame  # ledger.Ledger.foreign: each foreign movement, whether the anchor contains it, and why
    outside: pl.DataFrame  # OUTSIDE: each movement that an anchor does not contain
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


def truth(
    inputs: TruthInputs, now: datetime, limits: shelf.Limits = shelf.USUAL, *, distinct: bool = False, telling: bool = True
) -> TruthResult:
    """Derive the truth at `now` (UTC). Repeated rows count once, and the order of rows and of systems changes nothing.

    With `distinct` the caller says that no row is repeated (tables with a key): they are not searched for then. Without `telling`
    there are no suggestions, and of the candidates only those that stand against a correction (`guards.DOUBTED`).
    """
    said = inputs if distinct else TruthInputs(*kept_all(tuple(frame.unique() for frame in inputs)))
    who = _identify(said, now, telling=telling)
    owners = said.places.select("location", owner="counted_by")
    keys = kept(orders.order_keys(said.order_lines, said.movements, owners))
    lines = kept(orders.order_lines_of_ours(said.order_lines, keys, who.mappings, who.kits, said.listings, said.systems, owners))
    listed = kept(anchors.counted_listings(said.observations, said.movements, who.held, who.kits, said.systems, owners))
    anchor = kept(anchors.anchors(listed, said.observations, said.anchors, who.held, owners))
    opened = kept(anchors.openings(said.openings, anchor))
    moves = movements.Moves(
        *kept_all(
            movements.told_apart(
                said.movements,
                said.effects,
                said.posted,
                lines,
                keys,
                listed,
                anchor,
                who.mappings,
                who.kits,
                said.systems,
                owners,
            )
        )
    )
    reach = ledger.reach_of(anchor, said.feeds)
    contained = ledger.contained_lines(lines, said.effects, anchor, listed, said.systems, reach)
    book = ledger.Ledger(
        *kept_all(ledger.on_hand(anchor, opened, moves, contained, lines, said.effects, said.posted, said.systems, reach))
    )
    category = kept(pools.categories(said.prices))
    rules = policies.book_of(said.policies, now)
    reserved = kept(_with_evidence(orders.reservations(lines, moves.ahead), contained.lines))
    owing = reserved.select("location", "sku").unique().join(book.shelves, on=["location", "sku"], how="anti")
    shelves = pl.concat([book.shelves.select("location", "sku"), owing])
    safety = pools.safety_stock(shelves, said.places, category, rules)
    stand = kept(positions.positions(book.shelves, reserved, said.unavailable, said.incoming, safety))
    elsewhere = buffers.demand_by_channel(sales.sales(said.order_lines, lines, moves.own, now), now)
    lately = sales.sales(said.order_lines, lines, moves.own, now, now - sales.LATELY)
    offered = _offer(said, who, lines, reserved, stand, demand(moves.own, now), elsewhere, lately, category, rules, now)
    offered = kept(offered)
    noticed = [who.candidates, packs.mismatched(who.things, said.observations, offered)]
    if telling:
        noticed += [
            unlisted.unlisted(pools.pool_places(said.systems, said.places), stand, who.things, who.held, category, rules),
            ties.negative(book),
            ties.untied(anchor, opened, moves.own, said.systems, said.feeds),
            *_of_shelves(said, who, owners, lines, reserved, anchor, listed, moves, book, stand, offered, now, limits),
        ]
    return TruthResult(
        *_sorted(
            (who.mappings.select(*f.MAPPINGS), ("system", "listing_key", "valid_from")),
            (who.kits, ("kit_sku", "sku")),
            (anchor.select(*f.ANCHORS), ("location", "sku")),
            (opened, ("location", "sku", "system")),
            (book.shelves, ("location", "sku")),
            (book.foreign, ("owner", "location", "sku", "ref")),
            (ledger.outside(book), ("location", "sku", "occurred_at", "system", "movement_id", "state", "units")),
            (reserved.select(*f.RESERVATIONS), ("system", "order_id", "line_id", "sku", "location")),
            (stand, ("sku", "location")),
            (offered, ("system", "listing_key", "location")),
            (ledger.unbooked(book.foreign, listed), ("system", "location", "sku", "movement_ref")),
            (who.suggestions, ("system", "listing_key", "sku", "reason")),
            (together(noticed), ("code", "system", "listing_key", "location", "sku", "evidence")),
        )
    )


def _identify(said: TruthInputs, now: datetime, *, telling: bool) -> _Identity:
    things = kept(identity.subjects(said.listings, said.order_lines, said.observations, said.movements, said.systems))
    known = kept(identity.masters(things, said.places, said.sku_map, said.kit_rows, said.prices))
    flat = kits.flatten(said.kit_rows, known.filter(~pl.col("only_part")).select("sku"))
    people = identity.Decided(*kept_all(identity.decided(said.decisions)))
    resolved = identity.Resolved(*kept_all(identity.resolve(things, said.sku_map, known, said.systems, people, now)))
    mappings = kept(versions.merge_versions(said.mappings, resolved.mappings, things, people, now))
    held = kept(versions.current(mappings))
    uncounted = kept(identity.uncounted(held, said.places))
    noticed = [
        *doubts.of_mapped(things, resolved, held, said.observations),
        flat.candidates,
        kits.unmade(things, uncounted, flat.kits, said.kit_rows, doubts.sold(said.order_lines)),
    ]
    suggested = NO_SUGGESTIONS
    if telling:
        of_others, suggested = doubts.of_others(
            things, resolved, mappings, held, known, people.rejected, said.order_lines, said.mappings
        )
        owners = identity.counting(said.places).collect()["system"].sort().to_list()
        noticed += [
            of_others,
            doubts.mapped_to_nothing(things, uncounted, said.prices, said.kit_rows),
            barcodes.invalid(things, held),
            barcodes.conflicts(things, held, owners),
        ]
    return _Identity(things, known, mappings, held, kept(flat.kits), suggested, together(noticed))


def _of_shelves(
    said: TruthInputs,
    who: _Identity,
    owners: pl.LazyFrame,
    lines: pl.LazyFrame,
    reserved: pl.LazyFrame,
    anchor: pl.LazyFrame,
    listed: pl.LazyFrame,
    moves: movements.Moves,
    book: ledger.Ledger,
    stand: pl.LazyFrame,
    offered: pl.LazyFrame,
    now: datetime,
    limits: shelf.Limits,
) -> list[pl.LazyFrame]:
    told = kept(shelf.told_returns(said.returns, who.mappings, who.kits, said.systems, owners))
    return [
        shelf.stale(reserved, lines, said.order_lines, said.movements, stand, offered, now, limits),
        shelf.not_restocked(told, moves.own, book.foreign, anchor, said.systems, now, limits),
        shelf.without_receipt(moves.own, said.movements, listed, told, now),
        shelf.not_received(moves.own, said.places, said.systems, said.feeds, now, limits),
        shelf.counted_as_sellable(told, moves.own, anchor, now),
    ]


def _offer(
    said: TruthInputs,
    who: _Identity,
    lines: pl.LazyFrame,
    reserved: pl.LazyFrame,
    stand: pl.LazyFrame,
    rate: pl.LazyFrame,
    elsewhere: pl.LazyFrame,
    lately: pl.LazyFrame,
    category: pl.LazyFrame,
    rules: policies.Book,
    now: datetime,
) -> pl.LazyFrame:
    places = kept(pools.pool_places(said.systems, said.places))
    offered = pools.offered_listings(who.things, who.held, said.systems, said.places)
    listings = kept(pools.alike(offered, places, said.policies))
    asked = pools.asked(listings)
    given = kept(pools.gives(asked, places, stand, said.observations, who.kits, category, rules, said.feeds, rate, now))
    unheld = pools.held_nowhere(reserved, places)
    open_units = offers.own_open(lines, reserved, places)
    channel_facts = (said.observations, said.systems, said.places, open_units)
    return offers.offers(listings, given, unheld, places, *channel_facts, category, rules, elsewhere, said.feeds, lately)


def _with_evidence(reserved: pl.LazyFrame, contained: pl.LazyFrame) -> pl.LazyFrame:
    by_basis = kept(contained.filter(pl.col("evidence") == "basis"))
    if not any_row(by_basis):
        return reserved
    by_basis = by_basis.select("system", "order_id", "line_id", "sku", basis="evidence")
    joined = reserved.join(by_basis.unique(), on=["system", "order_id", "line_id", "sku"], how="left")
    return joined.with_columns(evidence=pl.coalesce("basis", "evidence")).drop("basis")


def _sorted(*results: tuple[pl.LazyFrame, tuple[str, ...]]) -> list[pl.DataFrame]:
    return [ordered(frame.collect(), *keys) for frame, keys in results]
