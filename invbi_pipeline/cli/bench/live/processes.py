"""The processes of `bench live`: a world that shoppers come to, and the event process beside it, over loopback."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx

from invbi_pipeline.cli.bench.live import world
from invbi_pipeline.errors import TerminalError
from invbi_pipeline.sandbox.world.flash import CHANNELS

__all__ = ["Change", "Stage", "served", "stage"]

_READY_S: Final = 900.0  # a first run of ten thousand things takes its time
_PATIENCE_S: Final = 20.0
_ENDS_S: Final = 30.0
_ZEROES: Final = 0.2  # of the shoppers buy all there is
_DONE: Final = (0, 4)  # exit codes of a run; 4: something waits for a person


class Change(NamedTuple):
    """A number that had to follow: on which channel, whether to 0, when (the world's seconds), and how long it took."""

    to: str
    zero: bool
    at: float
    seconds: float | None  # None: it never did


@dataclass(frozen=True, slots=True)
class Stage:
    """A world in a process of its own, read for the first time; the event process is expected at `port`."""

    address: str
    config: Path
    port: int
    env: Mapping[str, str]

    def rush(self, rate: float, seconds: float, *, limits: bool = False, patience_s: float = _PATIENCE_S) -> list[Change]:
        """Let so many shoppers a second come; return what became of every number that had to follow.

        One that has not followed is given up when none did for `patience_s`.
        """
        asked = {"rate": rate, "seconds": seconds, "limits": limits, "zeroes": _ZEROES, "patience": patience_s}
        answer = httpx.post(f"{self.address}/_rush", json=asked, timeout=seconds + _READY_S, trust_env=False)
        if answer.is_error:
            raise TerminalError(f"The world answered {answer.status_code}: {answer.text[:300]}")
        return [Change(one["to"], one["zero"], one["at"], one["seconds"]) for one in answer.json()["changes"]]

    def warm(self) -> None:
        """Let a few shoppers come until every number follows: the worker knows everything then.

        Not before the subscriptions stand and every system has been swept once: what was sold earlier nobody is told of.
        """
        until = time.monotonic() + _READY_S
        while not self._swept():
            if time.monotonic() > until:
                raise TerminalError("The event process does not get to read every system.")
            time.sleep(0.5)
        while any(change.seconds is None for change in self.rush(2, 3.0)):
            if time.monotonic() > until:
                raise TerminalError("The event process does not make the numbers follow.")

    def not_taken(self) -> int:
        """Return how many webhooks the event process has not taken so far: what they told of, a sweep will find."""
        return int(httpx.get(f"{self.address}/_rush", timeout=_READY_S, trust_env=False).json()["failed"])

    def _swept(self) -> bool:
        page = httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=30.0, trust_env=False).text
        return all(f'invbi_sweeps_total{{outcome="read",system="{name}"}}' in page for name in CHANNELS)


@contextmanager
def stage(folder: Path, skus: int) -> Iterator[Stage]:
    """Start the world and run the batch twice, so that every number has been read and agrees."""
    port = _free_port()
    words = [sys.executable, "-m", world.__name__, str(folder), str(skus), str(port)]
    with (folder / "world.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise TerminalError(f"The world did not start: {_end_of(folder / 'world.log')}")
            told = json.loads(line)
            staged = Stage(told["address"], Path(told["config"]), port, os.environ | told["secrets"])
            for _ in range(2):
                _run(staged)
            yield staged
        finally:
            _ended(process)


@contextmanager
def served(staged: Stage, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `invbi serve`, which makes its subscriptions itself, until the block ends; hand over when it can store events."""
    words = ["serve", "--config", str(staged.config), "--port", str(staged.port), "--register"]
    command = [sys.executable, "-m", "invbi_pipeline.cli", *words]
    with log.open("a", encoding="utf-8") as errors:
        process = subprocess.Popen(command, stderr=errors, env=staged.env)
        try:
            until = time.monotonic() + _READY_S
            while not _ready(staged.port):
                if process.poll() is not None or time.monotonic() > until:
                    raise TerminalError(f"invbi serve did not start: {_end_of(log)}")
                time.sleep(0.2)
            yield process
        finally:
            _ended(process)


def _run(staged: Stage) -> None:
    command = [sys.executable, "-m", "invbi_pipeline.cli", "run", "--config", str(staged.config)]
    done = subprocess.run(command, capture_output=True, text=True, env=staged.env, check=False)
    if done.returncode not in _DONE:
        raise TerminalError(f"invbi run failed ({done.returncode}): {done.stderr.strip()[-300:]}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _ready(port: int) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5.0, trust_env=False).is_success
    return False


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8").strip()[-300:]


def _ended(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(_ENDS_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
