"""Corrections sent to Shopify: absolute numbers with compare-and-set, in batches that succeed or fail as a whole, and deltas.

Shopify moves nothing of a batch in which one row is wrong, and names the row: it is taken out, and the rest is sent again
under a new key. A key stands for one body for ever, so it is made from the body; the same body under the same key may be sent
again within `facts.KEY_LIFE`, and is done once.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from invbi_pipeline.channels.protocol import Write, WriteOutcome, WriteResult
from invbi_pipeline.channels.retry import retry_code
from invbi_pipeline.channels.shopify.api import Answer, Api, gid
from invbi_pipeline.channels.shopify.connecting import UNSTOCKED, connect
from invbi_pipeline.channels.shopify.documents import ADJUST, SET, Document
from invbi_pipeline.channels.shopify.facts import FACTS
from invbi_pipeline.channels.shopify.stock import prove
from invbi_pipeline.domain.words import CorrectionKind, Quantity
from invbi_pipeline.errors import AmbiguousWrite, InvbiError, Refused, TransientError

__all__ = ["send"]

_STALE: Final = frozenset({"CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE"})
_BUSY: Final = "IDEMPOTENCY_CONCURRENT_REQUEST"  # the same key is being worked on: ask again for its answer
_FAILED: Final = "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"  # nothing moved, and the key is spent
_RETRY: Final = frozenset({"SERVICE_UNAVAILABLE", _FAILED})
_ROUNDS: Final = 4  # most tries of a busy key, of a spent one


@dataclass(frozen=True, slots=True)
class _Form:
    """One of the two mutations: its document, its field, and what its rows and number are called."""

    document: Document
    field: str
    rows: str
    number: str


_SET: Final = _Form(SET, "inventorySetQuantities", "quantities", "quantity")
_ADJUST: Final = _Form(ADJUST, "inventoryAdjustQuantities", "changes", "delta")


@dataclass(frozen=True, slots=True)
class _Row:
    write: Write
    compare: int | None
    connects: bool = False  # its item may be stocked at its location first


async def send(api: Api, system: str, writes: Sequence[Write], *, connects: bool = False) -> AsyncIterator[WriteResult]:
    """Send corrections, urgent ones first, `set` before `post`; yield each one's result exactly once.

    `set` compares with `Write.compare`, the raw number that was read (None: no comparison). `post` compares with nothing, so that
    its body, and with it its key, is the same whenever it is asked. `connects`: an item that is not stocked at a location is
    connected there first.
    """
    in_order = sorted(writes, key=lambda write: not write.urgent)
    for batch in _batches([write for write in in_order if write.kind is CorrectionKind.SET]):
        async for result in _send(api, _SET, [_Row(write, write.compare, connects) for write in batch]):
            yield result
    for batch in _batches([write for write in in_order if write.kind is CorrectionKind.POST]):
        async for result in _post(api, system, batch):
            yield result


def _batches(writes: Iterable[Write]) -> Iterator[list[Write]]:
    """Yield batches of at most 250, no point twice in one: Shopify refuses that, and the order of a point's writes counts."""
    waiting = list(writes)
    while waiting:
        batch: dict[tuple[str, str], Write] = {}
        later: list[Write] = []
        for write in waiting:
            point = (write.listing_key, write.location_key)
            if point in batch or len(batch) >= FACTS.write_batch:
                later.append(write)
            else:
                batch[point] = write
        yield list(batch.values())
        waiting = later


async def _post(api: Api, system: str, batch: Sequence[Write]) -> AsyncIterator[WriteResult]:
    """Send movements one by one, each under a key of its own: one whose outcome is unknown can be asked again as it was."""
    try:
        stock, _ = await prove(api, system, [(write.listing_key, write.location_key) for write in batch])
    except InvbiError as trouble:  # only reading: nothing was sent
        for write in batch:
            yield _result(write, WriteOutcome.RETRY, None, retry_code(trouble), str(trouble))
        return
    states = {(key, place): state for key, place, state in stock.select("listing_key", "location_key", "state").iter_rows()}
    for write in batch:
        state = states[(write.listing_key, write.location_key)]
        if state != Quantity.KNOWN:
            yield _result(write, WriteOutcome.REJECTED, None, state.upper(), f"Shopify shows no number there ({state}).")
            continue
        async for result in _send(api, _ADJUST, [_Row(write, None)]):  # a delta holds whatever the number is
            yield result


