"""Prove: read back what was sent. A correction is done when its number was seen, not when it was accepted."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from invbi_pipeline.channels.protocol import Reading
from invbi_pipeline.config import GuardConfig
from invbi_pipeline.domain.words import CorrectionKind, CorrectionState, Dataset
from invbi_pipeline.errors import InvbiError
from invbi_pipeline.flows.context import Context, asking
from invbi_pipeline.flows.corrections.push import MOST_ATTEMPTS, PushResult, ask_again, location_keys, push
from invbi_pipeline.flows.decision.reconcile import Compared, compare, derive_truth, stage
from invbi_pipeline.flows.decision.turn import whole_turn
from invbi_pipeline.flows.feeds.ingest import land_points
from invbi_pipeline.store.outbox import FLYING

__all__ = ["prove", "push_and_prove", "settle_posts", "under_way"]

_S = CorrectionState
# When the newest read of each owner's ledger began, on our clock.
_LEDGER_READ = """
SELECT system, max(began_at) AS began_at FROM raw.batches WHERE dataset = 'movements' AND verdict = 'believed' GROUP BY system
"""
# One order line of a kit is a movement of each of its components, all by the same reference.
_BOOKED = "SELECT DISTINCT system, listing_key, location, reference FROM staging.stg_movements WHERE reference <> ''"
_LONGEST_WAIT_S = 60.0  # what takes longer to become visible is proved by the next run's look
_BEYOND_S = 1.0  # platforms state their time in whole seconds
_FEW = 3  # numbers that read 0 may be three shoppers


async def prove(ctx: Context, run_id: str) -> Compared:
    """Read back every point with a correction under way, and let the comparison judge it; then settle the posts.

    Each system's short visibility lag is waited out first, on its own. A system that cannot be read back leaves its corrections
    as they are: accepted or ambiguous, to be proved by the next look.
    """
    flying = under_way(ctx)
    await asyncio.gather(*(_look(ctx, run_id, str(name)) for name in flying["system"].unique().sort()))
    return _judge(ctx, run_id, flying)


async def push_and_prove(ctx: Context, run_id: str, systems: Sequence[str] | None = None) -> tuple[PushResult, Compared | None]:
    """Ask again for what may be, send what is approved (`push`) and prove it (`prove`): each system as soon as its own are out.

    Return what came of it, and the comparison; None when nothing was sent.
    """
    seen: set[str] = set()

    async def look(system: str) -> None:
        seen.add(system)
        await _look(ctx, run_id, system)

    await ask_again(ctx, systems)
    pushed = await push(ctx, systems, after=look)
    if not pushed.sent:
        return pushed, None
    flying = under_way(ctx)
    await asyncio.gather(*(_look(ctx, run_id, str(name)) for name in flying["system"].unique().sort() if name not in seen))
    return pushed, _judge(ctx, run_id, flying)


def under_way(ctx: Context) -> pl.DataFrame:
    """Return the pushes under way, but for those to systems that are no longer configured: nobody can look at these."""
    return ctx.state.outbox.open_flights().filter(pl.col("system").is_in(list(ctx.channels)))


async def _look(ctx: Context, run_id: str, system: str) -> None:
    """Wait out what is left of this system's short visibility lag, and read back what it was sent."""
    flying = ctx.state.outbox.in_state(*FLYING, system=system)
    if flying.is_empty():
        return
    lag = _visibility_s(ctx, system)
    ended = flying.select(pl.coalesce("send_ended_at", "sent_at").max()).item() or ctx.clock.now()
    left = lag + _BEYOND_S - (ctx.clock.now() - ended).total_seconds()
    if lag <= _LONGEST_WAIT_S and left > 0:
        await ctx.clock.sleep(min(left, lag + _BEYOND_S))
    await _read_back(ctx, run_id, system, flying)


def _judge(ctx: Context, run_id: str, flying: pl.DataFrame) -> Compared:
    """Compare all numbers with what was read back, and settle the posts."""
    with whole_turn(ctx), ctx.warehouse.held():
        stage(ctx)
        if settle_posts(ctx, flying):  # what the owner's book now contains changes what may be sold; a channel's number does not
            derive_truth(ctx)
        return compare(ctx, run_id)


