"""The frames that cross rooms: their columns, types and meaning. Everything else in the house speaks these.

Three layers:

* **Wall frames** are what a channel hands over: the columns of `LISTINGS`, `STOCK`, `ORDER_LINES`, `EFFECTS`,
  `MOVEMENTS` and `LOCATIONS`, every one still a string as the platform wrote it, plus `payload` (JSON, buyers' personal
  fields removed). `store.walls` types them; rows that fail go to quarantine with their reason.
* **Truth frames**: `MAPPINGS`, `KITS`, `ANCHORS`, `POSITIONS`, `RESERVATIONS`, `OFFERS`.
* **Configuration frames**: `SYSTEMS`, `PLACES`, `SKU_MAP`, `KIT_ROWS`, `POLICIES`, `PRICES`, `RATES`: what people declared.
* **Recon frames**: `BASES`, `CONTAINED`, `FLIGHTS`, `FLIGHT_ENDS`, `LOOKS`, `UNJUDGED`, `POINTS`, `FINDINGS`,
  `CORRECTIONS`, `FEEDS`.

Conventions: quantities are Int64 in whole units; times are UTC Datetime("us", "UTC"); money is Float64 in the named currency.
`location` is a configured location's name; `location_key` is what the platform calls it; the empty string means that the
system keeps one number for all places. `listing_key` is unique within a system. A point's key is
`(system, listing_key, location)`.
"""

from collections.abc import Mapping
from typing import Final

import polars as pl

__all__ = [
    "ANCHORS",
    "BASES",
    "CANDIDATES",
    "CONTAINED",
    "CORRECTIONS",
    "EFFECTS",
    "FEEDS",
    "FINDINGS",
    "FLIGHTS",
    "FLIGHT_ENDS",
    "HELD",
    "KITS",
    "KIT_ROWS",
    "LISTINGS",
    "LOCATIONS",
    "LOOKS",
    "MAPPINGS",
    "MOVEMENTS",
    "OBSERVATIONS",
    "OFFERS",
    "OPENINGS",
    "ORDER_LINES",
    "PLACES",
    "POINTS",
    "POINT_KEY",
    "POLICIES",
    "POSITIONS",
    "POSTED",
    "PRICES",
    "QUARANTINE",
    "RATES",
    "RESERVATIONS",
    "SKU_MAP",
    "STOCK",
    "SYSTEMS",
    "UNBOOKED",
    "UNJUDGED",
    "UTC",
    "WALL",
    "Schema",
    "empty",
]

UTC: Final = pl.Datetime("us", "UTC")
Schema = Mapping[str, pl.DataType]

POINT_KEY: Final = ("system", "listing_key", "location")

_text, _int, _money, _flag = pl.String(), pl.Int64(), pl.Float64(), pl.Boolean()

# --- walls: what channels hand over (typed by store.walls after landing) -----------------------------------------------

LOCATIONS: Final[Schema] = {"system": _text, "location_key": _text, "name": _text, "active": _flag}

LISTINGS: Final[Schema] = {
    "system": _text,
    "listing_key": _text,  # how its stock and orders name it: Shopify inventory item, Square variation, seller SKU
    "raw_sku": _text,  # as typed there: may be empty, may repeat
    "barcode": _text,
    "title": _text,
    "style": _text,  # the parent product's key or name, when the platform has one
    "status": _text,  # words.ListingStatus
    "fulfilment": _text,  # words.Fulfilment
    "product_id": _text,
    "variant_id": _text,
    "price": _money,
    "currency": _text,
    "updated_at": UTC,
}

STOCK: Final[Schema] = {
    "system": _text,
    "listing_key": _text,
    "location_key": _text,
    "state": _text,  # words.Quantity
    "quantity": _int,  # the platform's own number in listing units, may be negative; null unless known
    "reserved": _int,  # units it says it reserves in the same read (gross platforms, FBA); null where it says nothing
    "version": _text,  # the platform's version or change time of this number; empty where it has none
    "changed_at": UTC,  # the platform's clock; null where it has none
}

ORDER_LINES: Final[Schema] = {
    "system": _text,
    "order_id": _text,
    "line_id": _text,
    "external_id": _text,  # the id of this order in the system where it was born, when imported from another; else empty
    "listing_key": _text,
    "raw_sku": _text,
    "location_key": _text,  # the place that must ship it; empty while nobody was assigned
    "state": _text,  # words.OrderState
    "quantity": _int,  # units ordered, less units cancelled or edited away
    "open_quantity": _int,  # of those, not yet shipped or handed over: what is reserved
    "price": _money,  # per unit
    "currency": _text,
    "ordered_at": UTC,
    "updated_at": UTC,
}

