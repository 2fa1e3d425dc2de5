"""Feeds API 2021-06-30 with the one feed type of listings: JSON_LISTINGS_FEED."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from invbi_pipeline.sandbox.amazon.availability import Issue, accept_patches, check_patches
from invbi_pipeline.sandbox.amazon.documents import Document, Documents
from invbi_pipeline.sandbox.amazon.params import Params
from invbi_pipeline.sandbox.amazon.refusals import AmazonRefusal, bad_input, not_found
from invbi_pipeline.sandbox.amazon.store import Store
from invbi_pipeline.sandbox.amazon.usage import LISTINGS_FEED, UsagePlans

__all__ = ["FeedsApi"]

MOST_MESSAGES = 25_000
CONTENT_TYPE = "application/json; charset=UTF-8"
QUEUED_FOR = timedelta(seconds=15)  # the sandbox's own delays; Amazon promises none
DONE_AFTER = timedelta(seconds=60)


@dataclass(slots=True)
class _Feed:
    id: str
    document: Document
    created_at: datetime
    cancelled: bool = False
    ended_at: datetime | None = None
    fatal: bool = False
    result: Document | None = None


class FeedsApi:
    """Handlers; each returns the answer's body or raises `AmazonRefusal`. `settle` processes what has come due."""

    def __init__(self, store: Store, documents: Documents, plans: UsagePlans) -> None:
        self._store = store
        self._documents = documents
        self._plans = plans
        self._feeds: dict[str, _Feed] = {}

    def create_document(self, body: object) -> dict[str, Any]:
        """POST /documents: an id and an address to put the content to."""
        fields = _object(body, {"contentType"})
        made = self._documents.make("feed", str(fields["contentType"]))
        return {"feedDocumentId": made.id, "url": self._documents.address(made, upload=True)}

    def create(self, body: object) -> dict[str, Any]:
        """POST /feeds. Its own throttle stands beside the operation's."""
        fields = _object(body, {"feedType", "marketplaceIds", "inputFeedDocumentId"}, {"feedOptions"})
        if fields["feedType"] != LISTINGS_FEED:
            raise bad_input(f"The sandbox processes {LISTINGS_FEED} only.")
        if fields["marketplaceIds"] != [self._store.marketplace.id]:
            raise bad_input("marketplaceIds must name the marketplace that this seller takes part in.")
        document = self._documents.get(str(fields["inputFeedDocumentId"]))
        if document is None:
            raise bad_input("inputFeedDocumentId is unknown.")
        self._plans.take(LISTINGS_FEED)
        made = _Feed(self._store.new_id(12), document, self._store.times.now())
        self._feeds[made.id] = made
        return {"feedId": made.id}

    def get(self, feed_id: str) -> dict[str, Any]:
        """GET /feeds/{feedId}."""
        return self._render(self._found(feed_id))

    def list(self, params: Params) -> dict[str, Any]:
        """GET /feeds: the newest first."""
        params.only("feedTypes", "marketplaceIds", "pageSize", "processingStatuses", "createdSince", "createdUntil")
        size = params.number("pageSize", 10, 1, 100)
        wanted = set(params.list("processingStatuses"))
        shown = [self._render(feed) for feed in reversed(self._feeds.values())]
        return {"feeds": [feed for feed in shown if not wanted or feed["processingStatus"] in wanted][:size]}

    def cancel(self, feed_id: str) -> dict[str, Any]:
        """DELETE /feeds/{feedId}, while it is in the queue."""
        feed = self._found(feed_id)
        if self._status(feed) != "IN_QUEUE":
            raise bad_input("Only a feed in the queue can be cancelled.")
        feed.cancelled = True
        return {}

    def get_document(self, document_id: str) -> dict[str, Any]:
        """GET /documents/{feedDocumentId}: an address to fetch it from."""
        document = self._documents.get(document_id)
        if document is None:
            raise not_found("The feed document does not exist.")
        made = {"feedDocumentId": document.id, "url": self._documents.address(document)}
        return {**made, **({"compressionAlgorithm": "GZIP"} if document.gzip else {})}

    def settle(self) -> None:
        """Process the feeds that have waited long enough."""
        now = self._store.times.now()
        for feed in self._feeds.values():
            if feed.ended_at is None and not feed.cancelled and feed.created_at + DONE_AFTER <= now:
                feed.ended_at = feed.created_at + DONE_AFTER
                self._process(feed)

    def _process(self, feed: _Feed) -> None:
        messages, trouble = _messages(feed.document.content, self._store.seller_id)
        issues: list[dict[str, Any]] = [{"severity": "ERROR", "code": "4000001", "message": trouble}] if trouble else []
        feed.fatal = bool(trouble)
        invalid = 0
        for message in messages:
            patches = _patches(message)
            found = (
                [
                    Issue(
                        "4000003",
                        "The sandbox takes PATCH and PARTIAL_UPDATE of the availability.",
                        "INVALID_ATTRIBUTE",
                        "operationType",
                    )
                ]
                if patches is None
                else check_patches(self._store, str(message.get("sku")), str(message.get("productType")), patches)
            )
            if found or patches is None:
                invalid += 1
                issues.extend(_issue(message, issue) for issue in found)
            else:
                accept_patches(self._store, str(message["sku"]), patches)
        summary = {
            "errors": len(issues),
            "warnings": 0,
            "messagesProcessed": len(messages),
            "messagesAccepted": len(messages) - invalid,
            "messagesInvalid": invalid,
        }
        header = {"sellerId": self._store.seller_id, "version": "2.0", "feedId": feed.id}
        report = json.dumps({"header": header, "issues": issues, "summary": summary}).encode()
        feed.result = self._documents.make("result", "application/json", gzip.compress(report, mtime=0), gzip=True)
        self._store.notifications.feed_finished(feed.id, LISTINGS_FEED, self._status(feed), feed.result.id)

    def _status(self, feed: _Feed) -> str:
        if feed.cancelled:
            return "CANCELLED"
        if feed.ended_at is not None:
            return "FATAL" if feed.fatal else "DONE"
        return "IN_QUEUE" if self._store.times.now() < feed.created_at + QUEUED_FOR else "IN_PROGRESS"

    def _render(self, feed: _Feed) -> dict[str, Any]:
        state, status = self._store.times.state, self._status(feed)
        made: dict[str, Any] = {
            "feedId": feed.id,
            "feedType": LISTINGS_FEED,
            "marketplaceIds": [self._store.marketplace.id],
            "createdTime": state(feed.created_at),
            "processingStatus": status,
        }
        if status not in ("IN_QUEUE", "CANCELLED"):
            made["processingStartTime"] = state(feed.created_at + QUEUED_FOR)
        if feed.ended_at is not None:
            made["processingEndTime"] = state(feed.ended_at)
        if feed.result is not None:
            made["resultFeedDocumentId"] = feed.result.id
        return made

    def _found(self, feed_id: str) -> _Feed:
        feed = self._feeds.get(feed_id)
        if feed is None:
            raise not_found(f"Feed {feed_id} does not exist.")
        return feed


