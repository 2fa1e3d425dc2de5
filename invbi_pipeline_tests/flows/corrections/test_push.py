"""Sending, against the emulated platforms in this process: whose turn it is, what an answer makes of a correction, who waits."""

import asyncio
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import httpx
import pytest

from invbi_pipeline.cli.bench.push_shops import CHANNELS, OPENING
from invbi_pipeline.domain.words import CorrectionState, Mode
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.corrections.correct import plan
from invbi_pipeline.flows.corrections.prove import push_and_prove
from invbi_pipeline.flows.corrections.push import MOST_ATTEMPTS, push
from invbi_pipeline.flows.corrections.switch import pause, resume
from invbi_pipeline_tests.flows.corrections.stage import Go, Stage, intend, opened_stage
from invbi_pipeline_tests.rehearsal import changes, is_write


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with opened_stage(tmp_path) as stage:
        yield stage


def test_an_answer_that_breaks_in_the_read_before_the_write_leaves_the_correction_approved(stage: Stage) -> None:
    async def work(ctx: Context) -> None:
        intend(ctx, stage.approved("square", 0, 7))
        stage.shops.accounts["square"].wire.fail_next.extend(["cut"] * 20)
        result = await push(ctx)
        assert set(result.troubles) == {"square"}
        assert stage.states(ctx) == {"c-square-0-v1": "approved"}
        stage.shops.accounts["square"].wire.fail_next.clear()
        await ctx.clock.sleep(60)  # its breaker rests
        assert (await push(ctx)).sent == 1

    stage.do(work)
    assert stage.number("square", 0) == 7


def test_what_comes_to_nothing_too_often_is_dead_with_the_reason(stage: Stage) -> None:
    async def way(request: httpx.Request, go: Go) -> httpx.Response:
        if b"inventoryAdjustQuantities" not in request.content:
            return await go(request)
        error = {"field": None, "code": "SERVICE_UNAVAILABLE", "message": "Inventory is being changed elsewhere"}
        said = {"inventoryAdjustQuantities": {"inventoryAdjustmentGroup": None, "userErrors": [error]}}
        date = f"{stage.clock.now():%a, %d %b %Y %H:%M:%S GMT}"
        return httpx.Response(200, json={"data": said}, headers={"Date": date}, request=request)

    async def work(ctx: Context) -> None:
        intend(ctx, stage.approved("shopify", 0, -2, kind="post", from_qty=None, movement_ref="till/m1"))
        stage.wire.way = way
        for tries in range(1, MOST_ATTEMPTS + 2):
            await push(ctx)
            dead = ctx.state.outbox.in_state(CorrectionState.DEAD)
            assert dead.height == (tries >= MOST_ATTEMPTS)
        assert "being changed elsewhere" in dead["answered"][0]

    stage.do(work)


def test_a_platform_that_is_away_for_long_kills_no_correction(stage: Stage) -> None:
    async def work(ctx: Context) -> None:
        intend(ctx, stage.approved("shopify", 0, 7))
        stage.shops.accounts["shopify"].wire.fail_next.extend(["429"] * 100)
        for _ in range(MOST_ATTEMPTS + 2):
            await push(ctx)
        assert stage.states(ctx) == {"c-shopify-0-v1": "approved"}
        stage.shops.accounts["shopify"].wire.fail_next.clear()
        assert (await push(ctx)).sent == 1

    stage.do(work)


def test_a_second_raise_waits_until_the_flight_ends_and_a_lowering_never_waits(stage: Stage) -> None:
    async def work(ctx: Context) -> None:
        intend(ctx, stage.approved("shopify", 0, 45), stage.approved("shopify", 1, 45))
        await push(ctx)
        raised = stage.approved("shopify", 0, 50, version="v2", from_qty=45)
        lowered = stage.approved("shopify", 1, 30, version="v2", from_qty=45)
        intend(ctx, raised, lowered)
        assert (await push(ctx)).outcomes == {"accepted": 1, "waits": 1}
        assert stage.states(ctx)[raised["correction_id"]] == "approved"

    stage.do(work)
    assert [stage.number("shopify", n) for n in (0, 1)] == [45, 30]


