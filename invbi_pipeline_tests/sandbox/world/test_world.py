from datetime import timedelta
from pathlib import Path

from invbi_pipeline_tests.sandbox.world.memory import build


def test_time_passes_exactly_as_far_as_it_is_told_to(tmp_path: Path) -> None:
    world = build(tmp_path)
    began = world.business.now
    world.advance(301.5)
    assert world.business.now == began + timedelta(seconds=301.5)


def test_nobody_keeps_the_channels_in_step_after_history(tmp_path: Path) -> None:
    world = build(tmp_path, skus=300, calm=True)
    assert world.advance(4 * 3600) > 0
    points, _ = world.correctable()
    assert any(not point.agrees for point in points)


def test_a_frozen_world_comes_to_rest_and_its_exports_go_on(tmp_path: Path) -> None:
    world = build(tmp_path)
    world.advance(1800)
    world.freeze()
    world.advance(2 * 3600)
    digest, stock = world.digest, tmp_path / "erp" / "stock.csv"
    exported = stock.stat().st_mtime
    orders = len(world.business.orders.all)
    world.advance(6 * 3600)
    assert world.digest == digest
    assert len(world.business.orders.all) == orders
    assert stock.stat().st_mtime > exported


def test_a_new_day_brings_new_shoppers(tmp_path: Path) -> None:
    world = build(tmp_path)
    before = len(world.business.orders.all)
    world.advance(2 * 86_400)
    assert len(world.business.orders.all) > before + 20


def test_what_staff_count_the_owner_shows(tmp_path: Path) -> None:
    world = build(tmp_path, calm=True)
    place, sku = next(spot for spot in world.business.shelves.book if spot[0] == "soho" and world.goods.settled(*spot))
    world.goods.vanish(place, sku, 4)
    assert world.goods.count(place, sku)
    assert world.goods.book_number(place, sku) == world.business.shelves.units[place, sku]


def test_a_shelf_with_postings_on_their_way_is_not_counted(tmp_path: Path) -> None:
    world = build(tmp_path, calm=True)
    spot = next(spot for spot in world.business.shelves.book if spot[0] == "soho")
    world.business.shelves.enter(*spot, -1)
    assert not world.goods.count(*spot)
