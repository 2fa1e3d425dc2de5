"""A day that the worker alone follows: it leaves what a batch run would have come to, and the channels show what they should."""

import asyncio
from pathlib import Path

import pytest

from invbi_pipeline.flows.decision.equality import unequal
from invbi_pipeline.live.metrics import Metrics
from invbi_pipeline.live.worker import Worker
from invbi_pipeline_tests.rehearsal import LAGS_S, Rehearsal, rehearsal

LOOKS = 5
APART_S = 900.0


async def follow(retailer: Rehearsal) -> tuple[int, list[dict[str, object]]]:
    """Sweep every system again and again while the world goes on; return what was sent and what is not the batch's."""
    async with retailer.open() as ctx:
        worker, sent = Worker(ctx, Metrics()), 0
        for look in range(LOOKS):
            if look == LOOKS - 1:
                retailer.world.freeze()
            retailer.world.advance(APART_S if look < LOOKS - 1 else LAGS_S)
            for system in ctx.channels:
                assert (await worker.sweep(system)).trouble == ""
            sent += (await worker.once()).sent
        retailer.world.advance(LAGS_S)
        for system in ctx.channels:
            await worker.sweep(system)
        await worker.once()
        return sent, unequal(ctx).to_dicts()


@pytest.mark.slow
def test_what_the_worker_left_after_hours_of_trade_is_what_a_whole_decision_comes_to(tmp_path: Path) -> None:
    with rehearsal(tmp_path, skus=40, faults=False, history_days=1) as retailer:
        retailer.run()
        sent, differing = asyncio.run(follow(retailer))
        assert differing == []
        assert sent > 0
        assert retailer.run().quiet  # a batch run finds nothing to do
