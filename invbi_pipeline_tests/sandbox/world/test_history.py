from collections import Counter
from pathlib import Path

import pytest

from invbi_pipeline.sandbox.world.world import World
from invbi_pipeline_tests.sandbox.world.memory import MemoryAccount, build

PRESETS = ["till_master", "shopify_hub", "erp_master"]


def _unsettled(world: World) -> dict[tuple[str, str], int]:
    """Return what the owners' numbers lack, by place and sku."""
    book = world.business.shelves.book
    missing = {spot: units - (world.goods.book_number(*spot) or 0) for spot, units in book.items()}
    return {spot: units for spot, units in missing.items() if units}


@pytest.mark.parametrize("preset", PRESETS)
def test_every_channel_shows_what_it_should_when_history_ends(preset: str, tmp_path: Path) -> None:
    points, excluded = build(tmp_path, preset, calm=True).correctable()
    assert len(points) > 30
    assert [point for point in points if not point.agrees] == []
    assert excluded == []


def test_the_same_seed_is_the_same_world_and_another_is_not(tmp_path: Path) -> None:
    first, second, other = (build(tmp_path / str(n), seed=seed) for n, seed in enumerate((3, 3, 4)))
    for world in (first, second, other):
        world.advance(3600)
    assert first.digest == second.digest
    assert first.digest != other.digest


def test_a_tills_book_holds_every_foreign_shipment_by_its_movement_id(tmp_path: Path) -> None:
    world = build(tmp_path, calm=True)
    till, shopify = (world.business.systems[name].account for name in ("till", "shopify_uk"))
    assert isinstance(till, MemoryAccount)
    shops = set(world.business.systems["till"].counts)
    orders = [o for o in world.business.orders.all.values() if o.system == "shopify_uk" and o.place in shops]
    shipped = {f"shopify_uk/{moved.movement_id}" for order in orders for moved in shopify.moved(order.order_id)}
    assert shipped
    assert {reference for reference in till.references if reference.startswith("shopify_uk/")} == shipped
    assert {place for place, _ in _unsettled(world)} <= {"warehouse"}


def test_the_erp_lacks_only_what_its_import_has_still_to_bring(tmp_path: Path) -> None:
    world = build(tmp_path, "erp_master", calm=True)
    world.freeze()
    world.advance(3600)
    assert _unsettled(world) == {}


def test_units_are_conserved_on_every_shelf(tmp_path: Path) -> None:
    world = build(tmp_path, calm=True)
    shelves = world.business.shelves
    before = Counter(shelves.units)
    before.subtract(shelves.moved)
    world.advance(7200)
    now = Counter(shelves.units)
    now.subtract(shelves.moved)
    assert now == before


def test_what_is_reserved_is_what_open_orders_hold(tmp_path: Path) -> None:
    world = build(tmp_path, calm=True)
    held: Counter[tuple[str, str]] = Counter()
    for order in world.business.orders.unfinished.values():
        for line in order.open_lines:
            for sku, each in world.business.contents(line.listing).items():
                held[order.place, sku] += each * line.open
    assert held == +world.business.shelves.reserved


def test_history_holds_all_that_happens_in_retail(tmp_path: Path) -> None:
    world = build(tmp_path, skus=300, history_days=20, calm=True)
    orders = world.business.orders.all.values()
    lines = [line for order in orders for line in order.lines.values()]
    assert any(not order.paid for order in orders)
    assert any(line.returned for line in lines)
    assert any(not line.open and not line.shipped for line in lines), "somebody cancelled"
    assert any(order.platform_fulfilled for order in orders)
    assert any(line.listing.units > 1 for line in lines), "somebody bought a pack"
    assert any(line.listing.sku in world.business.catalogue.kits for line in lines), "somebody bought a kit"
    shelves = world.business.shelves
    assert any(shelves.units[spot] != units for spot, units in shelves.book.items()), "the record is not the shelf"
