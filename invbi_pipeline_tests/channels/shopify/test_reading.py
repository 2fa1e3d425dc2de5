import asyncio
import json
import random
from dataclasses import replace
from datetime import timedelta

import httpx
import polars as pl
import pytest

from invbi_pipeline.channels.protocol import Forgetful
from invbi_pipeline.channels.shopify import channel as shopify_channel
from invbi_pipeline.channels.shopify.facts import FACTS
from invbi_pipeline.config import SystemConfig
from invbi_pipeline.domain.frames import WALL
from invbi_pipeline.domain.words import Dataset, Role
from invbi_pipeline.errors import BadAnswer
from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline_tests.channels.shopify.conftest import Shop
from invbi_pipeline_tests.channels.shopify.reading import frame, numbers, read, rows
from invbi_pipeline_tests.sandbox.serving import HandClock


@pytest.mark.parametrize("dataset", sorted(Dataset))
def test_every_frame_has_exactly_the_walls_columns_all_text_and_a_payload(shop: Shop, dataset: Dataset) -> None:
    shop.sell(shop.item("A"), pos=True, at=shop.soho)
    reading = read(shop, dataset)
    assert reading.frames
    for name, table in reading.frames.items():
        assert table.columns == [*WALL[name], "payload"]
        assert set(table.dtypes) == {pl.String}
        assert all(json.loads(text) for text in table["payload"])


def test_a_reading_says_how_far_it_reaches_on_the_platforms_clock(shop: Shop) -> None:
    shop.account.wire.clock_skew_s = 90
    reading = read(shop, Dataset.STOCK)
    assert reading.platform_time - reading.began_at == timedelta(seconds=90)
    assert (reading.full, reading.complete) == (True, True)
    assert reading.requests == 4


def test_locations_are_read_with_inactive_ones(shop: Shop) -> None:
    shop.account.add_location("old", "Old shop", active=False)
    assert rows(frame(shop, "locations"), "name", "active") == [("Old shop", "false"), ("Soho", "true"), ("Warehouse", "true")]


def test_a_listing_is_a_variant_by_its_inventory_item(shop: Shop) -> None:
    key = shop.item("TEE-M")
    row = frame(shop, "listings").row(0, named=True)
    assert (row["listing_key"], row["raw_sku"], row["title"], row["status"]) == (key, "TEE-M", "Tee TEE-M", "active")
    assert (row["price"], row["currency"], row["fulfilment"]) == ("20.00", "GBP", "merchant")
    assert row["style"] == row["product_id"] != row["variant_id"] != key


def test_a_draft_is_inactive(shop: Shop) -> None:
    key = shop.item("A")
    shop.account.set_status(key, "inactive")
    assert frame(shop, "listings")["status"].to_list() == ["inactive"]


def test_listings_changed_since_are_found_by_their_product_with_an_overlap(shop: Shop) -> None:
    old, draft = shop.item("OLD"), shop.item("DRAFT")
    cursor = read(shop, Dataset.LISTINGS).cursor
    shop.clock.pass_s(FACTS.overlap.total_seconds() + 60)
    shop.account.set_status(draft, "inactive")
    again = read(shop, Dataset.LISTINGS, cursor)
    assert rows(again.frames["listings"], "listing_key", "status") == [(old, "active"), (draft, "inactive")]
    later = read(shop, Dataset.LISTINGS, again.cursor)
    assert (later.full, later.frames["listings"]["listing_key"].to_list()) == (False, [draft])


def test_a_product_of_more_variants_than_a_page_holds_is_read_whole(shop: Shop) -> None:
    keys = [shop.item(f"T-{n}", style="Tee") for n in range(33)]
    cursor = shop.clock.now().isoformat()
    assert sorted(frame(shop, "listings", cursor)["listing_key"]) == sorted(keys)


def test_stock_is_the_available_number_and_untracked_and_negative_stay_what_they_are(shop: Shop) -> None:
    sold, free = shop.item("A", warehouse=1, soho=None), shop.item("B", warehouse=0, soho=None, tracked=False)
    shop.sell(sold, 3, at=shop.warehouse)
    assert numbers(frame(shop, "stock")) == {
        (sold, shop.warehouse): ("known", "-2"),
        (free, shop.warehouse): ("untracked", None),
    }