def _visibility_s(ctx: Context, system: str) -> float:
    declared = ctx.config.systems[system].visibility_lag_s
    return declared if declared is not None else ctx.channels[system].facts.visibility_lag.total_seconds()


async def _read_back(ctx: Context, run_id: str, system: str, flying: pl.DataFrame) -> None:
    keys = location_keys(ctx, system)
    mine = flying.filter(pl.col("system") == system).select("listing_key", "location").unique()
    points = [(key, keys[place]) for key, place in mine.sort("listing_key", "location").iter_rows()]
    try:
        with asking(system):
            reading = await ctx.channels[system].read_back(points)
            if _all_at_zero(reading, flying.filter(system=system), ctx.config.guards.for_channel(system)):
                return
            land_points(ctx, run_id, reading, system)
        posted = flying.filter((pl.col("system") == system) & (pl.col("kind") == CorrectionKind.POST))
        if posted.height and Dataset.MOVEMENTS in ctx.channels[system].facts.datasets:
            await _read_ledger(ctx, run_id, system)
    except InvbiError:
        return  # its health is judged by the next ingest; what was sent stays open until it is seen


def _all_at_zero(reading: Reading, sent: pl.DataFrame, guards: GuardConfig) -> bool:
    """Say whether far too many of the numbers that were just set read 0: a platform in trouble proves nothing."""
    wanted = sent.filter((pl.col("kind") == CorrectionKind.SET) & (pl.col("target") > 0)).select("listing_key").unique()
    shown = reading.frames["stock"].join(wanted, on="listing_key", how="semi")["quantity"].cast(pl.Int64, strict=False)
    zeroed = (shown <= 0).sum()
    return zeroed >= _FEW and zeroed * 10_000 > shown.len() * guards.feed_max_zeroed_bp


async def _read_ledger(ctx: Context, run_id: str, system: str) -> None:
    """Read what the counting system booked since the last sweep, so that our own posts are seen in it by their reference."""
    since = ctx.state.cursor(system, str(Dataset.MOVEMENTS)).cursor
    land_points(ctx, run_id, await ctx.channels[system].read(Dataset.MOVEMENTS, since), system)


def settle_posts(ctx: Context, flying: pl.DataFrame) -> int:
    """End the posts of `under_way` that were seen, by their reference in the owner's own ledger where it shows one.

    Return how many ended.

    One of unknown outcome that the ledger still lacks, read after the visibility lag, did not happen and may be sent again. An
    owner without a readable ledger (Shopify as the hub) answered with the change it made; once its number was read back the
    post is proved by that answer. Without an answer it is asked for again (`push.ask_again`).
    """
    now = ctx.clock.now()
    posts = flying.filter(pl.col("kind") == CorrectionKind.POST)
    if posts.is_empty():
        return 0
    with ctx.warehouse.open() as db:
        booked = set(db.query(_BOOKED).iter_rows())
        numbers = db.query("SELECT system, listing_key, location, quantity FROM staging.stg_observations")
        read = dict(db.query(_LEDGER_READ).iter_rows())
    seen = {(s, k, p): q for s, k, p, q in numbers.iter_rows()}
    proved, lost = [], []
    for row in posts.iter_rows(named=True):
        key = (row["system"], row["listing_key"], row["location"])
        read_back = seen.get(key)
        ledger = Dataset.MOVEMENTS in ctx.channels[row["system"]].facts.datasets
        told = (*key, row["movement_ref"]) in booked if ledger else row["state"] == _S.ACCEPTED and read_back is not None
        if told:
            proved.append((row["correction_id"], {"read_back": read_back, "verified_at": now}))
        elif ledger and row["state"] == _S.AMBIGUOUS and row["system"] in read:
            visible = timedelta(seconds=_visibility_s(ctx, row["system"]))
            if read[row["system"]] > (row["send_ended_at"] or row["sent_at"]) + visible:
                lost.append((row["correction_id"], {"answered": '{"note": "its ledger lacks it: it did not happen"}'}))
    for name, said in lost:
        ctx.state.outbox.turn_away(name, now, said, most=MOST_ATTEMPTS)
    done = [
        name for before in (_S.ACCEPTED, _S.AMBIGUOUS) for name in ctx.state.outbox.advance_all(proved, before, _S.VERIFIED, now)
    ]
    return len(done) + len(lost)
