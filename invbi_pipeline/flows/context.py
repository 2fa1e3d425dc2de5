"""What every flow is handed: configuration, clock, channels, stores, dice. Flows take nothing from the outside but this."""

import asyncio
import logging
import random
import traceback
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import httpx

from invbi_pipeline.channels.protocol import Channel, Clock
from invbi_pipeline.channels.registry import open_channel
from invbi_pipeline.channels.shared import Ledger, Spent
from invbi_pipeline.config import Config
from invbi_pipeline.errors import AmbiguousWrite, BadAnswer, ConfigError, InvbiError
from invbi_pipeline.store.declared_files import read_declared
from invbi_pipeline.store.state import State, open_state
from invbi_pipeline.store.warehouse import Warehouse

__all__ = ["Context", "Progress", "SystemClock", "asking", "open_context", "open_stores"]

log = logging.getLogger("invbi.flows")


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Progress(Protocol):
    """How long work is told to whoever watches: `done` of `total` steps of `what` (a system, a phase)."""

    def __call__(self, what: str, done: int, total: int) -> None: ...


def _silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class Context:
    """One run's world. `channels` holds every system that was opened, by name."""

    config: Config
    clock: Clock
    channels: Mapping[str, Channel]
    warehouse: Warehouse
    state: State
    rng: random.Random
    progress: Progress = field(default=_silent)

    def new_id(self) -> str:
        """Return a new id that sorts by time."""
        return f"{self.clock.now():%Y%m%dT%H%M%S}-{self.rng.getrandbits(40):010x}"


@contextmanager
def asking(system: str, *, writing: bool = False) -> Iterator[None]:
    """Keep what a platform's answer breaks in our own code from breaking the other systems' run.

    Whatever is not an `InvbiError` becomes a `BadAnswer`, or while `writing` an `AmbiguousWrite` (something may have been
    sent). The reason names the kind of error and the line, never its text, which may hold what the platform said.
    """
    try:
        yield
    except InvbiError:
        raise
    except Exception as surprise:  # any kind: a platform's answer can break any line that reads it
        at = traceback.extract_tb(surprise.__traceback__)[-1]
        where = f"{type(surprise).__name__} in {at.name}, line {at.lineno} of {at.filename.rpartition('/')[2]}"
        log.error("%s: an answer was not understood: %s", system, where)
        if writing:
            raise AmbiguousWrite(f"The answer of {system} was not understood ({where}); its number is read back.") from surprise
        raise BadAnswer(f"The answer of {system} was not understood ({where}); the last good data is kept.") from surprise


class _Shared:
    """What channels share with other processes; they are opened before the state store is, and call nothing until then."""

    state: State

    def ledger(self, system: str, operation: str) -> Ledger:
        return _Late(lambda: self.state.budgets.ledger(system, operation))

    def paused(self, system: str) -> bool:
        return self.state.budgets.paused(system)


class _Late:
    """A ledger that is looked up when it is first asked."""

    def __init__(self, find: Callable[[], Ledger]) -> None:
        self._find = find

    def read(self) -> Spent:
        return self._find().read()

    def swap(self, old: Spent, new: Spent) -> bool:
        return self._find().swap(old, new)


def open_stores(config: Config) -> tuple[Warehouse, State]:
    """Open the warehouse and the state store of this configuration, without any system."""
    state = open_state(config.store.state_url, config.data, config.store.wait_s)
    return Warehouse(config.data / config.store.warehouse, config.store.wait_s), state


@asynccontextmanager
async def open_context(
    config: Config,
    clock: Clock | None = None,
    rng: random.Random | None = None,
    progress: Progress | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    systems: Iterable[str] | None = None,
) -> AsyncIterator[Context]:
    """Open stores and channels; close them at the end.

    `systems` opens only these. Raises one `ConfigError` with every missing secret or address of all of them, of the sheet and
    the alerts, and with every mistake in the policy files, before anything is called.
    """
    clock = clock or SystemClock()
    rng = rng or random.Random()
    chosen = list(config.systems) if systems is None else list(systems)
    expected = f"one of {', '.join(config.systems)}"
    problems = [(f"systems.{name}", expected, "correct its spelling") for name in chosen if name not in config.systems]
    channels: dict[str, Channel] = {}
    shared = _Shared()
    async with AsyncExitStack() as stack:
        for name in chosen if not problems else ():
            try:
                channels[name] = open_channel(
                    name, config.systems[name], clock, rng, transport, folder=config.folder, shared=shared
                )
            except ConfigError as trouble:
                problems += trouble.problems or [(f"systems.{name}", str(trouble), "correct it")]
            else:
                stack.push_async_callback(channels[name].aclose)
        problems += _beside_the_systems(config)
        if problems:
            places = list(dict.fromkeys(problem[0] for problem in problems))
            where = ", ".join(places[:5]) + (f" and {len(places) - 5} more" if len(places) > 5 else "")
            raise ConfigError(f"Cannot open everything: {where}. Nothing was called.", problems)
        warehouse, state = open_stores(config)
        stack.callback(state.close)
        shared.state = state
        yield Context(config, clock, channels, warehouse, state, rng, progress or _silent)


def _beside_the_systems(config: Config) -> list[tuple[str, str, str]]:
    """Return what a run would stumble over only after its systems were called: the sheet's and alerts' secrets, policy files."""
    sheets = config.publish.sheets
    wanted = [("publish.sheets.credentials", sheets.credentials)] if sheets is not None else []
    wanted += [(f"alerts.urls.{at}", url) for at, url in enumerate(config.alerts.urls)]
    wanted += [("alerts.heartbeat", config.alerts.heartbeat)] if config.alerts.heartbeat is not None else []
    problems: list[tuple[str, str, str]] = []
    for where, secret in wanted:
        try:
            secret.read()
        except ConfigError as missing:
            problems += [(f"{variable} ({where})", what, mend) for variable, what, mend in missing.problems]
    try:
        read_declared(config)
    except ConfigError as trouble:
        problems += trouble.problems
    return problems
