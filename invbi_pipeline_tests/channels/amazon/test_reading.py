"""What the Amazon channel reads, against the emulated account."""

import asyncio
import random
from datetime import timedelta

import polars as pl
import pytest

from invbi_pipeline.domain.frames import WALL
from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.errors import Refused, Unreachable
from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline_tests.channels.amazon.shop import shop


def points(frame: pl.DataFrame) -> dict[tuple[str, str], tuple[str, str | None]]:
    rows = frame.select("listing_key", "location_key", "state", "quantity").iter_rows()
    return {(sku, place): (state, quantity) for sku, place, state, quantity in rows}


def test_merchant_and_platform_stock_stand_at_their_own_places() -> None:
    seller = shop()
    seller.account.order([Line("F-0", 2)])
    stock = asyncio.run(seller.read(Dataset.STOCK)).frames["stock"]
    assert points(stock)["M-0", ""] == ("known", "10")
    assert points(stock)["F-0", "AMAZON_EU"] == ("known", "5")
    assert stock.filter(pl.col("listing_key") == "F-0")["reserved"].to_list() == ["2"]
    assert len(points(stock)) == 4


def test_a_listing_without_a_quantity_has_none() -> None:
    seller = shop()
    seller.account.stock("M-1", "", None)
    assert points(asyncio.run(seller.read(Dataset.STOCK)).frames["stock"])["M-1", ""] == ("untracked", None)


def test_an_incremental_look_asks_for_what_changed_only() -> None:
    seller = shop(merchant=60, platform=2)
    first = asyncio.run(seller.read(Dataset.STOCK))
    seller.clock.pass_by(hours=2)
    seller.account.order([Line("M-7", 1)])
    seller.clock.pass_by(minutes=5)
    again = asyncio.run(seller.read(Dataset.STOCK, first.cursor))
    assert first.full
    assert not again.full
    assert points(again.frames["stock"]) == {("M-7", ""): ("known", "9")}
    assert again.requests == 3  # a new token, a search, a summary


def test_a_look_at_1500_listings_every_five_minutes_waits_for_no_rate_limit() -> None:
    seller = shop(merchant=1_300, platform=200)
    reading = asyncio.run(seller.read(Dataset.STOCK))
    assert reading.frames["stock"].height == 1_500
    waited = timedelta(0)
    for _ in range(12):
        seller.clock.pass_by(minutes=5)
        for n in random.Random(3).sample(range(1_300), 15):
            seller.account.order([Line(f"M-{n}", 1)])
        before = seller.clock.now()
        reading = asyncio.run(seller.read(Dataset.STOCK, reading.cursor))
        asyncio.run(seller.read(Dataset.ORDERS, reading.cursor))
        waited = max(waited, seller.clock.now() - before)
    assert waited < timedelta(seconds=10)
    assert 429 not in [answer.status_code for answer in seller.recorder.answers]


def test_listings_say_who_ships_and_whether_they_can_be_bought() -> None:
    seller = shop()
    seller.account.set_status("M-1", "inactive")
    listings = asyncio.run(seller.read(Dataset.LISTINGS)).frames["listings"].sort("listing_key")
    assert listings.select("listing_key", "status", "fulfilment", "price", "currency").rows() == [
        ("F-0", "active", "platform", "9.99", "GBP"),
        ("M-0", "active", "merchant", "9.99", "GBP"),
        ("M-1", "inactive", "merchant", "9.99", "GBP"),
        ("M-2", "active", "merchant", "9.99", "GBP"),
    ]


def test_above_a_thousand_listings_the_report_is_read_once_for_listings_and_stock() -> None:
    seller = shop(merchant=1_001, platform=3)
    listings = asyncio.run(seller.read(Dataset.LISTINGS))
    stock = asyncio.run(seller.read(Dataset.STOCK))
    assert len(seller.asked("/reports/2021-06-30/reports", "POST")) == 1
    assert listings.frames["listings"].height == 1_004
    assert listings.frames["listings"]["barcode"].unique().to_list() == ["5012345678900"]
    assert points(stock.frames["stock"])["M-1000", ""] == ("known", "10")
    assert points(stock.frames["stock"])["F-2", "AMAZON_EU"] == ("known", "7")
    assert stock.full
    assert stock.platform_time < seller.clock.now()


def test_a_pending_order_is_a_line_and_a_sale_at_the_time_it_was_placed() -> None:
    seller = shop()
    placed = seller.clock.now()
    order = seller.account.order([Line("M-0", 2)], paid=False)
    seller.clock.pass_by(minutes=5)
    reading = asyncio.run(seller.read(Dataset.ORDERS))
    line = reading.frames["order_lines"].row(0, named=True)
    assert (line["order_id"], line["state"], line["quantity"], line["open_quantity"]) == (order, "pending", "2", "2")
    effect = reading.frames["effects"].row(0, named=True)
    assert (effect["kind"], effect["units"], effect["effect_id"].split("/")[0]) == ("sale", "-2", order)
    assert effect["stamped_at"] == placed.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert reading.frames["movements"].is_empty()
    assert reading.platform_time == seller.clock.now() - timedelta(minutes=2)
    assert reading.cursor == reading.platform_time.isoformat()


def test_an_order_younger_than_the_search_reaches_is_left_for_the_next_look() -> None:
    seller = shop()
    first = asyncio.run(seller.read(Dataset.ORDERS))
    seller.account.order([Line("M-0", 1)])
    seller.clock.pass_by(minutes=1)
    soon = asyncio.run(seller.read(Dataset.ORDERS, first.cursor))
    seller.clock.pass_by(minutes=5)
    later = asyncio.run(seller.read(Dataset.ORDERS, soon.cursor))
    assert (soon.frames["order_lines"].height, later.frames["order_lines"].height) == (0, 1)


