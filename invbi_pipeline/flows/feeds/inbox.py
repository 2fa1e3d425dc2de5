"""The inbox: webhook deliveries are hints about what changed; the listings they name are read again, by id, and landed.

Orders need no hint of their own: the next ingest reads every order that changed, from its cursor on.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import polars as pl

from invbi_pipeline.channels.protocol import Channel, Reading
from invbi_pipeline.domain.words import Quantity
from invbi_pipeline.errors import InvbiError, Unreachable
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.feeds.ingest import land_points
from invbi_pipeline.flows.feeds.lease import held_until
from invbi_pipeline.store.inbox import Delivery, Inbox

__all__ = ["Drained", "drain", "read_points", "where_to_look", "worth_landing"]

_STAGED: Final = "staging.stg_observations"
_KNOWN: Final = """
SELECT DISTINCT listing_key, location_key FROM staging.stg_observations WHERE system = $s AND list_contains($k, listing_key)
"""
_POINT: Final = ("listing_key", "location_key")
_PATIENCE_S: Final = 120.0  # for one system: a hint is not worth more, the next sweep reads everything that changed


@dataclass(frozen=True, slots=True)
class Drained:
    """What came of the inbox: deliveries done, stock rows landed, and why the deliveries of a system still wait."""

    deliveries: int = 0
    rows: int = 0
    troubles: Mapping[str, str] = field(default_factory=dict)  # system -> reason


async def drain(ctx: Context, run_id: str, system: str = "", limit: int = 1000) -> Drained:
    """Read again what waiting deliveries name, of each system (or the one that is named) its `limit` oldest; mark them done.

    While an event process lives, nothing is done: they are its work.

    They are marked after the rows have landed: a crash in between reads once more what is known already. A system that
    cannot be read keeps its deliveries waiting and never stops another; one that is not open here keeps them too, and those
    of a system that is no longer configured are done at once. Raises `StoreBusy`, after which nothing is lost.
    """
    if (until := held_until(ctx.state)) is not None and until >= ctx.clock.now():
        return Drained()
    waiting = await asyncio.to_thread(_waiting, ctx.state.inbox, limit, system)
    known = {name: await asyncio.to_thread(_known, ctx, name, _keys(waiting[name])) for name in waiting}
    looked = [name for name in waiting if name in ctx.channels]
    points = {name: where_to_look(ctx, ctx.channels[name], _keys(waiting[name]), known[name]) for name in looked}
    said = dict(zip(looked, await asyncio.gather(*(read_points(ctx.channels[n], points[n]) for n in looked)), strict=True))
    troubles = {name: str(answer) for name, answer in said.items() if isinstance(answer, InvbiError)}
    rows = done = 0
    for name, deliveries in waiting.items():
        if name in troubles or (name not in said and name in ctx.config.systems):
            continue
        if isinstance(answer := said.get(name), Reading):
            landing = worth_landing(answer, known[name])
            rows += (await asyncio.to_thread(land_points, ctx, run_id, landing, name)).height
        await asyncio.to_thread(ctx.state.inbox.done, deliveries, ctx.clock.now())
        done += len(deliveries)
    return Drained(done, rows, troubles)


def _waiting(inbox: Inbox, limit: int, system: str) -> dict[str, list[Delivery]]:
    """Return up to `limit` deliveries of each system: a pile of one that cannot be read hides those of no other."""
    named = [system] if system else [one.system for one in inbox.newest()]
    found = {name: inbox.waiting(limit, name) for name in named}
    return {name: deliveries for name, deliveries in found.items() if deliveries}


def _keys(deliveries: Sequence[Delivery]) -> list[str]:
    return list(dict.fromkeys(key for one in deliveries for key in one.listing_keys))


def _known(ctx: Context, system: str, keys: Sequence[str]) -> pl.DataFrame:
    """Return the points at which these listings were ever observed: listing_key, location_key."""
    nowhere = pl.DataFrame(schema=dict.fromkeys(_POINT, pl.String()))
    if not keys:
        return nowhere
    with ctx.warehouse.open() as db:
        return db.query(_KNOWN, {"s": system, "k": list(keys)}) if db.exists(_STAGED) else nowhere


def where_to_look(ctx: Context, channel: Channel, keys: Sequence[str], known: pl.DataFrame) -> list[tuple[str, str]]:
    """Return where to look: where each listing was seen, and at every mapped location, where it may have come to be stocked."""
    points = [(key, place) for key, place in known.iter_rows()]
    if channel.facts.per_location:
        points += [(key, place) for key in keys for place in ctx.config.systems[channel.system].locations if place]
    else:
        points += [(key, "") for key in keys if key not in set(known["listing_key"])]
    return list(dict.fromkeys(points))


async def read_points(channel: Channel, points: Sequence[tuple[str, str]]) -> Reading | InvbiError | None:
    """Return the answer, or what prevented it; None when there is nothing to ask."""
    if not points:
        return None
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await channel.read_back(points)
    except TimeoutError:
        return Unreachable(f"{channel.system} did not answer within {_PATIENCE_S:g} s; its deliveries wait.")
    except InvbiError as trouble:
        return trouble


def worth_landing(reading: Reading, known: pl.DataFrame) -> Reading:
    """Leave out where a listing is not stocked and never was: looking there must not make it a point."""
    stock = reading.frames["stock"]
    seen = stock.join(known, on=_POINT, how="semi")
    fresh = stock.join(known, on=_POINT, how="anti").filter(pl.col("state") != str(Quantity.UNKNOWN))
    return replace(reading, frames={**reading.frames, "stock": pl.concat([seen, fresh])})
