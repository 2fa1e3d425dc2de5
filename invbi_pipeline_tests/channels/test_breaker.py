import pytest

from invbi_pipeline.channels.breaker import Breaker
from invbi_pipeline.errors import Unreachable
from invbi_pipeline_tests.sandbox.serving import HandClock


def opened(clock: HandClock) -> Breaker:
    breaker = Breaker("shop", clock, threshold=2, rest_s=30)
    for _ in range(2):
        breaker.before()
        breaker.failed(Unreachable("down"))
    return breaker


def test_a_success_between_failures_keeps_the_circuit_closed() -> None:
    breaker = Breaker("shop", HandClock(), threshold=2)
    for _ in range(5):
        breaker.failed(Unreachable("down"))
        breaker.succeeded()
    assert breaker.state == "closed"


def test_an_open_circuit_refuses_until_its_rest_is_over() -> None:
    clock = HandClock()
    breaker = opened(clock)
    clock.pass_s(29)
    with pytest.raises(Unreachable):
        breaker.before()
    clock.pass_s(1)
    breaker.before()
    assert breaker.state == "half-opened"


def test_one_success_after_the_rest_closes_it_and_one_failure_opens_it_again() -> None:
    clock = HandClock()
    breaker = opened(clock)
    clock.pass_s(30)
    breaker.before()
    breaker.failed(Unreachable("still down"))
    with pytest.raises(Unreachable):
        breaker.before()
    clock.pass_s(30)
    breaker.before()
    breaker.succeeded()
    assert breaker.state == "closed"
