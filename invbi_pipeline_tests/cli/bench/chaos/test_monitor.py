"""The monitor sees what must never happen: each predicate is broken once, by a write of the real client or by what is said."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from invbi_pipeline.channels.protocol import Write
from invbi_pipeline.cli.bench.chaos.estate import Estate, Retailer, estate
from invbi_pipeline.cli.bench.chaos.monitor import PREDICATES, Monitor, OnShelf, numbers
from invbi_pipeline.cli.bench.chaos.people import People
from invbi_pipeline.cli.bench.chaos.story import Universe
from invbi_pipeline.cli.bench.chaos.wire import ChaosWire
from invbi_pipeline.cli.bench.leap import LeapClock, LeapLoop
from invbi_pipeline.domain.words import CorrectionKind, MovementKind
from invbi_pipeline.flows.context import open_context
from invbi_pipeline.sandbox.world.clock import GO_LIVE
from invbi_pipeline.sandbox.world.places import Listing, System

WINDOW = timedelta(minutes=10)


class Storm:
    """One retailer with a monitor; `send` writes to a channel of it as a push would, whatever is right."""

    def __init__(self, given: Estate) -> None:
        self.config, self.retailer = given.config, given.retailers[0]
        self.business = self.retailer.world.business
        self.monitor = Monitor(given.retailers, WINDOW)
        toll: Counter[str] = Counter()
        self.wire = ChaosWire(given.retailers, {self.retailer.seed: People(self.retailer, toll)}, self.monitor, toll)

    def system(self, name: str) -> System:
        return self.business.systems[f"{name}_{self.retailer.seed}"]

    def shown(self, system: System) -> list[tuple[Listing, str, int]]:
        """Return the numbers above zero: listing, location key, number."""
        spots = [(one, key) for one in system.listings.values() if not one.platform_fulfilled for key in system.points(one)]
        found = [(one, key, system.account.number(one.key, key) or 0) for one, key in spots]
        return [spot for spot in found if spot[2] > 0]

    def send(self, system: System, *numbers: tuple[Listing, str, int], kind: CorrectionKind = CorrectionKind.SET) -> None:
        clock = self.wire.clock = LeapClock(self.business.now)
        writes = [
            Write(f"c{n}", kind, one.key, key, units, None, f"key {clock.now()} {n}", "", clock.now(), urgent=False)
            for n, (one, key, units) in enumerate(numbers)
        ]

        async def push() -> None:
            async with open_context(self.config, clock, random.Random(1), transport=self.wire, systems=[system.name]) as ctx:
                assert [result.outcome async for result in ctx.channels[system.name].write(writes)] == ["accepted"] * len(writes)

        with asyncio.Runner(loop_factory=LeapLoop) as runner:
            clock.follow(runner.get_loop())
            runner.run(push())

    def looked(self, positions: list[OnShelf] | None = None, **audits: list[Any]) -> None:
        self.monitor.looked(positions or [], audits, self.business.now)

    @property
    def broken(self) -> list[str]:
        return sorted({one.predicate for one in self.monitor.violations})


@pytest.fixture
def tills(tmp_path: Path) -> Iterator[Storm]:
    """Tills count the shop and an ERP the warehouse; Shopify and others sell from both."""
    with estate(tmp_path, [3]) as given:
        yield Storm(given)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Storm]:
    """Shopify counts; a second Shopify offers."""
    with estate(tmp_path, [1]) as given:
        yield Storm(given)


def offering(storm: Storm) -> System:
    return next(s for s in storm.business.channels() if s.platform == "shopify" and storm.business.offered_at(s))


def test_a_raise_above_the_truth_is_too_high(hub: Storm) -> None:
    one, key, units = hub.shown(offering(hub))[0]
    hub.send(offering(hub), (one, key, units + 5))
    assert hub.broken == ["never_too_high"]


def test_a_number_put_right_is_not(hub: Storm) -> None:
    system = offering(hub)
    one, key, units = hub.shown(system)[0]
    system.account.type_over(one.key, key, units - 1)
    hub.send(system, (one, key, units))
    hub.looked()
    assert hub.broken == []


def test_what_was_right_within_the_window_may_still_be_sent_and_later_no_more(hub: Storm) -> None:
    system = offering(hub)
    one, key, units = next(s for s in hub.shown(system) if s[2] > 6 and hub.business.contents(s[0]) == {s[0].sku: 1})
    system.account.type_over(one.key, key, 0)
    all_of_it = hub.business.shelves.book[system.default_place, one.sku]
    hub.retailer.world.goods.book(system.default_place, one.sku, -all_of_it, MovementKind.DAMAGE)
    hub.send(system, (one, key, units))
    assert hub.broken == []

    system.account.type_over(one.key, key, 0)
    hub.retailer.world.freeze()
    hub.retailer.world.advance(2 * WINDOW.total_seconds())
    hub.send(system, (one, key, units))
    assert hub.broken == ["never_too_high"]


def test_more_than_a_few_numbers_sent_to_zero_in_vain_are_a_mass(hub: Storm) -> None:
    hub.send(offering(hub), *((one, key, 0) for one, key, _ in hub.shown(offering(hub))[:3]))
    hub.looked()
    assert hub.broken == []

    hub.send(offering(hub), *((one, key, 0) for one, key, _ in hub.shown(offering(hub))[:4]))
    hub.looked()
    assert hub.broken == ["never_zeroed_in_vain"]


def test_a_set_of_what_is_counted_is_seen(hub: Storm) -> None:
    one, key, units = hub.shown(hub.system("shopify_uk"))[0]
    hub.send(hub.system("shopify_uk"), (one, key, units + 1))
    assert hub.broken == ["never_sets_what_is_counted"]


def test_a_set_that_gets_through_although_its_number_moved_on_the_way_is_seen(hub: Storm) -> None:
    system = offering(hub)
    one, key, units = hub.shown(system)[0]
    before = numbers(system)
    hub.monitor.wrote(hub.retailer, system, before, sets=True, meddled=(one.key, key))  # refused: nothing moved
    assert hub.broken == []

    system.account.type_over(one.key, key, units - 1)
    hub.monitor.wrote(hub.retailer, system, before, sets=True, meddled=(one.key, key))
    assert hub.broken == ["never_writes_over_a_change"]


def test_a_movement_posted_twice_is_seen(tills: Storm) -> None:
    till = tills.system("till")
    one, key, _ = next(spot for spot in tills.shown(till) if spot[2] > 3)
    business, goods = tills.business, tills.retailer.world.goods
    place = till.place_of[key]
    business.shelves.enter(place, one.sku, -1)  # one was sold by another system, which the till does not know of
    assert goods.book_number(place, one.sku) == business.shelves.book[place, one.sku] + 1

    tills.send(till, (one, key, -1), kind=CorrectionKind.POST)
    assert tills.broken == []
    tills.send(till, (one, key, -2), kind=CorrectionKind.POST)
    assert tills.broken == ["posted_once"]


def test_a_write_after_a_pause_is_seen(hub: Storm) -> None:
    one, key, units = hub.shown(offering(hub))[0]
    hub.monitor.paused.add(offering(hub).name)
    hub.send(offering(hub), (one, key, units - 1))
    assert hub.broken == ["nothing_while_paused"]


def test_units_that_no_book_ever_held_are_seen(hub: Storm) -> None:
    (place, sku), units = next(iter(hub.business.shelves.book.items()))
    hub.looked([OnShelf(place, sku, units)])
    assert hub.broken == []
    hub.looked([OnShelf(place, sku, units + 1)])
    assert hub.broken == ["units_conserved"]


def test_units_of_which_it_is_said_that_they_may_have_gone_need_not_lie_there(hub: Storm) -> None:
    (place, sku), units = next(iter(hub.business.shelves.book.items()))
    hub.looked([OnShelf(place, sku, units + 1, undecided=1)])
    assert hub.broken == []
    hub.looked([OnShelf(place, sku, units + 2, undecided=1)])
    assert hub.broken == ["units_conserved"]


@pytest.mark.parametrize("uneven", [False, True])
def test_a_receipt_may_be_known_without_the_damage_before_it_only_where_some_tell_late(hub: Storm, uneven: bool) -> None:
    (place, sku), units = next(spot for spot in hub.business.shelves.book.items() if spot[1] > 6)
    hub.retailer.world.goods.book(place, sku, -2, MovementKind.DAMAGE)
    hub.retailer.world.advance(1)
    hub.retailer.world.goods.book(place, sku, 6, MovementKind.RECEIPT)
    hub.monitor.uneven = uneven
    hub.looked([OnShelf(place, sku, units + 6)])
    assert hub.broken == ([] if uneven else ["units_conserved"])
    hub.looked([OnShelf(place, sku, units + 7)])
    assert hub.broken == ["units_conserved"]


def test_an_order_that_the_counting_channel_took_and_nobody_has_heard_of_may_be_missing_but_not_stand_there_twice(
    hub: Storm,
) -> None:
    system = hub.system("shopify_uk")
    one, key, _ = next(spot for spot in hub.shown(system) if hub.business.contents(spot[0]) == {spot[0].sku: 1})
    place = system.place_of[key]
    book = hub.business.shelves.book[place, one.sku]
    hub.retailer.world.shoppers.place_order(system, place, [(one, 1)])
    hub.looked([OnShelf(place, one.sku, book - 1)])
    assert hub.broken == []
    hub.looked([OnShelf(place, one.sku, book - 2)])
    assert hub.broken == ["units_conserved"]


def test_another_channel_s_order_changes_nothing_of_what_lies_on_a_shelf(hub: Storm) -> None:
    system = offering(hub)
    one, _, _ = next(spot for spot in hub.shown(system) if hub.business.contents(spot[0]) == {spot[0].sku: 1})
    place = system.default_place
    book = hub.business.shelves.book[place, one.sku]
    hub.retailer.world.shoppers.place_order(system, place, [(one, 1)])
    hub.looked([OnShelf(place, one.sku, book)])
    assert hub.broken == []
    hub.looked([OnShelf(place, one.sku, book - 1)])
    assert hub.broken == ["units_conserved"]


def test_an_audit_with_a_row_is_seen(hub: Storm) -> None:
    hub.looked(audit_gap_identity=[])
    assert hub.broken == []
    hub.looked(audit_gap_identity=[{"system": "shopify_uk_1"}])
    assert hub.broken == ["audited"]


def test_a_number_left_wrong_disagrees_unless_its_channel_is_broken_for_ever(tmp_path: Path) -> None:
    with estate(tmp_path, [1]) as given:
        universe, storm = Universe(given), Storm(given)
        one, key, units = storm.shown(offering(storm))[0]
        assert universe.disagreeing(storm.retailer) == []

        offering(storm).account.type_over(one.key, key, units + 1)
        assert [point.listing_key for point in universe.disagreeing(storm.retailer)] == [one.key]
        universe.feeds[storm.retailer.seed].broken = offering(storm).name
        assert universe.disagreeing(storm.retailer) == []


def test_every_predicate_is_a_method() -> None:
    assert all(callable(getattr(Monitor, name)) for name in PREDICATES)


def test_a_seed_is_the_same_whoever_else_is_there(tmp_path: Path) -> None:
    def digests(folder: str, seeds: list[int]) -> dict[int, str]:
        with estate(tmp_path / folder, seeds) as given:
            return {one.seed: _lived(one) for one in given.retailers}

    both = digests("both", [1, 3])
    assert both == digests("one", [1]) | digests("other", [3])
    assert both[1] != both[3]


def _lived(one: Retailer) -> str:
    assert one.world.business.now == GO_LIVE
    People(one, Counter()).plan(600)
    one.world.advance(600)
    return one.world.digest
