"""Orders read by their ids say what a sweep says of them, and nothing of others."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from invbi_pipeline.channels.protocol import Channel, FindsOrders, NamesOrders
from invbi_pipeline.channels.wall import shown
from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline.sandbox.square.orders import Order, OrderLine, Version
from invbi_pipeline_tests.channels.amazon.shop import shop as seller
from invbi_pipeline_tests.channels.shopify.conftest import make_shop
from invbi_pipeline_tests.channels.square.till import till


def same(channel: Channel, order: str) -> None:
    """Hold what is read of one order by its id against what a sweep of all says of it."""
    assert isinstance(channel, NamesOrders)
    swept = asyncio.run(channel.read(Dataset.ORDERS)).frames
    reading = asyncio.run(channel.read_orders([order, "4711"]))
    named = reading.frames
    assert reading.shown == {order: _newest_change(named["order_lines"])}
    mine: Mapping[str, pl.DataFrame] = {name: rows.filter(pl.col("order_id") == order) for name, rows in swept.items()}
    assert mine["order_lines"].height < swept["order_lines"].height
    assert mine["effects"].height
    for name, rows in mine.items():
        assert named[name].sort(pl.all()).equals(rows.sort(pl.all())), name


def _newest_change(lines: pl.DataFrame) -> datetime:
    return max(datetime.fromisoformat(said) for said in lines["updated_at"])


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


def an_amount_typed_at_the_till(_: Order, line: OrderLine) -> dict[str, Any]:
    money = {"amount": line.price_cents, "currency": "GBP"}
    return {"uid": line.uid, "name": "Alterations", "item_type": "CUSTOM_AMOUNT", "quantity": "1", "base_price_money": money}


def a_draft(order: Order, version: Version, state: Callable[[datetime], str]) -> dict[str, Any]:
    times = {"created_at": state(order.created_at), "updated_at": state(version.at)}
    return {"id": order.id, "location_id": order.location, "state": "DRAFT", "version": 1, **times}


@pytest.mark.parametrize(("what", "said"), [("_render_line", an_amount_typed_at_the_till), ("render", a_draft)])
def test_an_order_of_square_without_a_line_that_counts_for_stock_is_shown(
    monkeypatch: pytest.MonkeyPatch, what: str, said: Callable[..., dict[str, Any]]
) -> None:
    shop = till()
    changed = shop.clock.now()
    order = shop.account.order([Line(shop.keys[0], 2)], shop.places[0], pos=True)
    monkeypatch.setattr(Order, what, said)
    reading = asyncio.run(shop.channel.read_orders([order, "4711"]))
    assert (reading.frames["order_lines"].height, reading.shown) == (0, {order: changed})


def test_an_order_that_says_no_time_of_its_newest_change_is_shown_without_one() -> None:
    assert shown([("7", None), ("8", "soon"), ("9", "2026-07-01T12:00:00")]) == {"7": None, "8": None, "9": None}


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
