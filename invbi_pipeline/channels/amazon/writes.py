"""Corrections of Amazon quantities: one PATCH each for the few and the urgent, a feed for the many; never Amazon's own stock."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from invbi_pipeline.channels.amazon.api import AmazonApi
from invbi_pipeline.channels.amazon.bulk import Feed, processing_report, submit_feed, wait_for_feed
from invbi_pipeline.channels.amazon.facts import FEED_ABOVE, FEED_MESSAGES
from invbi_pipeline.channels.amazon.rows import MERCHANT
from invbi_pipeline.channels.protocol import Write, WriteOutcome, WriteResult
from invbi_pipeline.channels.retry import retry_code
from invbi_pipeline.domain.words import CorrectionKind
from invbi_pipeline.errors import AmbiguousWrite, BadAnswer, Refused, TransientError

__all__ = ["patch_body", "refused_here", "routes", "send_feed", "send_patch"]

Json = dict[str, Any]

_PRODUCT_TYPE: Final = "PRODUCT"  # the offer-only type: a quantity needs no product facts


def patch_body(quantity: int) -> Json:
    """Return the patch that sets a merchant's quantity. `merge`, because `replace` would reset the handling time."""
    value = [{"fulfillment_channel_code": MERCHANT, "quantity": quantity}]
    return {
        "productType": _PRODUCT_TYPE,
        "patches": [{"op": "merge", "path": "/attributes/fulfillment_availability", "value": value}],
    }


def refused_here(write: Write, codes: frozenset[str] | None) -> WriteResult | None:
    """Refuse, before anything is sent, what must not be: setting DEFAULT on Amazon's own stock would convert the listing."""
    code = message = ""
    if write.kind is not CorrectionKind.SET:
        code, message = "not_supported", "Amazon takes absolute quantities only."
    elif write.location_key or (codes and codes != {MERCHANT}):
        code, message = "platform_fulfilled", "Amazon ships this listing from its own stock; a quantity of ours would convert it."
    elif codes is None:
        code, message = "unknown_listing", "Amazon does not show this listing, so nobody can say who ships it; nothing was sent."
    elif not codes:
        code, message = "no_fulfilment_channel", "Amazon states no fulfilment channel for this listing; nothing was sent."
    return WriteResult(write.correction_id, WriteOutcome.REJECTED, None, code, message) if code else None


def routes(writes: Sequence[Write]) -> tuple[list[Write], list[list[Write]]]:
    """Part corrections into those sent one by one and those sent as feeds, each feed with one message a SKU."""
    patient = [write for write in writes if not write.urgent]
    if len(patient) <= FEED_ABOVE:
        return list(writes), []
    feeds = [patient[start : start + FEED_MESSAGES] for start in range(0, len(patient), FEED_MESSAGES)]
    return [write for write in writes if write.urgent], feeds


async def send_patch(api: AmazonApi, write: Write) -> WriteResult:
    """Send one correction and say how it ended. An accepted one is not applied yet."""
    try:
        said, at = await api.patch(write.listing_key, patch_body(write.quantity))
    except Refused as refusal:
        outcome = WriteOutcome.RETRY if refusal.code == "unauthorised" else WriteOutcome.REJECTED
        return WriteResult(write.correction_id, outcome, None, refusal.code, str(refusal))
    except AmbiguousWrite as doubt:
        return WriteResult(write.correction_id, WriteOutcome.AMBIGUOUS, None, "ambiguous", str(doubt))
    except (TransientError, BadAnswer) as trouble:
        return WriteResult(write.correction_id, WriteOutcome.RETRY, None, retry_code(trouble), str(trouble))
    issues = [issue for issue in said.get("issues") or () if issue.get("severity") == "ERROR"]
    if said.get("status") == "INVALID":
        code, message = _told(api, issues)
        return WriteResult(write.correction_id, WriteOutcome.REJECTED, at, code, message, _answer(api, said))
    return WriteResult(write.correction_id, WriteOutcome.ACCEPTED, at, answer=_answer(api, said))


