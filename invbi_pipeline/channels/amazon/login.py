"""Login with Amazon: an access token that lives an hour, renewed a minute before it ends and whenever one is refused."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import httpx

from invbi_pipeline.channels.http import HttpClient, answer
from invbi_pipeline.errors import BadAnswer, InvbiError, Refused

__all__ = ["LWA_URL", "Login"]

LWA_URL: Final = "https://api.amazon.com/auth/o2/token"
_EARLY: Final = timedelta(minutes=1)
_USER_AGENT: Final = "invbi/0.1 (Language=Python)"  # the API wants Name/Version (Language=...)


class Login:
    """`channels.http.Authorise` for the Selling Partner API. `form` is what the token is asked for with."""

    def __init__(self, url: str, form: Mapping[str, str]) -> None:
        self._url = url
        self._form = form
        self._http: HttpClient | None = None
        self._token = ""
        self._ends: datetime | None = None
        self._turn = asyncio.Lock()  # several requests that find the token old renew it once

    def use(self, http: HttpClient) -> None:
        """Set the client that fetches tokens; it is the one that is authorised by them."""
        self._http = http

    async def __call__(self) -> Mapping[str, str]:
        """Return the headers of an authorised request."""
        async with self._turn:
            http = self._client()
            if not self._token or self._ends is None or http.clock.now() >= self._ends - _EARLY:
                await self._fetch(http)
        return {"x-amz-access-token": self._token, "user-agent": _USER_AGENT}

    async def refresh(self) -> bool:
        """Fetch a new token, whatever the old one's age."""
        async with self._turn:
            await self._fetch(self._client())
        return True

    async def _fetch(self, http: HttpClient) -> None:
        began = http.clock.now()
        response = await http.request("token", "POST", self._url, data=self._form, authorised=False, classify=_refusal)
        said = answer(response)
        if not isinstance(said, dict) or not said.get("access_token"):
            raise BadAnswer(f"{http.system}: Login with Amazon answered without an access token.")
        self._token = str(said["access_token"])
        self._ends = began + timedelta(seconds=float(said.get("expires_in") or 3600))
        http.hide(self._token)

    def _client(self) -> HttpClient:
        if self._http is None:
            raise BadAnswer("Login with Amazon was asked for a token before it had a client.")
        return self._http


def _refusal(response: httpx.Response) -> InvbiError | None:
    """Say which of the three secrets Amazon does not like (OAuth 2.0, RFC 6749 section 5.2)."""
    said = answer(response)
    if not 400 <= response.status_code < 500 or response.status_code in (408, 429):
        return None
    error = str(said.get("error", "")) if isinstance(said, dict) else ""
    whose = "the refresh token" if error == "invalid_grant" else "the client id or secret"
    return Refused(
        f"Login with Amazon refused {whose} ({error or response.status_code}). Nothing was changed.", code="unauthorised"
    )
