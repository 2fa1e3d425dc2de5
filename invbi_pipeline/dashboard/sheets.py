"""The dashboard in Google Sheets, through gspread.

A publish is five requests whatever the size of the shop: read the layout, add what is missing, clear, write the values, dress
the tabs. Values are sent RAW: text stays text and can never become a formula (Sheets API v4, ValueInputOption).
Google's quota is 60 write requests a minute and user; gspread's back-off client waits when it is reached.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from invbi_pipeline.dashboard.model import SIGNS, Dashboard, Tab, Tone
from invbi_pipeline.errors import ConfigError, TerminalError, TransientError

if TYPE_CHECKING:
    from gspread.spreadsheet import Spreadsheet

__all__ = ["open_spreadsheet", "publish_sheets"]

_EPOCH: Final = datetime(1899, 12, 30, tzinfo=UTC)  # day 0 of Sheets' serial dates (Sheets API guide, "Date and time values")
_GOOGLE: Final = "https://sheets.googleapis.com"
_SCOPES: Final = ("https://www.googleapis.com/auth/spreadsheets",)
_FORMATS: Final = {
    "int": {"type": "NUMBER", "pattern": "#,##0"},
    "money": {"type": "NUMBER", "pattern": "#,##0.00"},
    "hours": {"type": "NUMBER", "pattern": "#,##0.0"},
    "percent": {"type": "PERCENT", "pattern": "0.0%"},
    "time": {"type": "DATE_TIME", "pattern": "yyyy-mm-dd hh:mm"},
}
_FILL: Final = {Tone.GOOD: (0.89, 0.96, 0.92), Tone.WATCH: (1.0, 0.95, 0.84), Tone.BAD: (0.98, 0.89, 0.88)}
_HEAD: Final = {"red": 0.91, "green": 0.93, "blue": 0.95}
_PIXELS_PER_CHARACTER: Final = 7

Grid = list[list[Any]]


def open_spreadsheet(spreadsheet_id: str, credentials: str, base_url: str = "") -> "Spreadsheet":
    """Open a spreadsheet with a service account's JSON, or with a bearer token where `base_url` is not Google's own.

    Raises `ConfigError` when the credentials cannot be used or the sheet is not shared with them.
    """
    import json

    import gspread
    from gspread.exceptions import APIError, SpreadsheetNotFound
    from gspread.http_client import BackOffHTTPClient

    try:
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
    except APIError as trouble:
        raise _translated(trouble) from trouble


def publish_sheets(dashboard: Dashboard, sheet: "Spreadsheet") -> str:
    """Write the tabs Overview, Parity, Exceptions and Corrections; return the sheet's address.

    Other tabs of the spreadsheet are left alone. Raises `TransientError` when Google asks to wait,
    `TerminalError` when it refuses.
    """
    from gspread.exceptions import APIError

    grids = {"Overview": _overview(dashboard)}
    tabs = {tab.title: tab for tab in (dashboard.parity, dashboard.exceptions, dashboard.corrections)}
    grids |= {title: [[c.heading for c in tab.columns], *_rows(tab)] for title, tab in tabs.items()}
    try:
        known = _sheets(sheet.fetch_sheet_metadata())
        layout = _layout(grids, known)
        if layout:
            sheet.batch_update({"requests": layout})
            known = _sheets(sheet.fetch_sheet_metadata())
        sheet.values_batch_clear(body={"ranges": [f"'{title}'" for title in grids]})
        data = [{"range": f"'{title}'!A1", "majorDimension": "ROWS", "values": grid} for title, grid in grids.items()]
        sheet.values_batch_update({"valueInputOption": "RAW", "data": data})
        dress = [r for title, tab in tabs.items() for r in _dress(known[title], tab)]
        sheet.batch_update({"requests": [*_dress_overview(known["Overview"], dashboard), *dress]})
    except APIError as trouble:
        raise _translated(trouble) from trouble
    return sheet.url


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
    requests = _frozen_head(sheet_id, width, columns=1)
    requests.append({"setBasicFilter": {"filter": {"range": _range(sheet_id, 0, bottom, 0, width)}}})
    states = []
    for i, column in enumerate(tab.columns):
        requests.append(_wide(sheet_id, i, column.width))
        if column.kind in _FORMATS:
            requests.append(_formatted(_range(sheet_id, 1, bottom, i, i + 1), column.kind))
        if column.kind == "state":
            states.append(_range(sheet_id, 1, bottom, i, i + 1))
    if states:
        requests += _coloured(states)
    return requests


def _dress_overview(known: dict[str, Any], dashboard: Dashboard) -> list[dict[str, Any]]:
    sheet_id = known["properties"]["sheetId"]
    big = {"textFormat": {"bold": True, "fontSize": 18}}
    bold = {"textFormat": {"bold": True}}
    heads = [i for i, row in enumerate(_overview(dashboard)) if row and str(row[0]).startswith("# ")]
    first_of = {str(_overview(dashboard)[i][0]): i for i in heads}
    requests = [
        {
            "updateSheetProperties": {
                "properties": {"sheetId": sheet_id, "gridProperties": {"frozenRowCount": 2}},
                "fields": "gridProperties.frozenRowCount",
            }
        },
        _styled(_range(sheet_id, 0, 1, 0, 10), big),
        _styled(_range(sheet_id, 4, 5, 0, 10), big),
        *(_styled(_range(sheet_id, i, i + 2, 0, 10), bold) for i in heads),
        *(_wide(sheet_id, i, 26 if i == 0 else 20) for i in range(10)),
    ]
    history, systems = first_of["# Parity history"] + 2, first_of["# Systems"] + 2
    codes = first_of["# Open findings by kind"] + 2
    requests.append(_formatted(_range(sheet_id, history, history + dashboard.history.height + 1, 0, 1), "time"))
    requests.append(_formatted(_range(sheet_id, history, history + dashboard.history.height + 1, 1, 2), "percent"))
    requests.append(_formatted(_range(sheet_id, systems, systems + dashboard.channels.height + 1, 3, 4), "percent"))
    requests.append(_formatted(_range(sheet_id, codes, codes + dashboard.codes.height + 1, 4, 5), "money"))
    requests.append(_formatted(_range(sheet_id, codes, codes + dashboard.codes.height + 1, 5, 6), "hours"))
    return requests


def _frozen_head(sheet_id: int, width: int, columns: int) -> list[dict[str, Any]]:
    grid = {"frozenRowCount": 1, "frozenColumnCount": columns}
    return [
        {
            "updateSheetProperties": {
                "properties": {"sheetId": sheet_id, "gridProperties": grid},
                "fields": "gridProperties.frozenRowCount,gridProperties.frozenColumnCount",
            }
        },
        _styled(
            _range(sheet_id, 0, 1, 0, width), {"textFormat": {"bold": True}, "backgroundColor": _HEAD, "wrapStrategy": "WRAP"}
        ),
    ]


def _styled(area: dict[str, int], style: dict[str, Any]) -> dict[str, Any]:
    fields = ",".join(f"userEnteredFormat.{key}" for key in style)
    return {"repeatCell": {"range": area, "cell": {"userEnteredFormat": style}, "fields": fields}}


def _formatted(area: dict[str, int], kind: str) -> dict[str, Any]:
    return _styled(area, {"numberFormat": _FORMATS[kind]})


def _wide(sheet_id: int, column: int, characters: int) -> dict[str, Any]:
    area = {"sheetId": sheet_id, "dimension": "COLUMNS", "startIndex": column, "endIndex": column + 1}
    size = {"pixelSize": min(520, max(60, characters * _PIXELS_PER_CHARACTER))}
    return {"updateDimensionProperties": {"range": area, "properties": size, "fields": "pixelSize"}}


def _coloured(areas: Sequence[dict[str, int]]) -> list[dict[str, Any]]:
    rules = []
    for mark, tone in {sign.mark: sign.tone for sign in SIGNS.values() if sign.tone in _FILL}.items():
        red, green, blue = _FILL[tone]
        rule = {
            "ranges": list(areas),
            "booleanRule": {
                "condition": {"type": "TEXT_STARTS_WITH", "values": [{"userEnteredValue": mark}]},
                "format": {"backgroundColor": {"red": red, "green": green, "blue": blue}},
            },
        }
        rules.append({"addConditionalFormatRule": {"rule": rule, "index": 0}})
    return rules


def _range(sheet_id: int, top: int, bottom: int, left: int, right: int) -> dict[str, int]:
    return {
        "sheetId": sheet_id,
        "startRowIndex": top,
        "endRowIndex": max(bottom, top + 1),
        "startColumnIndex": left,
        "endColumnIndex": right,
    }


def _overview(dashboard: Dashboard) -> Grid:
    grid: Grid = [
        [f"{dashboard.title}: stock parity"],
        [f"As of {dashboard.generated_at:%Y-%m-%d %H:%M} UTC"],
        [],
        [f.label for f in dashboard.figures],
        [f.value for f in dashboard.figures],
        [f.note for f in dashboard.figures],
        [],
        ["# Do first"],
        ["Severity", "What", "To mend it", "Finding (see Exceptions)"],
    ]
    grid += [[t.severity, t.text, t.action, t.anchor] for t in dashboard.todos] or [["nothing is waiting for a person"]]
    grid += [
        [],
        ["# Systems"],
        ["System", "Platform", "Mode", "Parity", "Points", "Read (s ago)", "Order lag (s)", "Feed", "Why"],
    ]
    wanted = ("system", "platform", "mode", "parity", "points", "age_s", "order_lag_s", "verdict", "reason")
    grid += [[_value(row[k]) for k in wanted] for row in dashboard.channels.iter_rows(named=True)]
    grid += [[], ["# Open findings by kind"], ["What", "Severity", "Open", "Units", f"{dashboard.currency}", "Oldest (h)"]]
    grid += [[_value(v) for v in row] for row in dashboard.codes.iter_rows()]
    grid += [[], ["# Points by state"], ["State", "Points"]]
    grid += [[f"{SIGNS[s].mark} {SIGNS[s].word}" if s in SIGNS else s, n] for s, n in dashboard.states.iter_rows()]
    grid += [[], ["# Parity history"], ["Run", "Parity", "Comparable", "Agreed"]]
    history = dashboard.history.tail(200).select("ended_at", "parity", "comparable", "agreed")
    return grid + [[_value(v) for v in row] for row in history.iter_rows()]


def _rows(tab: Tab) -> Grid:
    return [[_value(v) for v in row] for row in tab.rows.select([c.key for c in tab.columns]).iter_rows()]


def _value(value: Any) -> Any:
    """Return what RAW input keeps as it is: numbers as numbers, times as serial dates, all else as text."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return (value - _EPOCH).total_seconds() / 86_400
    return str(value)
