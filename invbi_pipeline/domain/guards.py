"""Guards: what stands between a plan and a shop (design.md section 5). Each says "pass" or why it holds; every verdict is kept.

A lowering is never held for being uncertain: only what could harm a shop that is right (a mass change, a very large change, an
identity in doubt, a second writer, a pause, the mode) holds it.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple, Protocol

import polars as pl

from invbi_pipeline.domain.frames import CANDIDATES, CORRECTIONS, FEEDS, POINT_KEY, POINTS, UTC, empty
from invbi_pipeline.domain.words import COMPARABLE, CorrectionKind, CorrectionState, FeedVerdict, Mode

__all__ = ["GUARDS", "LETS_GO", "LIMITS", "GuardInputs", "Limits", "holding", "judge", "limits_frame"]

LETS_GO: Final = "pass"
_KEY: Final = list(POINT_KEY)
_BP: Final = 10_000
_DOUBTED: Final = ("ambiguous_mapping", "duplicate_sku", "pack_mismatch", "kit_unresolved", "kit_cycle")
_SECOND_WRITER_AFTER: Final = 2  # verified pushes after which the number was changed by something unexplained
_FROZEN_AFTER: Final = 2  # effects and accepted pushes that did not move the number


class Limits(Protocol):
    """The limits of one channel; `config.GuardConfig` has them."""

    @property
    def max_changed_share_bp(self) -> int: ...
    @property
    def max_zeroed_share_bp(self) -> int: ...
    @property
    def min_points_for_share(self) -> int: ...
    @property
    def max_change_units(self) -> int: ...
    @property
    def hold_first_look_raises(self) -> bool: ...
    @property
    def two_looks_for_raises(self) -> bool: ...


LIMITS: Final = {  # one row a system
    "system": pl.String(),
    "max_changed_share_bp": pl.Int64(),
    "max_zeroed_share_bp": pl.Int64(),
    "min_points_for_share": pl.Int64(),
    "max_change_units": pl.Int64(),
    "hold_first_look_raises": pl.Boolean(),
    "two_looks_for_raises": pl.Boolean(),
    "owners": pl.List(pl.String()),  # the systems that count what it sells
    "max_age_s": pl.Int64(),  # seconds; not used for the row's own number but where it is an owner
}


class GuardInputs(NamedTuple):
    """What the guards look at: POINTS, FEEDS, CANDIDATES (identity in doubt), LIMITS, and what is paused ("" is everything)."""

    points: pl.DataFrame = empty(POINTS)
    feeds: pl.DataFrame = empty(FEEDS)
    candidates: pl.DataFrame = empty(CANDIDATES)
    limits: pl.DataFrame = pl.DataFrame(schema=LIMITS)
    paused: frozenset[str] = frozenset()


def limits_frame(limits: Mapping[str, Limits], owners: Mapping[str, list[str]], max_age_s: Mapping[str, int]) -> pl.DataFrame:
    """Return LIMITS from each system's limits, the owners of what it sells, and how old an owner's number may be."""
    names = [name for name in LIMITS if name not in ("system", "owners", "max_age_s")]
    rows = [
        {"system": s, "owners": owners.get(s, []), "max_age_s": max_age_s.get(s), **{n: getattr(one, n) for n in names}}
        for s, one in limits.items()
    ]
    return pl.DataFrame(rows, schema=LIMITS)


def _guards(paused: frozenset[str]) -> dict[str, pl.Expr]:
    """Return, by guard, why it holds (null: it lets go), over the columns that `_facts` gathers."""
    raises, verdict = pl.col("raises"), pl.col("verdict").fill_null(FeedVerdict.UNREACHABLE)
    is_set = pl.col("kind") == CorrectionKind.SET
    enough = is_set & (pl.col("comparable") >= pl.col("min_points_for_share"))
    share, zeroed = pl.col("changed") * _BP // pl.col("comparable"), pl.col("zeroed") * _BP // pl.col("above_zero")
    size = (pl.col("to_qty") - pl.col("from_qty").fill_null(0)).abs()
    complete = (pl.col("complete_to") >= pl.col("first_look_at")).fill_null(value=False)
    too_soon = raises & pl.col("hold_first_look_raises") & pl.col("first_look") & ~complete
    unconfirmed = raises & pl.col("two_looks_for_raises") & (pl.col("unexplained") != 0) & (pl.col("confirmed") == 0)
    mass_zero = enough & (pl.col("to_qty") <= 0) & (zeroed > pl.col("max_zeroed_share_bp"))
    holds: dict[str, tuple[pl.Expr, pl.Expr]] = {
        "paused": (pl.col("system").is_in(sorted(paused)) | pl.lit("" in paused), pl.lit("sending is paused")),
        "mode": (pl.col("mode").fill_null(Mode.OBSERVE) != Mode.AUTO, pl.format("the system is in mode {}", "mode")),
        "feed": (verdict != FeedVerdict.BELIEVED, pl.format("the system's own feed is {}", verdict)),
        "owner_age": (
            raises & pl.col("stale_owner").is_not_null(),
            pl.format("the number of {} is older than its limit", "stale_owner"),
        ),
        "identity": (pl.col("doubt").is_not_null(), pl.format("which SKU this listing is stands in doubt: {}", "doubt")),
        "changed_share": (
            enough & (share > pl.col("max_changed_share_bp")),
            pl.format("the plan changes {} of {} numbers of this channel", "changed", "comparable"),
        ),
        "zeroed_share": (mass_zero, pl.format("the plan sends {} of {} numbers of this channel to zero", "zeroed", "above_zero")),
        "change_units": (size > pl.col("max_change_units"), pl.format("one change of {} units is very large", size)),
        "first_look": (too_soon, pl.lit("a raise at a first look waits for the order feed")),
        "two_looks": (unconfirmed, pl.lit("a raise of what is unexplained waits for a second look")),
        "second_writer": (
            pl.col("returns") >= _SECOND_WRITER_AFTER,
            pl.lit("another program or person keeps setting this number"),
        ),
        "frozen": (pl.col("stuck") >= _FROZEN_AFTER, pl.lit("the channel no longer applies changes to this listing")),
    }
    return {name: pl.when(holding_).then(why) for name, (holding_, why) in holds.items()}


GUARDS: Final = tuple(_guards(frozenset()))


def judge(corrections: pl.DataFrame, inputs: GuardInputs, now: datetime) -> pl.DataFrame:
    """Return the corrections with every guard's verdict in `guard` (JSON) and their state.

    State: `approved` where every guard passes; `planned` where only the mode holds (observe and approve show the plan and wait);
    `held` where any other guard holds.
    """
    if corrections.is_empty():
        return corrections
    facts = _facts(corrections, inputs, now)
    guards = _guards(inputs.paused)
    said = facts.with_columns(pl.coalesce(verdict, pl.lit(LETS_GO)).alias(f"guard:{name}") for name, verdict in guards.items())
    verdicts = pl.struct(pl.col(f"guard:{name}").alias(name) for name in guards)
    harmful = pl.any_horizontal(pl.col(f"guard:{name}") != LETS_GO for name in guards if name != "mode")
    state = (
        pl.when(harmful)
        .then(pl.lit(str(CorrectionState.HELD)))
        .when(pl.col("guard:mode") != LETS_GO)
        .then(pl.lit(str(CorrectionState.PLANNED)))
        .otherwise(pl.lit(str(CorrectionState.APPROVED)))
    )
    return said.with_columns(guard=verdicts.struct.json_encode(), state=state).select(CORRECTIONS.keys())


def _facts(corrections: pl.DataFrame, inputs: GuardInputs, now: datetime) -> pl.DataFrame:
    """Put beside each correction all that the guards ask about."""
    is_set = pl.col("kind") == CorrectionKind.SET
    of_channel = corrections.filter(is_set).group_by("system").agg(
        changed=pl.len().cast(pl.Int64), zeroed=((pl.col("to_qty") <= 0) & (pl.col("from_qty") > 0)).sum().cast(pl.Int64)
    )  # fmt: skip
    comparable = inputs.points.filter(pl.col("state").is_in([str(s) for s in COMPARABLE])).group_by("system").agg(
        comparable=pl.len().cast(pl.Int64), above_zero=(pl.col("reported") > 0).sum().cast(pl.Int64)
    )  # fmt: skip
    named = pl.col("evidence").fill_null("{}").str.json_path_match("$.listing_keys").str.json_decode(pl.List(pl.String()))
    doubts = (
        inputs.candidates.filter(pl.col("code").is_in(_DOUBTED))
        # a doubt about several listings stands against each of them, not only against the one it is filed under
        .with_columns(listing_key=pl.concat_list("listing_key", named.fill_null([])))
        .explode("listing_key")
        .filter(pl.col("listing_key") != "")
        .group_by("system", "listing_key")
        .agg(doubt=pl.col("code").str.replace_all("_", " ").unique().sort().str.join(", "))
    )
    points = inputs.points.select(
        *_KEY, "first_look", "first_look_at", "complete_to", "unexplained", "confirmed", "returns", "stuck"
    )
    return (
        corrections.join(of_channel, on="system", how="left")
        .join(comparable, on="system", how="left")
        .join(inputs.limits.join(_stale_owners(inputs, now), on="system", how="left"), on="system", how="left")
        .join(inputs.feeds.select("system", "verdict"), on="system", how="left")
        .join(doubts, on=["system", "listing_key"], how="left")
        .join(points, on=_KEY, how="left")
        .with_columns(
            pl.col("changed", "zeroed", "comparable").fill_null(0),
            pl.col("above_zero").fill_null(1),
            pl.col("unexplained", "confirmed", "returns", "stuck").fill_null(0),
            pl.col("first_look").fill_null(value=False),
            raises=(is_set & (pl.col("to_qty") > pl.col("from_qty"))).fill_null(value=False),
        )
        .with_columns(pl.col("comparable", "above_zero").clip(lower_bound=1))
        # a post goes to a counting system: what is said of a channel's number is not said of it
        .with_columns(pl.when(is_set).then(pl.col(name)).otherwise(0).alias(name) for name in ("returns", "stuck"))
    )


def _stale_owners(inputs: GuardInputs, now: datetime) -> pl.DataFrame:
    """Return system, stale_owner: one owner of what it sells whose number is older than that owner's limit."""
    age = (pl.lit(now).cast(UTC) - pl.col("stock_read_at")).dt.total_seconds()
    owners = inputs.limits.select(owner="system", limit="max_age_s").join(
        inputs.feeds.select(owner="system", age=age, unread=pl.col("stock_read_at").is_null()), on="owner", how="left"
    )
    stale = owners.filter(pl.col("unread").fill_null(value=True) | (pl.col("age") > pl.col("limit")).fill_null(value=False))
    asked = inputs.limits.select("system", owner="owners").explode("owner").drop_nulls("owner")
    return asked.join(stale.select("owner"), on="owner").group_by("system").agg(stale_owner=pl.col("owner").sort().first())


def holding(guard: str) -> dict[str, str]:
    """Return the guards that hold, from a correction's `guard` JSON: name and why."""
    return {name: why for name, why in json.loads(guard or "{}").items() if why != LETS_GO}
