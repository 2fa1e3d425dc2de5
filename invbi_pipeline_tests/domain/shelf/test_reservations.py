"""Stale reservations: when an open order is taken for one that will never ship."""

import pytest

from invbi_pipeline_tests.domain.shelf.goods import chain, noticed, web_moved
from invbi_pipeline_tests.domain.small_world import Rows, at, order, policy, reckon, world

CODE = "stale_reservation"
DAY = 24


def web_order(days: float, units: int = 2, state: str = "open") -> Rows:
    return order("web", "o1", "A", units, "shop", state=state, ordered_at=at(-days * DAY))


@pytest.mark.parametrize(("state", "young", "old"), [("pending", 6, 8), ("open", 13, 15), ("on_hold", 29, 31)])
def test_an_open_order_is_stale_once_it_is_older_than_its_state_allows(state: str, young: float, old: float) -> None:
    assert noticed(CODE, chain(), web_order(young, state=state)) == []
    (found,) = noticed(CODE, chain(), web_order(old, state=state))
    assert found[:3] == ("web", "shop", 2)
    assert found[3]["orders"] == ["o1"]


def test_a_split_order_is_as_old_as_its_last_shipment() -> None:
    assert noticed(CODE, chain(), web_order(20, 1), web_moved("sale", -1, -10 * DAY)) == []
    (found,) = noticed(CODE, chain(), web_order(30, 1), web_moved("sale", -1, -15 * DAY))
    assert found[3]["since"].startswith("2026-04-16")


def test_several_stale_orders_of_one_listing_and_place_are_one_finding() -> None:
    second = order("web", "o2", "A", 1, "shop", ordered_at=at(-16 * DAY))
    (found,) = noticed(CODE, chain(), web_order(15), second)
    assert (found[2], found[3]["orders"]) == (3, ["o2", "o1"])


def test_an_order_that_waits_for_goods_its_channel_sells_beyond_stock_is_not_stale() -> None:
    beyond = order("web", "o1", "A", 12, "shop", ordered_at=at(-20 * DAY))
    assert noticed(CODE, chain(), beyond)
    assert noticed(CODE, chain(), beyond, policy("backorder_limit", 5, channel="web")) == []


def copy(state: str, hours: float) -> Rows:
    """The till's import of the web order, which it has ended."""
    return order("till", "t1", "A", 0, "", external_id="o1", state=state, ordered_at=at(-48), updated_at=at(hours))


@pytest.mark.parametrize("state", ["cancelled", "fulfilled"])
def test_an_order_that_another_system_ended_is_stale_whatever_its_age(state: str) -> None:
    warehouse = order("web", "o1", "A", 2, "warehouse", ordered_at=at(-48))
    assert noticed(CODE, chain(), warehouse, copy(state, -0.5)) == []
    (found,) = noticed(CODE, chain(), warehouse, copy(state, -2))
    assert (found[:3], found[3]["ended_in"], found[3]["ended_as"]) == (("web", "warehouse", 2), "till", state)


def test_the_sentence_says_who_holds_what_and_since_when() -> None:
    (row,) = reckon(**world(chain(), web_order(15))).candidates.filter(code=CODE).iter_rows(named=True)
    assert row["cause"] == "2 of A (shop) are held for order o1 of web: nothing of it was shipped since 16 April."
