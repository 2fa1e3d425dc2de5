"""Undo: a run's changes are taken back by the guards' leave, stay taken back, and never where somebody changed it since."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from invbi_pipeline.domain.corrections.guards import holding
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.flows.corrections.undo import Undone, undo
from invbi_pipeline_tests.flows.small_shop import SmallShop, small_shop

pytestmark = pytest.mark.slow  # each test runs a shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[SmallShop]:
    """Whose last run lowered k0 from 10 to 6 and raised k1 from 10 to 14."""
    with small_shop(tmp_path) as shop:
        shop.lies("k0", 6)
        shop.lies("k1", 14)
        assert shop.run().pushed.sent == 2
        yield shop


def take_back(shop: SmallShop, run_id: str = "last", *, dry_run: bool = False) -> Undone:
    return asyncio.run(undo(shop.ctx, run_id, dry_run=dry_run))


def approve_held(shop: SmallShop) -> None:
    """Take back what the last run did, and let a person release what waits of it."""
    held = take_back(shop).corrections.filter(state="held")["correction_id"].to_list()
    assert shop.ctx.state.outbox.approve(held, "ana", shop.clock.now(), "it was no damage") == held


def changes(found: Undone) -> dict[str, tuple[int, int, set[str]]]:
    rows = found.corrections.select("listing_key", "from_qty", "to_qty", "guard").iter_rows()
    return {key: (before, after, set(holding(guard))) for key, before, after, guard in rows}


def test_each_change_is_inverted_and_only_what_exceeds_the_offer_waits_for_a_person(shop: SmallShop) -> None:
    found = take_back(shop)
    assert changes(found) == {"k0": (6, 10, {"beyond_offer"}), "k1": (14, 10, set())}
    assert set(found.corrections["state"]) == {"held", "approved"}


def test_a_dry_run_shows_the_same_and_keeps_nothing(shop: SmallShop) -> None:
    dry = take_back(shop, dry_run=True)
    assert shop.corrections("held", "approved", "planned").is_empty()
    assert changes(dry) == changes(take_back(shop))


def test_what_was_sold_since_stays_sold(shop: SmallShop) -> None:
    shop.clock.at = shop.clock.at.replace(minute=shop.clock.at.minute + 10)
    shop.sold("k1", "o1")
    assert changes(take_back(shop))["k1"][:2] == (13, 9)


def test_a_number_that_somebody_changed_since_is_left_alone_and_says_so(shop: SmallShop) -> None:
    shop.edited("k0", 8)
    found = take_back(shop)
    assert set(changes(found)) == {"k1"}
    ((key, why),) = found.kept.select("listing_key", "why").iter_rows()
    assert key == "k0"
    assert "somebody changed it since: it shows 8" in why


def test_a_number_that_a_later_run_changed_is_left_alone(shop: SmallShop) -> None:
    first = shop.corrections("verified")["run_id"][0]
    shop.lies("k0", 5)
    shop.run()
    ((key, why),) = take_back(shop, first).kept.select("listing_key", "why").iter_rows()
    assert key == "k0"
    assert "changed the number after it" in why


def test_what_was_taken_back_is_not_done_again_by_the_next_run_but_a_lower_number_goes_out(shop: SmallShop) -> None:
    approve_held(shop)
    assert shop.run().pushed.sent == 2
    assert (shop.shows("k0"), shop.shows("k1")) == (10, 10)

    again = shop.run()
    assert again.pushed.sent == 0
    assert {key: set(holding(guard)) for key, guard in again.planned.corrections.select("listing_key", "guard").iter_rows()} == {
        "k0": {"undone"},
        "k1": {"undone"},
    }

    shop.lies("k0", 3)  # less than what was taken back wanted: shoppers would be promised what is not there
    shop.run()
    assert (shop.shows("k0"), shop.shows("k1")) == (3, 10)


def test_a_person_lets_the_machine_do_again_what_was_taken_back(shop: SmallShop) -> None:
    approve_held(shop)
    shop.run()
    held = shop.run().planned.corrections["correction_id"].to_list()
    shop.ctx.state.outbox.approve(held, "ana", shop.clock.now())
    shop.run()
    assert (shop.shows("k0"), shop.shows("k1")) == (6, 14)
    shop.lies("k1", 15)
    shop.run()
    assert shop.shows("k1") == 15


def test_an_undoing_that_waits_outlives_a_run_and_follows_the_orders(shop: SmallShop) -> None:
    take_back(shop)
    shop.clock.at = shop.clock.at.replace(minute=shop.clock.at.minute + 10)
    shop.sold("k0", "o1")
    shop.run()
    (waiting,) = shop.corrections("held").filter(listing_key="k0").iter_rows(named=True)
    assert (waiting["from_qty"], waiting["to_qty"]) == (5, 9)
    assert waiting["undoes"]


def test_undoing_an_undoing_makes_the_numbers_the_plans_again(shop: SmallShop) -> None:
    approve_held(shop)
    shop.run()
    take_back(shop)
    shop.run()
    assert (shop.shows("k0"), shop.shows("k1")) == (6, 14)
    assert shop.run().quiet


def test_a_run_that_sent_nothing_is_named(shop: SmallShop) -> None:
    with pytest.raises(ConfigError, match="No run '2019' has sent anything"):
        take_back(shop, "2019")
