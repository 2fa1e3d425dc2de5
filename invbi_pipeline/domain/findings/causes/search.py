"""The likeliest few pieces that add up to a step exactly, or somebody who typed over the number.

Likelihood is counted in bits *against* an explanation, as in a description length: the fewer, the likelier. A piece starts with
its own; an event costs as many bits more as it takes to say which of several equal ones it was; the platform's own word on when
the number last changed speaks for an event of that moment and against others. The figures are our judgement, and the sandbox's
score holds them to account; what matters is their order.
"""

from typing import Final

import polars as pl

from invbi_pipeline.domain.findings.causes.pieces import PIECES, SAME_MOMENT, step_key
from invbi_pipeline.domain.words import Cause

__all__ = ["ALSO", "ALTERNATIVES", "FOUND", "search"]

_MOST_PIECES: Final = 12  # of a step, the likeliest: pairs and triples of more are rarely told apart, and always slow
_MOST_TOGETHER: Final = 3
ALTERNATIVES: Final = 3  # named beside the likeliest

_HAND: Final = 6.0  # somebody typed over it, and nothing is known of when
_HAND_THEN: Final = 5.0  # ... the platform says it changed at a moment at which nothing we know happened
_HAND_NOT_THEN: Final = 7.0  # ... it changed last at the moment of an event we know
_AT_THE_MOMENT: Final = -1.0
_AT_ANOTHER: Final = 2.0
_EACH_MORE: Final = 1.0  # a further piece

# The order of the search, where two explanations are equally likely (design.md section 4).
_ORDER: Final = {cause.value: float(n) for n, cause in enumerate(Cause)}

ALSO: Final = pl.List(pl.Struct({"cause": pl.String(), "units": pl.Int64(), "events": pl.List(pl.String())}))
FOUND: Final = {**PIECES, "alternatives": pl.List(pl.String()), "also": ALSO, "doubted": pl.Boolean()}


def search(steps: pl.DataFrame, pieces: pl.DataFrame, moments: pl.DataFrame) -> pl.DataFrame:
    """Return the pieces (FOUND) that explain each step; every step's units are explained.

    `moments`: STEPS' key and `at`, when a known event or push touched the number. `alternatives` are events that would have done
    the same as a piece's own, as well or nearly; where nothing tells equal ones apart, `events` is empty and they are among
    them. `also`: what else may explain the step: the other pieces of the next likely sets. `doubted`: another set
    fits the step exactly as well.
    """
    key = step_key()
    weighed = _weighed(steps, pieces)
    combined = _combined(steps, weighed)
    hands = _hands(steps, moments)
    best = combined.join(hands.select(*key, "hand"), on=key).filter(pl.col("against") < pl.col("hand"))
    chosen = best.sort(*key, "against", "size", "order", "a", "b", "c", nulls_last=True).unique(
        key, keep="first", maintain_order=True
    )
    members = _members(chosen).join(weighed.rename({"against": "weight"}), on=[*key, "n"])
    rest = _rest(combined, chosen, weighed, hands)
    twins = _twins(members, rest)
    also = _also(members, rest).join(
        rest.group_by(key).agg(doubted=pl.col("equally").fill_null(value=False).any()), on=key, how="full", coalesce=True
    )
    doubted = pl.col("doubted").fill_null(value=False)
    nobody = pl.lit([], pl.List(pl.String()))
    alike = pl.col("alternatives").fill_null([])
    both = pl.concat_list("events", alike).list.unique(maintain_order=True)
    explained = (
        members.join(twins, on=[*key, "n"], how="left")
        .join(also, on=key, how="left")
        .with_columns(equal=pl.col("equal").fill_null(value=False), against="weight", doubted=doubted)
        .with_columns(
            events=pl.when("equal").then(nobody).otherwise("events"), alternatives=pl.when("equal").then(both).otherwise(alike)
        )
    )
    typed = (
        steps.join(chosen.select(key), on=key, how="anti")
        .join(also, on=key, how="left")
        .with_columns(
            cause=pl.lit(Cause.FOREIGN.value), events=nobody, kind=pl.lit(""), at=pl.col("touched"), other=pl.lit(""),
            against=pl.lit(_HAND), alternatives=nobody, doubted=doubted,
        )
    )  # fmt: skip
    return pl.concat([frame.select(pl.col(n).cast(kind) for n, kind in FOUND.items()) for frame in (explained, typed)]).sort(
        *key, "cause", "at", nulls_last=True
    )


def _weighed(steps: pl.DataFrame, pieces: pl.DataFrame) -> pl.DataFrame:
    """The likeliest pieces of each step, numbered by `n`, with what the platform's time of change says of them."""
    key = step_key()
    known = pl.col("touched").is_not_null() & pl.col("at").is_not_null()
    then = (pl.col("touched") - pl.col("at")).abs() <= SAME_MOMENT
    event = pl.col("events").list.len() > 0
    moment = pl.when(known & event & then).then(_AT_THE_MOMENT).when(known & event).then(_AT_ANOTHER).otherwise(0.0)
    told = pl.col("against") == 0  # by the platform itself: nothing more is to be weighed
    equal = pl.len().over(*key, "cause", "units", then.fill_null(value=False))
    return (
        pieces.join(steps.select(*key, "touched"), on=key)
        .unique([*key, "cause", "units", "events", "other"], keep="first", maintain_order=True)
        .with_columns(against=pl.when(told).then(0.0).otherwise(pl.col("against") + moment + equal.log(2)))
        .with_columns(order=pl.col("cause").replace_strict(_ORDER, return_dtype=pl.Float64))
        .sort(*key, "against", "order", "at", pl.col("events").list.first(), nulls_last=True)
        .with_columns(n=pl.int_range(pl.len(), dtype=pl.Int64).over(key))
        .filter(pl.col("n") < _MOST_PIECES)
    )