def test_where_a_day_allows_few_changes_the_newest_raise_waits_its_turn_and_a_lowering_does_not(stage: Stage) -> None:
    few = stage.shops.config.systems["shopify"].model_copy(update={"revisions_a_day": 4})
    stage.shops.config = stage.shops.config.model_copy(update={"systems": {**stage.shops.config.systems, "shopify": few}})

    async def work(ctx: Context) -> None:
        def verified() -> None:
            flown = ctx.state.outbox.open_flights()["correction_id"]
            ctx.state.outbox.advance_all(
                [(name, {}) for name in flown], CorrectionState.ACCEPTED, CorrectionState.VERIFIED, now()
            )

        now = ctx.clock.now
        intend(ctx, stage.approved("shopify", 0, 41))
        assert (await push(ctx)).sent == 1
        verified()
        for version, to_qty in (("v2", 42), ("v3", 43)):
            intend(ctx, stage.approved("shopify", 0, to_qty, version=version, from_qty=41))
            assert (await push(ctx)).outcomes == {"waits": 1}
        await ctx.clock.sleep(6 * 3600 + 1)  # a fourth of a day
        assert (await push(ctx)).sent == 1
        assert stage.number("shopify", 0) == 43
        verified()
        intend(ctx, stage.approved("shopify", 0, 9, version="v4", from_qty=43))
        assert (await push(ctx)).sent == 1

    stage.do(work)
    assert stage.number("shopify", 0) == 9


def test_each_channel_is_proved_when_its_own_corrections_are_out_however_slow_the_others_are(stage: Stage) -> None:
    async def work(ctx: Context) -> None:
        intend(ctx, *(stage.approved(name, n, 7) for name in ("shopify", "amazon") for n in range(4)))
        slow = stage.shops.accounts["amazon"].wire
        stage.wire.before = lambda request: slow.fail_next.extend(["429"] * 3) if request.method == "PATCH" else None
        pushed, compared = await push_and_prove(ctx, "r2")
        assert pushed.sent
        assert compared is not None

    stage.do(work)
    assert max(stage.wire.times("shopify")) < max(stage.wire.times("amazon", "PATCH"))


def test_a_pause_that_another_process_sets_stops_all_but_the_request_in_flight(stage: Stage) -> None:
    async def work(ctx: Context) -> None:
        intend(ctx, *(stage.approved("amazon", n, 7) for n in range(4)))

        def pauses(request: httpx.Request) -> None:
            if request.method == "PATCH":
                ctx.state.pause("amazon", "ann", "she saw something", ctx.clock.now())

        stage.wire.before = pauses
        result = await push(ctx)
        assert (result.outcomes["accepted"], result.outcomes["paused"]) == (1, 3)
        assert sorted(stage.states(ctx).values()) == ["accepted", "approved", "approved", "approved"]

    stage.do(work)
    assert len(stage.wire.times("amazon", "PATCH")) == 1


@pytest.mark.slow
def test_wherever_in_a_push_another_process_pauses_it_nothing_but_what_is_in_flight_goes_out(stage: Stage) -> None:
    async def paused_at(ctx: Context, n: int) -> bool:
        """Push 4 corrections to each channel, and pause everything while the n-th request is under way."""
        asked: list[httpx.Request] = []
        after: list[httpx.Request] = []

        async def way(request: httpx.Request, go: Go) -> httpx.Response:
            (after if ctx.state.pauses().height else asked).append(request)
            if len(asked) == n and not after:
                async with stage.opened() as other:
                    pause(other.state, "", "ana", "", other.clock.now())
            return await go(request)

        points, to_qty = [(name, k) for name in CHANNELS for k in range(4)], 30 - n
        intend(ctx, *(stage.approved(*point, to_qty, version=f"p{n}", from_qty=stage.number(*point)) for point in points))
        stage.wire.way = way
        await push(ctx)
        stage.wire.way = lambda request, go: go(request)
        assert [request for request in after if is_write(request)] == []
        reached = ctx.state.pauses().height > 0
        resume(ctx.state, "", "ana", "", ctx.clock.now())
        await ctx.clock.sleep(60)
        await push(ctx)
        assert {stage.number(*point) for point in points} == {to_qty}
        landed = ctx.state.outbox.in_state(CorrectionState.ACCEPTED)["correction_id"]
        ctx.state.outbox.advance_all([(name, {}) for name in landed], "accepted", "verified", ctx.clock.now())
        return reached

    requests = next(n for n in count(1) if not stage.do(partial(paused_at, n=n)))
    assert requests > 8


def test_two_pushers_by_mistake_send_each_correction_once(stage: Stage, state_url: str) -> None:
    store = stage.shops.config.store.model_copy(update={"state_url": state_url})
    stage.shops.config = stage.shops.config.model_copy(update={"store": store})

    async def work(ctx: Context) -> None:
        intend(ctx, *(stage.approved(name, n, 7) for name in CHANNELS for n in range(4)))
        async with stage.opened() as other:
            results = await asyncio.gather(push(ctx), push(other))
        assert sum(result.sent for result in results) == 12
        assert set(stage.states(ctx).values()) == {"accepted"}

    stage.do(work)
    assert len(stage.wire.times("amazon", "PATCH")) == 4
    written = changes(request for _, request in stage.wire.asked)
    assert len(written) >= 12
    assert set(written.values()) == {1}


