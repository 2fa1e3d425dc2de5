import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from invbi_pipeline.sandbox.courier import Courier
from invbi_pipeline_tests.sandbox.serving import serving


def test_a_delivery_arrives_with_its_headers_and_its_very_bytes() -> None:
    got: list[tuple[str, bytes]] = []

    async def receive(request: Request) -> Response:
        got.append((request.headers["x-topic"], await request.body()))
        return Response(status_code=204)

    courier = Courier()
    with serving(Starlette(routes=[Route("/hook", receive, methods=["POST"])])) as address:
        courier(f"{address}/hook", {"x-topic": "orders/create"}, b'{"id": 1}')
    courier.close()
    assert got == [("orders/create", b'{"id": 1}')]


def test_a_refusal_is_told_so_that_the_platform_tries_again() -> None:
    async def refuse(request: Request) -> Response:
        return Response(status_code=503)

    courier = Courier()
    app = Starlette(routes=[Route("/hook", refuse, methods=["POST"])])
    with serving(app) as address, pytest.raises(ConnectionError, match="HTTP 503"):
        courier(f"{address}/hook", {}, b"{}")
    courier.close()


@pytest.mark.parametrize("address", ["https://example.com/hook", "http://10.0.0.1/hook", "not an address"])
def test_nothing_leaves_this_machine(address: str) -> None:
    courier = Courier()
    with pytest.raises(ConnectionError, match="this machine"):
        courier(address, {}, b"{}")
    courier.close()
