"""Group commit: what comes while the disk is busy is stored together."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from invbi_pipeline.errors import StoreBusy
from invbi_pipeline.live import writer
from invbi_pipeline.live.writer import InboxWriter
from invbi_pipeline.store.inbox import Delivery

NOW = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


class Disk:
    """A disk that is busy until it is let go, and keeps what each commit held."""

    def __init__(self) -> None:
        self.commits: list[list[str]] = []
        self.free = threading.Event()
        self.broken = False

    def store(self, batch: Sequence[Delivery]) -> list[bool]:
        if not self.free.wait(20):
            raise TimeoutError
        if self.broken:
            raise StoreBusy("held")
        self.commits.append([one.delivery_id for one in batch])
        return [True] * len(batch)


def _delivery(n: int) -> Delivery:
    return Delivery("shop", f"d{n}", "orders/create", NOW)


async def _put_all(disk: Disk, count: int) -> list[bool | BaseException]:
    """Put the first while the disk is free to take it, the others while it is busy with that."""
    inbox = InboxWriter(disk.store)
    waiting = [asyncio.create_task(inbox.put(_delivery(n))) for n in range(count)]
    await asyncio.sleep(0)
    disk.free.set()
    said = await asyncio.gather(*waiting, return_exceptions=True)
    await inbox.aclose()
    return list(said)


def test_what_comes_while_the_disk_is_busy_is_one_commit() -> None:
    disk = Disk()

    assert asyncio.run(_put_all(disk, 50)) == [True] * 50
    assert len(disk.commits) <= 2
    assert [name for commit in disk.commits for name in commit] == [f"d{n}" for n in range(50)]


def test_when_a_commit_fails_everyone_in_it_learns_of_it_and_the_next_is_tried() -> None:
    disk = Disk()
    disk.broken = True

    said = asyncio.run(_put_all(disk, 3))
    disk.broken = False

    assert [type(one) for one in said] == [StoreBusy] * 3
    assert asyncio.run(_put_all(disk, 2)) == [True, True]


def test_more_than_the_queue_holds_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_QUEUED", 2)

    said = asyncio.run(_put_all(Disk(), 5))

    assert [one if isinstance(one, bool) else type(one) for one in said] == [True, True, StoreBusy, StoreBusy, StoreBusy]
