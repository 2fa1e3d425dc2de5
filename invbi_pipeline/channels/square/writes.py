"""Corrections as Square's inventory changes: batches that pass or fail as a whole, and results a row."""

import hashlib
import json
import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from invbi_pipeline.channels.protocol import Write, WriteOutcome, WriteResult
from invbi_pipeline.channels.retry import retry_code
from invbi_pipeline.channels.square.api import SquareApi
from invbi_pipeline.channels.square.facts import FACTS
from invbi_pipeline.domain.words import CorrectionKind
from invbi_pipeline.errors import AmbiguousWrite, BadAnswer, Refused, TransientError

__all__ = ["as_change", "send"]

_OLDEST: Final = timedelta(hours=23, minutes=55)  # Square takes occurred_at of the last 24 hours
_CULPRIT: Final = re.compile(r"changes\[(\d+)\]")
# The key was used before with another body: an earlier attempt reached Square, and what it did is to be read.
_SENT_BEFORE: Final = "IDEMPOTENCY_KEY_REUSED"


def as_change(write: Write, platform_now: datetime) -> dict[str, Any]:
    """Return Square's InventoryChange for one correction.

    `set` is a PHYSICAL_COUNT stamped when the truth behind it was measured: sales that occur after that lower it, those before do
    not, which is Square's stand-in for a compare-and-set. `post` is an ADJUSTMENT between IN_STOCK and SOLD with the movement's
    reference.
    """
    earliest = platform_now - _OLDEST
    occurred = min(max(write.occurred_at or platform_now, earliest), platform_now)
    common = {
        "catalog_object_id": write.listing_key,
        "location_id": write.location_key,
        "quantity": str(abs(write.quantity)) if write.kind is CorrectionKind.POST else str(write.quantity),
        "occurred_at": occurred.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    if write.kind is CorrectionKind.SET:
        return {"type": "PHYSICAL_COUNT", "physical_count": {**common, "state": "IN_STOCK"}}
    states = ("IN_STOCK", "SOLD") if write.quantity < 0 else ("SOLD", "IN_STOCK")
    reference = {"reference_id": write.reference} if write.reference else {}
    return {"type": "ADJUSTMENT", "adjustment": {**common, **reference, "from_state": states[0], "to_state": states[1]}}


async def send(api: SquareApi, writes: Sequence[Write], platform_now: datetime) -> AsyncIterator[WriteResult]:
    """Send corrections in batches and yield each one's result once.

    A refused batch goes again without its culprits, under a new key; where Square names none, its halves go.
    """
    waiting = [list(writes[start : start + FACTS.write_batch]) for start in range(0, len(writes), FACTS.write_batch)]
    while waiting:
        batch = waiting.pop(0)
        try:
            said, at = await api.change(_key(batch), [as_change(write, platform_now) for write in batch])
        except Refused as refusal:
            outcome = WriteOutcome.RETRY if refusal.code == "unauthorised" else WriteOutcome.REJECTED
            outcome = WriteOutcome.AMBIGUOUS if refusal.code == _SENT_BEFORE else outcome
            culprits = {int(index) for index in _CULPRIT.findall(refusal.field) if int(index) < len(batch)}
            if len(batch) == 1 or outcome is not WriteOutcome.REJECTED:
                culprits = set(range(len(batch)))
            for result in _results([batch[index] for index in sorted(culprits)], outcome, refusal.code, str(refusal)):
                yield result
            waiting[:0] = _rest(batch, culprits)
        except AmbiguousWrite as doubt:
            for result in _results(batch, WriteOutcome.AMBIGUOUS, "ambiguous", str(doubt)):
                yield result
        except (TransientError, BadAnswer) as trouble:
            for result in _results(batch, WriteOutcome.RETRY, retry_code(trouble), str(trouble)):
                yield result
        else:
            for write, answered in zip(batch, _answers(said, batch), strict=True):
                yield WriteResult(write.correction_id, WriteOutcome.ACCEPTED, at, answer=answered)


def _key(batch: Sequence[Write]) -> str:
    """The batch's idempotency key follows from its rows' keys: the same rows are sent under the same key."""
    return hashlib.sha256("\n".join(write.idempotency_key for write in batch).encode()).hexdigest()


def _rest(batch: list[Write], culprits: set[int]) -> list[list[Write]]:
    """What is to be sent again: the batch without its named culprits, or its halves where Square named none."""
    if culprits:
        rest = [write for index, write in enumerate(batch) if index not in culprits]
        return [rest] if rest else []
    half = len(batch) // 2
    return [batch[:half], batch[half:]]


def _results(writes: Sequence[Write], outcome: str, code: str, message: str) -> list[WriteResult]:
    return [WriteResult(write.correction_id, outcome, None, code=code, message=message) for write in writes]


def _answers(said: dict[str, Any], batch: Sequence[Write]) -> list[str]:
    """What Square answered about each row: the change it recorded, else the count that followed."""
    changes = said.get("changes") or []
    if len(changes) == len(batch):
        return [json.dumps(change, separators=(",", ":")) for change in changes]
    counts = {(c.get("catalog_object_id"), c.get("location_id")): c for c in said.get("counts") or []}
    found = (counts.get((write.listing_key, write.location_key)) for write in batch)
    return ["" if count is None else json.dumps(count, separators=(",", ":")) for count in found]
