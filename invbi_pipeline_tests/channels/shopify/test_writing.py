import json
import random
from collections import Counter
from typing import Any

import httpx
import pytest
from graphql import GraphQLSchema, parse
from graphql.execution.values import get_variable_values

from invbi_pipeline.channels.protocol import Channel, WriteOutcome
from invbi_pipeline.channels.registry import open_channel
from invbi_pipeline.channels.shared import Alone
from invbi_pipeline.config import SystemConfig
from invbi_pipeline.domain.words import CorrectionKind
from invbi_pipeline_tests.channels.shopify.conftest import TOKEN, Shop
from invbi_pipeline_tests.channels.shopify.reading import correction, write

POST = CorrectionKind.POST


class Switch(Alone):
    """What a person in another process has to say: go on, or stop."""

    off = False

    def paused(self, system: str) -> bool:
        return self.off


def reopened(shop: Shop, shared: Alone | None = None, **settings: Any) -> Channel:
    """Return another channel to the same shop, configured otherwise."""
    raw = {"platform": "shopify", "roles": ["sells"], "base_url": "http://shop.test", **settings}
    secrets = {"secrets": {"token": {"env": "SHOP_TOKEN"}, "webhook_secret": {"env": "SHOP_HOOKS"}}}
    config = SystemConfig.model_validate({**raw, **secrets})
    return open_channel("shopify_uk", config, shop.clock, random.Random(1), transport=shop.wire, shared=shared)


def mutations(shop: Shop) -> list[dict[str, Any]]:
    bodies = [json.loads(request.content) for request in shop.wire.sent if request.content]
    return [body["variables"] for body in bodies if body["query"].startswith("mutation")]


def outcomes(shop: Shop, *writes: Any) -> list[str]:
    results = write(shop, writes)
    return [results[sent.correction_id].outcome for sent in writes]


def test_a_number_is_set_and_the_answer_is_dated_by_the_platform(shop: Shop) -> None:
    key = shop.item("A")
    shop.account.wire.clock_skew_s = 60
    result = write(shop, [correction(key, shop.soho, 3, 5)]).popitem()[1]
    assert shop.account.number(key, shop.soho) == 3
    assert result.outcome == WriteOutcome.ACCEPTED
    assert result.answered_at is not None
    assert (result.answered_at - shop.clock.now()).total_seconds() == 60
    assert json.loads(result.answer)["id"].startswith("gid://shopify/InventoryAdjustmentGroup/")


def test_every_body_sent_fits_the_published_schema(shop: Shop, published: GraphQLSchema) -> None:
    key = shop.item("A")
    write(shop, [correction(key, shop.soho, 3, 5), correction(key, shop.warehouse, -1, kind=POST)])
    for request in shop.wire.sent:
        body = json.loads(request.content)
        operation: Any = parse(body["query"]).definitions[0]
        assert isinstance(get_variable_values(published, operation.variable_definitions, body["variables"]), dict)
    assert [len(sent["input"].get("quantities") or sent["input"]["changes"]) for sent in mutations(shop)] == [1, 1]


def test_a_number_that_moved_since_it_was_read_is_stale_and_nothing_is_forced(shop: Shop) -> None:
    key = shop.item("A")
    shop.sell(key, at=shop.soho)
    assert outcomes(shop, correction(key, shop.soho, 9, 5)) == [WriteOutcome.STALE]
    assert shop.account.number(key, shop.soho) == 4


def test_one_bad_row_never_fails_its_batch(shop: Shop) -> None:
    keys = [shop.item(f"A{n}") for n in range(6)]
    shop.account.wire.reject_writes.add(keys[1])
    unstocked = shop.item("U", soho=None)
    sent = [
        correction(keys[0], shop.soho, 1, 5),
        correction(keys[1], shop.soho, 1, 5),
        correction(keys[2], shop.soho, 1, 99),
        correction("404", shop.soho, 1, 5),
        correction(unstocked, shop.soho, 1, None),
        correction(keys[5], shop.soho, 1, 5),
    ]
    results = write(shop, sent)
    assert [(results[c.correction_id].outcome, results[c.correction_id].code) for c in sent] == [
        ("accepted", ""),
        ("rejected", "NON_MUTABLE_INVENTORY_ITEM"),
        ("stale", "CHANGE_FROM_QUANTITY_STALE"),
        ("rejected", "INVALID_INVENTORY_ITEM"),
        ("rejected", "ITEM_NOT_STOCKED_AT_LOCATION"),
        ("accepted", ""),
    ]
    assert [shop.account.number(key, shop.soho) for key in (keys[0], keys[5])] == [1, 1]
    keys_sent = [variables["key"] for variables in mutations(shop)]
    assert len(set(keys_sent)) == len(keys_sent) == 2, "another body, another key"


def test_no_comparison_is_said_outright(shop: Shop) -> None:
    key = shop.item("A")
    assert outcomes(shop, correction(key, shop.soho, 1, None)) == [WriteOutcome.ACCEPTED]
    row = mutations(shop)[0]["input"]["quantities"][0]
    assert "changeFromQuantity" in row
    assert row["changeFromQuantity"] is None