EFFECTS: Final[Schema] = {  # what the platform applied to its own number, in listing units
    "system": _text,
    "effect_id": _text,  # stable for ever: "<order>/<line>/sale", "<refund>/<line>/restock", ...
    "listing_key": _text,
    "location_key": _text,
    "kind": _text,  # words.MovementKind: sale, cancel, return, adjustment ...
    "units": _int,  # signed: a sale is negative
    "stamped_at": UTC,  # the platform's clock
    "order_id": _text,
    "line_id": _text,
}

MOVEMENTS: Final[Schema] = {  # what left or entered a shelf
    "system": _text,  # the system that says so
    "movement_id": _text,  # stable for ever
    "listing_key": _text,
    "location_key": _text,
    "kind": _text,  # words.MovementKind
    "units": _int,  # signed, listing units; for `count` the difference it made, null when the system does not say
    "counted": _int,  # for `count`: the number counted; null otherwise
    "occurred_at": UTC,  # the system's clock
    "order_id": _text,
    "line_id": _text,
    "reference": _text,  # the foreign movement this one books ("<system>/<movement_id>"), empty for its own
}

WALL: Final[Mapping[str, Schema]] = {
    "locations": LOCATIONS,
    "listings": LISTINGS,
    "stock": STOCK,
    "order_lines": ORDER_LINES,
    "effects": EFFECTS,
    "movements": MOVEMENTS,
}

# --- after staging: the newest believed word of each system, with configured names --------------------------------------

OBSERVATIONS: Final[Schema] = {  # one row a (system, listing_key, location): STOCK plus when it was read
    **{k: v for k, v in STOCK.items() if k != "location_key"},
    "location": _text,
    "observed_at": UTC,  # the platform's clock at the answer: how far this number reaches
    "read_began_at": UTC,  # our clock
    "read_ended_at": UTC,  # our clock
    "batch_id": _text,
}

FEEDS: Final[Schema] = {  # one row a system: what this run may believe of it
    "system": _text,
    "verdict": _text,  # words.FeedVerdict of its worst dataset
    "reason": _text,
    "stock_read_at": UTC,  # the platform's clock at the newest believed stock read
    "orders_complete_to": UTC,  # the platform's clock: a sweep has read past every order change stamped before this
    "order_lag_s": _int,  # measured longest lately, with the configured floor; seconds
    "read_lag_s": _int,
    "visibility_lag_s": _int,
    "blind_since": UTC,  # our clock: since when it could not be read; null while it can
    "clock_skew_s": _money,  # its clock less ours at the exchange; null where it states no time
}

# --- configuration: what people declared ----------------------------------------------------------------------------------

SYSTEMS: Final[Schema] = {  # one row a system (see domain.declared)
    "system": _text,
    "platform": _text,
    "counts": _flag,
    "sells": _flag,
    "absorbs": _text,  # words.Absorbs
    "basis": _text,  # words.Basis
    "booking_lag_s": _int,  # seconds
    "sells_from": pl.List(pl.String()),
    "default_location": _text,  # empty: none
    "per_location": _flag,  # keeps one number per location
    "keys_are_skus": _flag,  # an empty raw SKU means that the listing key is the code itself (files, seller SKUs)
    "sku_fallback": _flag,  # a code that equals a master sku maps exactly
    "has_ledger": _flag,  # its own movements are read, so what it booked is decided by id
    "has_orders": _flag,  # its own orders are read
}

PLACES: Final[Schema] = {  # one row a configured location
    "location": _text,
    "kind": _text,  # words.LocationKind
    "counted_by": _text,
    "safety_stock": _int,
    "sellable": _flag,
}

SKU_MAP: Final[Schema] = {"system": _text, "listing_key": _text, "sku": _text, "units": _int}  # system empty: any

KIT_ROWS: Final[Schema] = {"kit_sku": _text, "component_sku": _text, "quantity": _int}  # as declared: may nest

POLICIES: Final[Schema] = {  # an empty selector means any
    "channel": _text,
    "location": _text,
    "category": _text,
    "sku": _text,
    "valid_from": UTC,
    "valid_to": UTC,  # exclusive
    "name": _text,  # domain.policies.NAMES
    "value": _int,
}

PRICES: Final[Schema] = {"sku": _text, "price": _money, "cost": _money, "currency": _text, "category": _text}