def test_units_shipped_and_cancelled_add_up_however_often_they_are_read() -> None:
    seller = shop()
    order = seller.account.order([Line("M-0", 4)])
    seller.account.fulfil(order, {"M-0": 1})
    seller.clock.pass_by(minutes=5)
    early = asyncio.run(seller.read(Dataset.ORDERS)).frames
    seller.account.fulfil(order, {"M-0": 1})
    seller.account.cancel(order)
    seller.clock.pass_by(minutes=5)
    late = asyncio.run(seller.read(Dataset.ORDERS)).frames
    line = late["order_lines"].row(0, named=True)
    assert (line["state"], line["quantity"], line["open_quantity"]) == ("fulfilled", "2", "0")
    assert [row[0] for row in late["effects"].select("units").rows()] == ["-4", "1", "1"]
    assert late["movements"]["units"].to_list() == ["-1", "-1"]
    assert set(early["movements"]["movement_id"]) < set(late["movements"]["movement_id"])
    assert set(late["movements"]["movement_id"]) == {move.movement_id for move in seller.account.moved(order)}


def test_the_first_time_a_cancelled_unit_was_seen_stays_its_time() -> None:
    seller = shop()
    order = seller.account.order([Line("M-0", 2), Line("M-1", 1)])
    seller.account.edit(order, "M-0", 1)
    seller.clock.pass_by(minutes=5)
    first = asyncio.run(seller.read(Dataset.ORDERS)).frames["effects"]
    seller.account.fulfil(order, {"M-1": 1})
    seller.clock.pass_by(minutes=5)
    again = asyncio.run(seller.read(Dataset.ORDERS)).frames["effects"]
    assert first.drop("payload").rows() == again.drop("payload").rows()


def test_platform_fulfilled_orders_stand_at_amazons_place() -> None:
    seller = shop()
    order = seller.account.order([Line("F-0", 2)])
    seller.account.fulfil(order)
    seller.clock.pass_by(minutes=5)
    frames = asyncio.run(seller.read(Dataset.ORDERS)).frames
    places = {name: frame["location_key"].unique().to_list() for name, frame in frames.items()}
    assert places == {name: ["AMAZON_EU"] for name in ("order_lines", "effects", "movements")}
    assert frames["movements"]["units"].to_list() == ["-1", "-1"]


def test_nothing_of_a_buyer_is_asked_for_or_kept() -> None:
    seller = shop()
    for _ in range(4):  # every third has a gift message
        seller.account.fulfil(seller.account.order([Line("M-0", 1)]))
    seller.clock.pass_by(minutes=5)
    for dataset in (Dataset.ORDERS, Dataset.STOCK, Dataset.LISTINGS):
        for name, frame in asyncio.run(seller.read(dataset)).frames.items():
            assert frame.columns == [*WALL[name], "payload"]
            assert set(frame.schema.values()) == {pl.String()}
            assert "private" not in frame.write_csv().lower()
    included = {request.url.params["includedData"] for request in seller.asked("/orders/")}
    assert included == {"FULFILLMENT,PACKAGES"}


@pytest.mark.parametrize("many", [False, True])
def test_read_back_returns_these_points_few_or_many(many: bool) -> None:
    seller = shop(merchant=45)
    skus = [f"M-{n}" for n in range(45 if many else 2)]
    reading = asyncio.run(seller.channel.read_back([*[(sku, "") for sku in skus], ("F-0", "AMAZON_EU")]))
    assert set(points(reading.frames["stock"])) == {*[(sku, "") for sku in skus], ("F-0", "AMAZON_EU")}
    assert not reading.full
    assert reading.requests == 1 + 1 + (3 if many else 2)  # a token, a summary, searches or gets


def test_a_sku_with_odd_characters_is_read_and_written_as_it_is() -> None:
    seller = shop(merchant=0, platform=0)
    from invbi_pipeline.sandbox.contract import ItemSpec

    odd = "Ü/1, a%20&b"
    seller.account.stock(seller.account.add_item(ItemSpec(odd, "", "x", "", {}, 1.0, "GBP")), "", 4)
    reading = asyncio.run(seller.channel.read_back([(odd, "")]))
    assert points(reading.frames["stock"]) == {(odd, ""): ("known", "4")}


def test_a_token_is_fetched_once_and_again_when_it_ends_or_is_refused() -> None:
    seller = shop()
    for _ in range(3):
        asyncio.run(seller.read(Dataset.LISTINGS))
    assert len(seller.asked("/auth/o2/token")) == 1
    seller.clock.pass_by(minutes=59, seconds=30)
    asyncio.run(seller.read(Dataset.LISTINGS))
    assert len(seller.asked("/auth/o2/token")) == 2
    seller.account.wire.fail_next = ["token_expired"]
    asyncio.run(seller.read(Dataset.LISTINGS))
    assert len(seller.asked("/auth/o2/token")) == 3


def test_refused_credentials_say_which_and_hold_no_secret() -> None:
    seller = shop()
    seller.account.wire.refuse = True
    with pytest.raises(Refused, match="client id or secret") as caught:
        asyncio.run(seller.read(Dataset.STOCK))
    assert "sandbox" not in str(caught.value)
    assert not asyncio.run(seller.channel.check()).ok


def test_an_outage_raises_and_never_returns_nothing() -> None:
    seller = shop()
    seller.account.wire.down = True
    with pytest.raises(Unreachable):
        asyncio.run(seller.read(Dataset.STOCK))


def test_check_counts_the_listings() -> None:
    health = asyncio.run(shop().channel.check())
    assert (health.ok, health.listings) == (True, 4)


def test_no_webhook_is_amazons() -> None:
    with pytest.raises(Refused):
        shop().channel.parse_event({}, b"{}", "http://x")