async def _send(api: Api, form: _Form, rows: Sequence[_Row]) -> AsyncIterator[WriteResult]:
    """Send one batch; take out the rows Shopify names and send the rest, until it takes them."""
    waiting = [list(rows)] if rows else []
    while waiting:
        batch = waiting.pop()
        try:
            answer, errors = await _mutate(api, form, batch)
        except AmbiguousWrite as trouble:
            for result in _all(batch, WriteOutcome.AMBIGUOUS, None, "", str(trouble)):
                yield result
            continue
        except (TransientError, Refused) as trouble:  # nothing moved: refused, throttled, or never reached
            code = retry_code(trouble)
            final = isinstance(trouble, Refused) and code != "unauthorised"
            if final and len(batch) > 1 and not code.isdigit():  # not by its HTTP status: one row may have spoilt the request
                waiting += _halves(batch)
                continue
            outcome = WriteOutcome.REJECTED if final else WriteOutcome.RETRY
            for result in _all(batch, outcome, None, code, str(trouble)):
                yield result
            continue
        if not errors:
            group = json.dumps(answer.data[form.field]["inventoryAdjustmentGroup"], separators=(",", ":"))
            for result in _all(batch, WriteOutcome.ACCEPTED, answer.at, "", "", group):
                yield result
            continue
        culprits = _culprits(errors, len(batch))
        if not culprits and len(batch) > 1:  # it names nobody: halve until it is alone
            waiting += _halves(batch)
            continue
        connected: list[_Row] = []
        for index, error in (culprits or {0: errors[0]}).items():
            row = batch[index]
            if row.connects and error.get("code") == UNSTOCKED and not await connect(api, row.write):
                connected.append(replace(row, connects=False))
            else:
                yield _judged(api, row.write, error, answer.at)
        if rest := [row for index, row in enumerate(batch) if culprits and index not in culprits]:
            waiting.append([*rest, *connected])
        elif connected:
            waiting.append(connected)


def _halves(batch: list[_Row]) -> list[list[_Row]]:
    half = len(batch) // 2
    return [batch[half:], batch[:half]]


async def _mutate(api: Api, form: _Form, batch: Sequence[_Row]) -> tuple[Answer, list[dict[str, Any]]]:
    """Run the mutation; return its answer and its user errors. Waits for a key that is being worked on, renews a spent one."""
    spent = 0
    for round_ in range(1, _ROUNDS + 1):
        key = _key(form, batch, spent)
        answer = await api.run(form.document, {"input": _input(form, batch, key), "key": key}, changes=True)
        payload = answer.data.get(form.field)
        if not isinstance(payload, dict):
            raise AmbiguousWrite(f"{api.http.system}: Shopify's answer says nothing of the write; read its number back.")
        errors: list[dict[str, Any]] = payload["userErrors"]
        codes = {error.get("code") for error in errors}
        if _FAILED in codes:
            spent += 1
        elif _BUSY in codes:
            await api.http.clock.sleep(float(2**round_))
        else:
            return answer, errors
    if _BUSY in codes:
        raise AmbiguousWrite(f"{api.http.system}: Shopify is still working on this write; read its number back.")
    return answer, errors


def _input(form: _Form, batch: Sequence[_Row], key: str) -> dict[str, Any]:
    only = batch[0].write.reference if len(batch) == 1 else ""
    return {
        "name": "available",
        "reason": "correction",
        "referenceDocumentUri": f"invbi://movement/{quote(only)}" if only else f"invbi://push/{key}",
        form.rows: [
            {
                "inventoryItemId": gid("InventoryItem", row.write.listing_key),
                "locationId": gid("Location", row.write.location_key),
                form.number: row.write.quantity,
                "changeFromQuantity": row.compare,  # null, said outright: no comparison
            }
            for row in batch
        ],
    }


def _key(form: _Form, batch: Sequence[_Row], spent: int) -> str:
    """Return the batch's idempotency key: equal for equal bodies of the same corrections, different for all others."""
    rows = [
        [row.write.idempotency_key, row.write.listing_key, row.write.location_key, row.write.quantity, row.compare]
        for row in batch
    ]
    digest = hashlib.sha256(json.dumps([form.field, spent, rows]).encode()).digest()
    return str(UUID(bytes=digest[:16]))


def _culprits(errors: Iterable[Mapping[str, Any]], size: int) -> dict[int, Mapping[str, Any]]:
    """Return the first error of each row that an error's field names, as in ["input", "quantities", "3", "locationId"]."""
    found: dict[int, Mapping[str, Any]] = {}
    for error in errors:
        index = next((int(part) for part in error.get("field") or [] if str(part).isdigit()), None)
        if index is not None and index < size:
            found.setdefault(index, error)
    return found


def _judged(api: Api, write: Write, error: Mapping[str, Any], at: datetime) -> WriteResult:
    code, message = str(error.get("code") or "USER_ERROR"), str(error.get("message") or "")
    known = {**dict.fromkeys(_STALE, WriteOutcome.STALE), **dict.fromkeys(_RETRY, WriteOutcome.RETRY)}
    outcome = known.get(code, WriteOutcome.REJECTED)
    said = api.http.redact(json.dumps(error, separators=(",", ":")))
    return _result(write, outcome, at, code, api.http.redact(message), said)


def _all(
    batch: Iterable[_Row], outcome: str, at: datetime | None, code: str, message: str, answer: str = ""
) -> Iterator[WriteResult]:
    return (_result(row.write, outcome, at, code, message, answer) for row in batch)


def _result(write: Write, outcome: str, at: datetime | None, code: str, message: str, answer: str = "") -> WriteResult:
    return WriteResult(write.correction_id, outcome, at, code, message, answer)
