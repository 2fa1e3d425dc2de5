"""The shared HTTP client against a small platform whose answers a test lists."""

import asyncio
import io
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from invbi_pipeline.channels.breaker import Breaker
from invbi_pipeline.channels.files import FACTS
from invbi_pipeline.channels.http import HttpClient, answer, pages
from invbi_pipeline.channels.limits import MARGIN
from invbi_pipeline.channels.protocol import Limit
from invbi_pipeline.channels.retry import RetryPolicy
from invbi_pipeline.errors import AmbiguousWrite, BadAnswer, InvbiError, Refused, Throttled, Unreachable
from invbi_pipeline_tests.sandbox.serving import HandClock

SECRET = "s3cr3t-t0ken/with+signs"
Step = httpx.Response | Exception


@dataclass
class Credentials:
    """Hands out a token, and a new one when the old is refused."""

    tokens: list[str] = field(default_factory=lambda: [SECRET])
    renewals: int = 0
    can_renew: bool = True

    async def __call__(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.tokens[-1]}"}

    async def refresh(self) -> bool:
        self.renewals += 1
        self.tokens.append(f"renewed-{self.renewals}")
        return self.can_renew


@dataclass
class Platform:
    """Answers one step after another, the last one for ever."""

    steps: Sequence[Step]
    clock: HandClock = field(default_factory=HandClock)
    seen: list[httpx.Request] = field(default_factory=list)
    at: list[datetime] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        self.tokens.append(request.headers.get("Authorization", ""))
        self.at.append(self.clock.now())
        step = self.steps[min(len(self.seen), len(self.steps)) - 1]
        if isinstance(step, Exception):
            raise step
        return httpx.Response(step.status_code, headers=step.headers, content=step.content)

    def client(self, limits: tuple[Limit, ...] = (), **options: Any) -> HttpClient:
        options.setdefault("authorise", Credentials())
        facts = replace(FACTS, limits=limits)
        transport = httpx.MockTransport(self)
        return HttpClient(
            "shop",
            facts,
            "https://shop.test/api",
            clock=self.clock,
            rng=random.Random(3),
            secrets=[SECRET],
            transport=transport,
            **options,
        )

    @property
    def waits(self) -> list[float]:
        return [(b - a).total_seconds() for a, b in zip(self.at, self.at[1:], strict=False)]


def ok(body: object = None) -> httpx.Response:
    return httpx.Response(200, json={"fine": True} if body is None else body)


def ask(client: HttpClient, **options: Any) -> httpx.Response:
    return asyncio.run(client.request("stock", options.pop("method", "GET"), "/stock", **options))


def test_an_answer_is_returned_with_its_parsed_body() -> None:
    platform = Platform([ok({"units": 3})])
    assert answer(ask(platform.client())) == {"units": 3}
    assert platform.seen[0].url == "https://shop.test/api/stock"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_a_servers_fault_is_tried_again_with_full_jitter_below_a_doubling_bound(status: int) -> None:
    platform = Platform([httpx.Response(status)] * 4 + [ok()])
    ask(platform.client())
    assert len(platform.waits) == 4
    assert all(0 <= wait <= bound for wait, bound in zip(platform.waits, (0.5, 1.0, 2.0, 4.0), strict=True))
    assert len(set(platform.waits)) == 4


def test_two_clients_with_other_dice_wait_differently() -> None:
    waits = []
    for seed in (1, 2):
        platform = Platform([httpx.Response(500), ok()])
        client = platform.client()
        client.rng.seed(seed)
        ask(client)
        waits.append(platform.waits)
    assert waits[0] != waits[1]


def test_a_stated_pause_is_kept_and_only_lengthened_by_the_jitter() -> None:
    platform = Platform([httpx.Response(429, headers={"Retry-After": "7"}), ok()])
    ask(platform.client())
    assert 7.0 <= platform.waits[0] <= 7.5


def test_a_servers_fault_with_a_stated_pause_waits_that_long() -> None:
    platform = Platform([httpx.Response(503, headers={"Retry-After": "20"}), ok()])
    ask(platform.client())
    assert 20.0 <= platform.waits[0] <= 20.5


def test_a_pause_longer_than_the_policy_allows_is_reported_at_once() -> None:
    platform = Platform([httpx.Response(429, headers={"Retry-After": "3600"})])
    with pytest.raises(Throttled) as caught:
        ask(platform.client())
    assert caught.value.retry_after == 3600
    assert len(platform.seen) == 1


def test_throttling_that_does_not_end_is_throttled_and_a_write_was_not_done() -> None:
    platform = Platform([httpx.Response(429, headers={"Retry-After": "1"})])
    with pytest.raises(Throttled):
        ask(platform.client(), method="POST", json={}, idempotent=False)
    assert len(platform.seen) == RetryPolicy().attempts


def test_no_answer_is_unreachable_after_the_last_try() -> None:
    platform = Platform([httpx.ReadTimeout("slow")])
    client = platform.client(policy=RetryPolicy(attempts=3))
    with pytest.raises(Unreachable, match="ReadTimeout"):
        ask(client)
    assert client.requests == 3


