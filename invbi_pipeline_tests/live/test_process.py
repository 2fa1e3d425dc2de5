"""The event process as a whole: begun, delivered to, told to stop, and started beside another."""

import asyncio
import logging
import os
import random
import signal
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from invbi_pipeline.channels.protocol import Standing, Subscription
from invbi_pipeline.channels.shopify.subscriptions import TOPICS
from invbi_pipeline.config import Config, load_config
from invbi_pipeline.errors import StoreBusy, Unreachable
from invbi_pipeline.flows.context import Context, SystemClock, open_context
from invbi_pipeline.flows.feeds.lease import Lease
from invbi_pipeline.live import process
from invbi_pipeline.live.process import Process
from invbi_pipeline.live.queues import SqsQueue
from invbi_pipeline.live.receiver import webhook_url
from invbi_pipeline.live.subscriptions import Look
from invbi_pipeline.live.worker import Worker
from invbi_pipeline.live.worker.desk import Desk
from invbi_pipeline.sandbox.contract import ItemSpec
from invbi_pipeline.sandbox.shopify import ShopifyAccount
from invbi_pipeline.store.state import open_state
from invbi_pipeline_tests.channels.shopify.conftest import TOKEN, WEBHOOK_SECRET
from invbi_pipeline_tests.live.door import shopify_headers
from invbi_pipeline_tests.sandbox.serving import HandClock

PUBLIC = "https://hooks.example"
CONFIG = f"""
[business]
name = "x"
[systems.shop]
platform = "shopify"
roles = ["sells"]
base_url = "http://shop.test"
secrets.token = {{ env = "SHOP_TOKEN" }}
secrets.webhook_secret = {{ env = "SHOP_HOOKS" }}
[serve]
public_url = "{PUBLIC}"
"""

EXPORTS = """
[locations.warehouse]
kind = "warehouse"
counted_by = "erp"
[systems.erp]
platform = "files"
roles = ["counts"]
default_location = "warehouse"
[systems.erp.files.stock]
path = "stock.csv"
columns = { listing_key = "sku", quantity = "on_hand" }
"""


@dataclass
class House:
    """A process under way, a client at its door, and the shop it talks to."""

    process: Process
    ctx: Context
    client: httpx.AsyncClient
    shop: ShopifyAccount
    listing: str

    async def until(self, holds: Callable[[], bool]) -> None:
        """Let the process go on until something holds."""
        async with asyncio.timeout(20):
            while not holds():
                await asyncio.sleep(0.01)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    monkeypatch.setenv("SHOP_HOOKS", WEBHOOK_SECRET)
    (tmp_path / "invbi.toml").write_text(CONFIG, encoding="utf-8")
    return load_config(tmp_path / "invbi.toml")


def lived(
    config: Config, live: Callable[[House], Awaitable[None]], *, receiver_only: bool = False, register: bool = False
) -> None:
    """Run a process on a free port, live with it, and see it end by itself after that."""

    async def run() -> None:
        secrets = {"token": TOKEN, "webhook_secret": WEBHOOK_SECRET}
        shop = ShopifyAccount("shop", HandClock(), random.Random(7), "http://shop.test", secrets)
        warehouse = shop.add_location("warehouse", "Warehouse")
        listing = shop.add_item(ItemSpec("A", "", "Tee", "tee", {}, 20.0, "GBP"))
        shop.stock(listing, warehouse, 10)
        async with open_context(config, transport=httpx.ASGITransport(shop.app)) as ctx:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                open_ = asyncio.Event()
                whole = Process(ctx, listener, receiver_only=receiver_only, register=register, listening=open_.set)
                running = asyncio.create_task(whole.run())
                await asyncio.wait([running, asyncio.create_task(open_.wait())], return_when=asyncio.FIRST_COMPLETED)
                address = f"http://127.0.0.1:{listener.getsockname()[1]}"
                try:
                    async with httpx.AsyncClient(base_url=address) as client:
                        await live(House(whole, ctx, client, shop, listing))
                finally:
                    whole.stop.set()
                    async with asyncio.timeout(20):
                        await running

    asyncio.run(run())


