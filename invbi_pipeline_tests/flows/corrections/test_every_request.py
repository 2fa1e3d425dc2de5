"""Each request of a push fails once, or from then on every one; each step of it may be the process's last. Nothing is done twice.

What is counted are the boundaries that are really crossed, so that a new one is covered by itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, Engine, event

from invbi_pipeline.cli.bench.push_shops import OPENING
from invbi_pipeline.domain.words import CorrectionState
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.corrections.prove import prove
from invbi_pipeline.flows.corrections.push import push, recover
from invbi_pipeline.sandbox.contract import Wire as AccountWire
from invbi_pipeline_tests.faults import KINDS, Trouble
from invbi_pipeline_tests.flows.corrections.stage import Go, Stage, intend, opened_stage
from invbi_pipeline_tests.rehearsal import Fuse, Killed

_REST_S = 60.0  # a breaker rests; a token bucket fills
_UNSENT = {CorrectionState.APPROVED, CorrectionState.SUPERSEDED}
_WORKS = ["shopify set", "shopify post", "square set", "square post", "amazon set"]
_QUICK = {
    ("amazon set", "timeout_after"),
    ("square post", "500_after"),
    ("shopify post", "cut"),
    ("square set", "429 with a date"),
}
_CASES = [pytest.param(work, kind, marks=() if (work, kind) in _QUICK else pytest.mark.slow) for work in _WORKS for kind in KINDS]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with opened_stage(tmp_path) as stage:
        yield stage


@dataclass
class Work:
    """Corrections of one number, one after the other, each a change of its own."""

    stage: Stage
    system: str
    kind: str
    tries: int = 0

    def next(self) -> tuple[dict[str, Any], int]:
        """Return the next correction, and what the number is once it is made."""
        self.tries += 1
        stands = self.stage.number(self.system, 0)
        version = f"v{self.tries}"
        if self.kind == "post":
            more = {"kind": "post", "from_qty": None, "movement_ref": f"elsewhere/m{self.tries}"}
            return self.stage.approved(self.system, 0, -1, version=version, **more), stands - 1
        target = OPENING - 5 if stands != OPENING - 5 else OPENING - 9
        return self.stage.approved(self.system, 0, target, version=version, from_qty=stands), target

    def ended(self, ctx: Context) -> None:
        """Let what was accepted be seen, so that the next one does not wait for it."""
        for state in (CorrectionState.ACCEPTED, CorrectionState.AMBIGUOUS):
            names = ctx.state.outbox.in_state(state)["correction_id"]
            ctx.state.outbox.advance_all([(n, {}) for n in names], state, CorrectionState.VERIFIED, ctx.clock.now())


def _work(stage: Stage, name: str) -> Work:
    system, kind = name.split()
    return Work(stage, system, kind)


def _account(stage: Stage) -> Any:
    def of(request: httpx.Request) -> AccountWire:
        wire: AccountWire = stage.shops.accounts[request.url.host.removesuffix(".test")].wire
        return wire

    return of


@pytest.mark.parametrize(("name", "kind"), _CASES)
def test_whichever_request_of_a_push_fails_once_the_change_is_made_and_once(stage: Stage, name: str, kind: str) -> None:
    work = _work(stage, name)

    async def once(ctx: Context, n: int) -> bool:
        correction, right = work.next()
        intend(ctx, correction)
        stage.wire.way = trouble = Trouble(kind, n, _account(stage), ctx.clock)
        result = await push(ctx)
        stage.wire.way = lambda request, go: go(request)
        if _states(ctx)[correction["correction_id"]] in _UNSENT:  # told that nothing moved: the next push sends it
            await ctx.clock.sleep(_REST_S)
            result = await push(ctx)
        elif correction["kind"] == "post" and _states(ctx)[correction["correction_id"]] == CorrectionState.AMBIGUOUS:
            await ctx.clock.sleep(_REST_S)
            await prove(ctx, f"proof {n}")  # its movement is looked for: only one that is not there is sent again
            await push(ctx)
        assert stage.number(work.system, 0) == right, f"request {n}: {result}"
        await ctx.clock.sleep(_REST_S)
        work.ended(ctx)
        return trouble.struck > 0

    asked = next(n for n in count(1) if not stage.do(partial(once, n=n)))
    assert asked > 1


@pytest.mark.parametrize(("name", "kind"), _CASES)
def test_while_everything_fails_from_some_request_on_what_may_have_happened_is_never_sent_again(
    stage: Stage, name: str, kind: str
) -> None:
    work = _work(stage, name)

    async def once(ctx: Context, n: int) -> bool:
        stood = stage.number(work.system, 0)
        correction, right = work.next()
        intend(ctx, correction)
        stage.wire.way = trouble = Trouble(kind, n, _account(stage), ctx.clock, for_ever=True)
        for _ in range(2):
            await push(ctx)
        stage.wire.way = lambda request, go: go(request)
        _honest(stage, ctx, correction, stood, right)
        await ctx.clock.sleep(_REST_S * 2)
        await push(ctx)
        _honest(stage, ctx, correction, stood, right)
        assert _states(ctx)[correction["correction_id"]] != CorrectionState.APPROVED
        work.ended(ctx)
        return trouble.struck > 0

    asked = next(n for n in count(1) if not stage.do(partial(once, n=n)))
    assert asked > 1


@pytest.mark.parametrize("name", _WORKS)
def test_a_process_may_end_at_any_step_of_a_push_and_the_next_does_nothing_twice(stage: Stage, name: str) -> None:
    work = _work(stage, name)

    async def planned(ctx: Context) -> tuple[dict[str, Any], int]:
        correction, right = work.next()
        intend(ctx, correction)
        return correction, right

    async def next_process(ctx: Context, correction: dict[str, Any], stood: int, right: int) -> None:
        recover(ctx)
        _honest(stage, ctx, correction, stood, right)
        for _ in range(2):
            await ctx.clock.sleep(_REST_S)
            await push(ctx)
        _honest(stage, ctx, correction, stood, right)
        assert _states(ctx)[correction["correction_id"]] not in (CorrectionState.APPROVED, CorrectionState.SENDING)
        work.ended(ctx)

    steps: list[str] = []
    for n in count(1):
        stood = stage.number(work.system, 0)
        correction, right = stage.do(planned)
        fuse = _pushed_until(stage, n)
        stage.do(partial(next_process, correction=correction, stood=stood, right=right))
        if not fuse.blown:
            break
        steps.append(fuse.seen[-1])
    assert {"leaving", "carried out", "commit"} <= set(steps)


def _pushed_until(stage: Stage, nth: int) -> Fuse:
    """Push in a process that ends at its n-th step."""
    fuse = Fuse(lambda passed, step: passed == nth)

    async def way(request: httpx.Request, go: Go) -> httpx.Response:
        fuse("leaving")
        response = await go(request)
        await response.aread()
        fuse("carried out")
        return response

    def committing(connection: Connection) -> None:
        fuse("commit")

    async def pushed(ctx: Context) -> None:
        event.listen(Engine, "commit", committing)
        try:
            await push(ctx)
        finally:
            event.remove(Engine, "commit", committing)

    stage.wire.way = way
    try:
        stage.do(pushed)
    except Killed:
        pass
    finally:
        stage.wire.way = lambda request, go: go(request)
    return fuse


def _states(ctx: Context) -> dict[str, str]:
    return dict(ctx.state.outbox.in_state().select("correction_id", "state").iter_rows())


def _honest(stage: Stage, ctx: Context, correction: dict[str, Any], stood: int, right: int) -> None:
    """A correction that may be sent has had no effect; one that was accepted has had its own, and no other ever had any."""
    state, number = _states(ctx)[correction["correction_id"]], stage.number(correction["system"], 0)
    allowed = {stood} if state in _UNSENT else {right} if state == CorrectionState.ACCEPTED else {stood, right}
    assert number in allowed, (state, number)
    assert state in {*_UNSENT, CorrectionState.ACCEPTED, CorrectionState.AMBIGUOUS}
