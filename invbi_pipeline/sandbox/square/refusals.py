"""Square's error bodies, {"errors": [{"category", "code", "detail", "field"}]}, and the request shapes behind them."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from starlette.responses import JSONResponse, Response

__all__ = ["SquareRefusal", "check_shape", "invalid", "parse_body", "parse_time", "wire_answer"]

_INVALID = "INVALID_REQUEST_ERROR"
# A shape is a type, a one-element list of a shape, or a mapping of known fields to shapes; `object` lets anything pass.
_EXPECTED: dict[Any, str] = {str: "EXPECTED_STRING", int: "EXPECTED_INTEGER", bool: "EXPECTED_BOOLEAN"}


class SquareRefusal(Exception):
    """An answer that is not a success: HTTP status and one or more of Square's Error objects."""

    def __init__(self, status: int, errors: list[dict[str, str]]) -> None:
        super().__init__(errors[0]["code"])
        self.status = status
        self.errors = errors

    def response(self) -> Response:
        """Return it as HTTP."""
        return JSONResponse({"errors": self.errors}, status_code=self.status)


def invalid(code: str, detail: str, field: str = "", status: int = 400) -> SquareRefusal:
    """Return a refusal of category INVALID_REQUEST_ERROR; `field` is the culprit's path where one is to blame."""
    return SquareRefusal(status, [_error(_INVALID, code, detail, field)])


def check_shape(body: object, shape: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body if it is an object of the shape's known fields and types; raise `SquareRefusal` with every misfit."""
    if not isinstance(body, dict):
        raise invalid("EXPECTED_OBJECT", "Expected a JSON object as the request body.")
    errors = list(_misfits(body, shape, ""))
    if errors:
        raise SquareRefusal(400, errors)
    return body


def parse_time(text: str, field: str) -> datetime:
    """Return an RFC 3339 time; raise `SquareRefusal` (INVALID_TIME) for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise invalid("INVALID_TIME", f"`{text}` is not a valid RFC 3339 timestamp.", field)
    return moment


def wire_answer(kind: str) -> Response:
    """Return what Square answers for a planted trouble of `sandbox.wire.WireMiddleware`."""
    status, category, code, detail = {
        "503": (503, "API_ERROR", "SERVICE_UNAVAILABLE", "Service unavailable."),
        "504": (504, "API_ERROR", "GATEWAY_TIMEOUT", "Gateway timeout."),
        "429": (429, "RATE_LIMIT_ERROR", "RATE_LIMITED", "Your request rate is too high."),
        "200_errors": (200, "API_ERROR", "INTERNAL_SERVER_ERROR", "An internal error has occurred."),
        "token_expired": (401, "AUTHENTICATION_ERROR", "ACCESS_TOKEN_EXPIRED", "The access token has expired."),
        "401": (401, "AUTHENTICATION_ERROR", "UNAUTHORIZED", "This request could not be authorized."),
    }.get(kind, (500, "API_ERROR", "INTERNAL_SERVER_ERROR", "An internal error has occurred."))
    return JSONResponse({"errors": [_error(category, code, detail)]}, status_code=status)


def parse_body(raw: bytes) -> object:
    """Return the parsed JSON body ({} where there is none); raise `SquareRefusal` where it is not JSON."""
    try:
        return json.loads(raw) if raw else {}
    except ValueError:
        raise invalid("EXPECTED_JSON_BODY", "The request body could not be decoded as JSON.") from None


def _error(category: str, code: str, detail: str, field: str = "") -> dict[str, str]:
    return {"category": category, "code": code, "detail": detail, **({"field": field} if field else {})}


def _misfits(value: object, shape: Any, path: str) -> Iterator[dict[str, str]]:
    if value is None or shape is object:  # an explicit null is an absent field
        return
    if isinstance(shape, list):
        if not isinstance(value, list):
            yield _error(_INVALID, "EXPECTED_ARRAY", "Expected an array.", path)
            return
        for index, member in enumerate(value):
            yield from _misfits(member, shape[0], f"{path}[{index}]")
    elif isinstance(shape, Mapping):
        if not isinstance(value, dict):
            yield _error(_INVALID, "EXPECTED_OBJECT", "Expected an object.", path)
            return
        for name, member in value.items():
            where = f"{path}.{name}" if path else str(name)
            if name in shape:
                yield from _misfits(member, shape[name], where)
            else:
                yield _error(_INVALID, "BAD_REQUEST", f"The field named `{name}` is unrecognized.", where)
    elif not isinstance(value, shape) or (shape is int and isinstance(value, bool)):
        yield _error(_INVALID, _EXPECTED[shape], f"Expected a {shape.__name__} value.", path)
