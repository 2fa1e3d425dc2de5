"""A small emulated retailer behind real sockets, on the wall's time, for runs of the whole Dagster job."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from invbi_pipeline.sandbox import presets
from invbi_pipeline.sandbox.server import create_app
from invbi_pipeline.sandbox.sheets import SheetsService
from invbi_pipeline.sandbox.world import LiveClock, World
from invbi_pipeline.sandbox.world.configuration import sheets_token
from invbi_pipeline_tests.rehearsal import LAGS_S
from invbi_pipeline_tests.sandbox.serving import serving

__all__ = ["Retailer", "retailer"]


@dataclass(frozen=True, slots=True)
class Retailer:
    """A running sandbox: its world, the configuration it wrote, the secrets by environment variable."""

    world: World
    config: Path
    secrets: dict[str, str]


class _Door:
    """The address is known before the world is, whose links hold it."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


@contextmanager
def retailer(folder: Path, skus: int = 20, history_days: int = 3) -> Iterator[Retailer]:
    """Serve a till_master retailer without planted faults; its configuration and state are in `folder`."""
    door, clock = _Door(), LiveClock(LAGS_S)
    with serving(door) as address:
        world = presets.build("till_master", 7, skus, address, folder, clock, history_days=history_days, faults=False)
        door.app = create_app(world, SheetsService(clock, sheets_token(world)).app)
        yield Retailer(world, presets.write_config(world, folder), presets.secrets(world))
