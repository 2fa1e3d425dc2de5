"""A process that is killed in the middle of sending: the next one completes its work and sends nothing twice."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from invbi_pipeline.flows.context import open_stores
from invbi_pipeline.flows.corrections.switch import pause, resume
from invbi_pipeline.sandbox.world import LiveClock
from invbi_pipeline_tests.cli.typed import invbi
from invbi_pipeline_tests.rehearsal import Rehearsal, changes, rehearsal, repeated

_RUNS = 4
_THOUSAND = 1000
_ORDERS_ARE_TOLD_S = 200.0  # a search of Amazon's orders reaches no closer to now than two minutes, and its newest page lags
_EVERYTHING_MAY_CHANGE = "\n[guards]\nmax_changed_share_bp = 10000\nmax_zeroed_share_bp = 10000\n"


@pytest.mark.slow
@pytest.mark.parametrize("nth", [1, 3])
def test_a_run_killed_while_it_sends_is_completed_by_the_next(nth: int, tmp_path: Path) -> None:
    with rehearsal(tmp_path, skus=24, history_days=2, faults=False, live=True) as stage:
        impatient = "visibility_lag_s = 1.0\nmax_age_s = 172800.0\nplatform"
        stage.path.write_text(stage.path.read_text().replace("\nplatform", f"\n{impatient}"))
        assert invbi("run", "--config", stage.path).code == 0
        stage.damage("warehouse", 2)
        stage.sell("shopify_uk", "soho", pos=True)

        assert _killed_after_writes(stage, nth) == -signal.SIGKILL
        assert len(stage.door.writes) >= nth
        _run_until_quiet(stage)

        written = changes(stage.door.writes)
        assert {system for system, *_ in written} >= {"till", "shopify_uk"}
        assert [change for change, n in written.items() if n > 1] == []
        points, _ = stage.world.correctable()
        assert [point for point in points if not point.agrees] == []
        waiting = invbi("plan", "--config", stage.path, "--format", "json")
        assert (waiting.code, waiting.lines()) == (0, [])


@pytest.mark.slow
def test_a_thousand_corrections_through_a_kill_a_pause_and_another_kill_are_each_done_once(tmp_path: Path) -> None:
    with _thousand(tmp_path) as stage:
        before = _states(stage).get("verified", 0)
        assert _killed_after_writes(stage, 25) == -signal.SIGKILL
        assert 0 < _states(stage).get("accepted", 0) < _THOUSAND
        since = _paused_after_writes(stage, 25)
        assert _states(stage)["approved"] > 50
        assert max(since.values(), default=0) <= 1, "what was in flight, and nothing more"
        assert _killed_after_writes(stage, 25) == -signal.SIGKILL
        _run_until_quiet(stage)

        assert _states(stage)["verified"] - before >= _THOUSAND
        assert repeated(stage.door.writes) == []
        points, _ = stage.world.correctable()
        assert [point for point in points if not point.agrees] == []


def _paused_after_writes(stage: Rehearsal, nth: int) -> Counter[str]:
    """Run, pause everything once its n-th write was carried out, and return how many each system was sent after that."""
    reached, sent = threading.Event(), len(stage.door.writes)
    stage.door.after_write = lambda: reached.set() if len(stage.door.writes) >= sent + nth else None
    running = _process(stage)
    try:
        assert reached.wait(timeout=300)
        _, state = open_stores(stage.config)
        pause(state, "", "ana", "", stage.clock.now())
        gone = len(stage.door.writes)
        assert running.wait(timeout=300) == 4
        resume(state, "", "ana", "", stage.clock.now())
        state.close()
    finally:
        stage.door.after_write = lambda: None
        running.kill()
    return Counter(request.url.path.split("/")[1] for request in stage.door.writes[gone:])


@contextmanager
def _thousand(folder: Path) -> Iterator[Rehearsal]:
    """Open a retailer of which more than a thousand numbers are wrong."""
    with rehearsal(folder, skus=500, history_days=1, faults=False, live=True) as stage:
        for system in stage.world.business.systems.values():
            system.account.wire.visibility_lag_s = 0.0  # as the configuration has it: nobody waits for a quarter of an hour
        impatient = "visibility_lag_s = 1.0\nmax_age_s = 172800.0\nplatform"
        text = stage.path.read_text().replace("\nplatform", f"\n{impatient}")
        stage.path.write_text(text + _EVERYTHING_MAY_CHANGE)
        _run_until_quiet(stage)
        for place in ("warehouse", "soho", "camden", "leeds"):
            stage.damage(place, 2, most=500)
        points, _ = stage.world.correctable()
        assert sum(not point.agrees for point in points) >= _THOUSAND
        yield stage


def _run_until_quiet(stage: Rehearsal) -> None:
    """Run until a run has nothing to do: nothing is held (a first look's raises are), sent or ended. Time passes in between."""
    clock = stage.world.business.clock
    assert isinstance(clock, LiveClock)
    for _ in range(_RUNS + 3):
        before = _states(stage)
        code = invbi("run", "--config", stage.path).code
        if code == 0 and _states(stage) == before and set(before) <= {"verified", "superseded"}:
            return
        clock.leap(_ORDERS_ARE_TOLD_S)
        stage.world.advance_to(clock.now())
    raise AssertionError(f"exit code {code}, {_states(stage)}")


def _states(stage: Rehearsal) -> dict[str, int]:
    _, state = open_stores(stage.config)
    counts = state.outbox.counts()
    state.close()
    return counts


def _process(stage: Rehearsal) -> subprocess.Popen[bytes]:
    """Start `invbi run` in a process of its own."""
    words = [sys.executable, "-m", "invbi_pipeline.cli", "run", "--config", str(stage.path)]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))


def _killed_after_writes(stage: Rehearsal, nth: int) -> int:
    """Kill a run once its n-th write was carried out, before it learns of that."""
    process = _process(stage)
    left = nth

    def kill() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            process.send_signal(signal.SIGKILL)

    stage.door.after_write = kill
    try:
        return process.wait(timeout=300)
    finally:
        stage.door.after_write = lambda: None
        process.kill()
