"""The measurement of pushes: a whole loop in virtual time, and the loop on which it runs."""

import asyncio

import pytest

from invbi_pipeline.cli.bench import push as bench
from invbi_pipeline.cli.bench.leap import LeapClock, LeapLoop
from invbi_pipeline.cli.bench.push_shops import CHANNELS
from invbi_pipeline.sandbox.world.clock import GO_LIVE


def test_who_waits_side_by_side_wakes_in_order_and_the_time_is_that_of_the_longest() -> None:
    clock, woke = LeapClock(GO_LIVE), list[float]()

    async def wait(seconds: float) -> None:
        await clock.sleep(seconds)
        woke.append(seconds)

    async def all_three() -> None:
        await asyncio.gather(wait(3600), wait(1), wait(60))

    with asyncio.Runner(loop_factory=LeapLoop) as runner:
        clock.follow(runner.get_loop())
        runner.run(all_three())
        assert (clock.now() - GO_LIVE).total_seconds() == 3600
    assert woke == [1, 60, 3600]


def test_what_waits_for_nothing_that_will_happen_is_an_error() -> None:
    async def never() -> None:
        await asyncio.get_running_loop().create_future()

    with asyncio.Runner(loop_factory=LeapLoop) as runner, pytest.raises(RuntimeError, match="nothing will ever happen"):
        runner.run(never())


@pytest.mark.slow
def test_every_number_ends_right_and_none_is_written_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_SMALL_READS", 20)
    result = bench.bench_push(220)
    kept = {target.name: target.value for target in result.targets}
    assert [name for name, value in kept.items() if ("twice" in name or "wrong" in name) and value] == []
    assert [kept[name] for name in ("shopify: requests throttled", "amazon: requests answered 429")] == [0, 0]
    assert result.figures["amazon: feeds"] == 1
    assert {result.figures[f"{name}: ended"] for name in CHANNELS} == {"verified 220"}
