"""What orders did to the numbers, told by what the emulated shop's numbers really did."""

import random

import polars as pl
import pytest

from invbi_pipeline.domain.words import Dataset, ReturnState
from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline.store.landing import prepare
from invbi_pipeline_tests.channels.shopify.conftest import Shop
from invbi_pipeline_tests.channels.shopify.reading import frame, read, rows

EFFECT = ("kind", "units", "location_key", "stamped_at")


def ends(table: pl.DataFrame, column: str, order: str) -> list[str]:
    """The ids after their order and line."""
    line = table["line_id"][0]
    return sorted(text.removeprefix(f"{order}/{line}") for text in table[column])


def test_an_online_order_is_a_sale_where_it_must_ship_and_holds_its_units(shop: Shop) -> None:
    order = shop.sell(shop.item("A"), 2, at=shop.soho)
    effects = frame(shop, "effects")
    assert rows(effects, *EFFECT) == [("sale", "-2", shop.soho, "2026-09-01T09:00:00Z")]
    assert ends(effects, "effect_id", order) == ["/sale"]
    assert rows(frame(shop, "order_lines"), "state", "quantity", "open_quantity") == [("open", "2", "2")]
    assert frame(shop, "movements").is_empty()


def test_a_sale_over_the_counter_is_a_sale_and_a_shipment_at_once(shop: Shop) -> None:
    order = shop.sell(shop.item("A"), pos=True, at=shop.soho)
    assert rows(frame(shop, "effects"), "kind", "units", "location_key") == [("sale", "-1", shop.soho)]
    assert rows(frame(shop, "movements"), "kind", "units", "location_key", "order_id") == [("sale", "-1", shop.soho, order)]


def test_split_shipments_are_movements_of_their_own_and_effects_of_none(shop: Shop) -> None:
    key = shop.item("A")
    order = shop.sell(key, 3, at=shop.warehouse)
    for units in (1, 2):
        shop.clock.pass_s(60)
        shop.account.fulfil(order, {key: units})
    assert rows(frame(shop, "movements"), "units", "occurred_at") == [
        ("-1", "2026-09-01T09:01:00Z"),
        ("-2", "2026-09-01T09:02:00Z"),
    ]
    assert frame(shop, "effects").height == 1


def test_a_cancelled_order_that_is_restocked_gives_its_units_back_when_it_was_cancelled(shop: Shop) -> None:
    order = shop.sell(shop.item("A"), 2, at=shop.soho)
    shop.clock.pass_s(60)
    shop.account.cancel(order)
    effects = frame(shop, "effects")
    assert ("cancel", "2", shop.soho, "2026-09-01T09:01:00Z") in rows(effects, *EFFECT)
    assert ends(effects, "effect_id", order) == ["/cancel", "/sale"]


def test_a_cancelled_order_that_is_not_restocked_gives_nothing_back(shop: Shop) -> None:
    shop.account.cancel(shop.sell(shop.item("A"), at=shop.soho), restock=False)
    assert frame(shop, "effects")["kind"].to_list() == ["sale"]


def test_an_edit_down_is_a_cancel_dated_by_its_refund_and_a_second_one_has_its_own_id(shop: Shop) -> None:
    key = shop.item("A")
    order = shop.sell(key, 3, at=shop.soho)
    for left in (2, 1):
        shop.clock.pass_s(60)
        shop.account.edit(order, key, left)
    effects = frame(shop, "effects")
    assert ends(effects, "effect_id", order) == ["/cancel", "/cancel/2", "/sale"]
    assert rows(effects.filter(pl.col("kind") == "cancel"), "units", "stamped_at") == [
        ("1", "2026-09-01T09:01:00Z"),
        ("1", "2026-09-01T09:02:00Z"),
    ]
    assert rows(frame(shop, "order_lines"), "quantity", "open_quantity") == [("1", "1")]