@pytest.mark.parametrize("broken", CHANNELS)
def test_a_channel_that_takes_no_write_ever_again_stops_no_other(stage: Stage, broken: str) -> None:
    async def way(request: httpx.Request, go: Go) -> httpx.Response:
        if is_write(request) and request.url.host == f"{broken}.test":
            raise httpx.ReadTimeout("no answer", request=request)
        return await go(request)

    async def work(ctx: Context) -> None:
        stands = OPENING
        for n, to_qty in enumerate((20, 19, 18)):
            rows = [stage.approved(name, 0, to_qty, version=f"v{n}", from_qty=stands) for name in CHANNELS if name != broken]
            intend(ctx, stage.approved(broken, n, 7), *rows)
            assert (await push(ctx)).outcomes["accepted"] == 2
            stands = to_qty
            await ctx.clock.sleep(300)
        assert {state for name, state in stage.states(ctx).items() if broken in name} <= {"ambiguous", "approved"}

    stage.wire.way = way
    stage.do(work)
    assert {name: stage.number(name, 0) for name in CHANNELS} == {**dict.fromkeys(CHANNELS, 18), broken: OPENING}


def test_what_moved_since_it_was_read_is_not_written_and_lives_again_when_it_is_right_again(stage: Stage) -> None:
    key, place = stage.shops.keys["square"][stage.shops.skus[0]], stage.shops.places["square"]

    async def work(ctx: Context) -> None:
        meant = stage.approved("square", 0, 7)
        intend(ctx, meant)
        stage.shops.accounts["square"].type_over(key, place, 39)
        assert (await push(ctx)).outcomes == {"stale": 1}
        assert stage.number("square", 0) == 39
        stage.shops.accounts["square"].type_over(key, place, OPENING)
        await ctx.clock.sleep(60)
        intend(ctx, {**meant, "observed_at": ctx.clock.now()})
        assert (await push(ctx)).sent == 1

    stage.do(work)
    assert stage.number("square", 0) == 7


def _mode(stage: Stage, system: str, mode: str) -> None:
    """Let somebody set a system's mode."""
    systems = stage.shops.config.systems
    changed = systems[system].model_copy(update={"mode": Mode(mode)})
    stage.shops.config = stage.shops.config.model_copy(update={"systems": {**systems, system: changed}})


@pytest.mark.parametrize(("mode", "by_a_person", "sent"), [("approve", False, 0), ("approve", True, 1), ("observe", True, 0)])
def test_what_was_approved_in_mode_auto_is_asked_its_systems_mode_again(
    stage: Stage, mode: str, by_a_person: bool, sent: int
) -> None:
    async def work(ctx: Context) -> None:
        intend(ctx, stage.approved("shopify", 0, 7, state="planned" if by_a_person else "approved"))
        if by_a_person:
            ctx.state.outbox.approve(["c-shopify-0-v1"], "ana", ctx.clock.now())
        result = await push(ctx)
        assert (result.sent, result.outcomes["mode"]) == (sent, 1 - sent)

    _mode(stage, "shopify", mode)
    stage.do(work)
    assert stage.number("shopify", 0) == (7 if sent else OPENING)


def test_what_is_under_way_to_a_system_that_is_no_longer_configured_stops_nothing(stage: Stage) -> None:
    async def before(ctx: Context) -> None:
        held = stage.approved("amazon", 1, 7, state="held")
        intend(ctx, stage.approved("amazon", 0, 7), held)
        assert (await push(ctx, ["amazon"])).outcomes == {"accepted": 1}

    async def after(ctx: Context) -> None:
        intend(ctx, stage.approved("shopify", 0, 7))
        pushed, _ = await push_and_prove(ctx, "r2")
        assert pushed.outcomes == {"accepted": 1}
        plan(ctx, "r2")
        states = ctx.state.outbox.in_state().select("system", "state").rows()
        assert set(states) == {("amazon", "accepted"), ("amazon", "superseded"), ("shopify", "accepted")}

    stage.do(before)
    config = stage.shops.config
    stage.shops.config = config.model_copy(update={"systems": {n: one for n, one in config.systems.items() if n != "amazon"}})
    stage.do(after)
