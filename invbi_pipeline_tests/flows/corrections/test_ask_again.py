"""A movement of unknown outcome, booked where no ledger would ever tell of it: asked again under its key, it is done once."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from invbi_pipeline.cli.bench.push_shops import OPENING
from invbi_pipeline.domain.words import Mode
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.corrections.push import ask_again, push, recover
from invbi_pipeline.flows.corrections.switch import pause
from invbi_pipeline_tests.flows.corrections.stage import Go, Stage, intend, opened_stage
from invbi_pipeline_tests.rehearsal import is_write

Way = Callable[[httpx.Request, Go], Awaitable[httpx.Response]]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with opened_stage(tmp_path) as stage:
        yield stage


def booking(stage: Stage, n: int = 0) -> dict[str, Any]:
    movement = {"kind": "post", "movement_ref": f"amazon/order-{n}", "from_qty": None, "target": None}
    return stage.approved("shopify", n, -3, **movement)


def silent(*, arrives: bool) -> Way:
    """Return a wire on which a change gets no answer, whether or not it arrived."""

    async def way(request: httpx.Request, go: Go) -> httpx.Response:
        if not is_write(request):
            return await go(request)
        if arrives:
            await go(request)
        raise httpx.ReadTimeout("no answer", request=request)

    return way


async def doubted(stage: Stage, ctx: Context, *rows: dict[str, Any], arrives: bool) -> None:
    """Send movements whose outcome stays unknown; from then on the wire is well again."""
    well, stage.wire.way = stage.wire.way, silent(arrives=arrives)
    intend(ctx, *rows)
    assert (await push(ctx)).outcomes == {"ambiguous": len(rows)}
    stage.wire.way = well
    await ctx.clock.sleep(300)  # as the next run comes; the breaker has closed again


@pytest.mark.parametrize("arrives", [True, False])
def test_it_is_done_once_whether_or_not_it_had_arrived(stage: Stage, arrives: bool) -> None:
    async def work(ctx: Context) -> None:
        await doubted(stage, ctx, booking(stage), arrives=arrives)
        assert stage.number("shopify", 0) == (OPENING - 3 if arrives else OPENING)
        assert await ask_again(ctx) == 1
        assert stage.number("shopify", 0) == OPENING - 3
        assert set(stage.states(ctx).values()) == {"accepted"}
        assert await ask_again(ctx) == 0

    stage.do(work)


def test_one_that_was_being_sent_when_the_process_ended_is_asked_again(stage: Stage) -> None:
    async def work(ctx: Context) -> None:
        intend(ctx, booking(stage))
        (name,) = stage.states(ctx)
        ctx.state.outbox.advance_all([(name, {"sent_at": ctx.clock.now()})], "approved", "sending", ctx.clock.now())
        assert (recover(ctx), await ask_again(ctx), stage.number("shopify", 0)) == (1, 1, OPENING - 3)

    stage.do(work)


def test_while_it_stays_unanswered_it_stays_in_doubt_and_its_age_is_that_of_the_first_time(stage: Stage) -> None:
    async def work(ctx: Context) -> None:
        await doubted(stage, ctx, booking(stage), arrives=True)
        first = ctx.state.outbox.in_state("ambiguous")["sent_at"].item()
        stage.wire.way = silent(arrives=True)
        await ctx.clock.sleep(3600)
        assert await ask_again(ctx) == 1
        assert ctx.state.outbox.in_state("ambiguous")["sent_at"].item() == first
        assert stage.number("shopify", 0) == OPENING - 3

    stage.do(work)


def test_one_that_is_older_than_its_key_is_left_to_a_person(stage: Stage) -> None:
    async def work(ctx: Context) -> None:
        await doubted(stage, ctx, booking(stage), arrives=False)
        await ctx.clock.sleep(timedelta(hours=24).total_seconds())
        asked = len(stage.wire.asked)
        assert (await ask_again(ctx), len(stage.wire.asked)) == (0, asked)

    stage.do(work)


def test_nothing_is_asked_of_a_system_that_is_paused_or_only_observed(stage: Stage) -> None:
    async def work(ctx: Context) -> None:
        await doubted(stage, ctx, booking(stage), arrives=False)
        systems = ctx.config.systems
        only_observed = {**systems, "shopify": systems["shopify"].model_copy(update={"mode": Mode.OBSERVE})}
        observing = replace(ctx, config=ctx.config.model_copy(update={"systems": only_observed}))
        assert await ask_again(observing) == 0
        pause(ctx.state, "shopify", "ana", "", ctx.clock.now())
        assert await ask_again(ctx) == 0

    stage.do(work)


def test_numbers_and_what_a_ledger_tells_of_are_settled_by_looking(stage: Stage) -> None:
    async def work(ctx: Context) -> None:
        await doubted(stage, ctx, stage.approved("shopify", 0, 7), stage.approved("square", 0, 7), arrives=True)
        assert await ask_again(ctx) == 0

    stage.do(work)
