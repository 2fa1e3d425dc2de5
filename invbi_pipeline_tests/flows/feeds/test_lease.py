"""One worker an installation: taken, kept, given back, and taken over from one that died."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from invbi_pipeline.flows.feeds.lease import Lease, held_until
from invbi_pipeline.store.state import State
from invbi_pipeline_tests.live.door import STORE, state_in
from invbi_pipeline_tests.sandbox.serving import HandClock


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with state_in(tmp_path) as opened:
        yield opened


def test_of_two_processes_one_is_the_worker_and_stays_it_while_it_lives(state: State) -> None:
    clock = HandClock()
    first, second = Lease(state, clock, "a"), Lease(state, clock, "b")
    assert (first.take(), second.take()) == (True, False)
    for _ in range(10):
        clock.pass_s(5)
        assert (first.take(), second.take()) == (True, False)


def test_a_process_that_died_is_replaced_and_ends_when_it_wakes(state: State) -> None:
    clock = HandClock()
    first, second = Lease(state, clock, "a"), Lease(state, clock, "b")
    assert first.take()
    clock.pass_s(21)
    assert second.take()
    assert not first.take()


def test_a_lease_that_is_given_back_is_free_at_once_and_nobody_gives_back_another_s(state: State) -> None:
    clock = HandClock()
    first, second = Lease(state, clock, "a"), Lease(state, clock, "b")
    assert held_until(state) is None
    assert first.take()
    second.give_back()
    assert not second.take()
    first.give_back()
    assert (held_until(state), second.take()) == (clock.now(), True)


def test_of_two_that_find_it_free_at_once_one_gets_it(state: State, tmp_path: Path) -> None:
    assert state.swap_mark("k", "", "a")
    assert not state.swap_mark("k", "", "b")
    assert not state.swap_mark("k", "b", "c")
    assert state.swap_mark("k", "a", "b")
    with closing(sqlite3.connect(tmp_path / STORE)) as connection:
        assert connection.execute("SELECT value FROM meta WHERE key = 'k'").fetchall() == [("b",)]
