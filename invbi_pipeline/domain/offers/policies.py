"""Policies: the rules a merchant sets by channel, location, category and sku, with dates. The narrowest wins, and says so.

The total order, narrowest first: a row that names a sku beats one that does not, whatever else they name; then category, then
location, then channel, then the row for everything. Of two equally narrow rows the dated one wins (a flash sale over
the rule); of two dated ones that which begins later, then that which ends sooner, which is the narrower of two where one lies
within the other; then the smaller value, so that the order of rows in the file changes nothing. Two rows of the same
selectors whose dates cross, neither within the other, are refused where they are read (`crossing`): nobody chose which holds.

A selector matches when it is empty or equal. Values of a whole pool (all but `safety_stock` and `sellable`) have a
location only where the channel's pool is that one place.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import polars as pl

from invbi_pipeline.domain.steps import alike, beside
from invbi_pipeline.domain.words import MOST_UNITS

__all__ = ["BUFFERS", "ENDS_FIRST", "NAMES", "SELECTORS", "Book", "book_of", "crossing", "problems", "resolve"]

Book = Mapping[str, pl.DataFrame]  # the rules that hold, by what they are about

SELECTORS: Final = ("sku", "category", "location", "channel")  # narrowest first

# name -> (least, most, default); units unless the name says otherwise. None: no limit, or no value.
NAMES: Final[Mapping[str, tuple[int, int | None, int | None]]] = {
    "share_bp": (0, 10_000, 10_000),  # of the pool, basis points
    "threshold": (0, MOST_UNITS, 0),  # taken off the pool
    "buffer": (0, MOST_UNITS, 0),  # kept back after the share
    "buffer_pct_bp": (0, 10_000, None),  # the same as basis points of max(0, pool x share), rounded up
    "buffer_risk_bp": (1, 9_999, None),  # the same as a risk, basis points: see `domain.offers.buffers`
    "backorder_limit": (0, MOST_UNITS, 0),
    "min_offer": (0, MOST_UNITS, 0),  # listing units; an offer below it is 0
    "max_offer": (0, MOST_UNITS, None),  # listing units
    "safety_stock": (0, MOST_UNITS, None),  # per location; none: the location's own
    "sellable": (0, 1, None),  # per location; none: the location's own
    "ship_in_parts": (0, 1, 0),  # an order may ship from several places
    "listed": (0, 1, None),  # 1: the channel should have a listing of it; none: it may choose
}
ENDS_FIRST: Final = "it ends before it begins"
BUFFERS: Final = ("buffer", "buffer_pct_bp", "buffer_risk_bp")  # ways to say one thing: the narrowest row of them all counts
_SAME: Final = dict.fromkeys(BUFFERS[1:], BUFFERS[0])


def problems(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return the POLICIES rows that cannot be meant, with `reason`: an unknown name, a value out of range, or dates."""
    reason = (
        pl.when(pl.col("least").is_null())
        .then(pl.format("no policy is called {}; expected one of {}", "name", pl.lit(", ".join(NAMES))))
        .when(_out_of_range())
        .then(pl.format("{} is out of range for {}", pl.col("value").cast(pl.String).fill_null("nothing"), "name"))
        .otherwise(pl.lit(ENDS_FIRST))
    )
    bad = _judged(rows).filter("bad").with_columns(reason=reason).drop("least", "most", "bad")
    return bad.sort("name", "reason", *SELECTORS)


