"""What rows of policy files mean together: names that nobody has, and rows that contradict each other.

Without this such a row would load and silently do nothing, or one of two rows would win without anybody having chosen it.
A sku that no catalogue has yet is no mistake: catalogues change, and a policy may be written before its product is there.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import polars as pl

from invbi_pipeline.config import Config
from invbi_pipeline.domain.offers.policies import BUFFERS, SELECTORS, crossing

__all__ = ["Wrong", "misfits"]

Wrong = tuple[int, str, str, str]  # row, column, what is wrong, how to mend it

_SCOPE: Final = (*SELECTORS, "valid_from", "valid_to")
_CURRENCY: Final = r"^[A-Z]{3}$"
_ONE_OF_TWO: Final = "keep one of the two rows"


def misfits(config: Config, frames: Mapping[str, pl.DataFrame]) -> dict[str, list[Wrong]]:
    """Return what is wrong with rows that can each be read, by file.

    `frames` holds the files that could be read, by their key under `[policies]`: the columns of the file's schema, typed, and
    `row`; a cell that could not be typed is null.
    """
    checks = {"sku_map": _sku_map, "policies": _policies, "prices": _prices, "rates": _rates}
    return {name: list(check(config, frames)) for name, check in checks.items() if name in frames}


def _sku_map(config: Config, frames: Mapping[str, pl.DataFrame]) -> Iterator[Wrong]:
    rows, key = frames["sku_map"], ("system", "listing_key")
    yield from _unknown(rows, "system", sorted(config.systems), "system")
    yield from _contradictions(rows, key, "sku")
    yield from _contradictions(rows, (*key, "sku"), "units")


def _policies(config: Config, frames: Mapping[str, pl.DataFrame]) -> Iterator[Wrong]:
    rows = frames["policies"]
    yield from _unknown(rows, "channel", sorted(name for name, system in config.systems.items() if system.sells), "channel")
    yield from _unknown(rows, "location", sorted(config.locations), "location")
    yield from _contradictions(rows, (*_SCOPE, "name"), "value")
    yield from _contradictions(rows.filter(pl.col("name").is_in(BUFFERS)), _SCOPE, "name")
    yield from _crossing(rows)
    yield from _never_offered(rows)


def _prices(config: Config, frames: Mapping[str, pl.DataFrame]) -> Iterator[Wrong]:
    rows = frames["prices"]
    worth = rows.filter(pl.any_horizontal(pl.col("price", "cost").is_not_null()) | (pl.col("currency") != ""))
    yield from _no_currency(worth)
    if "rates" in frames:
        rated = {config.business.currency, *frames["rates"]["currency"]}
        for row, code in _at(worth, pl.col("currency").str.contains(_CURRENCY) & ~pl.col("currency").is_in(rated), "currency"):
            yield row, "currency", f"{code!r} has no rate", f"add it to {config.policies.rates}, or correct the cell"
    for column in ("price", "cost"):  # in another currency it may be another list's: the lower of the two holds
        yield from _contradictions(rows.filter(pl.col(column).is_finite()), ("sku", "currency"), column)


def _rates(config: Config, frames: Mapping[str, pl.DataFrame]) -> Iterator[Wrong]:
    rows = frames["rates"].filter(pl.col("currency") != "")
    yield from _no_currency(rows)
    first = pl.col("row").min().over("currency")
    for row, code, before in rows.filter(pl.col("row") != first).select("row", "currency", first.alias("before")).iter_rows():
        yield row, "currency", f"{code!r} has a rate in row {before}", _ONE_OF_TWO
    own = config.business.currency
    for row, code in _at(rows, (pl.col("currency") == own) & (pl.col("rate") != 1), "currency"):
        yield row, "rate", f"{code!r} is the reporting currency: its rate is 1", "remove the row, or correct business.currency"


def _unknown(rows: pl.DataFrame, column: str, known: Sequence[str], noun: str) -> Iterator[Wrong]:
    mend = f"use one of {', '.join(known)}, or leave it empty for any" if known else "leave it empty: there is none"
    for row, said in _at(rows, (pl.col(column) != "") & ~pl.col(column).is_in(known), column):
        yield row, column, f"no {noun} is called {said!r}", mend


def _no_currency(rows: pl.DataFrame) -> Iterator[Wrong]:
    for row, said in _at(rows, ~pl.col("currency").str.contains(_CURRENCY), "currency"):
        yield row, "currency", f"{said!r} is not a currency", "write three capitals, such as GBP"


def _contradictions(rows: pl.DataFrame, key: Sequence[str], column: str) -> Iterator[Wrong]:
    """Rows that say another `column` than the first row of the same key; blank cells contradict nothing."""
    said = rows.filter((pl.col(column).cast(pl.String) != "").fill_null(value=False)).sort("row")
    first, at = pl.col(column).first().over(key), pl.col("row").first().over(key)
    differing = said.with_columns(first=first, at=at).filter(pl.col(column) != pl.col("first"))
    for row, here, there, before in differing.select("row", column, "first", "at").iter_rows():
        yield row, column, f"{here!r}, but row {before} says {there!r} for the same {_words(key)}", _ONE_OF_TWO


def _crossing(rows: pl.DataFrame) -> Iterator[Wrong]:
    """Rows of equal width that hold at the same time for a while, neither within the other's dates."""
    pairs = crossing(rows.drop_nulls("value").lazy()).collect().unique("row", keep="first", maintain_order=True)
    for row, name, value, other, said, before in pairs.iter_rows():
        what = f"{name} {value} crosses the dates of row {before}, {other} {said} for the same selectors: which holds is not said"
        yield row, "valid_from", what, "let one end where the other begins, or put its dates within the other's"


def _never_offered(rows: pl.DataFrame) -> Iterator[Wrong]:
    """Rows whose most lies below the least of the same selectors and dates: every offer would be 0, or one that is too small."""
    least, most = (rows.filter(pl.col("name") == name).drop_nulls("value") for name in ("min_offer", "max_offer"))
    both = most.join(least, on=_SCOPE, suffix="_least", nulls_equal=True).filter(pl.col("value") < pl.col("value_least"))
    found = both.unique("row", keep="first", maintain_order=True)
    for row, value, before, at_least in found.select("row", "value", "row_least", "value_least").iter_rows():
        what = f"max_offer {value} is below min_offer {at_least} of row {before} for the same selectors and dates"
        yield row, "value", what, "let max_offer be min_offer or more; to offer nothing, max_offer 0 alone is enough"


def _words(key: Sequence[str]) -> str:
    """Name a key: the selectors and dates of a policy are one thing to whoever reads it."""
    names = [name for name in key if name not in _SCOPE] if set(_SCOPE) <= set(key) else list(key)
    return ", ".join([*names, "selectors and dates"] if len(names) < len(key) else names)


def _at(rows: pl.DataFrame, wrong: pl.Expr, column: str) -> Iterator[tuple[int, object]]:
    yield from rows.filter(wrong).select("row", column).iter_rows()
