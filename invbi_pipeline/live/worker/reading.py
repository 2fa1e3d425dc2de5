"""Reading: deliveries are hints; the listings and orders that they name are read again by id, through the walls of every read.

A delivery is answered when all that it names was read as it stood after the event. An order that its platform does not show yet,
or shows as it was before, is asked for again (`Read.late`); what nobody shows within `PATIENCE` is left to the next sweep.
"""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from invbi_pipeline.channels.limits import patiently
from invbi_pipeline.channels.protocol import Channel, FindsOrders, NamesOrders, Reading
from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.errors import InvbiError
from invbi_pipeline.flows.context import Context, asking
from invbi_pipeline.flows.feeds.inbox import read_points, where_to_look, worth_landing
from invbi_pipeline.live.worker.memory import Memory
from invbi_pipeline.store.inbox import Delivery
from invbi_pipeline.store.landing import POINTS, Batch, prepare

__all__ = ["PATIENCE", "Read", "Sweep", "merged_changes", "read_named", "read_numbers", "read_recent"]

PATIENCE: Final = timedelta(minutes=2)  # then the next sweep of the orders, whose lag is longer, has the better chance
_UNDER_WAY: Final = timedelta(minutes=1)  # a delivery may come that much after the change
_GRAIN: Final = timedelta(seconds=1)  # platforms state times in whole seconds
_PATIENCE_S: Final = 60.0  # for one answer, whatever its retries would still do


@dataclass(slots=True)
class Sweep:
    """A system was swept: how far all feeds reach now (FEEDS), and what its deliveries named lately (`inbox.DELIVERY_ROWS`).

    `before`: how far each dataset had been read before (the platform's time); one that never was is lacking. Deciding it says
    how many orders and levels had changed since that no delivery named.
    """

    system: str
    feeds: pl.DataFrame
    named: pl.DataFrame
    before: Mapping[str, datetime]
    missed_orders: int = 0
    missed_levels: int = 0

    @property
    def reach(self) -> datetime | None:
        """How far the system's orders were read: the platform's time."""
        said: datetime | None = self._said("orders_complete_to")
        return said

    def count(self, changes: Mapping[str, pl.DataFrame], points: pl.DataFrame, now: datetime) -> None:
        """Count what changed since the look before, longer ago than a delivery is under way, and was named by none.

        `points` are those before. A first look shows all that ever was: nothing of it was missed.
        """
        orders = self.named.explode("order_ids").select(order_id="order_ids").drop_nulls().unique()
        keys = self.named.explode("listing_keys").select(listing_key="listing_keys").drop_nulls().unique()
        lines, held_to = changes.get("order_lines"), self._held_to()
        if lines is not None and held_to is not None:
            old = lines.filter(pl.col("updated_at").is_between(held_to, now - _UNDER_WAY, closed="left"))
            unnamed = old.join(orders, on="order_id", how="anti").join(keys, on="listing_key", how="anti")
            self.missed_orders += unnamed["order_id"].n_unique()
        looks = changes.get("observations")
        if looks is not None and Dataset.STOCK in self.before:
            was = points.select("system", "listing_key", "location", was="raw").drop_nulls("was")
            moved = looks.join(was, on=["system", "listing_key", "location"]).filter(pl.col("quantity") != pl.col("was"))
            old = moved.filter(pl.col("changed_at").is_null() | (pl.col("changed_at") < now - _UNDER_WAY))
            self.missed_levels += old.join(keys, on="listing_key", how="anti").height

    def _held_to(self) -> datetime | None:
        """Return up to when the look before can be relied upon to have shown the orders: not of its last moments, by the lag."""
        read_to = self.before.get(Dataset.ORDERS)
        return read_to - timedelta(seconds=self._said("order_lag_s") or 0) if read_to is not None else None

    def _said(self, column: str) -> Any:
        said = self.feeds.filter(system=self.system)[column].drop_nulls().to_list()
        return said[0] if said else None


@dataclass(slots=True)
class Read:
    """What was read and waits to be decided, and the deliveries that it answers."""

    batches: list[Batch] = field(default_factory=list)
    answered: list[Delivery] = field(default_factory=list)
    late: list[Delivery] = field(default_factory=list)  # to be asked for again
    sweep: Sweep | None = None
    troubles: dict[str, str] = field(default_factory=dict)  # system -> why it could not be read
    taken: asyncio.Event = field(default_factory=asyncio.Event)  # it is being decided
    decided: asyncio.Event = field(default_factory=asyncio.Event)  # nobody works on it any more

    @property
    def proves(self) -> bool:
        """It was read for what we sent ourselves: it answers no delivery, and is no sweep."""
        return not self.answered and self.sweep is None

    @property
    def rows(self) -> int:
        return sum(batch.landed for batch in self.batches)