def _combined(steps: pl.DataFrame, weighed: pl.DataFrame) -> pl.DataFrame:
    """Every set of up to three pieces of a step whose units come to it: `a`, `b`, `c` (their `n`), `size`, `against`."""
    key = step_key()
    light = weighed.select(*key, "n", "units", "against", "order", origin=pl.col("events").list.first())
    sets = light.select(*key, "units", "against", "order", last="n", a="n", b=pl.lit(None, pl.Int64), c=pl.lit(None, pl.Int64),
                        origins=pl.concat_list("origin"), size=pl.lit(1))  # fmt: skip
    wanted = steps.select(*key, wanted="units")
    exact = [sets.join(wanted, on=key).filter(pl.col("units") == pl.col("wanted"))]
    for size in range(2, _MOST_TOGETHER + 1):
        more = light.rename({"units": "more", "against": "weight", "order": "place", "n": "next"})
        sets = (
            sets.join(more, on=key)
            .filter((pl.col("next") > pl.col("last")) & ~pl.col("origins").list.contains(pl.col("origin")).fill_null(value=False))
            .select(
                *key,
                "a",
                b=pl.col("next") if size == 2 else pl.col("b"),
                c=pl.lit(None, pl.Int64) if size == 2 else pl.col("next"),
                units=pl.col("units") + pl.col("more"),
                against=pl.col("against") + pl.col("weight") + _EACH_MORE,
                order=pl.max_horizontal("order", "place"),
                last="next",
                origins=pl.concat_list("origins", "origin"),
                size=pl.lit(size),
            )
        )
        exact.append(sets.join(wanted, on=key).filter(pl.col("units") == pl.col("wanted")).select(exact[0].columns))
    return pl.concat(exact)


def _hands(steps: pl.DataFrame, moments: pl.DataFrame) -> pl.DataFrame:
    """How much speaks against somebody having typed over the number: `hand`."""
    near = (
        moments.join(steps.select(*step_key(), "touched"), on=step_key())
        .filter((pl.col("touched") - pl.col("at")).abs() <= SAME_MOMENT)
        .select(*step_key(), ours=pl.lit(value=True))
        .unique()
    )
    hand = pl.when(pl.col("touched").is_null()).then(_HAND).when("ours").then(_HAND_NOT_THEN).otherwise(_HAND_THEN)
    return steps.join(near, on=step_key(), how="left").with_columns(hand=hand)


def _members(chosen: pl.DataFrame) -> pl.DataFrame:
    """One row a piece of each chosen set."""
    return chosen.unpivot(["a", "b", "c"], index=step_key(), value_name="n").drop_nulls("n").drop("variable")


def _rest(combined: pl.DataFrame, chosen: pl.DataFrame, weighed: pl.DataFrame, hands: pl.DataFrame) -> pl.DataFrame:
    """The pieces of the next likely sets: `place` of their set, and `equally`, whether it fits exactly as well as the chosen."""
    key = step_key()
    best = chosen.select(*key, *(pl.col(name).alias(f"{name}_best") for name in ("a", "b", "c", "against", "size")))
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_best")) for name in ("a", "b", "c"))
    level = pl.coalesce("against_best", "hand")
    return (
        combined.join(best, on=key, how="left")
        .join(hands.select(*key, "hand"), on=key)
        .filter(~same & (pl.col("against") <= level + _AT_ANOTHER))
        .with_columns(equally=(pl.col("against") == pl.col("against_best")) & (pl.col("size") == pl.col("size_best")))
        .sort(*key, "against", "size", "a", "b", "c", nulls_last=True)
        .with_columns(place=pl.int_range(pl.len()).over(key))
        .filter(pl.col("place") < ALTERNATIVES)
        .unpivot(["a", "b", "c"], index=[*key, "place", "equally"], value_name="n")
        .drop_nulls("n")
        .join(weighed.select(*key, "n", "cause", "kind", "units", "other", "events"), on=[*key, "n"])
        .sort(*key, "place", "n")
    )


def _twins(members: pl.DataFrame, rest: pl.DataFrame) -> pl.DataFrame:
    """By chosen piece, the events that would have done the same to the same subject: `alternatives`; and whether one fits
    exactly as well: `equal`."""
    key, alike = step_key(), ["cause", "kind", "units", "other"]
    others = rest.join(members.select(*key, "n"), on=[*key, "n"], how="anti").rename({"n": "twin"})
    return (
        members.select(*key, "n", *alike)
        .join(others, on=[*key, *alike], maintain_order="right")
        .explode("events")
        .drop_nulls("events")
        .group_by(*key, "n", maintain_order=True)
        .agg(alternatives=pl.col("events").unique(maintain_order=True), equal=pl.col("equally").fill_null(value=False).any())
    )


def _also(members: pl.DataFrame, rest: pl.DataFrame) -> pl.DataFrame:
    """The pieces of the next likely sets that would have done something else than the chosen ones: `also`, the likelier first."""
    key = step_key()
    others = rest.join(members, on=[*key, "cause", "kind", "units", "other"], how="anti", nulls_equal=True)
    each = others.unique([*key, "cause", "units", "events"], keep="first", maintain_order=True)
    return each.group_by(key, maintain_order=True).agg(also=pl.struct("cause", "units", "events"))