RATES: Final[Schema] = {"currency": _text, "rate": _money}  # units of the reporting currency for one unit of `currency`

HELD: Final[Schema] = {"location": _text, "sku": _text, "units": _int}  # unavailable (damaged, on hold) or incoming units

POSTED: Final[Schema] = {  # our own posts so far, from the outbox
    "system": _text,  # the owner they were posted to
    "movement_ref": _text,  # "<system>/<movement_id>"
    "listing_key": _text,
    "location": _text,
    "units": _int,  # signed, listing units
    "sent_at": UTC,  # the owner's clock in its answer
    "state": _text,  # words.CorrectionState: sending | accepted | ambiguous | verified
}

# --- truth ---------------------------------------------------------------------------------------------------------------

MAPPINGS: Final[Schema] = {
    "system": _text,
    "listing_key": _text,
    "sku": _text,  # a master sku, or a kit's sku
    "units": _int,  # units of sku per listing (a pack)
    "how": _text,  # exact | map | person | relisted
    "valid_from": UTC,
    "valid_to": UTC,  # null while it holds
}

KITS: Final[Schema] = {"kit_sku": _text, "sku": _text, "quantity": _int}  # flattened: components only, summed

ANCHORS: Final[Schema] = {
    "location": _text,
    "sku": _text,
    "system": _text,
    "on_hand": _int,
    "kind": _text,  # book | count
    "anchored_at": UTC,  # the owner's clock
}

OPENINGS: Final[Schema] = {  # the first anchor ever of each shelf, kept for good
    "location": _text,
    "sku": _text,
    "system": _text,
    "on_hand": _int,
    "opened_at": UTC,  # the owner's clock
}

UNBOOKED: Final[Schema] = {  # movements that the owner's system lacks and learns only from us (absorbs = writeback)
    "system": _text,  # the owner, to which the movement is posted
    "listing_key": _text,  # the owner's
    "location": _text,
    "sku": _text,
    "units": _int,  # signed, in the owner's listing units
    "movement_ref": _text,  # "<system>/<movement_id>"; with listing_key it is unique (a kit moves several components)
    "occurred_at": UTC,  # the clock of the system that says so
}

CANDIDATES: Final[Schema] = {  # what the truth half noticed; domain.findings makes FINDINGS of them
    "code": _text,
    "system": _text,
    "listing_key": _text,
    "location": _text,
    "sku": _text,
    "units": _int,  # null where the trouble is not a number of units
    "cause": _text,  # one sentence
    "evidence": _text,  # JSON
}

RESERVATIONS: Final[Schema] = {
    "system": _text,
    "order_id": _text,
    "line_id": _text,
    "sku": _text,  # kits and packs exploded
    "location": _text,  # empty: no place holds it yet
    "units": _int,
    "ordered_at": UTC,
    "evidence": _text,  # how it was recognised as one: identity | basis | time
}

POSITIONS: Final[Schema] = {
    "sku": _text,
    "location": _text,
    "on_hand": _int,  # null where never anchored
    "reserved": _int,
    "unavailable": _int,
    "incoming": _int,
    "safety_stock": _int,
    "free": _int,
    "available": _int,
    "anchored_at": UTC,
    "undecided": _int,  # units deducted because it cannot be decided yet whether the anchor contains them
}

OFFERS: Final[Schema] = {  # one row a point that sells; every deduction shown, so that `explain` needs nothing else
    "system": _text,
    "listing_key": _text,
    "location": _text,
    "sku": _text,
    "units": _int,
    "pool": _int,
    "share_bp": _int,
    "threshold": _int,
    "buffer": _int,
    "backorder_limit": _int,
    "min_offer": _int,
    "max_offer": _int,
    "sellable": _int,
    "offer": _int,  # null: unknown (no location of the pool is anchored)
    "policy": _text,  # which policy row won, for each value: JSON {value: "where"}; and buffer_pct_bp, blind: the buffer's parts
    "falling_only": _flag,  # an owner in the pool is blind: the offer may only fall
    "held_nowhere": _int,  # deducted from the pool: reservations that no location holds yet
    "channel_offer": _int,  # the listing's offer over all its locations (equals `offer` where there is one number)
    "own_open": _int,  # the channel's own open units that this pool deducted, in listing units (gross platforms add them)
}

# --- recon ---------------------------------------------------------------------------------------------------------------