def test_an_edit_up_is_a_sale_dated_by_its_agreement(shop: Shop) -> None:
    key = shop.item("A")
    order = shop.sell(key, 1, at=shop.soho)
    shop.clock.pass_s(600)
    shop.account.edit(order, key, 4)
    assert rows(frame(shop, "effects"), "units", "stamped_at") == [("-1", "2026-09-01T09:00:00Z"), ("-3", "2026-09-01T09:10:00Z")]


def test_a_restocked_return_is_an_effect_and_a_movement_where_it_was_put_back(shop: Shop) -> None:
    key = shop.item("A")
    order = shop.sell(key, 2, pos=True, at=shop.soho)
    shop.clock.pass_s(60)
    refund = shop.account.refund(order, key, 1, shop.warehouse)
    line = frame(shop, "order_lines")["line_id"].item()
    effect = frame(shop, "effects").filter(pl.col("kind") == "return")
    movement = frame(shop, "movements").filter(pl.col("kind") == "return")
    assert rows(effect, "effect_id", "units", "location_key") == [(f"{refund}/{line}/restock", "1", shop.warehouse)]
    assert rows(movement, "movement_id", "units", "occurred_at") == [(f"{refund}/{line}", "1", "2026-09-01T09:01:00Z")]


def test_money_back_is_not_goods_back(shop: Shop) -> None:
    key = shop.item("A")
    shop.account.refund(shop.sell(key, pos=True, at=shop.soho), key, 1, None)
    assert frame(shop, "effects")["kind"].to_list() == ["sale"]
    assert frame(shop, "movements")["kind"].to_list() == ["sale"]


def test_units_shipped_from_elsewhere_are_moved_between_the_numbers_when_they_ship(shop: Shop) -> None:
    key = shop.item("A")
    order = shop.sell(key, 3, at=shop.warehouse)
    shop.clock.pass_s(3600)
    shop.account.fulfil(order, {key: 2}, shop.soho)
    moved = frame(shop, "effects").filter(pl.col("kind") == "adjustment")
    assert rows(moved, "units", "location_key", "stamped_at") == [
        ("-2", shop.soho, "2026-09-01T10:00:00Z"),
        ("2", shop.warehouse, "2026-09-01T10:00:00Z"),
    ]
    lines = frame(shop, "order_lines")
    assert rows(lines, "location_key", "quantity", "open_quantity") == [(shop.warehouse, "1", "1"), (shop.soho, "2", "0")]
    assert lines["line_id"].n_unique() == 2


def test_orders_of_a_deleted_item_stay_lines_and_move_nothing_with_one_warning(shop: Shop) -> None:
    kept, deleted = shop.item("A"), shop.item("B")
    order = shop.account.order([Line(kept, 1, 20.0), Line(deleted, 2, 20.0)], shop.soho)
    shop.account.fulfil(order)
    shop.account.cancel(shop.sell(deleted, at=shop.soho))
    shop.account.set_status(deleted, "deleted")
    reading = read(shop, Dataset.ORDERS)
    assert {name: set(reading.frames[name]["listing_key"]) for name in ("effects", "movements")} == {
        "effects": {kept},
        "movements": {kept},
    }
    assert rows(reading.frames["order_lines"], "listing_key", "raw_sku", "quantity") == [
        ("", "B", "0"),
        ("", "B", "2"),
        (kept, "A", "1"),
    ]
    assert reading.warnings == ("2 order lines name no item (deleted, or never one): they move no stock",)
    assert prepare(reading, "uk", "r1", "b1").quarantine.is_empty()


def test_the_same_story_read_twice_has_the_same_ids(shop: Shop) -> None:
    key = shop.item("A")
    order = shop.sell(key, 3, at=shop.soho)
    early = set(frame(shop, "effects")["effect_id"])
    shop.account.edit(order, key, 2)
    shop.account.fulfil(order)
    assert early < set(frame(shop, "effects")["effect_id"])


