from datetime import UTC, datetime, timedelta

from invbi_pipeline.sandbox.world.clock import GO_LIVE, LiveClock, VirtualClock


def test_a_virtual_clock_stands_still_until_it_is_told_to_move() -> None:
    clock = VirtualClock()
    assert clock.now() == clock.now() == GO_LIVE
    clock.advance(90)
    assert clock.now() == GO_LIVE + timedelta(seconds=90)


def test_a_virtual_clock_never_moves_back() -> None:
    clock = VirtualClock()
    clock.move_to(GO_LIVE - timedelta(days=1))
    assert clock.now() == GO_LIVE


def test_a_live_clock_stands_still_in_history_and_then_follows_the_wall() -> None:
    clock = LiveClock()
    began = clock.now()
    clock.rewind(began - timedelta(days=3))
    assert clock.now() == began - timedelta(days=3)
    clock.move_to(began)
    clock.release()
    assert began <= clock.now() <= datetime.now(UTC)


def test_a_live_clock_that_leapt_goes_on_with_the_wall_and_further_ahead_of_it() -> None:
    clock = LiveClock()
    clock.leap(600)
    assert clock.now() < datetime.now(UTC)  # history is not over

    clock.release()
    before, now, after = datetime.now(UTC), clock.now(), datetime.now(UTC)
    assert before <= now - timedelta(seconds=600) <= after
