"""Every step between the plan and the receipts may be a process's last: the next runs complete it.

The steps are those that are really passed, told apart by the code that passes them, so that a new one is covered by itself. Each
business takes every third step, the three together take all that they have in common.
"""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import polars as pl
import pytest
from sqlalchemy import Connection, Engine, event

from invbi_pipeline.config import load_config
from invbi_pipeline.flows.context import open_stores
from invbi_pipeline.flows.decision.turn import HEARTBEAT
from invbi_pipeline_tests.rehearsal import Fuse, Killed, Rehearsal, rehearsal

pytestmark = pytest.mark.slow  # a run is ended at each of its steps

_VISIBLE_S = 1200.0  # longer than the slowest platform takes to show what it accepted
_RUNS = 7  # with a clock that is ten minutes behind, orders are complete two looks later
_BROUGHT = 4  # units
_TOGETHER = 7  # so many processes end before what they left is completed
_ALL_AT_ONCE = "[guards]\nmax_changed_share_bp = 10000\nmax_changed_small_bp = 10000\n"

# Where units are written off, then sales that are handed over at once and those that wait: (channel, place, handed over).
WORKS = {
    "till_master": (("warehouse",), (("shopify_uk", "soho", True), ("amazon_uk", "warehouse", False))),
    "erp_master": (("warehouse", "soho"), (("amazon_uk", "warehouse", False),)),
    # nothing is booked into the hub here: `corrections/test_ask_again.py` ends processes around such a booking
    "shopify_hub": (("warehouse",), (("shopify_b2b", "warehouse", False), ("amazon_uk", "warehouse", False))),
}
# What must have been written for the story to mean anything: Shopify, Amazon and Square numbers, movements into the till.
_WRITTEN = {
    "till_master": {"till", "shopify_uk", "amazon_uk"},
    "erp_master": {"till", "shopify_uk", "amazon_uk"},
    "shopify_hub": {"shopify_b2b", "amazon_uk"},
}

_ABSOLUTE = {"amazon_uk"}  # says only what its number shall be: the same again is the same, and may be right again after a sale
_NOTHING_DONE = {"state: read", "warehouse: open"}  # whoever ends here ends at the step before

Place = tuple[str, ...]


@pytest.fixture(params=list(WORKS))
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rehearsal]:
    """A small retailer that has been looked at, with nothing wrong and nobody about."""
    with looked_at(tmp_path, request.param) as stage:
        yield stage


@contextmanager
def looked_at(folder: Path, preset: str) -> Iterator[Rehearsal]:
    """Open one in a folder. What several ended processes left may be more of a channel than its guards let go at once."""
    with rehearsal(folder, preset, skus=24, history_days=1, faults=False) as stage:
        stage.path.write_text(f"{stage.path.read_text()}\n{_ALL_AT_ONCE}", encoding="utf-8")
        stage.config = load_config(stage.path)
        stage.run()
        stage.world.freeze()
        stage.world.advance(3600)
        stage.run()
        yield stage


def work(stage: Rehearsal) -> None:
    """Let units be written off and sold, of other goods each time: a number that stays wrong for long is one for a person."""
    places, sales = WORKS[stage.world.business.preset]
    turn = next(stage.turns)
    for place in places:
        stage.damage(place, 1, most=1, skip=turn)
    for place in dict.fromkeys([*places, *(place for _, place, _ in sales)]):  # goods come in, or nothing would be left to sell
        stage.damage(place, -_BROUGHT, most=1, skip=turn + 7)
    for channel, place, handed_over in sales:
        stage.sell(channel, place, pos=handed_over, skip=turn)
    stage.world.advance(120)


class _Steps:
    """Names each step by the code that passes it, and tells a transaction that changed something from one that only read."""

    def __init__(self) -> None:
        self._wrote: set[int] = set()  # threads: systems are asked beside each other, and each commits what is its own

    def executing(self, connection: Connection, cursor: object, sql: str, values: object, context: Any, many: object) -> None:
        if threading.current_thread().name != HEARTBEAT and (context.isinsert or context.isupdate or context.isdelete):
            self._wrote.add(threading.get_ident())

    def here(self, step: str) -> Place:
        """Return the step and our functions on the stack, outermost first."""
        if step == "state: commit":
            thread = threading.get_ident()
            step = step if thread in self._wrote else "state: read"
            self._wrote.discard(thread)
        names: list[str] = []
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            module = frame.f_globals.get("__name__", "")
            if module.startswith("invbi_pipeline.") and not module.startswith("invbi_pipeline.cli."):
                names.insert(0, f"{module.removeprefix('invbi_pipeline.')}.{frame.f_code.co_name}")
            frame = frame.f_back
        return (step, *names)


