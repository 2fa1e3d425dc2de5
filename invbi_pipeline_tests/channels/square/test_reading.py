"""What the Square channel reads, against the emulated account."""

import asyncio

import polars as pl
import pytest

from invbi_pipeline.channels.protocol import Reading
from invbi_pipeline.domain.frames import WALL
from invbi_pipeline.domain.words import Dataset, ReturnState
from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline_tests.channels.square.till import Till, till


def read(shop: Till, dataset: Dataset, since: str = "") -> Reading:
    return asyncio.run(shop.channel.read(dataset, since))


def test_a_pair_without_a_count_is_unknown_and_an_untracked_variation_has_no_number() -> None:
    shop = till()
    reading = read(shop, Dataset.STOCK)
    rows = {(key, place): (state, n) for key, place, state, n in _points(reading).iter_rows()}
    soho, camden = shop.places
    assert rows[shop.keys[0], soho] == ("known", "10")
    assert rows[shop.keys[0], camden] == ("unknown", None)
    assert rows[shop.keys[2], soho] == rows[shop.keys[2], camden] == ("untracked", None)
    assert len(rows) == 6
    assert reading.full
    assert reading.platform_time == shop.clock.now().replace(microsecond=0)


def test_an_incremental_read_returns_what_moved_and_the_variations_that_changed() -> None:
    shop = till(items=5)
    first = read(shop, Dataset.STOCK)
    shop.clock.pass_by(hours=3)
    shop.account.order([Line(shop.keys[0], 2)], shop.places[0], pos=True)
    shop.account.rename(shop.keys[1], sku="OTHER")
    again = read(shop, Dataset.STOCK, first.cursor)
    rows = _points(again).filter(pl.col("location_key") == shop.places[0])
    assert sorted(rows["listing_key"]) == sorted(shop.keys[:2])
    assert dict(rows.select("listing_key", "quantity").iter_rows()) == {shop.keys[0]: "8", shop.keys[1]: "10"}
    assert not again.full
    assert again.cursor > first.cursor


def test_a_till_sale_is_a_line_an_effect_and_a_movement() -> None:
    shop = till()
    order = shop.account.order([Line(shop.keys[0], 2)], shop.places[0], pos=True)
    frames = read(shop, Dataset.ORDERS).frames
    line = frames["order_lines"].row(0, named=True)
    assert (line["order_id"], line["state"], line["quantity"], line["open_quantity"]) == (order, "fulfilled", "2", "0")
    assert (line["price"], line["currency"], line["location_key"]) == ("12.50", "GBP", shop.places[0])
    effect = frames["effects"].row(0, named=True)
    assert (effect["kind"], effect["units"], effect["order_id"]) == ("sale", "-2", order)
    assert frames["movements"].select("kind", "units", "order_id").rows() == [("sale", "-2", order)]


def test_an_order_shipped_in_parts_and_cancelled_for_the_rest() -> None:
    shop = till()
    order = shop.account.order([Line(shop.keys[0], 3)], shop.places[0])
    shop.account.fulfil(order, {shop.keys[0]: 1})
    part = read(shop, Dataset.ORDERS).frames["order_lines"].row(0, named=True)
    shop.clock.pass_by(minutes=1)
    shop.account.cancel(order)
    rest = read(shop, Dataset.ORDERS).frames["order_lines"].row(0, named=True)
    assert (part["state"], part["quantity"], part["open_quantity"]) == ("open", "3", "2")
    assert (rest["state"], rest["quantity"], rest["open_quantity"]) == ("fulfilled", "1", "0")


def test_each_kind_of_change_is_a_movement_of_its_kind() -> None:
    shop = till()
    key, soho = shop.keys[0], shop.places[0]
    order = shop.account.order([Line(key, 2)], soho, pos=True)
    refund = shop.account.refund(order, key, 1, soho)
    for kind, delta in (("receipt", 5), ("damage", -1), ("transfer_out", -2), ("transfer_in", 2), ("return", 1)):
        shop.account.adjust(key, soho, delta, kind)
    shop.account.count(key, soho, 9)
    movements = read(shop, Dataset.MOVEMENTS).frames["movements"]
    assert movements.select("kind", "units", "counted").rows() == [
        ("sale", "-2", None),
        ("return", "1", None),
        ("receipt", "5", None),
        ("damage", "-1", None),
        ("transfer_out", "-2", None),
        ("transfer_in", "2", None),
        ("return", "1", None),
        ("count", None, "9"),
    ]
    assert movements["order_id"].to_list()[:2] == [order, refund]
    assert movements["movement_id"].is_unique().all()


def test_listings_carry_their_item_and_their_status() -> None:
    shop = till()
    shop.account.set_status(shop.keys[1], "inactive")
    first = read(shop, Dataset.LISTINGS)
    shop.clock.pass_by(hours=3)
    shop.account.set_status(shop.keys[0], "deleted")
    later = read(shop, Dataset.LISTINGS, first.cursor)
    rows = first.frames["listings"].select("raw_sku", "title", "style", "status", "price").rows()
    assert rows[:2] == [("SKU-0", "Shirt - 0", "Shirt", "active", "12.50"), ("SKU-1", "Shirt - 1", "Shirt", "inactive", "12.50")]
    changed = dict(later.frames["listings"].select("raw_sku", "status").iter_rows())
    assert changed == {"SKU-0": "deleted", "SKU-1": "inactive", "SKU-2": "active"}  # an item brings all its variations


