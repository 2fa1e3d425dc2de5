from pathlib import Path

import pytest

from invbi_pipeline.sandbox.world.fault_kit import NoVictimError
from invbi_pipeline.sandbox.world.planted import Planted
from invbi_pipeline.sandbox.world.world import World
from invbi_pipeline_tests.sandbox.world.memory import build

IDENTITY = ["unmapped_listing", "near_miss_sku", "duplicate_sku", "ambiguous_mapping"]
WIRE = ["system_unreachable", "feed_stale", "feed_truncated", "feed_mass_zero", "clock_skew", "missed_event"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path, skus=120, history_days=2, calm=True)


def _number(world: World, planted: Planted) -> int:
    return world.business.systems[planted.system].account.number(planted.listing_key, planted.location_key) or 0


def _disagreeing(world: World) -> set[tuple[str, str]]:
    return {(point.system, point.listing_key) for point in world.correctable()[0] if not point.agrees}


@pytest.mark.parametrize("label", ["oversell_risk", "undersell"])
def test_a_hand_edit_is_labelled_drift_with_its_direction_and_size(world: World, label: str) -> None:
    planted = world.planter.plant(label)
    assert planted.label == "drift"
    assert planted.detail["direction"] == ("up" if label == "oversell_risk" else "down")
    point = next(p for p in world.correctable()[0] if (p.system, p.listing_key, p.location_key) == _at(planted))
    assert point.shown - point.should == planted.units


def _at(planted: Planted) -> tuple[str, str, str]:
    return planted.system, planted.listing_key, planted.location_key


def test_a_channel_stockout_shows_nothing_where_something_is(world: World) -> None:
    planted = world.planter.plant("channel_stockout")
    assert _number(world, planted) == 0
    assert (planted.system, planted.listing_key) in _disagreeing(world)


def test_a_second_writer_comes_back_until_the_world_is_frozen(world: World) -> None:
    planted = world.planter.plant("second_writer")
    account = world.business.systems[planted.system].account
    account.type_over(planted.listing_key, planted.location_key, 1)
    world.advance(400)
    assert _number(world, planted) == int(planted.detail["sets"])
    world.freeze()
    account.type_over(planted.listing_key, planted.location_key, 1)
    world.advance(900)
    assert _number(world, planted) == 1


@pytest.mark.parametrize("label", [*IDENTITY, "second_writer", "frozen_listing", "push_failed", "listing_inactive"])
def test_what_a_push_cannot_mend_is_excluded_under_its_label(world: World, label: str) -> None:
    planted = world.planter.plant(label)
    points, excluded = world.correctable()
    assert (planted.system, planted.listing_key) not in {(point.system, point.listing_key) for point in points}
    assert (planted.system, planted.listing_key, label) in {(e.system, e.listing_key, e.label) for e in excluded}


@pytest.mark.parametrize("label", IDENTITY)
def test_an_odd_listing_is_new_and_shows_a_number(world: World, label: str) -> None:
    planted = world.planter.plant(label)
    account = world.business.systems[planted.system].account
    system = world.business.systems[planted.system]
    shown = [account.number(planted.listing_key, key) for key in system.points(system.listings[planted.listing_key])]
    assert shown[0] == planted.units


def test_a_near_miss_is_a_sku_written_otherwise(world: World) -> None:
    planted = world.planter.plant("near_miss_sku")
    raw = world.business.systems[planted.system].listings[planted.listing_key].raw_sku
    assert raw != planted.sku
    assert "".join(filter(str.isalnum, raw)).upper() == "".join(filter(str.isalnum, planted.sku)).lstrip("0")


def test_an_ambiguous_listing_is_written_like_two_skus_and_then_shares_a_barcode_with_two(world: World) -> None:
    labels = [world.planter.plant("ambiguous_mapping") for _ in range(3)]
    products = world.business.catalogue.products
    assert all(planted.detail["first"] in products and planted.detail["second"] in products for planted in labels)
    assert [planted.label for planted in world.planter.planted].count("barcode_conflict") == 1


def test_a_duplicate_takes_the_listing_it_repeats_out_of_what_can_be_mended(world: World) -> None:
    planted = world.planter.plant("duplicate_sku")
    keys = {key for point in world.correctable()[0] for key in [point.listing_key]}
    assert planted.detail["other"] not in keys


