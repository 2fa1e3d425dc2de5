"""The measurement of the event process: what a budget of writes alone makes wait, and a small run of all of it."""

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from invbi_pipeline.cli.bench.live import receiver
from invbi_pipeline.cli.bench.live.courier import Courier
from invbi_pipeline.cli.bench.live.whole import queued
from invbi_pipeline_tests.sandbox.serving import serving


def test_under_the_budget_nobody_waits() -> None:
    assert queued([(n / 2, False) for n in range(20)], per_second=5, burst=1) == [0.0] * 20


def test_above_the_budget_the_wait_grows_by_what_is_too_much() -> None:
    waits = queued([(n / 10, False) for n in range(11)], per_second=5, burst=1)
    assert waits == pytest.approx([n / 10 for n in range(11)])


def test_whoever_is_urgent_goes_first_and_the_others_wait_for_it() -> None:
    together = [(0.0, False)] * 2 + [(0.0, True)] * 3
    assert queued(together, per_second=1, burst=1) == pytest.approx([3.0, 4.0])


def test_a_pause_fills_the_budget_up_to_its_burst_and_no_further() -> None:
    late = [(0.0, False), *[(100.0, False)] * 4]
    assert queued(late, per_second=1, burst=2) == pytest.approx([0.0, 0.0, 0.0, 1.0, 2.0])


def test_webhooks_are_carried_with_their_headers_and_those_that_were_not_taken_are_counted() -> None:
    came: list[tuple[str, bytes]] = []

    async def door(request: Request) -> Response:
        came.append((request.headers["x-topic"], await request.body()))
        said = {"Connection": "close"} if len(came) == 1 else {}  # as a door does with one that was idle for long
        return Response(status_code=503 if came[-1][1] == b"too much" else 200, headers=said)

    async def send(address: str) -> int:
        courier = Courier()
        for body in (b"one", b"two", b"too much"):
            courier.deliver(f"{address}/door", {"X-Topic": "orders/create"}, body)
            await courier.settled()
        courier.deliver("http://127.0.0.1:1/closed", {}, b"nobody is there")
        await courier.aclose()
        return courier.failed

    with serving(Starlette(routes=[Route("/door", door, methods=["POST"])])) as address:
        assert asyncio.run(send(address)) == 2
    assert came == [("orders/create", body) for body in (b"one", b"two", b"too much")]


@pytest.mark.slow
def test_the_receiver_alone_keeps_what_it_thanks_for_and_storing_costs_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "_CALM_S", 1)
    figures, targets = receiver.measure_receiver(400)
    kept = {target.name: target.value for target in targets}
    assert kept["receiver: acknowledged deliveries that are not on disk"] == 0
    assert kept["receiver: durable deliveries a second"] > 0
    stored, bare = (float(part) for part in figures["receiver: CPU ms of a delivery, stored and not"].split(", "))
    assert stored > bare
