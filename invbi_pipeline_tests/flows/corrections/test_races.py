"""What happens between our read and our write, on every platform: nothing that somebody else did is written over unseen."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from invbi_pipeline.cli.bench.push_shops import CHANNELS, OPENING
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.corrections.push import push
from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline_tests.flows.corrections.stage import Stage, intend, opened_stage
from invbi_pipeline_tests.flows.small_shop import SmallShop, small_shop
from invbi_pipeline_tests.rehearsal import is_write

_SKEW_S = 600.0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with opened_stage(tmp_path, skus=2) as stage:
        yield stage


def _edited(stage: Stage, system: str) -> None:
    key, place = stage.shops.keys[system][stage.shops.skus[0]], stage.shops.places[system]
    stage.shops.accounts[system].type_over(key, place, OPENING - 3)


def _sold(stage: Stage, system: str) -> None:
    key, place = stage.shops.keys[system][stage.shops.skus[0]], stage.shops.places[system]
    stage.shops.accounts[system].order([Line(key, 2)], place, pos=system == "square")  # a till's order counts once it is over


@pytest.mark.parametrize("happens", [_edited, _sold])
@pytest.mark.parametrize("system", CHANNELS)
def test_a_number_that_moved_since_the_plan_is_left_alone_and_not_forced_later(
    stage: Stage, system: str, happens: Callable[[Stage, str], None]
) -> None:
    happens(stage, system)
    moved = stage.number(system, 0)

    async def work(ctx: Context) -> None:
        intend(ctx, stage.approved(system, 0, 7))
        assert (await push(ctx)).outcomes == {"stale": 1}
        await ctx.clock.sleep(60)
        assert not (await push(ctx)).outcomes

    stage.do(work)
    assert moved != OPENING
    assert stage.number(system, 0) == moved


def _at_the_write(stage: Stage, system: str, happens: Callable[[Stage, str], None]) -> Callable[[httpx.Request], None]:
    """Let it happen when everything was read and the first write is on its way."""
    left = [happens]

    def before(request: httpx.Request) -> None:
        if is_write(request) and left:
            left.pop()(stage, system)

    return before


@pytest.mark.parametrize("happens", [_edited, _sold])
def test_shopify_refuses_what_was_overtaken_while_it_was_on_its_way(stage: Stage, happens: Callable[[Stage, str], None]) -> None:
    async def work(ctx: Context) -> None:
        intend(ctx, stage.approved("shopify", 0, 7))
        stage.wire.before = _at_the_write(stage, "shopify", happens)
        assert (await push(ctx)).outcomes == {"stale": 1}

    stage.do(work)
    assert stage.number("shopify", 0) in (OPENING - 2, OPENING - 3)


def test_a_raise_that_waits_behind_urgent_patches_is_left_alone_where_its_number_moved_meanwhile(stage: Stage) -> None:
    urgent = [n for n in range(len(stage.shops.skus)) if n]

    async def work(ctx: Context) -> None:
        intend(ctx, stage.approved("amazon", 0, OPENING + 5), *(stage.approved("amazon", n, 7) for n in urgent))
        stage.wire.before = _at_the_write(stage, "amazon", _sold)
        assert (await push(ctx)).outcomes == {"accepted": len(urgent), "stale": 1}

    stage.do(work)
    assert [stage.number("amazon", n) for n in urgent] == [7] * len(urgent)
    assert stage.number("amazon", 0) == OPENING - 2


def test_a_sale_while_a_count_is_on_its_way_to_square_still_lowers_it(stage: Stage) -> None:
    async def work(ctx: Context) -> None:
        intend(ctx, stage.approved("square", 0, 7))
        await ctx.clock.sleep(5)
        stage.wire.before = _at_the_write(stage, "square", _sold)
        assert (await push(ctx)).outcomes == {"accepted": 1}

    stage.do(work)
    assert stage.number("square", 0) == 7 - 2


@pytest.mark.parametrize("skew_s", [0.0, _SKEW_S, -_SKEW_S])
@pytest.mark.parametrize("system", CHANNELS)
def test_from_five_to_six_to_five_are_two_changes_whatever_the_platforms_clock_says(
    stage: Stage, system: str, skew_s: float
) -> None:
    stage.shops.accounts[system].wire.clock_skew_s = skew_s
    shown: list[int] = []

    async def work(ctx: Context) -> None:
        stands = OPENING
        for n, to_qty in enumerate((5, 6, 5)):
            intend(ctx, stage.approved(system, 0, to_qty, version=f"v{n}", from_qty=stands))
            await ctx.clock.sleep(2)
            assert (await push(ctx)).outcomes == {"accepted": 1}
            landed = ctx.state.outbox.open_flights()["correction_id"]
            ctx.state.outbox.advance_all([(name, {}) for name in landed], "accepted", "verified", ctx.clock.now())
            stands = to_qty
            shown.append(stage.number(system, 0))

    stage.do(work)
    assert shown == [5, 6, 5]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[SmallShop]:
    with small_shop(tmp_path) as shop:
        yield shop


@pytest.mark.slow
def test_an_order_that_our_push_contained_already_makes_no_second_push(shop: SmallShop) -> None:
    shop.edited("k0", 9)  # sold; the order comes late
    sold_at = shop.clock.now()
    shop.lies("k0", 8)
    first = shop.run()
    shop.lies("k0", 7)  # the till was told of the order
    effect = {"effect_id": "o1/1/sale", "listing_key": "k0", "location_key": "1", "kind": "sale", "units": -1}
    shop.shop.frames.setdefault("effects", []).append({**effect, "stamped_at": sold_at})
    later = [shop.run() for _ in range(3)]
    assert first.pushed.sent == 1
    assert shop.shows("k0") == 7
    assert sum(run.pushed.sent for run in later) == 0