async def send_feed(api: AmazonApi, writes: Sequence[Write]) -> AsyncIterator[WriteResult]:
    """Send corrections as one feed, wait for its processing report, and yield the result of each message."""
    messages = [
        {"messageId": n, "sku": write.listing_key, "operationType": "PATCH", **patch_body(write.quantity)}
        for n, write in enumerate(writes, start=1)
    ]
    try:
        feed = await submit_feed(api, messages)
    except AmbiguousWrite as doubt:
        outcome, code, message = WriteOutcome.AMBIGUOUS, "ambiguous", str(doubt)
    except (TransientError, BadAnswer) as trouble:
        outcome, code, message = WriteOutcome.RETRY, retry_code(trouble), str(trouble)
    except Refused as refusal:
        outcome, code, message = WriteOutcome.RETRY, refusal.code, str(refusal)  # the feed, not its rows, was refused
    else:
        for result in await _results(api, feed, writes):
            yield result
        return
    for write in writes:
        yield WriteResult(write.correction_id, outcome, None, code, message)


async def _results(api: AmazonApi, feed: Feed, writes: Sequence[Write]) -> list[WriteResult]:
    """What became of each message; what cannot be learnt may have happened."""
    try:
        ended = await wait_for_feed(api, feed)
        status, document = str(ended.get("processingStatus")), ended.get("resultFeedDocumentId")
        if status == "CANCELLED":
            return _all(writes, WriteOutcome.RETRY, "feed_cancelled", f"Amazon cancelled feed {feed.feed_id}.", feed)
        if status != "DONE" or not document:
            return _all(
                writes, WriteOutcome.AMBIGUOUS, "feed_ended", f"Feed {feed.feed_id} ended as {status} without a report.", feed
            )
        report = await processing_report(api, str(document))
    except (TransientError, BadAnswer, Refused) as trouble:
        return _all(writes, WriteOutcome.AMBIGUOUS, "feed_pending", f"Feed {feed.feed_id} was taken: {trouble}", feed)
    at = datetime.fromisoformat(ended["processingEndTime"]) if ended.get("processingEndTime") else feed.at
    errors: dict[int, list[Json]] = {}
    for issue in report.get("issues") or ():
        if issue.get("severity") == "ERROR":
            errors.setdefault(int(issue["messageId"]), []).append(issue)
    whole = int((report.get("summary") or {}).get("messagesProcessed", len(writes))) >= len(writes)
    taken = WriteOutcome.ACCEPTED if whole else WriteOutcome.AMBIGUOUS
    results = []
    for n, write in enumerate(writes, start=1):
        if n in errors:
            code, message = _told(api, errors[n])
            results.append(WriteResult(write.correction_id, WriteOutcome.REJECTED, at, code, message, _answer(api, errors[n][0])))
        else:
            results.append(WriteResult(write.correction_id, taken, at, answer=_which(feed, n)))
    return results


def _all(writes: Sequence[Write], outcome: str, code: str, message: str, feed: Feed) -> list[WriteResult]:
    """The same result for each message; which of the feed it was is kept, so that a person can look it up."""
    return [
        WriteResult(
            write.correction_id,
            outcome,
            None,
            code,
            message,
            _which(feed, n, message=message),
        )
        for n, write in enumerate(writes, start=1)
    ]


def _told(api: AmazonApi, issues: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    if not issues:
        return "invalid", "Amazon found the change invalid and did not say why."
    said = "; ".join(str(issue.get("message") or "") for issue in issues)
    return str(issues[0].get("code") or "invalid"), api.http.redact(said)


def _answer(api: AmazonApi, said: Mapping[str, Any]) -> str:
    return api.http.redact(json.dumps(said, separators=(",", ":")))


def _which(feed: Feed, message_id: int, **said: str) -> str:
    return json.dumps({"feedId": feed.feed_id, "messageId": message_id, **said}, separators=(",", ":"))
