"""No delivery is lost and none is kept twice: a door that is killed, a disk that is full, a store that is held, strangers."""

import random
from pathlib import Path

import pytest

from invbi_pipeline_tests.live.door import held
from invbi_pipeline_tests.live.knocking import Platform, running_door

EVENTS = 10_000


def numbers(count: int) -> list[str]:
    return [f"d{n:05d}" for n in range(count)]


@pytest.mark.slow
def test_a_door_killed_at_random_moments_loses_nothing_it_said_thanks_for(tmp_path: Path) -> None:
    dice = random.Random(5)
    with running_door(tmp_path) as running:
        dies_at = set(dice.sample(range(1, EVENTS), 5))

        def perhaps_kill(thanked: int) -> None:
            if thanked in dies_at:
                dies_at.remove(thanked)
                running.kill()
                assert platform.thanked <= set(running.held())
                running.start()

        platform = Platform(running, dice, perhaps_kill)
        every = numbers(EVENTS)
        platform.deliver([*every, *dice.sample(every, EVENTS // 10)])  # a tenth comes twice

        assert running.deaths == 5
        assert running.held() == every


@pytest.mark.slow
def test_a_full_disk_thanks_for_nothing_more_and_when_there_is_room_again_all_of_it_comes(tmp_path: Path) -> None:
    with running_door(tmp_path) as running:
        platform = Platform(running, random.Random(6))
        platform.deliver(numbers(200))
        running.let_files_grow_to(running.size() + 100_000)
        platform.deliver(numbers(600), enough=lambda: platform.refused.get(503, 0) > 50)
        assert len(platform.thanked) < 600
        assert platform.thanked <= set(running.held())

        running.let_files_grow_to(-1)
        platform.deliver(numbers(600))

        assert running.held() == numbers(600)


@pytest.mark.slow
def test_a_store_that_is_held_is_answered_503_and_what_was_refused_comes_again(tmp_path: Path) -> None:
    with running_door(tmp_path) as running:
        platform = Platform(running, random.Random(8))
        with held(tmp_path):
            platform.deliver(numbers(60), enough=lambda: platform.refused.get(503, 0) >= 24)
            assert (platform.thanked, running.held()) == (set(), [])
        platform.deliver(numbers(60))

        assert running.held() == numbers(60)


@pytest.mark.slow
def test_strangers_and_replays_among_many_deliveries_change_nothing(tmp_path: Path) -> None:
    with running_door(tmp_path) as running:
        honest, stranger = Platform(running, random.Random(9)), Platform(running, random.Random(10), secret="guessed")
        honest.deliver(numbers(400))
        stranger.deliver([f"x{n}" for n in range(100)], enough=lambda: stranger.refused.get(401, 0) >= 100)
        honest.deliver(random.Random(11).sample(numbers(400), 200))

        assert stranger.thanked == set()
        assert running.held() == numbers(400)
