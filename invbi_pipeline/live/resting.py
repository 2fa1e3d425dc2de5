"""Waiting that ends when the process is told to stop."""

import asyncio

from invbi_pipeline.channels.protocol import Clock

__all__ = ["rest"]


async def rest(clock: Clock, seconds: float, stop: asyncio.Event) -> bool:
    """Wait so long on the clock, or until `stop` is set; return whether to go on."""
    if stop.is_set():
        return False
    waits = [asyncio.ensure_future(clock.sleep(seconds)), asyncio.ensure_future(stop.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waits:
            one.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    return not stop.is_set()
