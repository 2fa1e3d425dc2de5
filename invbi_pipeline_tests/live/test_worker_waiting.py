"""When the order feed is read on: as soon as it can have got past what waits for it, and not again and again."""

from datetime import UTC, datetime, timedelta

import polars as pl

from invbi_pipeline.domain.frames import UTC as UTC_TYPE
from invbi_pipeline.live.worker.waiting import Waiting, waiting_for_orders

T = datetime(2026, 3, 2, 9, tzinfo=UTC)


def seconds(n: float) -> timedelta:
    return timedelta(seconds=n)


def told(until: datetime, strange_to: datetime | None = None) -> pl.DataFrame:
    schema = {"system": pl.String(), "until": UTC_TYPE, "strange_to": UTC_TYPE}
    return pl.DataFrame([("shop", until, strange_to)], schema=schema, orient="row")


def waits(until: datetime) -> Waiting:
    waiting = Waiting(["shop"])
    waiting.note(told(until), until)
    return waiting


def points(*rows: dict[str, object]) -> pl.DataFrame:
    fine = {"system": "shop", "location": "", "state": "agreed", "in_flight": 0, "send": None, "gap": 0, "withheld": 0}
    fine |= {"unexplained": 0, "complete": False, "observed_at": T, "complete_to": T - seconds(60)}
    return pl.DataFrame(
        [{**fine, "listing_key": f"k{n}", **row} for n, row in enumerate(rows)], schema_overrides={"send": pl.Int64()}
    )


def bases(*rows: dict[str, object]) -> pl.DataFrame:
    none: dict[str, object] = {"system": "shop", "location": "", "unsure_to": None, "withheld_until": None}
    kinds = {"unsure_to": UTC_TYPE, "withheld_until": UTC_TYPE}
    return pl.DataFrame([{**none, "listing_key": f"k{n}", **row} for n, row in enumerate(rows)], schema_overrides=kinds)


def test_the_orders_are_waited_for_up_to_the_newest_of_what_cannot_be_judged_or_raised_yet() -> None:
    strange = {"unexplained": -2, "observed_at": T + seconds(5)}
    found = waiting_for_orders(points({"gap": -1}, {"withheld": 2}, strange), bases({"unsure_to": T + seconds(7)}, {}, {}))
    assert found.rows() == [("shop", T + seconds(7), T - seconds(60), T + seconds(5))]


def test_nothing_waits_where_a_push_is_under_way_or_the_feed_is_past_it() -> None:
    strange = {"unexplained": -2, "observed_at": T + seconds(5)}
    others = ({"in_flight": 1}, {"complete": True}, {"send": 3}, {"state": "unmapped"})
    assert waiting_for_orders(points(*({**strange, **row} for row in others)), bases(*[{}] * 4)).is_empty()


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
    waiting.note(told(T + seconds(1.5)), T + seconds(1.5))
    assert waiting.due() == {"shop": T + seconds(4)}


def test_a_feed_that_could_not_be_read_is_left_to_the_next_sweep() -> None:
    waiting = waits(T)
    waiting.read("shop", T + seconds(1), None)
    assert waiting.due() == {}


def test_a_change_without_a_known_cause_has_its_feed_read_once_before_the_feed_is_complete() -> None:
    waiting = Waiting(["shop"])
    waiting.read("shop", T, T - seconds(60))
    waiting.note(told(T + seconds(10), T + seconds(10)), T + seconds(10))
    assert waiting.due() == {"shop": T + seconds(13)}
    waiting.read("shop", T + seconds(13), T - seconds(47))
    assert waiting.due() == {"shop": T + seconds(71)}
    waiting.note(told(T + seconds(10), T + seconds(10)), T + seconds(14))  # the same look again: the feed did not tell
    assert waiting.due() == {"shop": T + seconds(71)}
    waiting.note(told(T + seconds(20), T + seconds(20)), T + seconds(20))  # a newer one
    assert waiting.due() == {"shop": T + seconds(23)}


def test_a_feed_that_shows_orders_late_is_not_read_before_it_can_have_got_there() -> None:
    waiting = Waiting()
    waiting.read("shop", T, T - seconds(60))
    waiting.note(told(T + seconds(10), T + seconds(10)), T + seconds(10))
    assert waiting.due() == {"shop": T + seconds(71)}
