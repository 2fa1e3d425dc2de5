"""Whose turn it is: which approved corrections of one system go out now, in which order, and in what batches.

A lowering never waits: it takes an oversell away. A raise waits for the push before it to end (design.md section 2, rule 7), and
where a platform allows few changes of a listing a day, it waits for its share of them: the newest number wins meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Final

import polars as pl

from invbi_pipeline.channels.protocol import Facts, WriteResult
from invbi_pipeline.domain.frames import POINT_KEY
from invbi_pipeline.domain.words import CorrectionKind
from invbi_pipeline.flows.context import Context
from invbi_pipeline.store.outbox import FLYING

__all__ = ["batches", "due", "together"]

_DAY: Final = timedelta(days=1)
_FOR_LOWERING: Final = 2  # one in so many of a day's changes is kept for lowerings
_RAISES: Final = ((pl.col("kind") == CorrectionKind.SET) & (pl.col("to_qty") > pl.col("from_qty"))).fill_null(value=False)


def due(ctx: Context, facts: Facts, waiting: pl.DataFrame) -> pl.DataFrame:
    """Return the CORRECTIONS of `waiting` (approved, of one system) whose turn it is; the others stay approved."""
    if waiting.is_empty():
        return waiting
    system = str(waiting["system"][0])
    flying = ctx.state.outbox.in_state(*FLYING, system=system).filter(pl.col("kind") == CorrectionKind.SET)
    free = waiting.join(flying.select(POINT_KEY), on=list(POINT_KEY), how="anti", maintain_order="left")
    ready = pl.concat([free, waiting.join(free, on="correction_id", how="anti").filter(~_RAISES)])
    own = ctx.config.systems[system].revisions_a_day
    revisions = own if own is not None else facts.revisions_a_day
    return ready if revisions is None else _within(ctx, system, revisions, ready)


def _within(ctx: Context, system: str, revisions: int, ready: pl.DataFrame) -> pl.DataFrame:
    """Leave out what would be more changes of a listing than a day allows, of raises also what would come too soon."""
    now = ctx.clock.now()
    sent = ctx.state.outbox.sent_since(system, now - _DAY).group_by("listing_key").agg(n=pl.len(), last=pl.col("sent_at").max())
    used = pl.col("n").fill_null(0)
    too_many = used >= pl.when(_RAISES).then(max(1, revisions // _FOR_LOWERING)).otherwise(revisions)
    too_soon = _RAISES & (pl.col("last") + _DAY / revisions > now).fill_null(value=False)
    counted = ready.join(sent, on="listing_key", how="left", maintain_order="left")
    return counted.filter(~too_many & ~too_soon).drop("n", "last")


def batches(facts: Facts, ready: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield CORRECTIONS in batches as the platform takes them: lowering first, then the largest risk."""
    lowers = (pl.col("to_qty") < pl.col("from_qty")).fill_null(value=True)
    ordered = ready.with_columns(lowers=lowers).sort("lowers", "units_at_risk", "correction_id", descending=[True, True, False])
    if facts.urgent_batch is None:
        yield from ordered.drop("lowers").iter_slices(facts.write_batch)
        return
    yield from ordered.filter("lowers").drop("lowers").iter_slices(facts.urgent_batch)
    yield from ordered.filter(~pl.col("lowers")).drop("lowers").iter_slices(facts.write_batch)


async def together(answers: AsyncIterator[WriteResult]) -> AsyncIterator[list[WriteResult]]:
    """Yield results as they come, those that are known at once in one list: they are kept in one transaction.

    A list is yielded before anything more is waited for, so that no result is known and not kept while another is on its way.
    """
    known: list[WriteResult] = []
    while True:
        coming = asyncio.ensure_future(anext(answers, None))
        try:
            await asyncio.sleep(0)  # what is known already is there after one turn
            if known and (not coming.done() or coming.exception() is not None):
                yield known
                known = []
            answer = await coming
        finally:
            coming.cancel()
        if answer is None:
            break
        known.append(answer)
    if known:
        yield known
