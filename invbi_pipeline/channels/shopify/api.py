"""Shopify's GraphQL endpoint: one POST, a budget of points, and errors that may hide in an answer of HTTP 200."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import httpx

from invbi_pipeline.channels.http import COST, HttpClient, answer, pages
from invbi_pipeline.channels.limits import Budget
from invbi_pipeline.channels.shopify.documents import MORE, SHORT_LIST, Document
from invbi_pipeline.channels.shopify.facts import API_VERSION
from invbi_pipeline.errors import BadAnswer, InvbiError, Refused, Throttled, Unreachable

__all__ = ["Answer", "Api", "gid", "kind_of", "learn", "number_of"]

PATH: Final = f"/admin/api/{API_VERSION}/graphql.json"

# Top-level error codes after which the same request may be tried again; all others are final. Seen in the wild unless the
# documentation says so: https://shopify.dev/docs/api/admin-graphql#status_and_error_codes
_TRANSIENT: Final = frozenset({"INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT"})
_SHORTEST_WAIT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The data of an answer and the platform's clock in it."""

    data: Mapping[str, Any]
    at: datetime


def gid(kind: str, number: str) -> str:
    """Return the global id, `gid://shopify/Location/123`, of a numeric id."""
    return f"gid://shopify/{kind}/{number}"


def number_of(global_id: str) -> str:
    """Return the numeric id of a global id; what may follow it (`?inventory_item_id=`) is left out."""
    return global_id.rpartition("/")[2].partition("?")[0]


def kind_of(global_id: str) -> str:
    """Return the type a global id is of: `gid://shopify/Refund/123` is a `Refund`."""
    return global_id.removeprefix("gid://shopify/").partition("/")[0]


class Api:
    """Runs documents. `warnings` collects what is odd and harmless, each once."""

    def __init__(self, http: HttpClient) -> None:
        self.http = http
        self.warnings: dict[str, None] = {}

    async def run(self, document: Document, variables: Mapping[str, Any] | None = None, *, changes: bool = False) -> Answer:
        """Run one document.

        `changes`: it is a mutation with an idempotency key; where its outcome stays unknown, `AmbiguousWrite` is raised.
        Raises as `HttpClient.request` does, and `BadAnswer` when Shopify did not understand a filter: it answers everything
        then, and says so only under `extensions.search`.
        """
        body = {"query": document.text, "variables": dict(variables or {})}
        response = await self.http.request(
            "graphql", "POST", PATH, json=body, cost=document.cost, changes=changes, classify=_trouble
        )
        self._check_version(response)
        content = answer(response)
        if misread := _misread_filters(content):
            raise BadAnswer(f"{self.http.system}: Shopify ignored a filter ({misread}); what it answered was not asked for.")
        return Answer(content["data"], self.http.platform_time(response))

    async def all_nodes(
        self, document: Document, path: Sequence[str], variables: Mapping[str, Any] | None = None
    ) -> AsyncIterator[Answer]:
        """Page through the connection at `path`; yield each page as an `Answer` whose data are {"nodes": [...]}.

        A place that does not exist (null on the way) has no nodes.
        """
        at: list[datetime] = []

        async def fetch(cursor: str) -> tuple[Sequence[Any], str]:
            page = await self.run(document, {**(variables or {}), "first": document.size, "after": cursor or None})
            at.append(page.at)
            connection: Any = page.data
            for name in path:
                connection = connection[name] if connection is not None else None
            if connection is None:
                return [], ""
            return connection["nodes"], _next(connection)

        async for nodes in pages(fetch):
            yield Answer({"nodes": nodes}, at[-1])

    async def complete(self, node: dict[str, Any]) -> None:
        """Fetch what did not fit into a node's nested lists, at every depth, and put it there."""
        kind = kind_of(node["id"])
        for name, value in list(node.items()):
            more = MORE.get((kind, name))
            if isinstance(value, dict) and "nodes" in value:
                node[name] = {"nodes": await self._rest(node["id"], name, value, more)}
                for child in node[name]["nodes"]:
                    await self.complete(child)
            elif more is not None and isinstance(value, list) and len(value) >= SHORT_LIST:  # there may be others
                page = await self.run(more, {"id": node["id"]})
                node[name] = page.data["node"][name]

    async def _rest(self, owner: str, name: str, connection: Mapping[str, Any], more: Document | None) -> list[dict[str, Any]]:
        children = list(connection["nodes"])
        if more is None:
            return children
        cursor: str | None = _next(connection)
        if any(_next_page(child.get("sales")) for child in children):  # sales have no address of their own: start again
            children, cursor = [], None
        elif not cursor:
            return children
        while cursor != "":
            page = await self.run(more, {"id": owner, "after": cursor})
            connection = page.data["node"][name]
            children += connection["nodes"]
            cursor = _next(connection)
        return children

    def _check_version(self, response: httpx.Response) -> None:
        spoken = response.headers.get("X-Shopify-API-Version", API_VERSION)
        if spoken != API_VERSION:
            self.warnings[
                f"Shopify answers version {spoken} instead of {API_VERSION}, which it no longer supports; update invbi."
            ] = None


