"""Draining the inbox: what a webhook named is read again and landed, and nothing is lost on the way."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from invbi_pipeline.channels.protocol import Reading
from invbi_pipeline.config import Config
from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.errors import StoreBusy
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.decision.reconcile import stage
from invbi_pipeline.flows.feeds.inbox import Drained, drain
from invbi_pipeline.flows.feeds.ingest import land_points
from invbi_pipeline.flows.feeds.lease import Lease
from invbi_pipeline.live.receiver import create_app
from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline.store.inbox import Delivery
from invbi_pipeline.store.warehouse import Warehouse
from invbi_pipeline_tests.channels.shopify.conftest import Shop, make_shop
from invbi_pipeline_tests.channels.square.till import Till, till
from invbi_pipeline_tests.flows.scripted import ScriptedChannel, TurnedClock
from invbi_pipeline_tests.live.door import PUBLIC, held, post, state_in


@dataclass
class House:
    """A shop and a till whose numbers have landed and been staged, and the context of a run."""

    ctx: Context
    shop: Shop
    till: Till
    folder: Path
    item: str

    def note(self, system: str, *keys: str, number: str = "d-1", orders: Sequence[str] = ()) -> None:
        self.ctx.state.inbox.receive([Delivery(system, number, "a/topic", self.ctx.clock.now(), keys, tuple(orders))])

    def drain(self, limit: int = 1000) -> Drained:
        drained = asyncio.run(drain(self.ctx, "r1", limit=limit))
        stage(self.ctx)
        return drained

    def numbers(self, system: str, key: str) -> dict[str, int | None]:
        sql = "SELECT location, quantity FROM staging.stg_observations WHERE system = $s AND listing_key = $k"
        return dict(self.ctx.warehouse.query(sql, {"s": system, "k": key}).iter_rows())

    def waiting(self) -> list[str]:
        return [one.delivery_id for one in self.ctx.state.inbox.waiting()]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    shop, counter = make_shop(monkeypatch), till()
    item = shop.item("A")
    places = {name: {"kind": "store", "counted_by": "till"} for name in ("warehouse", "soho", "camden")}
    sells: dict[str, object] = {"platform": "shopify", "roles": ["sells"], "account": "a.myshopify.com"}
    sells["locations"] = {shop.warehouse: "warehouse", shop.soho: "soho"}
    counts = {"platform": "square", "roles": ["counts"], "locations": dict(zip(counter.places, ("soho", "camden"), strict=True))}
    systems = {"shopify_uk": sells, "till": counts}
    config = Config.model_validate(
        {"business": {"name": "x"}, "systems": systems, "locations": places, "path": tmp_path / "invbi.toml"}
    )
    channels = {"shopify_uk": shop.channel, "till": counter.channel}
    with state_in(tmp_path, wait_s=0.05) as state:
        ctx = Context(config, shop.clock, channels, Warehouse(tmp_path / "w.duckdb"), state, random.Random(1))
        for name, channel in channels.items():
            land_points(ctx, "r0", asyncio.run(channel.read(Dataset.STOCK)), name)
        stage(ctx)
        shop.clock.pass_s(60)
        yield House(ctx, shop, counter, tmp_path, item)


def test_a_sale_that_a_webhook_tells_of_is_in_the_staged_number_after_draining(house: House) -> None:
    app = create_app(house.ctx.channels, house.ctx.state, house.ctx.clock, PUBLIC)
    house.shop.account.on_webhook(lambda _, headers, body: statuses.append(post(app, "shopify_uk", headers, body)))
    house.shop.subscribe("INVENTORY_LEVELS_UPDATE")
    statuses: list[int] = []
    house.shop.sell(house.item, 2, at=house.shop.soho)
    assert house.numbers("shopify_uk", house.item) == {"warehouse": 10, "soho": 5}
    drained = house.drain()
    assert house.numbers("shopify_uk", house.item) == {"warehouse": 10, "soho": 3}
    assert drained == Drained(len(statuses), 2)
    assert house.waiting() == []


def test_only_the_listings_named_are_read_again(house: House) -> None:
    first, second, _ = house.till.keys
    for key in (first, second):
        house.till.account.order([Line(key, 1)], house.till.places[0], pos=True)
    house.till.clock.pass_by(minutes=1)
    house.note("till", first)
    house.drain()
    assert house.numbers("till", first)["soho"] == 9
    assert house.numbers("till", second)["soho"] == 10


def test_a_delivery_that_names_orders_only_is_done_without_a_read(house: House) -> None:
    sent = len(house.shop.wire.sent)
    house.note("shopify_uk", orders=["7"])
    assert house.drain() == Drained(1, 0)
    assert (len(house.shop.wire.sent), house.waiting()) == (sent, [])


def test_a_new_listing_gets_its_points_and_none_where_it_is_not_stocked(house: House) -> None:
    fresh = house.shop.item("B", warehouse=4, soho=None)
    house.note("shopify_uk", fresh)
    assert house.drain().rows == 1
    assert house.numbers("shopify_uk", fresh) == {"warehouse": 4}


def test_a_known_listing_that_comes_to_be_stocked_elsewhere_gets_that_point(house: House) -> None:
    key, camden = house.till.keys[0], house.till.places[1]
    assert house.numbers("till", key) == {"soho": 10, "camden": None}
    house.till.account.stock(key, camden, 3)
    house.note("till", key)
    house.drain()
    assert house.numbers("till", key) == {"soho": 10, "camden": 3}


def test_an_outage_keeps_its_own_deliveries_waiting_and_no_others(house: House) -> None:
    house.shop.account.wire.down = True
    house.note("shopify_uk", house.item, number="shop")
    house.note("till", house.till.keys[0], number="till")
    drained = house.drain()
    assert (drained.deliveries, list(drained.troubles), house.waiting()) == (1, ["shopify_uk"], ["shop"])
    house.shop.account.wire.down = False
    house.shop.clock.pass_s(3600)  # whatever pause the breaker asked for
    assert house.drain().troubles == {}
    assert house.waiting() == []


def test_a_crash_after_landing_and_before_the_mark_is_a_harmless_replay(house: House) -> None:
    taken = ExitStack()

    class Robbed(ScriptedChannel):
        """In the time of whose answer another process takes the state store's lock."""

        async def read_back(self, points: Sequence[tuple[str, str]]) -> Reading:
            taken.enter_context(held(house.folder))
            return await super().read_back(points)

    channel = Robbed("shopify_uk", TurnedClock(house.shop.clock.now()))
    channel.frames["stock"] = [{"listing_key": house.item, "location_key": house.shop.soho, "quantity": 4}]
    house.ctx.channels = {"shopify_uk": channel}
    house.note("shopify_uk", house.item)
    with taken, pytest.raises(StoreBusy):
        asyncio.run(drain(house.ctx, "r1"))
    stage(house.ctx)
    landed = house.numbers("shopify_uk", house.item)
    assert (landed["soho"], house.waiting()) == (4, ["d-1"])
    calm = ScriptedChannel("shopify_uk", channel.clock)
    calm.frames = channel.frames
    house.ctx.channels = {"shopify_uk": calm}
    assert house.drain().deliveries == 1
    assert (house.numbers("shopify_uk", house.item), house.waiting()) == (landed, [])


