"""What a batch-create asks for, checked as Square checks it: everything before anything is applied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from invbi_pipeline.sandbox.square.ledger import COUNT, State
from invbi_pipeline.sandbox.square.refusals import SquareRefusal, invalid, parse_time
from invbi_pipeline.sandbox.square.store import Store

__all__ = ["MOST_CHANGES", "WRITE_SHAPE", "AskedChange", "checked_changes"]

MOST_CHANGES = 100  # in one batch-create (Square's older SDK documentation)
_WRITABLE = frozenset({State.IN_STOCK, State.SOLD, State.WASTE, State.NONE, State.UNLINKED_RETURN})
_OLDEST = timedelta(hours=24)
_REQUIRED = ("catalog_object_id", "location_id", "quantity", "occurred_at")

_COMMON: dict[str, Any] = dict.fromkeys(
    ("id", "reference_id", "catalog_object_id", "catalog_object_type", "location_id", "quantity", "employee_id"), str
) | {"team_member_id": str, "occurred_at": str}
WRITE_SHAPE: dict[str, Any] = {
    "idempotency_key": str,
    "ignore_unchanged_counts": bool,
    "changes": [
        {
            "type": str,
            "physical_count": {**_COMMON, "state": str},
            "adjustment": {**_COMMON, "from_state": str, "to_state": str},
            "transfer": object,
        }
    ],
}


@dataclass(frozen=True, slots=True)
class AskedChange:
    """One change of a request that could be applied. Times are the world's."""

    variation: str
    location: str
    quantity: int
    occurred_at: datetime
    from_state: State | None  # None: a physical count
    to_state: State
    reference: str


def checked_changes(store: Store, changes: Sequence[Mapping[str, Any]]) -> list[AskedChange]:
    """Return the changes of a request; raise `SquareRefusal` with every error of every change."""
    if not changes:
        raise invalid("ARRAY_EMPTY", "At least one change is required.", "changes")
    if len(changes) > MOST_CHANGES:
        raise invalid("ARRAY_LENGTH_TOO_LONG", f"At most {MOST_CHANGES} changes may be made in one request.", "changes")
    asked, errors = [], []
    for index, change in enumerate(changes):
        try:
            asked.append(_checked_one(store, change, f"changes[{index}]"))
        except SquareRefusal as refusal:
            errors.extend(refusal.errors)
    if errors:
        raise SquareRefusal(404 if all(error["code"] == "NOT_FOUND" for error in errors) else 400, errors)
    return asked


def _checked_one(store: Store, change: Mapping[str, Any], where: str) -> AskedChange:
    kind = change.get("type")
    if kind == "TRANSFER":
        subscription = "TRANSFER changes need an active Retail Plus subscription."
        error = {"category": "MERCHANT_SUBSCRIPTION_ERROR", "code": "MERCHANT_SUBSCRIPTION_NOT_FOUND", "detail": subscription}
        raise SquareRefusal(403, [error])
    if kind not in (COUNT, "ADJUSTMENT"):
        raise invalid("INVALID_ENUM_VALUE", f"`{kind}` is not a valid enum value for `type`.", f"{where}.type")
    name = "physical_count" if kind == COUNT else "adjustment"
    content, where = change.get(name) or {}, f"{where}.{name}"
    for field in _REQUIRED:
        if not content.get(field):
            raise invalid("MISSING_REQUIRED_PARAMETER", "Missing required parameter.", f"{where}.{field}")
    variation, location = content["catalog_object_id"], content["location_id"]
    if store.catalog.known(variation) is None:
        raise invalid("NOT_FOUND", f"Catalog object with ID `{variation}` not found.", f"{where}.catalog_object_id", 404)
    if location not in store.locations:
        raise invalid("NOT_FOUND", f"Location with ID `{location}` not found.", f"{where}.location_id", 404)
    if variation in store.wire.reject_writes:
        raise invalid("INVALID_VALUE", "Inventory of this catalog object cannot be changed.", f"{where}.catalog_object_id")
    from_state, to_state = _transition(kind, content, where)
    return AskedChange(
        variation=variation,
        location=location,
        quantity=_units(content["quantity"], where),
        occurred_at=_occurred(store, content["occurred_at"], where),
        from_state=from_state,
        to_state=to_state,
        reference=content.get("reference_id") or "",
    )


def _occurred(store: Store, text: str, where: str) -> datetime:
    moment = store.times.heard(parse_time(text, f"{where}.occurred_at"))
    now = store.times.now()
    if moment > now + timedelta(milliseconds=1):
        raise invalid("INVALID_TIME", "occurred_at must not be in the future.", f"{where}.occurred_at")
    if moment < now - _OLDEST:
        raise invalid("INVALID_TIME", "occurred_at must be within the last 24 hours.", f"{where}.occurred_at")
    return moment


def _units(text: str, where: str) -> int:
    field = f"{where}.quantity"
    if not text.isascii() or not text.replace(".", "", 1).isdigit() or len(text.partition(".")[2]) > 5:
        raise invalid("INVALID_VALUE", f"`{text}` is not a valid non-negative decimal quantity.", field)
    whole, _, part = text.partition(".")
    if part.strip("0"):
        raise invalid("INVALID_VALUE", "The catalog object is counted in whole units.", field)
    return int(whole)


def _transition(kind: str, content: Mapping[str, Any], where: str) -> tuple[State | None, State]:
    if kind == COUNT:
        if content.get("state") != State.IN_STOCK:
            raise invalid("INVALID_ENUM_VALUE", f"`{content.get('state')}` cannot be counted.", f"{where}.state")
        return None, State.IN_STOCK
    states = []
    for field in ("from_state", "to_state"):
        if content.get(field) not in _WRITABLE:
            raise invalid(
                "INVALID_ENUM_VALUE", f"`{content.get(field)}` is not a valid enum value for `{field}`.", f"{where}.{field}"
            )
        states.append(State(content[field]))
    if states[0] is states[1]:
        raise invalid("INVALID_VALUE", "from_state and to_state must differ.", f"{where}.to_state")
    return states[0], states[1]
