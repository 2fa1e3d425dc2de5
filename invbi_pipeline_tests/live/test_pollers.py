"""How often each system is looked at, by its rate budget and by whether its platform tells; and what nobody had told."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from invbi_pipeline.channels.limits import Budget
from invbi_pipeline.channels.protocol import Limit
from invbi_pipeline.config import load_config
from invbi_pipeline.errors import StoreBusy
from invbi_pipeline.flows.context import Context
from invbi_pipeline.live.metrics import Metrics
from invbi_pipeline.live.pollers import Announced, follow, last_sweeps
from invbi_pipeline.live.worker import SweepResult
from invbi_pipeline.store.state import open_state
from invbi_pipeline.store.warehouse import Warehouse
from invbi_pipeline_tests.sandbox.serving import HandClock

CONFIG = """
[business]
name = "x"
[systems.shop]
platform = "shopify"
roles = ["sells"]
account = "a.myshopify.com"
[serve]
poll_s = 15
sweep_s = 240
"""


@dataclass
class Looks:
    """A worker whose sweeps are written down; each spends some of a budget, finds what it is told to, and takes a while."""

    clock: HandClock
    stop: asyncio.Event
    most: int
    limit: Limit = field(default_factory=lambda: Limit("read", 10, 100, "a test"))
    cost: float = 1.0
    takes_s: float = 0.0
    missed: int = 0
    trouble: Exception | str = ""
    budget: Budget | None = None
    at: list[float] = field(default_factory=list)

    async def sweep(self, system: str) -> SweepResult:
        self.at.append(self.clock.now().timestamp())
        if len(self.at) == self.most:
            self.stop.set()
        if isinstance(self.trouble, Exception):
            raise self.trouble
        assert self.budget is not None
        await self.budget.spend(self.cost)
        self.clock.pass_s(self.takes_s)
        return SweepResult(system, 3, self.missed, 0, self.trouble)

    @property
    def distances(self) -> list[float]:
        return [round(later - earlier, 1) for earlier, later in zip(self.at, self.at[1:], strict=False)]


@contextmanager
def context(folder: Path, clock: HandClock) -> Iterator[Context]:
    folder.mkdir(exist_ok=True)
    (folder / "invbi.toml").write_text(CONFIG, encoding="utf-8")
    state = open_state("sqlite:///state.db", folder)
    yield Context(load_config(folder / "invbi.toml"), clock, {}, Warehouse(folder / "w.duckdb"), state, random.Random(1))
    state.close()


def followed(folder: Path, announced: Announced | None = None, most: int = 5, **how: Any) -> tuple[Looks, Metrics, Announced]:
    """Follow the shop for so many looks."""
    clock, metrics, told = HandClock(), Metrics(), announced or Announced()

    async def run() -> Looks:
        stop = asyncio.Event()
        looks = Looks(clock, stop, most, **how)
        with context(folder, clock) as ctx:
            looks.budget = Budget(looks.limit, clock, ctx.state.budgets.ledger("shop", "read"))
            await follow(ctx, "shop", looks, told, metrics, stop)
            assert last_sweeps(ctx.state.marks("sweep:")) or how.get("trouble")
        return looks

    return asyncio.run(run()), metrics, told


def shown(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_a_system_that_announces_nothing_is_looked_at_as_often_as_configured_where_its_budget_allows(tmp_path: Path) -> None:
    looks, metrics, _ = followed(tmp_path)
    assert looks.distances == [15.0] * 4
    assert shown(metrics, "invbi_sweep_interval_seconds", system="shop") == 15.0


def test_a_slow_budget_decides_and_what_a_look_took_has_flowed_back_before_the_next(tmp_path: Path) -> None:
    looks, _, _ = followed(tmp_path, limit=Limit("read", 0.0056, 20, "searchOrders"))
    assert all(180 <= distance <= 185 for distance in looks.distances)
    assert looks.budget is not None
    assert looks.budget.available >= 17  # of 19; five looks without a pause would have left 14


def test_no_budget_makes_it_rarer_than_every_five_minutes(tmp_path: Path) -> None:
    looks, _, _ = followed(tmp_path, limit=Limit("read", 0.001, 20, "a test"))
    assert looks.distances == [300.0] * 4


def test_a_look_that_takes_long_is_part_of_the_distance(tmp_path: Path) -> None:
    looks, _, _ = followed(tmp_path, takes_s=10.0)
    assert looks.distances == [15.0] * 4


def test_a_system_that_tells_is_swept_at_a_longer_distance_until_it_was_caught_silent(tmp_path: Path) -> None:
    looks, metrics, announced = followed(tmp_path / "quiet", Announced({"shop"}))
    assert looks.distances == [240.0] * 4
    looks, metrics, announced = followed(tmp_path / "silent", Announced({"shop"}), missed=2)
    assert looks.distances == [15.0] * 4
    assert shown(metrics, "invbi_missed_events_total", platform="shopify", system="shop", kind="order") == 10
    looks.clock.pass_s(3600)
    assert announced.by("shop", looks.clock.now())


def test_what_a_system_does_not_announce_that_nobody_expects_to_announce_it_is_not_missed(tmp_path: Path) -> None:
    _, metrics, _ = followed(tmp_path, missed=2)
    assert not shown(metrics, "invbi_missed_events_total", platform="shopify", system="shop", kind="order")


@pytest.mark.parametrize("trouble", ["shop did not answer", StoreBusy("held")])
def test_a_look_that_fails_is_counted_and_the_next_one_comes(tmp_path: Path, trouble: Exception | str) -> None:
    looks, metrics, _ = followed(tmp_path, trouble=trouble)
    assert len(looks.at) == 5
    assert shown(metrics, "invbi_sweeps_total", system="shop", outcome="failed") == 5
    assert shown(metrics, "invbi_sweep_interval_seconds", system="shop") is None
