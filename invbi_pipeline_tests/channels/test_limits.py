import asyncio
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from invbi_pipeline.channels.limits import MARGIN, Budget, patiently
from invbi_pipeline.channels.protocol import Limit
from invbi_pipeline.errors import Throttled
from invbi_pipeline_tests.sandbox.serving import HandClock


def budget(clock: HandClock, rate: float = 100, burst: float = 1000, kept_back: float = 0.0) -> Budget:
    return Budget(Limit("graphql", rate, burst, "made up", kept_back=kept_back), clock)


def test_a_full_bucket_is_spent_at_once_and_then_refills_at_its_rate() -> None:
    clock = HandClock()
    points = budget(clock)
    assert asyncio.run(points.spend(999)) == 0
    assert asyncio.run(points.spend(250)) == pytest.approx(2.5 / MARGIN, abs=0.01)


def test_a_slow_rate_such_as_one_in_45_seconds_is_kept_with_its_margin() -> None:
    clock = HandClock()
    slow = budget(clock, rate=1 / 45, burst=1)
    waits = [asyncio.run(slow.spend()) for _ in range(3)]
    assert waits == pytest.approx([0, 45 / MARGIN, 45 / MARGIN], abs=0.01)


def test_points_the_platform_says_are_left_are_believed() -> None:
    clock = HandClock()
    points = budget(clock)
    points.observe(available=40)
    assert points.available == pytest.approx(40, abs=1)
    assert asyncio.run(points.spend(140)) == pytest.approx(1.0 / MARGIN, abs=0.02)


def test_a_restore_rate_the_platform_states_replaces_the_published_one() -> None:
    clock = HandClock()
    points = budget(clock)
    points.observe(available=0, restore=1000, burst=2000)
    assert (points.rate, points.burst) == (1000, 2000)
    assert asyncio.run(points.spend(500)) == pytest.approx(0.5 / MARGIN, abs=0.01)


def test_a_cost_above_the_burst_takes_the_whole_burst_instead_of_waiting_for_ever() -> None:
    assert asyncio.run(budget(HandClock()).spend(5000)) == 0


@dataclass
class StoppedClock:
    """A clock on which no time passes."""

    def now(self) -> datetime:
        return datetime(2026, 9, 1, tzinfo=UTC)

    async def sleep(self, seconds: float) -> None:
        return None


def test_a_clock_that_stands_still_is_an_error_and_not_an_endless_wait() -> None:
    stuck = Budget(Limit("x", 1, 1, "made up"), StoppedClock())
    asyncio.run(stuck.spend())
    with pytest.raises(Throttled):
        asyncio.run(stuck.spend())


class SharedClock(HandClock):
    """A clock that moves only when all who wait have had their say."""

    async def sleep(self, seconds: float) -> None:
        until = self.now() + timedelta(seconds=seconds)
        for _ in range(9):
            await asyncio.sleep(0)
        self.at = max(self.at, until)


async def taken(points: Budget, cost: float, name: str, order: list[str], *, patient: bool = False) -> None:
    with patiently() if patient else nullcontext():
        await points.spend(cost)
    order.append(name)


def test_who_is_patient_leaves_a_part_of_the_burst_to_who_cannot_wait() -> None:
    async def pages_and_a_push() -> list[float]:
        points = budget(clock := HandClock(), kept_back=0.25)
        with patiently():
            first, second = await points.spend(700), await points.spend(100)
        assert points.available == pytest.approx(250, abs=5)
        began = clock.now()
        urgent = await points.spend(240)
        assert clock.now() == began
        return [first, second, urgent]

    assert asyncio.run(pages_and_a_push()) == [0, pytest.approx(0.5 / MARGIN, abs=0.05), 0]


def test_who_cannot_wait_goes_before_who_is_patient() -> None:
    async def at_once() -> list[str]:
        points, order = budget(SharedClock(), burst=100), list[str]()
        await points.spend(99)
        pages = [taken(points, 60, f"page {n}", order, patient=True) for n in (1, 2)]
        await asyncio.gather(*pages, *(taken(points, 60, f"push {n}", order) for n in (1, 2)))
        return order

    assert asyncio.run(at_once()) == ["push 1", "push 2", "page 1", "page 2"]


def test_patience_ends_so_that_a_feed_comes_in_however_much_is_pushed() -> None:
    async def flooded() -> list[str]:
        points, order = budget(SharedClock(), burst=100), list[str]()
        await points.spend(99)

        async def lane() -> None:
            for n in range(40):
                await taken(points, 99, f"push {n}", order)

        await asyncio.gather(taken(points, 99, "page", order, patient=True), lane(), lane())
        return order

    assert 20 < asyncio.run(flooded()).index("page") < 60
