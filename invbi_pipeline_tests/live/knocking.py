"""A platform as a door meets it: it sends each delivery until it is thanked for, some of them twice, in any order."""

import asyncio
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from invbi_pipeline.cli.bench.live import door
from invbi_pipeline_tests.live.door import STORE, shopify_headers

__all__ = ["Platform", "RunningDoor", "running_door"]

SECRET = "knocking-secret"
_AT_ONCE = 24
_AGAIN_S = 0.02
_PATIENCE_S = 10.0


@dataclass(slots=True)
class RunningDoor:
    """The receiver in a process of its own, over one store."""

    folder: Path
    state_url: str = "sqlite:///state.db"
    address: str = ""
    deaths: int = 0
    _process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it; it listens when this returns."""
        words = [sys.executable, "-m", door.__name__, str(self.folder), "stored", self.state_url]
        env = os.environ | {"INVBI_BENCH_TOKEN": "t", "INVBI_BENCH_WEBHOOK_SECRET": SECRET}
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=env)
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        assert self.address

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()
        self.deaths += 1

    def let_files_grow_to(self, size: int) -> None:
        """Make the disk full at this size of any file (-1: never)."""
        assert self._process is not None
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, -1))

    def size(self) -> int:
        """Return the size of the largest file of the store."""
        return max(file.stat().st_size for file in self.folder.glob(f"{STORE}*"))

    def held(self) -> list[str]:
        """Return the delivery ids on disk, in order."""
        with closing(sqlite3.connect(self.folder / STORE)) as db:
            return [number for (number,) in db.execute("SELECT delivery_id FROM inbox ORDER BY delivery_id")]


@contextmanager
def running_door(folder: Path, state_url: str = "sqlite:///state.db") -> Iterator[RunningDoor]:
    """Have a door in this folder, before the store of this address; it is gone at the end."""
    running = RunningDoor(folder, state_url)
    running.start()
    try:
        yield running
    finally:
        running.kill()


@dataclass(slots=True)
class Platform:
    """Sends deliveries to wherever the door is now. `thanked` are those it was told are stored; `after` hears of each of them."""

    door: RunningDoor
    dice: random.Random
    after: Callable[[int], None] = lambda thanked: None
    thanked: set[str] = field(default_factory=set)
    refused: dict[int, int] = field(default_factory=dict)  # status -> how often
    secret: str = SECRET

    def deliver(self, numbers: list[str], enough: Callable[[], bool] = lambda: False) -> None:
        """Send all of these until each was thanked for, or until it is `enough`."""
        asyncio.run(self._deliver(numbers, enough))

    async def _deliver(self, numbers: list[str], enough: Callable[[], bool]) -> None:
        waiting = list(numbers)
        async with httpx.AsyncClient(timeout=_PATIENCE_S, trust_env=False) as client:
            await asyncio.gather(*(self._send(client, waiting, enough) for _ in range(_AT_ONCE)))

    async def _send(self, client: httpx.AsyncClient, waiting: list[str], enough: Callable[[], bool]) -> None:
        while waiting and not enough():
            number = waiting.pop(self.dice.randrange(len(waiting)))
            if await self._knock(client, number):
                self.thanked.add(number)
                self.after(len(self.thanked))
            else:
                waiting.append(number)
                await asyncio.sleep(_AGAIN_S)

    async def _knock(self, client: httpx.AsyncClient, number: str) -> bool:
        body = f'{{"id": {int(number[1:])}}}'.encode()
        url = f"{self.door.address}/webhooks/{door.SYSTEM}"
        try:
            answer = await client.post(url, content=body, headers=shopify_headers(body, number=number, secret=self.secret))
        except httpx.HTTPError:
            return False
        if answer.status_code != 200:
            self.refused[answer.status_code] = self.refused.get(answer.status_code, 0) + 1
        return answer.is_success
