"""The world of `bench live` in a process of its own: four emulated channels that list everything, and shoppers at a given pace.

usage: python -m invbi_pipeline.cli.bench.live.world FOLDER SKUS PORT

It serves the sandbox on loopback, writes the configuration into FOLDER (the event process is expected at PORT), and prints one
JSON line when it listens: its address and the configuration. POST /_rush {"rate", "seconds", "limits", "zeroes", "patience"}
lets shoppers buy and answers, when all numbers have followed or none did for a while, with the seconds that each of them took.
GET /_rush says how many webhooks were not taken so far (`failed`).
"""

import asyncio
import json
import random
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from invbi_pipeline.cli.bench.live.courier import Courier
from invbi_pipeline.sandbox import presets
from invbi_pipeline.sandbox.server import create_app
from invbi_pipeline.sandbox.world import LiveClock, World
from invbi_pipeline.sandbox.world.flash import CHANNELS, FLASH_SALE, PLACE, buy
from invbi_pipeline.sandbox.world.places import Listing, System

__all__ = ["serve"]

# A rush is a sale on purpose: who holds one lifts the guards against mass changes. The sheet is published once: Google's part of
# it would run on the cores that are measured.
_TOLD: Final = """
[serve]
public_url = "http://127.0.0.1:{port}"
port = {port}
sheet_s = 86400

[guards]
max_changed_share_bp = 10000
max_zeroed_share_bp = 10000
"""

_LOOK_S: Final = 0.01  # between two looks at the numbers: how exact the seconds are ...
_LOOKS: Final = 15  # ... and so many times as long as the last look took, where many numbers are looked at
_IDLE_S: Final = 900.0  # the world's last sale is so long ago that no lag touches it
_ENOUGH: Final = 3  # units that a thing shows before somebody buys it


@dataclass(slots=True)
class _Change:
    """A number that has to follow an order: on which channel, to what, since when; `seconds` once it did."""

    to: System
    listing: Listing
    number: int
    zero: bool
    since: float
    seconds: float | None = None


@dataclass
class _Rush:
    """Shoppers of one world. No thing is bought twice, so that the number that must follow is known exactly."""

    world: World
    courier: Courier
    dice: random.Random = field(default_factory=lambda: random.Random(1))

    def __post_init__(self) -> None:
        self.systems = {system.name: system for system in self.world.business.channels()}
        things = sorted(self.world.business.catalogue.products)
        self.dice.shuffle(things)
        self._things = iter(things)
        for system in self.systems.values():
            system.account.on_webhook(self.courier.deliver)

    async def come(self, rate: float, seconds: float, zeroes: float, patience: float) -> list[_Change]:
        """Let `rate` shoppers a second buy; a share of them takes all there is. Return the numbers that had to follow.

        It waits for them until none has followed for `patience` seconds.
        """
        changes: list[_Change] = []
        shopping = asyncio.create_task(self._shop(rate, seconds, zeroes, changes))
        waiting: list[_Change] = []
        seen, last, took = 0, time.perf_counter(), 0.0
        while not shopping.done() or (waiting and time.perf_counter() - last < patience):
            await asyncio.sleep(max(_LOOK_S, _LOOKS * took))
            began = time.perf_counter()
            waiting += changes[seen:]
            seen = len(changes)
            for change in waiting:
                if change.to.number(change.listing, PLACE) == change.number:
                    change.seconds = (last := time.perf_counter()) - change.since
            waiting = [change for change in waiting if change.seconds is None]
            took = time.perf_counter() - began
        await shopping
        return changes

    async def _shop(self, rate: float, seconds: float, zeroes: float, changes: list[_Change]) -> None:
        began = time.perf_counter()
        for n in range(round(rate * seconds)):
            await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
            system = self.systems[CHANNELS[n % len(CHANNELS)]]
            listings = self._thing()
            units = system.number(listings[system.name], PLACE) if self.dice.random() < zeroes else 1
            since = time.perf_counter()
            buy(self.world, system, listings[system.name], units)
            for name, listing in listings.items():
                if name != system.name:
                    left = self.systems[name].number(listing, PLACE) - units
                    changes.append(_Change(self.systems[name], listing, left, left == 0, since))

    def _thing(self) -> dict[str, Listing]:
        """Return the listings of a thing that every channel shows some of."""
        for sku in self._things:
            found = {name: system.single(sku) for name, system in self.systems.items()}
            listings = {name: listing for name, listing in found.items() if listing is not None}
            shown = {self.systems[name].number(listing, PLACE) for name, listing in listings.items()}
            if len(listings) == len(found) and len(shown) == 1 and min(shown) >= _ENOUGH:
                return listings
        raise ValueError("every thing was bought once; the world is too small for this pace")


def _routes(rush: _Rush) -> Iterator[Route]:
    async def come(request: Request) -> JSONResponse:
        asked: dict[str, Any] = await request.json()
        for system in rush.systems.values():
            system.account.wire.enforce_limits = bool(asked["limits"])
        try:
            changes = await rush.come(asked["rate"], asked["seconds"], asked["zeroes"], asked["patience"])
        except ValueError as trouble:
            return JSONResponse({"error": str(trouble)}, 409)
        await rush.courier.settled()
        told = [{"to": c.to.name, "zero": c.zero, "at": c.since, "seconds": c.seconds} for c in changes]
        return JSONResponse({"changes": told})

    async def failed(_: Request) -> JSONResponse:
        return JSONResponse({"failed": rush.courier.failed})

    yield Route("/_rush", come, methods=["POST"])
    yield Route("/_rush", failed, methods=["GET"])


def serve(folder: Path, skus: int, port: int) -> None:
    """Serve the world until stopped."""
    from invbi_pipeline.sandbox.sheets import SheetsService
    from invbi_pipeline.sandbox.world.configuration import sheets_token

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        clock = LiveClock(_IDLE_S)
        world = presets.build(FLASH_SALE.name, 1, skus, address, folder, clock, faults=False, history_days=1)
        world.freeze()
        config = presets.write_config(world, folder)
        told = _TOLD.format(port=port)
        config.write_text(config.read_text(encoding="utf-8") + told, encoding="utf-8")
        inner = create_app(world, SheetsService(clock, sheets_token(world)).app, live=True)
        rush = _Rush(world, Courier())
        app = Starlette(routes=[*_routes(rush), Mount("/", inner)], lifespan=inner.router.lifespan_context)
        secrets = presets.secrets(world)
        print(json.dumps({"address": address, "config": str(config), "secrets": secrets}), flush=True)
        settings = uvicorn.Config(app, log_level="warning", access_log=False, date_header=False, server_header=False, ws="none")
        uvicorn.Server(settings).run(sockets=[listener])


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