def learn(response: httpx.Response, budget: Budget) -> None:
    """Believe the answer's `cost`: what the query really took, points left, points restored a second, most points."""
    try:
        cost = answer(response)["extensions"]["cost"]
        status = cost["throttleStatus"]
        budget.give_back(response.extensions[COST] - (cost["actualQueryCost"] or 0))
        budget.observe(available=status["currentlyAvailable"], restore=status["restoreRate"], burst=status["maximumAvailable"])
    except (ValueError, KeyError, TypeError):
        return  # an answer without them (an error page, a cut body) teaches nothing


def _next(connection: Mapping[str, Any]) -> str:
    info = connection.get("pageInfo", {})
    return str(info["endCursor"]) if info.get("hasNextPage") and info.get("endCursor") else ""


def _next_page(connection: object) -> bool:
    return isinstance(connection, dict) and bool((connection.get("pageInfo") or {}).get("hasNextPage"))


def _trouble(response: httpx.Response) -> InvbiError | None:
    """Say which error an answer holds, whatever its HTTP status; None: judge by the status."""
    body = answer(response)
    if not isinstance(body, dict):
        return BadAnswer("Shopify's answer is not a JSON object.") if response.is_success else None
    errors = body.get("errors")
    if not response.is_success:
        return None
    if isinstance(errors, list) and errors:
        first = errors[0] if isinstance(errors[0], dict) else {}
        extensions = first.get("extensions") or {}
        code, message = str(extensions.get("code") or ""), str(first.get("message") or "")
        if code == "THROTTLED":
            return Throttled("Shopify's point budget is used up; nothing was changed.", _pause(body))
        if code in _TRANSIENT or (not code and "internal error" in message.lower()):
            return Unreachable(f"Shopify failed inside ({code or 'no code'}: {message}).")
        if code == "ACCESS_DENIED":
            return Refused(f"Shopify denied access: {message} Give the app this permission.", code="unauthorised")
        return Refused(f"Shopify refused the request ({code or 'no code'}): {message}", code=code or "GRAPHQL")
    if errors:
        return Refused(f"Shopify refused the request: {errors}", code="GRAPHQL")
    if not isinstance(body.get("data"), dict):
        return BadAnswer("Shopify's answer holds neither data nor errors.")
    return None


def _pause(body: Mapping[str, Any]) -> float:
    """Return the seconds until the points the query wanted are there (at least one)."""
    cost = (body.get("extensions") or {}).get("cost") or {}
    status = cost.get("throttleStatus") or {}
    missing = float(cost.get("requestedQueryCost") or 0) - float(status.get("currentlyAvailable") or 0)
    return max(_SHORTEST_WAIT_S, missing / float(status.get("restoreRate") or 50.0))


def _misread_filters(body: Mapping[str, Any]) -> str:
    searches = (body.get("extensions") or {}).get("search") or []
    return "; ".join(
        f"{warning.get('field', '?')}: {warning.get('code', '?')}"
        for search in searches
        for warning in search.get("warnings") or []
    )