def test_deliveries_wait_for_a_system_that_is_not_open_and_not_for_one_that_is_no_more(house: House) -> None:
    house.note("till", house.till.keys[0], number="closed")
    house.note("gone", "x", number="gone")
    house.ctx.channels = {"shopify_uk": house.shop.channel}
    assert house.drain() == Drained(1, 0)
    assert house.waiting() == ["closed"]


def test_the_oldest_deliveries_come_first_and_no_more_than_asked_for(house: House) -> None:
    for n in range(3):
        house.note("till", house.till.keys[n], number=f"d-{n}")
        house.shop.clock.at += timedelta(seconds=1)
    assert house.drain(limit=2).deliveries == 2
    assert house.waiting() == ["d-2"]


def test_a_pile_of_one_system_hides_the_deliveries_of_no_other(house: House) -> None:
    house.shop.account.wire.down = True
    for n in range(3):
        house.note("shopify_uk", house.item, number=f"d-{n}")
        house.shop.clock.at += timedelta(seconds=1)
    house.note("till", house.till.keys[0], number="till")
    assert house.drain(limit=2).deliveries == 1
    assert house.waiting() == ["d-0", "d-1", "d-2"]


def test_while_an_event_process_lives_they_are_its_work(house: House) -> None:
    worker = Lease(house.ctx.state, house.ctx.clock, "a")
    assert worker.take()
    house.note("shopify_uk", house.item)
    assert (house.drain(), house.waiting()) == (Drained(), ["d-1"])
    worker.give_back()
    house.shop.clock.pass_s(1)
    assert (house.drain().deliveries, house.waiting()) == (1, [])
