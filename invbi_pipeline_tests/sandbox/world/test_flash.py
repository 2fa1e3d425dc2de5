"""The flash sale: goods on one shelf that every channel shows, and shoppers who take what a number allows."""

from pathlib import Path

import pytest

from invbi_pipeline.sandbox import presets
from invbi_pipeline.sandbox.world import VirtualClock, World
from invbi_pipeline.sandbox.world.flash import CHANNELS, FLASH_SALE, PLACE, HotItem, buy, put_on_sale


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("flash")
    return presets.build(FLASH_SALE.name, 1, 20, "http://sandbox.test", folder, VirtualClock(), faults=False, history_days=1)


def test_every_channel_lists_everything_under_its_own_sku(world: World) -> None:
    for sku in world.business.catalogue.products:
        assert all(world.business.systems[channel].single(sku) is not None for channel in (*CHANNELS, "amazon_uk"))


def test_what_is_put_on_sale_is_on_record_and_its_phantom_units_are_not_on_the_shelf(world: World) -> None:
    sku = sorted(world.business.catalogue.products)[0]
    put_on_sale(world, HotItem(200, phantom=3), sku)
    assert (world.business.shelves.book[PLACE, sku], world.business.shelves.units[PLACE, sku]) == (200, 197)
    assert world.goods.book_number(PLACE, sku) == 200


def test_a_shopper_buys_what_the_number_allows_and_nothing_else(world: World) -> None:
    system = world.business.systems["shopify_uk"]
    listing = system.single(sorted(world.business.catalogue.products)[1])
    assert listing is not None
    shown = system.number(listing, PLACE)
    assert buy(world, system, listing, shown + 1) is None
    assert buy(world, system, listing, shown) is not None
    assert system.number(listing, PLACE) == 0
