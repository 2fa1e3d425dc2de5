"""The one resource: where the configuration is. It holds no secret; these are read from the environment when they are used."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import dagster as dg

from invbi_pipeline.config import Config, load_config
from invbi_pipeline.flows.context import Context, open_context, open_stores
from invbi_pipeline.store.state import State
from invbi_pipeline.store.warehouse import Warehouse

__all__ = ["Invbi"]

Result = TypeVar("Result")


class Invbi(dg.ConfigurableResource[None]):
    """invbi by the path of its `invbi.toml`."""

    config_path: str

    @property
    def config(self) -> Config:
        """The configuration as it stands now. Raises `ConfigError` with every mistake."""
        return load_config(Path(self.config_path))

    def run(self, step: Callable[[Context], Awaitable[Result]], systems: Sequence[str] | None = None) -> Result:
        """Open the context (these systems, or all), run one asynchronous step of a flow, close it."""

        async def work() -> Result:
            async with open_context(self.config, systems=systems) as ctx:
                return await step(ctx)

        return asyncio.run(work())

    def call(self, step: Callable[[Context], Result]) -> Result:
        """The same for a step that waits for nothing."""

        async def work(ctx: Context) -> Result:
            return step(ctx)

        return self.run(work)

    def stores(self) -> tuple[Warehouse, State]:
        """Open the stores alone; nothing is called."""
        return open_stores(self.config)

    def started(self, run: dg.DagsterRun, instance: dg.DagsterInstance) -> datetime:
        """When this run began, UTC."""
        record = instance.get_run_record_by_id(run.run_id)
        at = record.start_time if record is not None else None
        return datetime.fromtimestamp(at, UTC) if at else datetime.now(UTC)