def test_a_level_that_changed_is_read_again_and_others_are_not(shop: Shop) -> None:
    sold = shop.item("A")
    shop.item("B")
    cursor = read(shop, Dataset.STOCK).cursor
    shop.clock.pass_s(FACTS.overlap.total_seconds() + 60)
    cursor = read(shop, Dataset.STOCK, cursor).cursor
    shop.clock.pass_s(FACTS.overlap.total_seconds() + 60)
    shop.sell(sold, at=shop.soho)
    assert numbers(frame(shop, "stock", cursor)) == {(sold, shop.soho): ("known", "4")}


def test_the_version_of_a_number_moves_with_it(shop: Shop) -> None:
    key = shop.item("A", soho=None)
    before = frame(shop, "stock")["version"].item()
    shop.clock.pass_s(5)
    shop.sell(key, at=shop.warehouse)
    assert frame(shop, "stock")["version"].item() > before


def test_reading_back_gives_every_point_a_row_and_unknown_where_there_is_no_number(shop: Shop) -> None:
    key, elsewhere = shop.item("A"), shop.item("B", soho=None)
    points = [(key, shop.warehouse), (key, shop.soho), (elsewhere, shop.soho), ("404", shop.soho)]
    reading = asyncio.run(shop.channel.read_back(points))
    assert numbers(reading.frames["stock"]) == {
        (key, shop.warehouse): ("known", "10"),
        (key, shop.soho): ("known", "5"),
        (elsewhere, shop.soho): ("unknown", None),
        ("404", shop.soho): ("unknown", None),
    }
    assert reading.requests == 2


