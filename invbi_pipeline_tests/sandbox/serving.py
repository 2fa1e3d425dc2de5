"""Runs an ASGI app on a free loopback port for one test, and a clock that stands still until the test moves it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import uvicorn
from starlette.types import ASGIApp

__all__ = ["HandClock", "serving"]


@dataclass(slots=True)
class HandClock:
    """A world's clock that a test moves by hand; as a client's clock, sleeping moves it at once."""

    at: datetime = field(default_factory=lambda: datetime(2026, 9, 1, 9, 0, tzinfo=UTC))
    slept: float = 0.0

    def now(self) -> datetime:
        return self.at

    def pass_s(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.pass_s(seconds)


class _Server(uvicorn.Server):
    """Says when it listens, so that nobody has to poll."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: object = None) -> None:
        await super().startup()
        self.listening.set()


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve the app in a thread; yield its address, e.g. "http://127.0.0.1:41233"; stop it on the way out."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        log_level="error",
        date_header=False,  # the emulated platform's clock is the world's
        server_header=False,
        lifespan="off",
        ws="none",  # no WebSockets here; the library would be imported (and warn) for nothing
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    thread = threading.Thread(target=server.run, name="serving", daemon=True)
    thread.start()
    if not server.listening.wait(timeout=20):
        raise RuntimeError("the test server did not start within 20 seconds")
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
