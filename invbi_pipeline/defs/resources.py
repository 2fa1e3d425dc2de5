"""The one resource: invbi by the path of its configuration. It holds no secret; channels read these when they are opened."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
from pydantic import PrivateAttr

from invbi_pipeline.config import Config, load_config
from invbi_pipeline.errors import ConfigError, InvbiError
from invbi_pipeline.flows.context import Context, open_context
from invbi_pipeline.store.warehouse import Warehouse

__all__ = ["Invbi", "explained"]

Result = TypeVar("Result")


class _Session:
    """One opened context for all steps of a run: breakers, rate budgets and connections live as long as it does."""

    def __init__(self, config: Config) -> None:
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        try:
            self.context = self._runner.run(self._stack.enter_async_context(open_context(config)))
        except BaseException:
            self._runner.close()
            raise

    def run(self, step: Callable[[Context], Awaitable[Result]]) -> Result:
        async def work() -> Result:
            return await step(self.context)

        return self._runner.run(work())

    def close(self) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()


class Invbi(dg.ConfigurableResource[Any]):
    """invbi by the path of its `invbi.toml`.

    Steps of one run share one context, opened by the first that needs it (so a run of checks alone needs no secrets) and closed
    with the run. Every error that invbi raises on purpose becomes a `dagster.Failure` with its words, never retried.
    """

    config_path: str
    _session: _Session | None = PrivateAttr(default=None)

    @property
    def config(self) -> Config:
        """The configuration as it stands now. Raises `ConfigError` with every mistake."""
        return load_config(Path(self.config_path))

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Invbi"]:
        """Close with the run what its steps have opened."""
        try:
            yield self
        finally:
            session, self._session = self._session, None
            if session is not None:
                session.close()

    def run(self, step: Callable[[Context], Awaitable[Result]]) -> Result:
        """Do one asynchronous step of a flow."""
        with _plainly():
            if self._session is None:
                self._session = _Session(self.config)
            return self._session.run(step)

    def call(self, step: Callable[[Context], Result]) -> Result:
        """Do one step that waits for nothing."""

        async def work(ctx: Context) -> Result:
            return step(ctx)

        return self.run(work)

    def look(self, step: Callable[[Warehouse], Result]) -> Result:
        """Do one step that needs the warehouse alone: no system is opened."""
        with _plainly():
            config = self.config
            return step(Warehouse(config.data / config.store.warehouse, config.store.wait_s))

    def run_id(self, run: dg.DagsterRun, instance: dg.DagsterInstance) -> str:
        """Return invbi's id of a Dagster run: sorted by time, ending in the beginning of Dagster's, the same in all steps."""
        return f"{self.started(run, instance):%Y%m%dT%H%M%S}-{run.run_id[:10]}"

    def started(self, run: dg.DagsterRun, instance: dg.DagsterInstance) -> datetime:
        """Return when a Dagster run was created, UTC."""
        record = instance.get_run_record_by_id(run.run_id)
        if record is None:
            raise dg.Failure(f"Dagster has no record of its own run {run.run_id}.", allow_retries=False)
        return record.create_timestamp.astimezone(UTC)


def explained(trouble: InvbiError) -> str:
    """Return an error's words with every problem it lists: where, what, and how to mend it."""
    problems = trouble.problems if isinstance(trouble, ConfigError) else []
    return "\n".join([str(trouble), *(f"- {where}: {what}; {mend}" for where, what, mend in problems)])


@contextmanager
def _plainly() -> Iterator[None]:
    try:
        yield
    except InvbiError as trouble:
        raise dg.Failure(explained(trouble), allow_retries=False) from trouble
