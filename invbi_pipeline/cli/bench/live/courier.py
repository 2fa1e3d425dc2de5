"""Carries webhooks to the event process over a few connections that are kept open, with as little work as can be.

On a small machine what the emulated platforms spend is missing where it is measured; a whole HTTP client spends milliseconds on
each delivery.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

__all__ = ["Courier"]

_CONNECTIONS: Final = 32
_PATIENCE_S: Final = 5.0  # as long as Shopify waits for an answer


@dataclass(frozen=True, slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Courier:
    """Sends deliveries beside whoever hands them over, each once: one that fails is counted, and found by a sweep."""

    def __init__(self) -> None:
        self._idle: dict[str, list[_Connection]] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(_CONNECTIONS)
        self.failed = 0

    def deliver(self, address: str, headers: Mapping[str, str], body: bytes) -> None:
        """Send a delivery beside the shoppers: platforms do not make them wait for it."""
        task = asyncio.get_running_loop().create_task(self._deliver(address, headers, body))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def settled(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._under_way)

    async def aclose(self) -> None:
        """Wait for what is under way, and close the connections."""
        await self.settled()
        for line in (line for idle in self._idle.values() for line in idle):
            line.writer.close()
            await line.writer.wait_closed()

    async def _deliver(self, address: str, headers: Mapping[str, str], body: bytes) -> None:
        where = urlsplit(address)
        said = {"Host": where.netloc, **headers, "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in said.items())
        request = f"POST {where.path} HTTP/1.1\r\n{head}\r\n".encode() + body
        async with self._slots:
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    self.failed += await self._answer(where.netloc, request) != 200
            except (TimeoutError, OSError, EOFError):
                self.failed += 1

    async def _answer(self, host: str, request: bytes) -> int:
        """Return the status of the answer."""
        idle = self._idle.setdefault(host, [])
        while idle:
            with contextlib.suppress(OSError, EOFError):  # closed by the other side, since nothing came for a while
                return await self._on(idle.pop(), idle, request)
        name, _, port = host.partition(":")
        return await self._on(_Connection(*await asyncio.open_connection(name, int(port))), idle, request)

    async def _on(self, line: _Connection, idle: list[_Connection], request: bytes) -> int:
        """Return the status of the answer on one connection; it is not used again where something went wrong."""
        try:
            line.writer.write(request)
            head = await line.reader.readuntil(b"\r\n\r\n")
            fields = (one.partition(b":") for one in head.lower().split(b"\r\n"))
            length = next(int(value) for field, _, value in fields if field == b"content-length")
            await line.reader.readexactly(length)
        except BaseException:
            line.writer.close()
            raise
        idle.append(line)
        return int(head[9:12])
