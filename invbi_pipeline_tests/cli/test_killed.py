"""A process that is killed in the middle of sending: the next one completes its work and sends nothing twice."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from invbi_pipeline_tests.cli.typed import invbi
from invbi_pipeline_tests.rehearsal import Rehearsal, changes, rehearsal

_RUNS = 4


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
        for _ in range(_RUNS):
            assert invbi("run", "--config", stage.path).code == 0

        written = changes(stage.door.writes)
        assert {system for system, *_ in written} >= {"till", "shopify_uk"}
        assert [change for change, n in written.items() if n > 1] == []
        points, _ = stage.world.correctable()
        assert [point for point in points if not point.agrees] == []
        waiting = invbi("plan", "--config", stage.path, "--format", "json")
        assert (waiting.code, waiting.lines()) == (0, [])


def _killed_after_writes(stage: Rehearsal, nth: int) -> int:
    """Run `invbi run` in a process of its own and kill it once its n-th write was carried out, before it learns of that."""
    words = [sys.executable, "-m", "invbi_pipeline.cli", "run", "--config", str(stage.path)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))
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