@pytest.mark.parametrize("lost", [httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("gone"), httpx.Response(500)])
def test_a_write_that_may_have_happened_is_never_sent_again(lost: Step) -> None:
    platform = Platform([lost, ok()])
    with pytest.raises(AmbiguousWrite, match="may have been carried out"):
        ask(platform.client(), method="POST", json={"delta": -1}, idempotent=False)
    assert len(platform.seen) == 1


def test_a_write_whose_answer_is_cut_may_have_happened() -> None:
    platform = Platform([httpx.Response(200, headers={"Content-Type": "application/json"}, content=b'{"fi'), ok()])
    with pytest.raises(AmbiguousWrite):
        ask(platform.client(), method="POST", json={}, idempotent=False)
    assert len(platform.seen) == 1


def test_a_write_that_never_left_is_sent_again() -> None:
    platform = Platform([httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), ok()])
    ask(platform.client(), method="POST", json={}, idempotent=False)
    assert len(platform.seen) == 3


def test_an_idempotent_write_is_sent_again_with_the_same_body_and_is_ambiguous_only_when_all_is_silent() -> None:
    platform = Platform([httpx.ReadTimeout("slow")])
    with pytest.raises(AmbiguousWrite):
        ask(platform.client(policy=RetryPolicy(attempts=3)), method="PUT", json={"key": 1}, changes=True)
    assert {request.content for request in platform.seen} == {b'{"key":1}'}
    assert len(platform.seen) == 3


def test_a_write_that_timed_out_and_was_then_throttled_is_still_ambiguous() -> None:
    platform = Platform([httpx.ReadTimeout("slow"), httpx.Response(429)])
    with pytest.raises(AmbiguousWrite):
        ask(platform.client(policy=RetryPolicy(attempts=2)), method="PUT", json={}, changes=True)


def test_a_cut_answer_to_a_read_is_read_again_and_a_bad_answer_in_the_end() -> None:
    cut = httpx.Response(200, headers={"Content-Type": "application/json"}, content=b'{"units": [1, 2')
    assert answer(ask(Platform([cut, ok()]).client())) == {"fine": True}
    with pytest.raises(BadAnswer, match="cut"):
        ask(Platform([cut]).client(policy=RetryPolicy(attempts=2)))


def test_expired_credentials_are_renewed_once_and_the_request_is_sent_again() -> None:
    platform = Platform([httpx.Response(401), ok()])
    credentials = Credentials()
    ask(platform.client(authorise=credentials), method="POST", json={}, idempotent=False)
    assert platform.tokens == [f"Bearer {SECRET}", "Bearer renewed-1"]
    assert credentials.renewals == 1


@pytest.mark.parametrize("status", [401, 403])
def test_credentials_refused_for_good_are_refused_as_unauthorised(status: int) -> None:
    platform = Platform([httpx.Response(status)])
    with pytest.raises(Refused) as caught:
        ask(platform.client())
    assert caught.value.code == "unauthorised"
    assert len(platform.seen) == 2


def test_another_refusal_is_final_and_carries_the_platforms_code() -> None:
    platform = Platform([httpx.Response(422, json={"code": "NO_SUCH_ITEM"})])

    def classify(response: httpx.Response) -> InvbiError | None:
        return Refused("the item is unknown", code=answer(response)["code"]) if response.status_code == 422 else None

    with pytest.raises(Refused) as caught:
        ask(platform.client(), classify=classify)
    assert caught.value.code == "NO_SUCH_ITEM"
    assert len(platform.seen) == 1


def test_an_error_inside_an_answer_of_200_is_what_the_platform_module_says_it_is() -> None:
    platform = Platform([ok({"error": "busy"}), ok()])

    def classify(response: httpx.Response) -> InvbiError | None:
        return Throttled("busy", 4.0) if "error" in answer(response) else None

    assert answer(ask(platform.client(), classify=classify)) == {"fine": True}
    assert 4.0 <= platform.waits[0] <= 4.5


def test_the_breaker_opens_after_repeated_failures_and_tries_again_after_its_rest() -> None:
    platform = Platform([httpx.Response(500)] * 3 + [ok()])
    client = platform.client(breaker=Breaker("shop", platform.clock, threshold=3, rest_s=60))
    with pytest.raises(Unreachable):
        ask(client)
    with pytest.raises(Unreachable, match="left alone until"):
        ask(client)
    assert len(platform.seen) == 3
    platform.clock.pass_s(61)
    ask(client)
    assert len(platform.seen) == 4


def test_an_open_breaker_does_not_make_a_write_ambiguous() -> None:
    platform = Platform([httpx.Response(500)])
    client = platform.client(breaker=Breaker("shop", platform.clock, threshold=1))
    with pytest.raises(Unreachable):
        ask(client)
    with pytest.raises(Unreachable, match="nothing was sent"):
        ask(client, method="POST", json={}, idempotent=False)


