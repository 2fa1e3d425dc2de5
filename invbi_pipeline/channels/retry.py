"""When to try again and how long to wait: full jitter, and every spelling in which platforms say when."""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from tenacity import RetryCallState

from invbi_pipeline.errors import InvbiError, Paused, Refused, Throttled

__all__ = ["WAIT_HEADERS", "RetryPolicy", "full_jitter", "http_date", "retry_after", "retry_code"]

# Header -> what a plain number in it counts (seconds per unit), looked at in this order.
WAIT_HEADERS: Final[Mapping[str, float]] = {
    "retry-after-ms": 0.001,  # Azure-hosted APIs; OpenAI-style gateways (seen)
    "x-ms-retry-after-ms": 0.001,  # Azure (seen)
    "x-retry-after-ms": 0.001,  # seen
    "retry-after": 1.0,  # RFC 9110 section 10.2.3: seconds or an HTTP date; decimals: Shopify's REST API sends "2.0"
    "x-retry-after": 1.0,  # seen
    "x-rate-limit-time-reset-ms": 0.001,  # BigCommerce: milliseconds until the window ends
    "x-ratelimit-reset-after": 1.0,  # seen
    "ratelimit-reset": 1.0,  # IETF draft "RateLimit header fields", up to version 07: seconds
    "x-ratelimit-reset": 1.0,  # Square's SDK honours it: epoch seconds; elsewhere seconds to go
    "x-rate-limit-reset": 1.0,  # seen, as above
}
_EPOCH_S: Final = 1_000_000_000.0  # a number from here on is a moment (2001), not a length (31 years)
_EPOCH_MS: Final = 100_000_000_000.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long one request is tried. Times in seconds."""

    attempts: int = 6
    base: float = 0.5  # the first wait is between 0 and this; each next bound is twice the one before
    cap: float = 30.0  # no jittered wait is longer
    longest: float = 120.0  # a platform that asks for a longer pause than this gets none: the caller is told at once


def retry_code(trouble: InvbiError) -> str:
    """Return the code of a write that moved nothing because of the system's own trouble (`protocol.WriteOutcome.RETRY`)."""
    if isinstance(trouble, Paused):
        return "paused"
    if isinstance(trouble, Throttled):
        return "throttled"
    return trouble.code if isinstance(trouble, Refused) else "unreachable"


def http_date(value: str) -> datetime | None:
    """Read an HTTP date (`Sun, 06 Nov 1994 08:49:37 GMT`) as UTC; None when it is none."""
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds this answer asks to wait, or None when it does not say.

    Understands seconds, decimals, milliseconds, HTTP dates, ISO 8601, and epoch seconds and milliseconds. `now` is the
    platform's own clock (its Date header), so that a skewed clock of ours does not stretch or shrink the pause.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    for name, unit in WAIT_HEADERS.items():
        if (seconds := _seconds(lower.get(name, ""), unit, now)) is not None:
            return max(0.0, seconds)
    return None


def _seconds(value: str, unit: float, now: datetime) -> float | None:
    if not value:
        return None
    try:
        number = float(value)
    except ValueError:
        moment = http_date(value) or _iso(value)
        return None if moment is None else (moment - now).total_seconds()
    if not math.isfinite(number):
        return None
    if number >= _EPOCH_MS:
        return number / 1000 - now.timestamp()
    return number - now.timestamp() if number >= _EPOCH_S else number * unit


def _iso(value: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def full_jitter(policy: RetryPolicy, rng: random.Random, stated: Callable[[], float | None]) -> Callable[[RetryCallState], float]:
    """Return a tenacity `wait`: uniform between 0 and the doubling bound; after a stated pause, the pause and a jitter on top.

    `stated` gives the pause the last answer asked for, in seconds; it is never shortened. Full jitter: AWS Architecture Blog,
    "Exponential Backoff And Jitter" (2015).
    """

    def wait(state: RetryCallState) -> float:
        pause = stated()
        if pause is not None:
            return pause + rng.uniform(0.0, policy.base)
        return rng.uniform(0.0, min(policy.cap, policy.base * 2.0 ** (state.attempt_number - 1)))

    return wait
