"""Counts and changes as Square's InventoryCount and InventoryChange objects."""

from invbi_pipeline.sandbox.square.ledger import Change, State
from invbi_pipeline.sandbox.square.times import Times

__all__ = ["change_row", "count_row"]

_SOURCES = {"SQUARE_POS": "Square Point of Sale", "DASHBOARD": "Square Dashboard", "EXTERNAL_API": "Inventory application"}


def count_row(variation: str, location: str, quantity: int, calculated_at: str, state: State = State.IN_STOCK) -> dict[str, str]:
    """Return Square's InventoryCount object."""
    return {
        "catalog_object_id": variation,
        "catalog_object_type": "ITEM_VARIATION",
        "state": state.value,
        "location_id": location,
        "quantity": str(quantity),
        "calculated_at": calculated_at,
    }


def change_row(change: Change, times: Times, currency: str) -> dict[str, object]:
    """Return Square's InventoryChange object."""
    common: dict[str, object] = {
        "id": change.id,
        "catalog_object_id": change.variation,
        "catalog_object_type": "ITEM_VARIATION",
        "location_id": change.location,
        "quantity": str(change.quantity),
        "source": {"product": change.product, "application_id": "sq0idp-sandbox", "name": _SOURCES[change.product]},
        "occurred_at": times.state(change.occurred_at),
        "created_at": times.state(change.recorded_at),
    }
    if change.reference:
        common["reference_id"] = change.reference
    if change.from_state is None:
        return {"type": "PHYSICAL_COUNT", "physical_count": {**common, "state": change.to_state.value}}
    common |= {"from_state": change.from_state.value, "to_state": change.to_state.value}
    if change.to_state is State.SOLD:
        common["total_price_money"] = {"amount": change.price_cents, "currency": currency}
    if change.order_id:
        common["transaction_id"] = change.order_id
    if change.refund_id:
        common["refund_id"] = change.refund_id
    if change.receipt_id:
        common["goods_receipt_id"] = change.receipt_id
    return {"type": "ADJUSTMENT", "adjustment": common}
