"""Takes the README's pictures anew: `make shots`.

Two emulated retailers are needed. The demo's stands still in time, so that its dashboard and sheet are the same on every
machine; Dagster's lives by the wall clock, as `invbi ui --sandbox` runs it.
"""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
from playwright.sync_api import Page

from invbi_pipeline.cli.demo import play
from invbi_pipeline.cli.world import Sandbox, sandbox_process
from invbi_pipeline.defs.home import prepare_home
from invbi_pipeline.defs.job import LOOP
from invbi_pipeline.defs.ui import LOOPBACK, command
from invbi_pipeline_tests.browser import open_page

__all__ = ["LARGEST", "PICTURES", "main"]

PICTURES: Final = Path(__file__).parent / "pictures"
LARGEST: Final = 250_000  # bytes of a picture: the README must open quickly
_ROOT: Final = Path(__file__).resolve().parents[1]
_DEMO_SKUS: Final = 300
_GRAPH_SKUS: Final = 60
_STARTS_WITHIN_S: Final = 180
_DRAWS_WITHIN_MS: Final = 120_000
_SHEET: Final = "sheets/view/sandbox-parity?sheet="


def main() -> int:
    """Take every picture; return 0 when all are there and small enough."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="invbi-shots-") as folder:
        _dashboard_and_sheet(Path(folder) / "demo")
        _graph(Path(folder) / "graph")
    sizes = {path.name: path.stat().st_size for path in sorted(PICTURES.glob("*.png"))}
    sys.stdout.write("".join(f"{name:<24} {size / 1000:6.0f} kB\n" for name, size in sizes.items()))
    return int(any(size > LARGEST for size in sizes.values()))


def _dashboard_and_sheet(home: Path) -> None:
    with sandbox_process(preset="till_master", seed=1, skus=_DEMO_SKUS, folder=home) as sandbox:
        os.environ.update(sandbox.secrets())
        story = asyncio.run(play(sandbox, lambda line: sys.stdout.write(f"{line}\n")))
        if troubles := story.runs[-1].published.troubles:
            raise RuntimeError(f"The dashboard was not published: {troubles}")
        with open_page((home / "dashboard.html").as_uri()) as page:
            _take(page, "dashboard")
        with open_page(f"{sandbox.address}/{_SHEET}Overview") as page:
            _take(page, "sheet-overview")
            page.goto(f"{sandbox.address}/{_SHEET}Parity")
            _take(page, "sheet-parity")


def _graph(folder: Path) -> None:
    """Run the job once, then show its assets as the UI does."""
    with sandbox_process(preset="till_master", seed=1, skus=_GRAPH_SKUS, folder=folder, live=True) as sandbox:
        environment = _environment(sandbox, folder / "dagster")
        job = [sys.executable, "-m", "dagster", "job", "execute", "-m", "invbi_pipeline.definitions", "-j", LOOP.name]
        done = subprocess.run(job, env=environment, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
        sys.stdout.write(f"dagster job execute: exit {done.returncode}\n{done.stderr[-2000:] if done.returncode else ''}")
        with _ui(environment) as address, open_page(f"{address}/asset-groups", width=1600, height=560) as page:
            page.get_by_text("Hide navigation").click(timeout=_DRAWS_WITHIN_MS)
            page.reload()  # the graph fits itself into what room there is only when it is drawn
            _wait_for_node(page, "publish")
            _take(page, "dagster-graph", after_ms=3_000)
            page.set_viewport_size({"width": 1280, "height": 840})
            page.goto(f"{address}/assets/recon/points?view=lineage&lineageScope=neighbors")
            _wait_for_node(page, "mart_exceptions")
            _take(page, "dagster-points", after_ms=3_000)


def _environment(sandbox: Sandbox, home: Path) -> dict[str, str]:
    prepare_home(home)
    own = {"DAGSTER_HOME": str(home), "INVBI_CONFIG": str(sandbox.config.resolve()), "GX_ANALYTICS_ENABLED": "false"}
    return {**os.environ, **sandbox.secrets(), **own}


@contextmanager
def _ui(environment: dict[str, str]) -> Iterator[str]:
    port = _free_port()
    address = f"http://{LOOPBACK}:{port}"
    process = subprocess.Popen(command(port), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(address, process)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"The Dagster UI ended with {process.returncode}.")
        try:
            if httpx.get(f"{address}/server_info", timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(1)
    raise TimeoutError(f"The Dagster UI did not answer at {address} within {_STARTS_WITHIN_S} s.")


def _wait_for_node(page: Page, name: str) -> None:
    page.get_by_text(name, exact=True).filter(visible=True).first.wait_for(timeout=_DRAWS_WITHIN_MS)


def _free_port() -> int:
    with socket.socket() as door:
        door.bind((LOOPBACK, 0))
        return int(door.getsockname()[1])


def _take(page: Page, name: str, after_ms: int = 0) -> None:
    """Take the picture; `after_ms` lets a page that fetches each node's state on its own do so."""
    page.wait_for_timeout(after_ms)
    page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    raise SystemExit(main())