def test_requests_are_spread_over_the_rate_budget_on_the_clock_handed_in() -> None:
    platform = Platform([ok()])
    client = platform.client((Limit("stock", rate=0.5, burst=3, source="made up"),))

    async def five() -> None:
        await asyncio.gather(*(client.request("stock", "GET", "/stock") for _ in range(5)))

    asyncio.run(five())
    assert platform.waits == pytest.approx([0, *[2 / MARGIN] * 3], abs=0.01)


def test_an_operation_without_a_limit_of_its_own_shares_the_common_one() -> None:
    platform = Platform([ok()])
    client = platform.client((Limit("*", rate=1, burst=1, source="made up"),))
    for _ in range(2):
        asyncio.run(client.request("anything", "GET", "/a"))
    assert platform.waits == pytest.approx([1 / MARGIN], abs=0.01)
    assert client.budget("anything") is client.budget("*")


def test_what_the_platform_says_of_its_limit_is_believed() -> None:
    platform = Platform([httpx.Response(200, headers={"x-limit": "0.1"})])
    client = platform.client(
        (Limit("stock", rate=5, burst=1, source="made up"),),
        learn=lambda response, budget: budget.observe(restore=float(response.headers["x-limit"])),
    )
    for _ in range(3):
        ask(client)
    assert platform.waits[1] == pytest.approx(10 / MARGIN, abs=0.1)


def test_a_documents_download_starts_again_after_a_break_and_sends_no_credentials() -> None:
    platform = Platform([httpx.Response(500), httpx.Response(200, content=b"a\nb\n")])
    into = io.BytesIO(b"")
    length = asyncio.run(platform.client().download("document", "https://files.test/x?sig=1", into))
    assert (length, into.read()) == (4, b"a\nb\n")
    assert platform.tokens == ["", ""]


def test_the_platforms_clock_is_its_date_header_and_ours_where_it_sends_none() -> None:
    platform = Platform([ok()])
    client = platform.client()
    dated = httpx.Response(200, headers={"Date": "Tue, 01 Sep 2026 09:00:07 GMT"})
    assert client.platform_time(dated) == datetime(2026, 9, 1, 9, 0, 7, tzinfo=UTC)
    assert client.platform_time(httpx.Response(200)) == platform.clock.now()


SPELLINGS: Sequence[Callable[[], Step]] = (
    lambda: httpx.Response(401, content=SECRET.encode()),
    lambda: httpx.Response(500, text=SECRET),
    lambda: httpx.ConnectError(f"cannot connect with {SECRET}"),
    lambda: httpx.LocalProtocolError(f"Illegal header value b'Bearer {SECRET}'"),
    lambda: httpx.Response(422, json={"error": f"token {SECRET}"}),
)


@pytest.mark.parametrize("step", SPELLINGS)
def test_no_secret_is_in_any_error_or_what_it_came_from(step: Callable[[], Step], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    platform = Platform([step()])

    def classify(response: httpx.Response) -> InvbiError | None:
        return Refused(f"it said {response.text}") if response.status_code == 422 else None

    with pytest.raises(InvbiError) as caught:
        ask(platform.client(policy=RetryPolicy(attempts=2)), classify=classify)
    chain: list[BaseException | None] = [caught.value]
    while (latest := chain[-1]) is not None:
        chain.append(latest.__cause__ or (None if latest.__suppress_context__ else latest.__context__))
    told = caplog.text + "".join(f"{link} {link!r}" for link in chain)
    assert SECRET not in told
    assert "sig=" not in told


def test_a_token_obtained_later_is_hidden_too() -> None:
    client = Platform([ok()]).client()
    client.hide("fresh-token-123")
    assert client.redact("Bearer fresh-token-123 and fresh-token-123") == "Bearer [secret] and [secret]"


def test_no_buyer_s_address_is_in_an_error() -> None:
    platform = Platform([httpx.Response(422, json={"error": "your token is not for buyer jane@doe.com"})])
    with pytest.raises(Refused) as caught:
        ask(platform.client(), classify=lambda response: Refused(f"it said {response.text}"))
    assert "jane" not in repr(caught.value)
    assert "buyer [e-mail]" in str(caught.value)


def test_pages_follow_the_cursor_to_its_end() -> None:
    book = {"": ([1, 2], "b"), "b": ([3], "")}

    async def fetch(cursor: str) -> tuple[list[int], str]:
        return book[cursor]

    async def read() -> list[int]:
        return [row async for page in pages(fetch) for row in page]

    assert asyncio.run(read()) == [1, 2, 3]


def test_a_cursor_that_comes_round_again_is_a_bad_answer_and_not_an_endless_loop() -> None:
    async def fetch(cursor: str) -> tuple[list[int], str]:
        return [1], "again"

    async def read() -> list[int]:
        return [row async for page in pages(fetch) for row in page]

    with pytest.raises(BadAnswer, match="twice"):
        asyncio.run(read())
