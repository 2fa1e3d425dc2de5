"""The chance that a shelf is empty although the record says some.

A shelf sells over the counter at its own rate until its goods are lost without a booking; after that it is silent for ever. That
is the Pareto/NBD model of customers who quietly leave (Schmittlein, Morrison and Colombo, "Counting Your Customers", Management
Science 33(1), 1987) with shelves for customers, and DeHoratius, Mersereau and Schrage's record as a belief that sales and their
absence move ("Retail Inventory Management When Records Are Inaccurate", Manufacturing & Service Operations Management 10(2),
2008).

* Only who stands before an empty shelf buys nothing. An order from elsewhere comes by the record, whether goods lie there or not,
  and then cannot be picked: that no order came says nothing, that one was cancelled says much.
* Rates differ between shelves as a gamma distribution, sales of one are Poisson: x sales in E days leave Gamma(r + x, r/m + E)
  (`rates`). Slow sellers therefore keep a wide doubt about their rate, and their silence says little.
* Taste moves from week to week (`fads`); S(t) is the chance to stay silent for t days while the goods are there (`silence`).
* Goods are lost at h a day, dear ones perhaps more often, and an empty shelf is noticed d a day more often than another one
  (`losses`): to have been lost since and to be silent for T days, unnoticed, has the chance
  G = h * integral over u in (0, T) of S(u) e^(-d (T - u)).
* P(empty) = G / (G + S(T)), with the chance that the last sale took the last unit, and with failed picks, put in.
"""

from typing import Final

import polars as pl

from invbi_pipeline.domain.phantom.features import FEATURES
from invbi_pipeline.domain.phantom.losses import HAZARD, NOTICED, astray, chance, greed, hazards, noticed
from invbi_pipeline.domain.phantom.rates import LIKE, rates
from invbi_pipeline.domain.phantom.silence import area, lost_between, silence, wanted
from invbi_pipeline.domain.phantom.spans import FEW
from invbi_pipeline.domain.steps import kept

__all__ = ["PHANTOMS", "phantoms"]

PHANTOMS: Final = {
    **FEATURES,
    "rate": pl.Float64(),  # sales a day, expected of this shelf while it holds goods
    "hazard": pl.Float64(),  # chance a day that its place loses the goods of such a shelf unbooked
    "noticed": pl.Float64(),  # a day: how much more often an empty shelf of its place is counted than another one
    "prior": pl.Float64(),  # chance to be empty before its silence is heard
    "probability": pl.Float64(),
}

_DEAREST: Final = 3.0  # logarithm of a price over the usual one; what is dearer than twenty times that is lost no more often
_ROUNDS: Final = 4  # of expectation and maximisation for the rates


def phantoms(rows: pl.LazyFrame, habits: pl.LazyFrame, steady: pl.LazyFrame, values: pl.LazyFrame) -> pl.LazyFrame:
    """Return PHANTOMS of FEATURES: with the rate, the prior and the probability of each shelf whose record says some.

    The others are learned from: to leave out what was counted empty, or is sold out, would make a place look safe and slow.
    `habits` is of `features.habits`: how often each place's order lines end uncounted and cancelled, by chance or by emptiness;
    `steady` is of `fads.steadiness`, `values` of `domain.offers.money.unit_values`.
    """
    known = rows.join(habits, on="location", how="left").with_columns(pl.col("by_chance", "if_empty").fill_null(1.0))
    known = known.join(astray(known), on="location", how="left").join(steady, how="cross")
    known = known.with_columns(
        present=pl.lit(1.0), hazard=pl.lit(HAZARD), noticed=pl.lit(NOTICED), used_up=_used_up(), by_chance=_by_chance()
    )
    known = _priced(known, values).with_columns(dear=pl.lit(1.0))
    for name, words in LIKE.items():
        known = _numbered(known, words, name)
    for _ in range(_ROUNDS):  # the likeliest rates and hazards by expectation and maximisation
        said = kept(_heard(kept(rates(known))))
        likelier = said.drop("hazard").join(hazards(said), on="place")
        judged = kept(likelier.with_columns(probability=chance(pl.col("hazard") * pl.col("dear"))))
        found = judged.drop("noticed").join(noticed(judged), on="place")
        found = found.join(greed(judged), how="cross").with_columns(dear=(pl.col("greed") * pl.col("worth")).exp())
        known = kept(found.with_columns(present=1 - pl.col("probability")).select(known.collect_schema().names()))
    judged = judged.filter(pl.col("units") >= 1).with_columns(hazard=pl.col("hazard") * pl.col("dear"))
    judged = judged.with_columns(prior=_prior(), rate=pl.col("shape") / pl.col("days") + _ordered())
    return judged.select(pl.col(name).cast(kind) for name, kind in PHANTOMS.items())


