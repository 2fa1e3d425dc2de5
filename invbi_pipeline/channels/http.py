"""The HTTP client every channel shares: rate budget, retry, breaker, authorisation, redaction, and one tree of errors.

What it raises says what the caller can do (`invbi_pipeline.errors`):

======================================== ============================================================================
the platform (or the wire)               raises, when trying again within the policy did not help
======================================== ============================================================================
429                                      `Throttled` (nothing happened: also a write is sent again)
408, 5xx, no answer, a cut answer        `Unreachable` / `BadAnswer`; a write: `AmbiguousWrite`, when it may have happened
401, 403 after one renewal               `Refused` with code `unauthorised`
other 4xx                                `Refused` with the platform's code
an open breaker                          `Unreachable` at once; nothing is sent
a pause of the system                    `Paused`, before a request that changes something; nothing is sent
======================================== ============================================================================

No body, query string, header or address of a request is ever logged or put into a message: only the system, the operation,
the status, and what `classify` made of the answer, with every secret taken out.
"""

import asyncio
import json as jsonlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import IO, Any, Final, Protocol, TypeVar

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from invbi_pipeline.channels.breaker import Breaker
from invbi_pipeline.channels.limits import Budget, Budgets
from invbi_pipeline.channels.protocol import Clock, Facts
from invbi_pipeline.channels.redact import Redactor
from invbi_pipeline.channels.retry import RetryPolicy, full_jitter, http_date, retry_after
from invbi_pipeline.channels.shared import Alone, Shared
from invbi_pipeline.errors import AmbiguousWrite, BadAnswer, InvbiError, Paused, Refused, Throttled, Unreachable

__all__ = ["COST", "Authorise", "Classify", "HttpClient", "Learn", "StaticHeaders", "answer", "pages"]

log = logging.getLogger("invbi.http")

Classify = Callable[[httpx.Response], InvbiError | None]
"""A platform's look at a complete answer, whatever its status: the error it stands for, or None to judge by the status.

`Throttled`, `Unreachable` and `BadAnswer` are tried again by the policy, all others are raised at once."""

Learn = Callable[[httpx.Response, Budget], None]
"""Called with every answer and its operation's budget, to correct the budget by what the platform says in it."""

_Row = TypeVar("_Row")
COST: Final = "invbi.cost"  # where an answer keeps what its request took from the budget
_JSON: Final = "invbi.json"  # where a parsed body rests within the answer
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_THROTTLED: Final = (429, 430)  # 430: Shopify, for what it takes for an attack
_TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)


class Authorise(Protocol):
    """Provides the headers that prove who we are. `refresh` obtains new credentials; False: there is no way to."""

    async def __call__(self) -> Mapping[str, str]: ...

    async def refresh(self) -> bool: ...


