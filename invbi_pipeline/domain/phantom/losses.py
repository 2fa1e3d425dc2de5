"""How often a place's shelves lose their goods unbooked, how soon somebody finds that, and how single units go astray."""

from typing import Final

import polars as pl

from invbi_pipeline.domain.phantom.silence import area, lost_between, silence, wanted
from invbi_pipeline.domain.steps import kept

__all__ = ["HAZARD", "NOTICED", "astray", "chance", "greed", "hazards", "noticed"]

HAZARD: Final = 0.1 / 365  # a day: before anything was counted, a shelf's goods are lost once in ten years,
_HAZARD_WEIGHT: Final = 1.0  # ... as if that had been seen so many times
NOTICED: Final = 0.01  # a day: before anything was counted, somebody who walks past finds an empty shelf in a hundred days,
_NOTICED_WEIGHT: Final = 2.0  # ... as if that had been seen so many times
_MISSING: Final = 0.2 / 365  # a day: single units that go astray from a shelf,
_MISSING_WEIGHT: Final = 1.0
_FOUND_EMPTY: Final = (1.0, 3.0)  # Beta: before any is known, one in four shelves counted empty had a record that said some
_GREEDS: Final = tuple(n / 4 for n in range(-4, 11))  # powers of the price that are thought of
_GREED: Final = 0.75  # standard deviation of the power, before any loss is known
_STEPS: Final = 8  # of expectation and maximisation for the hazards


