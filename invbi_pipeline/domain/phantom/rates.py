"""How often a shelf sells over the counter while it holds goods: a gamma distribution, learned from it and from its like."""

from typing import Final

import polars as pl

__all__ = ["LIKE", "rates"]

LIKE: Final = {"place": ["location"], "sold_alike": ["location", "sellers"], "style": ["sku", "ilk"]}  # groups of shelves
_MEMORY: Final = 60.0  # selling days: a rate measured for longer is no surer, as taste changes (West and Harrison's discount)
_LEAST_RATE: Final = 1e-6  # sales a day, where nobody can buy
_ALIKE: Final = 5.0  # sales as anywhere in the place, added to those of the shelves that the same channels sell from
_TOLD: Final = 0.05  # expected sales; a shelf of fewer tells nothing of how rates differ
_LEAST_SHAPE, _MOST_SHAPE = 0.3, 20.0


def rates(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Add shape and days of each shelf's rate over the counter, Gamma(shape, days), of mean shape / days.

    `rows` are FEATURES with a number for each group of `LIKE` and `present`, the chance that the goods are there in the silence.
    What is expected of a shelf before its own sales are seen: the mean of the place's shelves that the same channels sell from,
    times how the sku sells in places of its ilk. Both are measured over the days in stock, of which the silent ones count as far
    as the goods are thought to be there.
    """
    watched = pl.col("exposed") + pl.col("silent") * pl.col("present")
    said = rows.with_columns(watched=watched)
    level = pl.col("at_once").sum().over("place") / pl.col("watched").sum().over("place").clip(1.0)
    said = said.with_columns(level=level.clip(_LEAST_RATE))
    alike = (pl.col("at_once").sum().over("sold_alike") + _ALIKE) / (
        pl.col("watched").sum().over("sold_alike") + _ALIKE / pl.col("level")
    )
    said = said.with_columns(level=pl.when(pl.col("sellers") == "").then(_LEAST_RATE).otherwise(alike))
    said = said.with_columns(usual=pl.col("level") * pl.col("watched"))
    elsewhere = [pl.col(c).sum().over("style") - pl.col(c) for c in ("at_once", "usual")]
    said = said.with_columns(wide=_shape(pl.col("usual")))
    said = said.with_columns(liked=(elsewhere[0] + pl.col("wide")) / (elsewhere[1] + pl.col("wide")))
    said = said.with_columns(mean=pl.col("level") * pl.col("liked"))
    # the factors of the skus are shrunk: what they leave of the place's mean is put right
    right = pl.col("at_once").sum().over("place") / (pl.col("mean") * pl.col("watched")).sum().over("place")
    said = said.with_columns(mean=(pl.col("mean") * right.fill_nan(1.0)).clip(_LEAST_RATE))
    unsure = 1 / (pl.col("wide") + elsewhere[0])  # of the sku's factor: squared coefficient of variation of its posterior
    said = said.with_columns(unsure=unsure)
    narrow = _shape(pl.col("mean") * pl.col("watched"), known=pl.col("unsure"))
    said = said.with_columns(narrow=1 / (pl.col("unsure") + 1 / narrow))
    fade = (_MEMORY / pl.col("exposed")).clip(upper_bound=1.0).fill_nan(1.0)
    shape = pl.col("narrow") + pl.col("at_once") * fade
    days = pl.col("narrow") / pl.col("mean") + pl.col("exposed") * fade
    return said.with_columns(shape=shape, days=days)


def _shape(expected: pl.Expr, known: pl.Expr | float = 0.0) -> pl.Expr:
    """Return the shape of the gamma distribution by which rates differ, per place, by the method of moments.

    Of a negative binomial number with mean m the variance is m + m^2 / shape, of which `known` m^2 has another reason; each
    shelf weighs 1 / m (Pearson's statistic), so that the few that sell most do not speak for all.
    """
    tells = expected > _TOLD
    beyond = (pl.col("at_once") - expected) ** 2 / expected.clip(1e-9) - 1 - expected * known
    total = (each.filter(tells).sum().over("place") for each in (expected, beyond))
    return (next(total) / next(total).clip(1e-9)).clip(_LEAST_SHAPE, _MOST_SHAPE)
