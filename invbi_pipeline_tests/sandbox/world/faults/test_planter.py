from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from invbi_pipeline.config import GuardConfig
from invbi_pipeline.sandbox.world.configuration import write_config
from invbi_pipeline.sandbox.world.facts import facts
from invbi_pipeline.sandbox.world.faults.kit import NoVictimError
from invbi_pipeline.sandbox.world.faults.planted import Planted
from invbi_pipeline.sandbox.world.world import World
from invbi_pipeline_tests.sandbox.world.memory import build

IDENTITY = ["unmapped_listing", "near_miss_sku", "duplicate_sku", "ambiguous_mapping"]
WIRE = ["system_unreachable", "feed_stale", "feed_truncated", "feed_mass_zero", "clock_skew"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    built = build(tmp_path, skus=120, history_days=2, calm=True)
    write_config(built, tmp_path)  # the files that people edit
    return built


def _number(world: World, planted: Planted) -> int:
    return world.business.systems[planted.system].account.number(planted.listing_key, planted.location_key) or 0


def _disagreeing(world: World) -> set[tuple[str, str]]:
    return {(point.system, point.listing_key) for point in world.correctable()[0] if not point.agrees}


@pytest.mark.parametrize("label", ["oversell_risk", "undersell"])
def test_a_hand_edit_is_labelled_by_what_it_makes_of_the_number_with_its_direction_and_size(world: World, label: str) -> None:
    planted = world.planter.plant(label)
    assert planted.label == label
    assert "drift" in planted.implies
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


def test_a_duplicate_event_takes_its_units_once_too_often(world: World) -> None:
    planted = world.planter.plant("duplicate_event", platform="shopify")
    point = next(p for p in world.correctable()[0] if (p.system, p.listing_key, p.location_key) == _at(planted))
    assert planted.detail["order_id"] in planted.events
    assert point.shown - point.should == planted.units


@pytest.mark.parametrize("label", WIRE)
def test_a_wire_fault_ends_by_itself_even_in_a_frozen_world(world: World, label: str) -> None:
    wire = world.business.systems["shopify_uk" if label == "clock_skew" else "erp"].account.wire
    healthy = replace(wire)
    planted = world.planter.plant(label, system="shopify_uk" if label == "clock_skew" else "erp", minutes="5")
    assert wire != healthy
    assert planted.until is not None
    world.freeze()
    world.advance((planted.until - world.business.now).total_seconds() + 1)
    assert replace(wire, renumbered_at=None) == healthy


def test_a_platform_loses_the_webhook_of_an_order_some_minutes_after_one_that_came(world: World) -> None:
    planted = world.planter.plant("missed_event", platform="shopify", minutes="5")
    told, loses = [_orders_of(world, planted.system)], []
    for seconds in (420, 120, 300):
        world.advance(seconds)
        told.append(_orders_of(world, planted.system))
        loses.append(world.business.systems[planted.system].account.wire.drop_webhooks)
    assert loses == [False, True, False]
    assert told[2] > told[1]


def _orders_of(world: World, system: str) -> int:
    return sum(order.system == system for order in world.business.orders.all.values())


def test_a_lost_webhook_is_a_fact_once_the_platform_tries_no_more_and_only_where_somebody_listens(world: World) -> None:
    planted = world.planter.plant("missed_event", system="shopify_uk")
    assert planted.ripe_at == planted.at + timedelta(hours=4, minutes=8)
    assert "asked" in planted.undetectable  # for webhooks, which nobody has here


def test_a_number_typed_far_too_high_is_a_larger_change_than_a_guard_lets_through(world: World) -> None:
    planted = world.planter.plant("push_held")
    assert planted.units is not None
    assert planted.units > GuardConfig().max_change_units


def test_faults_do_not_share_a_listing(world: World) -> None:
    for _ in range(4):
        for label in ("drift", "duplicate_event", "push_unverified", "near_miss_sku"):
            world.planter.plant(label)
    skus = [planted.sku for planted in world.planter.planted]
    assert len(set(skus)) == len(skus)


def test_a_listing_that_was_just_made_and_that_nobody_can_have_looked_at_is_no_victim(world: World) -> None:
    made = world.decoys.make("new_listing", {})
    with pytest.raises(NoVictimError):
        world.planter.plant("drift", system=made.system, listing_key=made.listing_key, units="2")


def test_every_label_can_be_planted(world: World) -> None:
    told_by_platforms = {"return_not_restocked", "unsellable_counted"}  # which these accounts in memory are not
    for label in sorted(set(world.planter.labels) - told_by_platforms):
        assert world.planter.plant(label).label in (label, "drift", "duplicate_event")


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
    assert labels >= {
        "oversell_risk",
        "undersell",
        "channel_stockout",
        "second_writer",
        "frozen_listing",
        "push_failed",
        "relisted",
        "oversold",
    }
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


@pytest.mark.parametrize(("minutes", "seen"), [(2, True), (12, False)])
def test_a_broken_export_that_the_next_replaces_before_anybody_looks_is_declared_beyond_seeing(
    world: World, minutes: float, seen: bool
) -> None:
    into_quarter = world.business.now.minute % 15
    world.advance(((minutes - into_quarter) % 15) * 60)
    assert (world.planter.plant("bad_rows").undetectable == "") is seen


@pytest.mark.parametrize("sent_again", [False, True])
def test_a_push_lost_by_a_marketplace_is_a_fact_when_its_lag_has_passed_without_another(world: World, sent_again: bool) -> None:
    planted = world.planter.plant("push_unverified", platform="amazon")
    wire = world.business.systems[planted.system].account.wire
    wire.swallow_writes.discard(planted.listing_key)  # as the platform does when it loses one
    wire.taken[planted.listing_key] = world.business.now
    world.advance(600)
    if sent_again:
        wire.taken[planted.listing_key] = world.business.now
    assert world.planter.planted[-1].ripe_at is None
    world.advance(600)
    assert (world.planter.planted[-1].ripe_at is None) is sent_again


def test_a_push_of_the_same_listing_at_another_location_is_not_the_one_that_gets_lost(world: World) -> None:
    planted = world.planter.plant("push_unverified", platform="shopify")
    wire = world.business.systems[planted.system].account.wire
    assert not wire.loses(planted.listing_key, "another")
    assert wire.loses(planted.listing_key, planted.location_key)
    assert not wire.loses(planted.listing_key, planted.location_key)


def test_what_is_promised_twice_is_said_of_a_channel_that_cannot_ship_it(world: World) -> None:
    planted = world.planter.plant("oversold")
    told = {fact.system for fact in facts(world.business, world.truth) if (fact.code, fact.sku) == ("oversold", planted.sku)}
    assert planted.system in told


def test_no_owners_number_is_typed_over_twice(world: World) -> None:
    typed = [world.planter.plant("ledger_untied") for _ in range(6)]
    assert len({(each.location, each.sku) for each in typed}) == 6
