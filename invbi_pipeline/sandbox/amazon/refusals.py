"""Amazon's error bodies: {"errors": [{"code", "message", "details"}]}, the same in every model of the Selling Partner API."""

from starlette.responses import JSONResponse, Response

__all__ = ["AmazonRefusal", "bad_input", "not_found", "unauthorized", "wire_answer"]


class AmazonRefusal(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, code: str, message: str, details: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.details = details

    def response(self) -> Response:
        """Return it as HTTP."""
        error = {"code": self.code, "message": self.message, "details": self.details}
        return JSONResponse({"errors": [error]}, status_code=self.status)


def bad_input(details: str) -> AmazonRefusal:
    """Return a 400 InvalidInput."""
    return AmazonRefusal(400, "InvalidInput", "One or more request parameters is invalid.", details)


def not_found(details: str) -> AmazonRefusal:
    """Return a 404 NotFound."""
    return AmazonRefusal(404, "NotFound", "The resource specified does not exist.", details)


def unauthorized(details: str = "") -> AmazonRefusal:
    """Return the 403 of a missing, wrong or expired access token."""
    return AmazonRefusal(403, "Unauthorized", "Access to requested resource is denied.", details)


def wire_answer(kind: str) -> Response:
    """Return what Amazon answers for a planted trouble of `sandbox.wire.WireMiddleware`."""
    if kind == "token_expired":
        return unauthorized("The access token you provided has expired.").response()
    status, code, message = {
        "503": (503, "ServiceUnavailable", "The service is temporarily unavailable."),
        "504": (504, "InternalFailure", "The gateway timed out."),
        "429": (429, "QuotaExceeded", "You exceeded your quota for the requested resource."),
        "200_errors": (200, "InternalFailure", "We encountered an internal error. Please try again."),
    }.get(kind, (500, "InternalFailure", "We encountered an internal error. Please try again."))
    return AmazonRefusal(status, code, message).response()