def busy_days(shop: Shop, seed: int, acts: int = 70) -> list[str]:
    """People buy, staff ship, cancel, edit and take back, at random."""
    rng, keys, places = random.Random(seed), [shop.item(f"A-{n}", 100, 100) for n in range(5)], [shop.warehouse, shop.soho]
    orders: list[tuple[str, list[str]]] = []
    shipped: dict[tuple[str, str], int] = {}
    for _ in range(acts):
        shop.clock.pass_s(rng.randrange(1, 900))
        act = rng.choice(("web", "web", "pos", "ship", "part", "away", "cancel", "edit", "return"))
        if act in {"web", "pos"} or not orders:
            chosen = rng.sample(keys, rng.randrange(1, 4))
            lines = [Line(key, rng.randrange(1, 4), 20.0) for key in chosen]
            order = shop.account.order(lines, rng.choice(places), pos=act == "pos")
            if act == "pos":
                shipped |= {(order, line.listing_key): line.quantity for line in lines}
            else:
                orders.append((order, chosen))
            continue
        order, chosen = rng.choice(orders)
        key = rng.choice(chosen)
        match act:
            case "ship":
                shop.account.fulfil(order)
            case "part":
                shop.account.fulfil(order, {key: 1})
            case "away":
                shop.account.fulfil(order, {key: 1}, rng.choice(places))
            case "cancel":
                shop.account.cancel(order)
            case "edit":
                shop.account.edit(order, key, 3 + rng.randrange(4))  # never below what may have left
            case "return" if shipped:
                (order, key), units = shipped.popitem()
                shop.account.refund(order, key, units, rng.choice([None, *places]))
    return keys


def units(column: pl.Series) -> int:
    return sum(int(text) for text in column)


@pytest.mark.parametrize("seed", range(6))
def test_opening_and_effects_are_the_number_at_every_point_and_open_units_are_what_is_committed(shop: Shop, seed: int) -> None:
    keys = busy_days(shop, seed)
    reading = read(shop, Dataset.ORDERS)
    effects, lines = reading.frames["effects"], reading.frames["order_lines"]
    assert effects["effect_id"].is_unique().all()
    assert reading.frames["movements"]["movement_id"].is_unique().all()
    for key in keys:
        for place in (shop.warehouse, shop.soho):
            here = (pl.col("listing_key") == key) & (pl.col("location_key") == place)
            moved = units(effects.filter(here)["units"])
            held = units(lines.filter(here)["open_quantity"])
            left = units(reading.frames["movements"].filter(here)["units"])
            assert 100 + moved == shop.account.number(key, place)
            assert 100 + moved + held == 100 + left, "available and committed are what lies on the shelf"


@pytest.mark.parametrize(
    ("state", "damaged", "told", "back"),
    [
        (ReturnState.RECEIVED, False, ("received", "false"), 0),
        (ReturnState.RESTOCKED, True, ("restocked", "true"), 1),
        (ReturnState.WRITTEN_OFF, True, ("written_off", "true"), 0),
        (ReturnState.MISSING, False, ("missing", "false"), 0),
    ],
)
def test_a_return_is_told_by_what_became_of_the_goods(
    shop: Shop, state: ReturnState, damaged: bool, told: tuple[str, str], back: int
) -> None:
    key = shop.item("A")
    order = shop.sell(key, 2, pos=True, at=shop.soho)
    shop.account.take_back(order, key, 1, shop.soho, state, damaged=damaged)
    said = rows(frame(shop, "returns"), "state", "damaged", "units", "location_key", "order_id")
    assert said == [(*told, "1", shop.soho, order)]
    assert frame(shop, "movements").filter(kind="return").height == back


def test_a_refund_without_a_return_says_nothing_of_goods(shop: Shop) -> None:
    key = shop.item("A")
    order = shop.sell(key, 2, pos=True, at=shop.soho)
    shop.account.refund(order, key, 1, None)
    assert frame(shop, "returns").is_empty()
