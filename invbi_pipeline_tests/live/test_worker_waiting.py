"""When the order feed is read on: as soon as it can have got past what waits for it, and not again and again."""

from datetime import UTC, datetime, timedelta

import polars as pl

from invbi_pipeline.live.worker.waiting import Waiting

T = datetime(2026, 3, 2, 9, tzinfo=UTC)


def seconds(n: float) -> timedelta:
    return timedelta(seconds=n)


def waits(until: datetime) -> Waiting:
    waiting = Waiting()
    waiting.note(pl.DataFrame({"system": ["shop"], "until": [until]}))
    return waiting


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
