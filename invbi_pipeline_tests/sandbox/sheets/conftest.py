"""A sandbox of Google Sheets on a loopback port, and the real gspread pointed at it."""

import json
from collections.abc import Iterator
from typing import Any

import gspread
import pytest
import requests
from google.oauth2.credentials import Credentials
from requests.adapters import HTTPAdapter
from starlette.applications import Starlette
from starlette.routing import Mount

from invbi_pipeline.sandbox.sheets import SheetsService
from invbi_pipeline_tests.sandbox.serving import HandClock, serving
from invbi_pipeline_tests.sandbox.sheets.discovery import check_message

GOOGLE = "https://sheets.googleapis.com"
_ANSWERS = {
    "batchUpdate": "BatchUpdateSpreadsheetResponse",
    "values:batchGet": "BatchGetValuesResponse",
    "values:batchUpdate": "BatchUpdateValuesResponse",
    "values:batchClear": "BatchClearValuesResponse",
    "append": "AppendValuesResponse",
    "clear": "ClearValuesResponse",
}
_REQUESTS = {
    "batchUpdate": "BatchUpdateSpreadsheetRequest",
    "values:batchUpdate": "BatchUpdateValuesRequest",
    "values:batchClear": "BatchClearValuesRequest",
    "append": "ValueRange",
}


class Checked(HTTPAdapter):
    """Sends what is meant for Google to the sandbox, and holds both directions against the discovery document."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self._base = base

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        path = (request.url or "").removeprefix(GOOGLE).partition("?")[0]
        verb = path.rpartition("/")[2]
        verb = verb if verb in _ANSWERS else path.rpartition(":")[2] if ":" in path else ""
        if request.body:
            check_message(json.loads(request.body), _REQUESTS.get(verb, "ValueRange" if "/values/" in path else "Spreadsheet"))
        request.url = (request.url or "").replace(GOOGLE, self._base, 1)
        response = super().send(request, *args, **kwargs)
        if response.ok:
            expected = _ANSWERS.get(verb)
            if expected is None and "/values/" in path:
                expected = "UpdateValuesResponse" if request.method == "PUT" else "ValueRange"
            check_message(response.json(), expected or "Spreadsheet")
        return response


@pytest.fixture
def service() -> SheetsService:
    return SheetsService(HandClock(), "a-token")


@pytest.fixture
def address(service: SheetsService) -> Iterator[str]:
    with serving(Starlette(routes=[Mount("/sheets", service.app)])) as base:
        yield f"{base}/sheets"


def client_for(address: str, token: str = "a-token") -> gspread.Client:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    session.mount(GOOGLE, Checked(address))
    return gspread.Client(auth=Credentials(token=token), session=session)


@pytest.fixture
def client(address: str) -> gspread.Client:
    return client_for(address)


@pytest.fixture
def sheet(client: gspread.Client) -> gspread.Worksheet:
    return client.open_by_key("sandbox-parity").sheet1