def test_an_unmapped_listing_sells(world: World) -> None:
    planted = world.planter.plant("unmapped_listing")
    world.advance(3600)
    sold = [o for o in world.business.orders.all.values() if planted.listing_key in o.lines]
    assert len(sold) == 3


def test_a_relisted_item_takes_over_the_old_ones_numbers_and_can_be_mended(world: World) -> None:
    planted = world.planter.plant("relisted")
    assert planted.detail["old"] != planted.listing_key
    assert (planted.system, planted.listing_key) not in _disagreeing(world)
    assert planted.detail["old"] not in world.business.systems[planted.system].listings


def test_an_untied_ledger_moves_the_owners_number_and_what_the_channels_should_show(world: World) -> None:
    planted = world.planter.plant("ledger_untied")
    assert planted.units
    assert world.goods.settled(planted.location, planted.sku)
    assert world.business.shelves.book[planted.location, planted.sku] == _number(world, planted)


def test_an_oversold_sku_should_be_shown_by_nobody(world: World) -> None:
    planted = world.planter.plant("oversold")
    shown = {point.should for point in world.correctable()[0] if point.sku == planted.sku}
    assert shown == {0}


def test_a_duplicate_event_takes_one_unit_too_many(world: World) -> None:
    planted = world.planter.plant("duplicate_event")
    point = next(p for p in world.correctable()[0] if (p.system, p.listing_key, p.location_key) == _at(planted))
    assert planted.detail["order_id"]
    assert point.shown == point.should - 1


@pytest.mark.parametrize("label", WIRE)
def test_a_wire_fault_ends_by_itself_even_in_a_frozen_world(world: World, label: str) -> None:
    healthy = repr(world.business.systems["erp"].account.wire)
    world.planter.plant(label, system="erp", minutes="5")
    assert repr(world.business.systems["erp"].account.wire) != healthy
    world.freeze()
    world.advance(301)
    assert repr(world.business.systems["erp"].account.wire) == healthy


def test_faults_do_not_share_a_listing(world: World) -> None:
    for _ in range(4):
        for label in ("drift", "duplicate_event", "push_unverified", "near_miss_sku"):
            world.planter.plant(label)
    skus = [planted.sku for planted in world.planter.planted]
    assert len(set(skus)) == len(skus)


def test_every_label_can_be_planted(world: World) -> None:
    for label in world.planter.labels:
        assert world.planter.plant(label).label in (label, "drift")


def test_nothing_is_planted_where_nothing_suits(tmp_path: Path) -> None:
    world = build(tmp_path, "shopify_hub", calm=True)
    with pytest.raises(NoVictimError):
        world.planter.plant("bad_rows")


@pytest.mark.parametrize("preset", ["till_master", "shopify_hub", "erp_master"])
def test_the_demos_plan_is_carried_out_by_its_end(preset: str, tmp_path: Path) -> None:
    world = build(tmp_path, preset, skus=200)
    assert {planted.label for planted in world.planter.planted} == set(IDENTITY)
    assert world.planter.plan_ends is not None
    world.advance_to(world.planter.plan_ends)
    labels = {planted.label for planted in world.planter.planted}
    assert labels >= {"drift", "channel_stockout", "second_writer", "frozen_listing", "push_failed", "relisted", "oversold"}
    assert set(world.planter.skipped) <= ({"ledger_untied", "bad_rows"} if preset == "shopify_hub" else set())


def test_a_second_writer_leaves_a_push_alone_for_a_minute_and_is_back_before_the_next_look(world: World) -> None:
    planted = world.planter.plant("second_writer")
    world.advance(100)
    world.business.systems[planted.system].account.type_over(planted.listing_key, planted.location_key, 1)
    world.advance(75)
    assert _number(world, planted) == 1
    world.advance(200)
    assert _number(world, planted) == int(planted.detail["sets"])


def test_a_fault_can_be_kept_to_a_platform(world: World) -> None:
    platforms = {world.business.systems[world.planter.plant("drift", platform="amazon").system].platform for _ in range(5)}
    assert platforms == {"amazon"}
