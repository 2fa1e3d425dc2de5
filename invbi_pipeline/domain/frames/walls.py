"""Wall frames: what channels hand over, and what `store.walls` sets aside. Every cell is still text."""

from collections.abc import Mapping
from typing import Final

from invbi_pipeline.domain.frames.schema import FLAG, INT, MONEY, TEXT, UTC, Schema

__all__ = ["EFFECTS", "LISTINGS", "LOCATIONS", "MOVEMENTS", "ORDER_LINES", "QUARANTINE", "RETURNS", "STOCK", "WALL"]

LOCATIONS: Final[Schema] = {"system": TEXT, "location_key": TEXT, "name": TEXT, "active": FLAG}

LISTINGS: Final[Schema] = {
    "system": TEXT,
    "listing_key": TEXT,  # how its stock and orders name it: Shopify inventory item, Square variation, seller SKU
    "raw_sku": TEXT,  # as typed there: may be empty, may repeat
    "barcode": TEXT,
    "title": TEXT,
    "style": TEXT,  # the parent product's key or name, when the platform has one
    "status": TEXT,  # words.ListingStatus
    "fulfilment": TEXT,  # words.Fulfilment
    "product_id": TEXT,
    "variant_id": TEXT,
    "price": MONEY,
    "currency": TEXT,
    "updated_at": UTC,
}

STOCK: Final[Schema] = {
    "system": TEXT,
    "listing_key": TEXT,
    "location_key": TEXT,
    "state": TEXT,  # words.Quantity
    "quantity": INT,  # the platform's own number in listing units, may be negative; null unless known
    "reserved": INT,  # units it says it reserves in the same read (gross platforms, FBA); null where it says nothing
    "version": TEXT,  # the platform's version or change time of this number; empty where it has none
    "changed_at": UTC,  # the platform's clock; null where it has none
}

ORDER_LINES: Final[Schema] = {
    "system": TEXT,
    "order_id": TEXT,
    "line_id": TEXT,
    "external_id": TEXT,  # the id of this order in the system where it was born, when imported from another; else empty
    "listing_key": TEXT,
    "raw_sku": TEXT,
    "location_key": TEXT,  # the place that must ship it; empty while nobody was assigned
    "state": TEXT,  # words.OrderState
    "quantity": INT,  # units ordered, less units cancelled or edited away
    "open_quantity": INT,  # of those, not yet shipped or handed over: what is reserved
    "price": MONEY,  # per unit
    "currency": TEXT,
    "ordered_at": UTC,
    "updated_at": UTC,
}

EFFECTS: Final[Schema] = {  # what the platform applied to its own number, in listing units
    "system": TEXT,
    "effect_id": TEXT,  # stable for ever: "<order>/<line>/sale", "<refund>/<line>/restock", ...
    "listing_key": TEXT,
    "location_key": TEXT,
    "kind": TEXT,  # words.MovementKind: sale, cancel, return, adjustment ...
    "units": INT,  # signed: a sale is negative
    "stamped_at": UTC,  # the platform's clock
    "order_id": TEXT,
    "line_id": TEXT,
}

MOVEMENTS: Final[Schema] = {  # what left or entered a shelf
    "system": TEXT,  # the system that says so
    "movement_id": TEXT,  # stable for ever
    "listing_key": TEXT,
    "location_key": TEXT,
    "kind": TEXT,  # words.MovementKind
    "units": INT,  # signed, listing units; for `count` the difference it made, null when the system does not say
    "counted": INT,  # for `count`: the number counted; null otherwise
    "occurred_at": UTC,  # the system's clock
    "order_id": TEXT,
    "line_id": TEXT,
    # the foreign movement this one books ("<system>/<movement_id>"); of a transfer its document, on both legs; or empty
    "reference": TEXT,
}

RETURNS: Final[Schema] = {  # what a system says became of goods that were brought back; one row a step of a return
    "system": TEXT,
    "event_id": TEXT,  # of this step, stable for ever
    "return_id": TEXT,  # the steps of one return share it
    "listing_key": TEXT,
    "location_key": TEXT,  # where the goods are; empty where the system does not say
    "state": TEXT,  # words.ReturnState
    "units": INT,  # listing units, not negative
    "damaged": FLAG,  # the system says they are unfit for sale; null where it says nothing
    "occurred_at": UTC,  # the system's clock
    "order_id": TEXT,  # the order by which they were sold
    "line_id": TEXT,
}

WALL: Final[Mapping[str, Schema]] = {
    "locations": LOCATIONS,
    "listings": LISTINGS,
    "stock": STOCK,
    "order_lines": ORDER_LINES,
    "effects": EFFECTS,
    "movements": MOVEMENTS,
    "returns": RETURNS,
}

QUARANTINE: Final[Schema] = {
    "batch_id": TEXT,
    "system": TEXT,
    "dataset": TEXT,
    "row_number": INT,
    "reason": TEXT,
    "payload": TEXT,
    "listing_key": TEXT,  # whose it is; null where the row names no listing, or not readably
    "location_key": TEXT,  # null where its frame has none
}
