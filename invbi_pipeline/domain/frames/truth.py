"""Truth frames: who is who, what lies where, what is promised, what may be sold."""

from typing import Final

from invbi_pipeline.domain.frames.schema import FLAG, INT, MONEY, TEXT, UTC, Schema

__all__ = [
    "ANCHORS",
    "CANDIDATES",
    "EXPOSURE",
    "KITS",
    "MAPPINGS",
    "OFFERS",
    "OPENINGS",
    "OUTSIDE",
    "POSITIONS",
    "RESERVATIONS",
    "SHELVES",
    "UNBOOKED",
]

MAPPINGS: Final[Schema] = {
    "system": TEXT,
    "listing_key": TEXT,
    "sku": TEXT,  # a master sku, or a kit's sku
    "units": INT,  # units of sku per listing (a pack)
    "how": TEXT,  # exact | map | person | relisted
    "valid_from": UTC,
    "valid_to": UTC,  # null while it holds
}

KITS: Final[Schema] = {"kit_sku": TEXT, "sku": TEXT, "quantity": INT}  # flattened: components only, summed

ANCHORS: Final[Schema] = {
    "location": TEXT,
    "sku": TEXT,
    "system": TEXT,
    "on_hand": INT,
    "kind": TEXT,  # book | count
    "anchored_at": UTC,  # the owner's clock
}

OPENINGS: Final[Schema] = {  # the first anchor ever of each shelf, kept for good
    "location": TEXT,
    "sku": TEXT,
    "system": TEXT,
    "on_hand": INT,
    "opened_at": UTC,  # the owner's clock
}

SHELVES: Final[Schema] = {  # what on_hand is made of: anchor + in_number + own_after + foreign
    "location": TEXT,
    "sku": TEXT,
    "system": TEXT,
    "anchor": INT,
    "kind": TEXT,  # book | count
    "anchored_at": UTC,  # the owner's clock
    "in_number": INT,  # open units that the owner's number has left out already: they are on the shelf, and reserved
    "own_after": INT,  # the owner's movements that its number does not contain
    "foreign": INT,  # others' movements that it lacks
    "undecided": INT,  # units off the offer until it is known whether the number contains them
    "on_hand": INT,
}

OUTSIDE: Final[Schema] = {  # each movement behind own_after, foreign and undecided of SHELVES
    "location": TEXT,
    "sku": TEXT,
    "system": TEXT,  # that says so
    "movement_id": TEXT,
    "kind": TEXT,  # words.MovementKind
    "units": INT,  # signed, units of the sku
    "occurred_at": UTC,  # that system's clock
    "order_id": TEXT,
    "state": TEXT,  # own | lacking | undecided
    "why": TEXT,
}

UNBOOKED: Final[Schema] = {  # movements that the owner's system lacks and learns only from us (absorbs = writeback)
    "system": TEXT,  # the owner, to which the movement is posted
    "listing_key": TEXT,  # the owner's
    "location": TEXT,
    "sku": TEXT,
    "units": INT,  # signed, in the owner's listing units
    "movement_ref": TEXT,  # "<system>/<movement_id>"; with listing_key it is unique (a kit moves several components)
    "occurred_at": UTC,  # the clock of the system that says so
}

CANDIDATES: Final[Schema] = {  # what the truth half noticed; domain.findings makes FINDINGS of them
    "code": TEXT,
    "system": TEXT,
    "listing_key": TEXT,
    "location": TEXT,
    "sku": TEXT,
    "units": INT,  # signed where a number went one way; null where the trouble is not a number of units
    "cause": TEXT,  # one sentence
    "evidence": TEXT,  # JSON
}

RESERVATIONS: Final[Schema] = {
    "system": TEXT,
    "order_id": TEXT,
    "line_id": TEXT,
    "sku": TEXT,  # kits and packs exploded
    "location": TEXT,  # empty: no place holds it yet
    "units": INT,
    "ordered_at": UTC,
    "evidence": TEXT,  # how it was recognised as one: identity | basis | time
}

POSITIONS: Final[Schema] = {
    "sku": TEXT,
    "location": TEXT,
    "on_hand": INT,  # null where never anchored
    "reserved": INT,
    "unavailable": INT,
    "incoming": INT,
    "safety_stock": INT,
    "free": INT,
    "available": INT,
    "anchored_at": UTC,
    "undecided": INT,  # units deducted because it cannot be decided yet whether the anchor contains them
}

OFFERS: Final[Schema] = {  # one row a point that sells; every deduction shown, so that `explain` needs nothing else
    "system": TEXT,
    "listing_key": TEXT,
    "location": TEXT,
    "sku": TEXT,
    "units": INT,
    "pool": INT,
    "share_bp": INT,
    "threshold": INT,
    "buffer": INT,
    "backorder_limit": INT,
    "min_offer": INT,
    "max_offer": INT,
    "sellable": INT,
    "offer": INT,  # null: unknown (no location of the pool is anchored)
    "policy": TEXT,  # JSON: which policy row won, {value: "where"}; of the buffer, all or null: buffer_pct_bp, or
    # ... buffer_risk_bp with rate_per_day (sold by other channels) and lag_s; and blind (units for an owner that cannot be read)
    "falling_only": FLAG,  # an owner in the pool is blind: the offer may only fall
    "held_nowhere": INT,  # deducted from the pool: reservations that no location holds yet
    "unpromised": INT,  # what lies in the pool's places, safety stock too and packs opened, less all that is promised of it
    "channel_offer": INT,  # the listing's offer over all its locations (equals `offer` where there is one number)
    "own_open": INT,  # the channel's own open units that this pool deducted, in listing units (gross platforms add them)
    "sold": INT,  # of it, on all channels together, within `sales.LATELY` before it was reckoned; listing units, rounded up
}

EXPOSURE: Final[Schema] = {  # one row a sku that any channel shows: what could be oversold at once (`domain.offers.exposure`)
    "sku": TEXT,
    "shown": INT,  # units that all listings of all channels show together, kits and packs exploded
    "pool": INT,  # units free in the places of those channels; may be negative
    "exposed": INT,  # max(0, shown - max(0, pool))
    "money": MONEY,  # exposed at the mean price shown, reporting currency; null: unpriced
    "channels": INT,  # that show any
    "listings": INT,  # that show any
    "untracked": INT,  # listings that sell it without a number, in no sum
    "unread": INT,  # listings whose number nobody could read, in no sum
}
