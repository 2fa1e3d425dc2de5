"""A till that counts one shelf and a web shop that sells from it: the whole loop on real stores, with channels from a script."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from invbi_pipeline.channels.protocol import Write, WriteOutcome, WriteResult
from invbi_pipeline.config import load_config
from invbi_pipeline.domain.words import CorrectionKind
from invbi_pipeline.flows.context import Context, open_stores
from invbi_pipeline.flows.run import RunResult, run
from invbi_pipeline_tests.flows.scripted import START, ScriptedChannel, TurnedClock

__all__ = ["SmallShop", "WritingChannel", "small_shop"]

CONFIG = """
[business]
name = "Small shop"
[locations.soho]
kind = "store"
counted_by = "till"
[systems.till]
platform = "square"
roles = ["counts"]
secrets.token = { env = "SMALL_SHOP_TOKEN" }
locations = { "1" = "soho" }
[systems.shop]
platform = "square"
roles = ["sells"]
secrets.token = { env = "SMALL_SHOP_TOKEN" }
mode = "auto"
locations = { "1" = "soho" }
[policies]
prices = "prices.csv"
"""


class WritingChannel(ScriptedChannel):
    """Shows what was last written to it; `sending` is called before each.

    `refused` names the listings it takes nothing for, `deaf` those where it says that it does and does not.
    """

    def __init__(self, system: str, clock: TurnedClock) -> None:
        super().__init__(system, clock)
        self.facts = replace(
            self.facts, writes=frozenset({CorrectionKind.SET}), write_batch=2, compare_and_set=True, visibility_lag=timedelta(0)
        )
        self.refused: set[str] = set()
        self.deaf: set[str] = set()
        self.written: list[Write] = []
        self.sending: Callable[[], None] = lambda: None

    async def write(self, writes: Sequence[Write]) -> AsyncIterator[WriteResult]:
        self.sending()
        self.written += writes
        for one in writes:
            if one.listing_key in self.refused:
                yield WriteResult(one.correction_id, WriteOutcome.REJECTED, self.clock.now(), "no", "the item is archived", "{}")
                continue
            row = next(row for row in self.frames["stock"] if row["listing_key"] == one.listing_key)
            if one.listing_key not in self.deaf:
                row["quantity"] = one.quantity
            yield WriteResult(one.correction_id, WriteOutcome.ACCEPTED, self.clock.now(), answer='{"ok":true}')


class SmallShop:
    """`skus` things, ten of each on the shelf and in the shop. Every run is five minutes after the last."""

    def __init__(self, folder: Path, more: str = "", skus: int = 4, at: datetime = START) -> None:
        self.path = folder / "invbi.toml"
        self.path.write_text(CONFIG + more, encoding="utf-8")
        self.keys = [f"k{n}" for n in range(skus)]
        prices = "".join(f"{key},{n + 1}.00,0.50,GBP\n" for n, key in enumerate(self.keys[:-1]))  # the last has no price
        (folder / "prices.csv").write_text(f"sku,price,cost,currency\n{prices}", encoding="utf-8")
        self.clock = TurnedClock(at)
        self.till, self.shop = ScriptedChannel("till", self.clock), WritingChannel("shop", self.clock)
        for channel in (self.till, self.shop):
            channel.frames["listings"] = [{"listing_key": key, "raw_sku": key, "title": f"Thing {key}"} for key in self.keys]
            channel.frames["stock"] = [{"listing_key": key, "location_key": "1", "quantity": 10} for key in self.keys]
        config = load_config(self.path)
        warehouse, state = open_stores(config)
        channels = {"till": self.till, "shop": self.shop}
        self.ctx = Context(config, self.clock, channels, warehouse, state, random.Random(1))

    def reload(self, old: str, new: str) -> None:
        """Let somebody change the configuration."""
        self.path.write_text(self.path.read_text().replace(old, new), encoding="utf-8")
        self.ctx.config = load_config(self.path)

    def lies(self, key: str, quantity: int) -> None:
        """Let the till count so many on the shelf."""
        next(row for row in self.till.frames["stock"] if row["listing_key"] == key)["quantity"] = quantity

    def shows(self, key: str) -> int:
        return int(next(row for row in self.shop.frames["stock"] if row["listing_key"] == key)["quantity"])

    def edited(self, key: str, quantity: int) -> None:
        """Let somebody edit the shop's number by hand."""
        next(row for row in self.shop.frames["stock"] if row["listing_key"] == key)["quantity"] = quantity

    def sold(self, key: str, order: str) -> None:
        """Let the shop sell one, and say so."""
        self.edited(key, self.shows(key) - 1)
        effect = {"effect_id": f"{order}/1/sale", "listing_key": key, "location_key": "1", "kind": "sale", "units": -1}
        self.shop.frames.setdefault("effects", []).append({**effect, "stamped_at": self.clock.now() - timedelta(minutes=3)})

    def run(self, *, dry_run: bool = False) -> RunResult:
        self.clock.at += timedelta(minutes=5)
        return asyncio.run(run(self.ctx, dry_run=dry_run, publishing=False))

    def corrections(self, *states: str) -> pl.DataFrame:
        return self.ctx.state.outbox.in_state(*states)


@contextmanager
def small_shop(folder: Path, more: str = "", skus: int = 4, at: datetime = START) -> Iterator[SmallShop]:
    """Open one that has been looked at twice: everything agrees."""
    made = SmallShop(folder, more, skus, at)
    try:
        made.run()
        made.run()
        yield made
    finally:
        made.ctx.state.close()
