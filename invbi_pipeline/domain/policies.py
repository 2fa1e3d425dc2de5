"""Policies: the rules a merchant sets by channel, location, category and sku, with dates. The narrowest wins, and says so.

The total order, narrowest first: a row that names a sku beats one that does not, whatever else they name; then category, then
location, then channel, then the row for everything. Of two equally narrow rows the dated one wins (a flash sale over
the rule); of two dated ones that which begins later, then that which ends sooner; then the smaller value, so that the order of
rows in the file changes nothing.

A selector matches when it is empty or equal. Values of a whole pool (all but `safety_stock` and `sellable`) have a
location only where the channel's pool is that one place.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import polars as pl

__all__ = ["ENDS_FIRST", "NAMES", "SELECTORS", "problems", "resolve"]

SELECTORS: Final = ("sku", "category", "location", "channel")  # narrowest first

# name -> (least, most, default); units unless the name says otherwise. None: no limit, or no value.
NAMES: Final[Mapping[str, tuple[int, int | None, int | None]]] = {
    "share_bp": (0, 10_000, 10_000),  # of the pool, basis points
    "threshold": (0, None, 0),  # taken off the pool
    "buffer": (0, None, 0),  # kept back after the share
    "buffer_pct_bp": (0, 10_000, None),  # the same as basis points of max(0, pool x share), rounded up
    "backorder_limit": (0, None, 0),
    "min_offer": (0, None, 0),  # listing units; an offer below it is 0
    "max_offer": (0, None, None),  # listing units
    "safety_stock": (0, None, None),  # per location; none: the location's own
    "sellable": (0, 1, None),  # per location; none: the location's own
    "ship_in_parts": (0, 1, 0),  # an order may ship from several places
}
ENDS_FIRST: Final = "it ends before it begins"
_SAME: Final = {"buffer_pct_bp": "buffer"}  # two ways to say one thing: the narrower row of the two counts


def problems(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return the POLICIES rows that cannot be meant, with `reason`: an unknown name, a value out of range, or dates."""
    limits = pl.DataFrame(
        [{"name": name, "least": least, "most": most} for name, (least, most, _) in NAMES.items()],
        schema={"name": pl.String, "least": pl.Int64, "most": pl.Int64},
    )
    reason = (
        pl.when(pl.col("least").is_null())
        .then(pl.format("no policy is called {}; expected one of {}", "name", pl.lit(", ".join(NAMES))))
        .when(
            pl.col("value").is_null() | (pl.col("value") < pl.col("least")) | (pl.col("value") > pl.col("most")).fill_null(False)
        )
        .then(pl.format("{} is out of range for {}", pl.col("value").cast(pl.String).fill_null("nothing"), "name"))
        .when(pl.col("valid_from") >= pl.col("valid_to"))
        .then(pl.lit(ENDS_FIRST))
    )
    judged = rows.join(limits.lazy(), on="name", how="left").with_columns(reason=reason).drop("least", "most")
    return judged.drop_nulls("reason").sort("name", "reason", *SELECTORS)


def resolve(targets: pl.LazyFrame, rows: pl.LazyFrame, names: tuple[str, ...], now: datetime) -> pl.LazyFrame:
    """Add the value of each policy in `names` at `now` to the targets, and `where_<name>`: which row won ("" for the default).

    `targets` has the columns of SELECTORS (empty: it is of no one such thing). With "buffer" among the names, `buffer_pct_bp` is
    added too, and at most one of the two has a value. Rows of `problems` are passed over.
    """
    wanted = {*names, *(also for also, name in _SAME.items() if name in names)}
    # the rule book is small, and which kinds of row it has decides the joins
    book = _ranked(rows.filter(pl.col("name").is_in(sorted(wanted))), now).collect()
    keys = targets.select(SELECTORS).unique()
    matches = [_matching(keys, part.lazy()) for part in book.partition_by(_NAMED)] if not book.is_empty() else []
    columns = [c for name in names for c in _value_columns(name)]
    if not matches:
        return targets.with_columns(_default(c) for c in columns)
    winners = pl.concat(matches).sort(*SELECTORS, "topic", *_ORDER, descending=_DESCENDING, nulls_last=True)
    winners = winners.unique([*SELECTORS, "topic"], keep="first", maintain_order=True)
    won = [_won(c, name) for name in names for c in _value_columns(name)]
    table = winners.group_by(SELECTORS).agg(won)
    return targets.join(table, on=SELECTORS, how="left").with_columns(_or_default(c) for c in columns)


_NAMED: Final = [f"names_{s}" for s in SELECTORS]
_ORDER: Final = [*_NAMED, "dated", "valid_from", "valid_to", "value", "name"]
_DESCENDING: Final = [False] * (len(SELECTORS) + 1) + [True] * len(_NAMED) + [True, True, False, False, False]


def _ranked(rows: pl.LazyFrame, now: datetime) -> pl.LazyFrame:
    bad = problems(rows).drop("reason")
    text = [pl.col(s).fill_null("") for s in SELECTORS]
    holds = (pl.col("valid_from").is_null() | (pl.col("valid_from") <= now)) & (
        pl.col("valid_to").is_null() | (pl.col("valid_to") > now)
    )
    said = [pl.when(pl.col(s) != "").then(pl.concat_str(pl.lit(f"{s}="), s)) for s in reversed(SELECTORS)]
    dates = pl.when("dated").then(pl.lit("dated"))
    return (
        rows.join(bad, on=[*SELECTORS, "valid_from", "valid_to", "name", "value"], how="anti", nulls_equal=True)
        .filter(holds)
        .with_columns(*text, dated=pl.col("valid_from").is_not_null() | pl.col("valid_to").is_not_null())
        .with_columns(
            *((pl.col(s) != "").alias(f"names_{s}") for s in SELECTORS),
            topic=pl.col("name").replace(_SAME),
            where=pl.concat_str([*said, dates], separator=" ", ignore_nulls=True),
        )
        .with_columns(where=pl.when(pl.col("where") == "").then(pl.lit("everything")).otherwise("where"))
    )


def _matching(keys: pl.LazyFrame, part: pl.LazyFrame) -> pl.LazyFrame:
    """Join the targets with rows that all name the same selectors."""
    first = part.first().collect()
    on = [s for s in SELECTORS if first[f"names_{s}"].item()]
    rows = part.drop(s for s in SELECTORS if s not in on)
    joined = keys.join(rows, on=on) if on else keys.join(rows, how="cross")
    return joined.select(*SELECTORS, "topic", *_ORDER, "where")


def _value_columns(name: str) -> list[str]:
    return [name, *(also for also, same in _SAME.items() if same == name), f"where_{name}"]


def _won(column: str, name: str) -> pl.Expr:
    if column.startswith("where_"):
        return pl.col("where").filter(pl.col("topic") == name).first().alias(column)
    return pl.col("value").filter((pl.col("topic") == name) & (pl.col("name") == column)).first().alias(column)


def _default(column: str) -> pl.Expr:
    if column.startswith("where_"):
        return pl.lit("").alias(column)
    return pl.lit(NAMES[column][2], dtype=pl.Int64).alias(column)


def _or_default(column: str) -> pl.Expr:
    if column in {*_SAME, *_SAME.values()}:  # a buffer said one way is not also the other's default
        said_otherwise = pl.any_horizontal(pl.col(c).is_not_null() for c in {*_SAME, *_SAME.values()})
        return pl.when(said_otherwise).then(pl.col(column)).otherwise(_default(column)).alias(column)
    return pl.coalesce(column, _default(column)).alias(column)
