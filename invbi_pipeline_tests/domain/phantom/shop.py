"""A shop of twenty shelves that sell every other day for eight weeks, and what a test lets happen to one of them."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl

from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain.phantom import PhantomInputs, count_list

__all__ = ["NOW", "chance", "days_ago", "listed", "movement"]

NOW: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_DAYS: Final = 56
_SHELVES: Final = 20


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def movement(sku: str, days: float, kind: str = "sale", units: int | None = -1, counted: int | None = None) -> dict[str, Any]:
    """A movement of the till's, so many days ago."""
    name = f"{sku}/{days}/{kind}"
    return {"system": "till", "movement_id": name, "listing_key": sku, "location": "soho", "kind": kind, "units": units,
            "counted": counted, "occurred_at": days_ago(days), "order_id": name, "line_id": "", "reference": ""}  # fmt: skip


def _frame(rows: list[dict[str, Any]], schema: f.Schema) -> pl.LazyFrame:
    full = [{name: row.get(name) for name in schema} for row in rows]
    return pl.DataFrame(full, schema=dict(schema)).lazy()


def listed(
    silent: dict[str, float] | None = None,
    happened: list[dict[str, Any]] | None = None,
    lines: list[dict[str, Any]] | None = None,
    every: dict[str, float] | None = None,
    records: dict[str, int] | None = None,
    ordered: frozenset[str] = frozenset(),
) -> pl.DataFrame:
    """Return the count list: `silent` shelves sold nothing for so many days; `every`: the days between sales where not two.

    `records`: what the record says where it is not six; `ordered`: the skus whose sales were ordered three hours before.
    """
    skus = [f"S{n:02d}" for n in range(_SHELVES)]
    sales = [
        movement(sku, n * step)
        for sku in skus
        for step in [(every or {}).get(sku, 2.0)]
        for n in range(1, int(_DAYS / step))
        if n * step > (silent or {}).get(sku, 0.0)
    ]
    orders = [
        {"system": "till", "order_id": sale["order_id"], "line_id": "1", "listing_key": sale["listing_key"], "location": "soho",
         "state": "fulfilled", "quantity": 1, "ordered_at": sale["occurred_at"] - timedelta(hours=3),
         "updated_at": sale["occurred_at"]}
        for sale in sales
        if sale["listing_key"] in ordered
    ]  # fmt: skip
    moved = {("location" if name == "location_key" else name): kind for name, kind in f.MOVEMENTS.items()}
    wanted = {("location" if name == "location_key" else name): kind for name, kind in f.ORDER_LINES.items()}
    mapping = [{"system": "till", "listing_key": sku, "sku": sku, "units": 1, "how": "exact", "valid_from": days_ago(99)}
               for sku in skus]  # fmt: skip
    till = {"system": "till", "platform": "square", "counts": True, "sells": True, "sells_from": ["soho"], "per_location": True,
            "default_location": "soho"}  # fmt: skip
    value = {"system": pl.String(), "listing_key": pl.String(), "sku": pl.String(), "price": pl.Float64(), "cost": pl.Float64()}
    inputs = PhantomInputs(
        movements=_frame(sales + (happened or []), moved),
        order_lines=_frame(orders + (lines or []), wanted),
        mappings=_frame(mapping, f.MAPPINGS),
        kits=_frame([], f.KITS),
        positions=_frame([{"sku": sku, "location": "soho", "on_hand": (records or {}).get(sku, 6)} for sku in skus], f.POSITIONS),
        systems=_frame([till], f.SYSTEMS),
        places=_frame([{"location": "soho", "kind": "store", "counted_by": "till"}], f.PLACES),
        values=_frame([{"sku": sku, "price": 20.0, "cost": 8.0} for sku in skus if sku != "S19"], value),
    )
    return count_list(inputs, NOW)


def chance(rows: pl.DataFrame, sku: str) -> float:
    """Return the probability of one shelf."""
    return float(rows.filter(pl.col("sku") == sku)["probability"].item())
