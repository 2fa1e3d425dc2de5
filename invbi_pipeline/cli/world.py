"""A sandbox in a process of its own, and the clock of its world. Only the demo, the UI with a sandbox and tests use it."""

import asyncio
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from invbi_pipeline.errors import ConfigError, Unreachable

__all__ = ["Sandbox", "WorldClock", "sandbox_process"]

_READY_WITHIN_S = 120


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox: where it is, the configuration it wrote, and what time it was when it began."""

    address: str
    config: Path
    now: datetime

    def get(self, page: str) -> Any:
        """Ask the world, by the control door that invbi's flows never use."""
        with _door() as door:
            return _answer(door.get(f"{self.address}/_world/{page}"))

    def post(self, page: str, body: Mapping[str, Any] | None = None) -> Any:
        with _door() as door:
            return _answer(door.post(f"{self.address}/_world/{page}", json=dict(body or {})))

    def secrets(self) -> dict[str, str]:
        """Return the environment variables that its configuration names, with this world's values."""
        return {str(k): str(v) for k, v in self.get("secrets").items()}


def _door() -> httpx.Client:
    """A client without the machine's certificates, whose loading takes longer than most answers: it speaks plain HTTP only."""
    return httpx.Client(timeout=120, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False)


def _answer(response: httpx.Response) -> Any:
    if response.is_error:
        raise Unreachable(f"The sandbox answered {response.status_code}: {response.text[:200]}")
    return response.json()


@contextmanager
def sandbox_process(
    *,
    preset: str,
    seed: int,
    skus: int,
    folder: Path,
    port: int = 0,
    live: bool = False,
    faults: bool = True,
    laws: str = "calm",
    history_days: int = 30,
    aged: int = 0,
) -> Iterator[Sandbox]:
    """Start a sandbox on a loopback port, hand it over when it is ready, and end it.

    Raises `ConfigError` with what it said when it cannot start.
    """
    words = [
        "sandbox",
        "--preset",
        preset,
        "--seed",
        str(seed),
        "--skus",
        str(skus),
        "--port",
        str(port),
        "--folder",
        str(folder),
    ]
    command = [
        sys.executable,
        "-m",
        "invbi_pipeline.cli",
        *words,
        *([] if live else ["--virtual"]),
        *([] if faults else ["--no-faults"]),
        *("--laws", laws, "--history-days", str(history_days), "--aged", str(aged)),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "sandbox.log").open("w+", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                process.wait(timeout=_READY_WITHIN_S)
                log.seek(0)
                said = log.read().strip().splitlines() or ["it said nothing"]
                why = next((line for line in said if line.startswith("error ")), said[-1]).removeprefix("error ")
                log_file = folder / "sandbox.log"
                raise ConfigError(f"The sandbox did not start: {why}", [("sandbox", why, f"see {log_file}")])
            ready = json.loads(line)
            yield Sandbox(ready["address"], Path(ready["config"]), datetime.fromisoformat(ready["now"]))
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class WorldClock:
    """The world's time, moved by whoever waits: `sleep` lets the world live through the time that is waited for."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._now = sandbox.now
        fresh = httpx.Limits(max_keepalive_connections=0)  # one that idled may be closed just as it is used again
        self._door = httpx.AsyncClient(base_url=f"{sandbox.address}/_world/", timeout=120, limits=fresh)
        self._turn = asyncio.Lock()

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        until = self._now + timedelta(seconds=seconds)
        async with self._turn:  # others who waited meanwhile may have moved the time far enough
            if until > self._now:
                moved = _answer(await self._door.post("advance", json={"seconds": (until - self._now).total_seconds()}))
                self._now = datetime.fromisoformat(moved["now"])

    async def aclose(self) -> None:
        await self._door.aclose()
