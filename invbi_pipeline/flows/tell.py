"""Tell: people hear of what is wrong without asking, and a watcher hears that a run has ended."""

import logging
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.alerts.post import beat, deliver
from invbi_pipeline.alerts.telling import Rules, memory, remembered, telling
from invbi_pipeline.alerts.troubles import troubles
from invbi_pipeline.config import Config
from invbi_pipeline.flows.context import Context
from invbi_pipeline.store.state import State

__all__ = ["last_ended", "sign_of_life", "silent_for", "tell"]

log = logging.getLogger("invbi.alerts")

_SAID: Final = "alerts.said"
_ENDED: Final = "run.ended"


def tell(ctx: Context, findings: pl.DataFrame) -> bool:
    """Send one message of what is new, still so or over (FINDINGS, and the systems out of reach). Return whether one was sent.

    What no address took is tried again by the next run; where some took it, the others are left out of this one, so that an
    address that is dead for good does not make the rest hear everything again.
    """
    wanted = ctx.config.alerts
    if not wanted.urls:
        return False
    now = ctx.clock.now()
    rules = Rules(timedelta(seconds=wanted.quiet_s), timedelta(seconds=wanted.remind_s), timedelta(seconds=wanted.settled_s))
    found = telling(troubles(findings, ctx.state.breakers()), remembered(ctx.state.mark(_SAID)), now, rules)
    if found.message is not None:
        failed = deliver(found.message, [secret.read() for secret in wanted.urls])
        for at in failed:
            log.warning("alerts.urls.%d did not take the message", at)
        if len(failed) == len(wanted.urls):
            return False
    ctx.state.set_mark(_SAID, memory(found.said))
    return found.message is not None


def sign_of_life(ctx: Context) -> None:
    """Note that a run has ended, and tell the watcher: when that falls silent, it is the watcher who raises the alarm."""
    ctx.state.set_mark(_ENDED, ctx.clock.now().isoformat())
    watcher = ctx.config.alerts.heartbeat
    if watcher is not None and not beat(watcher.read()):
        log.warning("alerts.heartbeat did not answer; its watcher may raise a false alarm")


def last_ended(state: State) -> datetime | None:
    """Return when the last run ended; None before the first."""
    said = state.mark(_ENDED)
    return datetime.fromisoformat(said) if said else None


def silent_for(config: Config, state: State, now: datetime) -> timedelta | None:
    """Return how long no run has ended, where that is longer than `alerts.silent_after_s`; else None."""
    ended = last_ended(state)
    if ended is None or now - ended <= timedelta(seconds=config.alerts.silent_after_s):
        return None
    return now - ended
