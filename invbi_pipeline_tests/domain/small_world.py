"""Small frames for the truth's tests: a row names what matters to it, the rest has quiet values."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from invbi_pipeline.domain.truth import STAGED, TruthInputs, TruthResult, truth

__all__ = [
    "NOW",
    "Rows",
    "at",
    "channel",
    "frame",
    "inputs",
    "offer_of",
    "order",
    "place",
    "policy",
    "reckon",
    "shelves",
    "system",
    "wms",
    "world",
]

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)

_QUIET: dict[str, dict[str, Any]] = {
    "listings": {"barcode": "", "title": "", "style": "", "status": "active", "fulfilment": "merchant"},
    "order_lines": {"external_id": "", "line_id": "1", "state": "open", "location": "", "ordered_at": NOW, "raw_sku": ""},
    "movements": {"kind": "sale", "order_id": "", "line_id": "", "reference": "", "occurred_at": NOW},
    "effects": {"kind": "sale", "line_id": "1", "location": "", "stamped_at": NOW},
    "returns": {"state": "received", "location": "", "order_id": "", "line_id": "1", "occurred_at": NOW},
    "observations": {"state": "known", "location": "", "observed_at": NOW},
    "feeds": {"verdict": "believed", "stock_read_at": NOW, "orders_complete_to": NOW},
    "systems": {
        "platform": "files",
        "counts": False,
        "sells": False,
        "absorbs": "own",
        "basis": "gross",
        "booking_lag_s": 3600,
        "sells_from": [],
        "default_location": "",
        "per_location": False,
        "keys_are_skus": True,
        "sku_fallback": True,
        "has_ledger": True,
        "has_orders": True,
    },
    "places": {"kind": "store", "safety_stock": 0, "sellable": True},
    "sku_map": {"system": "", "units": 1},
    "decisions": {"units": 1, "decision": "accepted", "who": "ana", "decided_at": NOW},
    "kit_rows": {},
    "policies": {"channel": "", "location": "", "category": "", "sku": ""},
    "prices": {"currency": "GBP", "category": ""},
    "mappings": {"units": 1, "how": "exact", "valid_from": NOW},
    "anchors": {"kind": "book"},
    "openings": {},
    "posted": {"state": "verified", "sent_at": NOW},
    "unavailable": {},
    "incoming": {},
}


def at(hours: float) -> datetime:
    """Return the time so many hours from NOW."""
    return NOW + timedelta(hours=hours)


def frame(name: str, *rows: dict[str, Any]) -> pl.LazyFrame:
    """Return the input called `name` with these rows; what they leave out is quiet, and null where nothing is."""
    schema = STAGED[name]
    wrong = {key for row in rows for key in row} - set(schema)
    assert not wrong, f"{name} has no {wrong}"
    return pl.LazyFrame([{**dict.fromkeys(schema), **_QUIET[name], **row} for row in rows], schema=dict(schema))


def system(name: str, **facts: Any) -> dict[str, Any]:
    return {"system": name, **facts}


def place(name: str, counted_by: str, **facts: Any) -> dict[str, Any]:
    return {"location": name, "counted_by": counted_by, **facts}


def inputs(**rows: list[dict[str, Any]]) -> TruthInputs:
    return TruthInputs.of(**{name: frame(name, *several) for name, several in rows.items()})


def reckon(**rows: list[dict[str, Any]]) -> TruthResult:
    """Return the truth at NOW of a world given as rows by input name."""
    return truth(inputs(**rows), NOW)


Rows = dict[str, list[dict[str, Any]]]


def world(*sets: Rows) -> Rows:
    """Lay several sets of rows together."""
    together: Rows = {}
    for rows in sets:
        for name, several in rows.items():
            together[name] = [*together.get(name, []), *several]
    return together


def shelves(sku: str, safety: int = 0, **units: int) -> Rows:
    """Return shelves of one sku, counted by the system `wms` since long ago: location=units."""
    return {
        "places": [place(name, "wms", safety_stock=safety) for name in units],
        "observations": [
            {"system": "wms", "listing_key": sku, "location": name, "quantity": held} for name, held in units.items()
        ],
        "openings": [
            {"location": name, "sku": sku, "system": "wms", "on_hand": held, "opened_at": at(-1000)}
            for name, held in units.items()
        ],
    }


def wms(**facts: Any) -> Rows:
    """Return the owner of `shelves`."""
    return {"systems": [system("wms", counts=True, **facts)]}


def channel(name: str, *listings: str, sells_from: list[str], **facts: Any) -> Rows:
    """Return a channel with these listings, each under its code."""
    return {
        "systems": [system(name, sells=True, sells_from=sells_from, **facts)],
        "listings": [{"system": name, "listing_key": code, "raw_sku": code} for code in listings],
    }


def policy(name: str, value: int, **selectors: Any) -> Rows:
    return {"policies": [{"name": name, "value": value, **selectors}]}


def order(name: str, order_id: str, sku: str, open_units: int, location: str = "", **facts: Any) -> Rows:
    """Return one open order line."""
    line = {"system": name, "order_id": order_id, "listing_key": sku, "quantity": open_units, "open_quantity": open_units}
    return {"order_lines": [{**line, "location": location, **facts}]}


def offer_of(result: TruthResult, system_: str, listing_key: str, location: str = "") -> int | None:
    """Return the one offer of this point."""
    row = result.offers.filter(system=system_, listing_key=listing_key, location=location)
    assert row.height == 1, result.offers
    offer: int | None = row["offer"].item()
    return offer
