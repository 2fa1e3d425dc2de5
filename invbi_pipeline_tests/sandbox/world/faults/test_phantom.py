"""A planted phantom: nothing lies there, and the record does not know."""

import pytest

from invbi_pipeline.domain.words import LocationKind
from invbi_pipeline.sandbox.world.faults.kit import NoVictimError
from invbi_pipeline.sandbox.world.world import World
from invbi_pipeline_tests.sandbox.world.memory import build


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build(tmp_path_factory.mktemp("world"), skus=60, history_days=1, calm=True)


def test_the_shelf_is_emptied_and_the_record_keeps_what_lay_there(world: World) -> None:
    shelves, book = world.business.shelves, dict(world.business.shelves.book)

    planted = world.planter.plant("phantom_stock")

    spot = planted.location, planted.sku
    assert shelves.units[spot] == 0
    assert shelves.book == book
    assert planted.units == book[spot] >= 2
    assert world.business.places[planted.location].kind is not LocationKind.PLATFORM


def test_it_is_said_beforehand_that_nobody_can_see_it_at_once(world: World) -> None:
    assert "days" in world.planter.plant("phantom_stock").undetectable


def test_no_sku_is_the_subject_twice(world: World) -> None:
    skus = [world.planter.plant("phantom_stock").sku for _ in range(8)]

    assert len(set(skus)) == len(skus)


def test_a_sku_that_has_a_fault_already_cannot_be_asked_for(world: World) -> None:
    taken = world.planter.plant("phantom_stock").sku

    with pytest.raises(NoVictimError):
        world.planter.plant("phantom_stock", sku=taken)