def test_batches_hold_250_rows_at_most_and_no_point_twice(shop: Shop) -> None:
    keys = [shop.item(f"A{n}") for n in range(251)]
    writes = [correction(key, shop.soho, 1, 5) for key in keys]
    again = correction(keys[0], shop.soho, 2, 1)
    assert outcomes(shop, *writes, again) == [WriteOutcome.ACCEPTED] * 252
    assert [len(sent["input"]["quantities"]) for sent in mutations(shop)] == [250, 2]
    assert shop.account.number(keys[0], shop.soho) == 2


def test_urgent_corrections_go_first(shop: Shop) -> None:
    keys = [shop.item(f"A{n}") for n in range(251)]
    writes = [correction(key, shop.soho, 1, 5) for key in keys]
    last = writes[-1]
    urgent = type(last)(last.correction_id, last.kind, last.listing_key, last.location_key, 1, 5, "k", urgent=True)
    write(shop, [*writes[:-1], urgent])
    assert mutations(shop)[0]["input"]["quantities"][0]["inventoryItemId"].endswith(f"/{keys[-1]}")


def test_the_same_corrections_sent_again_carry_the_same_key_and_are_done_once(shop: Shop) -> None:
    key = shop.item("A")
    for _ in range(2):
        assert outcomes(shop, correction(key, shop.soho, 3, 5)) == [WriteOutcome.ACCEPTED]
        shop.account.type_over(key, shop.soho, 5)
    assert len({sent["key"] for sent in mutations(shop)}) == 1
    assert shop.account.number(key, shop.soho) == 5


def test_5_6_5_are_two_corrections_with_two_keys(shop: Shop) -> None:
    key = shop.item("A")
    first, second = correction(key, shop.soho, 5, 6, name="v1"), correction(key, shop.soho, 5, 6, name="v2")
    for sent in (first, second):
        shop.account.type_over(key, shop.soho, 6)
        assert outcomes(shop, sent) == [WriteOutcome.ACCEPTED]
        assert shop.account.number(key, shop.soho) == 5


@pytest.mark.parametrize("fault", ["timeout_after", "500_after", "cut"])
def test_a_write_whose_answer_is_lost_is_sent_again_under_its_key_and_done_once(shop: Shop, fault: str) -> None:
    key = shop.item("A")
    shop.account.wire.fail_next.append(fault)
    assert outcomes(shop, correction(key, shop.soho, 3, 5)) == [WriteOutcome.ACCEPTED]
    assert shop.account.number(key, shop.soho) == 3
    assert len({sent["key"] for sent in mutations(shop)}) == 1


def test_a_delta_whose_answer_is_lost_is_booked_once(shop: Shop) -> None:
    key = shop.item("A")
    post = correction(key, shop.soho, -2, kind=POST)

    class Losing(httpx.AsyncBaseTransport):
        inner, left = shop.wire.inner, 2

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await self.inner.handle_async_request(request)
            if b"mutation" in request.content and self.left:
                self.left -= 1
                raise httpx.ReadTimeout("lost")
            return response

    shop.wire.inner = Losing()
    assert outcomes(shop, post) == [WriteOutcome.ACCEPTED]
    assert shop.account.number(key, shop.soho) == 3


def test_a_write_that_stays_unanswered_is_ambiguous(shop: Shop) -> None:
    key = shop.item("A")
    shop.account.wire.fail_next.extend(["timeout_after"] * 20)
    assert outcomes(shop, correction(key, shop.soho, 3, 5)) == [WriteOutcome.AMBIGUOUS]
    assert shop.account.number(key, shop.soho) == 3


@pytest.mark.parametrize("fault", ["429", "token_expired"])
def test_a_write_that_was_turned_away_may_be_sent_again(shop: Shop, fault: str) -> None:
    key = shop.item("A")
    shop.account.wire.fail_next.extend([fault] * 20)
    assert outcomes(shop, correction(key, shop.soho, 3, 5)) == [WriteOutcome.RETRY]
    assert shop.account.number(key, shop.soho) == 5


def test_a_rejected_correction_sent_again_under_its_spent_key_is_judged_again(shop: Shop) -> None:
    key = shop.item("A")
    sent = correction(key, shop.soho, 3, 4)
    assert outcomes(shop, sent) == [WriteOutcome.STALE]
    shop.account.type_over(key, shop.soho, 4)
    assert outcomes(shop, sent) == [WriteOutcome.ACCEPTED]
    assert shop.account.number(key, shop.soho) == 3


def test_a_movement_is_posted_by_its_delta_with_its_reference(shop: Shop) -> None:
    key = shop.item("A")
    assert outcomes(shop, correction(key, shop.soho, -2, kind=POST)) == [WriteOutcome.ACCEPTED]
    sent = mutations(shop)[0]["input"]
    assert sent["referenceDocumentUri"] == "invbi://movement/till/m-1"
    assert sent["changes"][0]["changeFromQuantity"] is None  # said outright: a delta holds whatever the number is
    assert shop.account.number(key, shop.soho) == 3


