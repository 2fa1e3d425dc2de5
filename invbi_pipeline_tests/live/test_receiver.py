"""The door for webhooks, knocked at by the emulated platforms, by strangers, and while the store is in trouble."""

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, event
from starlette.applications import Starlette

from invbi_pipeline.channels.files.channel import FilesChannel
from invbi_pipeline.channels.limits import Budget
from invbi_pipeline.channels.protocol import Channel, Limit
from invbi_pipeline.channels.shopify import ShopifyChannel
from invbi_pipeline.config import FileSource, SystemConfig
from invbi_pipeline.domain.words import Role
from invbi_pipeline.live.receiver import Bounds, create_app, webhook_url
from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline.sandbox.courier import Courier
from invbi_pipeline.store.state import State
from invbi_pipeline_tests.channels.shopify.conftest import WEBHOOK_SECRET, Shop, make_shop
from invbi_pipeline_tests.channels.square.till import Till, till
from invbi_pipeline_tests.live.door import PUBLIC, held, inbox, knock, post, shopify_headers, state_in
from invbi_pipeline_tests.sandbox.serving import HandClock, serving

Delivery = tuple[str, Mapping[str, str], bytes]
ORDER = b'{"id": 7}'


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with state_in(tmp_path) as opened:
        yield opened


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    return make_shop(monkeypatch)


def door(state: State, *channels: Channel, bounds: Bounds | None = None) -> Starlette:
    return create_app({channel.system: channel for channel in channels}, state, HandClock(), PUBLIC, bounds)


def shopify(**secrets: str) -> ShopifyChannel:
    config = SystemConfig(platform="shopify", roles=(Role.SELLS,), account="a.myshopify.com")
    given = {"token": "t", **(secrets or {"webhook_secret": WEBHOOK_SECRET})}
    nowhere = httpx.MockTransport(lambda request: httpx.Response(500))
    return ShopifyChannel("shopify_uk", config, given, clock=HandClock(), rng=random.Random(1), transport=nowhere)


def sold_at(shop: Till, deliver: Callable[[str, Mapping[str, str], bytes], None]) -> None:
    """Sell one unit over the till's counter to someone the till tells of it."""
    types = frozenset({"inventory.count.updated", "order.created"})
    shop.account._store.webhooks.subscribe("invbi", webhook_url(PUBLIC, "till"), types)
    shop.account.on_webhook(deliver)
    shop.account.order([Line(shop.keys[0], 1)], shop.places[0], pos=True)
    shop.clock.pass_by(minutes=1)
    shop.account.tick()


def test_what_a_shop_delivers_is_in_the_inbox_of_every_process_once_it_is_answered(
    state: State, shop: Shop, tmp_path: Path
) -> None:
    key = shop.item("A")
    shop.subscribe("INVENTORY_LEVELS_UPDATE")
    shop.subscribe("ORDERS_CREATE")
    courier = Courier()
    with serving(door(state, shop.channel)) as address:
        shop.account.on_webhook(lambda _, headers, body: courier(webhook_url(address, "shopify_uk"), headers, body))
        order = shop.sell(key, at=shop.soho)
        found = [json.loads(body) for _, _, body in inbox(tmp_path)]
    courier.close()
    assert {name for one in found for name in (*one["listing_keys"], *one["order_ids"])} == {key, order}
    assert [one.system for one in state.inbox.waiting()] == ["shopify_uk"] * len(found)


def test_a_till_signs_the_public_address_which_the_app_itself_never_sees(state: State) -> None:
    shop = till()
    app = door(state, shop.channel)
    statuses: list[int] = []
    sold_at(shop, lambda _, headers, body: statuses.append(post(app, "till", headers, body)))
    assert statuses == [200] * len(statuses)
    assert {key for one in state.inbox.waiting() for key in one.listing_keys} == {shop.keys[0]}
    assert any(one.order_ids for one in state.inbox.waiting())


def test_a_till_s_delivery_for_another_address_is_refused(state: State) -> None:
    shop = till()
    app = create_app({"till": shop.channel}, state, HandClock(), "https://elsewhere.example")
    statuses: list[int] = []
    sold_at(shop, lambda _, headers, body: statuses.append(post(app, "till", headers, body)))
    assert set(statuses) == {401}
    assert state.inbox.waiting() == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        shopify_headers(ORDER, secret="guessed"),
        shopify_headers(b'{"id": 8}'),
        {**shopify_headers(ORDER), "X-Shopify-Shop-Domain": "other.myshopify.com"},
    ],
    ids=["unsigned", "wrong secret", "another body", "another shop"],
)
def test_a_forged_delivery_is_refused_and_nothing_is_stored(state: State, headers: dict[str, str]) -> None:
    assert post(door(state, shopify()), "shopify_uk", headers, ORDER) == 401
    assert state.inbox.waiting() == []


