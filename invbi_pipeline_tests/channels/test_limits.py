import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from invbi_pipeline.channels.limits import MARGIN, Budget
from invbi_pipeline.channels.protocol import Limit
from invbi_pipeline.errors import Throttled
from invbi_pipeline_tests.sandbox.serving import HandClock


def budget(clock: HandClock, rate: float = 100, burst: float = 1000) -> Budget:
    return Budget(Limit("graphql", rate, burst, "made up"), clock)


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
