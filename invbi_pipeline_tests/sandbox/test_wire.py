"""The shared manners of the emulated platforms' HTTP faces."""

from collections.abc import Callable

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from invbi_pipeline.sandbox.contract import Wire
from invbi_pipeline.sandbox.wire import Bucket, WireMiddleware
from invbi_pipeline_tests.sandbox.serving import HandClock, serving


def _face(wire: Wire, effects: list[str], exempt: Callable[[str], bool] = lambda path: False) -> WireMiddleware:
    async def handle(request: Request) -> Response:
        effects.append(request.url.path)
        return JSONResponse({"answer": "yes, it was done"})

    def errors(kind: str) -> Response:
        return JSONResponse({"trouble": kind}, status_code={"429": 429, "504": 504, "503": 503}.get(kind, 500))

    app = Starlette(routes=[Route("/{rest:path}", handle, methods=["GET", "POST"])])
    return WireMiddleware(app, wire, HandClock(), errors, exempt)


def test_every_answer_carries_the_worlds_time_plus_the_skew_and_only_that() -> None:
    with serving(_face(Wire(clock_skew_s=90), [])) as address:
        answer = httpx.get(address + "/x")
    assert answer.headers.get_list("date") == ["Tue, 01 Sep 2026 09:01:30 GMT"]


def test_a_platform_that_is_down_answers_503_and_does_nothing() -> None:
    effects: list[str] = []
    with serving(_face(Wire(down=True), effects)) as address:
        answer = httpx.get(address + "/x")
    assert (answer.status_code, answer.json(), effects) == (503, {"trouble": "503"}, [])


@pytest.mark.parametrize(
    ("fault", "status", "done"), [("500", 500, 0), ("429", 429, 0), ("500_after", 500, 1), ("timeout_after", 504, 1)]
)
def test_a_planted_fault_hits_one_request_before_or_after_its_effect(fault: str, status: int, done: int) -> None:
    effects: list[str] = []
    with serving(_face(Wire(fail_next=[fault]), effects)) as address:
        first = httpx.post(address + "/x")
        assert (first.status_code, len(effects)) == (status, done)
        assert httpx.post(address + "/x").status_code == 200


def test_a_cut_answer_ends_in_the_middle_of_its_json() -> None:
    with serving(_face(Wire(fail_next=["cut"]), [])) as address:
        answer = httpx.get(address + "/x")
    assert answer.status_code == 200
    assert answer.text == '{"answer":"yes'


def test_faults_wait_for_a_request_that_is_not_exempt() -> None:
    wire = Wire(fail_next=["500"])
    with serving(_face(wire, [], exempt=lambda path: path.endswith("/token"))) as address:
        assert httpx.post(address + "/auth/token").status_code == 200
        assert httpx.get(address + "/x").status_code == 500
    assert wire.fail_next == []


def test_a_bucket_refills_on_the_worlds_clock() -> None:
    clock = HandClock()
    bucket = Bucket(clock, rate=2, burst=10)
    assert bucket.take(10)
    assert not bucket.take(1)
    assert bucket.wait_for(4) == 2.0
    clock.pass_s(2)
    assert bucket.take(4)
