"""How good probabilities of an empty shelf are, against shelves that somebody looked at.

A *phantom* is a shelf whose record says at least one (book >= 1) and that holds none (units = 0); its *phantom units* are those
of the record. Average precision is the mean precision at each phantom in the order of the ranking, ties counted together; the
Brier skill is 1 - Brier / Brier of the base rate (Murphy, Journal of Applied Meteorology 12, 1973).
"""

from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["RULE_DAYS", "Score", "average_precision", "brier_skill", "score", "share_found"]

Vector = npt.NDArray[np.float64]
RULE_DAYS: Final = range(1, 61)  # the rule's N is the best of these, chosen with hindsight
_COUNTED: Final = 0.05  # of the shelves are counted


@dataclass(frozen=True, slots=True)
class Score:
    """The figures of one world, or of several together."""

    shelves: int
    phantoms: int
    units: int  # phantom units
    expected: float  # the sum of the probabilities: what a calibrated model says of the number of phantoms
    precision: float  # average precision
    rule_precision: float  # of the rule "no sale for N days", with the N that suits it best
    rule_days: int
    order_precision: float  # of the order by days of silence, which no one N has
    skill: float  # Brier skill over the base rate
    found: float  # share of the phantom units on the shelves that come first in the count list
    found_by_units: float  # the same, counted in the order of the units that are expected to be missing, whatever they are worth


def score(shelves: pl.DataFrame) -> Score:
    """Return the score of `shelves`: book, units (what lies there), probability, silent_days, money; null where nothing was said.

    `money` is the order of the count list. Shelves whose record says none are left out.
    Raises ValueError where there is no phantom: nothing can be scored then.
    """
    some = shelves.filter(pl.col("book") >= 1).with_columns(pl.col("probability", "silent_days", "money").fill_null(0.0))
    empty = (some["units"] <= 0).cast(pl.Float64).to_numpy()
    if not empty.any():
        raise ValueError("no shelf of these is a phantom")
    chance, silent = some["probability"].to_numpy(), some["silent_days"].to_numpy()
    missing = some["book"].cast(pl.Float64).to_numpy() * empty
    rules = [(average_precision((silent >= days).astype(np.float64), empty), days) for days in RULE_DAYS]
    best, days = max(rules)
    return Score(
        shelves=some.height,
        phantoms=int(empty.sum()),
        units=int(missing.sum()),
        expected=float(chance.sum()),
        precision=average_precision(chance, empty),
        rule_precision=best,
        rule_days=days,
        order_precision=average_precision(silent, empty),
        skill=brier_skill(chance, empty),
        found=share_found(some["money"].to_numpy(), missing),
        found_by_units=share_found(chance * some["book"].cast(pl.Float64).to_numpy(), missing),
    )


def average_precision(ranking: Vector, empty: Vector) -> float:
    """Return the average precision of a ranking, highest first; what is ranked alike is counted together."""
    order = np.argsort(-ranking, kind="stable")
    last_of_tie = np.append(np.diff(ranking[order]) != 0, True)
    hits = np.cumsum(empty[order])[last_of_tie]
    seen = np.arange(1, len(ranking) + 1)[last_of_tie]
    gained = np.diff(np.append(0.0, hits / empty.sum()))
    return float(np.sum(gained * hits / seen))


def brier_skill(chance: Vector, empty: Vector) -> float:
    """Return 1 - mean squared error of the probabilities / that of always saying the base rate."""
    return float(1 - np.mean((chance - empty) ** 2) / np.mean((empty.mean() - empty) ** 2))


def share_found(ranking: Vector, missing: Vector) -> float:
    """Return the share of the missing units on the `_COUNTED` shelves ranked first."""
    first = np.argsort(-ranking, kind="stable")[: ceil(_COUNTED * len(ranking))]
    return float(missing[first].sum() / missing.sum())
