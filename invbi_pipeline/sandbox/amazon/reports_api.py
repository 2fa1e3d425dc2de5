"""Reports API 2021-06-30: the listings and the FBA stock in bulk, as tab-separated text, compressed."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from invbi_pipeline.sandbox.amazon.documents import Document, Documents
from invbi_pipeline.sandbox.amazon.params import Params
from invbi_pipeline.sandbox.amazon.refusals import bad_input, not_found
from invbi_pipeline.sandbox.amazon.report_text import fba_stock, listings_all_data
from invbi_pipeline.sandbox.amazon.store import Store

__all__ = ["ReportsApi"]

LISTINGS = "GET_MERCHANT_LISTINGS_ALL_DATA"
FBA_STOCK = "GET_FBA_MYI_UNSUPPRESSED_INVENTORY_DATA"
QUEUED_FOR = timedelta(seconds=10)  # the sandbox's own delays; Amazon promises none
DONE_AFTER = timedelta(seconds=30)
FBA_EVERY = timedelta(minutes=30)  # FBA's near-real-time reports are not generated more often
_TEXTS: dict[str, Callable[[Store, datetime], str]] = {LISTINGS: listings_all_data, FBA_STOCK: fba_stock}


@dataclass(slots=True)
class _Report:
    id: str
    kind: str
    created_at: datetime
    as_of: datetime  # the moment whose numbers it holds
    cancelled: bool = False
    document: Document | None = None


class ReportsApi:
    """Handlers; each returns the answer's body or raises `AmazonRefusal`. `settle` writes what has come due."""

    def __init__(self, store: Store, documents: Documents) -> None:
        self._store = store
        self._documents = documents
        self._reports: dict[str, _Report] = {}

    def create(self, body: object) -> dict[str, Any]:
        """POST /reports."""
        known = {"reportType", "marketplaceIds", "reportOptions", "dataStartTime", "dataEndTime"}
        if not isinstance(body, dict) or not {"reportType", "marketplaceIds"} <= set(body) or set(body) - known:
            raise bad_input("The body must hold reportType and marketplaceIds.")
        kind = body["reportType"]
        if kind not in _TEXTS:
            raise bad_input(f"The sandbox writes {', '.join(_TEXTS)}.")
        if body["marketplaceIds"] != [self._store.marketplace.id]:
            raise bad_input("marketplaceIds must name the marketplace that this seller takes part in.")
        now = self._store.times.now()
        made = _Report(self._store.new_id(12), kind, now, self._moment(kind, now + QUEUED_FOR))
        self._reports[made.id] = made
        return {"reportId": made.id}

    def get(self, report_id: str) -> dict[str, Any]:
        """GET /reports/{reportId}."""
        return self._render(self._found(report_id))

    def list(self, params: Params) -> dict[str, Any]:
        """GET /reports: the newest first."""
        params.only("reportTypes", "marketplaceIds", "pageSize", "processingStatuses", "createdSince", "createdUntil")
        size = params.number("pageSize", 10, 1, 100)
        kinds, statuses = set(params.list("reportTypes")), set(params.list("processingStatuses"))
        shown = [self._render(report) for report in reversed(self._reports.values()) if not kinds or report.kind in kinds]
        return {"reports": [report for report in shown if not statuses or report["processingStatus"] in statuses][:size]}

    def cancel(self, report_id: str) -> dict[str, Any]:
        """DELETE /reports/{reportId}, while it is in the queue."""
        report = self._found(report_id)
        if self._status(report) != "IN_QUEUE":
            raise bad_input("Only a report in the queue can be cancelled.")
        report.cancelled = True
        return {}

    def get_document(self, document_id: str) -> dict[str, Any]:
        """GET /documents/{reportDocumentId}: an address that lives five minutes."""
        document = self._documents.get(document_id)
        if document is None:
            raise not_found("The report document does not exist.")
        return {"reportDocumentId": document.id, "url": self._documents.address(document), "compressionAlgorithm": "GZIP"}

    def settle(self) -> None:
        """Write the reports that are done by now."""
        now = self._store.times.now()
        for report in self._reports.values():
            if report.document is None and not report.cancelled and report.created_at + DONE_AFTER <= now:
                text = _TEXTS[report.kind](self._store, report.as_of)
                content = gzip.compress(text.encode("utf-8"), compresslevel=1, mtime=0)
                report.document = self._documents.make("report", "text/tab-separated-values; charset=UTF-8", content, gzip=True)

    def _moment(self, kind: str, at: datetime) -> datetime:
        earlier = [r.as_of for r in self._reports.values() if r.kind == kind and not r.cancelled]
        if kind == FBA_STOCK and earlier and at - earlier[-1] < FBA_EVERY:
            return earlier[-1]
        return at

    def _status(self, report: _Report) -> str:
        if report.cancelled:
            return "CANCELLED"
        if report.document is not None:
            return "DONE"
        return "IN_QUEUE" if self._store.times.now() < report.created_at + QUEUED_FOR else "IN_PROGRESS"

    def _render(self, report: _Report) -> dict[str, Any]:
        state, status = self._store.times.state, self._status(report)
        made: dict[str, Any] = {
            "reportId": report.id,
            "reportType": report.kind,
            "marketplaceIds": [self._store.marketplace.id],
            "createdTime": state(report.created_at),
            "processingStatus": status,
            "dataStartTime": state(report.as_of),
            "dataEndTime": state(report.as_of),
        }
        if status in ("IN_PROGRESS", "DONE"):
            made["processingStartTime"] = state(report.created_at + QUEUED_FOR)
        if report.document is not None:
            made["processingEndTime"] = state(report.created_at + DONE_AFTER)
            made["reportDocumentId"] = report.document.id
        return made

    def _found(self, report_id: str) -> _Report:
        report = self._reports.get(report_id)
        if report is None:
            raise not_found(f"Report {report_id} does not exist.")
        return report
