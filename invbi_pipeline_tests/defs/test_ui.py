"""The UI as a process: it opens on loopback with everything switched on, and ends with who started it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from invbi_pipeline.definitions import SAMPLE

_STARTER = "import sys; from pathlib import Path; from invbi_pipeline.defs.ui import launch; "
_QUERY = """
{ repositoriesOrError { ... on RepositoryConnection { nodes {
    location { name }
    schedules { name scheduleState { status } }
    sensors { name sensorState { status } }
    assetNodes { assetKey { path } }
} } } }
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def ui(tmp_path: Path, port: int) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Start it by `launch`; hand over its address as soon as it serves, and the process that launched it."""
    call = f"sys.exit(launch(Path({str(SAMPLE)!r}), Path({str(tmp_path)!r}), {port}))"
    environment = {name: value for name, value in os.environ.items() if name != "INVBI_CONFIG"}
    process = subprocess.Popen(
        [sys.executable, "-c", _STARTER + call], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if "Serving dagster-webserver" in line:
            break
    else:
        raise AssertionError("".join(said))
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.slow
def test_the_ui_opens_with_everything_switched_on_and_ends_with_its_starter(ui: tuple[str, "subprocess.Popen[str]"]) -> None:
    address, process = ui
    with httpx.Client(transport=httpx.HTTPTransport(retries=6), timeout=60) as patient:  # it says so just before it listens
        said = patient.post(f"{address}/graphql", json={"query": _QUERY}).json()
    (node,) = said["data"]["repositoriesOrError"]["nodes"]
    assert node["location"]["name"] == "invbi"
    assert {one["name"]: one["scheduleState"]["status"] for one in node["schedules"]} == {
        "every_five_minutes": "RUNNING",
        "equality_every_hour": "RUNNING",
    }
    assert {one["name"]: one["sensorState"]["status"] for one in node["sensors"]} == {
        "inbox": "RUNNING",
        "event_process_absent": "RUNNING",
        "event_process_works": "RUNNING",
        "tell_of_failed_runs": "RUNNING",
        "tell_of_silence": "RUNNING",
    }
    assert len(node["assetNodes"]) >= 40
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0
    with pytest.raises(httpx.TransportError):
        httpx.get(address, timeout=5)