def _object(body: object, required: set[str], optional: set[str] | None = None) -> dict[str, Any]:
    if not isinstance(body, dict) or not required <= set(body) or set(body) - required - (optional or set()):
        raise AmazonRefusal(
            400, "InvalidInput", "Request has missing or unknown fields.", f"It takes {', '.join(sorted(required))}."
        )
    return body


def _messages(content: bytes | None, seller_id: str) -> tuple[list[Mapping[str, Any]], str]:
    """Return a feed's messages, or none and why the whole feed is refused."""
    if content is None:
        return [], "The feed document was not uploaded."
    try:
        feed = json.loads(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
        header, messages = feed["header"], feed["messages"]
        wrong = header["version"] != "2.0" or header["sellerId"] != seller_id or not isinstance(messages, list)
    except (ValueError, KeyError, TypeError, OSError):
        return [], "The feed is not a JSON listings feed."
    if wrong or not all(isinstance(message, dict) for message in messages):
        return [], "The feed's header names another seller or version."
    if len(messages) > MOST_MESSAGES:
        return [], f"A feed holds at most {MOST_MESSAGES} messages."
    if len({message.get("messageId") for message in messages}) != len(messages):
        return [], "Each message needs a messageId of its own."
    return messages, ""


def _patches(message: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    kind = message.get("operationType")
    if kind == "PATCH" and isinstance(message.get("patches"), list):
        return [patch if isinstance(patch, dict) else {} for patch in message["patches"]]
    attributes = message.get("attributes")
    if kind == "PARTIAL_UPDATE" and isinstance(attributes, dict):  # replaces each attribute that it names
        return [{"op": "replace", "path": f"/attributes/{name}", "value": value} for name, value in attributes.items()]
    return None


def _issue(message: Mapping[str, Any], issue: Issue) -> dict[str, Any]:
    content = {"messageId": message.get("messageId"), "sku": str(message.get("sku")), "code": issue.code}
    return {**content, "severity": "ERROR", "message": issue.message, "attributeName": issue.attribute}
