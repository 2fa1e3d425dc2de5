"""Budgets in the state store: one for all processes."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from invbi_pipeline.store.state import State, open_state

URL = "sqlite:///state.db"
# Spends all it can on a clock that stands still, and says how much that was.
_SPENDS = """
import asyncio, pathlib, sys
from datetime import UTC, datetime
from invbi_pipeline.channels import limits
from invbi_pipeline.channels.protocol import Limit
from invbi_pipeline.errors import Throttled
from invbi_pipeline.store.state import open_state

class Stopped:
    def now(self):
        return datetime(2026, 9, 1, tzinfo=UTC)
    async def sleep(self, seconds):
        raise Throttled("no time passes")

async def spend(budget):
    for n in range(1000):
        try:
            await budget.spend()
        except Throttled:
            return n

state = open_state("sqlite:///state.db", pathlib.Path(sys.argv[1]))
ledger = state.budgets.ledger("shop", "patch")
print("ready", flush=True)
sys.stdin.readline()
print(asyncio.run(spend(limits.Budget(Limit("patch", 5, 201, "made up"), Stopped(), ledger))))
"""


@pytest.fixture
def state(tmp_path: Path) -> State:
    return open_state(URL, tmp_path)


def test_an_operation_nobody_used_has_spent_nothing(state: State) -> None:
    assert state.budgets.ledger("shop", "patch").read() == (0, "")


def test_of_two_that_read_the_same_one_alone_may_change_it(state: State) -> None:
    first, second = state.budgets.ledger("shop", "patch"), state.budgets.ledger("shop", "patch")
    old = first.read()
    assert first.swap(old, (5, "{}"))
    assert not second.swap(old, (7, "{}"))
    assert second.swap((5, "{}"), (7, "{}"))
    assert first.read() == (7, "{}")


def test_operations_and_systems_spend_on_their_own(state: State) -> None:
    state.budgets.ledger("shop", "patch").swap((0, ""), (5, ""))
    assert state.budgets.ledger("shop", "get").read() == state.budgets.ledger("till", "patch").read() == (0, "")


def test_two_processes_spend_one_budget(tmp_path: Path) -> None:
    open_state(URL, tmp_path).close()
    command = [sys.executable, "-c", _SPENDS, str(tmp_path)]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.stdout and process.stdout.readline() for process in both] == ["ready\n"] * 2
    for process in both:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    spent = [int(process.communicate()[0]) for process in both]
    assert sum(spent) == 200
    assert min(spent) > 0


def test_a_pause_of_everything_is_a_pause_of_each(state: State) -> None:
    at = datetime(2026, 9, 1, tzinfo=UTC)
    state.pause("till", "ann", "why not", at)
    assert [state.budgets.paused(name) for name in ("till", "shop")] == [True, False]
    state.pause("", "ann", "stop", at)
    assert state.budgets.paused("shop")
