"""Turns: a batch run and the event process never decide at once, and one that ended without a word holds nobody up."""

import asyncio
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from invbi_pipeline.config import Config
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.decision.turn import STALE, EventTurn, whole_turn
from invbi_pipeline.store.warehouse import Warehouse
from invbi_pipeline_tests.flows.scripted import TurnedClock
from invbi_pipeline_tests.live.door import state_in


@pytest.fixture
def ctx(tmp_path: Path) -> Iterator[Context]:
    systems = {"till": {"platform": "square", "roles": ["counts"], "locations": {"1": "soho"}}}
    places = {"soho": {"kind": "store", "counted_by": "till"}}
    said = {"business": {"name": "x"}, "systems": systems, "locations": places, "path": tmp_path / "invbi.toml"}
    with state_in(tmp_path) as state:
        config = Config.model_validate(said)
        yield Context(config, TurnedClock(), {}, Warehouse(tmp_path / "w.duckdb"), state, random.Random(1))


def test_the_event_process_has_the_turn_until_a_run_wants_it(ctx: Context) -> None:
    turn = EventTurn(ctx)
    assert turn.take()
    turn.give()
    with whole_turn(ctx):
        assert not turn.take()
        turn.give()
    assert turn.take()


def test_a_run_waits_until_the_event_process_has_stepped_aside(ctx: Context) -> None:
    turn, order = EventTurn(ctx), list[str]()

    def run() -> None:
        with whole_turn(ctx):
            order.append("run")

    async def both() -> None:
        assert turn.take()
        running = asyncio.create_task(asyncio.to_thread(run))
        while not await asyncio.to_thread(lambda: turn.wanted):
            pass
        order.append("events")
        turn.give()
        await running

    asyncio.run(both())
    assert order == ["events", "run"]


def test_a_run_says_that_it_decided_and_one_that_only_looks_does_not(ctx: Context) -> None:
    turn = EventTurn(ctx)
    with whole_turn(ctx):
        pass
    decided = turn.decided
    with whole_turn(ctx, changes=False):
        pass
    assert decided
    assert turn.decided == decided


def test_an_event_process_that_ended_without_a_word_is_not_waited_for(ctx: Context) -> None:
    EventTurn(ctx).take()
    assert isinstance(ctx.clock, TurnedClock)
    ctx.clock.at += STALE + timedelta(seconds=1)
    with whole_turn(ctx):
        assert not EventTurn(ctx).take()
