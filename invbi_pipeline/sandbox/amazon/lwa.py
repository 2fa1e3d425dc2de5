"""Login with Amazon: the token endpoint, and who holds a valid access token."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random
from urllib.parse import parse_qs

from starlette.responses import JSONResponse, Response

from invbi_pipeline.sandbox.amazon.refusals import unauthorized
from invbi_pipeline.sandbox.contract import Wire, WorldClock

__all__ = ["Login"]

LIFETIME_S = 3600
NOTIFICATIONS = "sellingpartnerapi::notifications"  # the scope of grantless operations on notifications


class Login:
    """Access tokens live an hour of the world's time."""

    def __init__(self, clock: WorldClock, rng: Random, wire: Wire, secrets: Mapping[str, str]) -> None:
        self._clock = clock
        self._rng = rng
        self._wire = wire
        self._secrets = secrets
        self._tokens: dict[str, tuple[datetime, bool]] = {}  # when it ends, and whether it is the application's own

    def token(self, form: bytes) -> Response:
        """Answer POST /auth/o2/token."""
        given = {name: values[0] for name, values in parse_qs(form.decode("utf-8", "replace")).items()}
        grant = given.get("grant_type")
        own = grant == "client_credentials" and given.get("scope") == NOTIFICATIONS
        if grant != "refresh_token" and not own:
            return _refused(400, "unsupported_grant_type" if grant else "invalid_request", "The grant type is not supported.")
        if self._wire.refuse or any(given.get(name) != self._secrets.get(name) for name in ("client_id", "client_secret")):
            return _refused(401, "invalid_client", "Client authentication failed")
        if not own and given.get("refresh_token") != self._secrets.get("refresh_token"):
            return _refused(400, "invalid_grant", "The request has an invalid grant parameter : refresh_token")
        token = f"Atza|{self._rng.getrandbits(256):064x}"
        now = self._clock.now()
        self._tokens = {each: (ends, whose) for each, (ends, whose) in self._tokens.items() if ends > now}
        self._tokens[token] = now + timedelta(seconds=LIFETIME_S), own
        content = {"access_token": token, "token_type": "bearer", "expires_in": LIFETIME_S}
        more = {} if own else {"refresh_token": given["refresh_token"]}
        return JSONResponse({**content, **more}, headers={"cache-control": "no-store"})

    def check(self, token: str | None, *, grantless: bool = False) -> None:
        """Raise `AmazonRefusal` (403) unless this is a token that still lives, a seller's or (`grantless`) the application's."""
        if not token:
            raise unauthorized("Access token is missing in the request header.")
        ends, own = self._tokens.get(token, (None, False))
        if self._wire.refuse or ends is None or own is not grantless:
            raise unauthorized("The access token you provided is revoked, malformed or invalid.")
        if ends <= self._clock.now():
            raise unauthorized("The access token you provided has expired.")


def _refused(status: int, error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status_code=status)
