"""Facings that leave their shelves unbooked."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from invbi_pipeline.sandbox.world.laws import CALM, LAWS, Laws
from invbi_pipeline.sandbox.world.losses import Losses
from invbi_pipeline.sandbox.world.world import World
from invbi_pipeline_tests.sandbox.world.memory import build

_PLACE = "soho"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path, skus=60, history_days=1, calm=True)


def _emptied(world: World, laws: Laws) -> set[str]:
    """Let one day's losses alone happen in a shop, and return whose shelves they emptied."""
    business = world.business
    business.laws, business.agenda = laws, type(business.agenda)()
    skus = [sku for place, sku in business.shelves.book if place == _PLACE]
    held = {sku for sku in skus if business.shelves.units[_PLACE, sku] > 0}
    Losses(business, world.goods, {_PLACE: skus}).plan_day(business.now)
    while (due := business.agenda.due(business.now + timedelta(days=1))) is not None:
        due[1]()
    return {sku for sku in held if business.shelves.units[_PLACE, sku] == 0}


def test_what_is_lost_goes_whole_and_the_record_keeps_it(world: World) -> None:
    shelves, book = world.business.shelves, dict(world.business.shelves.book)

    emptied = _emptied(world, replace(LAWS["leaky"], facings_a_year=100.0))

    assert emptied
    assert shelves.book == book
    assert all(units >= 0 for (place, _), units in shelves.units.items() if place == _PLACE)


def test_a_calm_shop_loses_no_facing(world: World) -> None:
    assert _emptied(world, CALM) == set()


def test_a_raid_takes_facings_of_one_style(world: World) -> None:
    products = world.business.catalogue.products
    raid = replace(LAWS["raided"], facings_a_year=3 * 365 / 60, raid_facings=3)

    emptied = _emptied(world, raid)

    styles = [products[sku].style for sku in emptied]
    assert len(emptied) > 1
    assert len(set(styles)) <= len(styles) / 1.5


def test_raids_are_after_dear_goods(world: World) -> None:
    products = world.business.catalogue.products
    wanted = replace(LAWS["leaky"], facings_a_year=100.0, dear=8.0)

    emptied = _emptied(world, wanted)

    usual = [products[sku].price for place, sku in world.business.shelves.book if place == _PLACE and sku in products]
    assert sum(products[sku].price for sku in emptied) / len(emptied) > sum(usual) / len(usual)
