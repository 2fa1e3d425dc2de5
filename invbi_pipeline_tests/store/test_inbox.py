"""The inbox of webhook deliveries: each is kept once, and all of a batch or none."""

from datetime import UTC, datetime, timedelta

import pytest

from invbi_pipeline.store.inbox import Delivery
from invbi_pipeline.store.state import State

NOW = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


def test_a_delivery_is_kept_once_however_often_it_comes(state: State) -> None:
    delivery = Delivery("shop", "d1", "orders/create", NOW, listing_keys=("k",), order_ids=("o",), occurred_at=NOW)

    assert [state.inbox.receive([delivery]), state.inbox.receive([delivery])] == [[True], [False]]
    assert state.inbox.waiting() == [delivery]


def test_of_two_with_one_id_in_a_batch_the_first_is_the_new_one(state: State) -> None:
    first, second = (Delivery("shop", "d1", topic, NOW) for topic in ("orders/create", "orders/updated"))

    assert state.inbox.receive([first, Delivery("till", "d1", "order.created", NOW), second]) == [True, True, False]
    assert sorted(one.topic for one in state.inbox.waiting()) == ["order.created", "orders/create"]


def test_a_batch_of_thousands_is_stored_and_worked_off(state: State) -> None:
    many = [Delivery("shop", f"d{n}", "orders/create", NOW + timedelta(seconds=n)) for n in range(1_800)]

    assert state.inbox.receive(many) == [True] * len(many)
    state.inbox.done(many[:1_700], NOW)

    assert state.inbox.waiting() == many[1_700:]


def test_who_has_some_in_hand_is_given_the_others_of_the_oldest(state: State) -> None:
    many = [Delivery("shop", f"d{n}", "orders/create", NOW + timedelta(seconds=n), order_ids=(str(n),)) for n in range(1_200)]
    state.inbox.receive([Delivery("till", "t", "order.created", NOW), *many])
    state.inbox.done(many[:10], NOW)

    assert state.inbox.fresh(1_000, {"shop": {f"d{n}" for n in range(400)}, "till": {"t"}}) == many[400:1_010]
    assert [one.system for one in state.inbox.fresh(1, {"till": (), "shop": ()})] == ["till", "shop"]


def test_of_each_system_the_newest_that_waits_is_known_however_many_do(state: State) -> None:
    assert state.inbox.newest() == []
    many = [Delivery("shop", f"d{n}", "orders/create", NOW + timedelta(seconds=min(n, 1_500))) for n in range(1_502)]
    other = Delivery("till", "t", "order.created", NOW)
    state.inbox.receive([other, *many, Delivery("erp", "e", "file", NOW)])
    state.inbox.done([Delivery("erp", "e", "file", NOW)], NOW)

    assert state.inbox.newest() == [many[-1], other]  # of two at one time, the later id


def test_it_says_of_each_system_how_many_had_waited_for_long_at_a_time_and_since_when(state: State) -> None:
    waits = [Delivery("shop", f"d{n}", "orders/create", NOW + timedelta(minutes=n)) for n in range(5)]
    state.inbox.receive([*waits, Delivery("till", "t", "order.created", NOW)])
    at, long = NOW + timedelta(minutes=8), timedelta(minutes=5)
    state.inbox.done(waits[:1], at - timedelta(seconds=1))  # before that time
    state.inbox.done(waits[1:2], at + timedelta(seconds=1))  # after it

    assert state.inbox.delayed(at, long).rows() == [("shop", 2, NOW + timedelta(minutes=1)), ("till", 1, NOW)]
    assert state.inbox.delayed(NOW + long, long).is_empty()


def test_a_batch_that_breaks_stores_none_of_it(state: State) -> None:
    whole, broken = (
        Delivery("shop", "d1", "orders/create", NOW),
        Delivery("shop", "d2", "orders/create", NOW.replace(tzinfo=None)),
    )

    with pytest.raises(Exception, match="no time zone"):
        state.inbox.receive([whole, broken])

    assert state.inbox.waiting() == []


def test_a_delivery_worked_on_waits_no_more_and_still_counts_as_seen(state: State) -> None:
    delivery = Delivery("shop", "d1", "orders/create", NOW)
    state.inbox.receive([delivery])

    state.inbox.done([delivery], NOW)

    assert state.inbox.waiting() == []
    assert state.inbox.receive([delivery]) == [False]
    assert state.inbox.forget(NOW + timedelta(days=1)) == 1
