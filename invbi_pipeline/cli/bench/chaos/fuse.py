"""A fuse ends the process at a step: a request about to leave or just carried out, a transaction about to be committed."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, event

from invbi_pipeline.flows.decision.turn import HEARTBEAT
from invbi_pipeline.store.warehouse import Database, Warehouse

__all__ = ["Fuse", "FusedWarehouse", "Killed"]


class Killed(BaseException):
    """The process ended here: nothing of ours may catch it."""


class Fuse:
    """`seen` names the steps passed so far; `blow` says at which the process ends: from then on nothing of it happens."""

    def __init__(self, blow: Callable[[int, str], bool] | None = None) -> None:
        self.seen: list[str] = []
        self.blown = False
        self.armed = blow is not None
        self._blow = blow or (lambda n, step: False)

    def __call__(self, step: str) -> None:
        if threading.current_thread().name == HEARTBEAT:  # when it beats is a matter of the machine's speed: it is no step
            return
        if not self.blown:
            self.seen.append(step)
            self.blown = self._blow(len(self.seen), step)
        if self.blown:
            raise Killed(self.seen[-1])

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the commits of the state store too, for as long as the block lasts."""

        def committing(connection: Connection) -> None:
            self("state: commit")

        event.listen(Engine, "commit", committing)
        try:
            yield
        finally:
            event.remove(Engine, "commit", committing)


class FusedWarehouse(Warehouse):
    """A warehouse whose every step passes the fuse when it begins and before it is committed."""

    def __init__(self, path: Path, wait_s: float, fuse: Fuse) -> None:
        super().__init__(path, wait_s)
        self._fuse = fuse

    @contextmanager
    def open(self) -> Iterator[Database]:
        """Open for one step."""
        self._fuse("warehouse: open")
        with super().open() as database:
            yield database
            self._fuse("warehouse: commit")