def test_a_replayed_delivery_is_acknowledged_and_stored_once_even_after_a_restart(state: State, tmp_path: Path) -> None:
    headers = shopify_headers(ORDER)
    app = door(state, shopify())
    said = [knock(app, "POST", "/webhooks/shopify_uk", headers=headers, content=ORDER) for _ in range(2)]
    assert [(one.status_code, one.json()) for one in said] == [(200, {"stored": True}), (200, {"stored": False})]
    state.inbox.done(state.inbox.waiting(), HandClock().now())
    with state_in(tmp_path) as again:
        assert post(door(again, shopify()), "shopify_uk", headers, ORDER) == 200
        assert again.inbox.waiting() == []
    assert len(inbox(tmp_path)) == 1


def test_deliveries_that_come_all_at_once_are_each_stored_once(state: State, tmp_path: Path) -> None:
    app = door(state, shopify())

    async def all_at_once() -> list[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inside") as client:
            sent = [
                client.post("/webhooks/shopify_uk", content=ORDER, headers=shopify_headers(ORDER, number=f"d-{n % 20}"))
                for n in range(60)
            ]
            return [answer.status_code for answer in await asyncio.gather(*sent)]

    assert asyncio.run(all_at_once()) == [200] * 60
    assert sorted(number for _, number, _ in inbox(tmp_path)) == sorted(f"d-{n}" for n in range(20))


def test_deliveries_without_an_id_are_told_apart_by_their_bodies(state: State) -> None:
    app = door(state, shopify())
    for body in (ORDER, b'{"id": 8}', ORDER):
        assert post(app, "shopify_uk", shopify_headers(body, number=""), body) == 200
    assert sorted(one.order_ids for one in state.inbox.waiting()) == [("7",), ("8",)]


@pytest.mark.parametrize(("headers", "pieces"), [({"content-length": "300000"}, 0), ({}, 4)], ids=["announced", "in pieces"])
def test_a_body_beyond_the_bound_is_not_read_to_its_end(state: State, headers: dict[str, str], pieces: int) -> None:
    given: list[int] = []

    async def large() -> AsyncIterator[bytes]:
        for n in range(1000):
            given.append(n)
            yield b"x" * 300

    app = door(state, shopify(), bounds=Bounds(body_bytes=1000))
    assert knock(app, "POST", "/webhooks/shopify_uk", content=large(), headers=headers).status_code == 413
    assert len(given) == pieces
    assert state.inbox.waiting() == []


def test_a_body_of_exactly_the_bound_is_taken(state: State) -> None:
    body = b'{"id": 7, "note": "' + b"x" * 979 + b'"}'
    assert len(body) == 1000
    assert post(door(state, shopify(), bounds=Bounds(body_bytes=1000)), "shopify_uk", shopify_headers(body), body) == 200


def test_a_body_that_never_ends_is_given_up(state: State) -> None:
    async def dripping() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    app = door(state, shopify(), bounds=Bounds(body_s=0.05))
    assert knock(app, "POST", "/webhooks/shopify_uk", content=dripping()).status_code == 408


def test_what_cannot_be_stored_is_not_acknowledged_and_comes_again(shop: Shop, tmp_path: Path) -> None:
    shop.item("A")
    shop.subscribe("ORDERS_CREATE")
    statuses: list[int] = []

    def deliver(_: str, headers: Mapping[str, str], body: bytes) -> None:
        statuses.append(post(app, "shopify_uk", headers, body))
        if statuses[-1] != 200:
            raise ConnectionError

    with state_in(tmp_path, wait_s=0.01) as state:
        app = door(state, shop.channel)
        shop.account.on_webhook(deliver)
        with held(tmp_path):
            order = shop.sell(shop.item("B"), at=shop.soho)
            assert knock(app, "GET", "/readyz").status_code == 503
        assert (statuses, inbox(tmp_path)) == ([503], [])
        shop.clock.pass_s(600)
        shop.account.tick()
        assert knock(app, "GET", "/readyz").json() == {"ready": True, "systems": ["shopify_uk"]}
        assert (statuses, [one.order_ids for one in state.inbox.waiting()]) == ([503, 200], [(order,)])


def test_a_store_that_keeps_us_waiting_holds_neither_the_platform_nor_the_loop(tmp_path: Path) -> None:
    async def both(app: Starlette) -> tuple[int, bool, int, float]:
        began = asyncio.get_running_loop().time()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inside") as client:
            delivery = asyncio.create_task(client.post("/webhooks/shopify_uk", content=ORDER, headers=shopify_headers(ORDER)))
            alive = (await client.get("/healthz")).status_code
            answered_first = delivery.done()
            status = (await delivery).status_code
        return alive, answered_first, status, asyncio.get_running_loop().time() - began

    with state_in(tmp_path, wait_s=30) as state, held(tmp_path):
        *said, seconds = asyncio.run(both(door(state, shopify(), bounds=Bounds(store_s=0.2))))
    assert said == [200, False, 503]
    assert seconds < 15  # far below the store's own patience, far above a slow machine's


def test_a_request_that_waits_for_its_budget_in_a_held_store_does_not_keep_the_door_from_answering(tmp_path: Path) -> None:
    async def both(state: State) -> tuple[int, bool]:
        budget = Budget(Limit("read", 10, 10, "made up"), HandClock(), state.budgets.ledger("shop", "read"))
        app = door(state, shopify(), bounds=Bounds(store_s=0.05))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inside") as client:
            with held(tmp_path):
                spending = asyncio.create_task(budget.spend())
                await asyncio.sleep(0)
                status = (await client.post("/webhooks/shopify_uk", content=ORDER, headers=shopify_headers(ORDER))).status_code
                waited_still = not spending.done()
            await spending
        return status, waited_still

    with state_in(tmp_path, wait_s=30) as state:
        assert asyncio.run(both(state)) == (503, True)


def test_on_a_full_disk_nothing_is_acknowledged(state: State, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'state.db'}")
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count = 1"))  # as many as there are
    full = State(engine)
    body = json.dumps({"variants": [{"inventory_item_id": n} for n in range(10**9, 10**9 + 3000)]}).encode()
    status = post(door(full, shopify()), "shopify_uk", shopify_headers(body, "products/update"), body)
    full.close()
    assert (status, state.inbox.waiting()) == (503, [])


@pytest.mark.parametrize(("secret", "status"), [("new-one", 200), ("old-one", 200), ("older-one", 401)])
def test_after_a_rotation_both_secrets_open_the_door(state: State, secret: str, status: int) -> None:
    app = door(state, shopify(webhook_secret="new-one", webhook_secret_old="old-one"))
    assert post(app, "shopify_uk", shopify_headers(ORDER, secret=secret), ORDER) == status


def test_only_systems_that_have_webhooks_have_a_door(state: State, tmp_path: Path) -> None:
    source = FileSource(path="stock.csv", columns={"listing_key": "code", "quantity": "qty"})
    erp = FilesChannel(
        "erp", SystemConfig(platform="files", roles=(Role.COUNTS,), files={"stock": source}), tmp_path, HandClock()
    )
    app = door(state, shopify(), erp)
    assert [post(app, name, shopify_headers(ORDER), ORDER) for name in ("erp", "nobody")] == [404, 404]
    assert knock(app, "GET", "/webhooks/shopify_uk").status_code == 405


def test_a_signed_body_that_is_no_event_is_told_so(state: State) -> None:
    assert post(door(state, shopify()), "shopify_uk", shopify_headers(b"[]"), b"[]") == 400


def test_without_a_secret_the_event_is_not_thanked_for_and_the_log_names_the_setting(
    state: State, caplog: pytest.LogCaptureFixture
) -> None:
    assert post(door(state, shopify(token="t")), "shopify_uk", shopify_headers(ORDER), ORDER) == 503
    assert "systems.shopify_uk.secrets.webhook_secret is not set" in caplog.text


def test_no_buyer_and_no_secret_reaches_store_log_or_answer(
    state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = json.dumps({"id": 7, "email": "ada@buyer.example", "customer": {"phone": "+44 20 7946 0000"}}).encode()
    app = door(state, shopify())
    answers = [
        knock(app, "POST", "/webhooks/shopify_uk", content=body, headers=headers).text
        for headers in (shopify_headers(body), shopify_headers(b""), shopify_headers(body, number="d-2"))
    ]
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    told = (kept + caplog.text.encode() + "".join(answers).encode()).lower()
    assert b"orders/create" in told
    assert not [word for word in (b"ada", b"7946", WEBHOOK_SECRET.encode()) if word in told]
