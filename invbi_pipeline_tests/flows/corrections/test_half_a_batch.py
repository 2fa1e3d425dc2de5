"""A batch of which the first rows had their effect before the line was cut: nothing is done twice, and nothing is forgotten."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from invbi_pipeline.cli.bench.push_shops import OPENING
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.corrections.prove import push_and_prove
from invbi_pipeline.flows.corrections.push import push
from invbi_pipeline.sandbox.contract import Wire as AccountWire
from invbi_pipeline_tests.faults import Trouble
from invbi_pipeline_tests.flows.corrections.stage import Go, Stage, intend, opened_stage
from invbi_pipeline_tests.rehearsal import is_write

Way = Callable[[httpx.Request, Go], Awaitable[httpx.Response]]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with opened_stage(tmp_path) as stage:
        yield stage


def half_of_the_first(stage: Stage, system: str, ctx: Context) -> Way:
    """Return a wire on which of the first write to this system half the rows arrive."""

    def account(request: httpx.Request) -> AccountWire:
        wire: AccountWire = stage.shops.accounts[system].wire
        return wire

    trouble = Trouble("half a batch applied", 1, account, ctx.clock)

    async def way(request: httpx.Request, go: Go) -> httpx.Response:
        return await (trouble(request, go) if is_write(request) else go(request))

    return way


@pytest.mark.parametrize(
    ("system", "outcomes", "shown"),
    [
        ("square", {"ambiguous": 4}, [7, 7, OPENING, OPENING]),  # to be settled by reading back
        ("shopify", {"accepted": 2, "stale": 2}, [7, 7, 7, 7]),  # it compares: asked again, it says which moved already
    ],
)
def test_where_half_a_batch_had_its_effect_no_row_is_sent_blindly_again(
    stage: Stage, system: str, outcomes: dict[str, int], shown: list[int]
) -> None:
    async def work(ctx: Context) -> None:
        stage.wire.way = half_of_the_first(stage, system, ctx)
        intend(ctx, *(stage.approved(system, n, 7) for n in range(4)))
        assert (await push(ctx)).outcomes == outcomes
        assert sorted(stage.number(system, n) for n in range(4)) == shown
        asked = len(stage.wire.asked)
        await ctx.clock.sleep(60)
        assert not (await push(ctx)).outcomes
        assert len(stage.wire.asked) == asked

    stage.do(work)


def test_of_a_kit_s_order_line_only_the_components_that_the_ledger_shows_are_booked_and_the_rest_follows(stage: Stage) -> None:
    """One order line is a movement of each component, all by one reference: one that is there says nothing of the others."""

    def booking(n: int) -> dict[str, Any]:
        return stage.approved("square", n, -1, kind="post", movement_ref="shopify/kit-order", from_qty=None, target=None)

    async def work(ctx: Context) -> None:
        stage.wire.way = half_of_the_first(stage, "square", ctx)
        intend(ctx, booking(0), booking(1))
        await push_and_prove(ctx, "r1")
        stage.wire.way = lambda request, go: go(request)
        assert [stage.number("square", n) for n in (0, 1)] == [OPENING - 1, OPENING]
        assert sorted(ctx.state.outbox.in_state()["state"]) == ["approved", "verified"]

        await push_and_prove(ctx, "r2")
        assert [stage.number("square", n) for n in (0, 1)] == [OPENING - 1, OPENING - 1]
        assert sorted(ctx.state.outbox.in_state()["state"]) == ["verified", "verified"]

    stage.do(work)
