"""The worker: what a delivery names is read, decided, sent and proved without a run, and nothing is lost on the way."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from invbi_pipeline.channels.protocol import Reading
from invbi_pipeline.cli.bench.chaos.fuse import FusedWarehouse
from invbi_pipeline.domain.frames import FEEDS, empty
from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.errors import StoreBusy, Throttled, Unreachable
from invbi_pipeline.flows.decision.equality import unequal
from invbi_pipeline.flows.decision.turn import whole_turn
from invbi_pipeline.live.metrics import Metrics
from invbi_pipeline.live.worker import BatchDone, Worker
from invbi_pipeline.live.worker.reading import Sweep
from invbi_pipeline.store.inbox import DELIVERY_ROWS, Delivery
from invbi_pipeline_tests.flows.scripted import START
from invbi_pipeline_tests.flows.small_shop import SmallShop, small_shop
from invbi_pipeline_tests.rehearsal import Fuse, Killed

_serial = itertools.count()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallShop]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SMALL_SHOP_TOKEN", "x")
        with small_shop(tmp_path_factory.mktemp("shop"), skus=16) as made:
            yield made


def tell(shop: SmallShop, system: str, *keys: str, times: int = 1, name: str = "") -> None:
    """Let a platform tell that something became of these listings, a minute after whatever was before."""
    shop.clock.at += timedelta(minutes=1)
    made = [Delivery(system, name or f"d-{next(_serial)}", "a/topic", shop.clock.now(), keys) for _ in range(times)]
    shop.ctx.state.inbox.receive(made)


def line(order: str, key: str, changed: datetime) -> dict[str, object]:
    said = {"order_id": order, "line_id": "1", "listing_key": key, "location_key": "1", "state": "open", "external_id": ""}
    return {**said, "quantity": 1, "open_quantity": 1, "ordered_at": changed, "updated_at": changed}


def at(nth: int) -> Callable[[int, str], bool]:
    """End the process at its n-th step."""
    return lambda step, _: step == nth


def on_the_loop(*_: object) -> bool:
    """End the process at a step on an event loop: another process that holds the store would stop the door with it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def work(shop: SmallShop, worker: Worker | None = None) -> BatchDone:
    return asyncio.run((worker or Worker(shop.ctx, Metrics())).once())


def test_what_the_till_counts_is_shown_by_the_shop_without_a_run(shop: SmallShop) -> None:
    shop.lies("k0", 7)
    tell(shop, "till", "k0")
    done = work(shop)
    assert (done.deliveries, done.sent, shop.shows("k0")) == (1, 1, 7)
    assert shop.ctx.state.inbox.waiting() == []
    assert shop.corrections()["state"].to_list() == ["verified"]


@pytest.mark.parametrize("measure", ["invbi_worker_decided_seconds", "invbi_worker_batch_seconds"])
def test_a_delay_beyond_the_alarm_is_told_from_one_of_minutes(measure: str) -> None:
    metrics = Metrics()
    for one in (metrics.decided, metrics.working):
        for seconds in (45.0, 90.0, 200.0):
            one.observe(seconds)
    within = {
        limit: metrics.registry.get_sample_value(f"{measure}_bucket", {"le": limit}) for limit in ("60.0", "120.0", "300.0")
    }
    assert within == {"60.0": 1, "120.0": 2, "300.0": 3}


def test_what_the_worker_left_is_what_a_whole_decision_comes_to(shop: SmallShop) -> None:
    shop.lies("k1", 4)
    shop.edited("k2", 15)
    tell(shop, "till", "k1")
    tell(shop, "shop", "k2", "k1")
    work(shop)
    assert unequal(shop.ctx).to_dicts() == []


def test_a_number_that_is_refused_leaves_its_point_unknown_and_nothing_is_sent(shop: SmallShop) -> None:
    shop.lies("k3", 6)
    shop.edited("k3", 10**9)
    tell(shop, "shop", "k3")
    tell(shop, "till", "k3")
    sent = work(shop).sent
    point = shop.ctx.warehouse.read("recon.points").filter(system="shop", listing_key="k3").row(0, named=True)
    assert (sent, point["state"], point["reported"]) == (0, "unknown", None)
    assert unequal(shop.ctx).to_dicts() == []
    shop.edited("k3", 10)
    tell(shop, "shop", "k3")
    work(shop)
    assert shop.shows("k3") == 6


