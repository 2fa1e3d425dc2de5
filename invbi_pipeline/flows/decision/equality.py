"""Equality: what the event process left in the warehouse is what a whole decision from the same warehouse comes to."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.decision import decide
from invbi_pipeline.domain.frames import POINT_KEY
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.decision.given import given
from invbi_pipeline.flows.decision.reconcile import stage

__all__ = ["COMPARED", "unequal"]

COMPARED: Final = ("base", "expected", "reported", "offer", "state")


def unequal(ctx: Context) -> pl.DataFrame:
    """Return the points that a whole decision sees otherwise, with both views; none means that they are equal.

    Columns: system, listing_key, location, then each of `COMPARED` as the warehouse has it and, with `_whole`, as decided
    now. Nothing is written but the staging models. A point whose flight ends by what was read meanwhile, or whose time has
    come since, differs until the next micro-batch or run: ask when nothing is under way. Raises `ConfigError`, `StoreBusy`.
    """
    with ctx.warehouse.held():
        stage(ctx)
        with ctx.warehouse.open() as db:
            known, standing = given(ctx, db), db.read("recon.points")
    whole = decide(known, ctx.clock.now(), "", ctx.config.business.currency, telling=False).points.points
    key = list(POINT_KEY)
    mine, theirs = standing.select(*key, *COMPARED), whole.select(*key, *COMPARED)
    same = mine.join(theirs, on=[*key, *COMPARED], how="semi", nulls_equal=True)
    both = mine.join(theirs, on=key, how="full", coalesce=True, nulls_equal=True, suffix="_whole")
    return both.join(same.select(key), on=key, how="anti").sort(key)
