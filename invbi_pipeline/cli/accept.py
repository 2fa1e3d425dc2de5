"""`invbi accept`: a number stands as it is."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from invbi_pipeline.cli.output import Exit, say
from invbi_pipeline.cli.reading import open_warehouse
from invbi_pipeline.cli.who import account
from invbi_pipeline.flows.context import open_context
from invbi_pipeline.flows.corrections.accept import Number, accept
from invbi_pipeline.flows.corrections.correct import note_corrections

__all__ = ["run_accept"]


def run_accept(path: Path, number: Number, *, by: str, note: str) -> int:
    """Accept a number as it was last read, and say what follows from it. Raises `ConfigError` for one that cannot be."""
    config, _ = open_warehouse(path)
    who = account(by)

    async def work() -> Mapping[str, Any]:
        async with open_context(config) as ctx:
            began = ctx.clock.now()
            point = accept(ctx, number, who, note)
            note_corrections(ctx, began)
            ctx.warehouse.export()
            return point

    _tell(asyncio.run(work()))
    return Exit.DONE


def _tell(point: Mapping[str, Any]) -> None:
    place = f" @ {point['location']}" if point["location"] else ""
    shown, offer = point["reported"], point["offer"]
    said = f"{point['listing_key']} on {point['system']}{place} showed {shown} at {point['observed_at']:%Y-%m-%d %H:%M} UTC"
    say(f"{said}: accepted")
    if offer is None or shown == offer:
        return
    say(f"{offer} is not sent in its place until one of the two changes; a policy (max_offer) keeps a number low for good")
    if shown > offer:
        say(f"{shown - offer} of them may be sold and cannot be shipped")