class StaticHeaders:
    """Credentials that do not expire: the same headers each time."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)

    async def __call__(self) -> Mapping[str, str]:
        """Return the headers."""
        return self._headers

    async def refresh(self) -> bool:
        """Say that there is nothing to renew."""
        return False


@dataclass(slots=True)
class _Call:
    """One request with what is known of it so far."""

    operation: str
    request: httpx.Request
    cost: float
    idempotent: bool
    changes: bool
    classify: Classify | None
    authorised: bool
    into: IO[bytes] | None = None
    renewed: bool = False  # our credentials, for this request
    maybe_done: bool = False  # an attempt may have been carried out without our learning it
    pause: float | None = None  # seconds the last answer asked for


class HttpClient:
    """One system's way out. Times and waits are on the clock handed in; dice are the `rng` handed in.

    `shared` is what other processes know of this system, too: its budgets, and a pause. `transport` replaces the network (tests:
    `httpx.ASGITransport(app)`). `secrets` and whatever `hide` is told later never
    appear in a message. `requests` counts what was really sent, retries included.
    """

    def __init__(
        self,
        system: str,
        facts: Facts,
        base_url: str,
        *,
        clock: Clock,
        rng: random.Random,
        secrets: Sequence[str] = (),
        transport: httpx.AsyncBaseTransport | None = None,
        authorise: Authorise | None = None,
        learn: Learn | None = None,
        policy: RetryPolicy | None = None,
        breaker: Breaker | None = None,
        shared: Shared | None = None,
        timeout: httpx.Timeout = _TIMEOUT,
    ) -> None:
        self.system: Final = system
        self.clock: Final = clock
        self.rng: Final = rng
        self.requests = 0
        self._policy = policy or RetryPolicy()
        self._breaker = breaker or Breaker(system, clock)
        self._shared = shared or Alone()
        self._budgets = Budgets(facts.limits, clock, lambda operation: self._shared.ledger(system, operation))
        self._redactor = Redactor(secrets)
        self._authorise = authorise
        self._learn = learn
        self._client = httpx.AsyncClient(
            base_url=base_url, timeout=timeout, transport=transport, headers={"User-Agent": "invbi", "Accept": "application/json"}
        )

    async def request(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None,
        json: object | None = None,
        content: bytes | str | None = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        cost: float = 1.0,
        idempotent: bool = True,
        changes: bool = False,
        classify: Classify | None = None,
        authorised: bool = True,
    ) -> httpx.Response:
        """Send one request within the operation's rate budget, again where that is safe and useful; return the answer.

        `path` is relative to the base URL, or a whole URL. `idempotent` says that the same request may be sent twice without
        being done twice; `changes`, that it changes something (every request that is not idempotent does): where such a
        request may have been done and no attempt told, `AmbiguousWrite` is raised. A request that is not idempotent is never
        sent again once it may have been done. `authorised=False` leaves our credentials out (token endpoints, presigned
        addresses). The parsed JSON body is had with `answer(response)`. Raises the errors listed in this module's docstring.
        """
        request = self._client.build_request(
            method, path, params=_pairs(params), json=json, content=content, data=data, headers=dict(headers or {})
        )
        return await self._run(_Call(operation, request, cost, idempotent, changes or not idempotent, classify, authorised))

    async def download(self, operation: str, url: str, into: IO[bytes], *, authorised: bool = False, cost: float = 1.0) -> int:
        """Stream a document into a file, from the start again after a break; return its length in bytes.

        Leaves the file's position at its beginning. Raises as `request` does.
        """
        request = self._client.build_request("GET", url)
        await self._run(_Call(operation, request, cost, True, False, None, authorised, into))
        length = into.tell()
        into.seek(0)
        return length

    def budget(self, operation: str) -> Budget | None:
        """Return the operation's rate budget; None where the platform states no limit."""
        return self._budgets.get(operation)

    def hide(self, *secrets: str) -> None:
        """Keep these out of every message from now on: tokens obtained while running."""
        self._redactor.add(*secrets)

    def redact(self, text: str) -> str:
        """Return the text without secrets."""
        return self._redactor(text)

    def platform_time(self, response: httpx.Response) -> datetime:
        """Return the platform's clock in its answer (its Date header, whole seconds); our clock where it sent none."""
        return http_date(response.headers.get("Date", "")) or self.clock.now()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _run(self, call: _Call) -> httpx.Response:
        def again(trouble: BaseException) -> bool:
            if self._breaker.state == "opened" or (call.pause or 0.0) > self._policy.longest:
                return False
            if isinstance(trouble, Throttled):
                return True
            return isinstance(trouble, Unreachable | BadAnswer) and (call.idempotent or not call.maybe_done)

        def note(state: RetryCallState) -> None:
            trouble = state.outcome.exception() if state.outcome is not None else None
            log.info("%s; attempt %d, again in %.1f s", trouble, state.attempt_number, state.upcoming_sleep)

        retrying = AsyncRetrying(
            sleep=self.clock.sleep,
            wait=full_jitter(self._policy, self.rng, lambda: call.pause),
            stop=stop_after_attempt(self._policy.attempts),
            retry=retry_if_exception(again),
            before_sleep=note,
            reraise=True,
        )
        try:
            return await retrying(self._attempt, call)
        except (Throttled, Unreachable, BadAnswer, Refused) as trouble:
            if call.changes and call.maybe_done and not (isinstance(trouble, Refused) and trouble.code != "unauthorised"):
                raise AmbiguousWrite(
                    f"{trouble} The write may have been carried out; it is not sent again before its number was read back."
                ) from trouble
            raise

    async def _attempt(self, call: _Call) -> httpx.Response:
        call.pause = None
        self._breaker.before()
        budget = self.budget(call.operation)
        if budget is not None:
            await budget.spend(call.cost)
        if call.authorised and self._authorise is not None:
            call.request.headers.update(await self._authorise())
        if call.changes and await self._paused():  # asked last: whoever paused it may rely on it from then on
            if budget is not None:
                await budget.off_loop(partial(budget.give_back, call.cost))
            raise Paused(f"{self.system} is paused; nothing was sent. `invbi resume` lets it go on.")
        self.requests += 1
        try:
            response = await self._send(call)
        except httpx.RequestError as lost:
            raise self._lost(call, lost) from None  # its own message may quote a header
        log.debug("%s: %s answered HTTP %d", self.system, call.operation, response.status_code)
        response.extensions[COST] = call.cost
        if budget is not None and self._learn is not None:
            await budget.off_loop(partial(self._learn, response, budget))
        trouble = self._judge(call, response)
        if isinstance(trouble, Unreachable):
            self._breaker.failed(trouble)
        else:
            self._breaker.succeeded()
        if trouble is None:
            return response
        if response.status_code in _THROTTLED and budget is not None:
            await budget.off_loop(partial(budget.observe, available=0.0))
        if await self._renewed(call, trouble):
            return await self._attempt(call)
        trouble.args = (self.redact(str(trouble)),)
        raise trouble

    async def _paused(self) -> bool:
        return await asyncio.to_thread(self._shared.paused, self.system)

    async def _send(self, call: _Call) -> httpx.Response:
        if call.into is None:
            return await self._client.send(call.request)
        response = await self._client.send(call.request, stream=True)
        try:
            if not response.is_success:
                await response.aread()
                return response
            call.into.seek(0)
            call.into.truncate()
            async for chunk in response.aiter_bytes():
                call.into.write(chunk)
        finally:
            await response.aclose()
        return response

    async def _renewed(self, call: _Call, trouble: InvbiError) -> bool:
        """Obtain new credentials, once a request, when these were refused."""
        if not (isinstance(trouble, Refused) and trouble.code == "unauthorised") or not call.authorised:
            return False
        if self._authorise is None or call.renewed:
            return False
        call.renewed = True
        return await self._authorise.refresh()

    def _lost(self, call: _Call, lost: httpx.RequestError) -> Unreachable:
        call.maybe_done = call.maybe_done or (call.changes and not isinstance(lost, _NEVER_SENT))
        reason = self.redact(str(lost)) if isinstance(lost, httpx.ConnectError) else ""
        trouble = Unreachable(f"{self.system}: no answer to {call.operation} ({type(lost).__name__}{reason and ': ' + reason}).")
        self._breaker.failed(trouble)
        return trouble

    def _judge(self, call: _Call, response: httpx.Response) -> InvbiError | None:
        """Say what the answer stands for; None: it is good."""
        status, what = response.status_code, f"{self.system}: {call.operation}"
        if call.into is None or not response.is_success:
            try:
                answer(response)
            except ValueError:
                if response.is_success:
                    call.maybe_done = call.maybe_done or call.changes
                    return BadAnswer(f"{what} answered HTTP {status} with JSON that is cut or broken.")
                response.extensions[_JSON] = None
            if call.classify is not None and (trouble := call.classify(response)) is not None:
                if isinstance(trouble, Throttled):
                    stated = retry_after(response.headers, self.platform_time(response))
                    call.pause = trouble.retry_after if trouble.retry_after is not None else stated
                elif isinstance(trouble, Unreachable | BadAnswer):
                    call.maybe_done = call.maybe_done or call.changes
                return trouble
        if response.is_success:
            return None
        call.pause = retry_after(response.headers, self.platform_time(response))
        if status in _THROTTLED:
            return Throttled(f"{what} was throttled (HTTP {status}); nothing was changed.", call.pause)
        if status == 408 or status >= 500:
            call.maybe_done = call.maybe_done or call.changes
            return Unreachable(f"{what} failed at the platform (HTTP {status}).")
        call.pause = None
        if status in (401, 403):
            return Refused(
                f"{what} was refused (HTTP {status}): the credentials are wrong, expired, or lack a permission. "
                "Nothing was changed. `invbi check` shows what is missing.",
                code="unauthorised",
            )
        return Refused(f"{what} was refused (HTTP {status}). Nothing was changed.", code=str(status))


