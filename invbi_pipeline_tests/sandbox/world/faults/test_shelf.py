"""Faults of the shelf: each is made true by what people and platforms do, in every preset whose platforms can show it."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from invbi_pipeline.sandbox import presets
from invbi_pipeline.sandbox.world.clock import VirtualClock
from invbi_pipeline.sandbox.world.faults.kit import NoVictimError
from invbi_pipeline.sandbox.world.faults.planted import Planted
from invbi_pipeline.sandbox.world.faults.shelf import AGES, HISTORY_PLAN
from invbi_pipeline.sandbox.world.world import World

HIDDEN = {"transfer_not_received", "restock_without_return"}  # where the hub shows no ledger
FIVE = dict.fromkeys(HISTORY_PLAN, 5)


@pytest.fixture(scope="module", params=sorted(presets.PRESETS))
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder, clock = tmp_path_factory.mktemp("world"), VirtualClock()
    return presets.build(request.param, 3, 150, "http://127.0.0.1:1", folder, clock, faults=False, history=FIVE)


def _of(world: World, label: str) -> list[Planted]:
    found = [each for each in world.planter.planted if each.label == label]
    if not found and world.business.preset == "shopify_hub" and label in HIDDEN:
        pytest.skip("Shopify shows no ledger")
    return found


def test_each_is_planted_five_times_into_the_history_where_the_platforms_allow_it(world: World) -> None:
    hidden = HIDDEN if world.business.preset == "shopify_hub" else set()
    assert Counter(p.label for p in world.planter.planted if p.label in FIVE) == {k: 5 for k in FIVE if k not in hidden}
    assert set(world.planter.skipped) == hidden


def test_each_is_old_enough_at_go_live(world: World) -> None:
    live = world.business.went_live_at
    assert live is not None
    assert all(p.at <= live - AGES[p.label] for p in world.planter.planted if p.label in AGES)


def test_a_stale_order_is_still_open(world: World) -> None:
    for planted in _of(world, "stale_reservation"):
        assert (planted.system, planted.events[0]) in world.business.orders.unfinished


def test_goods_taken_in_lie_on_the_shelf_and_not_in_the_record(world: World) -> None:
    shelves = world.business.shelves
    for planted in _of(world, "return_not_restocked"):
        assert shelves.units[planted.location, planted.sku] != shelves.book[planted.location, planted.sku]


def test_what_was_not_received_is_in_no_shop(world: World) -> None:
    assert all(planted.units and planted.units > 0 for planted in _of(world, "transfer_not_received"))


def test_a_return_that_nobody_brought_was_counted_away_again(world: World) -> None:
    for planted in _of(world, "restock_without_return"):
        assert planted.ripens
        assert any(p.ripe_at and (p.label, p.sku) == (planted.label, planted.sku) for p in world.planter.planted)


def test_a_shelf_from_which_more_was_sold_than_booked_in_is_below_nothing(world: World) -> None:
    planted = world.planter.plant("negative_on_hand")
    assert world.business.shelves.book[planted.location, planted.sku] == planted.units
    assert planted.units is not None
    assert planted.units < 0


def test_a_ghost_place_is_in_several_numbers_of_one_channel(world: World) -> None:
    first = world.planter.plant("ghost_location")
    rows = [p for p in world.planter.planted if p.label == "ghost_location" and p.at == first.at and p.system == first.system]
    assert len(rows) >= 5
    system = world.business.systems[first.system]
    for row in rows:
        should = world.truth.should(system, system.listings[row.listing_key])
        assert system.account.number(row.listing_key, row.location_key if system.per_location else "") is not None
        assert row.detail["ghost"] not in system.sells_from
        assert sum(should.values()) >= 0


def test_what_is_planted_late_ripens_when_its_age_has_come(tmp_path: Path) -> None:
    world = presets.build("till_master", 4, 80, "http://127.0.0.1:1", tmp_path, VirtualClock(), faults=False, history_days=3)
    planted = world.planter.plant("return_not_restocked")
    assert planted.ripens
    world.freeze()
    world.advance_to(planted.at + AGES["return_not_restocked"] + timedelta(minutes=1))
    assert world.planter.planted[-1].ripe_at is not None


def test_nothing_suits_in_a_world_without_such_a_sku(tmp_path: Path) -> None:
    world = presets.build("till_master", 4, 80, "http://127.0.0.1:1", tmp_path, VirtualClock(), faults=False, history_days=3)
    for label in FIVE:
        with pytest.raises(NoVictimError):
            world.planter.plant(label, sku="no such thing")
