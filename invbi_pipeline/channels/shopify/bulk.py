"""Bulk operations: Shopify runs a query by itself, without points, and leaves the rows as JSON lines at an address.

https://shopify.dev/docs/api/usage/bulk-operations/queries: one to five connections, two levels deep, no connection within a
list; children name their parent in `__parentId` and do not follow it; the file is kept for seven days.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, Final

from invbi_pipeline.channels.shopify.api import Api
from invbi_pipeline.channels.shopify.documents import BULK_RUN, BULK_STATE
from invbi_pipeline.channels.shopify.facts import BULK_LONGEST_S, BULK_POLL_S
from invbi_pipeline.errors import BadAnswer, Refused, Throttled, Unreachable

__all__ = ["BulkFile", "run_bulk"]

_OPERATION: Final = "bulk_download"  # not of the point budget


@dataclass(frozen=True, slots=True)
class BulkFile:
    """A finished bulk operation: its rows (none where it found nothing), and the platform's clock when it was asked for."""

    rows: IO[bytes]
    objects: int
    roots: int
    asked_at: datetime

    def check(self, objects: int, roots: int) -> None:
        """Compare with what was read. Raises `BadAnswer` when rows are missing: the file was cut."""
        if (objects, roots) != (self.objects, self.roots):
            raise BadAnswer(
                f"Shopify's bulk file holds {objects} rows ({roots} of them roots) and should hold {self.objects} ({self.roots})."
            )


async def run_bulk(api: Api, query: str, into: IO[bytes]) -> BulkFile:
    """Run a query as a bulk operation, wait for it on the clock, and stream its rows into a file.

    Raises `Throttled` when the shop runs as many as it may, `Unreachable` when it failed or took too long, `BadAnswer` for a
    state nobody knows.
    """
    started = await api.run(BULK_RUN, {"query": query}, changes=False)
    payload = started.data["bulkOperationRunQuery"]
    if errors := payload["userErrors"]:
        code, message = str(errors[0].get("code") or ""), api.http.redact(str(errors[0].get("message") or ""))
        if code in ("OPERATION_IN_PROGRESS", "LIMIT_REACHED"):
            raise Throttled(f"{api.http.system}: Shopify runs as many bulk operations as it may ({message}); try again later.")
        raise Refused(f"{api.http.system}: Shopify refused a bulk operation ({code}): {message}", code=code)
    state = await _finished(api, str(payload["bulkOperation"]["id"]))
    if url := state.get("url"):
        api.http.hide(*_secret_part(url))
        await api.http.download(_OPERATION, url, into)
    return BulkFile(into, int(state["objectCount"]), int(state["rootObjectCount"]), started.at)


async def _finished(api: Api, operation: str) -> dict[str, Any]:
    shortest, longest = BULK_POLL_S
    pause, waited = shortest, 0.0
    while waited <= BULK_LONGEST_S:
        await api.http.clock.sleep(pause)
        waited += pause
        pause = min(longest, pause * 1.5)
        state: dict[str, Any] = (await api.run(BULK_STATE, {"id": operation})).data["bulkOperation"]
        match state["status"]:
            case "COMPLETED":
                return state
            case "CREATED" | "RUNNING":
                continue
            case "FAILED" | "CANCELED" | "CANCELING" | "EXPIRED" as ended:
                why = state.get("errorCode") or ended
                raise Unreachable(f"{api.http.system}: a bulk operation ended without its rows ({why}); run again later.")
            case other:
                raise BadAnswer(f"{api.http.system}: a bulk operation is in a state nobody knows ({other}).")
    raise Unreachable(f"{api.http.system}: a bulk operation took longer than {BULK_LONGEST_S:.0f} s; run again later.")


def _secret_part(url: str) -> tuple[str, ...]:
    """Return the query string of a presigned address: whoever has it can read the file."""
    return tuple(filter(None, [url.partition("?")[2]]))
