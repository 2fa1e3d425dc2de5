"""Small facts to plant: a healthy point, order, correction or feed, with what a test changes about it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl

from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain.findings import REFUSED, FindingInputs, seen
from invbi_pipeline.domain.findings.inputs import BATCHES, DELAYS, DELIVERIES, EARLIER, MOVED, ORDERED, PROMISED, VALUES
from invbi_pipeline.domain.points.inputs import POINT_EFFECTS

__all__ = [
    "KEY", "NOW", "at", "batches", "candidates", "corrections", "delays", "deliveries", "earlier", "effects", "evidence", "feeds",
    "found", "kits", "listings", "mappings", "movements", "offers", "one", "order_lines", "orders", "places", "points",
    "positions", "refused", "reservations", "systems", "values",
]  # fmt: skip

NOW: Final = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
KEY: Final = {"system": "web", "listing_key": "L1", "location": "soho"}


def at(minutes: float) -> datetime:
    """Return the time `minutes` after nine."""
    return datetime(2026, 1, 5, 9, 0, tzinfo=UTC) + timedelta(minutes=minutes)


def _frame(schema: f.Schema, rows: tuple[dict[str, Any], ...], usually: dict[str, Any]) -> pl.DataFrame:
    full = [{**usually, **row} for row in rows]
    assert all(set(row) <= set(schema) for row in full), "a fact says something that its frame has no column for"
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in full], schema=dict(schema))


def points(*rows: dict[str, Any]) -> pl.DataFrame:
    """Points that agree at 5, judged and covered; the gap follows from what a row says is reported and offered."""
    usually = {
        **KEY, "run_id": "r1", "sku": "MUG-RED", "base": 5, "expected": 5, "reported": 5, "offer": 5, "unexplained": 0,
        "state": "agreed", "judged": True, "confirmed": 0, "in_flight": 0, "first_look": False, "complete": True,
        "fulfilment": "merchant", "status": "active", "covered": True, "gap_looks": 0, "found": 0, "stuck": 0, "returns": 0,
        "observed_at": at(20),
    }  # fmt: skip
    full = [{**usually, **row} for row in rows]
    return _frame(f.POINTS, tuple({**row, "gap": row["reported"] - row["offer"]} for row in full), {})


def corrections(*rows: dict[str, Any]) -> pl.DataFrame:
    """Corrections from 8 to 5 of the one point, sent at 9:10 and verified at 9:12."""
    usually = {
        **KEY, "correction_id": "c1", "kind": "set", "sku": "MUG-RED", "from_qty": 8, "to_qty": 5, "target": 5, "shown": 8,
        "movement_ref": "", "reason": "push_due", "guard": "{}", "state": "verified", "planned_at": at(9), "sent_at": at(10),
        "send_ended_at": at(10), "verified_at": at(12), "answered": "",
    }  # fmt: skip
    return _frame(f.CORRECTIONS, rows, usually)


def feeds(*rows: dict[str, Any]) -> pl.DataFrame:
    usually = {
        "system": "web", "verdict": "believed", "reason": "", "stock_read_at": at(20), "orders_complete_to": at(25),
        "visibility_lag_s": 60, "clock_skew_s": 0.0,
    }  # fmt: skip
    return _frame(f.FEEDS, rows, usually)


def effects(*rows: dict[str, Any]) -> pl.DataFrame:
    usually = {
        **KEY,
        "effect_id": "o1/1/sale",
        "kind": "sale",
        "units": -1,
        "stamped_at": at(7),
        "order_id": "o1",
        "line_id": "1",
    }
    return _frame(POINT_EFFECTS, rows, usually)


def offers(*rows: dict[str, Any]) -> pl.DataFrame:
    return _frame(f.OFFERS, rows, {**KEY, "sku": "MUG-RED", "units": 1, "pool": 5, "unpromised": 5, "falling_only": False})


def positions(*rows: dict[str, Any]) -> pl.DataFrame:
    usually = {"sku": "MUG-RED", "location": "soho", "on_hand": 5, "free": 5, "available": 5}
    return _frame(f.POSITIONS, rows, usually)


def reservations(*rows: dict[str, Any]) -> pl.DataFrame:
    usually = {"system": "web", "order_id": "o1", "line_id": "1", "sku": "MUG-RED", "location": "soho", "units": 1}
    return _frame(f.RESERVATIONS, rows, {**usually, "ordered_at": at(1)})


def order_lines(*rows: dict[str, Any]) -> pl.DataFrame:
    """The lines behind `reservations`: one unit open of the listing at 10 GBP."""
    usually = {"system": "web", "order_id": "o1", "line_id": "1", "listing_key": "L1", "open_quantity": 1}
    return _frame(PROMISED, rows, {**usually, "price": 10.0, "currency": "GBP"})


def candidates(*rows: dict[str, Any]) -> pl.DataFrame:
    usually = {"system": "web", "listing_key": "L1", "location": "", "sku": "", "cause": "It is so.", "evidence": "{}"}
    return _frame(f.CANDIDATES, rows, usually)


def listings(*rows: dict[str, Any]) -> pl.DataFrame:
    return _frame(f.LISTINGS, rows, {"system": "web", "listing_key": "L1", "currency": "GBP"})


def values(*rows: dict[str, Any]) -> pl.DataFrame:
    return _frame(VALUES, rows, {"system": "web", "listing_key": "L1", "sku": "MUG-RED", "price": 2.5})


def systems(*rows: dict[str, Any]) -> pl.DataFrame:
    return _frame(f.SYSTEMS, rows, {"system": "web", "platform": "shopify", "counts": True, "sells": True})


def places(*rows: dict[str, Any]) -> pl.DataFrame:
    return _frame(f.PLACES, rows, {"location": "soho", "kind": "store", "counted_by": "web", "safety_stock": 0, "sellable": True})


def refused(*rows: dict[str, Any]) -> pl.DataFrame:
    return _frame(REFUSED, rows, {"system": "web", "dataset": "stock", "reason": "quantity is no number", "rows": 1})


def batches(*rows: dict[str, Any]) -> pl.DataFrame:
    return _frame(BATCHES, rows, {"system": "web", "dataset": "stock", "verdict": "believed", "is_full": True})


def earlier(*rows: dict[str, Any]) -> pl.DataFrame:
    return _frame(EARLIER, rows, {**KEY, "version": "", "quantity": 5})


def movements(*rows: dict[str, Any]) -> pl.DataFrame:
    usually = {**KEY, "kind": "sale", "units": -1, "occurred_at": at(7), "order_id": "", "reference": ""}
    return _frame(MOVED, rows, usually)


def orders(*rows: dict[str, Any]) -> pl.DataFrame:
    usually = {
        **KEY,
        "order_id": "o1",
        "line_id": "1",
        "external_id": "",
        "state": "open",
        "quantity": 1,
        "ordered_at": at(7),
    }
    return _frame(ORDERED, rows, usually)


def mappings(*rows: dict[str, Any]) -> pl.DataFrame:
    return _frame(f.MAPPINGS, rows, {"system": "web", "listing_key": "L1", "sku": "MUG-RED", "units": 1, "how": "exact"})


def kits(*rows: dict[str, Any]) -> pl.DataFrame:
    return _frame(f.KITS, rows, {"kit_sku": "SET", "sku": "MUG-RED", "quantity": 1})


def deliveries(*rows: dict[str, Any]) -> pl.DataFrame:
    usually = {"system": "web", "listing_keys": [], "order_ids": [], "received_at": at(0)}
    return _frame(DELIVERIES, rows, usually)


def delays(*rows: dict[str, Any]) -> pl.DataFrame:
    return _frame(DELAYS, rows, {"system": "web", "waiting": 12, "waiting_since": at(18)})


def found(inputs: FindingInputs, *, tolerance: int = 0) -> pl.DataFrame:
    """Return what is seen at NOW, by code."""
    return seen(inputs, NOW, "r1", "GBP", tolerance=tolerance).sort("code", "system", "location", "listing_key")


def one(inputs: FindingInputs, code: str) -> dict[str, Any]:
    """Return the only finding of a code."""
    rows = found(inputs).filter(pl.col("code") == code)
    assert rows.height == 1, f"{rows.height} findings of {code}"
    return rows.row(0, named=True)


def evidence(finding: dict[str, Any]) -> dict[str, Any]:
    said = json.loads(finding["evidence"])
    assert isinstance(said, dict)
    return said
