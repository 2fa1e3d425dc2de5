from datetime import timedelta
from pathlib import Path

import pytest

from invbi_pipeline.domain.words import Cause
from invbi_pipeline.sandbox.world.faults.kit import NoVictimError
from invbi_pipeline.sandbox.world.faults.planted import Planted
from invbi_pipeline.sandbox.world.policy import Policies, Policy
from invbi_pipeline.sandbox.world.world import World
from invbi_pipeline_tests.sandbox.world.memory import MemoryAccount, build


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path, skus=120, history_days=2, calm=True)


def _off_by(world: World, planted: Planted) -> int:
    where = planted.system, planted.listing_key, planted.location_key
    point = next(p for p in world.correctable()[0] if (p.system, p.listing_key, p.location_key) == where)
    return point.shown - point.should


@pytest.mark.parametrize(
    ("name", "label", "cause"),
    [
        ("duplicate_event", "duplicate_event", Cause.DUPLICATE),
        ("duplicate_return", "duplicate_event", Cause.DUPLICATE),
        ("two_duplicates", "duplicate_event", Cause.DUPLICATE),
        ("unapplied_order", "drift", Cause.UNAPPLIED),
        ("one_leg_return", "drift", Cause.ONE_LEG),
        ("swapped_skus", "drift", Cause.SWAPPED),
        ("moved_units", "drift", Cause.MOVED),
    ],
)
def test_a_channels_number_is_wrong_by_what_is_written_down(world: World, name: str, label: str, cause: Cause) -> None:
    planted = world.planter.plant(name, platform="shopify")
    assert (planted.label, planted.cause) == (label, cause)
    assert _off_by(world, planted) == planted.units


@pytest.mark.parametrize("name", ["swapped_skus", "moved_units"])
def test_both_sides_of_a_pair_are_written_down_with_opposite_units(world: World, name: str) -> None:
    world.planter.plant(name)
    first, second = world.planter.planted
    assert first.units == -(second.units or 0)
    assert [_off_by(world, planted) for planted in (first, second)] == [first.units, second.units]


def test_the_events_that_are_written_down_are_orders_of_that_world(world: World) -> None:
    orders = {order_id for _, order_id in world.business.orders.all}
    for name in ("duplicate_event", "two_duplicates", "unapplied_order", "swapped_skus"):
        events = set(world.planter.plant(name).events)
        assert events <= {order_id for _, order_id in world.business.orders.all}
        assert not events & orders


def test_an_order_that_the_channel_lost_is_a_fact_once_it_lowered_the_number(world: World) -> None:
    planted = world.planter.plant("missing_order")
    assert (planted.ripens, planted.ripe_at) == (True, None)
    world.advance(23 * 60)
    assert world.planter.planted[0].ripe_at is not None


def test_a_booking_that_came_twice_lowers_the_owners_book_twice(world: World) -> None:
    world.advance(3600)
    planted = world.planter.plant("duplicate_booking")
    assert planted.system == "erp"
    assert world.goods.settled(planted.location, planted.sku)


@pytest.mark.parametrize(("minutes", "seen"), [(14, False), (16, True)])
def test_an_order_not_applied_while_a_marketplace_may_still_apply_a_push_is_declared_beyond_seeing(
    world: World, minutes: float, seen: bool
) -> None:
    taken = world.business.now - timedelta(minutes=minutes)
    for system in world.business.systems.values():
        system.account.wire.taken = dict.fromkeys(system.listings, taken)
    planted = world.planter.plant("unapplied_order", platform="amazon")
    assert (planted.undetectable == "") is seen


@pytest.mark.parametrize("name", ["unapplied_order", "one_leg_return"])
def test_nothing_is_skipped_at_a_cap_where_the_number_stays_right(world: World, name: str) -> None:
    world.business.policies = Policies([Policy("max_offer", 1)])
    with pytest.raises(NoVictimError):
        world.planter.plant(name)


@pytest.mark.parametrize("name", ["drift", "ghost_location", "listing_inactive"])
@pytest.mark.parametrize("waits", [True, False])
def test_a_number_typed_in_just_before_an_accepted_push_is_applied_is_declared_beyond_seeing(
    world: World, name: str, waits: bool
) -> None:
    system = world.business.systems["amazon_uk"]
    assert isinstance(system.account, MemoryAccount)
    if waits:
        shown = {
            key: system.account.number(key, "") for key, listing in system.listings.items() if not listing.platform_fulfilled
        }
        system.account.accepted = {key: number for key, number in shown.items() if number is not None}
    unseen = world.planter.plant(name, system="amazon_uk").undetectable != ""
    assert unseen is (waits and name != "listing_inactive")