def astray(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return location, astray: single units a day that counts found missing from a shelf."""
    seen = rows.group_by("location").agg(
        less=pl.col("found_less").sum(), days=(pl.col("exposed")).filter(pl.col("counts") > 0).sum()
    )
    return seen.select("location", astray=(pl.col("less") + _MISSING_WEIGHT) / (pl.col("days") + _MISSING_WEIGHT / _MISSING))


def chance(hazard: pl.Expr) -> pl.Expr:
    """Return P(empty) of a shelf whose record says some; 0 of one whose record says none: it hides nothing."""
    lost = pl.col("used_up") + (1 - pl.col("used_up")) * hazard * pl.col("gone")
    empty = lost / (lost + (1 - pl.col("used_up")) * pl.col("stays"))
    return pl.when(pl.col("units") >= 1).then(empty).otherwise(0.0)


def greed(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return one row: `greed`, the power of a sku's price by which its shelves are emptied more often; 0: price is no matter.

    The mean of its posterior over a grid, with a normal prior of mean 0. Given how much each place loses, the shelves that lost
    are drawn by days at risk times price to that power: what thieves want is not known, what they took is.
    """
    lost = pl.col("found_none") + pl.col("found_part") + pl.col("probability")
    told = rows.select("place", "worth", lost=lost, days=_risked(pl.col("probability")))
    sums = {f"days_{n}": (pl.col("days") * (power * pl.col("worth")).exp()).sum() for n, power in enumerate(_GREEDS)}
    each = told.group_by("place").agg(pl.col("lost").sum(), dear=(pl.col("lost") * pl.col("worth")).sum(), **sums)
    likely = [
        (power * pl.col("dear") - pl.col("lost") * pl.col(f"days_{n}").clip(1e-9).log()).sum() - (power / _GREED) ** 2 / 2
        for n, power in enumerate(_GREEDS)
    ]
    grid = each.select(pl.concat_list(likely).alias("likely")).select(pl.col("likely").list.explode(empty_as_null=True))
    weight = (pl.col("likely") - pl.col("likely").max()).exp()
    powers = pl.lit(pl.Series(_GREEDS))
    return kept(grid.select(greed=(weight * powers).sum() / weight.sum()))


def _risked(empty: pl.Expr) -> pl.Expr:
    """Return the days in which a shelf could have lost its goods: what is gone is at risk no more."""
    return pl.col("exposed") + pl.col("silent") - empty * pl.min_horizontal("gone_for", "silent")


def hazards(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return place, hazard: losses a day, over days at risk, of a shelf of `dear` 1; another one's are so many times as many.

    Losses are those that counts found, those that today's silence makes likely, and those that a silence before an arrival does.

    The likeliest figure by expectation and maximisation, with a gamma prior around that of all places together, so that a
    place with few counts borrows from the others. Goods that are gone are at risk no more: a lost shelf counts, of its silence,
    the days in which it is thought to have kept them.
    """
    shape, scale = wanted("hidden")
    rows = kept(
        rows.select(
            *("place", "units", "gone", "stays", "used_up", "exposed", "silent", "gone_for", "dear"),
            found=pl.col("found_none") + pl.col("found_part") + _unsaid(),
            hid=area(shape, scale, pl.col("hidden")) / silence(shape, scale, pl.col("hidden")),
            hazard=pl.col("hazard"),
        )
    )
    now = kept(rows.select("place", "hazard").unique())
    rows = rows.drop("hazard")
    for _ in range(_STEPS):
        hazard = pl.col("hazard") * pl.col("dear")
        empty, hidden = chance(hazard), 1 - 1 / (1 + hazard * pl.col("hid"))
        losses = pl.col("found") + hidden + empty
        told = rows.join(now, on="place").select("place", losses=losses, days=_risked(empty) * pl.col("dear"))
        each = kept(told.group_by("place").agg(pl.col("losses", "days").sum()))
        total = (pl.col("losses").sum() + _HAZARD_WEIGHT) / (pl.col("days").sum() + _HAZARD_WEIGHT / HAZARD)
        now = kept(each.select("place", hazard=(pl.col("losses") + _HAZARD_WEIGHT) / (pl.col("days") + _HAZARD_WEIGHT / total)))
    return now


def noticed(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return place, noticed: how many times a day more an empty shelf is counted than one that holds goods.

    Who walks past an empty peg counts it. A picker who does is left out: he comes for an order, as often to a full shelf as to an
    empty one. The empty days are those of the shelves that counts found, and those thought empty now; a gamma prior around the
    figure of all places lends to a place with few counts.
    """
    shape, scale = wanted("lost")
    was_gone = lost_between(shape, scale, pl.col("lost"), pl.col("noticed"))[1]
    losers = rows.filter(pl.col("found_none") > 0).with_columns(was_gone=was_gone)
    then = losers.group_by("place").agg(pl.col("was_gone").sum())
    held = pl.col("counts") - pl.col("found_none") - pl.col("none_rightly") - pl.col("none_unsaid")
    told = rows.select(
        "place", "exposed", held=held, walked=pl.col("found_none") - pl.col("found_packing"),
        gone=pl.col("probability") * pl.col("gone_for"),
    )  # fmt: skip
    each = told.group_by("place").agg(pl.col("exposed", "held", "walked", "gone").sum()).join(then, on="place", how="left")
    each = each.with_columns(empty=pl.col("gone") + pl.col("was_gone").fill_null(0.0))
    total = (pl.col("walked").sum() + _NOTICED_WEIGHT) / (pl.col("empty").sum() + _NOTICED_WEIGHT / NOTICED)
    rate = (pl.col("walked") + _NOTICED_WEIGHT) / (pl.col("empty") + _NOTICED_WEIGHT / total)
    often = pl.col("held") / pl.col("exposed").clip(1.0)
    return kept(each.select("place", noticed=(rate - often).clip(0)))


def _unsaid() -> pl.Expr:
    """Return how many of the empty shelves that counts found are losses, of those whose record before nobody knows.

    Most systems do not say what a count changed: what the record said is known from the second count on. Of the first ones as
    large a share is taken to be lost as of those known, all places together; the mean of a Beta posterior.
    """
    lost, rightly = (pl.col(name).sum() + sure for name, sure in zip(("found_none", "none_rightly"), _FOUND_EMPTY, strict=True))
    return pl.col("none_unsaid") * lost / (lost + rightly)