BASES: Final[Schema] = {  # one row a point: the number on which both sides verifiably agreed
    "system": _text,
    "listing_key": _text,
    "location": _text,
    "base": _int,  # raw: may be negative
    "version": _text,
    "as_of": UTC,  # contains every effect stamped up to here (platform clock), and those in CONTAINED
    "why": _text,  # first_look | new_listing | agreed | verified | converged | flight_ended | accepted
    "moved_at": UTC,  # our clock
    "observed_at": UTC,  # the platform's time of the look that moved it last; older looks are never compared with it
    "sent_at": UTC,  # the platform's time of the last push that landed; null before any
    "unsure_to": UTC,  # the look that read that push, or was explained in doubt: no raise until orders are complete up to it
    "first_look_at": UTC,  # the platform's time of the first look; null once a push was verified or a person accepted
    "blur_from": UTC,  # effects stamped between these two may or may not be in the number: a send and its visibility lag,
    "blur_to": UTC,  # ... or the read lag of the look it was taken at; null where there is no such doubt
    "withheld": _int,  # units the last verified push withheld as unseen sales and that are not yet explained
    "withheld_until": UTC,  # the platform's time of that send: complete up to here, what is left is drift
    "known_from": UTC,  # which effects explain withheld units: those stamped after this,
    "known_to": UTC,  # ... up to here (how far the read reached behind that push),
    "known_units": _int,  # ... beyond this sum, which was known when it was planned
    "returns": _int,  # of our verified pushes, after how many in a row the number was changed by something unexplained
    "returned_at": UTC,  # the last such push (its platform's time)
    "lost": _int,  # of our accepted pushes, how many in a row never landed
}

CONTAINED: Final[Schema] = {  # effects a base contains although stamped after `as_of` (or lacks although before: contained=false)
    "system": _text,
    "listing_key": _text,
    "location": _text,
    "look_at": UTC,  # null: the base's own; else the copy that the unjudged look of this time was read against
    "effect_id": _text,
    "contained": _flag,
}

FLIGHTS: Final[Schema] = {  # pushes not yet ended, from the outbox (`points.flights`)
    "correction_id": _text,
    "system": _text,
    "listing_key": _text,
    "location": _text,
    "target": _int,  # the candidate's number: what a read shows once it landed
    "shown": _int,  # the number read when it was planned; where it equals the target, reading the target proves nothing
    "contains_to": UTC,  # contains every effect stamped up to here: the send (net), or the read behind it (gross)
    "withheld": _int,
    "known_from": UTC,  # see BASES
    "known_to": UTC,
    "known_units": _int,
    "sent_at": UTC,  # the platform's time in its answer (our clock where it gave none)
    "send_ended_at": UTC,  # our clock
    "state": _text,  # sending | accepted | ambiguous
}

LOOKS: Final[Schema] = {  # one row a point: the last judged look, for the two-look rule
    "system": _text,
    "listing_key": _text,
    "location": _text,
    "unexplained": _int,
    "confirmed": _int,  # what two judged looks agree on: the smaller in size, 0 when they do not
    "judged_at": UTC,  # the observation's time
    "since": UTC,  # the platform's time of the last agreement before it: the change happened after this
    "looks": _int,  # how many judged looks in a row had this sign
    "first_at": UTC,  # the first of them
    "previous_at": UTC,  # the last but one of them; null when there is but one
    "gap": _int,  # how far the number stood from the offer once all that was known and in flight had been applied
    "gap_looks": _int,  # how many judged looks in a row had a gap of this sign
}

UNJUDGED: Final[Schema] = {  # at most one look a point that waits for the order feed; one row a candidate it was read against
    "system": _text,
    "listing_key": _text,
    "location": _text,
    "observed_at": UTC,
    "reach": UTC,  # the end of its read on the platform's clock
    "raw": _int,
    "unexplained": _int,  # as it seemed then
    "gap": _int,  # as it stood then
    "since": UTC,
    "correction_id": _text,  # empty: the base; else the flight
    "rank": _int,  # 0: the base; then the flights, oldest first
    "number": _int,
    "as_of": UTC,
    "blur_from": UTC,
    "blur_to": UTC,
    "absolute_at": UTC,  # the last send this candidate rests on
    "window_from": UTC,  # the flights of that look: first send ...
    "window_to": UTC,  # ... to the last visibility lag
}

FLIGHT_ENDS: Final[Schema] = {  # what this run's looks say of each push that was in flight
    "correction_id": _text,
    "system": _text,
    "listing_key": _text,
    "location": _text,
    "outcome": _text,  # verified | not_landed | mismatched | superseded (overtaken by a newer push that landed) | still
    "read_back": _int,  # the platform's raw number; null while nothing could be compared
    "observed_at": UTC,
}