def test_a_store_that_is_held_for_a_while_does_not_end_the_process(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    took, asked = Lease.take, []

    def take(lease: Lease) -> bool:
        asked.append(lease)
        if len(asked) in (2, 3):
            raise StoreBusy("The state store is held by another process.")
        return took(lease)

    monkeypatch.setattr(process, "RENEW_S", 0.02)
    monkeypatch.setattr(Lease, "take", take)

    async def live(house: House) -> None:
        await house.until(lambda: len(asked) > 5 or house.process.stop.is_set())
        assert not house.process.stop.is_set()

    lived(config, live)


def test_a_queue_that_cannot_be_opened_leaves_the_door_open(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def none(url: str) -> SqsQueue:
        tried.append(url)
        raise Unreachable("The queue cannot be read: NoRegionError.")

    monkeypatch.setattr(process, "SqsQueue", none)
    queues = config.serve.model_copy(update={"queues": {"shop": "https://sqs.test/1/q"}})

    async def live(house: House) -> None:
        await house.until(lambda: bool(tried))
        assert (await house.client.get("/healthz")).status_code == 200

    lived(config.model_copy(update={"serve": queues}), live, receiver_only=True)


def test_the_one_that_works_says_so(config: Config) -> None:
    async def live(house: House) -> None:
        await house.until(lambda: house.process.metrics.registry.get_sample_value("invbi_worker") == 1)

    lived(config, live)


def test_what_rules_watch_for_a_rise_begins_at_0(config: Config) -> None:
    async def live(house: House) -> None:
        value = house.process.metrics.registry.get_sample_value
        missed = [{"platform": "shopify", "system": "shop", "kind": kind} for kind in ("order", "level")]
        await house.until(lambda: [value("invbi_missed_events_total", one) for one in missed] == [0, 0])
        for outcome in ("cannot be stored now", "cannot be verified now"):
            assert value("invbi_deliveries_total", {"system": "shop", "outcome": outcome}) == 0

    lived(config, live)


def test_a_further_door_takes_deliveries_and_leaves_the_work_to_the_worker(config: Config) -> None:
    async def live(house: House) -> None:
        body = b'{"id": 7}'
        answer = await house.client.post("/webhooks/shop", headers=shopify_headers(body), content=body)
        assert (answer.status_code, answer.json()) == (200, {"stored": True})
        assert [(one.system, one.order_ids) for one in house.ctx.state.inbox.waiting()] == [("shop", ("7",))]
        assert (await house.client.get("/readyz")).json()["ready"] is True
        assert 'invbi_deliveries_total{outcome="stored",system="shop"} 1.0' in (await house.client.get("/metrics")).text
        assert "\ninvbi_worker 0.0" in (await house.client.get("/metrics")).text
        assert house.ctx.state.mark("serve.worker") == ""

    lived(config, live, receiver_only=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_what_is_in_hand(config: Config, number: signal.Signals, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "invbi.serve")

    async def live(house: House) -> None:
        body = b'{"id": 7}'
        deliveries = [
            house.client.post("/webhooks/shop", headers=shopify_headers(body, number=f"d-{n}"), content=body) for n in range(20)
        ]
        answers = asyncio.gather(*deliveries)
        await house.until(lambda: house.process.metrics.registry.get_sample_value("invbi_inbox_commit_deliveries_count") != 0)
        os.kill(os.getpid(), number)
        await house.until(house.process.stop.is_set)
        taken = [answer.status_code for answer in await answers]
        assert set(taken) == {200}
        assert len(house.ctx.state.inbox.waiting()) == 20

    lived(config, live, receiver_only=True)
    assert [record.message for record in caplog.records if record.name == "invbi.serve"][-1] == "stopped"


def test_the_worker_has_the_webhooks_sent_and_hands_over_when_it_ends(config: Config) -> None:
    async def live(house: House) -> None:
        def lacking() -> float | None:
            return house.process.metrics.registry.get_sample_value("invbi_subscriptions_lacking", {"system": "shop"})

        await house.until(lambda: lacking() is not None)
        held = house.shop._office.hooks.subscriptions.values()
        assert lacking() == 0
        assert {one.uri for one in held} == {webhook_url(PUBLIC, "shop")}
        assert {one.topic for one in held} == set(TOPICS)
        another = Lease(house.ctx.state, house.ctx.clock, "another")
        assert not another.take()
        house.process.stop.set()
        await house.until(another.take)

    lived(config, live, register=True)


def test_subscriptions_that_cannot_be_read_are_not_said_to_be_complete(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    said = Look("shop", (), "the shop does not answer")

    async def look(ctx: Context, *, mend: bool) -> dict[str, Look]:
        return {"shop": said}

    async def live(house: House) -> None:
        nonlocal said

        def shown(what: str) -> str:
            return str(house.process.metrics.registry.get_sample_value(f"invbi_subscriptions_{what}", {"system": "shop"}))

        await house.until(lambda: shown("unseen") == "1.0")
        assert shown("lacking") == "nan"
        said = Look("shop", (Subscription("orders/create", Standing.LACKING, "the app needs a permission"),))
        await house.until(lambda: (shown("unseen"), shown("lacking")) == ("0.0", "1.0"))

    monkeypatch.setattr(process, "look", look)
    monkeypatch.setattr(process, "_LOOKED_S", 0.02)
    lived(config, live)


@pytest.mark.parametrize("register", [False, True])
def test_every_system_that_is_polled_is_named_at_the_start(
    config: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture, register: bool
) -> None:
    caplog.set_level(logging.INFO, "invbi.serve")
    path = tmp_path / "invbi.toml"
    path.write_text(CONFIG + EXPORTS, encoding="utf-8")

    async def live(house: House) -> None:
        await house.until(lambda: any("polled, since" in record.message for record in caplog.records))

    lived(load_config(path), live, register=register)
    (said,) = [record.message for record in caplog.records if "polled, since" in record.message]
    assert said.endswith(": erp" if register else ": erp, shop")


def test_a_second_worker_waits_and_ends_without_having_worked(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "invbi.serve")

    async def live(house: House) -> None:
        await house.until(lambda: any("another process is the worker" in record.message for record in caplog.records))
        assert house.shop._office.hooks.subscriptions == {}

    state = open_state(config.store.state_url, config.data)
    first = Lease(state, SystemClock(), "the first")
    assert first.take()
    lived(config, live, register=True)
    assert first.take()
    state.close()


def test_a_worker_that_cannot_even_put_away_what_it_has_ends_the_process(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(self: object, *_: object) -> None:
        raise ZeroDivisionError

    async def live(house: House) -> None:
        await house.until(house.process.stop.is_set)

    monkeypatch.setattr(Desk, "keep", broken)
    monkeypatch.setattr(Desk, "aside", broken)
    with pytest.raises(ZeroDivisionError):
        lived(config, live)


def test_what_nobody_foresaw_ends_the_process_and_gives_the_lease_back(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(self: Worker) -> None:
        raise ZeroDivisionError

    async def live(house: House) -> None:
        await house.until(house.process.stop.is_set)

    monkeypatch.setattr(Worker, "run", broken)
    with pytest.raises(ZeroDivisionError):
        lived(config, live)
    state = open_state(config.store.state_url, config.data)
    assert Lease(state, SystemClock(), "the next").take()
    state.close()