def test_a_point_that_was_changed_behind_the_worker_is_unequal(shop: SmallShop) -> None:
    with shop.ctx.warehouse.open() as db:
        db.execute("UPDATE recon.points SET offer = offer + 1 WHERE system = 'shop' AND listing_key = 'k15'")
    try:
        assert unequal(shop.ctx)["listing_key"].to_list() == ["k15"]
    finally:
        with shop.ctx.warehouse.open() as db:
            db.execute("UPDATE recon.points SET offer = offer - 1 WHERE system = 'shop' AND listing_key = 'k15'")


def test_what_is_told_again_changes_nothing(shop: SmallShop) -> None:
    shop.lies("k3", 6)
    tell(shop, "till", "k3")
    worker = Worker(shop.ctx, Metrics())
    work(shop, worker)
    tell(shop, "till", "k3", times=3)
    tell(shop, "shop", "k3")
    again = work(shop, worker)
    assert (again.deliveries, again.families, again.sent) == (4, 0, 0)


def test_many_deliveries_of_one_listing_are_one_read(shop: SmallShop, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    read_back = shop.till.read_back

    async def counted(points: list[tuple[str, str]]) -> object:
        asked.append(len(points))
        return await read_back(points)

    monkeypatch.setattr(shop.till, "read_back", counted)
    shop.lies("k4", 2)
    tell(shop, "till", "k4", times=400)
    assert (work(shop).deliveries, asked, shop.shows("k4")) == (400, [1], 2)


def test_an_order_that_is_shown_without_a_line_answers_its_delivery_and_one_that_is_not_shown_waits(
    shop: SmallShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened = shop.clock.now()
    changed: dict[str, datetime | None] = {"typed": happened, "undated": None, "behind": happened - timedelta(seconds=1)}

    async def read_orders(order_ids: list[str]) -> Reading:
        return replace(await shop.shop.read(Dataset.ORDERS), shown={one: changed[one] for one in order_ids if one in changed})

    monkeypatch.setattr(shop.shop, "read_orders", read_orders, raising=False)
    for order in (*changed, "absent"):
        made = Delivery("shop", f"of {order}", "a/topic", shop.clock.now(), order_ids=(order,), occurred_at=happened)
        shop.ctx.state.inbox.receive([made])
    assert work(shop).deliveries == 2
    assert [one.order_ids for one in shop.ctx.state.inbox.waiting()] == [("behind",), ("absent",)]
    shop.clock.at += timedelta(minutes=2, seconds=1)
    assert (work(shop).deliveries, shop.ctx.state.inbox.waiting()) == (2, [])  # left to the next sweep


def test_nothing_is_decided_while_a_run_decides(shop: SmallShop) -> None:
    shop.lies("k5", 3)
    tell(shop, "till", "k5")
    worker = Worker(shop.ctx, Metrics())
    with whole_turn(shop.ctx):
        assert work(shop, worker) == BatchDone()
        assert shop.shows("k5") == 10
    assert (work(shop, worker).sent, shop.shows("k5")) == (1, 3)


def test_a_raise_after_a_push_follows_as_soon_as_the_orders_were_read_past_its_proof(shop: SmallShop) -> None:
    worker = Worker(shop.ctx, Metrics())
    shop.lies("k11", 6)
    tell(shop, "till", "k11")
    work(shop, worker)
    shop.lies("k11", 9)
    tell(shop, "till", "k11")
    work(shop, worker)
    assert shop.shows("k11") == 6  # a sale may hide behind the push
    shop.shop.asked.clear()
    assert asyncio.run(worker.catch_up()) == ["shop"]
    assert {dataset for dataset, _ in shop.shop.asked} == {"orders"}
    work(shop, worker)
    assert shop.shows("k11") == 9
    assert unequal(shop.ctx).is_empty()


def test_an_order_found_between_sweeps_that_nobody_announced_is_said_by_the_next_sweep(shop: SmallShop) -> None:
    worker = Worker(shop.ctx, Metrics())
    for counted in (6, 9):  # a raise after a push waits for the orders
        shop.lies("k9", counted)
        tell(shop, "till", "k9")
        work(shop, worker)
    shop.shop.frames.setdefault("order_lines", []).append(line("lost between", "k14", shop.clock.now()))
    shop.clock.at += timedelta(minutes=2)
    assert asyncio.run(worker.catch_up()) == ["shop"]
    found = [asyncio.run(worker.sweep("shop")).missed_orders for _ in range(2)]
    shop.shop.frames["order_lines"].clear()
    assert found == [1, 0]
    work(shop, worker)


def test_an_order_whose_delivery_was_lost_is_searched_for_where_its_number_fell(
    shop: SmallShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[datetime] = []

    async def recent_orders(since: datetime) -> Reading:
        searched.append(since)
        return await shop.shop.read(Dataset.ORDERS)

    def unexplained() -> list[int]:
        points = shop.ctx.warehouse.read("recon.points").filter(system="shop", listing_key="k13")
        return points["unexplained"].to_list()

    monkeypatch.setattr(shop.shop, "recent_orders", recent_orders, raising=False)
    worker = Worker(shop.ctx, Metrics())
    looked = shop.clock.now()
    shop.clock.at += timedelta(minutes=4)
    shop.sold("k13", "lost")
    tell(shop, "shop", "k13")
    work(shop, worker)
    assert (unexplained(), asyncio.run(worker.search())) == ([-1], [])
    shop.clock.at += timedelta(seconds=3)
    assert (asyncio.run(worker.search()), asyncio.run(worker.search())) == (["shop"], [])
    assert unexplained() == [0]
    assert searched[0] < looked + timedelta(minutes=1)
    work(shop)  # what follows of it is sent: the other tests share the shop


def test_a_worker_that_runs_searches_by_itself(shop: SmallShop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def until_searched() -> None:
        searched = asyncio.Event()

        async def recent_orders(_: datetime) -> Reading:
            searched.set()
            return await shop.shop.read(Dataset.ORDERS)

        monkeypatch.setattr(shop.shop, "recent_orders", recent_orders, raising=False)
        worker = Worker(shop.ctx, Metrics())
        shop.clock.at += timedelta(minutes=4)
        shop.sold("k14", "lost too")
        tell(shop, "shop", "k14")
        running = asyncio.create_task(worker.run())
        async with asyncio.timeout(60):
            while not searched.is_set():
                await asyncio.sleep(0.1)
                shop.clock.at += timedelta(seconds=1)
        await worker.stop()
        await running

    asyncio.run(until_searched())
    work(shop)  # what follows of it is sent: the other tests share the shop


def test_what_cannot_leave_yet_is_tried_again_in_its_own_time_not_after_each_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMALL_SHOP_TOKEN", "x")
    with small_shop(tmp_path) as shop:
        looks: list[int] = []
        read_back = shop.shop.read_back

        def throttled() -> None:
            raise Throttled("Too many writes.", 60.0)

        async def counted(points: list[tuple[str, str]]) -> object:
            looks.append(len(points))
            return await read_back(points)

        monkeypatch.setattr(shop.shop, "read_back", counted)
        shop.shop.sending = throttled
        shop.lies("k1", 7)
        tell(shop, "till", "k1")
        work(shop)
        assert (looks, shop.corrections()["state"].to_list()) == ([1], ["approved"])
        shop.shop.sending = lambda: None
        assert (work(shop).sent, shop.shows("k1")) == (1, 7)


def test_a_system_whose_numbers_cannot_be_read_is_not_back_because_its_orders_can(shop: SmallShop) -> None:
    worker = Worker(shop.ctx, Metrics())
    shop.shop.trouble[Dataset.STOCK] = Unreachable("the shop's numbers are away")
    try:
        asyncio.run(worker.sweep("shop"))
        assert asyncio.run(worker.sweep("shop", [Dataset.ORDERS])).trouble == ""
        assert shop.ctx.state.breakers()["system"].to_list() == ["shop"]
    finally:
        shop.shop.trouble.clear()
        asyncio.run(worker.sweep("shop"))
    assert shop.ctx.state.breakers().is_empty()


def test_where_no_number_waits_for_the_orders_they_are_not_read_on(shop: SmallShop) -> None:
    worker = Worker(shop.ctx, Metrics())
    shop.lies("k12", 7)
    tell(shop, "till", "k12")
    work(shop, worker)
    shop.clock.at += timedelta(minutes=1)
    assert asyncio.run(worker.catch_up()) == []


def test_a_system_that_cannot_be_read_keeps_its_deliveries_and_delays_no_other(
    shop: SmallShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(points: object) -> object:
        raise Unreachable("the shop is away")

    shop.lies("k6", 5)
    tell(shop, "till", "k6")
    tell(shop, "shop", "k7")
    with monkeypatch.context() as patch:
        patch.setattr(shop.shop, "read_back", away)
        done = work(shop)
    assert (done.deliveries, set(done.troubles)) == (1, {"shop"})
    assert [one.listing_keys for one in shop.ctx.state.inbox.waiting()] == [("k7",)]
    assert (work(shop).deliveries, shop.shows("k6")) == (1, 5)


def test_no_store_is_asked_on_the_event_loop(shop: SmallShop, monkeypatch: pytest.MonkeyPatch) -> None:
    fuse = Fuse(on_the_loop)
    monkeypatch.setattr(shop.ctx, "warehouse", FusedWarehouse(shop.ctx.warehouse.path, shop.ctx.warehouse.wait_s, fuse))
    worker = Worker(shop.ctx, Metrics())
    shop.lies("k13", 4)
    tell(shop, "till", "k13")
    with fuse.watching():
        sent = work(shop, worker).sent
        asyncio.run(worker.sweep("till"))
    assert (sent, fuse.blown) == (1, False)
    assert {"state: commit", "warehouse: open", "warehouse: commit"} <= set(fuse.seen)


def test_what_could_not_be_stored_is_decided_anew_by_the_same_worker(shop: SmallShop, monkeypatch: pytest.MonkeyPatch) -> None:
    def held(*_: object) -> list[str]:
        raise StoreBusy("the state store is held")

    shop.lies("k10", 9)
    tell(shop, "till", "k10")
    worker = Worker(shop.ctx, Metrics())
    with monkeypatch.context() as patch:
        patch.setattr(shop.ctx.state.outbox, "intend", held)
        with pytest.raises(StoreBusy):
            work(shop, worker)
    assert (work(shop, worker).sent, shop.shows("k10")) == (1, 9)


def test_a_delivery_of_a_system_that_is_gone_is_done(shop: SmallShop) -> None:
    tell(shop, "closed", "k1")
    assert (work(shop).families, shop.ctx.state.inbox.waiting()) == (0, [])


def test_a_sweep_decides_what_no_event_told_of_and_counts_it(shop: SmallShop) -> None:
    shop.lies("k8", 1)
    shop.clock.at += timedelta(minutes=5)
    found = asyncio.run(Worker(shop.ctx, Metrics()).sweep("till"))
    assert (found.trouble, found.missed_levels) == ("", 1)
    assert (work(shop).sent, shop.shows("k8")) == (1, 1)


def test_what_changed_before_a_system_was_first_read_or_before_the_last_look_was_missed_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMALL_SHOP_TOKEN", "x")
    shop = SmallShop(tmp_path)
    began = shop.clock.now()
    worker = Worker(shop.ctx, Metrics())

    def missed() -> int:
        shop.clock.at += timedelta(minutes=5)
        return asyncio.run(worker.sweep("shop")).missed_orders

    lines = shop.shop.frames.setdefault("order_lines", [])
    lines.append(line("of old", "k0", began - timedelta(days=30)))
    assert missed() == 0
    lines.append(line("of old, shown late", "k1", began - timedelta(days=2)))
    assert missed() == 0
    lines.append(line("not shown at once", "k2", shop.clock.now() - timedelta(seconds=30)))  # its order_lag is a minute
    lines.append(line("new", "k3", shop.clock.now() + timedelta(minutes=1)))
    assert missed() == 2
    shop.ctx.state.close()


@pytest.mark.parametrize(("before", "missed"), [({}, 0), ({Dataset.ORDERS: START}, 0), ({Dataset.STOCK: START}, 1)])
def test_a_level_was_missed_only_where_the_stock_had_been_read_before(before: dict[str, datetime], missed: int) -> None:
    point = {"system": "shop", "listing_key": "k0", "location": "soho"}
    looks = pl.DataFrame([{**point, "quantity": 7, "changed_at": START}])
    sweep = Sweep("shop", empty(FEEDS), pl.DataFrame(schema=DELIVERY_ROWS), before)
    sweep.count({"observations": looks}, pl.DataFrame([{**point, "raw": 10}]), START + timedelta(hours=1))
    assert sweep.missed_levels == missed


def test_a_sweep_of_a_system_that_is_away_says_so(shop: SmallShop) -> None:
    shop.till.trouble[Dataset.STOCK] = Unreachable("the till is away")
    try:
        assert "away" in asyncio.run(Worker(shop.ctx, Metrics()).sweep("till")).trouble
    finally:
        shop.till.trouble.clear()
        asyncio.run(Worker(shop.ctx, Metrics()).sweep("till"))


def test_a_process_of_its_own_works_until_it_is_stopped(shop: SmallShop) -> None:
    async def lives() -> None:
        worker = Worker(shop.ctx, Metrics())
        running = asyncio.create_task(worker.run())
        shop.lies("k9", 8)
        tell(shop, "till", "k9")
        worker.hint()
        await worker.sweep("till")
        await worker.stop()
        await running

    asyncio.run(lives())
    work(shop)  # what was left, by the next process
    assert (shop.shows("k9"), shop.ctx.state.inbox.waiting()) == (8, [])


def test_deliveries_that_fail_together_with_one_bad_id_are_asked_for_in_halves_until_the_good_ones_are_through(
    shop: SmallShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_back, asked = shop.till.read_back, list[int]()

    async def stumbling(points: list[tuple[str, str]]) -> object:
        asked.append(len(points))
        if "bad" in [key for key, _ in points]:
            raise Unreachable("the till failed")
        return await read_back(points)

    monkeypatch.setattr(shop.till, "read_back", stumbling)
    worker = Worker(shop.ctx, Metrics())
    for key in ("k0", "k1", "k2", "bad", "k3", "k4", "k5", "k6", "k7", "k8"):
        tell(shop, "till", key)
    while len(shop.ctx.state.inbox.waiting()) > 1:
        work(shop, worker)
        shop.clock.at += timedelta(seconds=0.5)
        assert len(asked) < 20, asked
    assert [one.listing_keys for one in shop.ctx.state.inbox.waiting()] == [("bad",)]
    assert max(asked[1:]) < asked[0]
    tell(shop, "till", "k9")
    assert work(shop, worker).deliveries == 1  # what comes meanwhile is not asked for beside it
    shop.ctx.state.inbox.done(shop.ctx.state.inbox.waiting(), shop.clock.now())


def test_a_system_that_answers_nothing_is_asked_once_a_rest_however_many_deliveries_wait(
    shop: SmallShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[int]()

    async def away(points: list[tuple[str, str]]) -> object:
        asked.append(len(points))
        raise Unreachable("the till is away")

    worker = Worker(shop.ctx, Metrics())
    for n in range(16):
        tell(shop, "till", f"k{n}")
    with monkeypatch.context() as patch:
        patch.setattr(shop.till, "read_back", away)
        for _ in range(24):
            work(shop, worker)
            shop.clock.at += timedelta(seconds=1)
    assert len(asked) <= 15
    shop.clock.at += timedelta(seconds=30)
    came = [work(shop, worker).deliveries for _ in range(8)]
    assert (sum(came), shop.ctx.state.inbox.waiting()) == (16, [])


@pytest.mark.slow
def test_a_worker_that_ends_at_any_step_is_replaced_by_one_that_comes_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMALL_SHOP_TOKEN", "x")
    with small_shop(tmp_path) as shop:
        shop.lies("k0", 200)
        shop.run()
        assert shop.shows("k0") == 200
        for n in itertools.count(1, 3):
            wanted = 200 - n  # a raise would wait for the order feed
            shop.lies("k0", wanted)
            tell(shop, "till", "k0")
            fuse = Fuse(at(n))
            try:
                with fuse.watching():
                    work(shop)
            except Killed:
                shop.clock.at += timedelta(minutes=1)
                work(shop)
                shop.clock.at += timedelta(minutes=2)
                work(shop)
            assert (shop.shows("k0"), shop.ctx.state.inbox.waiting()) == (wanted, []), fuse.seen[-1]
            assert unequal(shop.ctx).is_empty()
            if not fuse.blown:
                break
        assert n > 10
