"""What Shopify and the wire do wrong, and what the channel makes of it; delays are read off a clock that only sleeping moves."""

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from invbi_pipeline.channels.shopify.facts import FACTS, MAX_COST
from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.errors import BadAnswer, InvbiError, Refused, Unreachable
from invbi_pipeline_tests.channels.shopify.conftest import TOKEN, WEBHOOK_SECRET, Shop
from invbi_pipeline_tests.channels.shopify.reading import correction, frame, read, write


class Answering(httpx.AsyncBaseTransport):
    """Gives its own answers first, then the shop's."""

    def __init__(self, shop: Shop, *answers: httpx.Response) -> None:
        self._inner, self._answers = shop.wire.inner, list(answers)
        shop.wire.inner = self

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._answers.pop(0) if self._answers else await self._inner.handle_async_request(request)


def throttled(requested: int, available: int, restore: int = 100) -> httpx.Response:
    status = {"maximumAvailable": 2000, "currentlyAvailable": available, "restoreRate": restore}
    cost = {"requestedQueryCost": requested, "actualQueryCost": None, "throttleStatus": status}
    error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
    return httpx.Response(200, json={"errors": [error], "extensions": {"cost": cost}})


def test_throttled_inside_an_answer_of_200_waits_until_the_points_are_there(shop: Shop) -> None:
    Answering(shop, throttled(requested=752, available=152))
    read(shop, Dataset.LOCATIONS)
    assert 6.0 <= shop.clock.slept <= 6.6


def test_throttled_waits_a_second_at_least(shop: Shop) -> None:
    Answering(shop, throttled(requested=752, available=750))
    read(shop, Dataset.LOCATIONS)
    assert 1.0 <= shop.clock.slept <= 1.6


@pytest.mark.parametrize(("value", "seconds"), [("2.0", 2), ("5", 5), ("Tue, 01 Sep 2026 09:00:09 GMT", 9)])
def test_http_429_waits_as_long_as_its_header_says_in_any_spelling(shop: Shop, value: str, seconds: float) -> None:
    date = {"Date": "Tue, 01 Sep 2026 09:00:00 GMT"}
    Answering(shop, httpx.Response(429, headers={"Retry-After": value, **date}, json={"errors": "Exceeded"}))
    read(shop, Dataset.LOCATIONS)
    assert seconds <= shop.clock.slept <= seconds + 3.1


@pytest.mark.parametrize("fault", ["429", "500", "500_after", "timeout_after", "cut", "200_errors"])
def test_a_passing_fault_is_ridden_out(shop: Shop, fault: str) -> None:
    shop.item("A")
    shop.account.wire.fail_next.append(fault)
    assert frame(shop, "stock").height == 2


def test_a_shop_that_is_down_is_unreachable_and_then_left_alone(shop: Shop) -> None:
    shop.account.wire.down = True
    with pytest.raises(Unreachable):
        read(shop, Dataset.STOCK)
    sent = len(shop.wire.sent)
    with pytest.raises(Unreachable, match="left alone"):
        read(shop, Dataset.STOCK)
    assert len(shop.wire.sent) == sent
    shop.account.wire.down = False
    shop.clock.pass_s(60)
    read(shop, Dataset.STOCK)


def test_an_outage_in_the_middle_of_a_list_raises_and_never_returns_half_of_it(shop: Shop) -> None:
    class Failing(httpx.AsyncBaseTransport):
        inner, left = shop.wire.inner, 3

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            self.left -= 1
            return await self.inner.handle_async_request(request) if self.left >= 0 else httpx.Response(503)

    shop.item("A")
    shop.wire.inner = Failing()
    with pytest.raises(Unreachable):
        read(shop, Dataset.STOCK)


def test_a_refused_token_is_refused_as_unauthorised(shop: Shop) -> None:
    shop.account.wire.refuse = True
    with pytest.raises(Refused) as caught:
        read(shop, Dataset.STOCK)
    assert caught.value.code == "unauthorised"


