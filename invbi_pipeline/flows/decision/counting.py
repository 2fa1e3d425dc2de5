"""Counting: which shelves are probably empty, ranked by what a count would save."""

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.declared import places_frame
from invbi_pipeline.domain.offers.money import unit_values
from invbi_pipeline.domain.phantom import PhantomInputs, count_list
from invbi_pipeline.domain.truth import TruthInputs, TruthResult
from invbi_pipeline.domain.words import MovementKind
from invbi_pipeline.flows.context import Context
from invbi_pipeline.store.declared_files import Declared
from invbi_pipeline.store.warehouse import Database

__all__ = ["to_count"]


_STANDS: Final = timedelta(hours=1)  # silence is measured in days, and weighing it costs more than the rest of the truth
_MADE_AT: Final = "count_list.made_at"


def to_count(ctx: Context, db: Database, said: Declared, given: TruthInputs, found: TruthResult) -> pl.DataFrame:
    """Return COUNT_LIST by the truth of this run and what it was derived from; nothing is stored.

    The list that stands is returned while it is younger than an hour and no shelf was counted since.
    """
    now, made = ctx.clock.now(), ctx.state.mark(_MADE_AT)
    if made and now - (made_at := datetime.fromisoformat(made)) < _STANDS:
        counted = given.movements.filter((pl.col("kind") == MovementKind.COUNT) & (pl.col("occurred_at") > made_at))
        standing = db.read("truth.phantoms")
        if standing.height and counted.limit(1).collect().is_empty():
            return standing
    ctx.state.set_mark(_MADE_AT, now.isoformat())
    held = found.mappings.lazy().filter(pl.col("valid_to").is_null())
    inputs = PhantomInputs(
        movements=given.movements,
        order_lines=given.order_lines,
        mappings=found.mappings.lazy(),
        kits=found.kits.lazy(),
        positions=found.positions.lazy(),
        systems=given.systems,
        places=places_frame(ctx.config).lazy(),
        values=unit_values(given.listings, held, said.prices.lazy(), said.rates.lazy(), ctx.config.business.currency),
    )
    return count_list(inputs, now)
