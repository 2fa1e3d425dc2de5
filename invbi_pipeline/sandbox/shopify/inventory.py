"""The inventory mutations: compare-and-set, the mandatory idempotency key, all or nothing.

Two rules are not in the published schema and hold at run time since 2026-04: every entry must name `changeFromQuantity`
(null: no compare), and the field must carry `@idempotent(key:)`. Messages and codes follow recorded answers of the API.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from graphql import FieldNode, GraphQLError, GraphQLResolveInfo, value_from_ast_untyped

from invbi_pipeline.sandbox.shopify.catalogue import Item, Level, Location, gid, iso, key_of
from invbi_pipeline.sandbox.shopify.shop import Shop

__all__ = ["ADJUSTABLE", "MAX_ENTRIES", "REASONS", "InventoryDesk"]

MAX_ENTRIES = 250  # https://shopify.dev/docs/api/usage/limits
REASONS = frozenset(
    {
        "correction",
        "cycle_count_available",
        "damaged",
        "movement_canceled",
        "movement_created",
        "movement_received",
        "movement_updated",
        "other",
        "promotion",
        "quality_control",
        "received",
        "reservation_created",
        "reservation_deleted",
        "reservation_updated",
        "restock",
        "safety_stock",
        "shrinkage",
    }
)
ADJUSTABLE = frozenset({"available", "damaged", "incoming", "quality_control", "reserved", "safety_stock"})
_SETTABLE = frozenset({"available", "on_hand"})
_MOST = 1_000_000_000
_KEY_LIFE = timedelta(hours=24)

_MESSAGES: Mapping[str, str] = {
    "INVALID_INVENTORY_ITEM": "The specified inventory item could not be found.",
    "INVALID_LOCATION": "The specified location could not be found.",
    "ITEM_NOT_STOCKED_AT_LOCATION": "The specified inventory item is not stocked at the location.",
    "NON_MUTABLE_INVENTORY_ITEM": "The specified inventory item is not allowed to be adjusted via API.",
    "CHANGE_FROM_QUANTITY_STALE": "The changeFromQuantity argument no longer matches the persisted quantity.",
    "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR": "The combination of inventoryItemId and locationId must be unique.",
    "INVALID_QUANTITY_NEGATIVE": "The quantity can't be negative.",
    "INVALID_QUANTITY_TOO_HIGH": "The quantity can't be higher than 1,000,000,000.",
    "INVALID_QUANTITY_TOO_LOW": "The quantity can't be lower than -1,000,000,000.",
    "INVALID_REFERENCE_DOCUMENT": "The reference document URI is invalid.",
    "INVALID_QUANTITY_DOCUMENT": "A ledger document URI is required except when adjusting available.",
    "INVALID_AVAILABLE_DOCUMENT": "A ledger document URI is not allowed when adjusting available.",
    "INTERNAL_LEDGER_DOCUMENT": "Internal (gid://shopify/) ledger documents are not allowed to be adjusted via API.",
    "MAX_ONE_LEDGER_DOCUMENT": "All changes must have the same ledger document URI.",
    "IDEMPOTENCY_KEY_PARAMETER_MISMATCH": "The same idempotency key cannot be used with different operation parameters.",
    "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED": "A previous attempt with this idempotency key failed; use a new key.",
}


@dataclass(frozen=True, slots=True)
class _Attempt:
    fingerprint: str
    at: datetime
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One row of an input array that passed its checks, and the state it moves."""

    level: Level
    name: str
    delta: int
    document: str | None = None