def answer(response: httpx.Response) -> Any:
    """Return the answer's JSON body, parsed once; None where it has none."""
    if _JSON not in response.extensions:
        response.extensions[_JSON] = _parse(response)
    return response.extensions[_JSON]


def _parse(response: httpx.Response) -> Any:
    kind = response.headers.get("Content-Type", "")
    return jsonlib.loads(response.content) if response.content and "json" in kind else None


def _pairs(
    params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None,
) -> Mapping[str, Any] | tuple[tuple[str, Any], ...] | None:
    return params if params is None or isinstance(params, Mapping) else tuple(params)


async def pages(
    fetch: Callable[[str], Awaitable[tuple[Sequence[_Row], str]]], *, start: str = "", most: int = 100_000
) -> AsyncIterator[Sequence[_Row]]:
    """Yield page after page: `fetch(cursor)` returns (rows, next cursor), the empty cursor ends it.

    Raises `BadAnswer` when the platform hands out a cursor twice or never ends (more than `most` pages).
    """
    seen, cursor = {start}, start
    for _ in range(most):
        rows, cursor = await fetch(cursor)
        yield rows
        if not cursor:
            return
        if cursor in seen:
            raise BadAnswer("The platform handed out the same page twice; the list was not read to its end.")
        seen.add(cursor)
    raise BadAnswer(f"The platform's list did not end after {most} pages.")
