"""Dead letters go back into a plan: read anew, judged anew, under a name of their own, and never sent as they stood."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from invbi_pipeline.errors import ConfigError
from invbi_pipeline.flows.corrections.dead_letters import Replayed, chosen, dead_letters, replay
from invbi_pipeline.flows.corrections.readiness import ready
from invbi_pipeline_tests.flows.small_shop import SmallShop, small_shop

pytestmark = pytest.mark.slow  # each test runs a shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[SmallShop]:
    """Which refused the last correction, of k0 from 10 to 6, and would take it now."""
    with small_shop(tmp_path) as shop:
        shop.shop.refused = {"k0"}
        shop.lies("k0", 6)
        shop.run()
        shop.shop.refused = set()
        yield shop


def again(shop: SmallShop, *, dry_run: bool = False) -> Replayed:
    return asyncio.run(replay(shop.ctx, dead_letters(shop.ctx.state), dry_run=dry_run))


def test_a_refused_correction_is_not_sent_again_by_itself(shop: SmallShop) -> None:
    assert shop.run().pushed.sent == 0
    assert dead_letters(shop.ctx.state)["listing_key"].to_list() == ["k0"]


def test_one_that_is_replayed_is_planned_anew_and_sent_by_the_next_push(shop: SmallShop) -> None:
    (old,) = dead_letters(shop.ctx.state)["correction_id"]
    (planned,) = again(shop).planned.iter_rows(named=True)
    assert planned["state"] == "approved"
    assert planned["correction_id"] != old
    assert shop.run().pushed.sent == 1
    assert shop.shows("k0") == 6
    assert dead_letters(shop.ctx.state).is_empty()


def test_a_replayed_one_waits_for_its_guards_and_outlives_the_runs_meanwhile(shop: SmallShop) -> None:
    shop.ctx.state.pause("shop", "ana", "stock take", shop.clock.now())
    assert again(shop).planned["state"].to_list() == ["held"]
    shop.run()
    assert shop.corrections("held")["listing_key"].to_list() == ["k0"]
    assert shop.shows("k0") == 10


def test_what_the_numbers_no_longer_ask_for_is_not_planned(shop: SmallShop) -> None:
    shop.lies("k0", 10)
    found = again(shop)
    assert found.planned.is_empty()
    assert found.unwanted["listing_key"].to_list() == ["k0"]


def test_a_dry_run_allows_nothing(shop: SmallShop) -> None:
    assert again(shop, dry_run=True).planned.height == 1
    assert shop.run().pushed.sent == 0
    assert dead_letters(shop.ctx.state).height == 1


def test_one_that_is_refused_again_is_a_dead_letter_again(shop: SmallShop) -> None:
    again(shop)
    shop.shop.refused = {"k0"}
    shop.run()
    assert dead_letters(shop.ctx.state).height == 1
    shop.shop.refused = set()
    again(shop)
    shop.run()
    assert shop.shows("k0") == 6


def test_an_id_that_is_no_dead_letter_is_named(shop: SmallShop) -> None:
    with pytest.raises(ConfigError, match="c-none is no dead letter"):
        chosen(dead_letters(shop.ctx.state), ["c-none"], [])


def test_what_a_person_refused_is_put_back_by_its_id_alone(shop: SmallShop) -> None:
    shop.reload('mode = "auto"', 'mode = "approve"')
    shop.lies("k1", 14)
    shop.run()
    (name,) = shop.corrections("planned")["correction_id"]
    shop.ctx.state.outbox.refuse([name], "ana", shop.clock.now(), "not before the sale")
    letters = dead_letters(shop.ctx.state)
    assert chosen(letters, [], ["shop"])["listing_key"].to_list() == ["k0"]
    assert chosen(letters, [name], [])["listing_key"].to_list() == ["k1"]


def test_what_was_replayed_or_refused_by_a_person_does_not_stand_between_a_channel_and_its_next_mode(shop: SmallShop) -> None:
    shop.reload('mode = "auto"', 'mode = "approve"')
    shop.lies("k1", 14)
    shop.run()
    outbox, now = shop.ctx.state.outbox, shop.clock.now()
    outbox.refuse(shop.corrections("planned")["correction_id"].to_list(), "ana", now)
    assert _letters_of(shop) == (1, True)
    outbox.approve(again(shop).planned["correction_id"].to_list(), "ana", now)
    shop.run()
    assert shop.shows("k0") == 6
    assert _letters_of(shop) == (0, False)


def _letters_of(shop: SmallShop) -> tuple[float, bool]:
    return ready(shop.ctx).filter(system="shop", measure="dead letters").select("value", "blocks").row(0)
