import json
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from invbi_pipeline.sandbox.server import create_app
from invbi_pipeline.sandbox.world import World
from invbi_pipeline_tests.sandbox.world.memory import build


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path, skus=120, history_days=2, calm=True)


@pytest.fixture
async def client(world: World, anyio_backend: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(world, Starlette()))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox.test") as made:
        yield made


async def _get(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer = await client.get(path)
    assert answer.status_code == 200
    return dict(answer.json())


@pytest.mark.anyio
async def test_time_is_moved_and_told(client: httpx.AsyncClient) -> None:
    before = await _get(client, "/_world/clock")
    moved = (await client.post("/_world/advance", json={"seconds": 90})).json()
    assert moved["now"] > before["now"]
    assert moved["events"] >= 0
    assert (await _get(client, "/_world/clock"))["now"] == moved["now"]


@pytest.mark.parametrize("body", [{}, {"seconds": -1}, {"seconds": "ten"}, {"seconds": True}, {"seconds": 1e9}, ["seconds"]])
@pytest.mark.anyio
async def test_a_wrong_stretch_of_time_is_refused(client: httpx.AsyncClient, body: object) -> None:
    assert (await client.post("/_world/advance", json=body)).status_code == 400


@pytest.mark.anyio
async def test_a_web_page_cannot_move_the_world(client: httpx.AsyncClient) -> None:
    form = await client.post("/_world/freeze", content=b"", headers={"content-type": "text/plain"})
    assert form.status_code == 415
    elsewhere = await client.get("/_world/secrets", headers={"host": "attacker.example"})
    assert elsewhere.status_code == 400


@pytest.mark.anyio
async def test_the_truth_names_what_disagrees_and_what_is_excluded(client: httpx.AsyncClient) -> None:
    calm = await _get(client, "/_world/truth")
    assert calm["agree"] == calm["correctable"] > 0
    drift = (await client.post("/_world/plant", json={"label": "drift"})).json()
    frozen = (await client.post("/_world/plant", json={"label": "frozen_listing"})).json()
    after = await _get(client, "/_world/truth")
    assert [point["listing_key"] for point in after["disagreeing"]] == [drift["listing_key"]]
    assert [row["listing_key"] for row in after["excluded"]] == [frozen["listing_key"]]
    assert (after["planted"], after["ripening"]) == ({"drift": 1}, 1)  # frozen, it is a fact once something was sold meanwhile


@pytest.mark.anyio
async def test_planted_faults_are_listed(client: httpx.AsyncClient) -> None:
    await client.post("/_world/plant", json={"label": "system_unreachable", "system": "till", "minutes": 3})
    listed = await _get(client, "/_world/planted")
    (row,) = listed["planted"]
    assert (row["label"], row["system"]) == ("system_unreachable", "till")
    assert row["until"] > row["at"]


@pytest.mark.parametrize(
    "body", [{"label": "gremlins"}, {"label": "drift", "colour": "red"}, {"label": "drift", "system": "nobody"}]
)
@pytest.mark.anyio
async def test_what_cannot_be_planted_is_refused_with_a_reason(client: httpx.AsyncClient, body: dict[str, str]) -> None:
    answer = await client.post("/_world/plant", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.anyio
async def test_a_frozen_world_says_so(client: httpx.AsyncClient) -> None:
    assert (await client.post("/_world/freeze", json={})).json()["frozen"] is True


@pytest.mark.anyio
async def test_secrets_are_told_by_the_variables_that_the_configuration_names(client: httpx.AsyncClient) -> None:
    assert {"SHOPIFY_UK_TOKEN", "TILL_WEBHOOK_KEY", "AMAZON_UK_REFRESH_TOKEN"} <= set(await _get(client, "/_world/secrets"))


@pytest.mark.anyio
async def test_secrets_are_told_as_a_shell_reads_them(client: httpx.AsyncClient) -> None:
    script = (await client.get("/_world/secrets.sh")).text
    words = dict(shlex.split(line)[1].split("=", 1) for line in script.splitlines())
    assert words == await _get(client, "/_world/secrets")


@pytest.mark.anyio
async def test_the_first_page_names_every_account(client: httpx.AsyncClient, world: World) -> None:
    page = (await client.get("/")).text
    assert all(f"/{name}" in page for name in world.business.systems)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A sandbox in a process of its own; yields the line it prints when it is ready."""
    script = "import sys, pathlib, invbi_pipeline.sandbox.server as s; s.serve(skus=60, folder=pathlib.Path(sys.argv[1]))"
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield dict(json.loads(process.stdout.readline()))
        process.terminate()


def test_a_sandbox_in_a_process_of_its_own_says_where_it_is_and_checks_who_asks(served: dict[str, Any]) -> None:
    with httpx.Client(base_url=served["address"], trust_env=False) as client:
        told = client.get("/_world/clock")
        assert told.json()["now"] == served["now"]
        secrets = client.get("/_world/secrets").json()
        path, query = "/shopify_uk/admin/api/2026-07/graphql.json", {"query": "{ locations(first: 9) { nodes { name } } }"}
        assert client.post(path, json=query).status_code in (401, 403)
        answer = client.post(path, json=query, headers={"X-Shopify-Access-Token": secrets["SHOPIFY_UK_TOKEN"]})
    assert {node["name"] for node in answer.json()["data"]["locations"]["nodes"]} == {"Warehouse", "Soho", "Camden", "Leeds"}
    assert answer.headers["date"] == "Fri, 18 Sep 2026 11:00:00 GMT"
    assert Path(served["config"]).name == "invbi.toml"
