"""The HTTP face of the emulated Google Sheets: API v4 as gspread calls it, and a page that shows a sheet in a browser."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from invbi_pipeline.sandbox.contract import Wire, WorldClock
from invbi_pipeline.sandbox.sheets.a1 import Area
from invbi_pipeline.sandbox.sheets.book import EMPTY, Book, Cell, Sheet, SheetsError
from invbi_pipeline.sandbox.sheets.edits import apply_requests, new_sheet
from invbi_pipeline.sandbox.sheets.masks import parse_mask, projected
from invbi_pipeline.sandbox.sheets.ranges import append_values, clear_values, get_values, update_values
from invbi_pipeline.sandbox.sheets.shapes import unknown_field
from invbi_pipeline.sandbox.sheets.view import sheet_page
from invbi_pipeline.sandbox.wire import WireMiddleware

__all__ = ["SheetsService"]

_PER_MINUTE_AND_USER = 60  # reads and writes each, https://developers.google.com/workspace/sheets/api/limits
_PER_MINUTE_AND_PROJECT = 300
_START = "sandbox-parity"
_Method = Callable[[Request, Mapping[str, Any]], Any]


class SheetsService:
    """Google Sheets for one user. `books` maps spreadsheet ids to what they hold; "sandbox-parity" is there from the start.

    The API is at <mount>/v4/spreadsheets..., the page at <mount>/view/<spreadsheet id>?sheet=<title>.
    """

    def __init__(self, clock: WorldClock, token: str) -> None:
        self.wire = Wire()
        self.books: dict[str, Book] = {}
        self._clock = clock
        self._token = token
        self._used: dict[tuple[str, int], int] = {}  # (kind, minute of the world) -> requests
        self._open(_START, "Stock parity", [])
        base = "/v4/spreadsheets"
        routes = [
            Route("/view/{book}", self._view, methods=["GET"]),
            Route(base, self._api(self._create, "Write", "Spreadsheet"), methods=["POST"]),
            Route(
                base + "/{book}:batchUpdate",
                self._api(self._batch_update, "Write", "BatchUpdateSpreadsheetRequest"),
                methods=["POST"],
            ),
            Route(base + "/{book}/values:batchGet", self._api(self._batch_get, "Read"), methods=["GET"]),
            Route(
                base + "/{book}/values:batchUpdate",
                self._api(self._batch_values, "Write", "BatchUpdateValuesRequest"),
                methods=["POST"],
            ),
            Route(
                base + "/{book}/values:batchClear",
                self._api(self._batch_clear, "Write", "BatchClearValuesRequest"),
                methods=["POST"],
            ),
            Route(base + "/{book}/values/{range:path}", self._api(self._get, "Read"), methods=["GET"]),
            Route(base + "/{book}/values/{range:path}", self._api(self._update, "Write", "ValueRange"), methods=["PUT"]),
            Route(base + "/{book}/values/{range:path}", self._api(self._post_range, "Write", "ValueRange"), methods=["POST"]),
            Route(base + "/{book}", self._api(self._describe, "Read"), methods=["GET"]),
        ]
        wire = Middleware(WireMiddleware, wire=self.wire, clock=clock, errors=_trouble, exempt=_is_page)
        self.app = Starlette(routes=routes, middleware=[wire], exception_handlers={404: _no_page, 405: _no_page})

    def _api(self, method: _Method, kind: str, message: str = "") -> Callable[..., Any]:
        """Wrap a method: credentials, quota, the body's shape, Google's errors, the `fields` of the answer."""

        async def answer(request: Request) -> Response:
            try:
                self._admit(request, kind)
                raw = await request.body() if message else b""
                body = _parsed(raw)
                complaint = unknown_field(body, message) if message else ""
                if complaint:
                    raise SheetsError.invalid(complaint)
                result = method(request, body)
                return JSONResponse(projected(result, parse_mask(request.query_params.get("fields", "") or "*")))
            except SheetsError as problem:
                return _refused(problem)

        return answer

    # spreadsheets

    def _create(self, request: Request, body: Mapping[str, Any]) -> Any:
        title = (body.get("properties") or {}).get("title") or "Untitled spreadsheet"
        book = self._open(f"sandbox-{len(self.books)}", title, body.get("sheets") or [])
        return self._described(book, request)

    def _open(self, book_id: str, title: str, wanted: list[Mapping[str, Any]]) -> Book:
        properties = {"title": title, "locale": "en_GB", "timeZone": "Europe/London", "autoRecalc": "ON_CHANGE"}
        sheets = [
            new_sheet(sheet_id, given.get("title") or f"Sheet{sheet_id + 1}", sheet_id, given)
            for sheet_id, given in enumerate([sheet.get("properties") or {} for sheet in wanted] or [{}])
        ]
        book = self.books[book_id] = Book(book_id, properties, sheets, next_id=1000)
        return book

    def _describe(self, request: Request, body: Mapping[str, Any]) -> Any:
        return self._described(self._book(request), request)

    def _described(self, book: Book, request: Request) -> dict[str, Any]:
        ranges = request.query_params.getlist("ranges")
        with_data = request.query_params.get("includeGridData", "").lower() == "true"
        mask = request.query_params.get("fields", "")
        if "data" in mask or "rowData" in mask:
            with_data = True
        areas: dict[int, list[Area]] = {}
        for text in ranges:
            sheet, area = book.find(text)
            areas.setdefault(sheet.id, []).append(area)
        sheets = []
        for sheet in book.sheets:
            if ranges and sheet.id not in areas:
                continue
            shown = sheet.described()
            if with_data:
                shown["data"] = [_grid(sheet, area) for area in areas.get(sheet.id, [Area(0, 0, None, None)])]
            sheets.append(shown)
        url = f"https://docs.google.com/spreadsheets/d/{book.id}/edit"
        return {"spreadsheetId": book.id, "properties": book.properties, "sheets": sheets, "spreadsheetUrl": url}

    def _batch_update(self, request: Request, body: Mapping[str, Any]) -> Any:
        book = self._book(request)
        if not body.get("requests"):
            raise SheetsError.invalid("Must specify at least one request.")
        changed, replies = apply_requests(book, body["requests"])
        self.books[book.id] = changed
        answer: dict[str, Any] = {"spreadsheetId": book.id, "replies": replies}
        if body.get("includeSpreadsheetInResponse"):
            answer["updatedSpreadsheet"] = self._described(changed, request)
        return answer

    # values

    def _get(self, request: Request, body: Mapping[str, Any]) -> Any:
        return get_values(self._book(request), _range(request), *_render(request))

    def _batch_get(self, request: Request, body: Mapping[str, Any]) -> Any:
        book = self._book(request)
        ranges = [get_values(book, text, *_render(request)) for text in request.query_params.getlist("ranges")]
        return {"spreadsheetId": book.id, "valueRanges": ranges}

    def _update(self, request: Request, body: Mapping[str, Any]) -> Any:
        book = self._book(request).copy()
        echo = request.query_params.get("includeValuesInResponse", "").lower() == "true"
        answer = update_values(book, body, _range(request), request.query_params.get("valueInputOption", ""), echo)
        self.books[book.id] = book
        return answer

    def _post_range(self, request: Request, body: Mapping[str, Any]) -> Any:
        """POST values/{range}:append and :clear."""
        book = self._book(request).copy()
        text, _, verb = _range(request).rpartition(":")
        if verb == "append":
            answer = append_values(book, body, text, request.query_params.get("valueInputOption", ""))
        elif verb == "clear":
            answer = {"spreadsheetId": book.id, "clearedRange": clear_values(book, text)}
        else:
            raise SheetsError(404, "NOT_FOUND", "Method not found.")
        self.books[book.id] = book
        return answer

    def _batch_values(self, request: Request, body: Mapping[str, Any]) -> Any:
        book = self._book(request).copy()
        echo, option = bool(body.get("includeValuesInResponse")), body.get("valueInputOption", "")
        responses = [update_values(book, given, given.get("range", ""), option, echo) for given in body.get("data") or []]
        self.books[book.id] = book
        totals = {
            f"total{name}": sum(response.get(f"u{name[1:]}", 0) for response in responses)
            for name in ("UpdatedRows", "UpdatedColumns", "UpdatedCells")
        }
        touched = {book.find(given.get("range", ""))[0].id for given in body.get("data") or []}
        return {"spreadsheetId": book.id, "responses": responses, "totalUpdatedSheets": len(touched), **totals}

    def _batch_clear(self, request: Request, body: Mapping[str, Any]) -> Any:
        book = self._book(request).copy()
        cleared = [clear_values(book, text) for text in body.get("ranges") or []]
        self.books[book.id] = book
        return {"spreadsheetId": book.id, "clearedRanges": cleared}

    # the page

    async def _view(self, request: Request) -> Response:
        book = self.books.get(request.path_params["book"])
        if book is None:
            return HTMLResponse("<!doctype html><title>Not found</title><p>There is no such spreadsheet.</p>", status_code=404)
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        return HTMLResponse(sheet_page(book, request.query_params.get("sheet", "")), headers={"Content-Security-Policy": policy})

    # admission

    def _admit(self, request: Request, kind: str) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if self.wire.refuse or scheme.lower() != "bearer" or token != self._token:
            raise SheetsError(401, "UNAUTHENTICATED", _UNAUTHENTICATED)
        if not self.wire.enforce_limits:
            return
        slot = (kind, int(self._clock.now().timestamp() // 60))
        if slot not in self._used:
            self._used = {known: count for known, count in self._used.items() if known[1] == slot[1]}
        if self._used.get(slot, 0) >= _PER_MINUTE_AND_USER:
            raise _over_quota(kind, "per user")
        if sum(count for (named, minute), count in self._used.items() if named == kind) >= _PER_MINUTE_AND_PROJECT:
            raise _over_quota(kind, "")
        self._used[slot] = self._used.get(slot, 0) + 1

    def _book(self, request: Request) -> Book:
        book = self.books.get(request.path_params["book"])
        if book is None:
            raise SheetsError(404, "NOT_FOUND", "Requested entity was not found.")
        return book


_UNAUTHENTICATED = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)


def _over_quota(kind: str, whose: str) -> SheetsError:
    limit = f"{kind} requests per minute {whose}".strip()
    message = f"Quota exceeded for quota metric '{kind} requests' and limit '{limit}' of service 'sheets.googleapis.com'."
    return SheetsError(429, "RESOURCE_EXHAUSTED", message)


def _refused(problem: SheetsError) -> Response:
    body = {"error": {"code": problem.code, "message": problem.message, "status": problem.status}}
    return JSONResponse(body, status_code=problem.code)


def _trouble(kind: str) -> Response:
    if kind == "429":
        return _refused(_over_quota("Write", "per user"))
    if kind == "token_expired":
        return _refused(SheetsError(401, "UNAUTHENTICATED", _UNAUTHENTICATED))
    if kind == "503":
        return _refused(SheetsError(503, "UNAVAILABLE", "The service is currently unavailable."))
    if kind == "504":
        return _refused(SheetsError(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."))
    return _refused(SheetsError(500, "INTERNAL", "Internal error encountered."))


async def _no_page(request: Request, problem: Exception) -> Response:
    return HTMLResponse("<!doctype html><title>Error 404 (Not Found)!!1</title>", status_code=404)


def _is_page(path: str) -> bool:
    return "/view/" in path


def _parsed(raw: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(raw or b"{}")
    except ValueError:
        raise SheetsError.invalid("Invalid JSON payload received. Unexpected token.") from None
    if not isinstance(body, dict):
        raise SheetsError.invalid("Invalid JSON payload received. Expected an object.")
    return body


def _range(request: Request) -> str:
    return unquote(request.path_params["range"])


def _render(request: Request) -> tuple[str, str]:
    asked = request.query_params
    return asked.get("valueRenderOption", "FORMATTED_VALUE"), asked.get("majorDimension", "ROWS")


def _grid(sheet: Sheet, area: Area) -> dict[str, Any]:
    """Return GridData: the cells of an area as far down and right as anything is."""
    closed = area.within(sheet.rows, sheet.columns)
    last_row = max((row for row, _ in sheet.cells), default=-1) + 1
    last_column = max((column for _, column in sheet.cells), default=-1) + 1
    rows = []
    for row in range(closed.top, min(closed.bottom or 0, last_row)):
        span = range(closed.left, min(closed.right or 0, last_column))
        rows.append({"values": [_cell(sheet.cells.get((row, column), EMPTY)) for column in span]})
    data: dict[str, Any] = {"rowData": rows} if rows else {}
    if closed.top:
        data["startRow"] = closed.top
    if closed.left:
        data["startColumn"] = closed.left
    return data


def _cell(cell: Cell) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if cell.value is not None or cell.formula:
        value = _extended(cell)
        shown["userEnteredValue"] = {"formulaValue": cell.formula} if cell.formula else value
        shown["effectiveValue"] = value
        shown["formattedValue"] = cell.text
    if cell.style:
        shown["userEnteredFormat"] = shown["effectiveFormat"] = cell.style
    if cell.note:
        shown["note"] = cell.note
    if cell.validation:
        shown["dataValidation"] = cell.validation
    return shown


def _extended(cell: Cell) -> dict[str, Any]:
    if isinstance(cell.value, bool):
        return {"boolValue": cell.value}
    if isinstance(cell.value, int | float):
        return {"numberValue": cell.value}
    return {"stringValue": cell.value or ""}
