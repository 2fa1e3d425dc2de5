"""A process that ends between any two steps: the next run completes its work and sends nothing twice."""

from collections.abc import Callable, Iterator

import pytest

from invbi_pipeline.flows.context import open_stores
from invbi_pipeline_tests.rehearsal import Fuse, Rehearsal, rehearsal

_VISIBLE_S = 1200.0  # longer than the slowest platform takes to show what it accepted
_RUNS = 4

Blow = Callable[[int, str], bool]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A small retailer that has been looked at, with nothing wrong and nobody about."""
    with rehearsal(tmp_path_factory.mktemp("crash"), skus=24, history_days=1, faults=False) as stage:
        stage.run()
        stage.world.freeze()
        stage.world.advance(3600)
        stage.run()
        yield stage


def _work(stage: Rehearsal) -> None:
    """Give every kind of correction a cause: goods are written off, a shop's sale must reach the till, an order every channel."""
    stage.damage("warehouse", 1)
    stage.damage("soho", -1, most=1)  # as much comes in as is sold there, or nothing would be left to sell
    stage.sell("shopify_uk", "soho", pos=True)
    stage.sell("amazon_uk", "warehouse")
    stage.world.advance(120)


def _at(step: str, nth: int = 1) -> Blow:
    """End the process when it comes to such a step for the n-th time."""
    passed = 0

    def blow(n: int, seen: str) -> bool:
        nonlocal passed
        passed += seen == step
        return passed == nth and seen == step

    return blow


def _completed(stage: Rehearsal, wrote_before: int) -> None:
    """Run until it is quiet, and check that everything was done, once."""
    for _ in range(_RUNS):
        result = stage.run()
        stage.world.advance(_VISIBLE_S)
        if result.quiet and not result.after.flights and not _under_way(stage):
            break
    _, state = open_stores(stage.config)
    counts = state.outbox.counts()
    state.close()
    points, _ = stage.world.correctable()
    assert [point for point in points if not point.agrees] == []
    assert [name for name in ("planned", "approved", "sending", "accepted", "ambiguous") if counts.get(name)] == []
    assert {system for system, *_ in stage.wire.changes_since(wrote_before)} >= {"till", "shopify_uk"}
    assert stage.wire.repeated_since(wrote_before) == []
    assert _tills_number_is_the_shelfs(stage)


def _under_way(stage: Rehearsal) -> bool:
    """Say whether a correction waits to be seen: a post whose process ended is settled once its ledger was read late enough."""
    _, state = open_stores(stage.config)
    flying = state.outbox.open_flights().height
    state.close()
    return flying > 0


def _tills_number_is_the_shelfs(stage: Rehearsal) -> bool:
    """Each sale elsewhere was booked in the till once: its number is what the record says lies there."""
    world = stage.world
    spots = [spot for spot in world.business.shelves.book if world.business.places[spot[0]].owner == "till"]
    return all(world.goods.book_number(*spot) == world.business.shelves.book[spot] for spot in spots)


@pytest.mark.parametrize(
    ("step", "nth"),
    [
        ("write: carried out", 1),
        pytest.param("warehouse: commit", 3, marks=pytest.mark.slow),  # what was read is landing
        *(pytest.param("write: leaving", nth, marks=pytest.mark.slow) for nth in (1, 2, 3)),
        *(pytest.param("write: carried out", nth, marks=pytest.mark.slow) for nth in (2, 3)),
        pytest.param("state: commit", 5, marks=pytest.mark.slow),
    ],
)
def test_the_next_run_completes_what_a_crash_cut_off(stage: Rehearsal, step: str, nth: int) -> None:
    _work(stage)
    wrote = len(stage.wire.requests)

    stage.killed(_at(step, nth))

    _completed(stage, wrote)


@pytest.mark.slow
def test_two_crashes_in_a_row_are_completed_too(stage: Rehearsal) -> None:
    _work(stage)
    wrote = len(stage.wire.requests)

    stage.killed(_at("write: carried out", 2))
    stage.killed(_at("warehouse: commit", 12))

    _completed(stage, wrote)


@pytest.mark.slow
def test_it_may_end_at_any_step(stage: Rehearsal) -> None:
    _work(stage)
    steps = len(_all_steps(stage))
    assert steps > 100
    for n in range(1, steps, 17):
        _work(stage)
        wrote = len(stage.wire.requests)
        stage.killed(_after(n))
        _completed(stage, wrote)


def _after(n: int) -> Callable[[int, str], bool]:
    """End the process at its n-th step, whatever it is."""
    return lambda passed, step: passed == n


def _all_steps(stage: Rehearsal) -> list[str]:
    wrote = len(stage.wire.requests)
    fuse = stage.wire.fuse = Fuse(lambda n, step: False)
    with fuse.watching():
        stage.run()
    stage.wire.fuse = Fuse()
    _completed(stage, wrote)
    return fuse.seen