def _passed(stage: Rehearsal) -> Counter[Place]:
    """Run to the end, and count how often each step was passed from the plan on."""
    places: list[Place] = []

    def note(place: Place) -> bool:
        places.append(place)
        return False

    assert _run_with(stage, note)
    first = next(n for n, place in enumerate(places) if any("correct.plan" in name for name in place))
    return Counter(place for place in places[first:] if place[0] not in _NOTHING_DONE)


def _run_with(stage: Rehearsal, ends: Callable[[Place], bool]) -> bool:
    """Run until a step at which the process ends; return whether it came to its own end."""
    steps = _Steps()
    fuse = stage.wire.fuse = Fuse(lambda n, step: ends(steps.here(step)))
    event.listen(Engine, "before_cursor_execute", steps.executing)
    try:
        with fuse.watching():
            stage.run()
    except Killed:
        return False
    finally:
        event.remove(Engine, "before_cursor_execute", steps.executing)
        stage.wire.fuse = Fuse()
    return True


def _killed_at(stage: Rehearsal, place: Place, nth: int) -> bool:
    """End a run there; where it passed that step less often, which depends on what was still under way, the next one sooner."""
    for passes in (nth, 1, 1):
        work(stage)
        if not _run_with(stage, _at(place, passes)):
            return True
    return False


def _at(place: Place, nth: int) -> Callable[[Place], bool]:
    """End when that step is passed for the n-th time."""
    left = nth

    def ends(here: Place) -> bool:
        nonlocal left
        left -= here == place
        return left == 0

    return ends


def completed(stage: Rehearsal, wrote_before: int) -> Counter[tuple[str, ...]]:
    """Run until it is quiet, and check that all was done, once. Return what was written since."""
    for _ in range(_RUNS):
        result = stage.run()
        stage.world.advance(_VISIBLE_S)
        wrong = [point for point in stage.world.correctable()[0] if not point.agrees]
        if result.quiet and not result.after.flights and not _open(stage) and not wrong:
            break
    else:
        held = result.planned.corrections.filter(pl.col("state") == "held")
        whys = held.select("system", "listing_key", "location", "from_qty", "to_qty", "guard").rows()
        raise AssertionError(f"still at it: {_open(stage)}, held: {whys}, wrong: {wrong}")
    again = [change for change in stage.wire.repeated_since(wrote_before) if change[0] not in _ABSOLUTE]
    assert again == [], f"sent twice: {again}"
    assert _books_are_the_shelves(stage), "the till's book is not the shelves'"
    return stage.wire.changes_since(wrote_before)


def _open(stage: Rehearsal) -> dict[str, int]:
    _, state = open_stores(stage.config)
    counts = state.outbox.counts()
    state.close()
    return {name: counts[name] for name in ("planned", "approved", "sending", "accepted", "ambiguous") if counts.get(name)}


def _books_are_the_shelves(stage: Rehearsal) -> bool:
    """Each sale elsewhere was booked once in the system that counts: its number is what the record says lies there."""
    world = stage.world
    writeback = {name for name, one in stage.config.systems.items() if one.absorbs == "writeback"}
    spots = [spot for spot in world.business.shelves.book if world.business.places[spot[0]].owner in writeback]
    return all(world.goods.book_number(*spot) == world.business.shelves.book[spot] for spot in spots)


def _ends(stage: Rehearsal) -> list[tuple[Place, int]]:
    """Return the steps that end a process in this business, each at its last pass, platforms' first."""
    steps = sorted(_passed(stage).items(), key=lambda step: not any(name.startswith("channels.") for name in step[0]))
    return steps[list(WORKS).index(stage.world.business.preset) :: len(WORKS)]


def test_whichever_step_is_a_processs_last_the_next_runs_complete_it_and_nothing_is_sent_twice(stage: Rehearsal) -> None:
    work(stage)
    ends = _ends(stage)
    completed(stage, len(stage.wire.requests))
    written: set[str] = set()
    killed = 0
    for start in range(0, len(ends), _TOGETHER):
        wrote = len(stage.wire.requests)
        for place, nth in ends[start : start + _TOGETHER]:
            killed += _killed_at(stage, place, nth)
        written |= {system for system, *_ in completed(stage, wrote)}
    assert killed >= 0.8 * len(ends)
    assert killed > 7
    assert written >= _WRITTEN[stage.world.business.preset]
