"""When the order feed is read on: as soon as it can have got past what waits for it, and not again and again."""

from datetime import UTC, datetime, timedelta

import polars as pl

from invbi_pipeline.domain.frames import UTC as UTC_TYPE
from invbi_pipeline.live.worker.waiting import Waiting, strange, waiting_for_orders

T = datetime(2026, 3, 2, 9, tzinfo=UTC)


def seconds(n: float) -> timedelta:
    return timedelta(seconds=n)


def waits(until: datetime) -> Waiting:
    waiting = Waiting()
    waiting.note(pl.DataFrame({"system": ["shop"], "until": [until]}))
    return waiting


def looked(seen: datetime | None, since: datetime | None = None) -> pl.DataFrame:
    row = ("shop", "k0", "", seen, since or T - seconds(20))
    schema = {"system": pl.String(), "listing_key": pl.String(), "location": pl.String(), "seen": UTC_TYPE, "since": UTC_TYPE}
    return pl.DataFrame([row], schema=schema, orient="row")


def points(*rows: dict[str, object]) -> pl.DataFrame:
    fine = {"system": "shop", "location": "", "state": "agreed", "in_flight": 0, "send": None, "gap": 0, "withheld": 0}
    fine |= {"unexplained": 0, "complete": False, "observed_at": T, "complete_to": T - seconds(60), "found_since": T}
    return pl.DataFrame(
        [{**fine, "listing_key": f"k{n}", **row} for n, row in enumerate(rows)], schema_overrides={"send": pl.Int64()}
    )


def bases(*rows: dict[str, object]) -> pl.DataFrame:
    none: dict[str, object] = {"system": "shop", "location": "", "unsure_to": None, "withheld_until": None}
    kinds = {"unsure_to": UTC_TYPE, "withheld_until": UTC_TYPE}
    return pl.DataFrame([{**none, "listing_key": f"k{n}", **row} for n, row in enumerate(rows)], schema_overrides=kinds)


def test_the_orders_are_waited_for_up_to_the_newest_of_what_cannot_be_judged_or_raised_yet() -> None:
    moved = {"unexplained": -2, "observed_at": T + seconds(5)}
    found = waiting_for_orders(points({"gap": -1}, {"withheld": 2}, moved), bases({"unsure_to": T + seconds(7)}, {}, {}))
    assert found.rows() == [("shop", T + seconds(7), T - seconds(60))]


def test_nothing_waits_where_a_push_is_under_way_or_the_feed_is_past_it() -> None:
    moved = {"unexplained": -2, "observed_at": T + seconds(5)}
    others = ({"in_flight": 1}, {"complete": True}, {"send": 3}, {"state": "unmapped"})
    assert waiting_for_orders(points(*({**moved, **row} for row in others)), bases(*[{}] * 4)).is_empty()


def test_a_number_is_strange_that_changed_without_a_known_cause_while_nothing_of_ours_is_under_way() -> None:
    moved = {"unexplained": -2, "observed_at": T + seconds(5)}
    others: tuple[dict[str, object], ...] = ({}, {"in_flight": 1}, {"complete": True}, {"unexplained": 0}, {"state": "unmapped"})
    assert strange(points(*({**moved, **row} for row in others)))["seen"].to_list() == [T + seconds(5)] + [None] * 4
    long_ago = {**moved, "found_since": T - seconds(7200)}
    assert strange(points(moved, long_ago))["since"].to_list() == [T, T + seconds(5 - 300)]


def test_a_feed_is_read_on_a_second_after_what_waits_for_it() -> None:
    assert waits(T).due() == {"shop": T + seconds(1)}


def test_a_feed_that_lags_is_read_on_when_it_can_have_got_there() -> None:
    waiting = waits(T)
    waiting.read("shop", T + seconds(1), T - seconds(119))
    assert waiting.due() == {"shop": T + seconds(121)}


def test_a_feed_that_was_read_far_enough_is_waited_for_no_longer() -> None:
    waiting = waits(T)
    waiting.read("shop", T + seconds(1), T)
    assert waiting.due() == {}


def test_a_feed_is_not_read_again_at_once_for_the_next_number() -> None:
    waiting = waits(T)
    waiting.read("shop", T + seconds(1), T + seconds(1))
    waiting.note(pl.DataFrame({"system": ["shop"], "until": [T + seconds(1.5)]}))
    assert waiting.due() == {"shop": T + seconds(4)}


def test_a_feed_that_could_not_be_read_is_left_to_the_next_sweep() -> None:
    waiting = waits(T)
    waiting.read("shop", T + seconds(1), None)
    assert waiting.due() == {}


def test_the_order_of_a_change_without_a_known_cause_is_searched_for_once_a_look_and_not_where_it_comes_by_itself() -> None:
    waiting = Waiting(["shop"])
    waiting.note_strange(looked(T), T)
    assert waiting.to_search(T + seconds(2)) == {}
    assert waiting.to_search(T + seconds(3)) == {"shop": T - seconds(21)}
    waiting.note_strange(looked(T), T + seconds(4))  # the search did not find it: the feed will tell
    assert waiting.to_search(T + seconds(60)) == {}
    waiting.note_strange(looked(T + seconds(70)), T + seconds(70))  # another change
    waiting.note_strange(looked(None), T + seconds(71))  # whose delivery came
    assert waiting.to_search(T + seconds(99)) == {}


def test_a_number_that_goes_on_changing_is_searched_for_when_the_first_change_is_due() -> None:
    waiting = Waiting(["shop"])
    for second in range(4):
        waiting.note_strange(looked(T + seconds(second)), T + seconds(second))
    assert waiting.to_search(T + seconds(3)) == {"shop": T - seconds(21)}


def test_what_was_searched_through_is_not_searched_again_for_the_next_change() -> None:
    waiting = Waiting(["shop"])
    waiting.note_strange(looked(T), T)
    assert waiting.to_search(T + seconds(3)) == {"shop": T - seconds(21)}
    waiting.note_strange(looked(T + seconds(7200), since=T + seconds(7190)), T + seconds(7200))
    assert waiting.to_search(T + seconds(7203)) == {"shop": T + seconds(7189)}


def test_what_cannot_be_searched_waits_for_its_feed() -> None:
    waiting = Waiting(["till"])
    waiting.note_strange(looked(T), T)
    assert waiting.to_search(T + seconds(99)) == {}
