"""The receiver of `bench live` in a process of its own: as it is, or the same one answering without storing anything.

usage: python -m invbi_pipeline.cli.bench.live.door FOLDER {stored|bare} [STATE_URL]
"""

import asyncio
import contextlib
import random
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvicorn

from invbi_pipeline.channels.registry import open_channel
from invbi_pipeline.config import SystemConfig
from invbi_pipeline.domain.words import Role
from invbi_pipeline.flows.context import SystemClock
from invbi_pipeline.live.receiver import create_app
from invbi_pipeline.store.inbox import Delivery, Inbox
from invbi_pipeline.store.state import open_state

__all__ = ["SYSTEM", "serve"]

SYSTEM: Final = "shop"


class _Nowhere(Inbox):
    """Takes deliveries and keeps none."""

    def receive(self, deliveries: Sequence[Delivery]) -> list[bool]:
        return [True] * len(deliveries)


def serve(folder: Path, *, stored: bool, state_url: str = "sqlite:///state.db") -> None:
    """Serve the door of one Shopify system on a loopback port; print its address, and at the end the CPU seconds since then.

    Its secrets are the variables INVBI_BENCH_TOKEN and INVBI_BENCH_WEBHOOK_SECRET.
    """
    secrets = {"token": {"env": "INVBI_BENCH_TOKEN"}, "webhook_secret": {"env": "INVBI_BENCH_WEBHOOK_SECRET"}}
    said = {"platform": "shopify", "roles": [Role.SELLS], "account": "bench.myshopify.com", "secrets": secrets}
    clock = SystemClock()
    channel = open_channel(SYSTEM, SystemConfig.model_validate(said), clock, random.Random(1), None, folder=folder)
    state = open_state(state_url, folder, 5.0)
    if not stored:
        state.inbox = _Nowhere(state.begin)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = create_app({SYSTEM: channel}, state, clock, address)
        print(address, flush=True)
        began = time.process_time()
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # uvicorn ends gracefully, then raises what it was told
        settings = uvicorn.Config(app, log_level="warning", access_log=False, ws="none", server_header=False)
        with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=settings.get_loop_factory()) as runner:
            runner.run(uvicorn.Server(settings).serve([listener]))
    print(time.process_time() - began, flush=True)
    state.close()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), stored=sys.argv[2] == "stored", **dict(zip(["state_url"], sys.argv[3:], strict=False)))
