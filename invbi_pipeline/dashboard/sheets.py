"""The dashboard in Google Sheets, through gspread.

A publish is five requests whatever the size of the shop: read the layout, add what is missing, clear, write the values, dress
the tabs. Values are sent RAW: text stays text and can never become a formula (Sheets API v4, ValueInputOption).
Google's quota is 60 write requests a minute and user; gspread's back-off client waits when it is reached.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from invbi_pipeline.dashboard.model import SIGNS, Dashboard, Tab, Todo, marked, written
from invbi_pipeline.dashboard.sheet_business import business_grid, dress_business
from invbi_pipeline.dashboard.sheet_requests import (
    FILL,
    FORMATS,
    HEAD,
    INK,
    Grid,
    area,
    cell,
    column_name,
    formatted,
    frozen_head,
    styled,
    wide,
)
from invbi_pipeline.errors import ConfigError, TerminalError, TransientError, Unreachable

if TYPE_CHECKING:
    from gspread.spreadsheet import Spreadsheet

__all__ = ["Grids", "open_spreadsheet", "publish_cells", "publish_sheets"]

Grids = dict[str, Grid]
"""The cells of every tab, by its title."""

_GOOGLE: Final = "https://sheets.googleapis.com"
_SCOPES: Final = ("https://www.googleapis.com/auth/spreadsheets",)
_MOST_RUNS: Final = 200  # of the parity history
_OVERVIEW_WIDTHS: Final = (26, 24, 20, 20, 20, 18, 18, 14, 40)


def open_spreadsheet(spreadsheet_id: str, credentials: str, base_url: str = "") -> "Spreadsheet":
    """Open a spreadsheet with a service account's JSON, or with a bearer token where `base_url` is not Google's own.

    Raises `ConfigError` when the credentials cannot be used or the sheet is not shared with them.
    """
    import json

    import gspread
    from gspread.exceptions import SpreadsheetNotFound
    from gspread.http_client import BackOffHTTPClient

    try:
        with _asking_google():
            if base_url:
                client = gspread.Client(
                    auth=_bearer(credentials), session=_elsewhere(credentials, base_url), http_client=BackOffHTTPClient
                )
            else:
                client = gspread.service_account_from_dict(json.loads(credentials), scopes=_SCOPES, http_client=BackOffHTTPClient)
            return client.open_by_key(spreadsheet_id)
    except ValueError as trouble:
        what = "the Google credentials are not a service account's JSON"
        raise ConfigError(
            what, [("publish.sheets.credentials", what, "put the whole key file's text into the variable")]
        ) from trouble
    except (SpreadsheetNotFound, PermissionError) as trouble:
        what = f"the spreadsheet {spreadsheet_id} cannot be opened with these credentials"
        mend = "check the id, and share the sheet with the service account's address"
        raise ConfigError(what, [("publish.sheets.spreadsheet_id", what, mend)]) from trouble


def publish_sheets(dashboard: Dashboard, sheet: "Spreadsheet") -> str:
    """Write the tabs Overview, Business, Parity, Exceptions, Corrections and Stock; return the sheet's address.

    Other tabs of the spreadsheet are left alone. Raises `TransientError` when Google asks to wait or does not answer,
    `TerminalError` when it refuses.
    """
    overview = _overview(dashboard)
    shop = business_grid(dashboard)
    tabs = _tabs(dashboard)
    grids = _grids(dashboard)
    with _asking_google():
        known = _sheets(sheet.fetch_sheet_metadata())
        layout = _layout(grids, known)
        if layout:
            sheet.batch_update({"requests": layout})
            known = _sheets(sheet.fetch_sheet_metadata())
        sheet.values_batch_clear(body={"ranges": [f"'{title}'" for title in grids]})
        data = [{"range": f"'{title}'!A1", "majorDimension": "ROWS", "values": grid} for title, grid in grids.items()]
        sheet.values_batch_update({"valueInputOption": "RAW", "data": data})
        dress = [r for title, tab in tabs.items() for r in _dress(known[title], tab)]
        read = [*_dress_overview(known, overview, dashboard), *dress_business(known["Business"], shop, dashboard)]
        sheet.batch_update({"requests": [*read, *dress]})
    return sheet.url


def publish_cells(dashboard: Dashboard, sheet: "Spreadsheet", before: Grids) -> Grids:
    """Write only the cells that differ from what was published `before`; return what the sheet shows then.

    One request, or none where nothing differs. Where a tab has become longer or shorter, what is dressed would stand in the
    wrong place, so everything is written anew. Raises as `publish_sheets`.
    """
    after = _grids(dashboard)
    if {title: len(grid) for title, grid in after.items()} != {title: len(grid) for title, grid in before.items()}:
        publish_sheets(dashboard, sheet)
        return after
    data = [each for title, grid in after.items() for each in _changed(title, before[title], grid)]
    if data:
        with _asking_google():
            sheet.values_batch_update({"valueInputOption": "RAW", "data": data})
    return after


def _changed(title: str, before: Grid, after: Grid) -> Iterator[dict[str, Any]]:
    """Yield the ranges of a tab whose cells differ, row by row from the first such cell to the last."""
    for number, rows in enumerate(zip(before, after, strict=True), start=1):
        wide = max(map(len, rows))
        old, new = ([*row, *[""] * (wide - len(row))] for row in rows)
        differ = [at for at in range(wide) if old[at] != new[at]]
        if differ:
            first, last = differ[0], differ[-1]
            yield {
                "range": f"'{title}'!{column_name(first)}{number}",
                "majorDimension": "ROWS",
                "values": [new[first : last + 1]],
            }


def _tabs(dashboard: Dashboard) -> dict[str, Tab]:
    tabs = (dashboard.parity, dashboard.exceptions, dashboard.corrections, dashboard.stock, dashboard.counts)
    return {tab.title: tab for tab in tabs}


def _grids(dashboard: Dashboard) -> Grids:
    grids = {"Overview": _overview(dashboard).grid, "Business": business_grid(dashboard).grid}
    return grids | {t: [[c.heading for c in tab.columns], *_rows(tab)] for t, tab in _tabs(dashboard).items()}


@contextmanager
def _asking_google() -> Iterator[None]:
    """Turn what gspread and the libraries under it raise into our own errors; their texts may hold an address or a token."""
    from google.auth.exceptions import GoogleAuthError
    from gspread.exceptions import APIError
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as trouble:
        raise _translated(trouble) from trouble
    except (GoogleAuthError, RequestException) as trouble:
        kind = type(trouble).__name__
        raise Unreachable(
            f"Google Sheets did not answer ({kind}). The sheet may be half written; the next run writes it again."
        ) from trouble


def _bearer(token: str) -> Any:
    from google.oauth2.credentials import Credentials

    return Credentials(token=token)


def _elsewhere(token: str, base_url: str) -> Any:
    """Return a session that carries the token and sends what is meant for Google's address to `base_url`."""
    import requests
    from requests.adapters import HTTPAdapter

    class Rewrite(HTTPAdapter):
        def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
            request.url = (request.url or "").replace(_GOOGLE, base_url.rstrip("/"), 1)
            return super().send(request, *args, **kwargs)

    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    session.mount(_GOOGLE, Rewrite())
    return session