def _judged(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Add `least` and `most` of a policy of that name, and whether the row is `bad`: it cannot be meant."""
    limits = pl.DataFrame(
        [{"name": name, "least": least, "most": most} for name, (least, most, _) in NAMES.items()],
        schema={"name": pl.String, "least": pl.Int64, "most": pl.Int64},
    )
    backwards = (pl.col("valid_from") >= pl.col("valid_to")).fill_null(value=False)
    return rows.join(limits.lazy(), on="name", how="left").with_columns(
        bad=pl.col("least").is_null() | _out_of_range() | backwards
    )


def _out_of_range() -> pl.Expr:
    above = (pl.col("value") > pl.col("most")).fill_null(value=False)  # without a most there is no such thing
    return pl.col("value").is_null() | (pl.col("value") < pl.col("least")) | above


def crossing(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return each pair of rows of one thing and the same selectors whose dates cross: both hold for a while, neither lies within.

    `rows` is POLICIES with `row` (unique). Columns: row, name, value, before, name_before, value_before: the later row and the
    one before it. Rows that say the same are no pair, nor are those of one name and the same dates (a plain contradiction).
    """
    said = rows.with_columns(topic=pl.col("name").replace(_SAME)).select(
        *SELECTORS,
        *("row", "topic", "name", "value"),
        begins=pl.col("valid_from").dt.epoch("us").fill_null(_ALWAYS[0]),
        ends=pl.col("valid_to").dt.epoch("us").fill_null(_ALWAYS[1]),
    )
    pairs = said.join(said, on=[*SELECTORS, "topic"], suffix="_before").filter(pl.col("row_before") < pl.col("row"))
    together = (pl.col("begins") < pl.col("ends_before")) & (pl.col("begins_before") < pl.col("ends"))
    earlier = (pl.col("begins") < pl.col("begins_before")) & (pl.col("ends") < pl.col("ends_before"))
    later = (pl.col("begins") > pl.col("begins_before")) & (pl.col("ends") > pl.col("ends_before"))
    differ = (pl.col("name") != pl.col("name_before")) | (pl.col("value") != pl.col("value_before"))
    crossed = pairs.filter(together & (earlier | later) & differ)
    return crossed.select("row", "name", "value", "name_before", "value_before", before="row_before").sort("row", "before")


def book_of(rows: pl.LazyFrame, now: datetime) -> Book:
    """Return the rules that hold at `now` of POLICIES: of rows that name the same for the same thing the narrowest by its dates.

    Rows of `problems` are passed over.
    """
    said = rows.collect()
    if said.is_empty():
        return {}
    rules = _uncontested(_holding(said.lazy(), now).collect())
    return {str(topic): few for (topic,), few in rules.partition_by("topic", as_dict=True).items()}


def resolve(targets: pl.LazyFrame, book: Book, names: tuple[str, ...], category: pl.LazyFrame | None = None) -> pl.LazyFrame:
    """Add the value of each policy in `names` to the targets, and `where_<name>`: which row won ("" for the default).

    `targets` has the columns of SELECTORS (empty: it is of no one such thing). With "buffer" among the names, all of BUFFERS
    are added, and one of them at most has a value. The order of the targets stays.

    Targets that have no column `category` are of that which `category` (sku, category) says; it is not added to them.
    """
    rules = {name: book[name] for name in names if name in book}
    asked = targets.collect()
    if not rules:
        return asked.lazy().with_columns(_default(column) for name in names for column in _value_columns(name))
    of = asked.select(s for s in SELECTORS if s in asked.columns)
    if category is not None and any(few["names_category"].any() for few in rules.values()):
        of = beside(of, category.collect(), "sku").with_columns(pl.col("category").fill_null(""))
    return asked.with_columns(column for name in names for column in _ruled(of, rules.get(name), name)).lazy()


_ALWAYS: Final = (-(2**62), 2**62)  # before and after every date
_NAMED: Final = [f"names_{s}" for s in SELECTORS]
_ORDER: Final = ["dated", "valid_from", "valid_to", "value", "name"]  # of rows that name the same
_DESCENDING: Final = [True, True, False, False, False]


def _holding(rows: pl.LazyFrame, now: datetime) -> pl.LazyFrame:
    """Return the rows that hold at `now`, with their `topic`, which selectors they name, and that in words: `where`."""
    text = [pl.col(s).fill_null("") for s in SELECTORS]
    holds = (pl.col("valid_from").is_null() | (pl.col("valid_from") <= now)) & (
        pl.col("valid_to").is_null() | (pl.col("valid_to") > now)
    )
    said = [pl.when(pl.col(s) != "").then(pl.concat_str(pl.lit(f"{s}="), s)) for s in reversed(SELECTORS)]
    dates = pl.when("dated").then(pl.lit("dated"))
    return (
        _judged(rows)
        .filter(~pl.col("bad") & holds)
        .with_columns(*text, dated=pl.col("valid_from").is_not_null() | pl.col("valid_to").is_not_null())
        .with_columns(
            *((pl.col(s) != "").alias(f"names_{s}") for s in SELECTORS),
            topic=pl.col("name").replace(_SAME),
            where=pl.concat_str([*said, dates], separator=" ", ignore_nulls=True),
        )
        .with_columns(where=pl.when(pl.col("where") == "").then(pl.lit("everything")).otherwise("where"))
    )


def _uncontested(rows: pl.DataFrame) -> pl.DataFrame:
    """Keep one of the rows that name the same for the same topic: the narrowest by its dates."""
    same = [*SELECTORS, "topic"]
    contested = rows.select(alike(same)).to_series()
    rivals = rows.filter(contested).sort(*same, *_ORDER, descending=[False] * len(same) + _DESCENDING, nulls_last=True)
    return pl.concat([rows.filter(~contested), rivals.unique(same, keep="first", maintain_order=True)])


def _ruled(targets: pl.DataFrame, rules: pl.DataFrame | None, name: str) -> list[pl.Series] | list[pl.Expr]:
    """Return the columns of one policy: of the narrowest of the `rules` that matches each target (SELECTORS), else the default.

    Rows that name the same selectors match at most one by one: each such kind of row is looked up once, for its number `rule`.
    """
    if rules is None:
        return [_default(column) for column in _value_columns(name)]
    book = rules.with_row_index("rule")
    matching = []
    for named, rows in sorted(book.partition_by(_NAMED, as_dict=True).items(), reverse=True):  # narrowest first
        on = [selector for selector, has in zip(SELECTORS, named, strict=True) if has]
        matching.append(beside(targets.select(on), rows.select(*on, "rule"), on)["rule"] if on else rows["rule"].item())
    rule = targets.with_columns(rule=pl.coalesce(*map(pl.lit, matching), book.height))["rule"]
    columns = _value_columns(name)
    said = pl.concat([book.select(_said(column, name) for column in columns), pl.select(_default(column) for column in columns)])
    return [column.gather(rule) for column in said]


def _value_columns(name: str) -> list[str]:
    return [name, *(also for also, same in _SAME.items() if same == name), f"where_{name}"]


def _said(column: str, name: str) -> pl.Expr:
    if column.startswith("where_"):
        return pl.col("where").alias(column)
    if len(_value_columns(name)) > 2:  # a buffer said one way is not also the other's default
        return pl.when(pl.col("name") == column).then("value").alias(column)
    return pl.col("value").alias(column)


def _default(column: str) -> pl.Expr:
    if column.startswith("where_"):
        return pl.lit("").alias(column)
    return pl.lit(NAMES[column][2], dtype=pl.Int64).alias(column)
