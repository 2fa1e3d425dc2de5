"""The search for a limit that nobody publishes, against the emulator's own bucket."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from invbi_pipeline.channels.limits import Budget
from invbi_pipeline.channels.pace import FASTEST, SLOWEST, Pace
from invbi_pipeline.channels.protocol import Limit
from invbi_pipeline.channels.shared import Memory
from invbi_pipeline.sandbox.wire import Bucket
from invbi_pipeline_tests.sandbox.serving import HandClock

_LATENCY_S = 0.01
_UNPUBLISHED = Limit("*", rate=8, burst=1, source="made up", published=False)


def drive(clock: HandClock, budget: Budget, bucket: Bucket, requests: int) -> tuple[float, int]:
    """Send so many requests; return the share of the bucket's rate that was used, and how many were refused."""
    began, refused = clock.now(), 0

    async def one() -> bool:
        await budget.spend()
        await clock.sleep(_LATENCY_S)
        taken = bucket.take()
        budget.accepted() if taken else budget.refused()
        return taken

    for _ in range(requests):
        while not asyncio.run(one()):
            refused += 1
            clock.pass_s(0.25)
    return requests / ((clock.now() - began).total_seconds() * bucket.rate), refused


@pytest.mark.parametrize("hidden", [2, 5, 15, 40])
def test_the_pace_converges_to_the_hidden_limit_and_is_hardly_ever_refused(hidden: float) -> None:
    clock = HandClock()
    budget, bucket = Budget(_UNPUBLISHED, clock), Bucket(clock, hidden, 2 * hidden)
    drive(clock, budget, bucket, 400)
    used, refused = drive(clock, budget, bucket, 1500)
    assert used >= 0.9
    assert refused <= 15


def test_a_limit_that_fell_is_found_again() -> None:
    clock = HandClock()
    budget = Budget(_UNPUBLISHED, clock)
    drive(clock, budget, Bucket(clock, 20, 40), 600)
    drive(clock, budget, Bucket(clock, 4, 8), 150)
    used, refused = drive(clock, budget, Bucket(clock, 4, 8), 600)
    assert used >= 0.9
    assert refused <= 8


def test_what_was_learnt_is_there_for_the_next_process() -> None:
    clock, ledger = HandClock(), Memory()
    first = Budget(_UNPUBLISHED, clock, ledger)
    drive(clock, first, Bucket(clock, 20, 40), 600)
    assert Budget(_UNPUBLISHED, clock, ledger).rate == first.rate != _UNPUBLISHED.rate


def test_the_pace_stays_within_its_ends() -> None:
    at = datetime(2026, 9, 1, tzinfo=UTC)
    pace = Pace(1.0)
    for n in range(100):
        pace = pace.refused(at + timedelta(seconds=n))
    assert pace.rate == SLOWEST
    for _ in range(5000):
        pace = pace.accepted()
    assert pace.rate <= FASTEST