def test_a_missing_permission_names_what_shopify_asks_for(shop: Shop) -> None:
    message = "Access denied for orders field. Required access: `read_orders` access scope."
    error = {"message": message, "extensions": {"code": "ACCESS_DENIED"}, "path": ["orders"]}
    Answering(shop, httpx.Response(200, json={"data": {"orders": None}, "errors": [error]}))
    with pytest.raises(Refused, match="read_orders"):
        read(shop, Dataset.ORDERS)


def test_an_answer_with_data_and_errors_is_not_taken_for_a_whole_one(shop: Shop) -> None:
    errors = [{"message": "Something else", "extensions": {"code": "ODD"}}]
    Answering(shop, httpx.Response(200, json={"data": {"locations": {"nodes": [], "pageInfo": {}}}, "errors": errors}))
    with pytest.raises(Refused, match="ODD"):
        read(shop, Dataset.LOCATIONS)


@pytest.mark.parametrize("body", [b"[]", b'{"data": null}', b"{}", b'"maintenance"'])
def test_an_answer_that_is_none_is_a_bad_answer(shop: Shop, body: bytes) -> None:
    Answering(shop, *(httpx.Response(200, headers={"Content-Type": "application/json"}, content=body) for _ in range(9)))
    with pytest.raises(BadAnswer):
        read(shop, Dataset.LOCATIONS)


def test_a_large_reading_never_asks_for_more_points_than_there_are(shop: Shop) -> None:
    for n in range(300):
        shop.item(f"A{n}")
    shop.clock.pass_s(60)
    begun = shop.clock.slept
    assert frame(shop, "stock").height == 600
    costs = [request for request in shop.wire.sent if b"Levels" in request.content]
    assert len(costs) == 4
    assert 0 < shop.clock.slept - begun < 4 * MAX_COST / 100, "waits for points, and is never throttled"


FAULTS: list[Callable[[Shop], object]] = [
    lambda shop: setattr(shop.account.wire, "refuse", True),
    lambda shop: setattr(shop.account.wire, "down", True),
    lambda shop: Answering(shop, httpx.Response(418, text=f"{TOKEN} {WEBHOOK_SECRET}")),
    lambda shop: Answering(shop, httpx.Response(200, json={"errors": [{"message": f"what is {TOKEN}?"}]})),
    lambda shop: Answering(shop, httpx.Response(200, json={"errors": f"what is {TOKEN}?"})),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_no_secret_is_in_any_error(shop: Shop, fault: Callable[[Shop], object], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    fault(shop)
    with pytest.raises(InvbiError) as caught:
        read(shop, Dataset.STOCK)
    told = f"{caught.value!r} {caught.value.__cause__!r} {caplog.text}"
    assert TOKEN not in told
    assert WEBHOOK_SECRET not in told


def test_an_answer_that_lacks_what_the_schema_promises_is_a_bad_answer(shop: Shop) -> None:
    Answering(shop, httpx.Response(200, json={"data": {"places": []}}))
    with pytest.raises(BadAnswer, match="lacks"):
        read(shop, Dataset.LOCATIONS)


def test_a_write_whose_answer_says_nothing_of_it_is_ambiguous(shop: Shop) -> None:
    key = shop.item("A")
    Answering(shop, httpx.Response(200, json={"data": {"inventorySetQuantities": None}}))
    results = write(shop, [correction(key, shop.soho, 3, 5)])
    assert [result.outcome for result in results.values()] == ["ambiguous"]


def test_no_buyer_s_address_is_in_the_refusal_of_a_bulk_operation(shop: Shop) -> None:
    error = {"field": None, "message": "Ask jane@doe.com.", "code": "INVALID"}
    refusal = httpx.Response(200, json={"data": {"bulkOperationRunQuery": {"bulkOperation": None, "userErrors": [error]}}})
    shop.channel.facts = replace(FACTS, bulk_above=-1)

    class Refusing(httpx.AsyncBaseTransport):
        inner = shop.wire.inner

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return refusal if b"bulkOperationRunQuery" in request.content else await self.inner.handle_async_request(request)

    shop.wire.inner = Refusing()
    with pytest.raises(Refused, match="e-mail") as caught:
        read(shop, Dataset.STOCK)
    assert "jane" not in str(caught.value)