POINTS: Final[Schema] = {
    "run_id": _text,
    "system": _text,
    "listing_key": _text,
    "location": _text,
    "sku": _text,
    "base": _int,  # raw number of the candidate it was compared with
    "expected": _int,
    "reported": _int,
    "offer": _int,  # less `withheld`
    "unexplained": _int,
    "pending": _int,
    "gap": _int,
    "state": _text,  # words.PointState
    "judged": _flag,
    "confirmed": _int,
    "withheld": _int,  # units that an earlier push withheld as unseen sales and that keep the offer lower
    "withhold": _int,  # units a push now would withhold, `withheld` included
    "target": _int,  # what a shopper should see after a push; null: nothing to send
    "send": _int,  # the value to send (on a gross platform the target plus its own reserved units); null: nothing to send
    "standing": _int,  # what the number comes to once all known effects and pushes in flight have been applied
    "raw": _int,  # the platform's number as it stands, for compare-and-set
    "version": _text,
    "in_flight": _int,  # pushes not yet ended
    "first_look": _flag,  # the base was taken at a first look and no push has been verified since
    "first_look_at": UTC,
    "observed_at": UTC,
    "complete": _flag,  # the order feed is complete up to this observation
    "complete_to": UTC,  # how far the order feed is complete (platform clock)
    "fulfilment": _text,  # words.Fulfilment
    "status": _text,  # words.ListingStatus
    "why": _text,  # why the base stands where it stands (BASES)
    "covered": _flag,  # this run saw enough to say that a finding about this point is over
    "gap_looks": _int,  # judged looks in a row with a gap of this sign
    "found": _int,  # drift to report, signed; 0: none
    "found_how": _text,  # confirmed (two judged looks) | taken (our own push took the second away) | withheld (never arrived)
    "found_since": UTC,
    "found_at": UTC,
    "stuck": _int,  # effects and accepted pushes that did not move this number
    "returns": _int,  # see BASES
    "known_from": UTC,  # handed on to the push, see BASES
    "known_to": UTC,
    "known_units": _int,
}

FINDINGS: Final[Schema] = {
    "finding_id": _text,
    "run_id": _text,
    "code": _text,
    "severity": _text,
    "system": _text,
    "location": _text,
    "sku": _text,
    "listing_key": _text,
    "units": _int,
    "money": _money,  # null: unpriced
    "currency": _text,
    "cause": _text,  # one sentence a shop manager understands
    "evidence": _text,  # JSON
    "suggested_action": _text,
    "first_seen": UTC,
    "last_seen": UTC,
    "state": _text,  # words.FindingState
    "owner": _text,
    "due_at": UTC,
    "acknowledged_by": _text,
    "acknowledged_at": UTC,
    "resolution": _text,
    "note": _text,
}

CORRECTIONS: Final[Schema] = {
    "correction_id": _text,
    "run_id": _text,
    "kind": _text,  # words.CorrectionKind
    "system": _text,
    "listing_key": _text,
    "location": _text,
    "sku": _text,
    "from_qty": _int,  # raw number compared with (set); null for post
    "to_qty": _int,  # value to send (set), or signed delta (post)
    "target": _int,  # the candidate: what a read shows once it landed
    "shown": _int,  # the number read when it was planned, net of the platform's own reservations
    "withheld": _int,
    "known_from": UTC,  # see BASES
    "known_to": UTC,
    "known_units": _int,
    "mode": _text,  # words.Mode of the system when it was planned
    "movement_ref": _text,  # post: "<system>/<movement_id>" being booked
    "reason": _text,
    "finding_id": _text,
    "guard": _text,  # JSON {guard name: "pass" | reason it holds}
    "state": _text,  # words.CorrectionState
    "idempotency_key": _text,
    "observed_at": UTC,
    "planned_at": UTC,
    "sent_at": UTC,
    "send_ended_at": UTC,
    "answered": _text,  # what the platform answered, redacted
    "read_back": _int,
    "verified_at": UTC,
    "units_at_risk": _int,
    "money_at_risk": _money,
}

QUARANTINE: Final[Schema] = {
    "batch_id": _text,
    "system": _text,
    "dataset": _text,
    "row_number": _int,
    "reason": _text,
    "payload": _text,
}


def empty(schema: Schema) -> pl.DataFrame:
    """Return a frame of no rows with the columns and types of `schema`."""
    return pl.DataFrame(schema=dict(schema))
