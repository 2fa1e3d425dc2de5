"""A shop of 50,000 items read for the first time by the bulk route, from the emulated platform in this process."""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from invbi_pipeline.channels.registry import facts_of
from invbi_pipeline.channels.shopify import ShopifyChannel
from invbi_pipeline.cli.bench.report import Result, Target
from invbi_pipeline.config import SystemConfig
from invbi_pipeline.domain.words import Dataset, Role

__all__ = ["bench_catalogue"]

_SECRETS: Final = {"token": "bench-token", "webhook_secret": "bench-secret"}


class _Clock:
    """The emulator's clock, which waiting moves."""

    def __init__(self, at: datetime) -> None:
        self._at = at
        self.moved: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        return self._at

    async def sleep(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)
        self.moved()


def bench_catalogue(items: int = 50_000) -> Result:
    """Read listings and stock of `items` items; report requests, seconds of work, and seconds waited on the shop's clock."""
    from invbi_pipeline.sandbox.contract import ItemSpec
    from invbi_pipeline.sandbox.shopify import ShopifyAccount
    from invbi_pipeline.sandbox.world.clock import GO_LIVE

    clock = _Clock(GO_LIVE)
    account = ShopifyAccount("shop", clock, random.Random(1), "http://sandbox.test", _SECRETS)
    clock.moved = account.tick
    place = account.add_location("1", "Warehouse")
    for n in range(items):
        key = account.add_item(ItemSpec(f"SKU-{n:05d}", "", f"Thing {n}", f"style-{n // 8}", {"Size": str(n % 8)}, 9.5, "GBP"))
        account.stock(key, place, n % 50)
    config = SystemConfig(platform="shopify", roles=(Role.SELLS,), base_url="http://sandbox.test")
    figures: dict[str, Any] = {"items": items, "bulk route above": facts_of("shopify").bulk_above}

    async def read() -> int:
        transport = httpx.ASGITransport(app=account.app)
        channel = ShopifyChannel("shop", config, _SECRETS, clock=clock, rng=random.Random(1), transport=transport)
        rows = 0
        for dataset in (Dataset.LISTINGS, Dataset.STOCK):
            began, asked = time.perf_counter(), clock.now()
            reading = await channel.read(dataset)
            rows += reading.frames[str(dataset)].height
            figures[f"{dataset}: requests"] = reading.requests
            figures[f"{dataset}: seconds of work, the emulator's included"] = round(time.perf_counter() - began, 1)
            figures[f"{dataset}: seconds waited on the shop's clock"] = round((clock.now() - asked).total_seconds())
        await channel.aclose()
        return rows

    rows = asyncio.run(read())
    return Result("catalogue", figures, (Target("rows read", rows, f"{2 * items}", rows == 2 * items),))
