"""The frames that cross rooms: their columns, types and meaning. Everything else in the house speaks these.

Three layers:

* **Wall frames** are what a channel hands over: the columns of `LISTINGS`, `STOCK`, `ORDER_LINES`, `EFFECTS`,
  `MOVEMENTS` and `LOCATIONS`, every one still a string as the platform wrote it, plus `payload` (JSON, buyers' personal
  fields removed). `store.walls` types them; rows that fail go to quarantine with their reason.
* **Truth frames**: `MAPPINGS`, `KITS`, `ANCHORS`, `POSITIONS`, `RESERVATIONS`, `OFFERS`.
* **Recon frames**: `BASES`, `CONTAINED`, `FLIGHTS`, `LOOKS`, `POINTS`, `FINDINGS`, `CORRECTIONS`, `FEEDS`.

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
    "CONTAINED",
    "CORRECTIONS",
    "EFFECTS",
    "FEEDS",
    "FINDINGS",
    "FLIGHTS",
    "KITS",
    "LISTINGS",
    "LOCATIONS",
    "LOOKS",
    "MAPPINGS",
    "MOVEMENTS",
    "OBSERVATIONS",
    "OFFERS",
    "ORDER_LINES",
    "POINTS",
    "POINT_KEY",
    "POSITIONS",
    "QUARANTINE",
    "RESERVATIONS",
    "STOCK",
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
    "policy": _text,  # which policy row won, for each value: JSON {value: "where"}
    "falling_only": _flag,  # an owner in the pool is blind: the offer may only fall
}

# --- recon ---------------------------------------------------------------------------------------------------------------

BASES: Final[Schema] = {  # one row a point: the number on which both sides verifiably agreed
    "system": _text,
    "listing_key": _text,
    "location": _text,
    "base": _int,  # raw: may be negative
    "version": _text,
    "as_of": UTC,  # contains every effect stamped up to here (platform clock); null: only those in CONTAINED
    "why": _text,  # first_look | agreed | verified | converged | flight_ended | accepted
    "moved_at": UTC,  # our clock
    "withheld": _int,  # units the last verified push withheld as unseen sales and that are not yet explained
    "withheld_until": UTC,  # the platform's time of that send
}

CONTAINED: Final[Schema] = {  # effects a base contains although stamped after `as_of` (or lacks although before: contained=false)
    "system": _text,
    "listing_key": _text,
    "location": _text,
    "effect_id": _text,
    "contained": _flag,
}

FLIGHTS: Final[Schema] = {  # pushes not yet ended, from the outbox
    "correction_id": _text,
    "system": _text,
    "listing_key": _text,
    "location": _text,
    "target": _int,  # the candidate's number: what a read shows once it landed
    "withheld": _int,
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
    "looks": _int,  # how many judged looks in a row had this sign
    "gap": _int,
}

POINTS: Final[Schema] = {
    "run_id": _text,
    "system": _text,
    "listing_key": _text,
    "location": _text,
    "sku": _text,
    "base": _int,
    "expected": _int,
    "reported": _int,
    "offer": _int,
    "unexplained": _int,
    "pending": _int,
    "gap": _int,
    "state": _text,  # words.PointState
    "judged": _flag,
    "confirmed": _int,
    "withhold": _int,
    "target": _int,  # what a push now would send; null: nothing to send
    "raw": _int,  # the platform's number as it stands, for compare-and-set
    "version": _text,
    "in_flight": _int,  # pushes not yet ended
    "first_look": _flag,  # the base was taken at a first look and no push has been verified since
    "observed_at": UTC,
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
    "withheld": _int,
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
