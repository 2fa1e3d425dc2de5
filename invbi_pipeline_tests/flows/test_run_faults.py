"""The n-th request of a whole run fails, once, for n = 1, 2, ... until none is left, with the whole grammar in turn.

What is judged is the world: no step sends anything twice, and when the wire is well again every number is right. Each business
takes every third request, the three together take all.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import httpx
import pytest

from invbi_pipeline.sandbox.contract import Wire as AccountWire
from invbi_pipeline_tests.faults import KINDS, Trouble
from invbi_pipeline_tests.flows.test_run_every_step import WORKS, completed, looked_at, work
from invbi_pipeline_tests.rehearsal import STEP_S, Rehearsal

pytestmark = pytest.mark.slow  # a run for each third of its requests

_TOGETHER = 5  # so many runs fail before what they left is completed
_ASKED = 20  # requests: fewer are no whole run


@pytest.fixture(params=list(WORKS))
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rehearsal]:
    """A small retailer that has been looked at, with nothing wrong and nobody about."""
    with looked_at(tmp_path, request.param) as stage:
        yield stage


def _failing(stage: Rehearsal, kind: str, nth: int) -> Trouble:
    """Run with the n-th request failing; whatever happens, the run comes to its end."""

    def account(request: httpx.Request) -> AccountWire:
        return stage.world.business.systems[request.url.path.split("/")[1]].account.wire

    stage.wire.way = trouble = Trouble(kind, nth, account, stage.clock)
    try:
        stage.run()
    finally:
        stage.wire.way = lambda request, go: go(request)
    stage.world.advance(STEP_S)
    return trouble


def test_whichever_request_of_a_run_fails_all_is_right_in_the_end_and_nothing_was_sent_twice(stage: Rehearsal) -> None:
    struck: Counter[str] = Counter()
    first = 1 + list(WORKS).index(stage.world.business.preset)
    wrote = len(stage.wire.requests)
    for turn in count():
        work(stage)
        nth, kind = first + len(WORKS) * turn, KINDS[turn % len(KINDS)]
        trouble = _failing(stage, kind, nth)
        struck[kind] += trouble.struck
        if turn % _TOGETHER == _TOGETHER - 1 or not trouble.struck:
            completed(stage, wrote)
            wrote = len(stage.wire.requests)
        if not trouble.struck:
            break
    assert nth > _ASKED
    assert struck.total() == turn