def test_pages_and_a_bulk_operation_read_the_same(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [shop.item(f"A{n}", tracked=n != 3) for n in range(5)]
    for key in keys:
        shop.sell(key)
    paged = {name: frame(shop, name).drop("payload") for name in ("listings", "stock", "order_lines", "effects", "movements")}
    shop.channel.facts = replace(FACTS, bulk_above=1)
    monkeypatch.setattr(shopify_channel, "ORDERS_BULK_ABOVE", 1)
    sent = len(shop.wire.sent)
    for name, table in paged.items():
        assert frame(shop, name).drop("payload").sort(pl.all()).equals(table.sort(pl.all())), name
    assert any(b"bulkOperationRunQuery" in request.content for request in shop.wire.sent[sent:])


def test_a_bulk_operation_that_found_nothing_is_an_empty_frame(shop: Shop) -> None:
    shop.channel.facts = replace(FACTS, bulk_above=-1)
    assert frame(shop, "listings").is_empty()
    assert frame(shop, "stock").is_empty()


def test_a_bulk_file_that_is_cut_is_a_bad_answer(shop: Shop) -> None:
    for n in range(5):
        shop.item(f"A{n}")
    shop.channel.facts = replace(FACTS, bulk_above=1)

    class Cutting(httpx.AsyncBaseTransport):
        inner = shop.wire.inner

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await self.inner.handle_async_request(request)
            if request.url.path.endswith(".jsonl"):
                lines = (await response.aread()).splitlines(keepends=True)
                return httpx.Response(200, content=b"".join(lines[:-2]))
            return response

    shop.wire.inner = Cutting()
    with pytest.raises(BadAnswer, match="should hold"):
        read(shop, Dataset.LISTINGS)


def test_closed_and_cancelled_orders_come_back(shop: Shop) -> None:
    key = shop.item("A")
    still_open, shipped, cancelled = (shop.sell(key, at=shop.warehouse) for _ in range(3))
    shop.account.fulfil(shipped)
    shop.account.cancel(cancelled)
    assert rows(frame(shop, "order_lines"), "order_id", "state", "quantity", "open_quantity") == [
        (still_open, "open", "1", "1"),
        (shipped, "fulfilled", "1", "0"),
        (cancelled, "cancelled", "0", "0"),
    ]


def test_orders_changed_since_are_read_with_an_overlap_and_nothing_is_lost_by_an_order_of_a_past_second(shop: Shop) -> None:
    key = shop.item("A")
    old = shop.sell(key)
    shop.clock.pass_s(FACTS.overlap.total_seconds() + 60)
    recent = shop.sell(key)
    cursor = read(shop, Dataset.ORDERS).cursor
    shop.clock.pass_s(30)
    newest = shop.sell(key)
    assert old not in (found := frame(shop, "order_lines", cursor)["order_id"].to_list())
    assert sorted(found) == sorted([recent, newest])


def test_an_order_of_many_lines_is_read_whole(shop: Shop) -> None:
    keys = [shop.item(f"L{n}") for n in range(27)]
    order = shop.account.order([Line(key, 1, 5.0) for key in keys], shop.warehouse)
    shop.account.fulfil(order, dict.fromkeys(keys[:25], 1))
    shop.account.fulfil(order)
    reading = read(shop, Dataset.ORDERS)
    rows = {"movements": 27, "order_lines": 27, "effects": 27, "returns": 0}
    assert {name: table.height for name, table in reading.frames.items()} == rows


def test_unpaid_orders_are_pending_and_hold_their_units(shop: Shop) -> None:
    key = shop.item("A")
    shop.account.order([Line(key, 2, 20.0)], shop.soho, paid=False)
    assert rows(frame(shop, "order_lines"), "state", "open_quantity", "location_key") == [("pending", "2", shop.soho)]


def test_no_trace_of_a_buyer_is_in_any_frame(shop: Shop) -> None:
    order = shop.sell(shop.item("A"))
    shop.account.refund(shop.sell(shop.item("B"), pos=True, at=shop.soho), shop.item("B"), 0, None)
    text = "".join(table.write_csv() for table in read(shop, Dataset.ORDERS).frames.values())
    assert order in text
    assert not any(trace in text for trace in ("buyers.example", "Sheffield", "+44", "192.0.2.", "Street"))


def test_a_filter_shopify_ignored_stops_the_reading(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shopify_channel.ShopifyChannel, "_changed_since", lambda self, since: "changed_on:>=2026")
    with pytest.raises(BadAnswer, match=r"changed_on: invalid_field"):
        read(shop, Dataset.ORDERS, "2026-09-01T00:00:00+00:00")


def test_an_answer_of_another_version_is_a_warning_once(shop: Shop) -> None:
    class Older(httpx.AsyncBaseTransport):
        inner = shop.wire.inner

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await self.inner.handle_async_request(request)
            response.headers["X-Shopify-API-Version"] = "2026-10"
            return response

    shop.wire.inner = Older()
    reading = read(shop, Dataset.STOCK)
    assert len(reading.warnings) == 1
    assert "2026-10 instead of 2026-07" in reading.warnings[0]


def test_a_cursor_of_another_platform_is_refused(shop: Shop) -> None:
    with pytest.raises(BadAnswer, match="no cursor"):
        read(shop, Dataset.ORDERS, "page-7")


def test_check_shows_access_permissions_locations_and_the_clock(shop: Shop) -> None:
    shop.item("A")
    shop.account.wire.clock_skew_s = 300
    health = asyncio.run(shop.channel.check())
    verdicts = {what: ok for what, ok, _ in health.rows}
    assert verdicts.pop("clock") is False
    assert all(verdicts.values())
    assert (health.listings, health.clock_skew) == (1, timedelta(seconds=300))


def test_check_with_a_refused_token_says_so_and_does_not_raise(shop: Shop) -> None:
    shop.account.wire.refuse = True
    health = asyncio.run(shop.channel.check())
    assert not health.ok
    assert "credentials" in health.rows[0][2]


def test_a_configured_order_lag_is_read_back_twice_as_far() -> None:
    config = SystemConfig(platform="shopify", roles=(Role.SELLS,), account="a.myshopify.com", order_lag_s=3600)
    channel = shopify_channel.ShopifyChannel("uk", config, {"token": "t"}, clock=HandClock(), rng=random.Random(1))
    assert channel.facts.overlap == timedelta(hours=2)


def test_a_listing_that_was_deleted_is_gone_when_asked_for_and_a_draft_is_not(shop: Shop) -> None:
    deleted, draft = shop.item("A"), shop.item("B")
    shop.account.set_status(deleted, "deleted")
    shop.account.set_status(draft, "inactive")
    assert isinstance(shop.channel, Forgetful)
    assert asyncio.run(shop.channel.gone([deleted, draft])) == {deleted}
