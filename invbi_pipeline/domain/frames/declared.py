"""Configuration frames: what people declared."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.frames.schema import FLAG, INT, MONEY, TEXT, UTC, Schema

__all__ = ["DECISIONS", "HELD", "KIT_ROWS", "PLACES", "POLICIES", "POSTED", "PRICES", "RATES", "SKU_MAP", "SYSTEMS"]

SYSTEMS: Final[Schema] = {  # one row a system (see domain.declared)
    "system": TEXT,
    "platform": TEXT,
    "counts": FLAG,
    "sells": FLAG,
    "absorbs": TEXT,  # words.Absorbs
    "basis": TEXT,  # words.Basis
    "booking_lag_s": INT,  # seconds
    "sells_from": pl.List(pl.String()),
    "default_location": TEXT,  # empty: none
    "per_location": FLAG,  # keeps one number per location
    "keys_are_skus": FLAG,  # an empty raw SKU means that the listing key is the code itself (files, seller SKUs)
    "sku_fallback": FLAG,  # a code that equals a master sku maps exactly
    "has_ledger": FLAG,  # its own movements are read, so what it booked is decided by id
    "has_orders": FLAG,  # its own orders are read
}

PLACES: Final[Schema] = {  # one row a configured location
    "location": TEXT,
    "kind": TEXT,  # words.LocationKind
    "counted_by": TEXT,
    "safety_stock": INT,
    "sellable": FLAG,
}

SKU_MAP: Final[Schema] = {"system": TEXT, "listing_key": TEXT, "sku": TEXT, "units": INT}  # system empty: any

DECISIONS: Final[Schema] = {  # what people said of a listing, one row each time; `identity.decided` says what of it holds
    "system": TEXT,
    "listing_key": TEXT,
    "sku": TEXT,
    "units": INT,  # units of sku per listing
    "decision": TEXT,  # words.Decision
    "who": TEXT,
    "decided_at": UTC,  # our clock
    "since": UTC,  # from when it holds; null: from when the word holds that it corrects
    "seq": INT,  # in the order in which they were said
}

KIT_ROWS: Final[Schema] = {"kit_sku": TEXT, "component_sku": TEXT, "quantity": INT}  # as declared: may nest

POLICIES: Final[Schema] = {  # an empty selector means any
    "channel": TEXT,
    "location": TEXT,
    "category": TEXT,
    "sku": TEXT,
    "valid_from": UTC,
    "valid_to": UTC,  # exclusive
    "name": TEXT,  # domain.offers.policies.NAMES
    "value": INT,
}

PRICES: Final[Schema] = {"sku": TEXT, "price": MONEY, "cost": MONEY, "currency": TEXT, "category": TEXT}

RATES: Final[Schema] = {"currency": TEXT, "rate": MONEY}  # units of the reporting currency for one unit of `currency`

HELD: Final[Schema] = {"location": TEXT, "sku": TEXT, "units": INT}  # unavailable (damaged, on hold) or incoming units

POSTED: Final[Schema] = {  # our own posts so far, from the outbox
    "system": TEXT,  # the owner they were posted to
    "movement_ref": TEXT,  # "<system>/<movement_id>"
    "listing_key": TEXT,
    "location": TEXT,
    "units": INT,  # signed, listing units
    "sent_at": UTC,  # the owner's clock in its answer
    "state": TEXT,  # words.CorrectionState: sending | accepted | ambiguous | verified
}
