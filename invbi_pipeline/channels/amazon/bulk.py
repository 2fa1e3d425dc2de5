"""Reports and feeds: documents that Amazon makes or takes while we wait on the clock."""

import gzip
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from invbi_pipeline.channels.amazon.api import AmazonApi
from invbi_pipeline.channels.http import answer
from invbi_pipeline.errors import BadAnswer, Unreachable

__all__ = ["ALL_LISTINGS", "FEED_TYPE", "Feed", "Report", "all_listings", "processing_report", "submit_feed", "wait_for_feed"]

Json = dict[str, Any]

ALL_LISTINGS: Final = "GET_MERCHANT_LISTINGS_ALL_DATA"
FEED_TYPE: Final = "JSON_LISTINGS_FEED"
_CONTENT: Final = "application/json; charset=UTF-8"
_FIRST_PAUSE_S: Final = 5.0
_LONGEST_PAUSE_S: Final = 60.0
_PATIENCE: Final = timedelta(minutes=45)  # a report that takes longer is left for the next look
_PATIENCE_WITH_FEEDS: Final = timedelta(minutes=10)  # a feed that takes longer (hours were seen) is settled by what is read back


@dataclass(frozen=True, slots=True)
class Report:
    """A report's rows, all text, and the moment it shows."""

    rows: pl.DataFrame
    at: datetime


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed that was taken: its id, and Amazon's clock when it was."""

    feed_id: str
    at: datetime


async def all_listings(api: AmazonApi) -> Report:
    """Have the report of all listings made, wait for it, and read it.

    Raises `Unreachable` when it is cancelled or takes too long: Amazon also cancels a report when one like it was just made.
    """
    body = {"reportType": ALL_LISTINGS, "marketplaceIds": [api.marketplace]}
    response = await api.request("createReport", "POST", "/reports/2021-06-30/reports", json=body)
    report_id = str((answer(response) or {})["reportId"])
    done = await _wait(api, "getReport", f"/reports/2021-06-30/reports/{report_id}")
    document_id = done.get("reportDocumentId")
    if done["processingStatus"] != "DONE" or not document_id:
        raise Unreachable(f"{api.http.system}: Amazon ended the report of all listings with {done['processingStatus']}.")
    content = await _document(api, "getReportDocument", f"/reports/2021-06-30/documents/{document_id}")
    stated = done.get("dataEndTime") or done["createdTime"]  # Amazon may hand out numbers it gathered before we asked
    return Report(_tab_separated(content), datetime.fromisoformat(stated))


async def submit_feed(api: AmazonApi, messages: Sequence[Mapping[str, Any]]) -> Feed:
    """Send messages as one JSON_LISTINGS_FEED. Raises `AmbiguousWrite` where it cannot be known whether Amazon took it."""
    response = await api.request("createFeedDocument", "POST", "/feeds/2021-06-30/documents", json={"contentType": _CONTENT})
    document: Json = answer(response) or {}
    content = json.dumps(
        {"header": {"sellerId": api.seller, "version": "2.0"}, "messages": list(messages)}, separators=(",", ":")
    ).encode()
    await api.http.request(
        "upload", "PUT", document["url"], content=content, headers={"Content-Type": _CONTENT}, authorised=False
    )
    body = {"feedType": FEED_TYPE, "marketplaceIds": [api.marketplace], "inputFeedDocumentId": document["feedDocumentId"]}
    response = await api.request("createFeed", "POST", "/feeds/2021-06-30/feeds", json=body, idempotent=False)
    return Feed(str((answer(response) or {})["feedId"]), api.http.platform_time(response))


async def wait_for_feed(api: AmazonApi, feed: Feed) -> Json:
    """Return the feed as Amazon describes it when it has ended. Raises `Unreachable` when it takes too long."""
    return await _wait(api, "getFeed", f"/feeds/2021-06-30/feeds/{feed.feed_id}", _PATIENCE_WITH_FEEDS)


async def processing_report(api: AmazonApi, document_id: str) -> Json:
    """Return what became of a feed's messages."""
    content = await _document(api, "getFeedDocument", f"/feeds/2021-06-30/documents/{document_id}")
    try:
        said = json.loads(content)
    except ValueError as trouble:
        raise BadAnswer(f"{api.http.system}: Amazon's processing report of a feed is cut or broken.") from trouble
    if not isinstance(said, dict):
        raise BadAnswer(f"{api.http.system}: Amazon's processing report of a feed is not an object.")
    return said


async def _wait(api: AmazonApi, operation: str, path: str, patience: timedelta = _PATIENCE) -> Json:
    """Ask until it has ended, first soon, then at longer intervals."""
    clock = api.http.clock
    gives_up, pause = clock.now() + patience, _FIRST_PAUSE_S
    while True:
        said: Json = answer(await api.request(operation, "GET", path)) or {}
        if said.get("processingStatus") not in ("IN_QUEUE", "IN_PROGRESS"):
            return said
        if clock.now() >= gives_up:
            raise Unreachable(f"{api.http.system}: Amazon is still at it after {patience} ({operation}); look again later.")
        await clock.sleep(pause)
        pause = min(_LONGEST_PAUSE_S, pause * 1.5)


async def _document(api: AmazonApi, operation: str, path: str) -> bytes:
    said: Json = answer(await api.request(operation, "GET", path)) or {}
    into = io.BytesIO()
    await api.http.download("download", said["url"], into)  # the address lives five minutes
    content = into.getvalue()
    if said.get("compressionAlgorithm") != "GZIP":
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError) as trouble:
        raise BadAnswer(f"{api.http.system}: a document of Amazon's is cut ({operation}).") from trouble


def _tab_separated(content: bytes) -> pl.DataFrame:
    """Rows as text. Reports are UTF-8 or, in some marketplaces, Windows-1252; fields are never quoted."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    try:
        return pl.read_csv(io.StringIO(text), separator="\t", quote_char=None, infer_schema=False, truncate_ragged_lines=False)
    except pl.exceptions.PolarsError as trouble:
        raise BadAnswer(f"A report of Amazon's is not a table: {trouble}") from trouble