def _translated(trouble: Any) -> TransientError | TerminalError:
    status = int(getattr(trouble, "code", 0) or 0)
    said = str(getattr(trouble, "error", {}).get("message", ""))[:200]
    message = f"Google Sheets answered {status}: {said}. The sheet may be half written."
    if status == 429 or status >= 500:
        return TransientError(f"{message} The next run writes it again.")
    return TerminalError(f"{message} Check the sheet's sharing and `invbi check`.")


def _sheets(metadata: Any) -> dict[str, dict[str, Any]]:
    return {s["properties"]["title"]: s for s in metadata.get("sheets", [])}


def _layout(grids: dict[str, Grid], known: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Requests that add missing tabs, make them large enough, and drop old colour rules."""
    requests: list[dict[str, Any]] = []
    for index, (title, grid) in enumerate(grids.items()):
        size = {"rowCount": max(len(grid), 2) + 50, "columnCount": max(26, max((len(row) for row in grid), default=1))}
        if title not in known:
            requests.append({"addSheet": {"properties": {"title": title, "index": index, "gridProperties": size}}})
            continue
        properties = known[title]["properties"]
        have = properties.get("gridProperties", {})
        if have.get("rowCount", 0) < len(grid) or have.get("columnCount", 0) < size["columnCount"]:
            wanted = {"sheetId": properties["sheetId"], "gridProperties": size}
            requests.append(
                {"updateSheetProperties": {"properties": wanted, "fields": "gridProperties.rowCount,gridProperties.columnCount"}}
            )
        rules = known[title].get("conditionalFormats", [])
        requests += [
            {"deleteConditionalFormatRule": {"sheetId": properties["sheetId"], "index": i}} for i in reversed(range(len(rules)))
        ]
    return requests


def _dress(known: dict[str, Any], tab: Tab) -> list[dict[str, Any]]:
    """Requests that freeze the header, set a filter, widths, number formats and colour rules."""
    sheet_id, bottom, width = known["properties"]["sheetId"], tab.rows.height + 1, len(tab.columns)
    requests = frozen_head(sheet_id, width, columns=1)
    requests.append({"setBasicFilter": {"filter": {"range": area(sheet_id, 0, bottom, 0, width)}}})
    states = []
    for i, column in enumerate(tab.columns):
        requests.append(wide(sheet_id, i, column.width))
        if column.kind in FORMATS:
            requests.append(formatted(area(sheet_id, 1, bottom, i, i + 1), column.kind))
        if column.kind == "state":
            states.append(area(sheet_id, 1, bottom, i, i + 1))
    if states:
        requests += _coloured(states)
    return requests


def _dress_overview(known: dict[str, dict[str, Any]], overview: "_Overview", dashboard: Dashboard) -> list[dict[str, Any]]:
    """Requests that undress the tab (rows move from one publish to the next), then dress it and link what is to be done."""
    sheet_id, width = known["Overview"]["properties"]["sheetId"], len(_OVERVIEW_WIDTHS)
    grid = known["Overview"]["properties"]["gridProperties"]
    whole = area(sheet_id, 0, grid["rowCount"], 0, grid["columnCount"])
    big, bold = {"bold": True, "fontSize": 18}, {"textFormat": {"bold": True}}
    frozen = {"sheetId": sheet_id, "gridProperties": {"frozenRowCount": 2}}
    requests = [
        {"updateSheetProperties": {"properties": frozen, "fields": "gridProperties.frozenRowCount"}},
        {"repeatCell": {"range": whole, "cell": {}, "fields": "userEnteredFormat"}},
        styled(area(sheet_id, 0, 1, 0, width), {"textFormat": big}),
        *(wide(sheet_id, i, characters) for i, characters in enumerate(_OVERVIEW_WIDTHS)),
        styled(area(sheet_id, 5, 6, 0, len(dashboard.figures)), {"wrapStrategy": "WRAP", "verticalAlignment": "TOP"}),
    ]
    for i, figure in enumerate(dashboard.figures):
        text = {**big, "foregroundColor": dict(zip(("red", "green", "blue"), INK[figure.tone], strict=True))}
        requests.append(styled(area(sheet_id, 4, 5, i, i + 1), {"textFormat": text}))
    for title, head in overview.heads.items():
        requests.append(styled(area(sheet_id, head, head + 1, 0, width), {"textFormat": {"bold": True, "fontSize": 12}}))
        if title != "Do first" or dashboard.todos:
            requests.append(styled(area(sheet_id, head + 1, head + 2, 0, width), {**bold, "backgroundColor": HEAD}))
    exceptions = known["Exceptions"]["properties"]["sheetId"]
    rows = {finding: row for row, finding in enumerate(dashboard.exceptions.rows["finding_id"], start=2)}
    for number, todo in enumerate(dashboard.todos):
        row = overview.heads["Do first"] + 2 + 2 * number
        link = {"link": {"uri": f"#gid={exceptions}&range=A{rows[todo.anchor]}"}}
        requests.append(styled(area(sheet_id, row, row + 1, 0, 1), bold))
        requests.append(styled(area(sheet_id, row, row + 1, 1, 2), {"textFormat": link}))
    tables = {
        "Parity history": (min(_MOST_RUNS, dashboard.history.height), {0: "time", 1: "percent"}),
        "Systems": (dashboard.channels.height, {3: "percent"}),
        "Open findings by kind": (dashboard.codes.height, {4: "money", 5: "hours"}),
    }
    for title, (height, kinds) in tables.items():
        top = overview.heads[title] + 2
        requests += [formatted(area(sheet_id, top, top + height, i, i + 1), kind) for i, kind in kinds.items() if height]
    return requests


def _coloured(areas: Sequence[dict[str, int]]) -> list[dict[str, Any]]:
    rules = []
    for mark, tone in {sign.mark: sign.tone for sign in SIGNS.values() if sign.tone in FILL}.items():
        red, green, blue = FILL[tone]
        rule = {
            "ranges": list(areas),
            "booleanRule": {
                "condition": {"type": "TEXT_STARTS_WITH", "values": [{"userEnteredValue": mark}]},
                "format": {"backgroundColor": {"red": red, "green": green, "blue": blue}},
            },
        }
        rules.append({"addConditionalFormatRule": {"rule": rule, "index": 0}})
    return rules


class _Overview(NamedTuple):
    """The Overview's cells, and the row (from 0) of each block's heading; its table follows in the next row."""

    grid: Grid
    heads: dict[str, int]


def _overview(dashboard: Dashboard) -> _Overview:
    grid: Grid = [
        [f"{dashboard.title}: stock parity"],
        [f"As of {dashboard.generated_at:%Y-%m-%d %H:%M} UTC"],
        [],
        [f.label for f in dashboard.figures],
        [f.value for f in dashboard.figures],
        [f.note for f in dashboard.figures],
    ]
    wanted = ("system", "platform", "mode", "parity", "points", "age_s", "order_lag_s", "verdict", "reason")
    kinds = dashboard.codes.select("code", "severity", "open", "units", "money", "oldest_hours")
    history = dashboard.history.tail(_MOST_RUNS).select("ended_at", "parity", "comparable", "agreed")
    blocks: dict[str, tuple[list[str], list[Sequence[Any]]]] = {
        # a long sentence runs over the empty cells to its right
        "Do first": (["Severity", "What"], [line for todo in dashboard.todos for line in _todo(todo)]),
        "Systems": (
            ["System", "Platform", "Mode", "Parity", "Points", "Read (s ago)", "Order lag (s)", "Feed", "Why"],
            list(dashboard.channels.select(wanted).iter_rows()),
        ),
        "Open findings by kind": (
            ["What", "Severity", "Open", "Units", f"Money ({dashboard.currency})", "Oldest (h)"],
            list(kinds.iter_rows()),
        ),
        "Points by state": (["State", "Points"], [(marked(state), n) for state, n in dashboard.states.iter_rows()]),
        "Parity history": (["Run", "Parity", "Comparable", "Agreed"], list(history.iter_rows())),
    }
    heads = {}
    for title, (head, rows) in blocks.items():
        grid.append([])
        heads[title] = len(grid)
        grid += [[title], head, *([cell(v) for v in row] for row in rows)] if rows else [[title], ["nothing"]]
    return _Overview(grid, heads)


def _todo(todo: Todo) -> tuple[tuple[str, ...], ...]:
    return ((todo.severity, todo.text), ("", todo.action))


def _rows(tab: Tab) -> Grid:
    return [[cell(written(row[c.key], c, row)) for c in tab.columns] for row in tab.rows.iter_rows(named=True)]
