"""Orders read by their ids say what a sweep says of them, and nothing of others."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import polars as pl
import pytest

from invbi_pipeline.channels.protocol import Channel, FindsOrders, NamesOrders
from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline_tests.channels.amazon.shop import shop as seller
from invbi_pipeline_tests.channels.shopify.conftest import make_shop
from invbi_pipeline_tests.channels.square.till import till


def same(channel: Channel, order: str) -> None:
    """Hold what is read of one order by its id against what a sweep of all says of it."""
    assert isinstance(channel, NamesOrders)
    swept = asyncio.run(channel.read(Dataset.ORDERS)).frames
    named = asyncio.run(channel.read_orders([order, "4711"])).frames
    mine: Mapping[str, pl.DataFrame] = {name: rows.filter(pl.col("order_id") == order) for name, rows in swept.items()}
    assert mine["order_lines"].height < swept["order_lines"].height
    assert mine["effects"].height
    for name, rows in mine.items():
        assert named[name].sort(pl.all()).equals(rows.sort(pl.all())), name


def newest(channel: Channel, order: str, now: datetime) -> None:
    """Hold what a search for the newest orders finds against what is read of the order by its id."""
    assert isinstance(channel, FindsOrders)
    assert isinstance(channel, NamesOrders)
    found = asyncio.run(channel.recent_orders(now - timedelta(minutes=1))).frames
    named = asyncio.run(channel.read_orders([order])).frames
    assert named["order_lines"].height
    for name, rows in named.items():
        assert found[name].sort(pl.all()).equals(rows.sort(pl.all())), name


def test_orders_of_shopify(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = make_shop(monkeypatch)
    item = shop.item("A")
    order = shop.account.order([Line(item, 3, 20.0)], shop.soho)
    shop.account.fulfil(order, {item: 1})
    shop.account.order([Line(item, 1, 20.0)], shop.soho)
    same(shop.channel, order)


def test_orders_of_square() -> None:
    shop = till()
    order = shop.account.order([Line(shop.keys[0], 2)], shop.places[0], pos=True)
    shop.account.order([Line(shop.keys[0], 1)], shop.places[0], pos=True)
    same(shop.channel, order)


def test_the_newest_orders_of_shopify_alone_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = make_shop(monkeypatch)
    item = shop.item("A")
    shop.account.order([Line(item, 3, 20.0)], shop.soho)
    shop.clock.pass_s(1800)
    newest(shop.channel, shop.account.order([Line(item, 1, 20.0)], shop.soho), shop.clock.now())


def test_the_newest_orders_of_square_alone_are_found() -> None:
    shop = till()
    shop.account.order([Line(shop.keys[0], 2)], shop.places[0], pos=True)
    shop.clock.pass_by(minutes=30)
    newest(shop.channel, shop.account.order([Line(shop.keys[0], 1)], shop.places[0], pos=True), shop.clock.now())


def test_orders_of_amazon() -> None:
    shop = seller()
    order = shop.account.order([Line("M-0", 4)])
    shop.account.order([Line("M-0", 1)])
    shop.clock.pass_by(minutes=5)
    same(shop.channel, order)


def test_an_order_of_amazon_is_there_before_a_search_reaches_it() -> None:
    shop = seller()
    order = shop.account.order([Line("M-0", 1)])
    shop.clock.pass_by(seconds=5)
    assert asyncio.run(shop.channel.read_orders([order])).frames["order_lines"]["order_id"].to_list() == [order]
    assert asyncio.run(shop.read(Dataset.ORDERS)).frames["order_lines"].is_empty()
