"""`invbi demo`: the whole loop in one command, judged by the emulated retailer and told as one line of JSON."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from invbi_pipeline.domain.words import COMPARABLE

pytestmark = pytest.mark.slow

_KEYS = {
    "seed", "skus", "points", "parity_before", "parity_after", "correctable_by_world", "corrected", "findings", "corrections",
    "planted", "found", "seconds",
}  # fmt: skip
_HELD = {"unmapped", "unknown"}


def _demo(folder: Path, seed: int) -> tuple[int, str, dict[str, Any]]:
    words = ["demo", "--format", "json", "--skus", "200", "--seed", str(seed), "--folder", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "invbi_pipeline.cli", *words],
        capture_output=True,
        text=True,
        timeout=600,
        env=dict(os.environ),
        check=False,
    )
    return done.returncode, done.stderr, json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, dict[str, Any]]:
    return _demo(tmp_path_factory.mktemp("demo") / "new", seed=2)


def test_it_closes_the_loop_as_the_world_judges(demo: tuple[int, str, dict[str, Any]]) -> None:
    code, said, told = demo
    assert code == 0, said
    assert set(told) >= _KEYS
    assert told["corrected"] == told["correctable_by_world"] > 500
    assert (told["runs_to_quiet"] <= 3, told["planned_after_quiet"]) == (True, 0)


def test_its_parity_is_the_share_of_comparable_points_that_agree(demo: tuple[int, str, dict[str, Any]]) -> None:
    _, _, told = demo
    comparable = sum(told["points"].get(str(state), 0) for state in COMPARABLE)
    assert told["points"]["agreed"] / comparable == pytest.approx(told["parity_after"], abs=0.002)
    assert told["parity_after"] > 0.98


def test_what_was_planted_was_found_and_little_else_is_held(demo: tuple[int, str, dict[str, Any]]) -> None:
    _, _, told = demo
    assert {
        label: n - told["found"].get(label, 0) for label, n in told["planted"].items() if told["found"].get(label, 0) < n
    } == {}
    points = sum(told["points"].values()) - told["points"].get("counted", 0)
    withheld = sum(told["points"].get(state, 0) for state in _HELD) + told["corrections"].get("held", 0)
    assert withheld <= sum(told["planted"].values()) + points // 50
