"""The Inventory API: counts, changes, and the one call that writes both."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from invbi_pipeline.sandbox.square.change_request import WRITE_SHAPE, AskedChange, checked_changes
from invbi_pipeline.sandbox.square.ledger import COUNT, Change, Level, State
from invbi_pipeline.sandbox.square.pages import Pages
from invbi_pipeline.sandbox.square.refusals import check_shape, invalid, parse_time
from invbi_pipeline.sandbox.square.rows import change_row, count_row
from invbi_pipeline.sandbox.square.store import Store

__all__ = ["InventoryApi"]

MOST_ROWS = 1000
_ROWS = 100  # a page, where the caller names no limit
_KINDS = ("PHYSICAL_COUNT", "ADJUSTMENT", "TRANSFER")

_COUNTS_SHAPE: dict[str, Any] = {
    "catalog_object_ids": [str],
    "location_ids": [str],
    "updated_after": str,
    "cursor": str,
    "states": [str],
    "limit": int,
}
_CHANGES_SHAPE: dict[str, Any] = {**_COUNTS_SHAPE, "types": [str], "updated_before": str}


class InventoryApi:
    """Handlers of /v2/inventory. Each takes a parsed body and returns the answer's body, or raises `SquareRefusal`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counts: Pages[tuple[datetime, dict[str, str]]] = Pages(store.clock, store.rng)
        self._changes: Pages[Change] = Pages(store.clock, store.rng)
        self._answered: dict[str, tuple[str, dict[str, Any]]] = {}

    def counts(self, body: object) -> dict[str, Any]:
        """POST /v2/inventory/counts/batch-retrieve: newest calculated_at first, `updated_after` exclusive."""
        query = check_shape(body, _COUNTS_SHAPE)
        limit = _limit(query)
        if query.get("cursor"):
            page, cursor = self._counts.resume("counts", query, limit)
        else:
            after = self._moment(query, "updated_after")
            states = _states(query)
            rows = [
                row for level in self._levels(query) for row in self._count_rows(level, states) if after is None or row[0] > after
            ]
            rows.sort(key=lambda row: row[0], reverse=True)
            page, cursor = self._counts.first("counts", query, rows, limit)
        return {"counts": [row for _, row in page], **({"cursor": cursor} if cursor else {})}

    def changes(self, body: object) -> dict[str, Any]:
        """POST /v2/inventory/changes/batch-retrieve: occurred_at ascending, bounds on the time of receipt, exclusive."""
        query = check_shape(body, _CHANGES_SHAPE)
        limit = _limit(query)
        if query.get("cursor"):
            page, cursor = self._changes.resume("changes", query, limit)
        else:
            keep = self._change_filter(query)
            found = self._store.changes(self._moment(query, "updated_after"), self._moment(query, "updated_before"))
            rows = sorted(filter(keep, found), key=lambda change: change.order)
            page, cursor = self._changes.first("changes", query, rows, limit)
        store = self._store
        shown = [change_row(change, store.times, store.currency) for change in page]
        return {"changes": shown, **({"cursor": cursor} if cursor else {})}

    def write(self, body: object) -> dict[str, Any]:
        """POST /v2/inventory/changes/batch-create: all or nothing; the same key and body get the first answer again."""
        request = check_shape(body, WRITE_SHAPE)
        key = request.get("idempotency_key")
        if not key:
            raise invalid("MISSING_REQUIRED_PARAMETER", "Missing required parameter.", "idempotency_key")
        if len(key) > 128:
            raise invalid("VALUE_TOO_LONG", "Field must not be greater than 128 in length.", "idempotency_key")
        digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        if key in self._answered:
            before, answer = self._answered[key]
            if before != digest:
                raise invalid(
                    "IDEMPOTENCY_KEY_REUSED", "The idempotency key was used before with another request.", "idempotency_key"
                )
            return answer
        changes = checked_changes(self._store, request.get("changes") or [])
        ignore = request.get("ignore_unchanged_counts")
        answer = self._apply(changes, ignore_unchanged=ignore is None or ignore)
        self._answered[key] = (digest, answer)
        return answer

    # writing --------------------------------------------------------------------------------------------------------

    def _apply(self, asked: list[AskedChange], *, ignore_unchanged: bool) -> dict[str, Any]:
        store = self._store
        made: list[Change] = []
        for change in sorted(asked, key=lambda each: each.occurred_at):
            if store.wire.loses(change.variation, change.location):
                continue
            level = store.ledger.levels.get((change.variation, change.location))
            unchanged = change.from_state is None and level is not None and level.at(change.occurred_at) == change.quantity
            if change.variation in store.wire.frozen or (unchanged and ignore_unchanged):
                continue
            made.append(
                store.book(
                    change.variation,
                    change.location,
                    change.quantity,
                    change.from_state,
                    change.to_state,
                    occurred_at=change.occurred_at,
                    visible_after_s=store.wire.visibility_lag_s,
                    product="EXTERNAL_API",
                    reference=change.reference,
                )
            )
        levels = {(change.variation, change.location): None for change in asked}
        counts = [row for key in levels for row in self._written_row(key)]
        return {"counts": counts, "changes": [change_row(change, store.times, store.currency) for change in made]}

    def _written_row(self, key: tuple[str, str]) -> list[dict[str, str]]:
        level = self._store.ledger.levels.get(key)
        if level is None:
            return []
        return [count_row(*key, level.quantity, self._store.times.state(level.calculated_at))]

    # reading --------------------------------------------------------------------------------------------------------

    def _levels(self, query: Mapping[str, Any]) -> list[Level]:
        levels = self._store.ledger.levels
        variations, locations = query.get("catalog_object_ids"), query.get("location_ids")
        if variations:
            places = locations or self._store.locations
            found = (levels.get((variation, place)) for variation in dict.fromkeys(variations) for place in places)
            return [level for level in found if level is not None]
        wanted = set(locations or ())
        return [level for level in levels.values() if not wanted or level.location in wanted]

    def _count_rows(self, level: Level, states: set[str] | None) -> list[tuple[datetime, dict[str, str]]]:
        seen = self._store.shown(level)
        if seen is None:
            return []
        quantity, at = seen
        stated = self._store.times.state(at)
        rows = []
        if states is None or State.IN_STOCK in states:
            rows.append((at, count_row(level.variation, level.location, quantity, stated)))
        if level.wasted and (states is None or State.WASTE in states):
            rows.append((at, count_row(level.variation, level.location, level.wasted, stated, State.WASTE)))
        return rows

    def _change_filter(self, query: Mapping[str, Any]) -> Callable[[Change], bool]:
        types = set(query.get("types") or _KINDS[:2])
        unknown = types - set(_KINDS)
        if unknown:
            raise invalid("INVALID_ENUM_VALUE", f"`{min(unknown)}` is not a valid enum value for `types`.", "types")
        states = _states(query)
        variations, locations = set(query.get("catalog_object_ids") or ()), set(query.get("location_ids") or ())

        def keep(change: Change) -> bool:
            if (COUNT if change.is_count else "ADJUSTMENT") not in types:
                return False
            if states is not None and not change.is_count and not {change.from_state, change.to_state} & states:
                return False
            return (not variations or change.variation in variations) and (not locations or change.location in locations)

        return keep

    def _moment(self, query: Mapping[str, Any], field: str) -> datetime | None:
        text = query.get(field)
        return self._store.times.heard(parse_time(text, field)) if text else None


def _limit(query: Mapping[str, Any]) -> int:
    limit = query.get("limit")
    if limit is None:
        return _ROWS
    if limit < 1:
        raise invalid("VALUE_TOO_LOW", "limit must be at least 1.", "limit")
    if limit > MOST_ROWS:
        raise invalid("VALUE_TOO_HIGH", f"limit must be at most {MOST_ROWS}.", "limit")
    return int(limit)


def _states(query: Mapping[str, Any]) -> set[str] | None:
    states = query.get("states")
    return set(states) if states else None
