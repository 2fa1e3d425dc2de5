"""Several receivers before one PostgreSQL: what a platform sends to all of them is stored once, and worked on once."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine

from invbi_pipeline.cli.bench.live import door
from invbi_pipeline.live.metrics import Metrics
from invbi_pipeline.live.worker import Worker
from invbi_pipeline_tests.flows.small_shop import SmallShop, small_shop
from invbi_pipeline_tests.live.door import shopify_headers
from invbi_pipeline_tests.live.knocking import SECRET, RunningDoor, running_door
from invbi_pipeline_tests.store.postgres import cluster

EVENTS = 120
AT_ONCE = 16


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallShop]:
    """A shop whose state store is an empty PostgreSQL."""
    monkeypatch.setenv("SMALL_SHOP_TOKEN", "x")
    with cluster() as server:
        engine = create_engine(f"{server}postgres", isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql("CREATE DATABASE doors")
        engine.dispose()
        with small_shop(tmp_path, f'[store]\nstate_url = "{server}doors"\n') as made:
            yield made


async def knock(doors: Sequence[RunningDoor], numbers: Sequence[int]) -> list[bool]:
    """Send a delivery for each number to every door, many at once; return of each answer whether it was new there."""
    slots = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(timeout=30.0, trust_env=False) as client:

        async def send(address: str, number: int) -> bool:
            body = f'{{"inventory_item_id": "k{number % 4}", "location_id": 1}}'.encode()
            headers = shopify_headers(body, "inventory_levels/update", f"d{number}", SECRET)
            async with slots:
                answer = await client.post(f"{address}/webhooks/{door.SYSTEM}", content=body, headers=headers)
            return bool(answer.raise_for_status().json()["stored"])

        return await asyncio.gather(*(send(one.address, number) for number in numbers for one in doors))


@pytest.mark.slow
def test_two_receivers_before_one_postgresql_store_each_event_once_and_it_is_worked_on_once(
    shop: SmallShop, tmp_path: Path
) -> None:
    dice = random.Random(3)
    every = list(range(EVENTS))
    url = shop.ctx.config.store.state_url
    with running_door(tmp_path, url) as first, running_door(tmp_path, url) as second:
        new = asyncio.run(knock([first, second], dice.sample([*every, *every], 2 * EVENTS)))

    assert new.count(True) == EVENTS
    assert {one.delivery_id for one in shop.ctx.state.inbox.waiting()} == {f"d{n}" for n in every}
    done = [asyncio.run(Worker(shop.ctx, Metrics()).once()).deliveries for _ in range(2)]
    assert (done, shop.ctx.state.inbox.waiting()) == ([EVENTS, 0], [])