def test_two_movements_of_one_point_are_both_posted(shop: Shop) -> None:
    key = shop.item("A")
    writes = [correction(key, shop.soho, -1, kind=POST, name=name) for name in ("m1", "m2")]
    assert outcomes(shop, *writes) == [WriteOutcome.ACCEPTED] * 2
    assert shop.account.number(key, shop.soho) == 3


def test_a_delta_whose_number_moves_under_it_is_posted_onto_the_new_number(shop: Shop) -> None:
    key = shop.item("A")

    class Meanwhile(httpx.AsyncBaseTransport):
        inner, sold = shop.wire.inner, False

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if b"mutation" in request.content and not self.sold:
                self.sold = True
                shop.sell(key, at=shop.soho)
            return await self.inner.handle_async_request(request)

    shop.wire.inner = Meanwhile()
    assert outcomes(shop, correction(key, shop.soho, -2, kind=POST)) == [WriteOutcome.ACCEPTED]
    assert shop.account.number(key, shop.soho) == 2


def test_a_movement_of_something_untracked_is_rejected(shop: Shop) -> None:
    key = shop.item("A", tracked=False)
    assert outcomes(shop, correction(key, shop.soho, -1, kind=POST)) == [WriteOutcome.REJECTED]


def test_a_fault_nobody_is_named_for_is_found_by_halving(shop: Shop) -> None:
    keys = [shop.item(f"A{n}") for n in range(4)]
    bad = f"gid://shopify/InventoryItem/{keys[2]}"

    class Nameless(httpx.AsyncBaseTransport):
        inner = shop.wire.inner

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if bad.encode() in request.content:
                error = {"field": None, "message": "Something is wrong.", "code": "ADJUST_QUANTITIES_FAILED"}
                return httpx.Response(200, json={"data": {"inventorySetQuantities": {"userErrors": [error]}}})
            return await self.inner.handle_async_request(request)

    shop.wire.inner = Nameless()
    assert outcomes(shop, *(correction(key, shop.soho, 1, 5) for key in keys)) == ["accepted", "accepted", "rejected", "accepted"]


def test_no_secret_is_in_any_result(shop: Shop) -> None:
    key = shop.item("A")
    shop.account.wire.refuse = True
    results = write(shop, [correction(key, shop.soho, 3, 5), correction(key, shop.warehouse, -1, kind=POST)])
    assert TOKEN not in repr(results)
    assert {result.outcome for result in results.values()} == {WriteOutcome.RETRY}


def test_no_buyer_s_address_is_in_any_result(shop: Shop) -> None:
    class Naming(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            error = {"field": None, "message": "Held for jane@doe.com.", "code": "ODD"}
            return httpx.Response(200, json={"data": {"inventorySetQuantities": {"userErrors": [error]}}})

    sent = correction(shop.item("A"), shop.soho, 3, 5)
    shop.wire.inner = Naming()
    (result,) = write(shop, [sent]).values()
    assert (result.outcome, result.message) == (WriteOutcome.REJECTED, "Held for [e-mail].")
    assert "jane" not in result.answer


def test_an_item_is_connected_to_a_location_first_where_the_configuration_allows_it(shop: Shop) -> None:
    stocked, unstocked = shop.item("A"), shop.item("U", soho=None)
    sent = [correction(stocked, shop.soho, 1, 5), correction(unstocked, shop.soho, 4, 0)]
    assert outcomes(shop, *sent) == [WriteOutcome.ACCEPTED, WriteOutcome.REJECTED]
    shop.account.type_over(stocked, shop.soho, 5)
    shop.channel = reopened(shop, connect_unstocked=True)
    assert outcomes(shop, correction(stocked, shop.soho, 2, 5), sent[1]) == [WriteOutcome.ACCEPTED] * 2
    assert [shop.account.number(key, shop.soho) for key in (stocked, unstocked)] == [2, 4]


def test_a_request_that_shopify_refuses_whole_is_halved_until_the_culprit_is_alone(shop: Shop) -> None:
    keys = [shop.item(f"A{n}") for n in range(4)]
    sent = [correction(key, shop.soho, n, 5) for n, key in enumerate(keys)]
    sent[2] = correction(keys[2], shop.soho, 10**12, 5)  # more than the schema's Int holds: INVALID_VARIABLE
    assert outcomes(shop, *sent) == ["accepted", "accepted", "rejected", "accepted"]
    assert [shop.account.number(key, shop.soho) for key in keys] == [0, 1, 5, 3]


def test_after_a_pause_nothing_that_changes_a_number_leaves(shop: Shop) -> None:
    keys = [shop.item(f"A{n}") for n in range(251)]
    shared = Switch()
    shop.channel = reopened(shop, shared=shared)
    writes = [correction(key, shop.soho, 1, 5) for key in keys]

    class Pausing(httpx.AsyncBaseTransport):
        inner = shop.wire.inner

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            shared.off = True  # while the first batch is in flight
            return await self.inner.handle_async_request(request)

    shop.wire.inner = Pausing()
    results = write(shop, writes)
    assert Counter((r.outcome, r.code) for r in results.values()) == {("accepted", ""): 250, ("retry", "paused"): 1}
    assert len(mutations(shop)) == 1