def test_locations_are_read_without_addresses() -> None:
    shop = till()
    frame = read(shop, Dataset.LOCATIONS).frames["locations"]
    assert frame.select("name", "active").rows() == [("Soho", "true"), ("Camden", "true")]
    assert not frame["payload"].str.contains("address").any()


def test_frames_have_the_walls_columns_and_no_buyer_in_them() -> None:
    shop = till()
    shop.account.fulfil(shop.account.order([Line(shop.keys[0], 2)], shop.places[0]))
    for dataset in Dataset:
        for name, frame in read(shop, dataset).frames.items():
            assert frame.columns == [*WALL[name], "payload"]
            assert set(frame.schema.values()) == {pl.String()}
            assert "private" not in frame.write_csv().lower()


def test_read_back_returns_the_points_asked_for_and_nothing_else() -> None:
    shop = till()
    asked = [(shop.keys[0], shop.places[0]), (shop.keys[1], shop.places[1]), (shop.keys[2], shop.places[0])]
    reading = asyncio.run(shop.channel.read_back(asked))
    assert [row[2:] for row in _points(reading).rows()] == [("known", "10"), ("unknown", None), ("untracked", None)]


@pytest.mark.parametrize("anew", [False, True])
def test_what_is_counted_no_longer_is_told_of_although_its_count_just_stays_away(anew: bool) -> None:
    shop = till()
    first = read(shop, Dataset.STOCK)
    shop.clock.pass_by(hours=3)
    wire = shop.account.wire
    wire.untracked_all, wire.renumbered_at = True, shop.clock.now()
    shop.clock.pass_by(minutes=1)
    if anew:  # as each run is
        shop.another_process()
    states = _points(read(shop, Dataset.STOCK, first.cursor))["state"].to_list()
    assert states == ["untracked"] * first.frames["stock"].height


def test_more_than_ten_shops_are_asked_ten_at_a_time() -> None:
    shop = till()
    for n in range(11):
        shop.account.add_location(f"p{n}", f"Place {n}")
    last = read(shop, Dataset.LOCATIONS).frames["locations"]["location_key"].to_list()[-1]
    shop.account.order([Line(shop.keys[0], 1)], last, pos=True)
    assert read(shop, Dataset.ORDERS).frames["order_lines"]["location_key"].to_list() == [last]


def test_pages_are_read_to_their_end() -> None:
    shop = till()
    for _ in range(1_010):
        shop.account.order([Line(shop.keys[0], 1)], shop.places[0], pos=True)
    frames = read(shop, Dataset.ORDERS).frames
    assert (frames["order_lines"].height, frames["effects"].height) == (1_010, 1_010)


def test_the_hidden_rate_is_found_and_nothing_is_lost() -> None:
    shop = till()
    shop.account.wire.hidden_rate = 1.0
    before = shop.clock.now()
    for _ in range(15):
        assert read(shop, Dataset.LOCATIONS).frames["locations"].height == 2
    assert (shop.clock.now() - before).total_seconds() >= 10
    assert 429 in [answer.status_code for answer in shop.recorder.answers]


def test_check_names_a_mapped_location_that_is_not_there() -> None:
    shop = till(locations={"GONE": "soho"})
    health = asyncio.run(shop.channel.check())
    assert [(what, ok) for what, ok, _ in health.rows] == [
        ("access", True),
        ("location soho", False),
        ("inventory and catalog", True),
    ]
    assert health.listings == 3


def _points(reading: Reading) -> pl.DataFrame:
    return reading.frames["stock"].select("listing_key", "location_key", "state", "quantity")


def test_a_return_at_the_till_waits_until_it_is_put_back_or_binned() -> None:
    shop = till()
    key, soho = shop.keys[0], shop.places[0]
    order = shop.account.order([Line(key, 3)], soho, pos=True)
    waiting = shop.account.take_back(order, key, 1, soho, ReturnState.RECEIVED)
    binned = shop.account.take_back(order, key, 1, soho, ReturnState.WRITTEN_OFF)
    frames = read(shop, Dataset.ORDERS).frames
    assert frames["returns"].select("return_id", "state", "units", "damaged").rows() == [
        (waiting, "received", "1", None),
        (binned, "received", "1", None),
        (binned, "written_off", "1", "true"),
    ]
    assert frames["movements"]["kind"].to_list() == ["sale"]


def test_a_restocked_return_is_told_as_a_return_and_as_a_movement() -> None:
    shop = till()
    key, soho = shop.keys[0], shop.places[0]
    order = shop.account.order([Line(key, 2)], soho, pos=True)
    refund = shop.account.refund(order, key, 2, soho)
    frames = read(shop, Dataset.ORDERS).frames
    assert frames["returns"].select("return_id", "state", "units", "location_key").rows() == [(refund, "restocked", "2", soho)]
    assert frames["movements"].select("kind", "units").rows() == [("sale", "-2"), ("return", "2")]


def test_money_given_back_without_goods_is_no_return() -> None:
    shop = till()
    order = shop.account.order([Line(shop.keys[0], 2)], shop.places[0], pos=True)
    shop.account.refund(order, shop.keys[0], 2, None)
    assert read(shop, Dataset.ORDERS).frames["returns"].is_empty()
