"""The chance that a shelf stays silent, the goods being there: S(t), and what follows from it.

Of a shelf's rate over the counter, Gamma(a, b) is believed; how much it is wanted in the days of the silence is another factor,
of mean f and shape k (`fads`). Their product is taken for a gamma of the same mean and variance, Gamma(A, B), which leaves

    S(t) = (B / (B + t))^A,   1/A = 1/a + 1/k + 1/(a k),   B = A b / (a f)

the Pareto law of Schmittlein, Morrison and Colombo (`model`). One over the shape is the squared coefficient of variation.
"""

from typing import Final

import polars as pl

__all__ = ["area", "lost_between", "silence", "wanted"]

_WEEK: Final = 7.0  # days for which a fad holds
_SAME: Final = 3.0  # times the shape of a week: so much do the sales at the other shelves say of this one at most
# Gauss and Legendre's nodes and weights on (0, 1): Abramowitz and Stegun, Handbook of Mathematical Functions, table 25.4
_NODES: Final = (
    (0.033765242898424, 0.085662246189585),
    (0.169395306766868, 0.180380786524069),
    (0.380690406958402, 0.233956967286346),
    (0.619309593041598, 0.233956967286346),
    (0.830604693233132, 0.180380786524069),
    (0.966234757101576, 0.085662246189585),
)


def wanted(days: str, *, told: bool = False) -> tuple[pl.Expr, pl.Expr]:
    """Return A and B of a silence of so many days, of columns shape, days (of the rate) and steady (of `fads.steadiness`).

    Weeks differ independently of each other. With `told` the columns elsewhere and elsewhere_usual say how much the sku was
    wanted at the other shelves in these days.
    """
    steady = pl.col("steady") * (pl.col(days) / _WEEK).clip(lower_bound=1.0)
    shape, usual = steady, steady
    if told:
        weight = 1 / (1 + pl.col("elsewhere_usual") / (_SAME * pl.col("steady")))
        shape, usual = steady + pl.col("elsewhere") * weight, steady + pl.col("elsewhere_usual") * weight
    both = 1 / (1 / pl.col("shape") + 1 / shape + 1 / (pl.col("shape") * shape))
    return both, both * pl.col("days") / pl.col("shape") * usual / shape


def silence(shape: pl.Expr, scale: pl.Expr, days: pl.Expr) -> pl.Expr:
    """Return S(t): the chance of no sale over the counter in so many days, the goods being there."""
    return (scale / (scale + days)) ** shape


def area(shape: pl.Expr, scale: pl.Expr, days: pl.Expr) -> pl.Expr:
    """Return the integral of S from 0 to t: B / (A - 1) * (1 - (B / (B + t))^(A - 1))."""
    power = _power(shape)
    return scale / power * (1 - (scale / (scale + days)) ** power)


def lost_between(shape: pl.Expr, scale: pl.Expr, days: pl.Expr, found: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Return the integral over u in (0, t) of S(u) e^(-d (t - u)), and the mean of t - u under it: how long goods are gone.

    `found` is d, a day: how much more often an empty shelf is counted than another one, so that a loss of long ago which nobody
    found is less likely. By six nodes in the area under S, where a fast seller has as many as a slow one.
    """
    power, whole = _power(shape), area(shape, scale, days)
    total, after = pl.lit(0.0), pl.lit(0.0)
    for at, weight in _NODES:
        # clipped: by rounding the last node may lie a little beyond the end
        since = scale * ((1 - whole * at * power / scale).clip(1e-12) ** (-1 / power) - 1)
        left = (days - since).clip(0)
        each = weight * (-found * left).exp()
        total, after = total + each, after + each * left
    return whole * total, after / total


def _power(shape: pl.Expr) -> pl.Expr:
    """Return A - 1, not quite 0 at A = 1: the formulas' limit is reached to nine digits."""
    power = shape - 1
    return pl.when(power.abs() < 1e-6).then(1e-6).otherwise(power)
