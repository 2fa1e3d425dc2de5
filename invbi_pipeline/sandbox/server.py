"""The sandbox on one loopback port: every account under /<name>, Google Sheets under /sheets, the world under /_world."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from html import escape
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from invbi_pipeline.sandbox import presets
from invbi_pipeline.sandbox.control import control_routes
from invbi_pipeline.sandbox.courier import Courier
from invbi_pipeline.sandbox.world import LiveClock, VirtualClock, World
from invbi_pipeline.sandbox.world.configuration import SPREADSHEET, sheets_token
from invbi_pipeline.sandbox.world.faults.shelf import AGES

__all__ = ["create_app", "serve"]

_HOST = "127.0.0.1"
_LIVE_TICK_S = 1.0
_HOSTS = ["127.0.0.1", "localhost", "sandbox.test", "testserver"]


def create_app(world: World, sheets: ASGIApp, *, live: bool = False) -> Starlette:
    """Return the whole sandbox as one app. `live`: the world follows the wall clock while the app runs."""
    courier = Courier()
    for system in world.business.systems.values():
        system.account.on_webhook(courier)

    async def index(request: Request) -> HTMLResponse:
        return HTMLResponse(_index(world))

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        ticking = asyncio.create_task(_follow_the_wall(world)) if live else None
        yield
        if ticking is not None:
            ticking.cancel()
        courier.close()

    accounts = [Mount(f"/{name}", system.account.app) for name, system in world.business.systems.items()]
    routes = [Route("/", index), Mount("/_world", routes=control_routes(world)), Mount("/sheets", sheets), *accounts]
    # a name that somebody lets point at this machine must not open it to a web page
    guard = Middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS, www_redirect=False)
    return Starlette(routes=routes, middleware=[guard], lifespan=lifespan)


async def _follow_the_wall(world: World) -> None:
    while True:
        world.advance_to(world.business.clock.now())
        await asyncio.sleep(_LIVE_TICK_S)


def serve(
    preset: str = "till_master",
    seed: int = 1,
    skus: int = 2000,
    port: int = 0,
    folder: Path = Path(),
    *,
    live: bool = False,
    faults: bool = True,
    laws: str = "calm",
    history_days: int = presets.HISTORY_DAYS,
    aged: int = 0,
    ready: Callable[[str, Path], None] = lambda address, config: None,
) -> None:
    """Serve a fresh world on a loopback port (0: any free one) until stopped.

    `aged`: how many of each fault that takes days to become one (`faults.shelf.AGES`) its history holds.
    Writes the ERP's exports and a matching `invbi.toml` into `folder`. When it is ready it prints one JSON line: address,
    preset, seed, skus, config, now; then it calls `ready` with address and config. Raises OSError when the port is taken
    (it names no file) or the folder cannot be written, and KeyError for an unknown preset.
    """
    from invbi_pipeline.sandbox.sheets import SheetsService

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_HOST, port))
        address = f"http://{_HOST}:{listener.getsockname()[1]}"
        clock = LiveClock() if live else VirtualClock()
        history = dict.fromkeys(AGES, aged)
        world = presets.build(
            preset, seed, skus, address, folder, clock, faults=faults, laws=laws, history_days=history_days, history=history
        )
        config = presets.write_config(world, folder)
        app = create_app(world, SheetsService(clock, sheets_token(world)).app, live=live)
        now = world.business.now.isoformat()
        line = {"address": address, "preset": preset, "seed": seed, "skus": skus, "config": str(config), "now": now}
        settings = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            date_header=False,  # the platforms' clock is the world's
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=2,
        )
        _Announced(settings, json.dumps(line), lambda: ready(address, config)).run(sockets=[listener])


class _Announced(uvicorn.Server):
    """Says when it listens: a line on standard output, then whatever `ready` does."""

    def __init__(self, config: uvicorn.Config, line: str, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._line = line
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._line, flush=True)
        self._ready()


def _index(world: World) -> str:
    business = world.business
    rows = "".join(
        f"<tr><td><code>/{escape(name)}</code></td><td>{escape(system.platform)}</td>"
        f"<td>{escape(', '.join(system.counts)) or '&ndash;'}</td><td>{'yes' if system.sells else 'no'}</td>"
        f"<td>{len(system.listings):,}</td></tr>"
        for name, system in business.systems.items()
    )
    links = " &middot; ".join(f'<a href="/_world/{page}">{page}</a>' for page in ("clock", "truth", "planted"))
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>invbi sandbox</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;margin:2rem;max-width:60rem}}table{{border-collapse:collapse}}
td,th{{padding:.3rem .8rem;text-align:left;border-bottom:1px solid #bbb}}</style>
<h1>invbi sandbox</h1><p>Preset <b>{escape(business.preset)}</b>, seed {business.seed}. The world's time is
<b>{business.now:%Y-%m-%d %H:%M:%S} UTC</b>{", frozen" if world.frozen else ""}.</p>
<table><tr><th>Account</th><th>Platform</th><th>Counts</th><th>Sells</th><th>Listings</th></tr>{rows}</table>
<p>The world: {links}. Spreadsheets: <a href="/sheets/view/{SPREADSHEET}">{SPREADSHEET}</a>.</p></html>"""