def _priced(rows: pl.LazyFrame, values: pl.LazyFrame) -> pl.LazyFrame:
    """Add `worth`: the logarithm of the sku's price over the usual one; what is unpriced is taken for usual."""
    each = values.group_by("sku").agg(price=pl.coalesce(pl.col("price").min(), pl.col("cost").min()))
    log = each.filter(pl.col("price") > 0).select("sku", log=pl.col("price").log())
    worth = (pl.col("log") - pl.col("log").mean()).fill_null(0.0).clip(-_DEAREST, _DEAREST)
    return rows.join(log, on="sku", how="left").with_columns(worth=worth).drop("log")


def _numbered(rows: pl.LazyFrame, words: list[str], name: str) -> pl.LazyFrame:
    """Add column `name`, a number for each combination of `words`: groups of a million shelves are found quickly by numbers."""
    each = kept(rows.select(words).unique().with_row_index(name))
    return kept(rows.join(each, on=words))


def _heard(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Add what the silence says: `stays`, S(T); `gone`, G / h; `gone_for`, the days for which a lost shelf's goods are gone.

    A loss before the first failed pick makes each of them certain, else each comes as often as anywhere.
    """
    shape, scale = wanted("silent", told=True)
    rows = rows.with_columns(_shape=shape).with_columns(_scale=scale)
    law = pl.col("_shape"), pl.col("_scale")
    lost, after = lost_between(*law, pl.col("silent"), pl.col("noticed"))
    rows = rows.with_columns(
        _lost=lost, gone_for=after, _whole=area(*law, pl.col("silent")), stays=silence(*law, pl.col("silent"))
    )
    until_fail = pl.when(pl.col("failed_picks") > 0).then(area(*law, pl.col("silent_to_fail"))).otherwise("_whole")
    certain = (until_fail / pl.col("_whole")).fill_nan(1.0)
    return rows.with_columns(
        gone=pl.col("_lost") * (certain + (1 - certain) * pl.col("by_chance")), stays=pl.col("stays") * pl.col("by_chance")
    ).drop("_shape", "_scale", "_lost", "_whole")


def _by_chance() -> pl.Expr:
    """Return how much rarer the failed picks are where goods lie than where none do."""
    return (pl.col("by_chance") / pl.col("if_empty")).clip(upper_bound=1.0) ** pl.col("failed_picks")


def _ordered() -> pl.Expr:
    """Return the sales a day that were ordered elsewhere: by the record, so that they come in a silence too."""
    return (pl.col("sales") - pl.col("at_once")) / (pl.col("exposed") + pl.col("silent")).clip(1.0)


def _prior() -> pl.Expr:
    days, found = pl.col("silent"), pl.col("noticed").clip(1e-9)
    lost = pl.col("hazard") * (1 - (-found * days).exp()) / found
    return pl.col("used_up") + (1 - pl.col("used_up")) * lost / (1 + lost)


def _used_up() -> pl.Expr:
    """Return the chance that as many units had gone astray since the last count as the record still says.

    Units go astray as a Poisson number; the last sale then took the last one. Only few units are used up like this.
    """
    mean = pl.col("astray") * (pl.col("uncounted") - pl.col("silent")).clip(0)
    below = pl.lit(0.0)
    term = (-mean).exp()
    at_least = pl.lit(0.0)
    for units in range(FEW + 1):
        at_least = pl.when(pl.col("units") == units).then((1 - below).clip(0)).otherwise(at_least)
        below = below + term
        term = term * mean / (units + 1)
    return at_least
