"""Phantom stock: the record says some (book >= 1), the shelf has none; here as a probability, never as a number that changes.

* `happened`  what happened at each shelf, each event once
* `clock`     the hours of a place, by which silence is measured
* `fads`      how taste moves from week to week
* `sellers`   which channels sell from a shelf
* `spans`     what the record said between them, and what came after
* `features`  what a shelf's history says of it
* `rates`     how often it sells while it holds goods
* `silence`   the chance that it stays silent then
* `losses`    how often goods are lost, and how soon that is found
* `model`     the chance that it is empty
* `ranking`   what to count next
"""

from datetime import datetime
from typing import NamedTuple

import polars as pl

from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain.phantom.fads import steadiness
from invbi_pipeline.domain.phantom.features import features, habits
from invbi_pipeline.domain.phantom.happened import happened, picks
from invbi_pipeline.domain.phantom.model import phantoms
from invbi_pipeline.domain.phantom.ranking import COUNT_LIST, HORIZON_DAYS, ranked
from invbi_pipeline.domain.phantom.sellers import sellers
from invbi_pipeline.domain.steps import kept

__all__ = ["COUNT_LIST", "HORIZON_DAYS", "PhantomInputs", "count_list"]


class PhantomInputs(NamedTuple):
    """What is known of the shelves: staged MOVEMENTS and ORDER_LINES, MAPPINGS, KITS, POSITIONS, SYSTEMS, PLACES, and `values`.

    `values` is of `domain.offers.money.unit_values`.
    """

    movements: pl.LazyFrame
    order_lines: pl.LazyFrame
    mappings: pl.LazyFrame
    kits: pl.LazyFrame
    positions: pl.LazyFrame
    systems: pl.LazyFrame
    places: pl.LazyFrame
    values: pl.LazyFrame


def count_list(inputs: PhantomInputs, now: datetime) -> pl.DataFrame:
    """Return COUNT_LIST at `now` (UTC): every shelf of ours whose record says some, what a count is worth first.

    Shelves of places where nothing has ever happened are not in it: of them nothing is known.
    """
    who = (inputs.mappings, inputs.kits, inputs.systems, inputs.places)
    events = kept(happened(inputs.movements, inputs.order_lines, *who))
    picked = kept(picks(inputs.order_lines, *who))
    sold_by = sellers(inputs.mappings, inputs.kits, inputs.systems)
    rows = kept(features(events, picked, inputs.positions, sold_by, inputs.places, now))
    if rows.select(pl.len()).collect().item() == 0:
        return f.empty(COUNT_LIST)
    found = phantoms(rows, habits(events, picked, rows), steadiness(events, now), inputs.values)
    return ranked(found, inputs.values, inputs.places).collect()