async def read_named(ctx: Context, memory: Memory, system: str, deliveries: Sequence[Delivery]) -> Read:
    """Read what these deliveries of one system name: its numbers first, so that the orders explain them."""
    channel, found = ctx.channels[system], Read()
    keys = list(dict.fromkeys(key for one in deliveries for key in one.listing_keys))
    orders = list(dict.fromkeys(order for one in deliveries for order in one.order_ids))
    shown: Mapping[str, datetime | None] = {}
    with _asking(found, system, "its deliveries wait"):
        if keys:
            found.batches += await _numbers(ctx, memory, channel, keys)
        if orders and isinstance(channel, NamesOrders):
            reading = await _in_time(channel.read_orders(orders))
            shown = reading.shown
            found.batches.append(await asyncio.to_thread(_prepared, ctx, reading, system))
    if found.troubles:
        found.late = list(deliveries)
        return found
    names_orders = isinstance(channel, NamesOrders)
    for one in deliveries:
        gone = ctx.clock.now() - one.received_at > PATIENCE
        (found.answered if gone or not names_orders or _answered(one, shown) else found.late).append(one)
    return found


async def read_numbers(ctx: Context, memory: Memory, system: str, points: pl.DataFrame) -> Read:
    """Read the numbers of these points (listing_key, location) again, as they stand now."""
    found = Read()
    with _asking(found, system, "its numbers are read again"):
        found.batches += await _numbers(ctx, memory, ctx.channels[system], points["listing_key"].unique().sort().to_list())
    return found


async def read_recent(ctx: Context, system: str, since: datetime) -> Read:
    """Search for the orders of a system that changed since a moment (the platform's time)."""
    channel, found = ctx.channels[system], Read()
    assert isinstance(channel, FindsOrders)
    with _asking(found, system, "its orders are left to the next sweep"), patiently():
        reading = await _in_time(channel.recent_orders(since))
        found.batches.append(await asyncio.to_thread(_prepared, ctx, reading, system))
    return found


def merged_changes(changes: Sequence[Mapping[str, pl.DataFrame]], keys: Mapping[str, Sequence[str]]) -> dict[str, pl.DataFrame]:
    """Return the changes of several reads as one: of a row that several name, the last says what it is."""
    merged: dict[str, pl.DataFrame] = {}
    for one in changes:
        for name, rows in ((name, rows) for name, rows in one.items() if rows.height):
            before = merged.get(name)
            kept = [] if before is None else [before.join(rows, on=list(keys[name]), how="anti", nulls_equal=True)]
            merged[name] = pl.concat([*kept, rows])
    return merged


@contextmanager
def _asking(found: Read, system: str, then: str) -> Iterator[None]:
    """Ask a system; where it cannot be read, note why in what was `found`, and what becomes of it `then`."""
    try:
        with asking(system):
            yield
    except TimeoutError:
        found.troubles[system] = f"{system} did not answer within {_PATIENCE_S:g} s; {then}."
    except InvbiError as trouble:
        found.troubles[system] = str(trouble)


async def _in_time(asked: Coroutine[Any, Any, Reading]) -> Reading:
    async with asyncio.timeout(_PATIENCE_S):
        return await asked


async def _numbers(ctx: Context, memory: Memory, channel: Channel, keys: Sequence[str]) -> list[Batch]:
    known = memory.observed(channel.system, keys).select("listing_key", "location_key").unique(maintain_order=True)
    answer = await read_points(channel, where_to_look(ctx, channel, keys, known))
    if isinstance(answer, InvbiError):
        raise answer
    if answer is None:
        return []
    return [await asyncio.to_thread(_prepared, ctx, worth_landing(answer, known), channel.system)]


def _prepared(ctx: Context, reading: Reading, system: str) -> Batch:
    run_id = ctx.new_id()
    return prepare(reading, system, run_id, f"{run_id}.{system}.{reading.dataset}.event", POINTS)


def _answered(delivery: Delivery, shown: Mapping[str, datetime | None]) -> bool:
    """Say whether every order that a delivery names was shown as it stood after the event."""
    happened = delivery.occurred_at
    for order in delivery.order_ids:
        if order not in shown:
            return False
        at = shown[order]
        if happened is not None and at is not None and at + _GRAIN <= happened:
            return False
    return True