class InventoryDesk:
    """Sets, adjusts and activates levels, as an app asks for it."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._attempts: dict[str, _Attempt] = {}

    def set_quantities(self, info: GraphQLResolveInfo, **args: Any) -> Mapping[str, Any]:
        """Answer inventorySetQuantities."""
        wanted: Mapping[str, Any] = args["input"]
        rows = wanted["quantities"]
        _check_rows(info, rows, "InventoryQuantityInput", "quantities")
        return self._once(info, wanted, lambda: self._set(wanted, rows))

    def adjust_quantities(self, info: GraphQLResolveInfo, **args: Any) -> Mapping[str, Any]:
        """Answer inventoryAdjustQuantities."""
        wanted: Mapping[str, Any] = args["input"]
        rows = wanted["changes"]
        _check_rows(info, rows, "InventoryChangeInput", "changes")
        return self._once(info, wanted, lambda: self._adjust(wanted, rows))

    def activate(self, info: GraphQLResolveInfo, **args: Any) -> Mapping[str, Any]:
        """Answer inventoryActivate: stock an item at a location; numbers it had there before are kept."""
        return self._once(info, args, lambda: self._activate(args))

    def book(self, level: Level, name: str, delta: int, reason: str, reference: str = "", lag_s: float = 0.0) -> dict[str, Any]:
        """Move a state and return the adjustment group that records it."""
        shelves = self._shop.shelves
        shelves.change(level, name, delta, lag_s)
        return self._group(reason, reference or None, [_Entry(level, name, delta)])

    # the three mutations, once

    def _set(self, wanted: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        name = wanted["name"]
        errors = self._header_errors(wanted)
        if name not in _SETTABLE:
            errors.append(_error(["input", "name"], "INVALID_NAME", "The quantity name must be either 'available' or 'on_hand'."))
        entries: list[_Entry] = []
        seen: set[tuple[str, str]] = set()
        for index, row in enumerate(rows if not errors else ()):
            where = ["input", "quantities", str(index)]
            code, level = self._target(row, where, seen)
            if code is None and level is not None:
                code = _quantity_code(name, row["quantity"], where)
            if code is None and level is not None:
                stored = level.quantity(name)
                compare = row["changeFromQuantity"]
                if compare is not None and compare != stored:
                    code = _error([*where, "changeFromQuantity"], "CHANGE_FROM_QUANTITY_STALE")
                entries.append(_Entry(level, "available", row["quantity"] - stored))
            if code is not None:
                errors.append(code)
        return self._finish(wanted, entries, errors)

    def _adjust(self, wanted: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        name = wanted["name"]
        errors = self._header_errors(wanted)
        if name not in ADJUSTABLE:
            known = ", ".join(sorted(ADJUSTABLE))
            errors.append(
                _error(["input", "name"], "INVALID_QUANTITY_NAME", f"The specified quantity name is invalid. Valid: {known}.")
            )
        documents = {row.get("ledgerDocumentUri") for row in rows}
        if len(documents) > 1:
            errors.append(_error(["input", "changes"], "MAX_ONE_LEDGER_DOCUMENT"))
        entries: list[_Entry] = []
        seen: set[tuple[str, str]] = set()
        for index, row in enumerate(rows if not errors else ()):
            where = ["input", "changes", str(index)]
            problem = _document_problem(name, row.get("ledgerDocumentUri"), where)
            level: Level | None = None
            if problem is None:
                problem, level = self._target(row, where, seen)
            if problem is None and level is not None:
                after = level.quantity(name) + row["delta"]
                compare = row["changeFromQuantity"]
                if compare is not None and compare != level.quantity(name):
                    problem = _error([*where, "changeFromQuantity"], "CHANGE_FROM_QUANTITY_STALE")
                elif abs(after) > _MOST:
                    problem = _error([*where, "delta"], "INVALID_QUANTITY_TOO_HIGH" if after > 0 else "INVALID_QUANTITY_TOO_LOW")
                entries.append(_Entry(level, name, row["delta"], row.get("ledgerDocumentUri")))
            if problem is not None:
                errors.append(problem)
        return self._finish(wanted, entries, errors)

    def _activate(self, args: Mapping[str, Any]) -> Mapping[str, Any]:
        item = self._find_item(args["inventoryItemId"])
        location = self._find_location(args["locationId"])
        if item is None or location is None:
            field = "inventoryItemId" if item is None else "locationId"
            code = "INVALID_INVENTORY_ITEM" if item is None else "INVALID_LOCATION"
            return {"inventoryLevel": None, "userErrors": [{"field": [field], "message": _MESSAGES[code]}]}
        known = item.levels.get(location.id)
        if known is not None and known.active and (args.get("available") is not None or args.get("onHand") is not None):
            message = "Not allowed to set available quantity when the item is already active at the location."
            return {"inventoryLevel": None, "userErrors": [{"field": ["available"], "message": message}]}
        level = self._shop.shelves.connect(item, location)
        wanted = args.get("available") if args.get("available") is not None else args.get("onHand")
        if wanted is not None:
            self._shop.shelves.change(level, "available", wanted - level.available)
        if known is None or not known.active:
            self._shop.happened("inventory_levels/connect", level)
        return {"inventoryLevel": level, "userErrors": []}

    # checks

    def _once(
        self, info: GraphQLResolveInfo, wanted: Mapping[str, Any], act: Callable[[], Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        """Do it under the field's idempotency key: the same key and input get the earlier answer, and nothing happens again."""
        key = _idempotency_key(info)
        now = self._shop.world.now()
        fingerprint = json.dumps([info.field_name, wanted], sort_keys=True, default=str)
        earlier = self._attempts.get(key)
        if earlier is not None and now - earlier.at < _KEY_LIFE:
            if earlier.fingerprint != fingerprint:
                return self._refuse(info, "IDEMPOTENCY_KEY_PARAMETER_MISMATCH")
            if earlier.answer["userErrors"]:
                return self._refuse(info, "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED")
            return earlier.answer
        answer = act()
        self._attempts[key] = _Attempt(fingerprint, now, answer)
        return answer

    def _refuse(self, info: GraphQLResolveInfo, code: str) -> Mapping[str, Any]:
        return {"inventoryAdjustmentGroup": None, "inventoryLevel": None, "userErrors": [_error(None, code)]}

    def _header_errors(self, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
        errors = []
        if wanted["reason"] not in REASONS:
            known = ", ".join(sorted(REASONS))
            errors.append(
                _error(["input", "reason"], "INVALID_REASON", f"The specified reason is invalid. Valid values are: {known}.")
            )
        uri = wanted.get("referenceDocumentUri")
        if uri is not None and not urlsplit(uri).scheme:
            errors.append(_error(["input", "referenceDocumentUri"], "INVALID_REFERENCE_DOCUMENT"))
        return errors

    def _target(
        self, row: Mapping[str, Any], where: list[str], seen: set[tuple[str, str]]
    ) -> tuple[dict[str, Any] | None, Level | None]:
        """Return the level an entry is about, or what is wrong with it."""
        pair = (row["inventoryItemId"], row["locationId"])
        if pair in seen:
            return _error(where, "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"), None
        seen.add(pair)
        item = self._find_item(row["inventoryItemId"])
        if item is None:
            return _error([*where, "inventoryItemId"], "INVALID_INVENTORY_ITEM"), None
        location = self._find_location(row["locationId"])
        if location is None:
            return _error([*where, "locationId"], "INVALID_LOCATION"), None
        if item.key in self._shop.wire.reject_writes:
            return _error([*where, "inventoryItemId"], "NON_MUTABLE_INVENTORY_ITEM"), None
        level = self._shop.level(item, location)
        if level is None:
            return _error([*where, "locationId"], "ITEM_NOT_STOCKED_AT_LOCATION"), None
        return None, level

    def _find_item(self, global_id: str) -> Item | None:
        item = self._shop.items.get(key_of(global_id, "InventoryItem") or 0)
        return None if item is None or item.deleted else item

    def _find_location(self, global_id: str) -> Location | None:
        return self._shop.locations.get(key_of(global_id, "Location") or 0)

    # effects

    def _finish(self, wanted: Mapping[str, Any], entries: Sequence[_Entry], errors: list[dict[str, Any]]) -> Mapping[str, Any]:
        """Apply all entries, or none. A frozen or swallowed entry is accepted like the others, and nothing moves."""
        if errors:
            return {"inventoryAdjustmentGroup": None, "userErrors": errors}
        wire = self._shop.wire
        for entry in entries:
            key = entry.level.item.key
            lost = wire.loses(key, str(entry.level.location.id))
            if not lost and key not in wire.frozen:
                self._shop.shelves.change(entry.level, entry.name, entry.delta, wire.visibility_lag_s)
        group = self._group(wanted["reason"], wanted.get("referenceDocumentUri"), entries)
        return {"inventoryAdjustmentGroup": group, "userErrors": []}

    def _group(self, reason: str, reference: str | None, entries: Sequence[_Entry]) -> dict[str, Any]:
        changes: list[dict[str, Any]] = []
        for entry in entries:
            names = [entry.name] if entry.name == "incoming" else [entry.name, "on_hand"]
            changes += [
                {
                    "name": name,
                    "delta": entry.delta,
                    "quantityAfterChange": None,  # null in every recorded answer: read back to know
                    "ledgerDocumentUri": entry.document,
                    "item": entry.level.item,
                    "location": entry.level.location,
                }
                for name in names
                if entry.delta
            ]
        return {
            "__typename": "InventoryAdjustmentGroup",
            "id": gid("InventoryAdjustmentGroup", self._shop.next_id()),
            "createdAt": iso(self._shop.now()),
            "reason": reason,
            "referenceDocumentUri": reference,
            "changes": changes,
            "app": None,
        }


def _check_rows(info: GraphQLResolveInfo, rows: Sequence[Mapping[str, Any]], type_: str, name: str) -> None:
    """Raise the top-level errors that come before any userErrors."""
    _idempotency_key(info)
    if len(rows) > MAX_ENTRIES:
        message = f"The input array size of {len(rows)} is greater than the maximum allowed of {MAX_ENTRIES}."
        raise GraphQLError(message, extensions={"code": "MAX_INPUT_SIZE_EXCEEDED"}, path=[info.field_name, "input", name])
    if any("changeFromQuantity" not in row for row in rows):
        message = f"{type_} must include the following argument: changeFromQuantity."
        raise GraphQLError(message, extensions={"code": "INVALID_FIELD_ARGUMENTS"})


def _idempotency_key(info: GraphQLResolveInfo) -> str:
    node: FieldNode = info.field_nodes[0]
    for directive in node.directives:
        if directive.name.value == "idempotent":
            key = value_from_ast_untyped(directive.arguments[0].value, info.variable_values)
            if isinstance(key, str) and key.strip():
                return key
            raise GraphQLError("The idempotency key must not be blank.", extensions={"code": "BAD_REQUEST"})
    message = "The @idempotent directive is required for this mutation but was not provided."
    raise GraphQLError(message, extensions={"code": "BAD_REQUEST"})


def _error(field: list[str] | None, code: str, message: str = "") -> dict[str, Any]:
    return {"field": field, "message": message or _MESSAGES[code], "code": code}


def _quantity_code(name: str, quantity: int, where: list[str]) -> dict[str, Any] | None:
    if quantity > _MOST:
        return _error([*where, "quantity"], "INVALID_QUANTITY_TOO_HIGH")
    if quantity < -_MOST:
        return _error([*where, "quantity"], "INVALID_QUANTITY_TOO_LOW")
    if quantity < 0 and name == "on_hand":
        return _error([*where, "quantity"], "INVALID_QUANTITY_NEGATIVE")
    return None


def _document_problem(name: str, uri: str | None, where: list[str]) -> dict[str, Any] | None:
    field = [*where, "ledgerDocumentUri"]
    if name == "available":
        return _error(field, "INVALID_AVAILABLE_DOCUMENT") if uri else None
    if not uri:
        return _error(field, "INVALID_QUANTITY_DOCUMENT")
    return _error(field, "INTERNAL_LEDGER_DOCUMENT") if uri.startswith("gid://shopify/") else None
